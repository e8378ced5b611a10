//! `promote --full`, and the holes that others have there.

use super::{Bench, applied, judged, to, usual};
use crate::fault;
use crate::machine::effect::Write;
use crate::machine::event::{Command, Event, Verb};
use crate::machine::report::StepProgress;
use crate::machine::{Outcome, report};
use crate::observation::{Health, Read};
use crate::plan::Step;
use crate::rollout::{AbortReason, Phase};
use crate::test_support::{per_cent, seconds};
use crate::weight::Weight;

fn state(bench: &Bench, index: usize) -> StepProgress {
    report(&bench.rollout, bench.now()).steps[index].state
}

fn progressed(bench: &mut Bench, seconds: i64) {
    bench.give(vec![Event::Tick]);
    bench.pass(seconds);
}

#[test]
fn promote_full_goes_to_the_end_and_keeps_capacity_gate_and_bake() {
    let mut bench = Bench::new(usual());
    progressed(&mut bench, 60);
    let outcome = bench.command(Verb::PromoteFull);
    assert_eq!(outcome, Outcome::Applied("promoted in full: passes over pause 5m".into()));
    bench.pass(20);
    assert_eq!(bench.rollout.current(), &Step::Bake { duration: seconds(120) }, "{:?}", bench.writes);
}

#[test]
fn promote_full_waits_for_full_capacity_before_any_weight() {
    let mut bench = Bench::new(usual());
    progressed(&mut bench, 60);
    bench.bend = |seen| seen.canary_health = Read::Is(Health { healthy: 1, initial: 3, ..Health::default() });
    assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
    bench.pass(300);
    assert_eq!((bench.weight, bench.rollout.current()), (per_cent(20), &Step::Scale { tasks: 4 }));
    bench.bend = |_| {};
    bench.pass(60);
    assert_eq!(bench.weight, Weight::FULL);
    assert!(bench.rollout.promoted_at.is_none(), "the bake is kept");
    bench.pass(600);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
    assert_eq!(state(&bench, 2), StepProgress::Skipped);
}

#[test]
fn promote_full_from_the_first_step_deploys_at_full_size_at_once() {
    let mut bench = Bench::new(usual());
    bench.answer = |_| fault::Outcome::Unknown { why: "timed out".into() };
    progressed(&mut bench, 1);
    assert_eq!(bench.rollout.cursor, 0);
    assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
    bench.answer = applied;
    bench.writes.clear();
    bench.pass(900);
    let wanted = ["deploy checkout:2 × 4 on checkout-green", "weights 100 %", "scale checkout-blue to 0"];
    assert_eq!(bench.writes, wanted);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn an_abort_after_promote_full_goes_home_argo_4461() {
    for second in (0..130).step_by(11) {
        let mut bench = Bench::new(usual());
        progressed(&mut bench, 60);
        assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
        bench.pass(second);
        assert!(bench.rollout.promoted_at.is_none(), "at {second} s");
        assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)), "at {second} s");
        let refused = bench.command(Verb::PromoteFull);
        assert!(matches!(&refused, Outcome::Refused(_)), "nothing erases an abort: {refused:?}");
        bench.pass(900);
        assert!(matches!(&bench.rollout.phase, Phase::Degraded { reason: AbortReason::Person { .. } }));
        assert_eq!((bench.weight, bench.tasks), (Weight::ZERO, 0), "at {second} s");
    }
}

#[test]
fn promote_full_works_while_a_person_or_the_plan_paused_argo_2648_4265() {
    let mut steps = usual();
    steps[2] = Step::Pause { duration: None, limit: None };
    let mut by_plan = Bench::new(steps);
    progressed(&mut by_plan, 600);
    let mut by_person = Bench::new(usual());
    progressed(&mut by_person, 0);
    assert!(matches!(by_person.command(Verb::Pause), Outcome::Applied(_)));
    by_person.pass(4000);
    for mut bench in [by_plan, by_person] {
        assert!(matches!(bench.rollout.phase, Phase::Paused { .. }));
        assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
        bench.pass(900);
        assert_eq!(bench.rollout.phase, Phase::Healthy);
    }
}

#[test]
fn an_analysis_that_promote_full_ended_does_not_count_as_successful_argo_1329() {
    let mut bench = judged();
    progressed(&mut bench, 60);
    assert!(matches!(bench.rollout.current(), Step::Analysis { .. }));
    assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
    assert_eq!(state(&bench, 2), StepProgress::Skipped);
    bench.pass(900);
    assert_eq!((bench.rollout.phase.clone(), state(&bench, 2)), (Phase::Healthy, StepProgress::Skipped));
}

#[test]
fn a_promote_at_a_running_analysis_is_refused_and_skips_nothing() {
    let mut bench = judged();
    progressed(&mut bench, 60);
    let before = bench.rollout.clone();
    assert!(matches!(bench.command(Verb::Promote), Outcome::Refused(_)));
    assert_eq!((bench.rollout.cursor, &bench.rollout.step), (before.cursor, &before.step));
}

#[test]
fn a_promote_passes_an_analysis_that_could_not_tell_and_it_stays_unsuccessful() {
    let mut bench = judged();
    bench.reading = crate::analysis::Found::NoData;
    progressed(&mut bench, 600);
    assert!(matches!(bench.command(Verb::Promote), Outcome::Applied(_)));
    assert_eq!(state(&bench, 2), StepProgress::Skipped);
}

#[test]
fn a_second_or_late_promote_full_fails_loudly_and_skips_nothing() {
    let mut bench = Bench::new(usual());
    progressed(&mut bench, 60);
    let seen = bench.rollout.cursor;
    assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
    let cursor = bench.rollout.cursor;
    let late = Command { verb: Verb::PromoteFull, expected_step: Some(seen), by: "arn:me".into() };
    assert!(matches!(&bench.give(vec![Event::Command(late)])[0], Outcome::Refused(_)));
    let Outcome::Refused(refusal) = bench.command(Verb::PromoteFull) else { panic!("refused") };
    assert!(refusal.why.contains("nothing is left to pass over at setWeight 100"), "{refusal}");
    assert_eq!(bench.rollout.cursor, cursor);
}

#[test]
fn a_pause_after_the_last_weight_is_passed_over_and_the_bake_is_not() {
    let steps = vec![
        Step::Deploy { tasks: 4 },
        to(50, 2),
        to(100, 4),
        Step::Pause { duration: None, limit: None },
        Step::Bake { duration: seconds(120) },
        Step::Promote,
        Step::CleanUp { delay: seconds(30) },
    ];
    let mut bench = Bench::new(steps);
    bench.answer = |write| {
        let lost = matches!(write, Write::SetWeights { .. });
        if lost { fault::Outcome::Unknown { why: "timed out".into() } } else { fault::Outcome::Applied }
    };
    progressed(&mut bench, 5);
    assert_eq!(bench.rollout.cursor, 1);
    assert!(matches!(bench.command(Verb::PromoteFull), Outcome::Applied(_)));
    bench.answer = applied;
    bench.pass(100);
    assert_eq!((bench.rollout.cursor, bench.weight), (4, Weight::FULL));
    let skipped: Vec<usize> = bench.rollout.wishes.skipped.iter().copied().collect();
    assert_eq!(skipped, [1, 3]);
}

#[test]
fn a_second_pause_fails_loudly_because_somebody_may_resume_the_first() {
    let mut bench = Bench::new(usual());
    progressed(&mut bench, 5);
    assert!(matches!(bench.command(Verb::Pause), Outcome::Applied(_)));
    assert!(matches!(bench.command(Verb::Pause), Outcome::Refused(_)));
}
