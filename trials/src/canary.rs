//! Canaries made by dice: minutes of both sides under one law of noise, and the history that they are calibrated by.

use std::f64::consts::TAU;

use tidegate::analysis::sequential::counts::{Arm, Minute};

use crate::dice::Dice;

/// Planned minutes of every canary.
pub const MINUTES: usize = 60;

/// Minutes of history: a day.
const HISTORY: usize = 1440;

/// Memory of what is autocorrelated, from one minute to the next.
const PERSISTENCE: f64 = 0.8;

/// Traffic swings by this share around its mean, once in three hours: bins of calibration get more to see.
const SWING: f64 = 0.3;
const SWING_MINUTES: f64 = 180.0;

/// How a minute's error rate strays from its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Not at all: coin tosses.
    None,
    /// Both sides together, by a log-normal with a coefficient of variation of 131 %.
    Common,
    /// Each side by itself, by a gamma of 50 %.
    Sides,
    /// Errors come in clumps of three on average.
    Clumps,
    /// Each side by itself, by a log-normal of 50 % that remembers 0.8 of the minute before.
    Lasting,
    /// Common, sides and clumps together, each milder.
    All,
}

impl Noise {
    /// All laws that are noise.
    pub const LOUD: [Self; 5] = [Self::Common, Self::Sides, Self::Clumps, Self::Lasting, Self::All];

    /// What a table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Common => "common to both sides, CV 131 %",
            Self::Sides => "each side, CV 50 %",
            Self::Clumps => "clumps of 3 errors",
            Self::Lasting => "each side, CV 50 %, lasting (AR 0.8)",
            Self::All => "common, sides and clumps, milder",
        }
    }
}

/// One kind of canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The baseline's error rate.
    pub base: f64,
    /// The canary's share of the requests.
    pub weight: f64,
    /// Requests per minute, both sides together.
    pub rpm: f64,
    /// The canary's error rate over the baseline's.
    pub ratio: f64,
    /// The law of its noise.
    pub noise: Noise,
}

/// The noise of one side on its way through the minutes.
struct Side {
    lasting: f64,
}

impl Side {
    fn new(dice: &mut Dice) -> Self {
        Self { lasting: dice.normal() }
    }

    /// Errors of this minute.
    fn errors(&mut self, requests: f64, rate: f64, noise: Noise, dice: &mut Dice) -> f64 {
        self.lasting = PERSISTENCE * self.lasting + (1.0 - PERSISTENCE * PERSISTENCE).sqrt() * dice.normal();
        let (stray, clump) = match noise {
            Noise::None | Noise::Common => (1.0, 1.0),
            Noise::Sides => (dice.gamma(0.5), 1.0),
            Noise::Clumps => (1.0, 3.0),
            Noise::Lasting => (Dice::log_normal(self.lasting, 0.5), 1.0),
            Noise::All => (dice.gamma(0.25), 1.5),
        };
        let rate = (rate * stray).min(1.0);
        if clump == 1.0 {
            return dice.binomial(requests, rate);
        }
        let clumps = dice.binomial(requests, rate / clump);
        let mut errors = 0.0;
        for _ in 0..clumps as u64 {
            errors += dice.geometric(clump);
        }
        f64::min(errors, requests)
    }
}

/// What both sides share in a minute.
fn common(noise: Noise, dice: &mut Dice) -> f64 {
    match noise {
        Noise::None | Noise::Sides | Noise::Clumps | Noise::Lasting => 1.0,
        Noise::Common => Dice::log_normal(dice.normal(), 1.31),
        Noise::All => Dice::log_normal(dice.normal(), 0.6),
    }
}

/// The traffic of each minute over its mean, from a random moment of its swing on.
fn traffic(dice: &mut Dice) -> impl Fn(usize) -> f64 + use<> {
    let begun = dice.uniform() * TAU;
    move |minute| 1.0 + SWING * (begun + TAU * minute as f64 / SWING_MINUTES).sin()
}

/// What the traffic and the base rate do while it runs, minute by minute (from 0).
pub struct Course<'a> {
    /// The canary's share of the requests.
    pub weight: &'a dyn Fn(usize) -> f64,
    /// The factor on both sides' error rate.
    pub shared: &'a dyn Fn(usize) -> f64,
    /// The canary's error rate over the baseline's.
    pub ratio: &'a dyn Fn(usize) -> f64,
}

impl Cell {
    /// Plays one canary of constant weight and ratio.
    pub fn play(&self, dice: &mut Dice) -> Vec<Option<Minute>> {
        self.play_course(&Course { weight: &|_| self.weight, shared: &|_| 1.0, ratio: &|_| self.ratio }, dice)
    }

    /// Plays one canary.
    pub fn play_course(&self, course: &Course<'_>, dice: &mut Dice) -> Vec<Option<Minute>> {
        let (mut of_canary, mut of_baseline) = (Side::new(dice), Side::new(dice));
        let traffic = traffic(dice);
        let minute = |at: usize| {
            let rpm = self.rpm * traffic(at);
            let weight = (course.weight)(at);
            let base = self.base * (course.shared)(at) * common(self.noise, dice);
            let mut arm = |side: &mut Side, requests: f64, rate: f64| {
                let requests = dice.poisson(requests);
                Arm { requests, bad: side.errors(requests, rate, self.noise, dice) }
            };
            let canary = arm(&mut of_canary, rpm * weight, base * (course.ratio)(at));
            let baseline = arm(&mut of_baseline, rpm * (1.0 - weight), base);
            Some(Minute { baseline, canary })
        };
        (0..MINUTES).map(minute).collect()
    }

    /// A day of the baseline alone, in two halves by zone; each half has the noise of a side.
    pub fn history(&self, dice: &mut Dice) -> Vec<Option<Minute>> {
        let (mut one, mut other) = (Side::new(dice), Side::new(dice));
        let traffic = traffic(dice);
        let minute = |at: usize| {
            let base = self.base * common(self.noise, dice);
            let mut half = |side: &mut Side| {
                let requests = dice.poisson(self.rpm * traffic(at) / 2.0);
                Arm { requests, bad: side.errors(requests, base, self.noise, dice) }
            };
            Some(Minute { canary: half(&mut one), baseline: half(&mut other) })
        };
        (0..HISTORY).map(minute).collect()
    }
}
