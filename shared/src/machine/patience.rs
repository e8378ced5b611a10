//! Pauses of the plan: for a time, until `promote`, or until `promote` and not for ever.

use jiff::Timestamp;

use super::effect::Effect;
use super::{Now, advance, home};
use crate::plan::Step;
use crate::rollout::{AbortReason, PauseReason, Rollout};
use crate::spec::OnTimeout;

/// Returns what the current pause waits for; `until` is the end of one with a duration.
pub fn reason(rollout: &Rollout, until: Option<Timestamp>) -> PauseReason {
    match (rollout.current(), rollout.entered.get(rollout.cursor)) {
        (Step::Pause { duration: None, limit: Some(limit) }, Some(entered)) => {
            PauseReason::Limited { until: *entered + limit.timeout, then: limit.on_timeout }
        }
        _ => PauseReason::Step { until },
    }
}

/// Ends a pause that nobody ended within its limit.
pub fn over(rollout: &mut Rollout, then: OnTimeout, now: Now, effects: &mut Vec<Effect>) {
    match then {
        OnTimeout::Promote => advance::pass(rollout, now, effects),
        OnTimeout::Abort => {
            let reason = AbortReason::PauseTimeout { step: rollout.current().to_string() };
            home::turn(rollout, reason, now, effects);
        }
    }
}
