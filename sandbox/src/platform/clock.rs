//! Virtual time: `t0 + rate × (wall − w0)`, without jumps, shared with the functions as one text.

use std::fmt;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The clock of a run. The World, the queues' delays, the schedules and the
/// functions all read it; nothing else tells domain time.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    /// Virtual time at the start.
    t0: Timestamp,
    /// Wall time at the start, as other processes on this machine read it.
    w0: Timestamp,
    /// Virtual seconds per wall second; whole, so that spans convert without rounding.
    rate: u32,
    /// The same moment as `w0` on the monotonic clock: a correction of the
    /// machine's time of day must not bend the run.
    anchor: Instant,
}

impl VirtualClock {
    /// Starts the clock now, showing `t0`.
    pub fn start(t0: Timestamp, rate: u32) -> Self {
        assert!(rate > 0, "the clock's rate is at least 1");
        Self { t0, w0: Timestamp::now(), rate, anchor: Instant::now() }
    }

    /// Virtual seconds per wall second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Virtual time at the start of the run.
    pub fn t0(&self) -> Timestamp {
        self.t0
    }

    /// The virtual time of this moment.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The virtual time of the wall moment `instant`.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let wall = instant.saturating_duration_since(self.anchor);
        self.t0 + SignedDuration::from_secs_f64(wall.as_secs_f64() * f64::from(self.rate))
    }

    /// Wall time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        self.anchor.elapsed()
    }

    /// The wall moment at which the clock shows `at`; the start for what lies before it.
    pub fn instant_of(&self, at: Timestamp) -> Instant {
        let virtual_seconds = at.duration_since(self.t0).as_secs_f64().max(0.0);
        self.anchor + Duration::from_secs_f64(virtual_seconds / f64::from(self.rate))
    }

    /// Sleeps until the clock shows `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        tokio::time::sleep_until(self.instant_of(at).into()).await;
    }
}

/// The value of `TIDEGATE_CLOCK`: `t0,w0,rate`, both times in RFC 3339 and the
/// rate as a whole number, for instance
/// `2026-01-05T09:00:00Z,2026-11-22T13:17:00.123456Z,60`.
impl fmt::Display for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.t0, self.w0, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_runs_at_the_rate_and_maps_back_to_wall_time() {
        let t0: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        let clock = VirtualClock::start(t0, 60);
        let later = clock.anchor + Duration::from_secs(2);
        assert_eq!(clock.at(later), t0 + SignedDuration::from_mins(2));
        assert_eq!(clock.instant_of(t0 + SignedDuration::from_mins(2)), later);
        assert_eq!(clock.instant_of(t0 - SignedDuration::from_mins(2)), clock.anchor);
    }

    #[test]
    fn the_text_for_the_functions_has_three_parts() {
        let clock = VirtualClock::start("2026-01-05T09:00:00Z".parse().unwrap(), 60);
        let text = clock.to_string();
        let parts: Vec<&str> = text.split(',').collect();
        assert_eq!(parts[0], "2026-01-05T09:00:00Z");
        assert!(parts[1].parse::<Timestamp>().is_ok());
        assert_eq!(parts[2], "60");
    }
}
