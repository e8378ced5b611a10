//! What is there at start: which side is stable, and every reason why a rollout may not begin.

use crate::api::PlanReport;
use crate::fault::Refusal;
use crate::observation::{Blueprint, Estate, RuleSeen, ServiceSeen};
use crate::rollout::Baseline;
use crate::spec::RolloutSpec;

/// What `init` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// A spec for the pair, as YAML.
    pub spec: String,
    /// The second service, as JSON for `aws ecs create-service --cli-input-json`.
    pub service: String,
}

/// Reads roles and the way home out of what was found, or names every reason against a start. The revision is the
/// spec's: whoever starts with another one puts it into `spec.task_definition` first.
pub fn baseline(_spec: &RolloutSpec, _estate: &Estate) -> Result<Baseline, Vec<Refusal>> {
    Err(vec![not_implemented("baseline")])
}

/// Returns what a start would do, and why it would be refused. Nothing moves.
pub fn plan_report(spec: &RolloutSpec, estate: &Estate) -> PlanReport {
    PlanReport {
        stable: String::new(),
        canary: String::new(),
        revision: String::new(),
        rules: Vec::new(),
        steps: Vec::new(),
        refusals: baseline(spec, estate).err().unwrap_or_default(),
    }
}

/// Returns a spec, and the definition of the second service, for a service that has no twin yet. `rules` are those
/// that name its target group.
pub fn init(_service: &ServiceSeen, _blueprint: &Blueprint, _rules: &[RuleSeen]) -> Result<Init, Vec<Refusal>> {
    Err(vec![not_implemented("init")])
}

fn not_implemented(what: &str) -> Refusal {
    Refusal::new(format!("{what} is not implemented"), "wait for the next commit")
}
