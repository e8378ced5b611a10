//! One cell at a time: many canaries of it, and the minute at which each method aborts each of them.

use tidegate::analysis::calibration::calibrate;
use tidegate::analysis::sequential::counts::Minute;
use tidegate::analysis::sequential::{CountEvidence, CountQuestion};

use crate::canary::{Cell, Course, Noise};
use crate::dice::Dice;
use crate::rivals;

/// Canaries that share one calibration: a day is dearer to make than a canary.
const PER_HISTORY: usize = 50;

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Ours, calibrated by a day of history.
    Tidegate,
    /// Ours, without history.
    Uncalibrated,
    /// A test that knows all but the outcome.
    Oracle,
    /// The peeked two-proportion test.
    Z,
    /// Kayenta's judge, every minute.
    Kayenta,
    /// A CloudWatch alarm at 5 %, 2 of 3 minutes.
    Alarm,
    /// Argo's documented analysis.
    Argo,
    /// Flagger's documented analysis.
    Flagger,
}

impl Method {
    /// What a table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "Tidegate",
            Self::Uncalibrated => "without history",
            Self::Oracle => "oracle",
            Self::Z => "z, peeked",
            Self::Kayenta => "Kayenta, each minute",
            Self::Alarm => "alarm > 5 %, 2 of 3",
            Self::Argo => "Argo 95 %, 4th failure",
            Self::Flagger => "Flagger 99 %, 5th",
        }
    }

    /// The minute at which it aborts.
    fn aborts(self, minutes: &[Option<Minute>], cell: &Cell, calibrated: &CountQuestion) -> Option<usize> {
        match self {
            Self::Tidegate => calibrated.answer(minutes, 0).abort_minute,
            Self::Uncalibrated => CountQuestion::default().answer(minutes, 0).abort_minute,
            Self::Oracle => rivals::oracle(minutes, cell, calibrated.alpha),
            Self::Z => rivals::peeked_z(minutes),
            Self::Kayenta => rivals::kayenta(minutes),
            Self::Alarm => rivals::alarm(minutes, 0.05),
            Self::Argo => rivals::threshold(minutes, 0.95, 4),
            Self::Flagger => rivals::threshold(minutes, 0.99, 5),
        }
    }

    /// Kayenta's looks cost as much as all others together: it gets fewer canaries.
    fn share(self) -> usize {
        match self {
            Self::Kayenta => 10,
            Self::Tidegate | Self::Uncalibrated | Self::Oracle | Self::Z | Self::Alarm | Self::Argo | Self::Flagger => {
                1
            }
        }
    }
}

/// The minutes at which canaries were aborted; `None` for those that were not.
#[derive(Debug, Clone, Default)]
pub struct Aborts(pub Vec<Option<usize>>);

impl Aborts {
    /// The share that was aborted.
    pub fn share(&self) -> f64 {
        self.0.iter().flatten().count() as f64 / self.0.len().max(1) as f64
    }

    /// The median minute, those that were not aborted counting as late; `None` where that is half of them or more.
    pub fn median(&self) -> Option<f64> {
        let mut minutes: Vec<usize> = self.0.iter().map(|minute| minute.unwrap_or(usize::MAX)).collect();
        minutes.sort_unstable();
        minutes.get(minutes.len() / 2).filter(|minute| **minute != usize::MAX).map(|minute| *minute as f64)
    }
}

/// Plays a cell's canaries, and returns for each method when it aborted them.
pub fn play(cell: &Cell, methods: &[Method], canaries: usize, seed: u64) -> Vec<Aborts> {
    each(cell, canaries, seed, |minutes, question, index, all: &mut Vec<Aborts>| {
        all.resize(methods.len(), Aborts::default());
        for (aborts, method) in all.iter_mut().zip(methods) {
            if index % method.share() == 0 {
                aborts.0.push(method.aborts(minutes, cell, question));
            }
        }
    })
}

/// Plays a cell's canaries, and returns all that ours found of them.
pub fn evidence(cell: &Cell, canaries: usize, seed: u64) -> Vec<CountEvidence> {
    each(cell, canaries, seed, |minutes, question, _, all: &mut Vec<CountEvidence>| {
        all.push(question.answer(minutes, 0));
    })
}

/// Plays a cell's canaries, and returns for each how many of its minutes until the abort had canary requests, and how many
/// requests those were.
pub fn until_abort(cell: &Cell, canaries: usize, seed: u64) -> Vec<Option<(usize, f64)>> {
    each(cell, canaries, seed, |minutes, question, _, all: &mut Vec<Option<(usize, f64)>>| {
        let abort = question.answer(minutes, 0).abort_minute;
        all.push(abort.map(|abort| {
            let requests = minutes[..abort].iter().flatten().map(|minute| minute.canary.requests);
            (requests.clone().filter(|requests| *requests > 0.0).count(), requests.sum())
        }));
    })
}

/// Plays canaries whose weight rises in four steps while the error rate that both sides share triples.
pub fn steps(rpm: f64, base: f64, methods: &[Method], canaries: usize, seed: u64) -> Vec<Aborts> {
    let cell = Cell { base, weight: 0.05, rpm, ratio: 1.0, noise: Noise::None };
    let course = Course {
        weight: &|minute| [0.05, 0.1, 0.25, 0.5][minute / 15],
        shared: &|minute| 1.0 + 2.0 * minute as f64 / 59.0,
        ratio: &|_| 1.0,
    };
    let mut dice = Dice::seeded(seed);
    let mut all = vec![Aborts::default(); methods.len()];
    let question = question(&cell, &mut dice);
    for index in 0..canaries {
        let minutes = cell.play_course(&course, &mut dice);
        for (aborts, method) in all.iter_mut().zip(methods) {
            if index % method.share() == 0 {
                aborts.0.push(method.aborts(&minutes, &cell, &question));
            }
        }
    }
    all
}

fn each<T: Default>(
    cell: &Cell,
    canaries: usize,
    seed: u64,
    mut take: impl FnMut(&[Option<Minute>], &CountQuestion, usize, &mut T),
) -> T {
    let mut dice = Dice::seeded(seed);
    let mut all = T::default();
    let mut calibrated = question(cell, &mut dice);
    for index in 0..canaries {
        if index > 0 && index % PER_HISTORY == 0 {
            calibrated = question(cell, &mut dice);
        }
        take(&cell.play(&mut dice), &calibrated, index, &mut all);
    }
    all
}

/// The question with the calibration of a day that has the cell's noise.
fn question(cell: &Cell, dice: &mut Dice) -> CountQuestion {
    let dispersion = calibrate(&cell.history(dice)).unwrap_or_else(|| CountQuestion::default().dispersion);
    CountQuestion { dispersion, ..CountQuestion::default() }
}
