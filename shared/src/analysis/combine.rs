//! Several metrics, one verdict: the weighted mean of their odds, which may depend on each other in any way.

use super::logspace::ln_sum;
use super::sequential::{CountEvidence, CountQuestion, WATCH_ODDS};
use super::series::{self, Scale, SeriesEvidence, SeriesQuestion};
use super::split::BROKEN_ODDS;
use super::verdict::{Cause, Coverage, Finding, State, of_counts, rates};
use super::words::{chosen, odds, times};

/// A required series has no evidence of its own for a pass; it must have data, and odds below this.
const QUIET_ODDS: f64 = 3.0;

/// What one metric brings along.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Its weight among those that can abort; 0 is advisory.
    pub weight: f64,
    /// Whether a pass needs it.
    pub required: bool,
    /// What it found.
    pub evidence: Evidence,
}

/// What a metric found.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// Of counts.
    Counts {
        /// What was asked.
        question: Box<CountQuestion>,
        /// What was answered.
        answer: Box<CountEvidence>,
    },
    /// Of a percentile or gauge.
    Series {
        /// What was asked.
        question: Box<SeriesQuestion>,
        /// What was answered.
        answer: Box<SeriesEvidence>,
    },
}

impl Evidence {
    /// ln of the odds against the canary after each minute.
    pub fn ln_e(&self) -> &[f64] {
        match self {
            Self::Counts { answer, .. } => &answer.ln_e,
            Self::Series { answer, .. } => &answer.ln_e,
        }
    }

    /// What it says alone.
    pub fn finding(&self) -> Finding {
        match self {
            Self::Counts { question, answer } => of_counts(question, answer),
            Self::Series { answer, .. } => series::finding(answer),
        }
    }

    fn coverage(&self) -> Coverage {
        match self {
            Self::Counts { answer, .. } => {
                Coverage { minutes: answer.ln_e.len(), usable: answer.usable, missing: answer.missing }
            }
            Self::Series { answer, .. } => answer.coverage,
        }
    }

    /// What was seen, in words.
    fn seen(&self) -> String {
        match self {
            Self::Counts { answer, .. } => rates("rate", &answer.total),
            Self::Series { question, answer } => match (question.seen(answer), question.scale) {
                (None, _) => "nothing to compare".to_owned(),
                (Some(ratio), Scale::Ratio) => {
                    format!("{} of the baseline, {} allowed", times(ratio), chosen(1.0 + question.margin))
                }
                (Some(by), Scale::Difference) => {
                    format!("{by:+.3} against the baseline, {:+} allowed", question.margin)
                }
            },
        }
    }

    /// Whether nothing but odds is missing for an abort at this minute.
    fn gate_is_open(&self, minute: usize) -> bool {
        match self {
            Self::Counts { answer, .. } => answer.gate[minute],
            Self::Series { .. } => true,
        }
    }

    /// Whether it allows a pass at this minute.
    fn allows_pass(&self, minute: usize) -> bool {
        match self {
            Self::Counts { answer, .. } => answer.pass[minute],
            Self::Series { answer, .. } => !answer.coverage.is_no_data() && answer.ln_e[minute] < QUIET_ODDS.ln(),
        }
    }
}

/// The whole canary.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    /// ln of the weighted mean of the odds, after each minute.
    pub ln_e: Vec<f64>,
    /// The first minute at which the canary is to be aborted.
    pub abort_minute: Option<usize>,
    /// The first minute at which it may be passed, if it was not aborted before.
    pub pass_minute: Option<usize>,
    /// The metrics that speak against it, each for itself, by name.
    pub culprits: Vec<String>,
    /// State and cause.
    pub finding: Finding,
}

/// What becomes of a canary whose planned minutes are over without a verdict: the policy, and what comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// It is promoted; as a policy, if nothing speaks against it.
    Promote,
    /// It waits for a person.
    Hold,
    /// It goes home.
    GoHome,
}

/// Combines the metrics of one canary. `alpha` is that of the whole; `split` are the odds against the configured shares
/// after each minute, empty where none are known; `horizon` are the planned minutes.
pub fn combine(cards: &[Card], split: &[f64], alpha: f64, horizon: usize) -> Combined {
    let minutes = cards.iter().map(|card| card.evidence.ln_e().len()).min().unwrap_or(0);
    let whole: f64 = cards.iter().map(|card| card.weight).sum();
    let mean = |minute: usize| {
        let weighed = cards.iter().filter(|card| card.weight > 0.0);
        ln_sum(weighed.map(|card| (card.weight / whole).ln() + card.evidence.ln_e()[minute]))
    };
    let ln_e: Vec<f64> = (0..minutes).map(|minute| if whole > 0.0 { mean(minute) } else { 0.0 }).collect();
    let broken_at = split.iter().position(|ln_odds| *ln_odds >= BROKEN_ODDS.ln());
    let compares = |minute: usize| broken_at.is_none_or(|broken| minute < broken);
    let aborts = |minute: &usize| ln_e[*minute] >= -alpha.ln() && compares(*minute) && a_gate_is_open(cards, *minute);
    let abort = (0..minutes).find(aborts);
    let passes = |minute: &usize| compares(*minute) && may_pass(cards, *minute);
    let pass = (0..minutes).find(passes).filter(|pass| abort.is_none_or(|abort| *pass < abort));
    let culprits = abort.map(|minute| culprits(cards, minute, alpha)).unwrap_or_default();
    let finding = match (abort, pass) {
        (_, Some(_)) => Finding::of(State::PassedEarly),
        (Some(_), None) => Finding::of(State::Failed),
        (None, None) if broken_at.is_some() => Finding::inconclusive(Cause::TrafficSplit),
        (None, None) => undecided(cards, ln_e.last().copied().unwrap_or(0.0), minutes >= horizon),
    };
    let number = |minute: usize| minute + 1;
    Combined { ln_e, abort_minute: abort.map(number), pass_minute: pass.map(number), culprits, finding }
}

fn a_gate_is_open(cards: &[Card], minute: usize) -> bool {
    let speaks = |card: &&Card| card.weight > 0.0 && card.evidence.ln_e()[minute] >= WATCH_ODDS.ln();
    cards.iter().filter(speaks).any(|card| card.evidence.gate_is_open(minute))
}

/// Needs a required metric: a canary that nothing vouches for is not passed.
fn may_pass(cards: &[Card], minute: usize) -> bool {
    let required = || cards.iter().filter(|card| card.required);
    let vouched = required().any(|card| matches!(card.evidence, Evidence::Counts { .. }));
    let quiet = cards.iter().filter(|card| card.weight > 0.0 || card.required);
    vouched
        && required().all(|card| card.evidence.allows_pass(minute))
        && quiet.into_iter().all(|card| card.evidence.ln_e()[minute] < WATCH_ODDS.ln())
}

/// The e-BH procedure: of K metrics, the k largest of which the smallest has odds of at least K / (alpha k). Where none
/// has that alone, the one that brought the most.
fn culprits(cards: &[Card], minute: usize, alpha: f64) -> Vec<String> {
    let mut by_odds: Vec<&Card> = cards.iter().filter(|card| card.weight > 0.0).collect();
    let of = |card: &Card| card.evidence.ln_e()[minute];
    by_odds.sort_by(|one, other| of(other).total_cmp(&of(one)));
    let count = by_odds.len() as f64;
    let enough = |k: usize| of(by_odds[k - 1]) >= (count / (alpha * k as f64)).ln();
    let named = (1..=by_odds.len()).rev().find(|k| enough(*k)).unwrap_or(1);
    by_odds.iter().take(named).map(|card| card.name.clone()).collect()
}

fn undecided(cards: &[Card], ln_e: f64, over: bool) -> Finding {
    let findings: Vec<Finding> =
        cards.iter().filter(|card| card.required).map(|card| card.evidence.finding()).collect();
    let cause = |wanted: Cause| findings.iter().any(|finding| finding.cause == Some(wanted));
    let silent = cards.iter().any(|card| card.required && card.evidence.coverage().is_no_data());
    let watched = cards
        .iter()
        .any(|card| card.weight > 0.0 && card.evidence.ln_e().last().is_some_and(|ln_e| *ln_e >= WATCH_ODDS.ln()))
        || ln_e >= WATCH_ODDS.ln();
    if silent || findings.is_empty() {
        Finding::inconclusive(Cause::NoData)
    } else if cause(Cause::BothBroken) {
        Finding::inconclusive(Cause::BothBroken)
    } else if over && watched {
        Finding::inconclusive(Cause::Suspicious)
    } else if over && cause(Cause::Uncalibrated) {
        Finding::inconclusive(Cause::Uncalibrated)
    } else if over {
        Finding::inconclusive(Cause::TooLittleTraffic)
    } else if watched {
        Finding::of(State::Watch)
    } else {
        Finding::of(State::Healthy)
    }
}

/// Says what becomes of a canary whose planned minutes ended inconclusively. The policy to promote does so only where there
/// was data, calibrated and just too little of it, the combined odds are below 3, and no required metric was seen to be
/// worse than the tolerance; else it holds.
pub fn at_end(policy: AtEnd, combined: &Combined, cards: &[Card]) -> AtEnd {
    let too_little = combined.finding == Finding::inconclusive(Cause::TooLittleTraffic);
    let quiet = combined.ln_e.last().is_some_and(|ln_e| *ln_e < QUIET_ODDS.ln());
    let tolerable = |card: &Card| match &card.evidence {
        Evidence::Counts { question, answer } => {
            let total = answer.total;
            let expected = total.canary.requests * total.baseline.bad / total.baseline.requests;
            total.canary.bad <= question.tolerance * expected
        }
        Evidence::Series { .. } => true,
    };
    match policy {
        AtEnd::Promote if too_little && quiet && cards.iter().filter(|card| card.required).all(tolerable) => {
            AtEnd::Promote
        }
        AtEnd::Promote | AtEnd::Hold => AtEnd::Hold,
        AtEnd::GoHome => AtEnd::GoHome,
    }
}

/// The sentence for the whole canary: its state, and the metrics that decide it.
pub fn sentence(cards: &[Card], combined: &Combined, horizon: usize) -> String {
    let (state, now) = (combined.finding.state, combined.ln_e.len());
    let at = combined.pass_minute.or(combined.abort_minute).filter(|_| state != State::Inconclusive).unwrap_or(now);
    let ln_e = at.checked_sub(1).and_then(|index| combined.ln_e.get(index)).copied().unwrap_or(0.0);
    let told = cards.iter().filter(|card| match state {
        State::Failed => combined.culprits.contains(&card.name),
        State::Healthy | State::Watch | State::PassedEarly | State::Inconclusive => card.required,
    });
    let seen: Vec<String> = told.map(|card| format!("{}: {}", card.name, card.evidence.seen())).collect();
    let cause = combined.finding.cause.map_or(String::new(), |cause| format!(" ({})", cause.words()));
    let odds = odds(ln_e);
    format!(
        "{}{cause} at minute {at} of {}: odds {odds} against it; {}.",
        state.word(),
        horizon.max(now),
        seen.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sequential::counts::{Arm, Minute};
    use crate::analysis::sequential::dispersion::{Dispersion, EDGES};

    fn counts(name: &str, weight: f64, canary_bad: f64) -> Card {
        let arm = |requests, bad| Arm { requests, bad };
        let minute = Some(Minute { baseline: arm(9000.0, 9.0), canary: arm(1000.0, canary_bad) });
        of(name, weight, &vec![minute; 30])
    }

    fn of(name: &str, weight: f64, minutes: &[Option<Minute>]) -> Card {
        let bins = EDGES.into_iter().map(|edge| (edge, 0.01)).collect();
        let question = CountQuestion { dispersion: Dispersion::calibrated(bins, 1.0), ..CountQuestion::default() };
        let answer = Box::new(question.answer(minutes, 0));
        let evidence = Evidence::Counts { question: Box::new(question), answer };
        Card { name: name.to_owned(), weight, required: true, evidence }
    }

    fn state(cards: &[Card], split: &[f64]) -> Finding {
        combine(cards, split, 0.01, 60).finding
    }

    #[test]
    fn one_bad_metric_fails_the_canary_and_is_named() {
        let cards = [counts("errors", 0.5, 20.0), counts("latency", 0.3, 1.0), counts("missing", 0.2, 1.0)];
        let combined = combine(&cards, &[], 0.01, 60);
        assert_eq!((combined.finding.state, combined.culprits), (State::Failed, vec!["errors".to_owned()]));
        let alone = cards[0].evidence.ln_e();
        assert!(combined.ln_e.iter().zip(alone).all(|(mean, alone)| *mean >= alone + 0.5_f64.ln()));
    }

    #[test]
    fn what_is_advisory_names_nobody_and_aborts_nothing() {
        let cards = [counts("errors", 1.0, 1.0), Card { required: false, ..counts("memory", 0.0, 500.0) }];
        assert_eq!(state(&cards, &[]).state, State::PassedEarly);
    }

    #[test]
    fn a_pass_needs_every_required_metric() {
        assert_eq!(state(&[counts("errors", 0.5, 1.0), counts("slow", 0.5, 1.0)], &[]).state, State::PassedEarly);
        let silent = of("slow", 0.5, &[None; 30]);
        let finding = state(&[counts("errors", 0.5, 1.0), silent], &[]);
        assert_eq!(finding, Finding::inconclusive(Cause::NoData));
        assert_eq!(state(&[], &[]), Finding::inconclusive(Cause::NoData));
        let nobody_vouches = [Card { required: false, ..counts("errors", 1.0, 1.0) }];
        assert_eq!(state(&nobody_vouches, &[]), Finding::inconclusive(Cause::NoData));
    }

    #[test]
    fn a_split_that_is_not_the_configured_one_judges_nothing_from_then_on() {
        let broken = vec![10.0; 30];
        for bad in [1.0, 500.0] {
            assert_eq!(state(&[counts("errors", 1.0, bad)], &broken), Finding::inconclusive(Cause::TrafficSplit));
        }
    }

    #[test]
    fn the_end_without_a_verdict_promotes_only_what_is_quiet_tolerable_and_measured() {
        let arm = |requests, bad| Arm { requests, bad };
        let minutes = |bad| vec![Some(Minute { baseline: arm(96.0, 2.0), canary: arm(4.0, bad) }); 60];
        let ended = |cards: &[Card], policy| at_end(policy, &combine(cards, &[], 0.01, 60), cards);
        let quiet = [of("errors", 1.0, &minutes(0.0))];
        assert_eq!(combine(&quiet, &[], 0.01, 60).finding, Finding::inconclusive(Cause::TooLittleTraffic));
        assert_eq!(ended(&quiet, AtEnd::Promote), AtEnd::Promote);
        assert_eq!([ended(&quiet, AtEnd::Hold), ended(&quiet, AtEnd::GoHome)], [AtEnd::Hold, AtEnd::GoHome]);
        let mut worse = minutes(0.0);
        worse.iter_mut().step_by(6).flatten().for_each(|minute| minute.canary.bad = 1.0);
        assert_eq!(ended(&[of("errors", 1.0, &worse)], AtEnd::Promote), AtEnd::Hold, "seen to be worse");
        assert_eq!(ended(&[of("errors", 1.0, &[None; 60])], AtEnd::Promote), AtEnd::Hold, "nothing was seen");
    }
}
