//! Kayenta's judge "NetflixACAJudge-v1.0", its defects included, for those who must agree with it. Nothing here decides
//! about a rollout: it is what `tidegate judge kayenta` answers with.
//!
//! The defects that it keeps: no exact test of few points, so that 2 against 2 alike ones are "High" in one case of eight;
//! tests that fail vanish from the score; sparse errors pass; tolerances that are absolute; no pairing by minute.

mod classify;
mod mann_whitney;
mod prepare;
mod score;

pub use classify::{Classified, classify};
pub use score::{Group, Scored, Sentence, WeighedResult, score};

/// Which way of moving is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Up.
    Increase,
    /// Down.
    Decrease,
    /// Both.
    Either,
}

/// What becomes of a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NanStrategy {
    /// It is dropped, on its side alone.
    Remove,
    /// It counts as 0.
    Replace,
}

/// What the size of an effect is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectMeasure {
    /// The ratio of the means.
    MeanRatio,
    /// The common-language effect size: how often a canary's value is the larger one.
    Cles,
}

/// Which test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The judge's.
    MannWhitney,
    /// The larger mean is worse; a benchmark.
    MeanInequality,
}

/// How one metric is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Which way of moving is bad.
    pub direction: Direction,
    /// What becomes of missing values.
    pub nan_strategy: NanStrategy,
    /// Outliers are dropped beyond this many interquartile ranges; `None` keeps them.
    pub outlier_factor: Option<f64>,
    /// Whether its failure fails the canary.
    pub critical: bool,
    /// Whether no data is a failure.
    pub must_have_data: bool,
    /// What effects are measured by.
    pub measure: EffectMeasure,
    /// The effects that are large enough to be bad.
    pub allowed: Bounds,
    /// The effects that are large enough to be critical.
    pub critical_effect: Bounds,
    /// Of the confidence interval.
    pub confidence: f64,
    /// The share of the estimate that a shift must exceed.
    pub tolerance: f64,
    /// Which test.
    pub method: Method,
}

/// The tolerance of the judge, whatever a Kayenta's own configuration says.
pub const TOLERANCE: f64 = 0.25;

/// The confidence level of the judge, whatever a Kayenta's own configuration says.
pub const CONFIDENCE: f64 = 0.98;

/// The factor of the outlier fences.
pub const OUTLIER_FACTOR: f64 = 3.0;

impl EffectMeasure {
    /// No effect, which is the default of every bound.
    pub fn none(self) -> f64 {
        match self {
            Self::MeanRatio => 1.0,
            Self::Cles => 0.5,
        }
    }
}

/// Effects at and beyond which a shift counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Downwards.
    pub decrease: f64,
    /// Upwards.
    pub increase: f64,
}

/// What the judge says of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Label {
    /// No difference to speak of.
    Pass,
    /// Larger on the canary.
    High,
    /// Smaller on the canary.
    Low,
    /// A side has no values.
    Nodata,
    /// A side has no values, and must have.
    NodataFailMetric,
    /// The test could not be made.
    Error,
}
