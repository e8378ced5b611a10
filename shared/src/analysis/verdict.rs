//! What is known of a canary after the minutes so far, as a state that a rollout acts on and a sentence for people.

use serde::{Deserialize, Serialize};

use super::sequential::counts::Minute;
use super::sequential::{CountEvidence, CountQuestion, WATCH_ODDS};
use super::words::{amount, chosen, odds, percent, times};

/// Minutes before missing ones are held against a metric: a new target group's first ones are empty.
const WARM_UP: usize = 3;

/// The state of one metric, or of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing speaks against the canary so far. This is no pass.
    Healthy,
    /// Something does, not enough for an abort: the weight is not raised.
    Watch,
    /// It is worse: abort.
    Failed,
    /// It can be promoted before its planned end.
    PassedEarly,
    /// The minutes cannot tell.
    Inconclusive,
}

impl State {
    /// The word that a sentence begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Watch => "WATCH",
            Self::Failed => "FAILED",
            Self::PassedEarly => "PASSED",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

/// Why the minutes cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// No minute with requests on both sides, or more than half of them are missing.
    NoData,
    /// The planned minutes are over, and there were too few errors and requests to tell.
    TooLittleTraffic,
    /// The planned minutes are over, and how the split varies was never measured: such evidence passes nothing.
    Uncalibrated,
    /// The planned minutes are over, something speaks against the canary, and not enough for an abort.
    Suspicious,
    /// Most of the canary's requests fail, and the baseline's do as well: a comparison cannot tell.
    BothBroken,
    /// The weights were not honoured: the sides cannot be compared.
    TrafficSplit,
}

impl Cause {
    /// The cause in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoData => "no data",
            Self::TooLittleTraffic => "too little traffic",
            Self::Uncalibrated => "uncalibrated",
            Self::Suspicious => "odds against it, not enough to abort",
            Self::BothBroken => "both sides are broken",
            Self::TrafficSplit => "the weights were not honoured",
        }
    }
}

/// State and cause of one metric. The cause is there exactly where the state is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The state.
    pub state: State,
    /// Why it is inconclusive.
    pub cause: Option<Cause>,
}

impl Finding {
    /// A state that needs no cause.
    pub fn of(state: State) -> Self {
        Self { state, cause: None }
    }

    /// Inconclusive, and why.
    pub fn inconclusive(cause: Cause) -> Self {
        Self { state: State::Inconclusive, cause: Some(cause) }
    }
}

/// How much of the planned time has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Planned minutes that are over.
    pub minutes: usize,
    /// Of them, those that can be compared.
    pub usable: usize,
    /// Of them, those without any answer.
    pub missing: usize,
}

impl Coverage {
    /// Whether there is nothing to judge.
    pub fn is_no_data(&self) -> bool {
        self.usable == 0 || (self.minutes > WARM_UP && 2 * self.missing > self.minutes)
    }
}

/// Says what counts say.
pub fn of_counts(question: &CountQuestion, evidence: &CountEvidence) -> Finding {
    if evidence.abort_minute.is_some() && evidence.pass_minute.is_none() {
        return Finding::of(State::Failed);
    }
    if evidence.pass_minute.is_some() {
        return Finding::of(State::PassedEarly);
    }
    let coverage = Coverage { minutes: evidence.ln_e.len(), usable: evidence.usable, missing: evidence.missing };
    let ln_e = evidence.ln_e.last().copied().unwrap_or(0.0);
    if !coverage.is_no_data() && evidence.broken {
        return Finding::inconclusive(Cause::BothBroken);
    }
    running(coverage, ln_e, question.horizon, question.dispersion.is_calibrated())
}

/// Says what is known of a metric that has neither failed nor passed.
pub fn running(coverage: Coverage, ln_e: f64, horizon: usize, calibrated: bool) -> Finding {
    let over = coverage.minutes >= horizon;
    let watched = ln_e >= WATCH_ODDS.ln();
    if coverage.is_no_data() {
        Finding::inconclusive(Cause::NoData)
    } else if over && watched {
        Finding::inconclusive(Cause::Suspicious)
    } else if over && !calibrated {
        Finding::inconclusive(Cause::Uncalibrated)
    } else if over {
        Finding::inconclusive(Cause::TooLittleTraffic)
    } else if watched {
        Finding::of(State::Watch)
    } else {
        Finding::of(State::Healthy)
    }
}

/// The sentence for counts. `what` names the bad events: `errors`.
pub fn sentence(what: &str, question: &CountQuestion, minutes: &[Option<Minute>], evidence: &CountEvidence) -> String {
    let Finding { state, cause } = of_counts(question, evidence);
    let (now, of) = (minutes.len(), question.horizon.max(minutes.len()));
    let label = if question.dispersion.is_calibrated() { "" } else { " Uncalibrated: it cannot pass." };
    let rates = rates(what, &evidence.at_decision);
    let ln_e = evidence.ln_e.last().copied().unwrap_or(0.0);
    let margin = chosen(question.margin);
    match (state, cause) {
        (State::Failed, _) => {
            let at = evidence.abort_minute.unwrap_or(now);
            let ln_e = evidence.ln_e.get(at - 1).copied().unwrap_or(ln_e);
            let range = range(question, &minutes[..at]);
            let gamble = amount(1.0 / question.alpha);
            format!(
                "FAILED at minute {at} of {of}: {rates}{range}; odds {} against “no worse than {margin}”; chance of a \
                 false abort at most 1 in {gamble}.{}",
                odds(ln_e),
                if label.is_empty() { "" } else { " Uncalibrated: no history to measure the noise of the split by." },
            )
        }
        (State::PassedEarly, _) => {
            let at = evidence.pass_minute.unwrap_or(now);
            let relative = evidence.ln_e_relative.get(at - 1).copied().unwrap_or(0.0);
            let shown = if relative >= -question.beta.ln() {
                format!("not worse than {}", chosen(question.pass_margin))
            } else {
                format!("below the budget of {}", percent(question.budget))
            };
            format!(
                "PASSED at minute {at} of {of}: {rates}; {shown}, chance of error at most {}.",
                percent(question.beta)
            )
        }
        (State::Watch, _) => format!(
            "WATCH at minute {now} of {of}: {rates}; odds {} against “no worse than {margin}”, {} abort; the weight is \
             not raised.{label}",
            odds(ln_e),
            amount(1.0 / question.alpha),
        ),
        (State::Healthy, _) => format!("HEALTHY at minute {now} of {of}: {rates}; nothing speaks against it.{label}"),
        (State::Inconclusive, Some(Cause::NoData)) => format!(
            "INCONCLUSIVE at minute {now} of {of}: no data: {} of {now} minutes have requests on both sides, {} are missing.",
            evidence.usable, evidence.missing,
        ),
        (State::Inconclusive, cause) => {
            format!("INCONCLUSIVE at minute {now} of {of}: {rates}; {}.", why(cause, question, evidence))
        }
    }
}

fn why(cause: Option<Cause>, question: &CountQuestion, evidence: &CountEvidence) -> String {
    let ln_e = evidence.ln_e.last().copied().unwrap_or(0.0);
    match cause {
        Some(Cause::Suspicious) => {
            let held = if evidence.held_minute.is_some() { ", held by the gate: too few errors in excess" } else { "" };
            format!("odds {} against it are not enough to abort{held}", odds(ln_e))
        }
        Some(Cause::Uncalibrated) => "uncalibrated: without a history of the baseline nothing passes".to_owned(),
        Some(Cause::BothBroken) => "most of the canary's requests fail, and a comparison cannot say why".to_owned(),
        Some(Cause::TrafficSplit) => "the weights were not honoured: the sides cannot be compared".to_owned(),
        Some(Cause::NoData) => "no data".to_owned(),
        Some(Cause::TooLittleTraffic) | None => match minutes_to_pass(question, evidence) {
            Some(more) => format!("too little traffic to pass: needs about {more} more minutes like these"),
            None => "too little traffic to pass, at this rate of errors in any time".to_owned(),
        },
    }
}

/// How many more minutes like the ones so far would show that the canary is good enough.
pub fn minutes_to_pass(question: &CountQuestion, evidence: &CountEvidence) -> Option<usize> {
    let last = |all: &[f64]| all.last().copied().unwrap_or(0.0);
    let shown = last(&evidence.ln_e_relative).max(last(&evidence.ln_e_absolute));
    let wanted = -question.beta.ln();
    let per_minute = shown / evidence.settled as f64;
    let of_evidence = if shown >= wanted {
        0.0
    } else if per_minute > 0.0 {
        (wanted - shown) / per_minute
    } else {
        return None;
    };
    let requests_per_minute = evidence.total.canary.requests / evidence.usable as f64;
    let of_requests = (question.soak_requests - evidence.total.canary.requests).max(0.0) / requests_per_minute;
    let of_soak = question.soak_minutes.saturating_sub(evidence.settled) as f64;
    let more = of_evidence.max(of_requests).max(of_soak).ceil();
    (more.is_finite() && more <= MINUTES_MAX).then_some(more as usize)
}

/// Nobody waits a week for a canary.
const MINUTES_MAX: f64 = 10_080.0;

/// Both rates, in words.
pub(super) fn rates(what: &str, total: &Minute) -> String {
    let Minute { baseline, canary } = total;
    if baseline.requests <= 0.0 || canary.requests <= 0.0 {
        return format!("canary {what} {} of {} requests, baseline none", amount(canary.bad), amount(canary.requests));
    }
    let (of_canary, of_baseline) = (canary.bad / canary.requests, baseline.bad / baseline.requests);
    let ratio = if of_baseline > 0.0 { format!(" ({})", times(of_canary / of_baseline)) } else { String::new() };
    format!(
        "canary {what} {} v {}{ratio}; {} in {} requests, {} expected",
        percent(of_canary),
        percent(of_baseline),
        amount(canary.bad),
        amount(canary.requests),
        amount(canary.requests * of_baseline),
    )
}

fn range(question: &CountQuestion, minutes: &[Option<Minute>]) -> String {
    let interval = question.interval(minutes);
    match (interval.low, interval.high) {
        (Some(low), Some(high)) => format!("; between {} and {}", times(low), times(high)),
        (Some(low), None) => format!("; at least {}", times(low)),
        (None, Some(high)) => format!("; at most {}", times(high)),
        (None, None) => String::new(),
    }
}
