//! The waiting policies as they are written.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::limits;
use crate::spec::policy::{self, DAYS, clock, written_offset};

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CrashLoop {
    /// So many tasks of the canary that stop for one and the same reason send it home; 0 switches it off.
    #[schemars(range(min = *limits::CRASH_LOOP_TASKS.start(), max = *limits::CRASH_LOOP_TASKS.end()))]
    tasks: u32,
}

/// A time in which nothing moves forward: once (`from` and `to` are instants), or, with `days`, every week.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreezeWindow {
    /// The days on which it begins; with them, `from` and `to` are times of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Day>", default, length(min = 1, max = 7))]
    days: Option<Vec<Day>>,
    /// An instant with its offset, or `HH:MM`.
    #[schemars(regex(pattern = limits::TIME_PATTERN))]
    from: String,
    /// The first instant, or `HH:MM`, after it; of the next day if it is not after `from`.
    #[schemars(regex(pattern = limits::TIME_PATTERN))]
    to: String,
    /// Of a weekly window: what local time is ahead of UTC. Names of time zones are not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", default, regex(pattern = limits::OFFSET_PATTERN))]
    offset: Option<String>,
    /// Why, for people.
    #[schemars(length(min = 1, max = limits::REASON_MAX))]
    reason: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What a start does in a freeze.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum OnFreeze {
    /// The rollout begins, and waits.
    Wait,
    /// The start is refused.
    Refuse,
}

pub(super) fn crash_loop(policies: &policy::Policies) -> CrashLoop {
    CrashLoop { tasks: policies.crash_loop_tasks }
}

pub(super) fn freezes(policies: &policy::Policies) -> Vec<FreezeWindow> {
    policies.freezes.iter().map(FreezeWindow::from).collect()
}

/// Without a freeze there is nothing to say.
pub(super) fn on_freeze(policies: &policy::Policies) -> Option<OnFreeze> {
    (!policies.freezes.is_empty()).then_some(match policies.on_freeze {
        policy::OnFreeze::Wait => OnFreeze::Wait,
        policy::OnFreeze::Refuse => OnFreeze::Refuse,
    })
}

impl From<&policy::FreezeWindow> for FreezeWindow {
    fn from(window: &policy::FreezeWindow) -> Self {
        let (days, from, to, offset) = match &window.when {
            policy::FreezeTimes::Once { from, to } => (None, instant(*from), instant(*to), None),
            policy::FreezeTimes::Weekly { days, from, to, offset } => {
                let days = days.iter().filter_map(|day| Day::of(*day)).collect();
                (Some(days), clock(*from), clock(*to), Some(written_offset(*offset)))
            }
        };
        Self { days, from, to, offset, reason: window.reason.clone() }
    }
}

impl Day {
    fn of(day: u8) -> Option<Self> {
        match DAYS.get(usize::from(day)).copied()? {
            "mon" => Some(Self::Mon),
            "tue" => Some(Self::Tue),
            "wed" => Some(Self::Wed),
            "thu" => Some(Self::Thu),
            "fri" => Some(Self::Fri),
            "sat" => Some(Self::Sat),
            _ => Some(Self::Sun),
        }
    }
}

fn instant(at: Timestamp) -> String {
    at.to_string()
}

pub(super) fn default_crash_loop() -> CrashLoop {
    CrashLoop { tasks: crash_loop_tasks() }
}

fn crash_loop_tasks() -> u32 {
    limits::CRASH_LOOP_TASKS_DEFAULT
}

pub(super) fn yes() -> bool {
    true
}
