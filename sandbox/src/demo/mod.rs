//! What `tidegate sandbox demo` shows: one estate, a good revision and a bad one, and an account of what became of them.

mod kill;
mod summary;

use crate::Sandbox;
use crate::world::{ApiResult, Behaviour, Estate, EstateParts};

pub use kill::{Kill, KillCost, UnknownKill};
pub use summary::{AlarmToHome, RolloutSummary, Seen, StepSummary, Summary, Wanted, causes};

/// The spec of both rollouts: 5 → 20 → 50 → 100 % with an analysis at each step.
pub const SPEC: &str = include_str!("checkout.yaml");

/// Users of the estate.
const REQUESTS_PER_SECOND: f64 = 100.0;

/// Virtual seconds per wall second that the demo asks for: both rollouts take about 36 virtual minutes, so 90 s.
pub const RATE: u32 = 24;

/// Share of the bad revision's responses that are 5xx.
pub const BAD_SHARE: f64 = 0.2;

/// `checkout` with four tasks on blue, and an alarm on each twin.
pub fn estate() -> Estate {
    Estate::of("checkout").tasks(4).requests_per_second(REQUESTS_PER_SECOND).deregistration_delay(30).alarms_on_both()
}

/// Registers a revision of which this share of responses are 5xx; answers its ARN.
///
/// # Errors
/// What RegisterTaskDefinition says.
pub fn register(sandbox: &Sandbox, tag: &str, error_share: f64) -> ApiResult<String> {
    let behaviour = if error_share > 0.0 { Behaviour::failing(error_share) } else { Behaviour::default() };
    sandbox.with_world(|world| estate().register_revision(world, tag, behaviour))
}

/// The alarms of an estate, which are to be calm before a rollout begins.
pub fn alarms(parts: &EstateParts) -> Vec<&str> {
    parts.blue_alarm_name.iter().chain([&parts.alarm_name]).map(String::as_str).collect()
}
