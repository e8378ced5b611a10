//! The account at the end of the demo, as tables.

use std::time::Duration;

use jiff::SignedDuration;
use sandbox::demo::{RolloutSummary, Seen, Summary, Wanted, causes};

use super::line::{Line, Tone};
use super::report::phase_sign;

/// Returns the whole account.
pub fn lines(summary: &Summary, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for rollout in &summary.rollouts {
        lines.extend(rollout_lines(rollout));
        lines.push(Line::new());
    }
    lines.extend(calls(summary));
    lines.push(Line::new());
    if let Some(kill) = &summary.kill {
        lines.push(Line::of(kill));
    }
    lines.extend(user_errors(summary));
    lines.into_iter().map(|line| line.cut(width)).collect()
}

fn rollout_lines(rollout: &RolloutSummary) -> Vec<Line> {
    let (sign, tone) = phase_sign(&rollout.phase);
    let wanted = match rollout.wanted {
        Wanted::Promoted => "to be promoted",
        Wanted::Home => "to go home by itself",
    };
    let title = Line::new().tone(format!("{} → {}", rollout.stable, rollout.canary), Tone::Strong);
    let mut lines = vec![title.plain(format!(", {wanted}: ")).tone(format!("{sign} {}", rollout.phase), tone)];
    if let Some(reason) = &rollout.reason {
        lines.push(Line::of(format!("  {reason}")));
    }
    let head = ["  step".to_owned(), "virtual".into(), "wall".into(), "weight".into()];
    lines.push(columns(&head, [rollout.stable.clone(), rollout.canary.clone()]));
    for step in &rollout.steps {
        let cells = [
            format!("  {}", step.step),
            clock(step.virtual_time),
            seconds(step.wall_time),
            format!("{} %", step.weight),
        ];
        lines.push(columns(&cells, [seen(step.stable), seen(step.canary)]));
    }
    if let Some(way) = rollout.alarm_to_home {
        let (virtual_time, wall) = (way.virtual_time.as_secs_f64(), way.wall_time.as_secs_f64());
        lines.push(Line::of(format!(
            "  from the alarm to weight 0 on every rule: {virtual_time:.1} s of virtual time, {wall:.2} s of wall time"
        )));
    }
    lines
}

/// Requests and errors per revision stand behind the step's own columns.
fn columns(own: &[String; 4], revisions: [String; 2]) -> Line {
    let [step, virtual_time, wall, weight] = own;
    let [stable, canary] = revisions;
    Line::of(format!("{step:<32}{virtual_time:>8}{wall:>9}{weight:>9}  {stable:>24}  {canary:>24}"))
}

fn seen(seen: Seen) -> String {
    format!("{} requests, {} 5xx", seen.requests, seen.errors)
}

fn clock(span: SignedDuration) -> String {
    format!("{}:{:02}", span.as_secs() / 60, span.as_secs() % 60)
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

fn calls(summary: &Summary) -> Vec<Line> {
    let mut lines = vec![Line::new().tone("AWS calls", Tone::Strong)];
    for (function, operations) in &summary.calls {
        let total: u64 = operations.values().sum();
        lines.push(Line::of(format!("  {function:<12}{total:>6}")));
        let mut operations: Vec<(&String, &u64)> = operations.iter().collect();
        operations.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (operation, count) in operations {
            lines.push(Line::of(format!("    {operation:<46}{count:>6}")));
        }
    }
    lines
}

fn user_errors(summary: &Summary) -> Vec<Line> {
    let (sign, tone) = if summary.user_errors_total == 0 { ("✔", Tone::Good) } else { ("✖", Tone::Bad) };
    let total = format!("{sign} user errors caused by the controller: {}", summary.user_errors_total);
    let mut lines = vec![Line::new().tone(total, tone)];
    let of_cause = |(cause, count): (&str, u64)| Line::of(format!("    {count:>6}  {cause}"));
    lines.extend(causes(&summary.user_errors).map(of_cause));
    lines
}
