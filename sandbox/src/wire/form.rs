//! Requests of the query protocol: a form whose keys are paths, read into the tree that JSON would have been.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// ELBv2's lists. An empty one is sent as the bare name, which otherwise is an empty text.
const LISTS: [&str; 23] = [
    "Actions",
    "AdditionalClaims",
    "AlpnPolicy",
    "Attributes",
    "Certificates",
    "Conditions",
    "DefaultActions",
    "Include",
    "ListenerArns",
    "LoadBalancerArns",
    "Names",
    "RegexValues",
    "Rewrites",
    "RuleArns",
    "SecurityGroups",
    "SubnetMappings",
    "Subnets",
    "Tags",
    "TargetGroupArns",
    "TargetGroups",
    "Targets",
    "Transforms",
    "Values",
];

/// AWS's deepest path has eleven parts; more only costs stack.
const PARTS_MAX: usize = 32;

/// Reads a form into an object; all its leaves are texts.
///
/// # Errors
/// A sentence about the key that cannot be read.
pub(super) fn decode(body: &[u8]) -> Result<Value, String> {
    let mut root = Node::default();
    for (key, value) in form_urlencoded::parse(body) {
        if key == "Action" || key == "Version" {
            continue;
        }
        root.insert(&key, &value)?;
    }
    match root {
        Node { children, .. } if children.is_empty() => Ok(Value::Object(Map::new())),
        root => root.into_value(""),
    }
}

#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, key: &str, value: &str) -> Result<(), String> {
        let mut node = self;
        for (depth, part) in key.split('.').enumerate() {
            let is_name = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
            if !is_name || depth == PARTS_MAX {
                return Err(format!("`{key}` is not the name of a parameter"));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.text = Some(value.to_owned());
        Ok(())
    }

    fn into_value(mut self, name: &str) -> Result<Value, String> {
        match (self.text, self.children.len()) {
            (Some(text), 0) if text.is_empty() && LISTS.contains(&name) => Ok(Value::Array(Vec::new())),
            (Some(text), 0) => Ok(Value::String(text)),
            (None, 1) if self.children.contains_key("member") => {
                let members = self.children.remove("member").unwrap_or_default().in_order(name)?;
                members.into_iter().map(|m| m.into_value("member")).collect::<Result<_, _>>().map(Value::Array)
            }
            (None, 1) if self.children.contains_key("entry") => {
                let entries = self.children.remove("entry").unwrap_or_default().in_order(name)?;
                entries.into_iter().map(|e| e.into_entry(name)).collect::<Result<_, _>>().map(Value::Object)
            }
            (None, _) => {
                let members = self.children.into_iter().map(|(name, node)| {
                    let value = node.into_value(&name)?;
                    Ok((name, value))
                });
                members.collect::<Result<_, String>>().map(Value::Object)
            }
            (Some(_), _) => Err(format!("`{name}` is both a text and a structure")),
        }
    }

    /// The children by their number: `2` comes before `10`.
    fn in_order(self, name: &str) -> Result<Vec<Node>, String> {
        let numbered = self.children.into_iter().map(|(number, node)| match number.parse::<u32>() {
            Ok(number) if self.text.is_none() => Ok((number, node)),
            Ok(_) | Err(_) => Err(format!("`{name}.member.{number}` has no number")),
        });
        let numbered: BTreeMap<u32, Node> = numbered.collect::<Result<_, _>>()?;
        Ok(numbered.into_values().collect())
    }

    fn into_entry(mut self, name: &str) -> Result<(String, Value), String> {
        let mut take = |part: &str| self.children.remove(part).and_then(|node| node.text);
        match (take("key"), take("value")) {
            (Some(key), Some(value)) => Ok((key, Value::String(value))),
            (_, _) => Err(format!("an entry of `{name}` lacks its `key` or its `value`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_become_lists_structures_and_maps() {
        let cases = [
            ("Action=DescribeRules&Version=2015-12-01", json!({})),
            ("Action=DescribeRules&Version=2015-12-01&RuleArns=", json!({"RuleArns": []})),
            ("RuleArns.member.1=a%3Ab%2Fc&RuleArns.member.2=d", json!({"RuleArns": ["a:b/c", "d"]})),
            (
                &(1..=10).map(|n| format!("Names.member.{n}={n}&")).collect::<String>(),
                json!({"Names": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]}),
            ),
            (
                "Actions.member.1.Type=forward&Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=tg\
                 &Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=5",
                json!({"Actions": [{"Type": "forward", "ForwardConfig":
                    {"TargetGroups": [{"TargetGroupArn": "tg", "Weight": "5"}]}}]}),
            ),
            (
                "A.AuthenticationRequestExtraParams.entry.1.key=display&A.AuthenticationRequestExtraParams.entry.1.value=a+b",
                json!({"A": {"AuthenticationRequestExtraParams": {"display": "a b"}}}),
            ),
            (
                "Attributes.member.1.Key=k&Attributes.member.1.Value=",
                json!({"Attributes": [{"Key": "k", "Value": ""}]}),
            ),
        ];
        for (form, tree) in cases {
            assert_eq!(decode(form.as_bytes()).unwrap(), tree, "{form}");
        }
    }

    #[test]
    fn a_form_that_has_no_tree_is_refused_with_its_key() {
        let deep = format!("A{}=1", ".A".repeat(PARTS_MAX));
        for (form, word) in [
            ("Rules.member.x=1", "Rules.member.x"),
            ("A..B=1", "A..B"),
            ("A<b>=1", "A<b>"),
            ("A=1&A.B=2", "`A`"),
            ("M.entry.1.key=k", "`M`"),
            (deep.as_str(), "A.A"),
        ] {
            let error = decode(form.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{form}: {error}");
        }
    }
}
