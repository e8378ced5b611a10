//! IAM as far as template.yaml uses it; anything else there is a load error.
//!
//! Supported: `Allow` and `Deny`; `Action` and `Resource` with `*` and `?`;
//! `Principal` in resource policies; the operators of [`condition::Operator`],
//! with `ForAllValues` and `ForAnyValue`, on the keys of [`condition::KEYS`].

pub mod condition;
pub mod policy;

use std::collections::BTreeMap;
use std::fmt;

pub use policy::{Policy, Principal};

/// What a caller asks to do, as IAM sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Call {
    /// The IAM prefix of the service: `ecs`, `elasticloadbalancing`, …
    pub service: String,
    /// The IAM action without the prefix, which need not be the operation's
    /// name: a transaction asks for `PutItem` and `UpdateItem`.
    pub action: String,
    /// Every resource that must be allowed; `*` alone for an action that IAM
    /// cannot restrict to a resource.
    pub resources: Vec<String>,
    /// The condition keys that AWS would fill for this call. What differs from
    /// resource to resource (tags) makes a call of its own.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Call {
    pub fn new(service: &str, action: &str, resources: impl IntoIterator<Item = String>) -> Self {
        Self {
            service: service.to_owned(),
            action: action.to_owned(),
            resources: resources.into_iter().collect(),
            context: BTreeMap::new(),
        }
    }

    /// A call on an action that IAM cannot restrict to a resource.
    pub fn on_anything(service: &str, action: &str) -> Self {
        Self::new(service, action, ["*".to_owned()])
    }

    /// Adds a condition key with its values.
    #[must_use]
    pub fn with(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.context.insert(key.to_owned(), values.into_iter().collect());
        self
    }

    /// The action as policies write it: `ecs:UpdateService`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }
}

/// What the policies say to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied { why: Denial },
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }
}

/// Why a call is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub action: String,
    pub resource: String,
    pub by: DeniedBy,
}

/// What denied it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeniedBy {
    /// No statement allows it.
    Nothing,
    /// A statement with `Effect: Deny`, by its `Sid` or place.
    Statement(String),
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not authorized to perform: {} on resource: {}", self.action, self.resource)?;
        match &self.by {
            DeniedBy::Nothing => write!(f, " because no policy allows the {} action", self.action),
            DeniedBy::Statement(sid) => write!(f, " with an explicit deny in the statement {sid}"),
        }
    }
}

/// A role with all its policies, inline and managed.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The logical id in the template.
    pub id: String,
    pub name: String,
    pub arn: String,
    pub policies: Vec<Policy>,
}

impl Role {
    /// Decides a call under this role: every resource needs an allow, and one deny denies all.
    pub fn evaluate(&self, call: &Call) -> Decision {
        evaluate(&self.policies, call, &Principal::Anyone)
    }

    /// The actions that the role's `Allow` statements grant, as written.
    pub fn granted_actions(&self) -> Vec<String> {
        let mut actions: Vec<String> =
            self.policies.iter().flat_map(Policy::granted_actions).map(str::to_owned).collect();
        actions.sort();
        actions.dedup();
        actions
    }

    /// The same role without `action` in any `Allow` statement.
    #[must_use]
    pub fn without_action(&self, action: &str) -> Self {
        Self { policies: self.policies.iter().map(|p| p.without_action(action)).collect(), ..self.clone() }
    }
}

/// Decides a call of `principal` under `policies`. Identity policies name no
/// principal, so theirs is ignored.
pub fn evaluate(policies: &[Policy], call: &Call, principal: &Principal) -> Decision {
    let action = call.name();
    let statements = || policies.iter().flat_map(|p| &p.statements);
    for resource in &call.resources {
        let applies = |s: &&policy::Statement| s.applies(&action, resource, &call.context, principal);
        let denied_by = statements().filter(|s| s.effect == policy::Effect::Deny).find(applies);
        let by = match denied_by {
            Some(statement) => DeniedBy::Statement(statement.place.clone()),
            None if statements().filter(|s| s.effect == policy::Effect::Allow).any(|s| applies(&s)) => {
                continue;
            }
            None => DeniedBy::Nothing,
        };
        return Decision::Denied { why: Denial { action, resource: resource.clone(), by } };
    }
    Decision::Allowed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(document: &serde_json::Value) -> Role {
        Role {
            id: "R".into(),
            name: "r".into(),
            arn: "arn:aws:iam::123456789012:role/r".into(),
            policies: vec![Policy::identity(document, "R (AWS::IAM::Role)").unwrap()],
        }
    }

    #[test]
    fn nothing_is_allowed_that_no_statement_allows() {
        let role = role(&json!({"Statement": [
            {"Effect": "Allow", "Action": "ecs:UpdateService", "Resource": "arn:aws:ecs:*:*:service/shop/*"},
        ]}));
        let call = |resource: &str| Call::new("ecs", "UpdateService", [resource.to_owned()]);
        assert!(role.evaluate(&call("arn:aws:ecs:eu-west-1:1:service/shop/checkout")).is_allowed());
        let Decision::Denied { why } = role.evaluate(&call("arn:aws:ecs:eu-west-1:1:service/bank/checkout")) else {
            panic!("a foreign service is denied");
        };
        assert_eq!(
            why.to_string(),
            "is not authorized to perform: ecs:UpdateService on resource: \
             arn:aws:ecs:eu-west-1:1:service/bank/checkout because no policy allows the ecs:UpdateService action"
        );
        let both = Call::new(
            "ecs",
            "UpdateService",
            ["arn:aws:ecs:eu-west-1:1:service/shop/a".into(), "arn:aws:ecs:eu-west-1:1:service/bank/a".into()],
        );
        assert!(!role.evaluate(&both).is_allowed(), "every resource needs an allow");
    }

    #[test]
    fn a_deny_outranks_every_allow() {
        let role = role(&json!({"Statement": [
            {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
            {"Sid": "AppendOnly", "Effect": "Deny", "Action": ["dynamodb:UpdateItem", "dynamodb:DeleteItem"], "Resource": "*",
             "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["AUDIT#*"]}}},
        ]}));
        let call = |key: &str| {
            Call::new("dynamodb", "DeleteItem", ["arn:aws:dynamodb:eu-west-1:1:table/t".to_owned()])
                .with("dynamodb:LeadingKeys", [key.to_owned()])
        };
        assert!(role.evaluate(&call("ROLLOUT#1")).is_allowed());
        let Decision::Denied { why } = role.evaluate(&call("AUDIT#1")) else {
            panic!("the audit is append only");
        };
        assert_eq!(why.by, DeniedBy::Statement("AppendOnly".into()));
    }

    #[test]
    fn an_action_for_everything_needs_a_statement_on_everything() {
        let role = role(&json!({"Statement": [
            {"Effect": "Allow", "Action": "cloudwatch:GetMetricData", "Resource": "arn:aws:cloudwatch:*"},
        ]}));
        assert!(!role.evaluate(&Call::on_anything("cloudwatch", "GetMetricData")).is_allowed());
    }

    #[test]
    fn a_removed_action_is_denied_and_the_others_stay() {
        let role = role(
            &json!({"Statement": {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage"], "Resource": "*"}}),
        );
        assert_eq!(role.granted_actions(), ["sqs:ReceiveMessage", "sqs:SendMessage"]);
        let altered = role.without_action("sqs:SendMessage");
        let call = |action: &str| Call::new("sqs", action, ["arn:aws:sqs:eu-west-1:1:q".to_owned()]);
        assert!(!altered.evaluate(&call("SendMessage")).is_allowed());
        assert!(altered.evaluate(&call("ReceiveMessage")).is_allowed());
    }

    #[test]
    fn what_is_not_supported_is_refused_with_the_statement_named() {
        let refused = [
            (json!({"Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}), "NotAction"),
            (
                json!({"Statement": [{"Sid": "X", "Effect": "Allow", "Action": "a:B", "NotResource": "*"}]}),
                "NotResource",
            ),
            (
                json!({"Statement": [{"Sid": "When", "Effect": "Allow", "Action": "a:B", "Resource": "*",
                    "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}}]}),
                "DateLessThan",
            ),
            (
                json!({"Statement": [{"Effect": "Allow", "Action": "a:B", "Resource": "*",
                    "Condition": {"StringEquals": {"aws:UserAgent": "x"}}}]}),
                "aws:UserAgent",
            ),
            (
                json!({"Statement": [{"Effect": "Allow", "Action": "a:B", "Resource": "arn:${aws:username}"}]}),
                "policy variable",
            ),
        ];
        for (document, word) in refused {
            let error = Policy::identity(&document, "R (AWS::IAM::Role)").unwrap_err().to_string();
            assert!(error.contains(word), "{error} names {word}");
            assert!(error.contains("R (AWS::IAM::Role)"), "{error} names the place");
        }
    }

    #[test]
    fn a_resource_policy_lets_only_its_principal_in() {
        let policy = Policy::resource(
            &json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:1:q",
                "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:1:rule/r"}}}]}),
            "P (AWS::SQS::QueuePolicy)",
        )
        .unwrap();
        let call = |rule: &str| {
            Call::new("sqs", "SendMessage", ["arn:aws:sqs:eu-west-1:1:q".to_owned()])
                .with("aws:SourceArn", [rule.to_owned()])
        };
        let events = Principal::Service("events.amazonaws.com".into());
        let other = Principal::Service("sns.amazonaws.com".into());
        let policies = [policy];
        assert!(evaluate(&policies, &call("arn:aws:events:eu-west-1:1:rule/r"), &events).is_allowed());
        assert!(!evaluate(&policies, &call("arn:aws:events:eu-west-1:1:rule/s"), &events).is_allowed());
        assert!(!evaluate(&policies, &call("arn:aws:events:eu-west-1:1:rule/r"), &other).is_allowed());
    }
}
