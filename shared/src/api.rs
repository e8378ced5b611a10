//! The operator's protocol: what the CLI sends to the two Function URLs, and what they answer.

use serde::{Deserialize, Serialize};

use crate::audit::AuditEntry;
use crate::ids::RolloutId;
use crate::machine::event::Verb;
use crate::machine::report::Report;
use crate::rollout::Track;
use crate::spec::SpecError;

pub use crate::fault::Refusal;
pub use crate::machine::report::Listed;

/// A body for the `command` function. The caller's identity is never in it: it comes from the signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandRequest {
    /// Idempotency key: the same key is carried out once, and answered again with the same answer.
    pub key: String,
    /// What is wanted.
    pub order: Order,
}

/// A mutating verb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "order")]
pub enum Order {
    /// Begin a rollout. Answered `Accepted` at once; ask `Ask::Answer` with the key for what became of it.
    Start {
        /// The spec's text, YAML or JSON.
        spec: String,
        /// The revision, where it is not the spec's own.
        task_definition: Option<String>,
        /// Which steps it takes.
        #[serde(default)]
        track: Track,
    },
    /// Begin again what went home: the same spec and revision, as a new rollout.
    Retry {
        /// The rollout that went home.
        rollout: RolloutId,
        /// From the step at which it turned: pauses, analyses and lower weights before it are passed over.
        #[serde(default)]
        from_step: bool,
    },
    /// Back to the revision that was stable before the last promotion, or to a named one, as a new rollout.
    Undo {
        /// The newest rollout that the caller saw: one that has been overtaken is refused.
        rollout: RolloutId,
        /// The revision, where it is not the one before the last promotion.
        to_revision: Option<String>,
        /// Which steps it takes.
        #[serde(default)]
        track: Track,
    },
    /// The revision that stable runs, once more, as a new rollout.
    Restart {
        /// The newest rollout that the caller saw.
        rollout: RolloutId,
    },
    /// A verb on a rollout in progress.
    Verb {
        /// Which rollout.
        rollout: RolloutId,
        /// What.
        verb: Verb,
        /// The step that the caller saw; `None` does not check.
        expected_step: Option<usize>,
    },
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "answer")]
pub enum Answer {
    /// Queued: ask again with the key.
    Accepted,
    /// A rollout began.
    Started {
        /// Its id.
        rollout: RolloutId,
    },
    /// Kept until another rollout ends; what becomes of it then, `Ask::Answer` tells by that key.
    Queued {
        /// The rollout that has the services.
        behind: RolloutId,
        /// The key to ask by.
        key: String,
    },
    /// The verb was carried out.
    Done {
        /// On which rollout.
        rollout: RolloutId,
        /// One sentence.
        message: String,
    },
    /// Nothing was to be done.
    NoOp {
        /// Why.
        message: String,
    },
    /// Refused, each reason with what to do.
    Refused {
        /// All of them, not the first.
        refusals: Vec<Refusal>,
    },
}

/// A mistake in a spec that came by the wire, at its line and column.
impl From<&SpecError> for Refusal {
    fn from(mistake: &SpecError) -> Self {
        Self::new(mistake.to_string(), mistake.hint.clone())
    }
}

/// A body for the `query` function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "ask")]
pub enum Ask {
    /// One rollout, by id, or of a spec's name the newest unfinished one, or else the newest finished one.
    Get {
        /// Id or name.
        rollout: String,
    },
    /// Rollouts, newest first.
    List {
        /// Finished ones instead of unfinished ones.
        finished: bool,
    },
    /// A rollout's journal.
    History {
        /// Id.
        rollout: RolloutId,
        /// First sequence.
        from: u64,
    },
    /// What became of a command.
    Answer {
        /// Its idempotency key.
        key: String,
    },
    /// What a start would do: nothing moves.
    Plan {
        /// The spec's text.
        spec: String,
        /// The revision, where it is not the spec's own.
        task_definition: Option<String>,
        /// Which steps it would take.
        #[serde(default)]
        track: Track,
    },
    /// A spec, and the definition of the second service, from an existing one.
    Init {
        /// Cluster.
        cluster: String,
        /// The existing service.
        service: String,
    },
}

/// What `query` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "told")]
pub enum Told {
    /// To Get.
    Rollout {
        /// The report.
        report: Box<Report>,
    },
    /// To List.
    Rollouts {
        /// Newest first.
        rollouts: Vec<Listed>,
    },
    /// To History.
    Journal {
        /// Oldest first.
        entries: Vec<AuditEntry>,
    },
    /// To Answer; `None` while nothing is known of the key.
    Answer {
        /// The answer.
        answer: Option<Answer>,
    },
    /// To Plan.
    Plan {
        /// What would happen.
        plan: Box<PlanReport>,
    },
    /// To Init.
    Init {
        /// The spec, as YAML.
        spec: String,
        /// The second service, as JSON for `aws ecs create-service --cli-input-json`.
        service: String,
    },
    /// There is no such thing.
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// It cannot be answered.
    Refused {
        /// Each reason with what to do.
        refusals: Vec<Refusal>,
    },
}

/// What a start would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// The service with all the traffic.
    pub stable: String,
    /// The service with none.
    pub canary: String,
    /// The revision, as ARN.
    pub revision: String,
    /// Every managed rule: where it is, and the canary's share today.
    pub rules: Vec<String>,
    /// The steps, each as text, with the least time that it takes.
    pub steps: Vec<PlannedStep>,
    /// The AWS calls of one look at everything that the rollout touches.
    #[serde(default)]
    pub look: Vec<Asked>,
    /// Why it would not start; empty where it would.
    pub refusals: Vec<Refusal>,
}

/// One step of a PlanReport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// `setWeight 20`.
    pub step: String,
    /// The canary's tasks during it.
    pub tasks: u32,
    /// The least time that it takes, in seconds.
    pub least_seconds: u64,
    /// The AWS calls that it makes at the least; `look` stands for those of the report's own `look`.
    #[serde(default)]
    pub calls: Vec<Asked>,
}

/// An AWS call, or a look, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// `ModifyRule`.
    pub call: String,
    /// How often.
    pub times: u32,
}
