//! EventBridge patterns, evaluated by quamina; what it would answer differently from AWS is refused.

use std::fmt;
use std::sync::Arc;

use quamina::Quamina;
use serde_json::Value;

use super::LoadError;

/// AWS refuses a wildcard that is too complex without saying where that begins;
/// it refused five stars, and four are more than any rule of ours needs.
const STARS_MAX: usize = 4;

/// A pattern that has been checked and compiled.
#[derive(Clone)]
pub struct Pattern {
    text: Value,
    matcher: Arc<Quamina<()>>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}

impl Pattern {
    /// Checks and compiles a pattern.
    ///
    /// # Errors
    /// A pattern that EventBridge refuses, or that this sandbox cannot evaluate.
    pub fn new(pattern: &Value, place: &str) -> Result<Self, LoadError> {
        let refuse = |problem: String| LoadError::new(format!("{place}, event pattern"), problem);
        check_object(pattern, true).map_err(refuse)?;
        let mut matcher = Quamina::new();
        matcher.add_pattern((), &pattern.to_string()).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { text: pattern.clone(), matcher: Arc::new(matcher) })
    }

    /// Whether `event`, a whole envelope, matches.
    pub fn matches(&self, event: &Value) -> bool {
        // An event is serialized here from a value, so it is well-formed JSON.
        self.matcher.has_matches(event.to_string().as_bytes()).unwrap_or(false)
    }

    /// The pattern as it was written.
    pub fn as_written(&self) -> &Value {
        &self.text
    }
}

fn check_object(value: &Value, at_top: bool) -> Result<(), String> {
    let Value::Object(map) = value else {
        return Err("a pattern is an object".into());
    };
    if map.is_empty() {
        let what = if at_top { "an empty pattern" } else { "an empty object" };
        return Err(format!("{what} matches nothing that can be said"));
    }
    for (key, value) in map {
        if key == "$or" {
            return Err("`$or` is not supported; write one rule for each branch".into());
        }
        if key.contains('.') {
            return Err(format!("the dotted key `{key}` is not supported; write nested objects"));
        }
        match value {
            Value::Array(choices) if choices.is_empty() => return Err(format!("`{key}` has an empty list")),
            Value::Array(choices) => {
                choices.iter().try_for_each(check_choice).map_err(|problem| format!("`{key}`: {problem}"))?;
            }
            Value::Object(_) => check_object(value, false).map_err(|problem| format!("`{key}`: {problem}"))?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(format!("`{key}` is a list or an object"));
            }
        }
    }
    Ok(())
}

fn check_choice(choice: &Value) -> Result<(), String> {
    match choice {
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => Ok(()),
        Value::Array(_) => Err("a list inside a list".into()),
        Value::Object(map) => {
            let Some((operator, argument)) = map.iter().next().filter(|_| map.len() == 1) else {
                return Err("a choice has one operator".into());
            };
            check_operator(operator, argument)
        }
    }
}

fn check_operator(operator: &str, argument: &Value) -> Result<(), String> {
    let fits = match operator {
        "prefix" | "suffix" => argument.as_str().is_some_and(|text| !text.is_empty()),
        "equals-ignore-case" => argument.is_string(),
        // Absence inside an array of objects: AWS looks at each element, quamina at all together.
        "exists" => argument.as_bool() == Some(true),
        "wildcard" => {
            argument.as_str().is_some_and(|text| !text.contains("**") && text.matches('*').count() <= STARS_MAX)
        }
        "anything-but" => match argument {
            Value::Array(list) => {
                let same_kind = list.iter().all(Value::is_string) || list.iter().all(Value::is_number);
                !list.is_empty() && same_kind
            }
            Value::String(_) | Value::Number(_) => true,
            Value::Null | Value::Bool(_) | Value::Object(_) => false,
        },
        "numeric" => numeric_fits(argument),
        other => {
            return Err(format!(
                "the operator `{other}` is not supported; supported are prefix, suffix, equals-ignore-case, exists, \
                 wildcard, anything-but, numeric"
            ));
        }
    };
    if fits { Ok(()) } else { Err(format!("`{operator}` cannot be evaluated with {argument}")) }
}

/// One comparison, or a lower bound and an upper one.
fn numeric_fits(argument: &Value) -> bool {
    let Value::Array(parts) = argument else {
        return false;
    };
    let pair = |pair: &[Value], operators: &[&str]| {
        pair[0].as_str().is_some_and(|operator| operators.contains(&operator)) && pair[1].is_number()
    };
    match parts.len() {
        2 => pair(parts, &["=", "<", "<=", ">", ">="]),
        4 => {
            let bounds = (parts[1].as_f64(), parts[3].as_f64());
            let in_order = matches!(bounds, (Some(low), Some(high)) if low < high);
            in_order && pair(&parts[..2], &[">", ">="]) && pair(&parts[2..], &["<", "<="])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_for_alarms_matches_alarms_alone() {
        let pattern = json!({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}});
        let pattern = Pattern::new(&pattern, "R").unwrap();
        assert!(pattern.matches(&json!({"source": "aws.cloudwatch", "detail": {"state": {"value": "ALARM"}}})));
        assert!(!pattern.matches(&json!({"source": "aws.cloudwatch", "detail": {"state": {"value": "OK"}}})));
        assert!(!pattern.matches(&json!({"source": "aws.ecs", "detail": {"state": {"value": "ALARM"}}})));
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused_by_name() {
        for (pattern, word) in [
            (json!({"$or": [{"a": [1]}, {"b": [2]}]}), "$or"),
            (json!({"a.b": ["x"]}), "a.b"),
            (json!({"a": [{"cidr": "10.0.0.0/8"}]}), "cidr"),
            (json!({"a": [{"anything-but": {"prefix": "x"}}]}), "anything-but"),
            (json!({"a": "x"}), "`a` is a list"),
            (json!({"a": [{"regexp": "x"}]}), "regexp"),
        ] {
            let error = Pattern::new(&pattern, "R (AWS::Events::Rule)").unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("R (AWS::Events::Rule)"), "{error}");
        }
    }

    /// The public vectors, where they are there: `TIDEGATE_CORPUS`, or `shared`
    /// beside some folder above this crate.
    fn corpus() -> Option<PathBuf> {
        let named = std::env::var_os("TIDEGATE_CORPUS").map(PathBuf::from);
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared"));
        named
            .into_iter()
            .chain(above)
            .map(|folder| folder.join("event-patterns/vectors.json"))
            .find(|path| path.is_file())
    }

    #[test]
    fn every_public_vector_is_answered_as_aws_does_or_refused() {
        let Some(path) = corpus() else {
            eprintln!("skipped: no event-patterns/vectors.json; set TIDEGATE_CORPUS to its folder");
            return;
        };
        let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (mut answered, mut refused, mut refused_by_both) = (0, 0, 0);
        let mut wrong = Vec::new();
        for vector in &vectors {
            let expected = vector["expect"].as_str().unwrap();
            // Some patterns are kept as text, because as JSON they would not survive.
            let pattern = match &vector["pattern"] {
                Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
                other => other.clone(),
            };
            match (Pattern::new(&pattern, "vector"), expected) {
                (Err(_), "exception") => refused_by_both += 1,
                (Err(_), _) => refused += 1,
                (Ok(pattern), _) => {
                    let event = match &vector["event"] {
                        Value::String(text) => serde_json::from_str(text).unwrap(),
                        other => other.clone(),
                    };
                    let answer = if pattern.matches(&event) { "match" } else { "no_match" };
                    if answer == expected {
                        answered += 1;
                    } else {
                        wrong.push(format!("{}: {answer}, AWS says {expected}", vector["name"]));
                    }
                }
            }
        }
        eprintln!("{answered} answered, {refused} refused, {refused_by_both} refused as AWS does");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(answered > 50, "most vectors are answered: {answered}");
    }
}
