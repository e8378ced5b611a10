//! The resources of a template as the sandbox runs them: every name and ARN resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use super::Account;
use crate::platform::LoadError;
use crate::platform::iam::{Policy, Role};
use crate::platform::patterns::Pattern;

/// The whole stack.
#[derive(Debug, Clone)]
pub struct Template {
    pub account: Account,
    pub functions: Vec<Function>,
    /// By ARN.
    pub roles: BTreeMap<String, Role>,
    pub managed_policies: Vec<ManagedPolicy>,
    pub queues: Vec<Queue>,
    pub tables: Vec<Table>,
    pub buses: Vec<Bus>,
    pub rules: Vec<Rule>,
    pub mappings: Vec<Mapping>,
    pub permissions: Vec<Permission>,
    /// The names of the log groups.
    pub log_groups: Vec<String>,
    /// Alarms, dashboards and keys: kept as the template gives them, by logical id.
    pub data: BTreeMap<String, Value>,
    pub outputs: BTreeMap<String, String>,
}

/// A function, and how AWS runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The logical id.
    pub id: String,
    pub name: String,
    pub arn: String,
    /// The name of the binary that is deployed.
    pub binary: String,
    pub role: String,
    /// Wall time.
    pub timeout: Duration,
    pub memory_mb: u32,
    pub reserved_concurrency: Option<u32>,
    pub environment: BTreeMap<String, String>,
    pub log_group: String,
    pub traced: bool,
    pub dead_letter: Option<String>,
    pub on_failure: Option<String>,
    /// Retries of an asynchronous invocation.
    pub retries: u32,
    /// Domain time after which an asynchronous event is given up.
    pub event_age_max: SignedDuration,
    pub url: Option<UrlAuth>,
}

/// Who may call a Function URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlAuth {
    AwsIam,
}

/// A policy that the stack exports for people, or shares between roles.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedPolicy {
    pub id: String,
    pub arn: String,
    pub policy: Policy,
    /// The names of the roles it is attached to by itself.
    pub roles: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub url: String,
    /// Transport time: how long a received message is hidden.
    pub visibility: Duration,
    /// Domain time: how long a message is kept.
    pub retention: SignedDuration,
    /// Domain time: how long each message is delayed.
    pub delay: SignedDuration,
    pub redrive: Option<Redrive>,
    /// Who else than this account's own roles may use it.
    pub policies: Vec<Policy>,
}

/// Where a message goes that was received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The ARN of the dead-letter queue.
    pub to: String,
    pub receives_max: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub id: String,
    pub name: String,
    pub arn: String,
    /// The `CreateTable` request.
    pub definition: Value,
    /// The attribute that holds an item's expiry.
    pub expires_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bus {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub policies: Vec<Policy>,
}

/// The name of the bus that AWS's own events arrive on.
pub const DEFAULT_BUS: &str = "default";

#[derive(Debug, Clone)]
pub struct Rule {
    pub id: String,
    pub name: String,
    pub arn: String,
    pub bus: String,
    pub trigger: Trigger,
    pub enabled: bool,
    pub targets: Vec<Target>,
}

/// What makes a rule fire.
#[derive(Debug, Clone)]
pub enum Trigger {
    Pattern(Pattern),
    /// Every so much domain time.
    Every(SignedDuration),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub id: String,
    pub arn: String,
    pub dead_letter: Option<String>,
    /// A fixed text in place of the event.
    pub input: Option<String>,
}

/// A queue whose messages wake a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub id: String,
    /// The ARN or the name of the function.
    pub function: String,
    /// The ARN of the queue.
    pub queue: String,
    pub batch_size: usize,
    /// Domain time to wait for a batch to fill.
    pub window: SignedDuration,
    pub concurrency_max: usize,
    pub reports_item_failures: bool,
    pub enabled: bool,
}

/// Who may invoke a function besides this account's own roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub id: String,
    pub function: String,
    pub action: String,
    pub principal: String,
    pub source_arn: Option<String>,
}

impl Template {
    pub(super) fn empty(account: Account) -> Self {
        Self {
            account,
            functions: Vec::new(),
            roles: BTreeMap::new(),
            managed_policies: Vec::new(),
            queues: Vec::new(),
            tables: Vec::new(),
            buses: Vec::new(),
            rules: Vec::new(),
            mappings: Vec::new(),
            permissions: Vec::new(),
            log_groups: Vec::new(),
            data: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// A function by logical id, name or ARN; a person may also say the binary.
    pub fn function(&self, name: &str) -> Option<&Function> {
        let named = |f: &&Function| f.id == name || f.name == name || f.arn == name;
        self.functions.iter().find(named).or_else(|| self.functions.iter().find(|f| f.binary == name))
    }

    /// The role of a function.
    pub fn role_of(&self, function: &Function) -> Option<&Role> {
        self.roles.get(&function.role)
    }

    /// Takes an action away from a function's role, in every statement that
    /// allows it by this very name; `false` if there is none.
    pub fn remove_action(&mut self, function: &str, action: &str) -> bool {
        let Some(role) = self.function(function).map(|f| f.role.clone()).and_then(|arn| self.roles.get_mut(&arn))
        else {
            return false;
        };
        let granted = role.granted_actions().iter().any(|one| one == action);
        *role = role.without_action(action);
        granted
    }

    pub fn queue_by_arn(&self, arn: &str) -> Option<&Queue> {
        self.queues.iter().find(|q| q.arn == arn)
    }

    /// Whether `principal` may `lambda:InvokeFunction` because of `source`.
    pub fn permits(&self, function: &Function, principal: &str, source: &str) -> bool {
        self.permissions.iter().any(|p| {
            let same = p.function == function.arn || p.function == function.name;
            same && p.action == "lambda:InvokeFunction"
                && p.principal == principal
                && p.source_arn.as_deref().is_none_or(|arn| crate::platform::iam::policy::glob(arn, source))
        })
    }

    /// Checks what no resource can check alone: that what is named is there.
    pub(super) fn check(&mut self) -> Result<(), LoadError> {
        self.attach_managed_policies();
        for function in &self.functions {
            let place = format!("{} (AWS::Serverless::Function)", function.id);
            if !self.roles.contains_key(&function.role) {
                return Err(LoadError::new(place, format!("the role `{}` is not in this template", function.role)));
            }
            for arn in function.dead_letter.iter().chain(&function.on_failure) {
                if self.queue_by_arn(arn).is_none() {
                    return Err(LoadError::new(place, format!("`{arn}` is no queue of this template")));
                }
            }
        }
        for queue in &self.queues {
            if let Some(redrive) = &queue.redrive
                && self.queue_by_arn(&redrive.to).is_none()
            {
                let place = format!("{} (AWS::SQS::Queue)", queue.id);
                return Err(LoadError::new(place, format!("`{}` is no queue of this template", redrive.to)));
            }
        }
        for mapping in &self.mappings {
            let place = format!("{} (AWS::Lambda::EventSourceMapping)", mapping.id);
            let Some(queue) = self.queue_by_arn(&mapping.queue) else {
                return Err(LoadError::new(place, format!("`{}` is no queue of this template", mapping.queue)));
            };
            let Some(function) = self.function(&mapping.function) else {
                return Err(LoadError::new(place, format!("`{}` is no function of this template", mapping.function)));
            };
            if queue.visibility < function.timeout {
                return Err(LoadError::new(
                    place,
                    "AWS refuses a queue whose VisibilityTimeout is below the function's Timeout",
                ));
            }
            if function.reserved_concurrency.is_some_and(|reserved| mapping.concurrency_max > reserved as usize) {
                return Err(LoadError::new(place, "AWS refuses a MaximumConcurrency above what is reserved"));
            }
        }
        for rule in &self.rules {
            let place = format!("{} (AWS::Events::Rule)", rule.id);
            if rule.bus != DEFAULT_BUS && !self.buses.iter().any(|b| b.name == rule.bus) {
                return Err(LoadError::new(place, format!("`{}` is no bus of this template", rule.bus)));
            }
            for target in &rule.targets {
                if self.function(&target.arn).is_none() && self.queue_by_arn(&target.arn).is_none() {
                    let problem = format!("the target `{}` is no function and no queue of this template", target.arn);
                    return Err(LoadError::new(place, problem));
                }
                if target.dead_letter.as_ref().is_some_and(|arn| self.queue_by_arn(arn).is_none()) {
                    return Err(LoadError::new(place, "its dead-letter queue is not in this template"));
                }
            }
        }
        Ok(())
    }

    fn attach_managed_policies(&mut self) {
        for managed in &self.managed_policies {
            for role in self.roles.values_mut().filter(|role| managed.roles.contains(&role.name)) {
                role.policies.push(managed.policy.clone());
            }
        }
    }
}
