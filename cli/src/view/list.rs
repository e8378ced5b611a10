//! Rollouts as a table, newest first.

use tidegate::api::Listed;

use super::line::{Line, Tone, table};
use super::report::phase_sign;
use super::time::date;

/// Returns the table; one sentence where there is nothing to list.
pub fn lines(rollouts: &[Listed], width: usize) -> Vec<Line> {
    if rollouts.is_empty() {
        return Vec::new();
    }
    let heading = ["NAME", "STATUS", "STEP", "WEIGHT", "REVISION", "STARTED", "ENDED"];
    let mut rows = vec![heading.map(|title| (title.to_owned(), Tone::Faint)).to_vec()];
    rows.extend(rollouts.iter().map(row));
    if rollouts.iter().any(|listed| listed.next.is_some()) {
        rows[0].push(("THEN".to_owned(), Tone::Faint));
        for (row, listed) in rows.iter_mut().skip(1).zip(rollouts) {
            row.push((listed.next.clone().unwrap_or_default(), Tone::Plain));
        }
    }
    table(&rows).into_iter().map(|line| line.cut(width)).collect()
}

fn row(listed: &Listed) -> Vec<(String, Tone)> {
    let (sign, tone) = phase_sign(&listed.phase);
    let (step, steps) = listed.step;
    vec![
        (listed.rollout.to_string(), Tone::Strong),
        (format!("{sign} {}", listed.phase), tone),
        (format!("{}/{steps}", (step + 1).min(steps)), Tone::Plain),
        (listed.weight.clone(), Tone::Plain),
        (listed.revision.clone(), Tone::Plain),
        (date(listed.started_at), Tone::Plain),
        (listed.ended_at.map(date).unwrap_or_default(), Tone::Plain),
    ]
}
