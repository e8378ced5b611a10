//! The score: the share of passed metrics in each group, the groups weighed, and what becomes of a canary with it.

use std::collections::BTreeMap;

use super::Label;

/// One metric's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeighedResult {
    /// The metric's name.
    pub name: String,
    /// The groups that it counts in, each.
    pub groups: Vec<String>,
    /// The label.
    pub label: Label,
    /// Whether it fails the canary, unless it passed.
    pub critical: bool,
    /// Whether it counts for nothing.
    pub muted: bool,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The share of its metrics that passed, in percent.
    pub score: f64,
    /// Whether no metric of it counted.
    pub no_data: bool,
}

/// What becomes of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Sentence {
    /// At the threshold or above.
    Pass,
    /// Between the two thresholds.
    Marginal,
    /// Below both.
    Fail,
}

/// The whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// In percent, two digits.
    pub score: f64,
    /// In the order in which they were met.
    pub groups: Vec<Group>,
    /// What becomes of it.
    pub sentence: Sentence,
    /// Why it was not scored at all.
    pub reason: Option<String>,
}

/// Scores a canary. Labels `Nodata` and `Error` count in no group, and a group where nothing counts scores 100: with
/// errors alone this passes, as Kayenta does.
pub fn score(results: &[WeighedResult], weights: &BTreeMap<String, f64>, pass: f64, marginal: f64) -> Scored {
    let heard: Vec<&WeighedResult> = results.iter().filter(|result| !result.muted).collect();
    let groups = groups(&heard);
    let (score, reason) = match refused(&heard) {
        Some(reason) => (0.0, Some(reason)),
        None => (half_up(weighed(&groups, weights)), None),
    };
    let sentence = if score >= pass {
        Sentence::Pass
    } else if score >= marginal {
        Sentence::Marginal
    } else {
        Sentence::Fail
    };
    Scored { score, groups, sentence, reason }
}

fn refused(heard: &[&WeighedResult]) -> Option<String> {
    if let Some(first) = heard.iter().find(|result| result.critical && result.label != Label::Pass) {
        return Some(format!("Canary Failed: {}", reason(first)));
    }
    let silent = heard.iter().filter(|result| result.label == Label::Nodata).count();
    let half = !heard.is_empty() && 2 * silent >= heard.len();
    half.then(|| "Canary Failed: 50% or more metrics returned NODATA".to_owned())
}

fn reason(result: &WeighedResult) -> String {
    let name = &result.name;
    match result.label {
        Label::High => format!("The metric {name} was classified as High (Critical)"),
        Label::Low => format!("The metric {name} was classified as Low (Critical)"),
        Label::Nodata | Label::NodataFailMetric => format!("Missing data for {name}"),
        Label::Error => "Metric Classification Failed".to_owned(),
        Label::Pass => format!("{name} passed"),
    }
}

fn groups(heard: &[&WeighedResult]) -> Vec<Group> {
    let mut names: Vec<&String> = Vec::new();
    for name in heard.iter().flat_map(|result| &result.groups) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let group = |name: &String| {
        let inside = || heard.iter().filter(|result| result.groups.contains(name));
        let passed = inside().filter(|result| result.label == Label::Pass).count();
        let counted = inside().filter(|result| counts(result.label)).count();
        let score = if counted == 0 { 0.0 } else { 100.0 * passed as f64 / counted as f64 };
        Group { name: name.clone(), score, no_data: counted == 0 }
    };
    names.into_iter().map(group).collect()
}

fn counts(label: Label) -> bool {
    match label {
        Label::Pass | Label::High | Label::Low | Label::NodataFailMetric => true,
        Label::Nodata | Label::Error => false,
    }
}

/// Weights are not normalised; groups without one share what the configured ones, met or not, leave of 100.
fn weighed(groups: &[Group], weights: &BTreeMap<String, f64>) -> f64 {
    let without = groups.iter().filter(|group| !weights.contains_key(&group.name)).count();
    let rest = (100.0 - weights.values().sum::<f64>()) / without as f64;
    let of = |group: &Group| {
        let score = if group.no_data { 100.0 } else { group.score };
        score * weights.get(&group.name).copied().unwrap_or(rest) / 100.0
    };
    groups.iter().map(of).sum()
}

/// Two digits, halves upwards, by the number's shortest decimal form as Scala's BigDecimal takes it.
fn half_up(score: f64) -> f64 {
    let text = format!("{}", score.abs());
    let Some((whole, fraction)) = text.split_once('.') else { return score };
    let Some(next) = fraction.as_bytes().get(2) else { return score };
    let kept: f64 = format!("{whole}{}", &fraction[..2]).parse().unwrap_or(0.0);
    let rounded = if *next >= b'5' { kept + 1.0 } else { kept };
    (rounded / 100.0).copysign(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(groups: &[&str], label: Label) -> WeighedResult {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        WeighedResult { name: "m".to_owned(), groups, label, critical: false, muted: false }
    }

    fn scored(results: &[WeighedResult], weights: &[(&str, f64)]) -> Scored {
        let weights = weights.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect();
        score(results, &weights, 95.0, 75.0)
    }

    #[test]
    fn groups_share_what_the_configured_weights_leave() {
        let results = [
            result(&["a"], Label::Pass),
            result(&["a"], Label::High),
            result(&["b"], Label::Pass),
            result(&["c"], Label::Low),
        ];
        let found = scored(&results, &[("a", 50.0), ("absent", 10.0)]);
        // 50 % of 50, 100 % of 20, 0 % of 20; the absent group's 10 are lost.
        assert_eq!((found.score, found.sentence), (45.0, Sentence::Fail));
        assert_eq!(found.groups.iter().map(|group| group.score).collect::<Vec<_>>(), [50.0, 100.0, 0.0]);
    }

    #[test]
    fn the_fail_open_of_errors_is_kept() {
        let found = scored(&[result(&["a"], Label::Error), result(&["a"], Label::Error)], &[]);
        assert_eq!((found.score, found.sentence, found.groups[0].no_data), (100.0, Sentence::Pass, true));
    }

    #[test]
    fn critical_failures_and_silence_score_nothing() {
        let critical = WeighedResult { critical: true, ..result(&["a"], Label::High) };
        let found = scored(&[result(&["a"], Label::Pass), critical], &[]);
        let why = "Canary Failed: The metric m was classified as High (Critical)";
        assert_eq!((found.score, found.reason.as_deref()), (0.0, Some(why)));
        let muted = WeighedResult { muted: true, critical: true, ..result(&["a"], Label::High) };
        assert_eq!(scored(&[result(&["a"], Label::Pass), muted], &[]).score, 100.0);
        let silent = scored(&[result(&["a"], Label::Pass), result(&["a"], Label::Nodata)], &[]);
        assert_eq!(silent.reason.as_deref(), Some("Canary Failed: 50% or more metrics returned NODATA"));
        assert_eq!(scored(&[], &[]).score, 0.0);
    }

    #[test]
    fn halves_go_up_by_the_decimal_form() {
        assert_eq!([1.005, 66.666_666, 99.994_999, 50.0, 0.125].map(half_up), [1.01, 66.67, 99.99, 50.0, 0.13]);
    }
}
