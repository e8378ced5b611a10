//! The call transcript: who asked what of AWS, when, under which invocation, and what came of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::iam::{Call, Decision, Denial, Role};
pub use crate::chronicle::Moment;

/// Whose call it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Caller {
    /// A function's own code, by the function's logical id.
    Function(String),
    /// The platform, under the role of the function with this logical id:
    /// polling its queue, writing its logs and traces, sending to its DLQ.
    PlatformFor(String),
    /// An AWS service under its own principal, as `events.amazonaws.com`.
    Service(String),
    /// A person or a pipeline, by the sandbox's name for it.
    Person(String),
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Outcome {
    Ok,
    /// The service's error code.
    Error(String),
    /// IAM's sentence.
    Denied(String),
}

/// One AWS request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub started: Moment,
    pub ended: Moment,
    pub caller: Caller,
    /// The request id of the Lambda invocation that it was made in.
    pub invocation: Option<String>,
    /// The IAM prefix of the service.
    pub service: String,
    /// The operation, which for a transaction is not the action that IAM checks.
    pub operation: String,
    /// What IAM was asked, in order.
    pub calls: Vec<Call>,
    pub outcome: Outcome,
}

impl Entry {
    /// The operation with its service: `elasticloadbalancing:ModifyRule`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum InvocationEnd {
    Succeeded,
    /// The function answered with an error: its type and message.
    Failed(String),
    /// The process exited, or was killed, before it answered.
    Crashed,
    /// The process was killed at the function's timeout.
    TimedOut,
}

/// One invocation of a function.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Invocation {
    pub id: String,
    /// The function's logical id.
    pub function: String,
    /// What woke it: a mapping, a rule, a URL.
    pub cause: String,
    pub started: Moment,
    pub ended: Moment,
    pub end: InvocationEnd,
}

/// The first call that an altered role would have lost.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstDenied {
    pub entry: Entry,
    pub why: Denial,
}

/// Everything that was asked in a run, in the order of the answers.
#[derive(Debug, Default)]
pub struct Transcript {
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    entries: Vec<Entry>,
    invocations: Vec<Invocation>,
}

impl Transcript {
    pub fn record(&self, entry: Entry) {
        self.lock().entries.push(entry);
    }

    pub fn record_invocation(&self, invocation: Invocation) {
        self.lock().invocations.push(invocation);
    }

    /// All requests so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// All finished invocations so far.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.lock().invocations.clone()
    }

    /// The requests of one invocation's own code.
    pub fn of_invocation(&self, id: &str) -> Vec<Entry> {
        let own = |e: &&Entry| matches!(e.caller, Caller::Function(_)) && e.invocation.as_deref() == Some(id);
        self.lock().entries.iter().filter(own).cloned().collect()
    }

    /// How often each caller made each request.
    pub fn counts(&self) -> BTreeMap<(Caller, String), u64> {
        let mut counts = BTreeMap::new();
        for entry in &self.lock().entries {
            *counts.entry((entry.caller.clone(), entry.name())).or_default() += 1;
        }
        counts
    }

    /// The requests that `invocation` made one after the other before its first
    /// request `name`, the longest such chain; requests in the air together
    /// count once. `None` if it never made that request.
    pub fn chain_before(&self, invocation: &str, name: &str) -> Option<Vec<Entry>> {
        let entries = self.of_invocation(invocation);
        let first = entries.iter().filter(|e| e.name() == name).min_by_key(|e| e.started.wall)?;
        let mut before: Vec<&Entry> = entries.iter().filter(|e| e.ended.wall <= first.started.wall).collect();
        before.sort_by_key(|e| e.ended.wall);
        // The request that ends first always belongs to some longest chain.
        let mut chain: Vec<Entry> = Vec::new();
        for entry in before {
            if chain.last().is_none_or(|last| last.ended.wall <= entry.started.wall) {
                chain.push(entry.clone());
            }
        }
        Some(chain)
    }

    /// The first request of `function` (its own code, or the platform under its
    /// role) that `role` would deny, among those that were allowed.
    pub fn first_denied(&self, function: &str, role: &Role) -> Option<FirstDenied> {
        let recorded = self.lock();
        let under_role = |e: &&Entry| match &e.caller {
            Caller::Function(id) | Caller::PlatformFor(id) => id == function,
            Caller::Service(_) | Caller::Person(_) => false,
        };
        let allowed = |e: &&Entry| !matches!(e.outcome, Outcome::Denied(_));
        recorded.entries.iter().filter(under_role).filter(allowed).find_map(|entry| {
            entry.calls.iter().find_map(|call| match role.evaluate(call) {
                Decision::Allowed => None,
                Decision::Denied { why } => Some(FirstDenied { entry: entry.clone(), why }),
            })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::iam::Policy;
    use super::*;

    fn entry(operation: &str, from: u64, to: u64) -> Entry {
        let moment = |ms| Moment { wall: Duration::from_millis(ms), at: Timestamp::UNIX_EPOCH };
        Entry {
            started: moment(from),
            ended: moment(to),
            caller: Caller::Function("AlarmFunction".into()),
            invocation: Some("i-1".into()),
            service: "dynamodb".into(),
            operation: operation.into(),
            calls: vec![Call::new("dynamodb", operation, ["arn:aws:dynamodb:x:1:table/t".to_owned()])],
            outcome: Outcome::Ok,
        }
    }

    #[test]
    fn requests_in_the_air_together_count_once_in_a_chain() {
        let transcript = Transcript::default();
        for e in [entry("Query", 0, 10), entry("GetItem", 11, 20), entry("GetItem", 12, 22), entry("PutItem", 23, 30)] {
            transcript.record(e);
        }
        let chain = transcript.chain_before("i-1", "dynamodb:PutItem").unwrap();
        let names: Vec<&str> = chain.iter().map(|e| e.operation.as_str()).collect();
        assert_eq!(names, ["Query", "GetItem"]);
        assert!(transcript.chain_before("i-1", "dynamodb:DeleteItem").is_none());
        assert_eq!(transcript.counts()[&(Caller::Function("AlarmFunction".into()), "dynamodb:GetItem".into())], 2);
    }

    #[test]
    fn an_altered_role_names_the_first_call_that_it_would_lose() {
        let transcript = Transcript::default();
        transcript.record(entry("Query", 0, 10));
        transcript.record(entry("PutItem", 11, 20));
        let document = json!({"Statement": [{"Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:PutItem"], "Resource": "*"}]});
        let role = Role {
            id: "AlarmRole".into(),
            name: "alarm".into(),
            arn: "arn:aws:iam::1:role/alarm".into(),
            policies: vec![Policy::identity(&document, "AlarmRole").unwrap()],
        };
        assert!(transcript.first_denied("AlarmFunction", &role).is_none());
        let lost = transcript.first_denied("AlarmFunction", &role.without_action("dynamodb:PutItem")).unwrap();
        assert_eq!(lost.entry.operation, "PutItem");
        assert!(transcript.first_denied("SweepFunction", &role.without_action("dynamodb:PutItem")).is_none());
    }
}
