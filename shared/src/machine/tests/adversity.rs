//! What others do to a rollout, and what the network does to its writes.

use super::{Bench, applied, usual};
use crate::fault::{self, Fault, Obstacle};
use crate::machine::effect::{Effect, Transition, Write};
use crate::machine::event::{Command, Event, Verb};
use crate::machine::{Outcome, report, step};
use crate::observation::{Health, Observation, Read};
use crate::rollout::{AbortReason, PauseReason, Phase, Rollout, StepState};
use crate::test_support::{look, per_cent, revision};
use crate::weight::Weight;

fn at_twenty() -> Bench {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert_eq!(bench.weight, per_cent(20));
    bench
}

fn gone<T>() -> Read<T> {
    Read::Unknown(Fault::permanent(Obstacle::NotFound, "it is gone"))
}

#[test]
fn a_canary_with_users_and_no_healthy_target_goes_home_even_while_a_person_paused() {
    let mut bench = at_twenty();
    bench.command(Verb::Pause);
    bench.bend = |seen| seen.canary_health = Read::Is(Health { unhealthy: 1, ..Health::default() });
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    assert!(matches!(&bench.rollout.phase, Phase::Aborting { reason: AbortReason::Unhealthy { .. }, .. }));
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn a_canary_that_nobody_can_judge_stays_where_neither_side_is_well_or_nothing_is_known() {
    let neither: fn(&mut Observation) = |seen| {
        seen.canary_health = Read::Is(Health::default());
        seen.stable_health = Read::Is(Health::default());
    };
    let unknown: fn(&mut Observation) = |seen| seen.canary_health = Read::Unknown(Fault::transient("Rate exceeded"));
    for bend in [neither, unknown] {
        let mut bench = at_twenty();
        bench.bend = bend;
        bench.second += 40;
        bench.give(vec![Event::Tick]);
        assert!(!matches!(bench.rollout.phase, Phase::Aborting { .. }), "{:?}", bench.rollout.phase);
    }
}

#[test]
fn a_deployment_that_the_circuit_breaker_rolled_back_sends_it_home() {
    let mut bench = at_twenty();
    bench.bend = |seen| {
        if let Read::Is(canary) = &mut seen.canary {
            canary.deployments[0].rollout_state = Some("FAILED".into());
            canary.task_definition = revision(1);
        }
    };
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    assert!(matches!(&bench.rollout.phase, Phase::Aborting { reason: AbortReason::Unhealthy { .. }, .. }));
}

#[test]
fn one_stale_look_is_no_drift_and_holds_up_what_is_next_until_a_second_one() {
    let mut bench = at_twenty();
    let stale: fn(&mut Observation) = |seen| {
        if let Read::Is(stable) = &mut seen.stable {
            stable.desired = 3;
        }
    };
    bench.bend = stale;
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    assert!(bench.rollout.doubt.is_some(), "{:?}", bench.rollout.phase);
    bench.bend = |_| {};
    bench.pass(20);
    assert!(bench.rollout.doubt.is_none());
    bench.bend = stale;
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    bench.pass(20);
    assert!(
        matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }),
        "{:?} {:?} {:?}",
        bench.rollout.phase,
        bench.rollout.current(),
        bench.rollout.doubt
    );
}

#[test]
fn a_way_home_that_failed_is_repeated_although_nothing_can_be_read() {
    let mut bench = at_twenty();
    bench.bend = |seen| seen.rules = Read::Unknown(Fault::transient("Rate exceeded"));
    bench.answer = |_| fault::Outcome::NotApplied { fault: Fault::transient("Rate exceeded") };
    bench.red();
    assert_eq!(bench.weight, per_cent(20));
    bench.answer = applied;
    bench.pass(30);
    assert_eq!(bench.weight, Weight::ZERO, "{:?}", bench.writes);
    let writes = bench.writes.len();
    bench.pass(30);
    assert_eq!(bench.writes.len(), writes, "what is known to be written is not written again");
}

#[test]
fn a_write_that_the_way_home_overtook_keeps_the_canary_until_it_has_ended() {
    let overtaken = || {
        let mut bench = at_twenty();
        // The write of the next weight is in the air, and nobody answers.
        while bench.rollout.in_flight.as_ref().is_none_or(|write| !write.what.starts_with("weights")) {
            bench.second += 1;
            let events = match bench.rollout.looking.clone() {
                Some(asked) => {
                    let mut seen = look(&bench.rollout, bench.tasks, bench.weight, bench.now());
                    seen.generation = asked.generation;
                    vec![Event::Observed(Box::new(seen))]
                }
                None => vec![Event::Tick],
            };
            let next = step(bench.rollout.clone(), events, bench.now());
            bench.rollout = next.rollout;
            for effect in next.effects {
                if let Effect::Perform { token, write: Write::Scale { tasks, .. } } = effect {
                    bench.tasks = tasks;
                    let answer = Event::Performed { token, outcome: fault::Outcome::Applied };
                    bench.rollout = step(bench.rollout.clone(), vec![answer], bench.now()).rollout;
                }
            }
            assert!(bench.second < 2000, "{:?}", bench.rollout.phase);
        }
        bench
    };
    let mut bench = overtaken();
    let write = bench.rollout.in_flight.clone().unwrap();
    bench.rollout.baseline.canary.deregistration_delay = jiff::SignedDuration::ZERO;
    bench.red();
    bench.pass(20);
    assert_eq!(bench.weight, Weight::ZERO);
    // It comes after all, and is undone at the next look.
    bench.weight = per_cent(50);
    bench.pass(15);
    assert_eq!(bench.weight, Weight::ZERO);
    let answer = Event::Performed { token: write.token, outcome: fault::Outcome::Applied };
    bench.give(vec![answer]);
    bench.pass(100);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "{:?}", bench.rollout.phase);

    let mut bench = overtaken();
    let write = bench.rollout.in_flight.clone().unwrap();
    bench.red();
    while bench.now().at < write.expires_at {
        assert!(bench.tasks > 0, "at {} s", bench.second);
        bench.pass(1);
        bench.second += 1;
    }
    bench.pass(100);
    assert_eq!(bench.tasks, 0);
}

#[test]
fn home_that_a_person_left_for_the_side_that_is_well_is_not_forced_on_them() {
    let mut bench = at_twenty();
    bench.red();
    bench.bend = |seen| seen.stable_health = Read::Is(Health { unhealthy: 4, ..Health::default() });
    bench.pass(10);
    assert!(report(&bench.rollout, bench.now()).waiting_on.contains("drain"));
    bench.weight = Weight::FULL;
    bench.pass(120);
    assert_eq!(bench.weight, Weight::FULL);
    assert!(report(&bench.rollout, bench.now()).needs_person);
    let told = bench.command(Verb::Abort);
    assert!(matches!(&told, Outcome::NoOp(why) if why.contains("by hand")), "{told:?}");
    bench.bend = |_| {};
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }));
}

#[test]
fn the_revision_that_went_home_keeps_no_task_where_the_service_had_some_of_another() {
    let mut bench = Bench::new(usual());
    bench.rollout.baseline.canary.tasks = 3;
    bench.tasks = 3;
    bench.give(vec![Event::Tick]);
    bench.pass(30);
    bench.red();
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }));
    assert_eq!(bench.tasks, 0);
}

#[test]
fn a_service_that_somebody_deleted_is_nothing_to_wait_for() {
    let mut bench = at_twenty();
    bench.red();
    bench.bend = |seen| seen.canary = gone();
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }));

    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    while bench.rollout.promoted_at.is_none() {
        bench.pass(1);
        bench.second += 1;
    }
    bench.bend = |seen| seen.stable = gone();
    bench.pass(600);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn a_way_home_that_stays_refused_names_a_person() {
    let mut bench = at_twenty();
    bench.answer = |_| fault::Outcome::NotApplied { fault: Fault::permanent(Obstacle::NotFound, "rule") };
    bench.red();
    bench.pass(600);
    let report = report(&bench.rollout, bench.now());
    assert!(report.needs_person && report.waiting_on.contains("rule"), "{report:?}");
}

#[test]
fn an_abort_is_obeyed_whatever_step_the_person_saw() {
    let mut bench = at_twenty();
    let stale = Command { verb: Verb::Abort, expected_step: Some(0), by: "arn:me".into() };
    assert!(matches!(bench.give(vec![Event::Command(stale)])[0], Outcome::Applied(_)));
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn a_broken_record_says_so_and_still_goes_home() {
    let mut bench = at_twenty();
    bench.rollout.entered.pop();
    assert!(bench.rollout.assert_valid().is_err());
    let report = report(&bench.rollout, bench.now());
    assert!(report.needs_person && report.waiting_on.contains("broken"));
    let abort = Command { verb: Verb::Abort, expected_step: None, by: "arn:me".into() };
    let step = step(bench.rollout.clone(), vec![Event::Command(abort)], bench.now());
    let home = |effect: &Effect| matches!(effect, Effect::Perform { write: Write::GoHome { .. }, .. });
    assert!(step.effects.iter().any(home));
}

#[test]
fn a_record_from_before_a_field_was_there_is_read() {
    let mut record = serde_json::to_value(&at_twenty().rollout).unwrap();
    record.as_object_mut().unwrap().remove("doubt");
    assert!(serde_json::from_value::<Rollout>(record).is_ok());
}

#[test]
fn resuming_after_drift_measures_anew() {
    let mut bench = super::judged();
    bench.give(vec![Event::Tick]);
    while !matches!(bench.rollout.step, StepState::Judging { .. }) {
        bench.pass(1);
        bench.second += 1;
    }
    let run = |bench: &Bench| {
        let StepState::Judging { run } = &bench.rollout.step else { panic!("{:?}", bench.rollout.step) };
        run.run
    };
    let before = run(&bench);
    let right = bench.weight;
    bench.weight = per_cent(1);
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }));
    bench.weight = right;
    bench.command(Verb::Resume);
    assert_ne!(run(&bench), before);
    assert!(bench.told.contains(&Transition::RolloutResumed));
}
