//! What a rollout is patient with, and when it may not move: deadlines, crash loops, freezes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::limits;

/// The waiting policies of a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policies {
    /// Whether a missed progress deadline sends the rollout home (`progressDeadlineAbort`).
    pub deadline_aborts: bool,
    /// So many tasks of the canary that stop for one and the same reason send it home (`crashLoop.tasks`); 0 never.
    pub crash_loop_tasks: u32,
    /// When nothing moves forward (`freezeWindows`).
    pub freezes: Vec<FreezeWindow>,
    /// What a start does in one of them (`onFreeze`).
    pub on_freeze: OnFreeze,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            deadline_aborts: true,
            crash_loop_tasks: limits::CRASH_LOOP_TASKS_DEFAULT,
            freezes: Vec::new(),
            on_freeze: OnFreeze::Wait,
        }
    }
}

impl Policies {
    /// Whether nothing but defaults is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A time in which nothing moves forward, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezeWindow {
    /// When.
    pub when: FreezeTimes,
    /// Why, for people.
    pub reason: String,
}

/// When a freeze is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FreezeTimes {
    /// Once.
    Once {
        /// Its first instant.
        from: Timestamp,
        /// The first instant after it.
        to: Timestamp,
    },
    /// Every week. There is no tz database below: summer time is the author's affair.
    Weekly {
        /// The days on which it begins, Monday is 0.
        days: Vec<u8>,
        /// Minute of the day at which it begins.
        from: u16,
        /// Minute of the day at which it ends; of the next day if it is not after `from`.
        to: u16,
        /// What local time is ahead of UTC, in minutes.
        offset: i16,
    },
}

/// What a start does in a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFreeze {
    /// The rollout begins, and waits.
    Wait,
    /// The start is refused.
    Refuse,
}

/// A freeze that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Why.
    pub reason: String,
    /// When it ends; if another one begins then, when that one does, and so on.
    pub until: Timestamp,
}

/// Minutes of a day and of a week.
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// 1970-01-01 was a Thursday: its first minute in a week that begins on Monday.
const EPOCH_IN_WEEK: i64 = 3 * DAY;
/// A chain of windows is followed so far; a rollout that is still frozen then asks again.
const CHAINED: usize = 64;

impl Policies {
    /// Returns the freeze at `now`, if there is one.
    pub fn frozen(&self, now: Timestamp) -> Option<Frozen> {
        let (window, mut until) = self.ends(now)?;
        let reason = window.reason.clone();
        for _ in 0..CHAINED {
            match self.ends(until) {
                Some((_, later)) => until = later,
                None => break,
            }
        }
        Some(Frozen { reason, until })
    }

    /// The window at `at` that ends last, and when it does.
    fn ends(&self, at: Timestamp) -> Option<(&FreezeWindow, Timestamp)> {
        let open = self.freezes.iter().filter_map(|window| Some((window, window.when.ends(at)?)));
        open.max_by_key(|(_, end)| *end)
    }

    /// Whether the weekly windows leave no minute of the week.
    pub fn never_thaws(&self) -> bool {
        (0..WEEK).all(|minute| self.freezes.iter().any(|window| window.when.left_of_week(minute).is_some()))
    }
}

impl FreezeTimes {
    /// When the freeze ends that is at `at`.
    fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, to } => (*from <= at && at < *to).then_some(*to),
            Self::Weekly { .. } => {
                let minutes = at.as_second().div_euclid(60);
                let left = self.left_of_week((minutes + EPOCH_IN_WEEK).rem_euclid(WEEK))?;
                Timestamp::from_second((minutes + left) * 60).ok()
            }
        }
    }

    /// Minutes from this minute of the week, in UTC, to the end of the freeze that is then.
    fn left_of_week(&self, minute: i64) -> Option<i64> {
        let Self::Weekly { days, from, to, offset } = self else { return None };
        let (from, to) = (i64::from(*from), i64::from(*to));
        let lasts = if to > from { to - from } else { to + DAY - from };
        let local = minute + i64::from(*offset);
        let left = |day: &u8| lasts - (local - (i64::from(*day) * DAY + from)).rem_euclid(WEEK);
        days.iter().map(left).filter(|left| *left > 0).max()
    }
}

impl FreezeWindow {
    /// Returns when it is, as people write it: `fri, sat 16:00–08:00 +01:00`.
    pub fn times(&self) -> String {
        match &self.when {
            FreezeTimes::Once { from, to } => format!("{from} to {to}"),
            FreezeTimes::Weekly { days, from, to, offset } => {
                let days: Vec<&str> = days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect();
                format!("{} {} to {} {}", days.join(", "), clock(*from), clock(*to), written_offset(*offset))
            }
        }
    }
}

/// The days as they are written; Monday is the first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Prints a minute of the day.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Prints an offset from UTC.
pub fn written_offset(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{}", clock(minutes.unsigned_abs()))
}

/// The longest freeze that is a freeze: a year.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn frozen(freezes: Vec<FreezeTimes>, now: &str) -> Option<String> {
        let freezes = freezes.into_iter().map(|when| FreezeWindow { when, reason: "holidays".into() }).collect();
        let policies = Policies { freezes, ..Policies::default() };
        policies.frozen(at(now)).map(|frozen| frozen.until.to_string())
    }

    /// Fridays from 16:00 to Saturday 08:00, one hour ahead of UTC.
    fn fridays() -> FreezeTimes {
        FreezeTimes::Weekly { days: vec![4], from: 16 * 60, to: 8 * 60, offset: 60 }
    }

    fn once(from: &str, to: &str) -> FreezeTimes {
        FreezeTimes::Once { from: at(from), to: at(to) }
    }

    #[test]
    fn a_window_holds_its_first_instant_and_not_its_last() {
        let christmas = || vec![once("2026-12-20T00:00:00Z", "2026-12-27T00:00:00Z")];
        for (now, until) in [
            ("2026-12-19T23:59:59Z", None),
            ("2026-12-20T00:00:00Z", Some("2026-12-27T00:00:00Z")),
            ("2026-12-26T23:59:59Z", Some("2026-12-27T00:00:00Z")),
            ("2026-12-27T00:00:00Z", None),
        ] {
            assert_eq!(frozen(christmas(), now).as_deref(), until, "{now}");
        }
    }

    #[test]
    fn a_weekly_window_goes_over_midnight_in_its_own_offset() {
        // 2026-03-06 is a Friday.
        for (now, until) in [
            ("2026-03-06T14:59:59Z", None),
            ("2026-03-06T15:00:00Z", Some("2026-03-07T07:00:00Z")),
            ("2026-03-07T06:59:30Z", Some("2026-03-07T07:00:00Z")),
            ("2026-03-07T07:00:00Z", None),
            ("2026-03-13T20:00:00Z", Some("2026-03-14T07:00:00Z")),
        ] {
            assert_eq!(frozen(vec![fridays()], now).as_deref(), until, "{now}");
        }
    }

    #[test]
    fn a_week_has_no_seam() {
        let sundays = FreezeTimes::Weekly { days: vec![6], from: 22 * 60, to: 6 * 60, offset: -300 };
        // Sunday 22:00 at -05:00 is Monday 03:00 UTC. 2026-03-09 is a Monday.
        assert_eq!(frozen(vec![sundays.clone()], "2026-03-09T02:59:00Z"), None);
        assert_eq!(frozen(vec![sundays], "2026-03-09T03:00:00Z").as_deref(), Some("2026-03-09T11:00:00Z"));
    }

    #[test]
    fn windows_that_follow_one_another_are_one_freeze() {
        let both = vec![fridays(), once("2026-03-07T06:00:00Z", "2026-03-09T00:00:00Z")];
        assert_eq!(frozen(both, "2026-03-06T18:00:00Z").as_deref(), Some("2026-03-09T00:00:00Z"));
        let touching = vec![fridays(), once("2026-03-07T07:00:00Z", "2026-03-07T09:00:00Z")];
        assert_eq!(frozen(touching, "2026-03-06T18:00:00Z").as_deref(), Some("2026-03-07T09:00:00Z"));
    }

    #[test]
    fn a_week_without_a_free_minute_is_found() {
        let window = |to| FreezeTimes::Weekly { days: (0..7).collect(), from: 0, to, offset: 90 };
        let never = |to| {
            let freezes = vec![FreezeWindow { when: window(to), reason: "no".into() }];
            Policies { freezes, ..Policies::default() }.never_thaws()
        };
        assert!(never(0));
        assert!(!never(1439));
        assert!(!Policies::default().never_thaws());
    }
}
