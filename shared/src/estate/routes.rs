//! Header routes: a free priority directly above each managed rule, and every reason why there is none.

use crate::fault::Refusal;
use crate::observation::{Action, RouteAt, RuleSeen, Site};
use crate::spec::{HeaderRoute, limits};

/// The lowest place among the rules of a listener: Elastic Load Balancing's own limit.
const LOWEST: u32 = 50_000;
/// Rules of a load balancer, unless its owner has asked AWS for more: then it has more, or nobody can tell from here.
const RULES_MAX: u32 = 100;

/// Plans the spec's header routes beside these managed rules, the first one highest.
pub fn planned(
    routes: &[&HeaderRoute],
    rules: &[RuleSeen],
    load_balancer: &str,
    refusals: &mut Vec<Refusal>,
) -> Vec<RouteAt> {
    if routes.is_empty() {
        return Vec::new();
    }
    if load_balancer.starts_with("net/") {
        let why = format!("`setHeaderRoute` on {load_balancer}: a Network Load Balancer reads no headers");
        refusals.push(Refusal::new(why, "drop the step: `setWeight` works there; or put an application load balancer"));
        return Vec::new();
    }
    budget(routes, rules, load_balancer, refusals);
    rules.iter().flat_map(|rule| beside(rule, routes, refusals)).collect()
}

fn budget(routes: &[&HeaderRoute], rules: &[RuleSeen], load_balancer: &str, refusals: &mut Vec<Refusal>) {
    let there = rules.iter().filter_map(|rule| Some(rule.site.as_ref()?.rules)).max().unwrap_or(0);
    let more = count(routes.len()).saturating_mul(count(rules.len()));
    if there <= RULES_MAX && there.saturating_add(more) > RULES_MAX {
        let why = format!("{load_balancer} has {there} of {RULES_MAX} rules, and the header routes need {more} more");
        let hint = "delete rules that nobody needs, or ask AWS for more and make one by hand: a load balancer with \
                    more than 100 rules is taken at its word";
        refusals.push(Refusal::new(why, hint));
    }
}

fn beside(rule: &RuleSeen, routes: &[&HeaderRoute], refusals: &mut Vec<Refusal>) -> Vec<RouteAt> {
    let label = &rule.label;
    let Some(site) = &rule.site else {
        let why = format!("it is not known where `{label}` stands among the rules of its listener");
        refusals.push(Refusal::new(why, "ask again"));
        return Vec::new();
    };
    let secret = rule.actions.iter().any(|action| match action {
        Action::Other { kind, .. } => kind == "authenticate-oidc",
        Action::Forward { .. } => false,
    });
    if secret {
        let why = format!("`{label}` logs people in by OIDC, whose secret no other rule can be given");
        refusals.push(Refusal::new(why, "drop `setHeaderRoute`, or log in with Cognito"));
    }
    let wanted = count(routes.len());
    if site.room < wanted {
        refusals.push(crowded(label, site, wanted));
        return Vec::new();
    }
    let below = site.priority.unwrap_or(LOWEST + 1);
    let mut planned = Vec::new();
    for (route, priority) in routes.iter().zip(below.saturating_sub(wanted)..) {
        let (values, wildcards) = route.budget();
        let values = site.values.saturating_add(count(values));
        let wildcards = site.wildcards.saturating_add(count(wildcards));
        let most = count(limits::RULE_VALUES_MAX);
        if values > most || wildcards > count(limits::RULE_WILDCARDS_MAX) {
            let name = &route.name;
            let why = format!(
                "a rule for the header route `{name}` beside `{label}` would compare with {values} values, {wildcards} \
                 of them with wildcards; a load balancer takes {most} of each"
            );
            refusals.push(Refusal::new(why, "name fewer values, or fewer headers"));
        }
        planned.push(RouteAt {
            name: route.name.clone(),
            beside: rule.rule.clone(),
            label: label.clone(),
            priority,
            matches: route.matches.clone(),
        });
    }
    planned
}

/// Another rule in between would lose the requests that match both.
fn crowded(label: &str, site: &Site, wanted: u32) -> Refusal {
    let where_it_is = match site.priority {
        Some(priority) => format!("priority {priority}"),
        None => "the last place".to_owned(),
    };
    let why = format!(
        "`setHeaderRoute` needs {wanted} free priorities directly above `{label}`, which is at {where_it_is}: {} are free",
        site.room
    );
    let hint = "move the rule above it up: `aws elbv2 set-rule-priorities`; a route above another rule would take its \
                requests, too";
    Refusal::new(why, hint)
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
