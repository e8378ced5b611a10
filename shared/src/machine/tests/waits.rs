//! Waiting: for people, for windows, for capacity, and never for ever.

use super::{Bench, usual};
use crate::machine::event::{Event, Verb};
use crate::machine::{Outcome, report};
use crate::plan::Step;
use crate::rollout::{AbortReason, PauseReason, Phase};
use crate::spec::{OnTimeout, PauseLimit};
use crate::test_support::seconds;
use crate::weight::Weight;

fn limited(on_timeout: OnTimeout) -> Bench {
    let mut steps = usual();
    let limit = Some(PauseLimit { timeout: seconds(3600), on_timeout });
    steps[2] = Step::Pause { duration: None, limit };
    let mut bench = Bench::new(steps);
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    bench
}

/// argo #2200, flagger #1450: a gate that nobody answers.
#[test]
fn argo_2200_a_pause_that_nobody_ends_goes_home_at_its_limit() {
    let mut bench = limited(OnTimeout::Abort);
    let said = report(&bench.rollout, bench.now());
    assert!(said.message.contains("goes home at 2027-01-15T09:00"), "{}", said.message);
    assert!(said.next_wake_up.is_some() && !said.needs_person);
    bench.pass(3400);
    assert!(matches!(bench.rollout.phase, Phase::Paused { .. }), "{:?}", bench.rollout.phase);
    bench.pass(600);
    let reason = AbortReason::PauseTimeout { step: "pause until promoted, abort after 1h".into() };
    assert_eq!(bench.rollout.phase, Phase::Degraded { reason });
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn a_pause_with_a_limit_may_go_on_by_itself_instead() {
    let mut bench = limited(OnTimeout::Promote);
    assert!(report(&bench.rollout, bench.now()).message.contains("goes on at"));
    bench.pass(5000);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn promote_ends_a_pause_with_a_limit_and_a_persons_pause_outlasts_the_limit() {
    let mut bench = limited(OnTimeout::Abort);
    assert!(matches!(bench.command(Verb::Promote), Outcome::Applied(_)));
    assert!(bench.rollout.cursor > 2);
    for then in [OnTimeout::Abort, OnTimeout::Promote] {
        let mut bench = limited(then);
        assert!(matches!(bench.command(Verb::Resume), Outcome::Refused(_)));
        assert!(matches!(bench.command(Verb::Pause), Outcome::Applied(_)));
        bench.pass(8000);
        let person = matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Person { .. }, .. });
        assert!(person, "{:?}", bench.rollout.phase);
        bench.command(Verb::Resume);
        let aborting = matches!(bench.rollout.phase, Phase::Aborting { .. });
        assert_eq!(aborting, then == OnTimeout::Abort, "what was due happens then: {:?}", bench.rollout.phase);
    }
}
