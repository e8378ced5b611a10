//! Who calls from outside: people and pipelines, each with an access key and policies.

use super::iam::Policy;
use super::iam::policy::{Effect, Statement};
use super::template::{ManagedPolicy, Template};

/// A caller from outside the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// As in `Authorization: Sandbox operator`.
    pub name: String,
    pub arn: String,
    /// For callers that sign; the secret is not looked at.
    pub access_key: String,
    pub policies: Vec<Policy>,
}

/// The sandbox's people: `operator` holds every caller policy that the template
/// exports, `viewer` those for reading alone, `ci` may put events, and `admin`
/// may do everything, as whoever sets the account up.
pub fn of(template: &Template) -> Vec<Person> {
    let exported: Vec<&ManagedPolicy> = template.managed_policies.iter().filter(|p| p.roles.is_empty()).collect();
    let reading = exported.iter().filter(|p| p.id.starts_with("Query"));
    let anything = |action: &str| Policy {
        statements: vec![Statement {
            place: format!("the sandbox's own for {action}"),
            effect: Effect::Allow,
            principals: Vec::new(),
            actions: vec![action.to_owned()],
            resources: vec!["*".to_owned()],
            conditions: Vec::new(),
        }],
    };
    [
        ("operator", exported.iter().map(|p| p.policy.clone()).collect()),
        ("viewer", reading.map(|p| p.policy.clone()).collect()),
        ("ci", vec![anything("events:PutEvents")]),
        ("admin", vec![anything("*")]),
    ]
    .into_iter()
    .map(|(name, policies)| Person {
        name: name.to_owned(),
        arn: template.account.global_arn("iam", &format!("user/{name}")),
        access_key: format!("AKIASANDBOX{}", name.to_uppercase()),
        policies,
    })
    .collect()
}

/// The header that names a person without signing: `Sandbox operator`.
pub fn named_in(authorization: &str) -> Option<&str> {
    authorization.strip_prefix("Sandbox ").map(str::trim)
}
