//! The matrix as a document: a diagram of who becomes what, and a table of what each thing does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::facts::Fact;
use super::{Cell, State, each};
use crate::machine::Outcome;
use crate::machine::effect::{Effect, Write};

const HEAD: &str = "\
# States and events
What each thing that happens does to a rollout, wherever it is. Made by running the machine, one cell after the other
(`shared/src/machine/tests/matrix/`); a test fails where this page and the machine differ, and
`UPDATE_STATES=1 cargo test -p tidegate --lib matrix` writes it anew.

";

const LEGEND: &str = "
## What each thing does
Rows are what happens, columns where the rollout is. In a cell, first what becomes of it:

| | |
|---|---|
| `·` | taken note of, nothing changes |
| `✓` | taken in |
| `✗` | refused: exit code 3, with the reason and what to do |
| empty | cannot be: nothing was asked that it could answer |

then `→` and the new state where it changes, and what is done: `look` at everything that the rollout touches, `weights`
and `home` are writes of every managed rule, `preview` one of the test listener, `deploy` and `scale` writes of a service, `measure` asks CloudWatch. Timers
and announcements are left out. An alarm that is seen, or that rings, counts the same.

";

pub fn document() -> String {
    let mut edges: BTreeMap<(State, State), Vec<&'static str>> = BTreeMap::new();
    let mut cells: BTreeMap<(usize, State), String> = BTreeMap::new();
    let facts: Vec<Fact> = Fact::all().collect();
    each(|state, fact, cell| {
        let row = facts.iter().position(|known| *known == fact).expect("it is one of all");
        cells.insert((row, state), text(state, cell));
        if cell.becomes() != state {
            edges.entry((state, cell.becomes())).or_default().push(fact.label());
        }
    });
    format!("{HEAD}{}{LEGEND}{}", diagram(&edges), table(&facts, &cells))
}

/// Time alone leads from each of these to the next: the plan.
const BY_TIME: [(State, State); 11] = [
    (State::Deploying, State::Weighting),
    (State::Deploying, State::Previewing),
    (State::Previewing, State::Weighting),
    (State::Weighting, State::Settling),
    (State::Settling, State::Pausing),
    (State::Settling, State::Judging),
    (State::Settling, State::Baking),
    (State::Pausing, State::Deploying),
    (State::Baking, State::CleaningUp),
    (State::CleaningUp, State::Healthy),
    (State::Draining, State::Degraded),
];

/// A diagram in which the way home, which leads from everywhere, is drawn once.
fn diagram(edges: &BTreeMap<(State, State), Vec<&'static str>>) -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n  [*] --> Deploying\n");
    for (from, to) in BY_TIME {
        _ = writeln!(text, "  {from:?} --> {to:?}");
    }
    for ((from, to), labels) in edges {
        let homeward = to.is_homeward() && !from.is_homeward();
        if homeward || BY_TIME.contains(&(*from, *to)) {
            continue;
        }
        _ = writeln!(text, "  {from:?} --> {to:?}: {}", labels.join(", ").replace('`', "").replace(':', " –"));
    }
    text.push_str("  Healthy --> [*]\n  Degraded --> [*]\n```\n");
    text.push_str(
        "Not drawn: from every state before `CleaningUp`, `abort` and an alarm lead to `GoingHome` at once.\n",
    );
    text
}

fn table(facts: &[Fact], cells: &BTreeMap<(usize, State), String>) -> String {
    let states: Vec<State> = State::all().collect();
    let names: Vec<String> = states.iter().map(|state| format!("{state:?}")).collect();
    let mut text = format!("| | {} |\n|{}\n", names.join(" | "), "---|".repeat(states.len() + 1));
    for (row, fact) in facts.iter().enumerate() {
        let of_row = states.iter().map(|state| cells.get(&(row, *state)).map_or("", String::as_str));
        _ = writeln!(text, "| {} | {} |", fact.label(), of_row.collect::<Vec<_>>().join(" | "));
    }
    text
}

fn text(state: State, cell: &Cell) -> String {
    let becomes = cell.becomes();
    let mut words = vec![match cell.outcome() {
        Outcome::Applied(_) => "✓".to_owned(),
        Outcome::NoOp(_) => "·".to_owned(),
        Outcome::Refused(_) => "✗".to_owned(),
    }];
    if becomes != state {
        words.push(format!("→ {becomes:?}"));
    }
    let done: Vec<&str> = cell.after.effects.iter().filter_map(deed).collect();
    if !done.is_empty() {
        words.push(done.join(", "));
    }
    words.join(" ")
}

fn deed(effect: &Effect) -> Option<&'static str> {
    match effect {
        Effect::Observe { .. } => Some("look"),
        Effect::Perform { write, .. } => Some(match write {
            Write::SetWeights { .. } => "weights",
            Write::GoHome { .. } => "home",
            Write::Preview { .. } => "preview",
            Write::CreateRoutes { .. } => "create header rules",
            Write::OpenRoutes { .. } => "open header rules",
            Write::DeleteRoutes { .. } => "delete header rules",
            Write::Deploy { .. } => "deploy",
            Write::Scale { .. } => "scale",
        }),
        Effect::Measure(_) => Some("measure"),
        Effect::WakeAt { .. } | Effect::Announce(_) => None,
    }
}
