//! Header routes: rules of our own above managed ones, found by their place and their headers, marked with the rollout.

use aws_sdk_elasticloadbalancingv2::types::{
    HttpHeaderConditionConfig, Rule, RuleCondition, RuleTransform, Tag as RuleTag,
};

use super::label;
use crate::observation::{RouteAt, RulePlace, Site};
use crate::spec::HeaderMatch;

/// Carried by every rule that a rollout makes, with the rollout's id; the template's roles may delete no other.
pub const TAG: &str = "tidegate:rollout";

/// The field of a condition on a header.
const HTTP_HEADER: &str = "http-header";

/// The lowest place among the rules of a listener.
const LOWEST: u32 = 50_000;

/// Returns the rule that has a route's place, and whether it is the route's.
pub fn at_place<'r>(at: &RouteAt, rules: &'r [Rule]) -> Option<(&'r Rule, bool)> {
    let rule = rules.iter().find(|rule| priority(rule) == Some(at.priority))?;
    let headers: Vec<&HttpHeaderConditionConfig> =
        rule.conditions().iter().filter_map(RuleCondition::http_header_config).collect();
    let has = |wanted: &HeaderMatch| {
        headers.iter().any(|header| wanted.is(header.http_header_name().unwrap_or_default(), header.values()))
    };
    Some((rule, at.matches.iter().all(has)))
}

/// What a rule is made with: the conditions of the managed rule beside it, each in one form, and the headers.
pub fn conditions(beside: &[RuleCondition], matches: &[HeaderMatch]) -> Vec<RuleCondition> {
    let copied = beside.iter().cloned().map(|mut condition| {
        let typed = condition.host_header_config.is_some()
            || condition.path_pattern_config.is_some()
            || condition.http_header_config.is_some();
        // The API shows some conditions in two forms, and takes one.
        if typed {
            (condition.values, condition.regex_values) = (None, None);
        }
        condition
    });
    let headers = matches.iter().map(|wanted| {
        let header = HttpHeaderConditionConfig::builder()
            .http_header_name(wanted.header.clone())
            .set_values(Some(wanted.patterns()))
            .build();
        RuleCondition::builder().field(HTTP_HEADER).http_header_config(header).build()
    });
    copied.chain(headers).collect()
}

/// Returns what a rule's requests are changed to, which a rule that takes some of them must do, too.
pub fn transforms(beside: &Rule) -> Option<Vec<RuleTransform>> {
    Some(beside.transforms().to_vec()).filter(|transforms| !transforms.is_empty())
}

/// Makes the mark.
pub fn tag(rollout: &str) -> RuleTag {
    RuleTag::builder().key(TAG).value(rollout).build()
}

/// Returns where a rule, or for `None` the default action, stands among the rules of its listener.
pub fn site(rule: Option<&Rule>, port: u16, rules: &[Rule]) -> Site {
    let own = rule.and_then(priority);
    let below = own.unwrap_or(LOWEST + 1);
    let above = rules.iter().filter_map(priority).filter(|priority| *priority < below).max().unwrap_or(0);
    let strings: Vec<String> = rule
        .map(aws_sdk_elasticloadbalancingv2::types::Rule::conditions)
        .unwrap_or_default()
        .iter()
        .flat_map(label::strings)
        .collect();
    let wildcards = strings.iter().flat_map(|text| text.chars()).filter(|char| matches!(char, '*' | '?')).count();
    Site {
        port,
        priority: own,
        room: below.saturating_sub(above + 1),
        values: u32::try_from(strings.len()).unwrap_or(u32::MAX),
        wildcards: u32::try_from(wildcards).unwrap_or(u32::MAX),
        rules: 0,
    }
}

/// The listener that a route is on.
pub fn listener(at: &RouteAt) -> String {
    match at.beside.place {
        RulePlace::Rule => super::listener_of(at.beside.arn.as_str()),
        RulePlace::DefaultAction => at.beside.arn.as_str().to_owned(),
    }
}

fn priority(rule: &Rule) -> Option<u32> {
    rule.priority()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::PathPatternConditionConfig;

    use super::*;
    use crate::ids::RuleArn;
    use crate::observation::RuleRef;
    use crate::spec::HeaderValue;

    fn route(priority: u32) -> RouteAt {
        let value = HeaderValue::Values(vec!["b".to_owned(), "a".to_owned()]);
        RouteAt {
            name: "testers".to_owned(),
            beside: RuleRef { arn: RuleArn::new("arn:x:listener-rule/app/shop/1/2/3"), place: RulePlace::Rule },
            label: "HTTPS:443".to_owned(),
            priority,
            matches: vec![HeaderMatch { header: "X-Beta".to_owned(), value }],
        }
    }

    fn header(name: &str, values: [&str; 2]) -> RuleCondition {
        let values = Some(values.map(str::to_owned).to_vec());
        let config = HttpHeaderConditionConfig::builder().http_header_name(name).set_values(values).build();
        RuleCondition::builder().field(HTTP_HEADER).http_header_config(config).build()
    }

    #[test]
    fn a_rule_is_a_routes_by_its_place_and_headers() {
        let rules = [
            Rule::builder().priority("9").conditions(header("x-beta", ["a", "b"])).build(),
            Rule::builder().priority("8").conditions(header("x-other", ["a", "b"])).build(),
            Rule::builder().priority("default").build(),
        ];
        let ours = |priority| at_place(&route(priority), &rules).map(|(_, ours)| ours);
        assert_eq!((ours(9), ours(8), ours(7)), (Some(true), Some(false), None));
    }

    #[test]
    fn conditions_are_copied_in_one_form_and_the_headers_come_besides() {
        let path = RuleCondition::builder()
            .field("path-pattern")
            .values("/checkout*")
            .path_pattern_config(PathPatternConditionConfig::builder().values("/checkout*").build())
            .build();
        let made = conditions(&[path], &route(9).matches);
        assert_eq!(made.len(), 2);
        assert_eq!((made[0].values().len(), made[0].path_pattern_config().unwrap().values().len()), (0, 1));
        assert_eq!(made[1].http_header_config().unwrap().values(), ["b", "a"]);
    }

    #[test]
    fn room_ends_at_the_next_rule_above() {
        let rules: Vec<Rule> = ["10", "7", "40"].map(|number| Rule::builder().priority(number).build()).to_vec();
        let room = |rule: Option<&Rule>| site(rule, 443, &rules).room;
        assert_eq!((room(rules.first()), room(rules.get(1)), room(rules.get(2)), room(None)), (2, 6, 29, 49_960));
    }
}
