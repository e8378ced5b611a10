//! Header routes in process: where a rule stands, and which one is a route's.

use tidegate::observation::{RouteAt, RulePlace, Site};
use tidegate::spec::HeaderMatch;

use crate::world::{HttpHeaderConfig, Listener, Rule, RuleCondition};

/// The lowest place among the rules of a listener.
const LOWEST: u32 = 50_000;

/// The listener that a route is on.
pub fn listener(at: &RouteAt) -> String {
    let arn = at.beside.arn.as_str();
    match at.beside.place {
        RulePlace::Rule => {
            let listener = arn.rsplit_once('/').map_or(arn, |(listener, _)| listener);
            listener.replacen(":listener-rule/", ":listener/", 1)
        }
        RulePlace::DefaultAction => arn.to_owned(),
    }
}

/// Returns the rule that has a route's place, and whether it is the route's.
pub fn at_place<'r>(at: &RouteAt, rules: &'r [Rule]) -> Option<(&'r Rule, bool)> {
    let rule = rules.iter().find(|rule| priority(rule) == Some(at.priority))?;
    let headers: Vec<&HttpHeaderConfig> =
        rule.conditions.iter().filter_map(|condition| condition.http_header_config.as_ref()).collect();
    let has = |wanted: &HeaderMatch| headers.iter().any(|header| wanted.is(&header.http_header_name, &header.values));
    Some((rule, at.matches.iter().all(has)))
}

/// The conditions of the managed rule beside it, and the headers.
pub fn conditions(beside: Option<&Rule>, matches: &[HeaderMatch]) -> Vec<RuleCondition> {
    let header = |wanted: &HeaderMatch| RuleCondition {
        field: "http-header".to_owned(),
        http_header_config: Some(HttpHeaderConfig {
            http_header_name: wanted.header.clone(),
            values: wanted.patterns(),
        }),
        ..RuleCondition::default()
    };
    let shared = beside.into_iter().flat_map(|rule| rule.conditions.clone());
    shared.chain(matches.iter().map(header)).collect()
}

/// Returns where a rule, or for `None` the default action, stands among the rules of its listener.
pub fn site(rule: Option<&Rule>, listener: &Listener, rules: &[Rule]) -> Site {
    let own = rule.and_then(priority);
    let below = own.unwrap_or(LOWEST + 1);
    let above = rules.iter().filter_map(priority).filter(|priority| *priority < below).max().unwrap_or(0);
    let strings: Vec<String> =
        rule.map(|rule| rule.conditions.as_slice()).unwrap_or_default().iter().flat_map(strings).collect();
    let wildcards = strings.iter().flat_map(|text| text.chars()).filter(|char| matches!(char, '*' | '?')).count();
    Site {
        port: listener.port,
        priority: own,
        room: below.saturating_sub(above + 1),
        values: u32::try_from(strings.len()).unwrap_or(u32::MAX),
        wildcards: u32::try_from(wildcards).unwrap_or(u32::MAX),
        rules: 0,
    }
}

fn strings(condition: &RuleCondition) -> Vec<String> {
    let configs = [&condition.host_header_config, &condition.path_pattern_config];
    let typed = configs.into_iter().flatten().map(|config| config.values.clone());
    let header = condition.http_header_config.iter().map(|config| config.values.clone());
    typed.chain(header).next().unwrap_or_else(|| condition.values.clone())
}

fn priority(rule: &Rule) -> Option<u32> {
    rule.priority.parse().ok()
}
