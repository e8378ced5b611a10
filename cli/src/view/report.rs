//! One rollout at one time: header, the two services, steps, analysis.

use tidegate::machine::report::{MetricReport, Report, SideReport, StepProgress};
use tidegate::weight::Weight;

use super::line::{Line, Tone, shortened, table, wrapped};
use super::time::{between, clock, date};
use crate::clean;

/// Where the values of the header begin.
const VALUES: usize = 17;

/// Steps that a low screen shows before and after the current one.
const STEPS_BEFORE: usize = 2;
const STEPS_AFTER: usize = 4;

/// A name is never cut to fewer columns: what it says would be lost.
const NAMES_MIN: usize = 16;

/// Returns the whole view, at most `width` columns wide.
pub fn lines(report: &Report, width: usize) -> Vec<Line> {
    let mut lines = header(report, width);
    lines.push(Line::new());
    lines.extend(services(report, width));
    lines.push(Line::new());
    lines.extend(steps(report));
    if !report.analysis.is_empty() {
        lines.push(Line::new());
        lines.extend(analysis(&report.analysis));
    }
    lines.into_iter().map(|line| line.cut(width)).collect()
}

/// Returns the same for a low screen: a headline, what it waits for, and the steps around the current one.
pub fn low_lines(report: &Report, width: usize) -> Vec<Line> {
    let (sign, tone) = phase_sign(&report.phase);
    let until = report.ended_at.unwrap_or(report.now);
    let mut lines = vec![
        Line::new()
            .tone(&report.rollout, Tone::Strong)
            .tone(format!("  {sign} {}", report.phase), tone)
            .plain(format!("  weight {}  {}", weight(report), between(report.started_at, until))),
    ];
    lines.extend(sentence("Message:", &report.message, width));
    lines.extend(sentence("Waiting on:", &report.waiting_on, width));
    lines.push(Line::new());
    lines.extend(services(report, width));
    lines.push(Line::new());
    let mut all = steps(report);
    let heading = all.remove(0);
    let first = report.step.saturating_sub(STEPS_BEFORE);
    let last = (report.step + 1 + STEPS_AFTER).min(all.len());
    let left_out = all.len() - (last - first);
    lines.push(if left_out > 0 { heading.tone(format!(" ({left_out} more)"), Tone::Faint) } else { heading });
    lines.extend(all.drain(first..last));
    lines.extend(analysis(&report.analysis).into_iter().skip(1));
    lines.into_iter().map(|line| line.cut(width)).collect()
}

/// Returns one line for logs: what changed when a rollout went from one state to the next.
pub fn transition(report: &Report) -> Line {
    let (sign, tone) = phase_sign(&report.phase);
    let mut line = Line::of(clock(report.now))
        .plain("  ")
        .tone(format!("{sign} {}", report.phase), tone)
        .plain(format!("  step {}", position(report)));
    if let Some(step) = report.steps.get(report.step) {
        line = line.plain(format!(" {}", step.step));
    }
    line = line.plain(format!("  weight {}", weight(report)));
    let sentence = if report.waiting_on.is_empty() { &report.message } else { &report.waiting_on };
    if sentence.is_empty() { line } else { line.plain(format!("  {sentence}")) }
}

/// Returns a sign and a tone for a phase; the word stands beside it, always.
pub fn phase_sign(phase: &str) -> (&'static str, Tone) {
    match phase {
        "Healthy" => ("✔", Tone::Good),
        "Degraded" => ("✖", Tone::Bad),
        "Progressing" => ("◌", Tone::Strong),
        "Paused" => ("‖", Tone::Attention),
        "Aborting" => ("↩", Tone::Bad),
        _ => ("?", Tone::Attention),
    }
}

fn header(report: &Report, width: usize) -> Vec<Line> {
    let (sign, tone) = phase_sign(&report.phase);
    let mut lines = vec![
        field("Name:").tone(&report.rollout, Tone::Strong),
        field("Status:").tone(format!("{sign} {}", report.phase), tone),
    ];
    lines.extend(sentence("Message:", &report.message, width));
    let mut waiting = report.waiting_on.clone();
    if let Some(at) = report.next_wake_up.filter(|at| *at > report.now && !waiting.is_empty()) {
        waiting = format!("{waiting} (looks again in {})", between(report.now, at));
    }
    lines.extend(sentence("Waiting on:", &waiting, width));
    if report.needs_person {
        lines.push(field("Needs:").tone("a person: nothing more happens by itself", Tone::Attention));
    }
    lines.push(field("Strategy:").plain(&report.strategy));
    lines.push(field("  Step:").plain(position(report)));
    lines.push(field("  SetWeight:").plain(&report.set_weight));
    lines.push(match &report.actual_weight {
        Some(weight) => field("  ActualWeight:").plain(weight),
        None => field("  ActualWeight:").tone("? not read back, or not the same on every rule", Tone::Attention),
    });
    lines.push(field("Revisions:").plain(format!("{} (stable)", report.stable.revision)));
    lines.push(field("").plain(format!("{} (canary)", report.canary.revision)));
    let until = report.ended_at.unwrap_or(report.now);
    lines.push(field("Started:").plain(format!("{} by {}", date(report.started_at), report.started_by)));
    if let Some(next) = &report.next {
        lines.extend(sentence("Then:", next, width));
    }
    if let Some(origin) = &report.origin {
        lines.extend(sentence("As:", origin, width));
    }
    if let Some(promoted) = report.promoted_at {
        lines.push(field("Promoted:").plain(date(promoted)));
    }
    match report.ended_at {
        Some(ended) => {
            let took = between(report.started_at, until);
            lines.push(field("Ended:").plain(format!("{} after {took}", date(ended))));
        }
        None => lines.push(field("Age:").plain(between(report.started_at, until))),
    }
    lines
}

fn field(name: &str) -> Line {
    Line::of(name).up_to(VALUES)
}

/// A sentence in the column of the values, on as many lines as it needs; none where there is no sentence.
fn sentence(name: &str, sentence: &str, width: usize) -> Vec<Line> {
    if sentence.is_empty() {
        return Vec::new();
    }
    let parts = wrapped(sentence, width.saturating_sub(VALUES).max(20));
    parts.iter().enumerate().map(|(at, part)| field(if at == 0 { name } else { "" }).plain(part)).collect()
}

/// Steps are counted from 1 for people: `3/9`.
fn position(report: &Report) -> String {
    format!("{}/{}", (report.step + 1).min(report.steps.len()), report.steps.len())
}

/// What is on the wire, and what should be where that is something else: `5`, `5 of 20`, `? of 20`.
fn weight(report: &Report) -> String {
    match &report.actual_weight {
        Some(actual) if *actual == report.set_weight => actual.clone(),
        Some(actual) => format!("{actual} of {}", report.set_weight),
        None => format!("? of {}", report.set_weight),
    }
}

fn services(report: &Report, width: usize) -> Vec<Line> {
    let (sign, tone) = phase_sign(&report.phase);
    let heading = ["NAME", "ROLE", "REVISION", "WEIGHT", "DESIRED", "RUNNING", "HEALTHY"];
    let canary = report.actual_weight.clone();
    let stable = canary.as_deref().and_then(remainder);
    let mut rows = [
        heading.map(|title| (title.to_owned(), Tone::Faint)).to_vec(),
        vec![(format!("{sign} {}", report.name), tone)],
        side("├── ", &report.stable, "stable", stable),
        side("└── ", &report.canary, "canary", canary),
    ];
    // Names may have 255 letters; the counts are what people look for.
    let surplus = table(&rows).iter().map(Line::width).max().unwrap_or(0).saturating_sub(width);
    let widest = rows.iter().map(|row| row[0].0.chars().count()).max().unwrap_or(0);
    let names = widest.saturating_sub(surplus).max(NAMES_MIN);
    for row in &mut rows {
        row[0].0 = shortened(&row[0].0, names);
    }
    table(&rows)
}

fn side(branch: &str, side: &SideReport, role: &str, weight: Option<String>) -> Vec<(String, Tone)> {
    let count = |count: Option<u32>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let short = side.healthy.zip(side.desired).is_some_and(|(healthy, desired)| healthy < desired);
    let health = if short { Tone::Attention } else { Tone::Plain };
    vec![
        (format!("{branch}{}", clean::line(&side.service)), Tone::Plain),
        (role.to_owned(), Tone::Plain),
        (side.revision.clone(), Tone::Plain),
        (weight.unwrap_or_else(|| "?".to_owned()), Tone::Plain),
        (count(side.desired), Tone::Plain),
        (count(side.running), Tone::Plain),
        (count(side.healthy), health),
    ]
}

/// What is left of the whole beside a share in per cent.
fn remainder(percent: &str) -> Option<String> {
    let (whole, tenths) = percent.split_once('.').unwrap_or((percent, "0"));
    let share = whole.parse::<u16>().ok()?.checked_mul(10)?.checked_add(tenths.parse().ok()?)?;
    let rest = Weight::per_mille(Weight::per_mille(share).ok()?.stable()).ok()?;
    Some(rest.to_string())
}

fn steps(report: &Report) -> Vec<Line> {
    let stopped = matches!(report.phase.as_str(), "Aborting" | "Degraded");
    let mut rows = vec![vec![("STEPS".to_owned(), Tone::Faint)]];
    for (at, step) in report.steps.iter().enumerate() {
        let (sign, word, tone) = match step.state {
            StepProgress::Done => ("✔", "done", Tone::Good),
            StepProgress::Skipped => ("↷", "passed over", Tone::Attention),
            StepProgress::Current if stopped => ("✖", "stopped here", Tone::Bad),
            StepProgress::Current => ("●", "now", Tone::Strong),
            StepProgress::Ahead if stopped => ("○", "not reached", Tone::Faint),
            StepProgress::Ahead => ("○", "ahead", Tone::Faint),
        };
        let left = report.steps.get(at + 1).and_then(|next| next.entered_at);
        let until = left.or(report.ended_at).unwrap_or(report.now);
        let took = step.entered_at.map_or_else(String::new, |entered| between(entered, until));
        let name = format!("{sign} {:>2}  {}", at + 1, step.step);
        rows.push(vec![(name, tone), (word.to_owned(), tone), (took, Tone::Plain)]);
    }
    let heading = rows.remove(0);
    let mut lines = table(&[heading]);
    lines.extend(table(&rows));
    lines
}

fn analysis(metrics: &[MetricReport]) -> Vec<Line> {
    let mut rows = vec![vec![("ANALYSIS".to_owned(), Tone::Faint)]];
    rows.extend(metrics.iter().map(|metric| {
        let pair = |sign: &str, (count, of): (u32, u32)| format!("{sign} {count}/{of}");
        let over = |(count, allowed): (u32, u32), tone| if count > allowed { tone } else { Tone::Plain };
        let enough = metric.successful.0 >= metric.successful.1;
        let value = metric.value.map_or_else(|| "no data".to_owned(), number);
        vec![
            (format!("  {}", metric.metric), Tone::Plain),
            (pair("✔", metric.successful), if enough { Tone::Good } else { Tone::Plain }),
            (pair("✖", metric.failed), over(metric.failed, Tone::Bad)),
            (pair("?", metric.inconclusive), over(metric.inconclusive, Tone::Attention)),
            (value, Tone::Plain),
            (metric.threshold.clone(), Tone::Faint),
        ]
    }));
    table(&rows)
}

/// Four significant digits are enough to compare a value with its threshold.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-6.0..15.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let digits = (3.0 - magnitude).clamp(0.0, 9.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=9 just above")]
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stable_side_has_the_rest_of_the_weight() {
        assert_eq!(remainder("12.5").as_deref(), Some("87.5"));
        assert_eq!(remainder("0").as_deref(), Some("100"));
        assert_eq!(remainder("100.1"), None);
        assert_eq!(remainder("?"), None);
    }

    #[test]
    fn numbers_have_four_significant_digits() {
        let texts = [0.0, 0.024, 0.012_345_6, 123.456, 1234.56, 3e-9].map(number);
        assert_eq!(texts, ["0", "0.024", "0.01235", "123.5", "1235", "3.000e-9"]);
    }
}
