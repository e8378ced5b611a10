//! Brings a bench to each state by what really leads there.

use super::super::blue_green::{prepared, spec as shown};
use super::super::header_route::routed;
use super::super::waits::watched;
use super::super::{judged, usual};
use super::{Bench, State};
use crate::analysis::Found;
use crate::fault;
use crate::machine::effect::Write;
use crate::machine::event::{Event, Verb};
use crate::observation::{Health, Read};
use crate::plan::Step;
use crate::spec::{OnTimeout, PauseLimit};
use crate::test_support::seconds;

/// Before it, a rollout of `usual()` deploys; after it, it is at its first weight.
const AT_TWENTY: i64 = 60;

pub fn to(state: State) -> Bench {
    match state {
        State::Deploying => {
            let mut bench = Bench::new(usual());
            bench.bend = |seen| seen.canary_health = Read::Is(Health { initial: 1, ..Health::default() });
            begun(bench, 20)
        }
        State::Previewing => {
            let mut bench = prepared(shown());
            bench.mute = |write| matches!(write, Write::Preview { .. });
            begun(bench, 5)
        }
        State::Routing => {
            let mut bench = routed();
            bench.mute = |write| matches!(write, Write::OpenRoutes { .. });
            begun(bench, 10)
        }
        State::Weighting => {
            let mut bench = Bench::new(usual());
            bench.mute = |write| matches!(write, Write::SetWeights { .. });
            begun(bench, 10)
        }
        State::Settling => {
            let mut bench = Bench::new(usual());
            bench.give(vec![Event::Tick]);
            passing(bench, state)
        }
        State::Pausing => begun(Bench::new(usual()), AT_TWENTY),
        State::PausedForPromote => {
            let mut steps = usual();
            steps[2] = Step::Pause { duration: None, limit: None };
            begun(Bench::new(steps), AT_TWENTY)
        }
        State::PausedWithLimit => {
            let mut steps = usual();
            let limit = Some(PauseLimit { timeout: seconds(3600), on_timeout: OnTimeout::Abort });
            steps[2] = Step::Pause { duration: None, limit };
            begun(Bench::new(steps), AT_TWENTY)
        }
        State::PausedByPerson => {
            let mut bench = begun(Bench::new(usual()), AT_TWENTY);
            bench.command(Verb::Pause);
            bench
        }
        State::PausedInconclusive => {
            let mut bench = judged();
            bench.reading = Found::NoData;
            begun(bench, 600)
        }
        State::PausedWatched => {
            let mut bench = watched();
            bench.reading = Found::NoData;
            begun(bench, 600)
        }
        State::PausedForDrift => {
            let mut bench = begun(Bench::new(usual()), AT_TWENTY);
            bench.weight = crate::test_support::per_cent(5);
            passing(bench, state)
        }
        State::Judging => begun(judged(), 120),
        State::Baking | State::CleaningUp => passing(begun(Bench::new(usual()), AT_TWENTY), state),
        State::GoingHome => {
            let mut bench = begun(Bench::new(usual()), AT_TWENTY);
            bench.mute = |_| true;
            bench.red();
            bench
        }
        State::Draining => {
            let mut bench = begun(Bench::new(usual()), AT_TWENTY);
            bench.red();
            bench
        }
        State::HomeHeld => {
            let mut bench = begun(Bench::new(usual()), AT_TWENTY);
            bench.bend = |seen| seen.stable_health = Read::Is(Health { unhealthy: 4, ..Health::default() });
            bench.pass(60);
            bench.red();
            bench
        }
        State::Healthy => begun(Bench::new(usual()), 1200),
        State::Degraded => {
            let mut bench = begun(Bench::new(usual()), AT_TWENTY);
            bench.answer = |_| fault::Outcome::Applied;
            bench.red();
            bench.pass(600);
            bench
        }
    }
}

fn begun(mut bench: Bench, seconds: i64) -> Bench {
    bench.give(vec![Event::Tick]);
    bench.pass(seconds);
    bench
}

/// Lets time pass, with the sweep's ticks, until it is there.
fn passing(mut bench: Bench, state: State) -> Bench {
    for _ in 0..600 {
        if State::of(&bench.rollout) == state {
            return bench;
        }
        bench.pass(1);
    }
    panic!("it is {:?}, and does not come to {state:?}", State::of(&bench.rollout));
}
