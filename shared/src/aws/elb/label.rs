//! What people know a rule by: `HTTPS:443 path /checkout*`, `HTTP:80 default`.

use aws_sdk_elasticloadbalancingv2::types::{Listener, RuleCondition};

/// Names a listener.
pub fn listener(listener: &Listener) -> String {
    match (listener.protocol(), listener.port()) {
        (Some(protocol), Some(port)) => format!("{protocol}:{port}"),
        (Some(protocol), None) => protocol.to_string(),
        (None, _) => listener.listener_arn().unwrap_or("listener").to_owned(),
    }
}

/// Names a listener's default action.
pub fn default_action(listener: &str) -> String {
    format!("{listener} default")
}

/// Names a rule by its listener and conditions.
pub fn rule(listener: &str, conditions: &[RuleCondition]) -> String {
    let conditions: Vec<String> = conditions.iter().map(condition).collect();
    if conditions.is_empty() { listener.to_owned() } else { format!("{listener} {}", conditions.join(" and ")) }
}

fn condition(condition: &RuleCondition) -> String {
    let field = condition.field().unwrap_or("condition");
    let name = match field {
        "path-pattern" => "path",
        "host-header" => "host",
        "http-request-method" => "method",
        "query-string" => "query",
        other => other,
    };
    let values = values(condition);
    match condition.http_header_config().and_then(|header| header.http_header_name()) {
        Some(header) => format!("header {header} {values}"),
        None => format!("{name} {values}"),
    }
}

/// Returns a condition's values: from its own configuration, from the plain list, or its regular expressions.
fn values(condition: &RuleCondition) -> String {
    strings(condition).join("|")
}

/// Returns what a condition compares with.
pub fn strings(condition: &RuleCondition) -> Vec<String> {
    let path = condition.path_pattern_config().map(|it| [it.values(), it.regex_values()].concat());
    let host = condition.host_header_config().map(|it| [it.values(), it.regex_values()].concat());
    let header = condition.http_header_config().map(|it| [it.values(), it.regex_values()].concat());
    let method = condition.http_request_method_config().map(|it| it.values().to_vec());
    let source = condition.source_ip_config().map(|it| it.values().to_vec());
    let query = condition.query_string_config().map(|it| {
        let pair = |key: Option<&str>, value: Option<&str>| match (key, value) {
            (Some(key), value) => format!("{key}={}", value.unwrap_or("*")),
            (None, value) => value.unwrap_or("*").to_owned(),
        };
        it.values().iter().map(|it| pair(it.key(), it.value())).collect()
    });
    let plain = || [condition.values(), condition.regex_values()].concat();
    let typed = path.or(host).or(header).or(method).or(source).or(query);
    typed.filter(|values| !values.is_empty()).unwrap_or_else(plain)
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{
        HttpHeaderConditionConfig, PathPatternConditionConfig, ProtocolEnum, QueryStringConditionConfig,
        QueryStringKeyValuePair,
    };

    use super::*;

    #[test]
    fn a_rule_is_named_by_its_listener_and_conditions() {
        let https = listener(&Listener::builder().protocol(ProtocolEnum::Https).port(443).build());
        let of = |field: &str| RuleCondition::builder().field(field);
        let path = of("path-pattern")
            .path_pattern_config(PathPatternConditionConfig::builder().values("/checkout*").values("/cart*").build());
        let header = of("http-header")
            .http_header_config(HttpHeaderConditionConfig::builder().http_header_name("x-beta").values("1").build());
        let query = of("query-string").query_string_config(
            QueryStringConditionConfig::builder()
                .values(QueryStringKeyValuePair::builder().key("v").value("2").build())
                .build(),
        );
        let plain = of("host-header").values("shop.example");
        let named = |conditions: &[RuleCondition]| rule(&https, conditions);
        assert_eq!(named(&[path.build()]), "HTTPS:443 path /checkout*|/cart*");
        assert_eq!(named(&[header.build(), query.build()]), "HTTPS:443 header x-beta 1 and query v=2");
        assert_eq!(named(&[plain.build()]), "HTTPS:443 host shop.example");
        assert_eq!(default_action(&https), "HTTPS:443 default");
    }
}
