//! The condition operators and keys that the sandbox evaluates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::{glob, texts};

/// The condition keys that the sandbox fills; a trailing `*` stands for a tag's
/// name. A policy that asks for another would never hold here, so it is refused.
pub const KEYS: [&str; 18] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:ResourceTag/*",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "cloudwatch:namespace",
    "dynamodb:LeadingKeys",
    "ecs:cluster",
    "ecs:ResourceTag/*",
    "elasticloadbalancing:CreateAction",
    "elasticloadbalancing:ResourceTag/*",
    "events:detail-type",
    "events:source",
    "kms:ViaService",
    "lambda:FunctionUrlAuthType",
    "lambda:InvokedViaFunctionUrl",
];

/// One line of a statement's `Condition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub operator: Operator,
    pub set: SetOperator,
    pub key: String,
    pub values: Vec<String>,
}

/// How a value of the call is compared with a value of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    StringEquals,
    StringNotEquals,
    StringLike,
    StringNotLike,
    ArnEquals,
    ArnLike,
    Bool,
    Null,
}

/// How the call's many values count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOperator {
    /// The key has one value.
    Single,
    ForAllValues,
    ForAnyValue,
}

const OPERATORS: [(&str, Operator); 8] = [
    ("StringEquals", Operator::StringEquals),
    ("StringNotEquals", Operator::StringNotEquals),
    ("StringLike", Operator::StringLike),
    ("StringNotLike", Operator::StringNotLike),
    ("ArnEquals", Operator::ArnEquals),
    ("ArnLike", Operator::ArnLike),
    ("Bool", Operator::Bool),
    ("Null", Operator::Null),
];

impl Condition {
    /// Reads a whole `Condition` block; the error is a sentence about what is not supported.
    pub(super) fn read_all(block: Option<&Value>) -> Result<Vec<Self>, String> {
        let Some(block) = block else {
            return Ok(Vec::new());
        };
        let Value::Object(operators) = block else {
            return Err("`Condition` is an object of operators".into());
        };
        let mut all = Vec::new();
        for (name, keys) in operators {
            let (set, operator) = read_operator(name)?;
            let Value::Object(keys) = keys else {
                return Err(format!("`{name}` is an object of condition keys"));
            };
            for (key, values) in keys {
                if !KEYS.iter().any(|known| glob(&known.to_ascii_lowercase(), &key.to_ascii_lowercase())) {
                    return Err(format!("condition key `{key}` is not supported; known are {}", KEYS.join(", ")));
                }
                let values = texts(Some(values)).ok_or_else(|| format!("`{key}` needs a text or a list of texts"))?;
                if let Some(variable) = values.iter().find(|value| value.contains("${")) {
                    return Err(format!("policy variable in `{variable}` is not supported"));
                }
                all.push(Self { operator, set, key: key.clone(), values });
            }
        }
        Ok(all)
    }

    /// Whether the condition holds for a call with this context.
    pub fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> bool {
        let found = context.iter().find(|(key, _)| key.eq_ignore_ascii_case(&self.key));
        let values: &[String] = found.map_or(&[], |(_, values)| values);
        if self.operator == Operator::Null {
            let wants_absent = self.values.iter().any(|value| value == "true");
            return values.is_empty() == wants_absent;
        }
        match self.set {
            SetOperator::ForAllValues => values.iter().all(|value| self.accepts(value)),
            SetOperator::ForAnyValue => values.iter().any(|value| self.accepts(value)),
            SetOperator::Single if values.is_empty() => self.operator.is_negative(),
            SetOperator::Single => values.iter().any(|value| self.accepts(value)),
        }
    }

    fn accepts(&self, value: &str) -> bool {
        let any = |matches: fn(&str, &str) -> bool| self.values.iter().any(|wanted| matches(wanted, value));
        match self.operator {
            Operator::StringEquals => any(|wanted, value| wanted == value),
            Operator::StringNotEquals => !any(|wanted, value| wanted == value),
            Operator::StringLike => any(glob),
            Operator::StringNotLike => !any(glob),
            Operator::ArnEquals | Operator::ArnLike => any(arn_like),
            Operator::Bool => any(str::eq_ignore_ascii_case),
            Operator::Null => false,
        }
    }
}

impl Operator {
    /// A negative operator holds when the key is absent.
    fn is_negative(self) -> bool {
        match self {
            Self::StringNotEquals | Self::StringNotLike => true,
            Self::StringEquals | Self::StringLike | Self::ArnEquals | Self::ArnLike | Self::Bool | Self::Null => false,
        }
    }
}

fn read_operator(name: &str) -> Result<(SetOperator, Operator), String> {
    let (set, plain) = match name.split_once(':') {
        Some(("ForAllValues", rest)) => (SetOperator::ForAllValues, rest),
        Some(("ForAnyValue", rest)) => (SetOperator::ForAnyValue, rest),
        Some(_) | None => (SetOperator::Single, name),
    };
    OPERATORS.iter().find(|(known, _)| *known == plain).map(|(_, operator)| (set, *operator)).ok_or_else(|| {
        let known: Vec<&str> = OPERATORS.iter().map(|(known, _)| *known).collect();
        format!("condition operator `{name}` is not supported; known are {}", known.join(", "))
    })
}

/// Compares ARNs part by part: a star does not reach over a colon of the first five.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, part)| glob(pattern, part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(block: &Value, key: &str, values: &[&str]) -> bool {
        let conditions = Condition::read_all(Some(block)).unwrap();
        let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        let context = if values.is_empty() { BTreeMap::new() } else { BTreeMap::from([(key.to_owned(), values)]) };
        conditions.iter().all(|c| c.holds(&context))
    }

    #[test]
    fn absent_keys_decide_by_the_operator() {
        let equals = json!({"StringEquals": {"aws:SourceAccount": "1"}});
        let not_equals = json!({"StringNotEquals": {"aws:SourceAccount": "1"}});
        let for_all = json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["A#*"]}});
        let for_any = json!({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["A#*"]}});
        let null = json!({"Null": {"dynamodb:LeadingKeys": "false"}});
        for (block, expected) in
            [(&equals, false), (&not_equals, true), (&for_all, true), (&for_any, false), (&null, false)]
        {
            assert_eq!(holds(block, "none", &[]), expected, "{block}");
        }
    }

    #[test]
    fn many_values_count_as_the_set_operator_says() {
        let for_all = json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["A#*", "B#*"]}});
        let for_any = json!({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["A#*"]}});
        assert!(holds(&for_all, "dynamodb:LeadingKeys", &["A#1", "B#1"]));
        assert!(!holds(&for_all, "dynamodb:LeadingKeys", &["A#1", "C#1"]));
        assert!(holds(&for_any, "dynamodb:LeadingKeys", &["A#1", "C#1"]));
    }

    #[test]
    fn a_star_in_an_arn_stays_in_its_part() {
        assert!(arn_like("arn:aws:events:*:1:rule/*", "arn:aws:events:eu-west-1:1:rule/a/b"));
        assert!(!arn_like("arn:aws:*:rule/*", "arn:aws:events:eu-west-1:1:rule/a"));
        assert!(holds(&json!({"Bool": {"aws:SecureTransport": "false"}}), "aws:SecureTransport", &["false"]));
    }
}
