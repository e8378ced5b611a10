//! Requests and bad events of both sides in one minute.

/// One side in one minute. Whole numbers of at least 0, and `bad` is at most `requests`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arm {
    /// Requests.
    pub requests: f64,
    /// Requests that failed, were slow, or never got an answer.
    pub bad: f64,
}

/// Beyond this a count is no count: f64 holds every whole number up to it.
pub const COUNT_MAX: f64 = 1e15;

impl Arm {
    /// Takes counts as they came; says what is wrong with them.
    pub fn new(requests: f64, bad: f64) -> Result<Self, CountFault> {
        for (count, of_bad) in [(requests, false), (bad, true)] {
            if !(count.is_finite() && count.fract() == 0.0 && count.abs() <= COUNT_MAX) {
                return Err(CountFault::NoCount { of_bad });
            }
            if count < 0.0 {
                return Err(CountFault::Negative { of_bad });
            }
        }
        if bad > requests {
            return Err(CountFault::MoreBadThanRequests);
        }
        Ok(Self { requests, bad })
    }
}

/// Why two numbers are no counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountFault {
    /// NaN, infinite, with a fraction, or beyond [`COUNT_MAX`].
    #[error("{} is no whole number up to 1e15", name(*of_bad))]
    NoCount {
        /// It is the bad events, not the requests.
        of_bad: bool,
    },
    /// Below zero.
    #[error("{} below 0", name(*of_bad))]
    Negative {
        /// It is the bad events, not the requests.
        of_bad: bool,
    },
    /// A request is bad once.
    #[error("more bad events than requests")]
    MoreBadThanRequests,
}

fn name(of_bad: bool) -> &'static str {
    if of_bad { "bad events" } else { "requests" }
}

/// Both sides in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Minute {
    /// The side with the old revision.
    pub baseline: Arm,
    /// The side with the new one.
    pub canary: Arm,
}
