//! What the machine does about things that somebody deleted, and about a canary or a home that is too weak.

use super::{Bench, applied, usual};
use crate::fault::{self, Fault, Obstacle};
use crate::machine::effect::{Effect, Transition, Write};
use crate::machine::event::{Command, Event, Verb};
use crate::machine::{Outcome, report, step};
use crate::observation::{Action, Health, Observation, Read};
use crate::plan::Plan;
use crate::rollout::{AbortReason, PauseReason, Phase};
use crate::test_support::{at, group, per_cent, rule, seconds};
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

fn healthy(healthy: u32) -> Read<Health> {
    Read::Is(Health { healthy, ..Health::default() })
}

fn refused(_: &Write) -> fault::Outcome {
    fault::Outcome::NotApplied { fault: Fault::permanent(Obstacle::NotFound, "rule not found") }
}

fn because(bench: &Bench) -> &AbortReason {
    let Phase::Degraded { reason } = &bench.rollout.phase else { panic!("{:?}", bench.rollout.phase) };
    reason
}

type Bend = fn(&mut Observation);

/// H4, L9: each thing that a rollout moves, deleted in the middle of it.
#[test]
fn h4_whatever_is_deleted_by_hand_ends_the_rollout_in_bounded_time_and_makes_nothing_again() {
    let cases: [(&str, Bend); 6] = [
        ("the rule", |seen| seen.rules = Read::Is(vec![])),
        ("the service checkout-green", |seen| seen.canary = gone()),
        ("the service checkout-blue", |seen| seen.stable = gone()),
        ("the target group green", |seen| seen.canary_health = gone()),
        ("the target group blue", |seen| seen.stable_health = gone()),
        ("the service checkout-green", |seen| {
            if let Read::Is(service) = &mut seen.canary {
                service.status = "INACTIVE".into();
            }
        }),
    ];
    for (what, bend) in cases {
        let mut bench = at_twenty();
        bench.bend = bend;
        bench.pass(1200);
        let AbortReason::Gone { what: said } = because(&bench) else { panic!("{what}: {:?}", bench.rollout.phase) };
        assert!(said.starts_with(what), "{said}");
        assert!(bench.told.contains(&Transition::RolloutAborting), "{what}: {:?}", bench.told);
        let deployed = bench.writes.iter().filter(|write| write.starts_with("deploy")).count();
        assert_eq!(deployed, 1, "nothing is made again: {:?}", bench.writes);
    }
}

#[test]
fn h4_an_abort_whose_rule_is_gone_ends_with_what_is_left_at_home_and_calls_a_person() {
    let mut bench = at_twenty();
    let mut second = rule(Weight::ZERO);
    second.rule.arn = crate::ids::RuleArn::new("arn:second");
    bench.rollout.baseline.rules.push(second);
    // The second of two rules is gone; every write of both is refused, though the first one is written.
    bench.answer = refused;
    bench.red();
    assert!(bench.told.contains(&Transition::RollbackBlocked));
    bench.pass(20);
    assert!(matches!(bench.rollout.phase, Phase::Aborting { .. }), "the first rule is not home: {:?}", bench.weight);
    bench.weight = Weight::ZERO;
    bench.pass(10);
    bench.answer = applied;
    bench.pass(600);
    assert_eq!(because(&bench), &AbortReason::Alarm { name: "checkout-5xx".into() });
    assert!(bench.told.contains(&Transition::WeightsHome));
    assert_eq!(bench.tasks, 0, "{:?}", bench.writes);
}

#[test]
fn h4_a_way_home_that_cannot_be_walked_to_its_end_is_given_up_and_the_canary_keeps_its_tasks() {
    let mut bench = at_twenty();
    bench.bend = |seen| {
        // The stable side's group is gone from the rule, and is gone altogether.
        seen.stable_health = gone();
        if let Read::Is(rules) = &mut seen.rules {
            rules[0].actions =
                vec![Action::Forward { order: None, groups: vec![(group("green"), 1)], stickiness: None }];
        }
    };
    bench.answer = refused;
    bench.red();
    bench.pass(200);
    assert!(matches!(bench.rollout.phase, Phase::Aborting { .. }), "it is tried for a while");
    bench.pass(300);
    let AbortReason::Gone { what } = because(&bench) else { panic!("{:?}", bench.rollout.phase) };
    assert!(what.contains("the target group blue") && what.contains("alarm checkout-5xx"), "{what}");
    assert!(bench.told.contains(&Transition::RollbackBlocked));
    assert_eq!(bench.tasks, 1);
}

#[test]
fn h4_a_single_answer_of_not_found_is_not_believed() {
    let mut bench = at_twenty();
    bench.bend = |seen| seen.canary = gone();
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    assert!(report(&bench.rollout, bench.now()).waiting_on.contains("seems to be gone"));
    bench.bend = |_| {};
    bench.pass(1200);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn h4_a_rule_that_is_deleted_after_promotion_ends_the_rollout_and_keeps_the_old_tasks() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    while bench.rollout.promoted_at.is_none() {
        bench.pass(1);
        bench.second += 1;
    }
    bench.bend = |seen| seen.rules = Read::Is(vec![]);
    bench.pass(600);
    assert!(matches!(because(&bench), AbortReason::Gone { what } if what.contains("old tasks are kept")));
    assert!(!bench.writes.iter().any(|write| write == "scale checkout-blue to 0"));
}

/// 50 % of the traffic on two of four tasks.
fn at_fifty() -> Bench {
    let mut steps = usual();
    (steps[0], steps[1]) = (crate::plan::Step::Deploy { tasks: 2 }, super::to(50, 2));
    let mut bench = Bench::new(steps);
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert_eq!(bench.weight, per_cent(50));
    bench
}

#[test]
fn c3_a_canary_with_too_few_healthy_targets_for_its_share_holds_and_then_goes_home() {
    let mut bench = at_fifty();
    bench.bend = |seen| seen.canary_health = healthy(1);
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    let said = report(&bench.rollout, bench.now());
    assert!(said.waiting_on.contains("2 healthy canary targets"), "{}", said.waiting_on);
    assert!(said.next_wake_up.is_some());
    bench.pass(150);
    assert_eq!(bench.weight, per_cent(50), "a task is replaced in less");
    bench.pass(600);
    assert!(matches!(because(&bench), AbortReason::Unhealthy { why } if why.starts_with("1 of the 2")));
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn c3_no_pause_is_left_while_the_canary_is_too_thin_and_a_replaced_task_lets_it_go_on() {
    let mut bench = at_fifty();
    bench.pass(150);
    bench.bend = |seen| seen.canary_health = healthy(1);
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    bench.pass(120);
    assert!(matches!(bench.rollout.phase, Phase::Paused { .. }), "{:?}", bench.rollout.phase);
    assert!(bench.now().at > bench.rollout.entered[2] + seconds(300), "the pause is over");
    assert_eq!(bench.rollout.cursor, 2);
    bench.bend = |_| {};
    bench.pass(900);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn c3_a_thin_canary_goes_home_while_a_person_paused() {
    let mut bench = at_fifty();
    bench.command(Verb::Pause);
    bench.bend = |seen| seen.canary_health = healthy(1);
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    bench.pass(600);
    assert!(matches!(because(&bench), AbortReason::Unhealthy { .. }));
}

#[test]
fn c3_a_canary_is_not_sent_to_a_home_that_has_nobody() {
    let mut bench = at_fifty();
    bench.bend = |seen| (seen.canary_health, seen.stable_health) = (healthy(1), healthy(0));
    bench.pass(600);
    assert_eq!(bench.weight, per_cent(50));
}

#[test]
fn c4_where_neither_side_is_healthy_the_weights_go_home_and_the_canary_keeps_its_tasks_and_a_person_is_called() {
    let mut bench = at_twenty();
    bench.bend = |seen| (seen.canary_health, seen.stable_health) = (healthy(0), healthy(0));
    bench.second += 40;
    bench.give(vec![Event::Tick]);
    bench.red();
    bench.pass(900);
    assert_eq!(bench.weight, Weight::ZERO);
    assert_eq!(bench.tasks, 1, "it may be the first to come back");
    let called = bench.told.iter().filter(|told| **told == Transition::RollbackBlocked).count();
    assert_eq!(called, 1, "{:?}", bench.told);
    let said = report(&bench.rollout, bench.now());
    assert!(said.needs_person && said.waiting_on.contains("neither side"), "{}", said.waiting_on);
    bench.bend = |_| {};
    bench.pass(300);
    assert!(matches!(because(&bench), AbortReason::Alarm { .. }));
    assert_eq!(bench.tasks, 0);
}

#[test]
fn c4_where_home_has_fewer_healthy_targets_than_the_canary_the_canary_keeps_its_tasks() {
    let mut bench = at_fifty();
    bench.bend = |seen| seen.stable_health = healthy(1);
    bench.red();
    bench.pass(900);
    assert_eq!((bench.weight, bench.tasks), (Weight::ZERO, 2));
    assert!(report(&bench.rollout, bench.now()).needs_person);
    assert!(bench.told.contains(&Transition::RollbackBlocked));
    // Home has not all of its own, and no fewer than the canary: it is as good.
    bench.bend = |seen| seen.stable_health = healthy(3);
    bench.pass(300);
    assert_eq!(bench.tasks, 0);
    assert!(matches!(because(&bench), AbortReason::Alarm { .. }));
}

#[test]
fn a_plan_without_steps_is_a_broken_record_and_panics_nowhere() {
    let mut rollout = at_twenty().rollout;
    (rollout.plan, rollout.cursor) = (Plan { steps: vec![] }, 0);
    rollout.entered.truncate(1);
    assert!(rollout.assert_valid().is_err());
    assert!(report(&rollout, at(100)).waiting_on.contains("broken"));
    for verb in [Verb::Promote, Verb::Pause, Verb::Resume] {
        let command = Command { verb, expected_step: None, by: "arn:me".into() };
        let after = step(rollout.clone(), vec![Event::Command(command), Event::Tick], at(100));
        assert!(matches!(after.outcomes[0], Outcome::Refused(_)), "{verb}");
        assert!(after.effects.iter().all(|effect| !matches!(effect, Effect::Perform { .. })), "{:?}", after.effects);
    }
    let abort = Command { verb: Verb::Abort, expected_step: None, by: "arn:me".into() };
    let home = step(rollout, vec![Event::Command(abort)], at(100));
    let goes_home = |effect: &Effect| matches!(effect, Effect::Perform { write: Write::GoHome { .. }, .. });
    assert!(home.effects.iter().any(goes_home));
}

#[test]
fn an_abort_at_the_first_weight_that_lost_its_commit_is_not_raised_again() {
    let mut bench = Bench::new(usual());
    // The first weight is written and answered; the look that would read it back fails.
    bench.bend = |seen| {
        if seen.rules.known().is_some_and(|rules| rules[0] != rule(Weight::ZERO)) {
            seen.rules = Read::Unknown(Fault::transient("Rate exceeded"));
        }
    };
    bench.give(vec![Event::Tick]);
    bench.pass(15);
    assert_eq!(bench.weight, per_cent(20));
    assert_eq!(bench.rollout.verified, Weight::ZERO);
    // Somebody wrote home, and died before it was durable.
    bench.weight = Weight::ZERO;
    bench.bend = |_| {};
    bench.pass(300);
    assert_eq!(bench.weight, Weight::ZERO, "{:?}", bench.writes);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }));
}
