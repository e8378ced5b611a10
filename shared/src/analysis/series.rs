//! Percentiles and gauges: one number per side and minute. What is tested is how far the canary's is beyond the
//! baseline's in the same minute, so that what both share cancels.

use super::student::StudentProcess;
use super::verdict::{Coverage, Finding, State, running};
use super::words::{chosen, odds, times};

/// Minutes of a block, where neighbours resemble each other.
const BLOCK: usize = 5;

/// From this autocorrelation on, blocks are compared in place of minutes.
const BLOCKS_FROM: f64 = 1.5;

/// A percentile wants this many of a minute's requests beyond it; of fewer it is biased low.
const BEYOND_MIN: f64 = 2.0;

/// Which way is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worse {
    /// Up: latency, memory.
    Higher,
    /// Down: a hit rate.
    Lower,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// By their ratio: both must be above 0.
    Ratio,
    /// By their difference.
    Difference,
}

/// What is asked of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesQuestion {
    /// Which way is bad.
    pub worse: Worse,
    /// How values are compared.
    pub scale: Scale,
    /// How much worse is no worse: 0.1 is ×1.1 by ratio, 0.1 of the metric's unit by difference.
    pub margin: f64,
    /// The autocorrelation factor of its history; 1 is none.
    pub autocorrelation: f64,
    /// The largest probability of a false abort over all looks.
    pub alpha: f64,
}

/// Both sides in one minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The side with the old revision.
    pub baseline: f64,
    /// The side with the new one.
    pub canary: f64,
}

/// What a series says, minute by minute. Minutes are counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesEvidence {
    /// ln of the odds against "no worse than the margin", after each minute.
    pub ln_e: Vec<f64>,
    /// The first minute at which the canary is to be aborted.
    pub abort_minute: Option<usize>,
    /// How much of the time has data.
    pub coverage: Coverage,
    /// The mean of what was compared: ln of the ratio, or the difference. `None` without any.
    pub mean: Option<f64>,
}

impl SeriesQuestion {
    /// A latency percentile: worse is higher, by ratio, beyond 10 %.
    pub fn percentile() -> Self {
        Self { worse: Worse::Higher, scale: Scale::Ratio, margin: 0.1, autocorrelation: 1.0, alpha: 0.01 }
    }

    /// Processor, memory: worse is higher, by ratio, beyond 20 %.
    pub fn gauge() -> Self {
        Self { margin: 0.2, ..Self::percentile() }
    }

    /// Answers for these minutes, the first planned one first, `None` for a missing one.
    pub fn answer(&self, minutes: &[Option<Pair>]) -> SeriesEvidence {
        let mut process = StudentProcess::default();
        let blocks = self.autocorrelation > BLOCKS_FROM;
        let mut block = Mean::default();
        let mut all = Mean::default();
        let mut ln_e = Vec::with_capacity(minutes.len());
        for (index, minute) in minutes.iter().enumerate() {
            let compared = minute.and_then(|pair| self.compare(pair));
            all.take(compared);
            if blocks {
                block.take(compared);
                if (index + 1) % BLOCK == 0 {
                    process.take(block.value().map(|beyond| beyond - self.beyond()));
                    block = Mean::default();
                }
            } else {
                process.take(compared.map(|beyond| beyond - self.beyond()));
            }
            ln_e.push(process.ln_e() / self.autocorrelation.max(1.0));
        }
        let abort_minute = ln_e.iter().position(|ln_e| *ln_e >= -self.alpha.ln()).map(|index| index + 1);
        let coverage = Coverage { minutes: minutes.len(), usable: all.count, missing: minutes.len() - all.count };
        SeriesEvidence { ln_e, abort_minute, coverage, mean: all.value() }
    }

    /// What was seen, for people: a ratio or a difference.
    pub fn seen(&self, evidence: &SeriesEvidence) -> Option<f64> {
        let worse = match self.worse {
            Worse::Higher => evidence.mean?,
            Worse::Lower => -evidence.mean?,
        };
        Some(match self.scale {
            Scale::Ratio => worse.exp(),
            Scale::Difference => worse,
        })
    }

    fn beyond(&self) -> f64 {
        match self.scale {
            Scale::Ratio => self.margin.ln_1p(),
            Scale::Difference => self.margin,
        }
    }

    /// How much worse the canary is; `None` where that cannot be said.
    fn compare(&self, Pair { baseline, canary }: Pair) -> Option<f64> {
        let higher = match self.scale {
            Scale::Ratio => (baseline > 0.0 && canary > 0.0).then(|| canary.ln() - baseline.ln())?,
            Scale::Difference => canary - baseline,
        };
        let worse = match self.worse {
            Worse::Higher => higher,
            Worse::Lower => -higher,
        };
        worse.is_finite().then_some(worse)
    }
}

/// Says what a series says. It knows no early pass: it can speak against a canary, and be silent.
pub fn finding(evidence: &SeriesEvidence) -> Finding {
    if evidence.abort_minute.is_some() {
        return Finding::of(State::Failed);
    }
    running(evidence.coverage, evidence.ln_e.last().copied().unwrap_or(0.0), usize::MAX, true)
}

/// The sentence for a series. `what` names it: `p99`.
pub fn sentence(what: &str, question: &SeriesQuestion, evidence: &SeriesEvidence) -> String {
    let Finding { state, cause } = finding(evidence);
    let now = evidence.ln_e.len();
    let at = evidence.abort_minute.unwrap_or(now);
    let ln_e = at.checked_sub(1).and_then(|index| evidence.ln_e.get(index)).copied().unwrap_or(0.0);
    let cause = cause.map_or(String::new(), |cause| format!(" ({})", cause.words()));
    let seen = match (question.seen(evidence), question.scale) {
        (None, _) => "nothing to compare".to_owned(),
        (Some(ratio), Scale::Ratio) => format!("canary {what} is {} of the baseline's", times(ratio)),
        (Some(by), Scale::Difference) => format!("canary {what} differs by {by:+.3} from the baseline's"),
    };
    let allowed = match (question.scale, question.worse) {
        (Scale::Ratio, Worse::Higher) => format!("no worse than {}", chosen(1.0 + question.margin)),
        (Scale::Ratio, Worse::Lower) => format!("no worse than {}", times(1.0 / (1.0 + question.margin))),
        (Scale::Difference, Worse::Higher) => format!("no more than {:+}", question.margin),
        (Scale::Difference, Worse::Lower) => format!("no less than {:+}", -question.margin),
    };
    let usable = evidence.coverage.usable;
    let odds = odds(ln_e);
    format!("{}{cause} at minute {at}: {seen} over {usable} minutes; odds {odds} against “{allowed}”.", state.word())
}

/// Returns how many of the canary's requests a minute wants for a percentile between 0 and 1.
pub fn requests_for(percentile: f64) -> f64 {
    BEYOND_MIN / (1.0 - percentile)
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn take(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::verdict::Cause;

    fn pairs(count: u32, ratio: f64) -> Vec<Option<Pair>> {
        let pair = |i: u32| {
            let baseline = 100.0 + 10.0 * (f64::from(i) * 0.618).fract();
            Some(Pair { baseline, canary: baseline * ratio * (1.0 + 0.05 * ((f64::from(i) * 0.414).fract() - 0.5)) })
        };
        (0..count).map(pair).collect()
    }

    #[test]
    fn a_slower_canary_is_aborted_and_one_within_the_margin_is_not() {
        let question = SeriesQuestion::percentile();
        assert_eq!(finding(&question.answer(&pairs(30, 2.0))).state, State::Failed);
        assert_eq!(finding(&question.answer(&pairs(60, 1.05))).state, State::Healthy);
    }

    #[test]
    fn the_direction_turns_it_around() {
        let question = SeriesQuestion { worse: Worse::Lower, ..SeriesQuestion::gauge() };
        assert_eq!(finding(&question.answer(&pairs(30, 2.0))).state, State::Healthy);
        let lower = question.answer(&pairs(30, 0.5));
        assert_eq!(finding(&lower).state, State::Failed);
        assert!((question.seen(&lower).unwrap() - 0.5).abs() < 0.02);
    }

    #[test]
    fn autocorrelation_makes_it_slower() {
        let quick = SeriesQuestion::percentile().answer(&pairs(60, 1.5)).abort_minute.unwrap();
        let slow = SeriesQuestion { autocorrelation: 3.0, ..SeriesQuestion::percentile() };
        let slow = slow.answer(&pairs(60, 1.5)).abort_minute;
        assert!(slow.is_none_or(|minute| minute > quick + 10), "{slow:?}");
    }

    #[test]
    fn what_is_missing_no_number_or_not_comparable_says_nothing() {
        let question = SeriesQuestion::percentile();
        let nothing = [(f64::NAN, 1.0), (1.0, f64::INFINITY), (0.0, 5.0), (5.0, -1.0)];
        let mut minutes: Vec<_> = nothing.map(|(baseline, canary)| Some(Pair { baseline, canary })).to_vec();
        minutes.extend([None, None]);
        let evidence = question.answer(&minutes);
        assert_eq!((evidence.ln_e, evidence.mean, evidence.coverage.usable), (vec![0.0; 6], None, 0));
        assert_eq!(finding(&question.answer(&minutes)).cause, Some(Cause::NoData));
    }

    #[test]
    fn half_of_it_missing_is_no_data() {
        let minutes: Vec<_> = pairs(20, 1.0).into_iter().flat_map(|pair| [pair, None, None]).collect();
        assert_eq!(finding(&SeriesQuestion::gauge().answer(&minutes)).cause, Some(Cause::NoData));
    }
}
