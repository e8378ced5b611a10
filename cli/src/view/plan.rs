//! What a start would do.

use tidegate::api::{Asked, PlanReport};

use super::line::{Line, Tone, table};
use super::time::seconds_as_text;

/// Returns services, rules and steps with the least time that each takes.
pub fn lines(plan: &PlanReport, width: usize) -> Vec<Line> {
    let mut lines = table(&[
        vec![("Stable:".to_owned(), Tone::Plain), (plan.stable.clone(), Tone::Plain)],
        vec![("Canary:".to_owned(), Tone::Plain), (plan.canary.clone(), Tone::Plain)],
        vec![("Revision:".to_owned(), Tone::Plain), (plan.revision.clone(), Tone::Strong)],
    ]);
    lines.push(Line::new());
    lines.push(Line::new().tone("MANAGED RULES", Tone::Faint));
    lines.extend(plan.rules.iter().map(|rule| Line::of(format!("  {rule}"))));
    lines.push(Line::new());
    let heading = ["STEPS", "CANARY TASKS", "AT LEAST", "AWS CALLS AT LEAST"];
    let mut rows = vec![heading.map(|title| (title.to_owned(), Tone::Faint)).to_vec()];
    rows.extend(plan.steps.iter().enumerate().map(|(at, step)| {
        vec![
            (format!("{:>2}  {}", at + 1, step.step), Tone::Plain),
            (step.tasks.to_string(), Tone::Plain),
            (seconds_as_text(step.least_seconds), Tone::Plain),
            (asked(&step.calls), Tone::Plain),
        ]
    }));
    let whole: u64 = plan.steps.iter().map(|step| step.least_seconds).sum();
    rows.push(vec![
        ("    in all".to_owned(), Tone::Plain),
        (String::new(), Tone::Plain),
        (seconds_as_text(whole), Tone::Strong),
        (String::new(), Tone::Plain),
    ]);
    lines.extend(table(&rows));
    if !plan.look.is_empty() {
        lines.push(Line::new());
        lines.push(Line::new().tone(format!("A look is {}.", asked(&plan.look)), Tone::Faint));
    }
    lines.into_iter().map(|line| line.cut(width)).collect()
}

/// `ModifyRule ×2, look`.
fn asked(calls: &[Asked]) -> String {
    let each = calls.iter().map(|Asked { call, times }| match times {
        1 => call.clone(),
        times => format!("{call} ×{times}"),
    });
    each.collect::<Vec<_>>().join(", ")
}
