//! Policy documents: reading them, refusing what is not supported, and matching a call.

use std::collections::BTreeMap;

use serde_json::Value;

use super::condition::Condition;
use crate::platform::LoadError;

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its `Sid`, or its number where it has none.
    pub place: String,
    pub effect: Effect,
    /// Whom a resource policy speaks of; empty in an identity policy.
    pub principals: Vec<Principal>,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// Who calls, or who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    Anyone,
    /// A service, as `events.amazonaws.com`.
    Service(String),
    /// An account's root, a role or a user, by ARN; a bare account id means its root.
    Aws(String),
}

impl Policy {
    /// Reads a policy that a role or a person holds.
    ///
    /// # Errors
    /// Whatever the sandbox cannot evaluate, with `place` and the statement named.
    pub fn identity(document: &Value, place: &str) -> Result<Self, LoadError> {
        Self::read(document, place, Kind::Identity)
    }

    /// Reads a policy that a queue or a bus holds.
    ///
    /// # Errors
    /// As [`Policy::identity`].
    pub fn resource(document: &Value, place: &str) -> Result<Self, LoadError> {
        Self::read(document, place, Kind::Resource)
    }

    /// Reads a role's trust policy, whose statements name no resource.
    ///
    /// # Errors
    /// As [`Policy::identity`].
    pub fn trust(document: &Value, place: &str) -> Result<Self, LoadError> {
        Self::read(document, place, Kind::Trust)
    }

    fn read(document: &Value, place: &str, kind: Kind) -> Result<Self, LoadError> {
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            Some(_) | None => {
                return Err(LoadError::new(place, "a policy document needs a `Statement`"));
            }
        };
        let statements = statements
            .into_iter()
            .enumerate()
            .map(|(index, statement)| Statement::read(statement, index, place, kind))
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// The actions of the `Allow` statements, as written.
    pub fn granted_actions(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter(|s| s.effect == Effect::Allow).flat_map(|s| s.actions.iter().map(String::as_str))
    }

    /// The same policy without `action` in any `Allow` statement.
    #[must_use]
    pub fn without_action(&self, action: &str) -> Self {
        let keep = |s: &Statement| Statement {
            actions: match s.effect {
                Effect::Allow => s.actions.iter().filter(|a| *a != action).cloned().collect(),
                Effect::Deny => s.actions.clone(),
            },
            ..s.clone()
        };
        Self { statements: self.statements.iter().map(keep).collect() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Identity,
    Resource,
    Trust,
}

impl Statement {
    fn read(statement: &Value, index: usize, place: &str, kind: Kind) -> Result<Self, LoadError> {
        let Value::Object(fields) = statement else {
            return Err(LoadError::new(place, format!("statement {index} is not an object")));
        };
        let sid = fields.get("Sid").and_then(Value::as_str).map_or_else(|| format!("number {index}"), str::to_owned);
        let refuse = |problem: String| LoadError::new(format!("{place}, statement {sid}"), problem);
        for field in fields.keys() {
            let known = ["Sid", "Effect", "Action", "Resource", "Condition", "Principal"].contains(&field.as_str());
            if !known {
                return Err(refuse(format!("`{field}` is not supported; write Action, Resource and Condition")));
            }
        }
        let effect = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            Some(_) | None => return Err(refuse("`Effect` is `Allow` or `Deny`".into())),
        };
        let actions =
            texts(fields.get("Action")).ok_or_else(|| refuse("`Action` is a text or a list of texts".into()))?;
        let resources = match kind {
            Kind::Trust => vec!["*".to_owned()],
            Kind::Identity | Kind::Resource => {
                texts(fields.get("Resource")).ok_or_else(|| refuse("`Resource` is a text or a list of texts".into()))?
            }
        };
        if let Some(variable) = resources.iter().chain(&actions).find(|text| text.contains("${")) {
            return Err(refuse(format!("policy variable in `{variable}` is not supported")));
        }
        let principals = match (kind, fields.get("Principal")) {
            (Kind::Identity, None) => Vec::new(),
            (Kind::Identity, Some(_)) => {
                return Err(refuse("an identity policy has no `Principal`".into()));
            }
            (Kind::Resource | Kind::Trust, principal) => {
                principals(principal).ok_or_else(|| refuse("`Principal` is `*`, {Service: …} or {AWS: …}".into()))?
            }
        };
        let conditions = Condition::read_all(fields.get("Condition")).map_err(refuse)?;
        Ok(Self { place: sid, effect, principals, actions, resources, conditions })
    }

    /// Whether the statement speaks of this call.
    pub fn applies(
        &self,
        action: &str,
        resource: &str,
        context: &BTreeMap<String, Vec<String>>,
        principal: &Principal,
    ) -> bool {
        let speaks_of_caller = self.principals.is_empty() || self.principals.iter().any(|p| p.covers(principal));
        speaks_of_caller
            && self.actions.iter().any(|pattern| glob(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
            && self.resources.iter().any(|pattern| glob(pattern, resource))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

impl Principal {
    fn covers(&self, caller: &Principal) -> bool {
        match (self, caller) {
            (Self::Anyone, _) => true,
            (Self::Service(mine), Self::Service(theirs)) => mine == theirs,
            (Self::Aws(mine), Self::Aws(theirs)) => {
                mine == "*"
                    || mine == theirs
                    || root_account(mine).is_some_and(|account| account_of(theirs) == Some(account))
            }
            (Self::Service(_), Self::Aws(_) | Self::Anyone) | (Self::Aws(_), Self::Service(_) | Self::Anyone) => false,
        }
    }
}

/// The account that an account principal means: `123456789012` or its root's ARN.
fn root_account(principal: &str) -> Option<&str> {
    if principal.bytes().all(|b| b.is_ascii_digit()) {
        return Some(principal);
    }
    principal.strip_suffix(":root").and_then(account_of)
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

fn principals(value: Option<&Value>) -> Option<Vec<Principal>> {
    match value? {
        Value::String(star) if star == "*" => Some(vec![Principal::Anyone]),
        Value::Object(map) => {
            let mut all = Vec::new();
            for (kind, names) in map {
                for name in texts(Some(names))? {
                    all.push(match kind.as_str() {
                        "Service" => Principal::Service(name),
                        "AWS" => Principal::Aws(name),
                        _ => return None,
                    });
                }
            }
            Some(all)
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// A text or a list of texts; booleans and numbers in their JSON spelling, as
/// CloudFormation hands them on.
pub(super) fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value? {
        Value::Array(list) => list.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}

/// Matches `text` against a pattern with `*` (any run) and `?` (any one character).
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to resume when a guess about the last `*` proves wrong.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            Some(_) | None => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    (p, t) = (after_star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_run_and_question_marks_one() {
        for (pattern, text, expected) in [
            ("ecs:*", "ecs:UpdateService", true),
            ("ecs:Describe*", "ecs:UpdateService", false),
            ("arn:*:service/*/checkout", "arn:aws:ecs:x:1:service/shop/checkout", true),
            ("arn:*:service/*/checkout", "arn:aws:ecs:x:1:service/shop/checkout-2", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_account_principal_covers_everyone_of_that_account() {
        let account = Principal::Aws("arn:aws:iam::123456789012:root".into());
        assert!(account.covers(&Principal::Aws("arn:aws:iam::123456789012:role/ci".into())));
        assert!(!account.covers(&Principal::Aws("arn:aws:iam::999999999999:role/ci".into())));
    }
}
