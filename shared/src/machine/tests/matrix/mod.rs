//! Every state against everything that can happen: made from the enums, so a new state or event without a row does not
//! compile. The table and the diagram that come out of it are `docs/states.md`.

mod bring;
mod facts;
mod print;

use super::Bench;
use crate::machine::effect::{Effect, Write};
use crate::machine::{Outcome, Step, report, step};
use crate::plan;
use crate::rollout::{Homeward, PauseReason, Phase, Rollout, StepState};
use crate::weight::Weight;
use facts::Fact;

/// Where a rollout can be, as far as it matters for what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// The canary's tasks are started, or more of them.
    Deploying,
    /// The test listener is being pointed at the canary.
    Previewing,
    /// Header rules are being made, opened or deleted.
    Routing,
    /// A weight is being written.
    Weighting,
    /// A weight was read back, and settles.
    Settling,
    /// A pause of the plan with an end.
    Pausing,
    /// A pause of the plan that waits for `promote`.
    PausedForPromote,
    /// A pause of the plan that waits for `promote`, and not for ever.
    PausedWithLimit,
    /// A person said `pause`.
    PausedByPerson,
    /// An analysis could not tell.
    PausedInconclusive,
    /// The analysis beside the steps could not tell.
    PausedWatched,
    /// Somebody else was here.
    PausedForDrift,
    /// An analysis is under way.
    Judging,
    /// All traffic is on the canary, and the way home is open.
    Baking,
    /// Promoted: the old side's tasks go.
    CleaningUp,
    /// On the way home, the weights first.
    GoingHome,
    /// The weights are home, the canary drains.
    Draining,
    /// Home was seen to be worse.
    HomeHeld,
    /// Promoted and cleaned up.
    Healthy,
    /// Home again.
    Degraded,
}

impl State {
    const FIRST: Self = Self::Deploying;

    /// The next row; a new state does not compile without its place here.
    fn next(self) -> Option<Self> {
        Some(match self {
            Self::Deploying => Self::Previewing,
            Self::Previewing => Self::Routing,
            Self::Routing => Self::Weighting,
            Self::Weighting => Self::Settling,
            Self::Settling => Self::Pausing,
            Self::Pausing => Self::PausedForPromote,
            Self::PausedForPromote => Self::PausedWithLimit,
            Self::PausedWithLimit => Self::PausedByPerson,
            Self::PausedByPerson => Self::PausedInconclusive,
            Self::PausedInconclusive => Self::PausedWatched,
            Self::PausedWatched => Self::PausedForDrift,
            Self::PausedForDrift => Self::Judging,
            Self::Judging => Self::Baking,
            Self::Baking => Self::CleaningUp,
            Self::CleaningUp => Self::GoingHome,
            Self::GoingHome => Self::Draining,
            Self::Draining => Self::HomeHeld,
            Self::HomeHeld => Self::Healthy,
            Self::Healthy => Self::Degraded,
            Self::Degraded => return None,
        })
    }

    fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::FIRST), |state| state.next())
    }

    fn is_final(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }

    fn is_homeward(self) -> bool {
        matches!(self, Self::GoingHome | Self::Draining | Self::HomeHeld)
    }

    /// Where a record is.
    fn of(rollout: &Rollout) -> Self {
        match &rollout.phase {
            Phase::Progressing => Self::forward(rollout),
            Phase::Paused { reason, .. } => match reason {
                PauseReason::Step { until: Some(_) } => Self::Pausing,
                PauseReason::Step { until: None } => Self::PausedForPromote,
                PauseReason::Limited { .. } => Self::PausedWithLimit,
                PauseReason::Person { .. } => Self::PausedByPerson,
                PauseReason::Inconclusive { .. } => Self::PausedInconclusive,
                PauseReason::Watched { .. } => Self::PausedWatched,
                PauseReason::Drift { .. } => Self::PausedForDrift,
            },
            Phase::Aborting { home, .. } => match home {
                Homeward::Weights => Self::GoingHome,
                Homeward::Draining { .. } => Self::Draining,
                Homeward::Held { .. } => Self::HomeHeld,
            },
            Phase::Healthy => Self::Healthy,
            Phase::Degraded { .. } => Self::Degraded,
        }
    }

    fn forward(rollout: &Rollout) -> Self {
        match (&rollout.step, rollout.current()) {
            (StepState::Verified { .. }, _) => Self::Settling,
            (StepState::Judging { .. }, _) => Self::Judging,
            (StepState::Working { .. } | StepState::Waiting { .. }, current) => match current {
                plan::Step::Deploy { .. } | plan::Step::Scale { .. } => Self::Deploying,
                plan::Step::Preview { .. } => Self::Previewing,
                plan::Step::HeaderRoute { .. } | plan::Step::RemoveRoutes => Self::Routing,
                plan::Step::SetWeight { .. } => Self::Weighting,
                plan::Step::Pause { .. } => Self::Pausing,
                plan::Step::Analysis { .. } | plan::Step::Watch { .. } => Self::Judging,
                plan::Step::Bake { .. } | plan::Step::Promote => Self::Baking,
                plan::Step::CleanUp { .. } => Self::CleaningUp,
            },
        }
    }
}

/// What one thing does to one state.
struct Cell {
    before: Rollout,
    after: Step,
}

impl Cell {
    fn of(state: State, fact: Fact) -> Option<Self> {
        let mut bench = bring::to(state);
        assert_eq!(State::of(&bench.rollout), state, "the bench was brought there");
        let event = facts::make(fact, &mut bench)?;
        let before = bench.rollout.clone();
        let after = step(bench.rollout.clone(), vec![event], bench.now());
        assert_eq!(after, step(before.clone(), vec![facts::make(fact, &mut bench)?], bench.now()), "it is pure");
        Some(Self { before, after })
    }

    fn becomes(&self) -> State {
        State::of(&self.after.rollout)
    }

    fn outcome(&self) -> &Outcome {
        &self.after.outcomes[0]
    }

    fn writes(&self) -> impl Iterator<Item = &Write> {
        self.after.effects.iter().filter_map(|effect| match effect {
            Effect::Perform { write, .. } => Some(write),
            Effect::Observe { .. } | Effect::Measure(_) | Effect::WakeAt { .. } | Effect::Announce(_) => None,
        })
    }
}

/// Runs every cell that there is.
fn each(mut check: impl FnMut(State, Fact, &Cell)) {
    for state in State::all() {
        for fact in Fact::all() {
            if let Some(cell) = Cell::of(state, fact) {
                check(state, fact, &cell);
            }
        }
    }
}

#[test]
fn every_cell_leaves_a_valid_record_that_says_what_it_waits_for() {
    each(|state, fact, cell| {
        let rollout = &cell.after.rollout;
        rollout.assert_valid().unwrap_or_else(|why| panic!("{state:?} × {fact:?}: {why}"));
        let report = report(rollout, bring::to(state).now());
        assert!(!report.waiting_on.is_empty() || rollout.is_finished(), "{state:?} × {fact:?}");
        let moves = report.next_wake_up.is_some() || report.needs_person || rollout.is_finished();
        assert!(moves, "{state:?} × {fact:?}: nobody wakes it up");
    });
}

#[test]
fn the_end_absorbs_everything() {
    each(|state, fact, cell| {
        if state.is_final() {
            assert_eq!(cell.before, cell.after.rollout, "{state:?} × {fact:?}");
            assert!(cell.after.effects.is_empty(), "{state:?} × {fact:?}");
        }
    });
}

#[test]
fn whatever_is_refused_changes_nothing() {
    each(|state, fact, cell| {
        if matches!(cell.outcome(), Outcome::Refused(_)) {
            assert_eq!(cell.becomes(), state, "{state:?} × {fact:?}");
            assert_eq!(cell.before.commanded, cell.after.rollout.commanded, "{state:?} × {fact:?}");
            assert_eq!(cell.before.cursor, cell.after.rollout.cursor, "{state:?} × {fact:?}");
        }
    });
}

#[test]
fn what_is_old_changes_nothing() {
    each(|state, fact, cell| {
        if fact.is_old() {
            assert!(!matches!(cell.outcome(), Outcome::Applied(_)), "{state:?} × {fact:?}: {:?}", cell.outcome());
            assert_eq!(cell.becomes(), state, "{state:?} × {fact:?}");
        }
    });
}

#[test]
fn an_abort_and_an_alarm_lead_home_from_every_state_before_promotion() {
    each(|state, fact, cell| {
        if !fact.calls_home() || state.is_final() || cell.before.promoted_at.is_some() {
            return;
        }
        assert!(cell.becomes().is_homeward(), "{state:?} × {fact:?} gives {:?}", cell.becomes());
        let home = |write: &Write| matches!(write, Write::GoHome { .. });
        // Where the canary was never given anything, the rules are as they were.
        let nothing_to_take_back = cell.before.commanded == Weight::ZERO && cell.before.in_flight.is_none();
        let at_once = cell.writes().any(home) || nothing_to_take_back;
        assert!(state.is_homeward() || at_once, "{state:?} × {fact:?} does not write home at once");
    });
}

#[test]
fn nothing_raises_the_weight_while_it_pauses_or_goes_home() {
    each(|state, fact, cell| {
        let forward = matches!(cell.after.rollout.phase, Phase::Progressing | Phase::Healthy);
        if !forward {
            assert!(cell.after.rollout.commanded <= cell.before.commanded, "{state:?} × {fact:?}");
            let raises = |write: &Write| matches!(write, Write::SetWeights { .. });
            assert!(!cell.writes().any(raises), "{state:?} × {fact:?}");
        }
    });
}

#[test]
fn no_single_fact_takes_capacity_away() {
    each(|state, fact, cell| {
        let takes = |write: &Write| matches!(write, Write::Scale { tasks: 0, .. });
        let may = matches!(state, State::CleaningUp | State::Draining);
        assert!(may || !cell.writes().any(takes), "{state:?} × {fact:?}");
    });
}

#[test]
fn the_documents_show_this_matrix() {
    let made = print::document();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md");
    if std::env::var_os("UPDATE_STATES").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let stands = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        stands == made,
        "docs/states.md is not what the machine does: UPDATE_STATES=1 cargo test -p tidegate --lib matrix"
    );
}
