//! `tidegate judge replay`: a verdict file's minutes and parameters, judged anew.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate::analysis::combine::{self, AtEnd, Card, Combined, Evidence};
use tidegate::analysis::sequential::CountQuestion;
use tidegate::analysis::sequential::counts::Minute;
use tidegate::analysis::split;
use tidegate::analysis::verdict::{Cause, Finding, State};

use super::counts::{Params, Sensitivity, alpha, number, together};
use super::lines::{self, Wrong};
use super::series;
use crate::commands::Context;
use crate::failure::Outcome;

/// Judge a verdict file anew: several metrics, one verdict
///
/// In: {"counts":[{"name",…}], "series":[{"name",…}], "shares"?, "horizon"?, "alpha"|"sensitivity"?, "at_end"?,
/// "verdict"?}; each of the metrics as `judge counts` and `judge series` take them. Out: the verdict. Where the file has
/// one, it must be the same.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: super::From,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    counts: Vec<Counts>,
    #[serde(default)]
    series: Vec<Series>,
    /// The canary's configured share of the traffic in each minute.
    shares: Option<Vec<Option<f64>>>,
    horizon: Option<usize>,
    alpha: Option<f64>,
    sensitivity: Option<Sensitivity>,
    #[serde(default)]
    at_end: Policy,
    verdict: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    name: String,
    #[serde(default = "one")]
    weight: f64,
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    params: Params,
    baseline: Vec<Option<(f64, f64)>>,
    canary: Vec<Option<(f64, f64)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    name: String,
    #[serde(default)]
    weight: f64,
    #[serde(default)]
    required: bool,
    of: series::Asked,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    #[default]
    Promote,
    Hold,
    GoHome,
}

#[derive(Serialize)]
struct Judged {
    verdict: Verdict,
    /// Whether the file's own verdict is the same; null where it has none.
    identical: Option<bool>,
}

#[derive(Serialize)]
struct Verdict {
    verdict: State,
    cause: Option<Cause>,
    ln_e: Vec<f64>,
    abort_minute: Option<usize>,
    pass_minute: Option<usize>,
    culprits: Vec<String>,
    /// What becomes of it if the planned minutes are over without a verdict.
    at_end: Option<Policy>,
    sentence: String,
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
struct Metric {
    name: String,
    verdict: State,
    cause: Option<Cause>,
    ln_e: Option<f64>,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    lines::judge(&args.from.file, context, |mut file: File| {
        let stored = file.verdict.take();
        let verdict = judge(file)?;
        // Through the same reader: what is written alike is alike.
        let anew = serde_json::to_string(&verdict).and_then(|text| serde_json::from_str::<Value>(&text));
        let anew = anew.map_err(|error| Wrong::new("verdict", error.to_string()))?;
        let identical = stored.map(|stored| stored == anew);
        if identical == Some(false) {
            let problem = format!("these minutes do not give it, but: {}", verdict.sentence);
            return Err(Wrong::new("verdict", problem));
        }
        Ok(Judged { verdict, identical })
    })
}

fn judge(file: File) -> Result<Verdict, Wrong> {
    let usual = CountQuestion::default();
    let alpha = alpha("", file.alpha, file.sensitivity)?.unwrap_or(usual.alpha);
    let horizon = file.horizon.unwrap_or(usual.horizon);
    if horizon == 0 {
        return Err(Wrong::new("horizon", "0 minutes are no canary"));
    }
    let usual = CountQuestion { alpha, horizon, ..usual };
    if file.shares.is_some() && file.counts.is_empty() {
        return Err(Wrong::new("shares", "no counts to hold them against"));
    }
    let mut cards = Vec::new();
    let mut split = Vec::new();
    for (index, counts) in file.counts.into_iter().enumerate() {
        let place = format!("counts[{index}]");
        let (card, minutes) = counts.card(&usual).map_err(|wrong| wrong.within(&place))?;
        if let Some(shares) = file.shares.as_ref().filter(|_| index == 0) {
            lines::same_length(("counts[0].canary", minutes.len()), ("shares", shares.len()))?;
            split = split::ln_odds(&minutes, shares);
        }
        cards.push(card);
    }
    for (index, series) in file.series.into_iter().enumerate() {
        let place = format!("series[{index}]");
        cards.push(series.card(alpha).map_err(|wrong| wrong.within(&place))?);
    }
    if let Some(other) = cards.iter().find(|card| card.evidence.ln_e().len() != cards[0].evidence.ln_e().len()) {
        let problem = format!("`{}` and `{}` have different numbers of minutes", cards[0].name, other.name);
        return Err(Wrong::new("", problem));
    }
    let combined = combine::combine(&cards, &split, alpha, horizon);
    Ok(Verdict::of(combined, &cards, file.at_end, horizon))
}

impl Counts {
    fn card(self, usual: &CountQuestion) -> Result<(Card, Vec<Option<Minute>>), Wrong> {
        number("weight", self.weight, 0.0..=1e6)?;
        lines::same_length(("baseline", self.baseline.len()), ("canary", self.canary.len()))?;
        let (baseline, canary) = (lines::arms("baseline", &self.baseline)?, lines::arms("canary", &self.canary)?);
        let minutes = together(&baseline, &canary);
        let unsettled = self.params.unsettled();
        let question = self.params.question(usual.clone())?;
        let answer = Box::new(question.answer(&minutes, unsettled));
        let evidence = Evidence::Counts { question: Box::new(question), answer };
        Ok((Card { name: self.name, weight: self.weight, required: self.required, evidence }, minutes))
    }
}

impl Series {
    fn card(self, alpha: f64) -> Result<Card, Wrong> {
        number("weight", self.weight, 0.0..=1e6)?;
        let (question, pairs) = self.of.read(Some(alpha)).map_err(|wrong| wrong.within("of"))?;
        let answer = Box::new(question.answer(&pairs));
        let evidence = Evidence::Series { question: Box::new(question), answer };
        Ok(Card { name: self.name, weight: self.weight, required: self.required, evidence })
    }
}

impl Verdict {
    fn of(combined: Combined, cards: &[Card], policy: Policy, horizon: usize) -> Self {
        let sentence = combine::sentence(cards, &combined, horizon);
        let over = combined.finding.state == State::Inconclusive && combined.ln_e.len() >= horizon;
        let at_end = over.then(|| Policy::of(combine::at_end(policy.into(), &combined, cards)));
        let metric = |card: &Card| {
            let Finding { state, cause } = card.evidence.finding();
            Metric { name: card.name.clone(), verdict: state, cause, ln_e: card.evidence.ln_e().last().copied() }
        };
        let metrics = cards.iter().map(metric).collect();
        let Combined { ln_e, abort_minute, pass_minute, culprits, finding } = combined;
        let Finding { state, cause } = finding;
        Self { verdict: state, cause, ln_e, abort_minute, pass_minute, culprits, at_end, sentence, metrics }
    }
}

impl From<Policy> for AtEnd {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Promote => Self::Promote,
            Policy::Hold => Self::Hold,
            Policy::GoHome => Self::GoHome,
        }
    }
}

impl Policy {
    fn of(end: AtEnd) -> Self {
        match end {
            AtEnd::Promote => Self::Promote,
            AtEnd::Hold => Self::Hold,
            AtEnd::GoHome => Self::GoHome,
        }
    }
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}
