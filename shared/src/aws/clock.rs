//! The only clock: the time of day, or a sandbox's time that runs at a rate.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::machine::Now;
use crate::ports::Clock;

/// Domain time as a function knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FunctionClock {
    bent: Option<Bent>,
}

/// `t0 + rate × (wall − w0)`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bent {
    t0: Timestamp,
    w0: Timestamp,
    rate: f64,
}

/// Why a text is no clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not `t0,w0,rate`: two RFC 3339 times and a rate above 0")]
pub struct NoClock(String);

impl FunctionClock {
    /// The time of day.
    pub fn wall() -> Self {
        Self { bent: None }
    }

    /// Returns transport time: what time-outs, deadlines and TTLs of the platform mean.
    pub fn transport(self) -> Timestamp {
        Timestamp::now()
    }

    /// Returns the domain time of a moment of transport time.
    pub fn at(self, wall: Timestamp) -> Timestamp {
        match self.bent {
            None => wall,
            Some(Bent { t0, w0, rate }) => {
                let virtual_seconds = wall.duration_since(w0).as_secs_f64() * rate;
                t0.saturating_add(SignedDuration::from_secs_f64(virtual_seconds)).unwrap_or(t0)
            }
        }
    }

    /// Seconds of domain time per second of transport time, rounded up: leases measured by it are never too short.
    fn rate(self) -> u32 {
        self.bent.map_or(1, |bent| bent.rate.ceil() as u32)
    }
}

impl Clock for FunctionClock {
    fn now(&self) -> Now {
        Now { at: self.at(self.transport()), rate: self.rate() }
    }
}

/// Reads `t0,w0,rate`, such as `2026-01-05T09:00:00Z,2026-11-22T13:17:00Z,60`.
impl FromStr for FunctionClock {
    type Err = NoClock;

    fn from_str(text: &str) -> Result<Self, NoClock> {
        let bent = || {
            let mut parts = text.split(',');
            let (t0, w0, rate) = (parts.next()?, parts.next()?, parts.next()?);
            let rate: f64 = rate.trim().parse().ok()?;
            let sane = rate > 0.0 && rate <= f64::from(u32::MAX) && parts.next().is_none();
            sane.then_some(Bent { t0: t0.trim().parse().ok()?, w0: w0.trim().parse().ok()?, rate })
        };
        bent().map(|bent| Self { bent: Some(bent) }).ok_or_else(|| NoClock(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_time_runs_at_the_rate_from_t0() {
        let clock: FunctionClock = "2026-01-05T09:00:00Z,2026-11-22T13:00:00Z,60".parse().unwrap();
        let domain = clock.at("2026-11-22T13:00:02.5Z".parse().unwrap());
        assert_eq!(domain, "2026-01-05T09:02:30Z".parse::<Timestamp>().unwrap());
        assert_eq!(clock.now().rate, 60);
        assert_eq!(FunctionClock::wall().now().rate, 1);
    }

    #[test]
    fn what_is_no_clock_is_refused_by_its_text() {
        for text in ["", "60", "2026-01-05T09:00:00Z,2026-01-05T09:00:00Z,0", "a,b,1", "2026-01-05T09:00:00Z,x,1,2"] {
            assert_eq!(text.parse::<FunctionClock>(), Err(NoClock(text.to_owned())));
        }
    }
}
