//! The crash matrix: every effect, and each moment at which its performer, or its call, can be lost.

use std::collections::BTreeMap;

use super::check;
use super::world::{Act, Ill, Mail, Place, Process, Stage};
use crate::machine::effect::{Effect, Write};

/// What is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Look,
    WakeAt,
    Deploy,
    Scale,
    Weights,
    Home,
}

/// When it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// The process dies before it.
    Before,
    /// It is applied, and the answer is an error that does not say so.
    AppliedButError,
    /// It is lost, and so is the answer.
    LostWithoutAnswer,
    /// It is applied, and the process dies before that is saved.
    AfterEffectBeforeSave,
    /// It is applied and saved, and the process dies before what is next.
    AfterSave,
    /// It is applied twice.
    Twice,
}

const DEEDS: [Deed; 6] = [Deed::Look, Deed::WakeAt, Deed::Deploy, Deed::Scale, Deed::Weights, Deed::Home];
const MOMENTS: [Moment; 6] = [
    Moment::Before,
    Moment::AppliedButError,
    Moment::LostWithoutAnswer,
    Moment::AfterEffectBeforeSave,
    Moment::AfterSave,
    Moment::Twice,
];

/// Looks and timers are no calls that change anything: applied or not is the same, and twice is a duplicate.
fn is_possible(deed: Deed, moment: Moment) -> bool {
    match deed {
        Deed::Look => matches!(moment, Moment::Before | Moment::AfterEffectBeforeSave | Moment::AfterSave),
        Deed::WakeAt => matches!(moment, Moment::Before | Moment::AfterEffectBeforeSave | Moment::Twice),
        Deed::Deploy | Deed::Scale | Deed::Weights | Deed::Home => true,
    }
}

fn of_write(write: &Write) -> Deed {
    match write {
        Write::SetWeights { .. } => Deed::Weights,
        Write::GoHome { .. } => Deed::Home,
        Write::Deploy { .. } => Deed::Deploy,
        Write::Scale { .. } => Deed::Scale,
        Write::Preview { .. } | Write::CreateRoutes { .. } | Write::OpenRoutes { .. } | Write::DeleteRoutes { .. } => {
            unreachable!("the plan has neither preview nor header routes")
        }
    }
}

/// What the process is about to perform.
fn about_to(process: &Process) -> Option<Deed> {
    match &process.stage {
        Stage::Pulling { write, .. } => Some(of_write(write)),
        Stage::Performing { effects, .. } => match effects.first()? {
            Effect::Observe { .. } => Some(Deed::Look),
            Effect::WakeAt { .. } => Some(Deed::WakeAt),
            // Its call is a stage of its own.
            Effect::Perform { .. } | Effect::Measure(_) | Effect::Announce(_) => None,
        },
        Stage::Folding(_) => None,
    }
}

/// What comes of it if it goes wrong at that moment, and nothing does any more.
fn gone_wrong(place: &Place, deed: Deed, moment: Moment) -> Result<Place, String> {
    let folded = |mut place: Place| {
        while let Some(Process { stage: Stage::Performing { .. } | Stage::Pulling { .. }, .. }) =
            place.processes.first()
        {
            place = place.after(Act::Proceed(0))?;
        }
        if place.processes.is_empty() { Ok(place) } else { place.after(Act::Proceed(0)) }
    };
    let died = |place: Place| if place.processes.is_empty() { Ok(place) } else { place.after(Act::Crash(0)) };
    match moment {
        Moment::Before => place.after(Act::Crash(0)),
        Moment::AppliedButError => place.after(Act::TimeOutApplied(0)),
        Moment::LostWithoutAnswer => place.after(Act::TimeOutLost(0)),
        Moment::AfterEffectBeforeSave => died(place.after(Act::Proceed(0))?),
        Moment::AfterSave => died(folded(place.after(Act::Proceed(0))?)?),
        Moment::Twice if deed == Deed::WakeAt => {
            let mut after = place.after(Act::Proceed(0))?;
            after.mail.extend(after.mail.last().cloned());
            Ok(after)
        }
        Moment::Twice => place.after(Act::ProceedTwice(0)),
    }
}

fn ends(mut place: Place) -> Result<(), String> {
    while let Some(act) = place.calm() {
        place = place.after(act)?;
    }
    check::ended(&place).map(|_| ())
}

/// Goes wrong once at every moment of every effect of a run; `abort` says after how many acts somebody says it.
fn run(abort: Option<usize>, cells: &mut BTreeMap<(Deed, Moment), usize>) {
    let mut place = Place::first(Ill { crashes: 1, time_outs: 1, aborts: 1, ..Ill::default() });
    for number in 0.. {
        if abort == Some(number) && !place.stored.is_finished() {
            place.mail.push(Mail::Abort);
        }
        if let Some(deed) = place.processes.first().and_then(about_to) {
            for moment in MOMENTS.into_iter().filter(|moment| is_possible(deed, *moment)) {
                let after = gone_wrong(&place, deed, moment);
                let outcome = after.and_then(ends);
                assert_eq!(outcome, Ok(()), "{deed:?} × {moment:?}, abort at {abort:?}, act {number}");
                *cells.entry((deed, moment)).or_default() += 1;
            }
        }
        match place.calm() {
            Some(act) => place = place.after(act).unwrap(),
            None => return,
        }
    }
}

#[test]
fn whatever_dies_at_whatever_moment_of_an_effect_the_rollout_ends_as_it_should() {
    let mut cells = BTreeMap::new();
    run(None, &mut cells);
    for abort in (0..160).step_by(4) {
        run(Some(abort), &mut cells);
    }
    for deed in DEEDS {
        for moment in MOMENTS {
            let times = cells.get(&(deed, moment)).copied().unwrap_or(0);
            println!("{deed:?} × {moment:?}: {times}");
            assert_eq!(times > 0, is_possible(deed, moment), "{deed:?} × {moment:?}: {times}");
        }
    }
}
