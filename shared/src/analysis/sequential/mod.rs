//! The sequential test on counts: is the canary's error rate higher than the baseline's, looked at every minute, with a
//! false-abort rate that holds for all looks together.
//!
//! Given how many errors a minute had, only how they fell on the two sides counts: what both sides share — an incident,
//! the time of day, a step of the weight — cancels. One canary is one process across all its weights.

mod abort;
pub mod counts;
pub mod dispersion;
pub mod factor;
mod interval;
mod pass;

use abort::{AbortProcess, Against};
use counts::{Arm, Minute};
use dispersion::Dispersion;
use pass::{AbsoluteProcess, RelativeProcess};

pub use interval::Interval;

/// From these odds on the weight is not raised.
pub const WATCH_ODDS: f64 = 10.0;

/// An abort wants this many errors more than the tolerance allows: one stray error is none.
const EXCESS_MIN: f64 = 3.0;

/// An abort wants errors in two minutes, unless the evidence is the square of what is asked for.
const BAD_MINUTES_MIN: u32 = 2;

/// A canary with this share of bad requests is not passed, whatever the baseline does.
const BROKEN_RATE: f64 = 0.5;

/// The newest minutes that are held against [`BROKEN_RATE`] by themselves.
const NEWEST: usize = 3;

/// What is asked of counts, with the answers' levels.
#[derive(Debug, Clone, PartialEq)]
pub struct CountQuestion {
    /// The ratio of the error rates up to which the canary counts as no worse.
    pub margin: f64,
    /// How much worse it may be, as multiples of the margin.
    pub alternatives: Vec<f64>,
    /// The stake that is kept for faults that begin later.
    pub restart: f64,
    /// Planned minutes.
    pub horizon: usize,
    /// The largest probability of a false abort over all looks.
    pub alpha: f64,
    /// The ratio that the gate allows before it counts errors in excess.
    pub tolerance: f64,
    /// How the split of a minute's errors varies.
    pub dispersion: Dispersion,
    /// The ratio that a canary must be shown to be under to pass.
    pub pass_margin: f64,
    /// Or the error rate.
    pub budget: f64,
    /// The largest probability of a false pass.
    pub beta: f64,
    /// Minutes with requests on both sides before a pass.
    pub soak_minutes: usize,
    /// Requests of the canary before a pass.
    pub soak_requests: f64,
}

impl Default for CountQuestion {
    fn default() -> Self {
        Self {
            margin: 1.1,
            alternatives: vec![1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 100.0],
            restart: 0.25,
            horizon: 60,
            alpha: 0.01,
            tolerance: 1.25,
            dispersion: Dispersion::uncalibrated(),
            pass_margin: 2.0,
            budget: 0.02,
            beta: 0.05,
            soak_minutes: 10,
            soak_requests: 300.0,
        }
    }
}

/// What counts say, minute by minute. Minutes are counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct CountEvidence {
    /// ln of the odds against "no worse than the margin", after each minute.
    pub ln_e: Vec<f64>,
    /// ln of the odds against "at least as bad as the pass margin". Minutes that have not settled change nothing.
    pub ln_e_relative: Vec<f64>,
    /// ln of the odds against "at least the budget".
    pub ln_e_absolute: Vec<f64>,
    /// Whether nothing but odds was missing for an abort, after each minute.
    pub gate: Vec<bool>,
    /// Whether there was all that a pass needs, after each minute.
    pub pass: Vec<bool>,
    /// The first minute at which the canary is to be aborted.
    pub abort_minute: Option<usize>,
    /// The first minute at which there was evidence enough that the gate held back.
    pub held_minute: Option<usize>,
    /// The first minute at which it may be passed; `None` after an abort.
    pub pass_minute: Option<usize>,
    /// Sums over all minutes.
    pub total: Minute,
    /// Minutes with requests on both sides.
    pub usable: usize,
    /// Minutes without any counts.
    pub missing: usize,
    /// Usable minutes that have settled.
    pub settled: usize,
    /// Whether half of the canary's requests or more are bad, in all settled minutes or in the newest of them.
    pub broken: bool,
    /// The same sums at the deciding minute: that of the abort or the pass, or the newest.
    pub at_decision: Minute,
}

impl CountQuestion {
    /// Answers for these minutes, the first planned one first, `None` for a missing one. The newest `unsettled` of them
    /// may still change: an abort may rest on them, a pass may not.
    pub fn answer(&self, minutes: &[Option<Minute>], unsettled: usize) -> CountEvidence {
        let settled = minutes.len().saturating_sub(unsettled);
        let mut run = Run::begin(self, minutes.len());
        for (index, minute) in minutes.iter().enumerate() {
            run.take(minute.as_ref(), index < settled);
        }
        run.end()
    }

    /// The ratio of the error rates: observed, and what it lies between.
    pub fn interval(&self, minutes: &[Option<Minute>]) -> Interval {
        interval::of(self, minutes)
    }

    /// The odds at which it is aborted, as ln.
    pub fn ln_abort(&self) -> f64 {
        -self.alpha.ln()
    }

    fn against(&self, ratio: f64) -> Against {
        Against { ratio, alternatives: self.alternatives.clone(), restart: self.restart, horizon: self.horizon }
    }
}

/// The three processes and the sums, on their way through the minutes.
struct Run<'a> {
    question: &'a CountQuestion,
    abort: AbortProcess,
    relative: RelativeProcess,
    absolute: AbsoluteProcess,
    bad_minutes: u32,
    /// Sums over settled minutes.
    settled_total: Minute,
    newest: [Arm; NEWEST],
    decided: bool,
    evidence: CountEvidence,
}

impl<'a> Run<'a> {
    fn begin(question: &'a CountQuestion, minutes: usize) -> Self {
        let evidence = CountEvidence {
            ln_e: Vec::with_capacity(minutes),
            ln_e_relative: Vec::with_capacity(minutes),
            ln_e_absolute: Vec::with_capacity(minutes),
            gate: Vec::with_capacity(minutes),
            pass: Vec::with_capacity(minutes),
            abort_minute: None,
            held_minute: None,
            pass_minute: None,
            total: Minute::default(),
            usable: 0,
            missing: 0,
            settled: 0,
            broken: false,
            at_decision: Minute::default(),
        };
        Self {
            question,
            abort: AbortProcess::new(&question.against(question.margin)),
            relative: RelativeProcess::against(question.pass_margin),
            absolute: AbsoluteProcess::against(question.budget),
            bad_minutes: 0,
            settled_total: Minute::default(),
            newest: [Arm::default(); NEWEST],
            decided: false,
            evidence,
        }
    }

    fn take(&mut self, minute: Option<&Minute>, settled: bool) {
        let dispersion = &self.question.dispersion;
        let ln_e = self.abort.take(minute, dispersion);
        self.evidence.ln_e.push(ln_e);
        match minute {
            None => self.evidence.missing += 1,
            Some(minute) => self.count(minute, settled),
        }
        self.evidence.ln_e_relative.push(self.relative.ln_e());
        self.evidence.ln_e_absolute.push(self.absolute.ln_e());
        self.evidence.gate.push(self.gate_is_open(ln_e));
        self.evidence.pass.push(settled && ln_e < WATCH_ODDS.ln() && self.may_pass());
        self.decide(ln_e);
        if !self.decided {
            self.evidence.at_decision = self.evidence.total;
        }
    }

    fn count(&mut self, minute: &Minute, settled: bool) {
        add(&mut self.evidence.total, minute);
        self.bad_minutes += u32::from(minute.canary.bad > 0.0);
        let usable = minute.canary.requests > 0.0 && minute.baseline.requests > 0.0;
        self.evidence.usable += usize::from(usable);
        if settled {
            self.evidence.settled += usize::from(usable);
            add(&mut self.settled_total, minute);
            self.relative.take(minute, &self.question.dispersion);
            self.absolute.take(&minute.canary);
            if minute.canary.requests > 0.0 {
                self.newest.rotate_left(1);
                self.newest[NEWEST - 1] = minute.canary;
            }
        }
    }

    fn decide(&mut self, ln_e: f64) {
        if self.evidence.abort_minute.is_some() {
            return;
        }
        let now = Some(self.evidence.ln_e.len());
        if ln_e >= self.question.ln_abort() {
            if self.evidence.gate.last() == Some(&true) {
                self.evidence.abort_minute = now;
                if self.evidence.pass_minute.is_none() {
                    self.evidence.at_decision = self.evidence.total;
                    self.decided = true;
                }
                return;
            }
            self.evidence.held_minute = self.evidence.held_minute.or(now);
        }
        if self.evidence.pass_minute.is_none() && self.evidence.pass.last() == Some(&true) {
            self.evidence.pass_minute = now;
            self.evidence.at_decision = self.evidence.total;
            self.decided = true;
        }
    }

    /// The gate only delays or suppresses an abort.
    fn gate_is_open(&self, ln_e: f64) -> bool {
        let Minute { baseline, canary } = self.evidence.total;
        let expected = canary.requests * baseline.bad / baseline.requests;
        let excess = canary.bad - self.question.tolerance * expected;
        let spread_out = self.bad_minutes >= BAD_MINUTES_MIN || ln_e >= 2.0 * self.question.ln_abort();
        excess >= EXCESS_MIN && spread_out
    }

    fn may_pass(&self) -> bool {
        let CountQuestion { beta, soak_minutes, soak_requests, ref dispersion, .. } = *self.question;
        let canary = self.settled_total.canary;
        let soaked = self.evidence.settled >= soak_minutes.max(1) && canary.requests >= soak_requests.max(1.0);
        let seen = 2 * self.evidence.missing <= self.evidence.ln_e.len();
        let shown = self.relative.ln_e().max(self.absolute.ln_e()) >= -beta.ln();
        dispersion.is_calibrated() && soaked && seen && !self.is_broken() && shown
    }

    fn is_broken(&self) -> bool {
        let newest = self
            .newest
            .iter()
            .fold(Arm::default(), |sum, arm| Arm { requests: sum.requests + arm.requests, bad: sum.bad + arm.bad });
        let broken = |arm: &Arm| arm.requests > 0.0 && arm.bad >= BROKEN_RATE * arm.requests;
        broken(&self.settled_total.canary) || broken(&newest)
    }

    fn end(mut self) -> CountEvidence {
        self.evidence.broken = self.is_broken();
        self.evidence
    }
}

fn add(sum: &mut Minute, minute: &Minute) {
    for (sum, arm) in [(&mut sum.baseline, minute.baseline), (&mut sum.canary, minute.canary)] {
        sum.requests += arm.requests;
        sum.bad += arm.bad;
    }
}
