//! Waiting: for people, for windows, for capacity, and never for ever.

use jiff::SignedDuration;

use super::{Bench, judged, usual};
use crate::analysis::Found;
use crate::ids::TaskArn;
use crate::machine::effect::Transition;
use crate::machine::event::{ContainerStop, Event, TaskChange, Verb};
use crate::machine::{Outcome, report};
use crate::observation::{Health, Read};
use crate::plan::Step;
use crate::rollout::{AbortReason, PauseReason, Phase};
use crate::spec::policy::{FreezeTimes, FreezeWindow};
use crate::spec::{NoDataPolicy, OnTimeout, PauseLimit, StrategySpec};
use crate::test_support::{at, per_cent, seconds};
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

/// A rollout that is frozen from one second to another.
fn frozen(from: i64, to: i64) -> Bench {
    let mut bench = Bench::new(usual());
    let when = FreezeTimes::Once { from: at(from).at, to: at(to).at };
    bench.rollout.spec.policies.freezes = vec![FreezeWindow { when, reason: "the quarter ends".into() }];
    bench
}

/// argo #495.
#[test]
fn argo_495_in_a_freeze_nothing_begins_and_the_reason_is_shown() {
    let mut bench = frozen(-10, 5000);
    bench.give(vec![Event::Tick]);
    bench.pass(3000);
    assert!(bench.writes.is_empty(), "{:?}", bench.writes);
    let said = report(&bench.rollout, bench.now());
    assert!(said.waiting_on.contains("the quarter ends"), "{}", said.waiting_on);
    assert_eq!(said.next_wake_up, Some(at(5000).at));
    assert_eq!(bench.told.iter().filter(|told| **told == Transition::RolloutHeld).count(), 1);
    // Its end is seen at once, and the deadline's clock stood still: ten minutes of it are over fifty times.
    bench.pass(2060);
    assert_eq!(bench.weight, per_cent(20));
    bench.pass(1200);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn a_freeze_holds_the_next_weight_and_the_promotion_but_not_the_pause_before_it() {
    let mut bench = frozen(100, 2000);
    bench.give(vec![Event::Tick]);
    bench.pass(1900);
    assert_eq!((bench.weight, bench.rollout.cursor), (per_cent(20), 3), "the pause is over, the scaling waits");
    bench.pass(1300);
    assert_eq!(bench.rollout.phase, Phase::Healthy);

    // 100 % is reached at about 340 s, and the bake is over before the freeze.
    let mut bench = frozen(400, 3000);
    bench.give(vec![Event::Tick]);
    bench.pass(2900);
    assert_eq!((bench.weight, bench.rollout.promoted_at), (Weight::FULL, None));
    assert!(bench.red() != Outcome::NoOp(String::new()));
    assert_eq!(bench.weight, Weight::ZERO, "the way home is open, and no freeze holds it");
}

#[test]
fn r2_no_freeze_holds_an_abort_an_alarm_or_the_canarys_own_harm() {
    for harm in [0, 1, 2] {
        let mut bench = frozen(100, 100_000);
        bench.give(vec![Event::Tick]);
        bench.pass(400);
        assert_eq!(bench.weight, per_cent(20));
        match harm {
            0 => drop(bench.command(Verb::Abort)),
            1 => drop(bench.red()),
            _ => {
                bench.bend = |seen| seen.canary_health = Read::Is(Health { unhealthy: 1, ..Health::default() });
                bench.second += 60;
                bench.give(vec![Event::Tick]);
            }
        }
        bench.pass(300);
        assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "{harm}: {:?}", bench.rollout.phase);
        assert_eq!((bench.weight, bench.tasks), (Weight::ZERO, 0));
    }
}

/// A task of the canary that stopped.
fn stopped(bench: &Bench, number: u32, code: &str, reason: &str, exit_code: Option<i32>) -> Event {
    Event::Task(TaskChange {
        task: TaskArn::new(format!("arn:aws:ecs:eu-west-1:012345678901:task/shop/{number:032x}")),
        service: bench.rollout.baseline.canary.service.clone(),
        version: 5,
        started_by: None,
        last_status: "STOPPED".into(),
        desired_status: "STOPPED".into(),
        stop_code: Some(code.into()),
        stopped_reason: Some(reason.into()),
        containers: vec![ContainerStop { exit_code, reason: None }],
    })
}

const EXITED: &str = "EssentialContainerExited";

fn starting() -> Bench {
    let mut bench = Bench::new(usual());
    bench.bend = |seen| {
        seen.canary_health = Read::Is(Health::default());
        if let Read::Is(service) = &mut seen.canary {
            (service.running, service.pending) = (0, service.desired);
        }
    };
    bench.give(vec![Event::Tick]);
    bench.pass(30);
    bench
}

#[test]
fn a_crash_loop_goes_home_at_the_third_task_with_the_same_reason_and_names_it() {
    let mut bench = starting();
    for number in 1..3 {
        let event = stopped(&bench, number, EXITED, "Essential container in task exited", Some(1));
        bench.give(vec![event.clone(), event]);
        bench.pass(20);
    }
    assert_eq!(bench.rollout.phase, Phase::Progressing, "twice the same task is one task");
    let event = stopped(&bench, 3, EXITED, "Essential container in task exited", Some(1));
    bench.give(vec![event]);
    bench.pass(300);
    let reason = AbortReason::CrashLoop { cause: "exit code 1".into(), tasks: 3 };
    assert!(reason.blames_revision());
    assert_eq!(bench.rollout.phase, Phase::Degraded { reason });
}

#[test]
fn different_reasons_wanted_stops_and_old_crashes_are_no_loop_and_the_record_stays_small() {
    let mut bench = starting();
    for number in 1..100 {
        let event = match number % 3 {
            0 => stopped(&bench, number, EXITED, "Essential container in task exited", Some(1)),
            1 => stopped(&bench, number, "ServiceSchedulerInitiated", "Scaling activity initiated by (x)", Some(143)),
            _ => stopped(&bench, number, "TaskFailedToStart", &format!("odd thing {}", "x".repeat(50)), None),
        };
        bench.rollout.waits.crashes.retain(|crash| crash.tasks.len() < 2);
        bench.give(vec![event]);
    }
    assert!(bench.rollout.waits.crashes.len() <= 4);
    assert!(!matches!(bench.rollout.phase, Phase::Aborting { .. } | Phase::Degraded { .. }));

    let mut bench = Bench::new(usual());
    bench.rollout.spec.progress_deadline = SignedDuration::from_hours(24);
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    bench.command(Verb::Pause);
    for number in 0..10 {
        let event = stopped(&bench, number, EXITED, "Essential container in task exited", Some(1));
        bench.give(vec![event]);
        bench.second += 1200;
    }
    assert!(matches!(bench.rollout.phase, Phase::Paused { .. }), "three in an hour: {:?}", bench.rollout.phase);
}

#[test]
fn a_crash_loop_may_be_switched_off() {
    let mut bench = starting();
    bench.rollout.spec.policies.crash_loop_tasks = 0;
    for number in 0..20 {
        let event = stopped(&bench, number, EXITED, "Essential container in task exited", Some(1));
        bench.give(vec![event]);
    }
    assert_eq!(bench.rollout.phase, Phase::Progressing);
}

/// argo #3765: pods that come up and die again reset the deadline's clock for ever.
#[test]
fn argo_3765_a_crash_loop_does_not_reset_the_progress_deadline() {
    let mut bench = starting();
    bench.rollout.spec.policies.crash_loop_tasks = 0;
    for round in 0..40 {
        // One task runs, is healthy for a moment, and is gone again.
        bench.bend = if round % 2 == 0 {
            |seen| seen.canary_health = Read::Is(Health { initial: 1, ..Health::default() })
        } else {
            |seen| {
                seen.canary_health = Read::Is(Health::default());
                if let Read::Is(service) = &mut seen.canary {
                    service.running = 0;
                }
            }
        };
        bench.pass(20);
    }
    let missed = matches!(&bench.rollout.phase, Phase::Degraded { reason: AbortReason::ProgressDeadline { .. } });
    assert!(missed, "{:?}", bench.rollout.phase);
}

#[test]
fn without_abort_a_missed_deadline_says_stuck_tries_on_and_recovers() {
    let mut bench = starting();
    bench.rollout.spec.policies.deadline_aborts = false;
    bench.pass(3000);
    assert_eq!(bench.rollout.phase, Phase::Progressing);
    let said = report(&bench.rollout, bench.now());
    assert!(said.needs_person && said.message.contains("stuck since"), "{}", said.message);
    assert_eq!(bench.told.iter().filter(|told| **told == Transition::RolloutStuck).count(), 1);
    bench.bend = |_| {};
    bench.pass(1200);
    assert!(bench.told.contains(&Transition::RolloutResumed));
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

fn unplaced(bench: &Bench) -> Event {
    let service = bench.rollout.baseline.canary.service.clone();
    Event::Unplaced { service, reason: "RESOURCE:FARGATE".into() }
}

#[test]
fn f25_a_shortage_of_capacity_holds_and_then_goes_home_without_blaming_the_revision() {
    let mut bench = starting();
    let event = unplaced(&bench);
    bench.give(vec![event]);
    assert!(report(&bench.rollout, bench.now()).waiting_on.contains("capacity: RESOURCE:FARGATE"));
    bench.pass(400);
    assert_eq!(bench.rollout.phase, Phase::Progressing);
    bench.pass(600);
    let reason = AbortReason::Capacity { what: "RESOURCE:FARGATE".into() };
    assert!(!reason.blames_revision());
    assert_eq!(bench.rollout.phase, Phase::Degraded { reason });
}

#[test]
fn f25_tasks_without_room_are_no_crash_loop_and_room_that_comes_back_is_taken() {
    let mut bench = starting();
    let full = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    for number in 0..9 {
        let event = stopped(&bench, number, "TaskFailedToStart", full, None);
        bench.give(vec![event]);
    }
    assert_eq!(bench.rollout.phase, Phase::Progressing);
    assert!(bench.rollout.waits.shortage.is_some());
    bench.bend = |_| {};
    bench.pass(1200);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
    assert!(bench.rollout.waits.is_empty());
}

/// The second at which the first write of these words went out, or none within half an hour.
fn written_at(bench: &mut Bench, words: &str) -> Option<i64> {
    (0..1800).find_map(|_| {
        bench.pass(1);
        bench.writes.iter().any(|write| write == words).then_some(bench.second)
    })
}

#[test]
fn scale_down_delay_counts_from_the_promotion_and_the_way_home_is_open_all_through_the_bake() {
    let mut steps = usual();
    steps.pop();
    steps.push(Step::CleanUp { delay: seconds(300) });
    let mut bench = Bench::new(steps);
    bench.give(vec![Event::Tick]);
    let gone = written_at(&mut bench, "scale checkout-blue to 0").unwrap();
    let promoted = bench.rollout.promoted_at.unwrap();
    let waited = at(gone).at.duration_since(promoted);
    assert!(seconds(300) <= waited && waited < seconds(330), "{waited:#}");
    let baked = promoted.duration_since(bench.rollout.entered[5]);
    assert!(baked >= seconds(120), "the old tasks were all there through the bake: {baked:#}");
}

/// In Argo Rollouts the delay of 0 keeps the canary for ever; here it is the time beside the drain.
#[test]
fn abort_scale_down_delay_counts_from_home_and_zero_is_the_drain_alone_never_never() {
    // Targets drain for 30 s, and the load balancer needs 15 s to follow.
    for (delay, least) in [(0, 45), (30, 45), (300, 315)] {
        let mut bench = Bench::new(usual());
        let StrategySpec::Canary(canary) = &mut bench.rollout.spec.strategy else { panic!() };
        canary.abort_scale_down_delay = seconds(delay);
        bench.give(vec![Event::Tick]);
        bench.pass(60);
        bench.red();
        let home = bench.rollout.verified_at;
        let gone = written_at(&mut bench, "scale checkout-green to 0").unwrap();
        let waited = at(gone).at.duration_since(home);
        assert!(seconds(least) <= waited && waited < seconds(least + 15), "{delay}: {waited:#}");
    }
}

/// A rollout that is judged in the background from its first weight on, through a pause of half an hour.
pub fn watched() -> Bench {
    let mut bench = judged();
    let mut steps = usual();
    steps[2] = Step::Pause { duration: Some(seconds(1800)), limit: None };
    steps.insert(2, Step::Watch { metrics: vec!["errors".into()] });
    bench.rollout.plan.steps = steps;
    bench
}

#[test]
fn a_background_analysis_that_fails_goes_home_in_the_middle_of_a_pause() {
    let mut bench = watched();
    bench.give(vec![Event::Tick]);
    bench.pass(900);
    assert!(matches!(bench.rollout.phase, Phase::Paused { .. }), "{:?}", bench.rollout.phase);
    assert!(report(&bench.rollout, bench.now()).analysis[0].successful.0 > 2, "it goes on measuring");
    bench.reading = Found::Value { value: 0.5, samples: 100 };
    bench.pass(900);
    assert!(matches!(&bench.rollout.phase, Phase::Degraded { reason: AbortReason::Analysis { .. } }));
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn a_background_analysis_that_fails_goes_home_while_a_person_paused_and_an_unclear_one_waits_for_them() {
    for (reading, goes_home) in [(Found::Value { value: 0.5, samples: 100 }, true), (Found::NoData, false)] {
        let mut bench = watched();
        bench.give(vec![Event::Tick]);
        bench.pass(60);
        bench.command(Verb::Pause);
        bench.reading = reading;
        bench.pass(1500);
        assert_eq!(matches!(bench.rollout.phase, Phase::Degraded { .. }), goes_home, "{:?}", bench.rollout.phase);
        if !goes_home {
            assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Person { .. }, .. }));
            bench.command(Verb::Resume);
            assert!(matches!(bench.rollout.phase, Phase::Paused { .. } | Phase::Progressing));
        }
    }
}

#[test]
fn a_background_analysis_that_cannot_tell_pauses_and_measures_anew_after_resume() {
    let mut bench = watched();
    bench.reading = Found::NoData;
    bench.give(vec![Event::Tick]);
    bench.pass(900);
    let unclear = matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Watched { .. }, .. });
    assert!(unclear, "{:?}", bench.rollout.phase);
    assert!(report(&bench.rollout, bench.now()).needs_person);
    assert!(matches!(bench.command(Verb::Promote), Outcome::Refused(_)), "nobody passes over it by one word");
    bench.reading = Found::Value { value: 0.0, samples: 100 };
    assert!(matches!(bench.command(Verb::Resume), Outcome::Applied(_)));
    bench.pass(4000);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

/// argo #2158, #4479: an analysis that is ended without one measurement counts as a success.
#[test]
fn argo_2158_a_background_analysis_that_ends_without_data_is_no_success() {
    let mut bench = watched();
    bench.rollout.spec.metrics[0].inconclusive_limit = 1000;
    bench.rollout.plan.steps.retain(|step| !matches!(step, Step::Pause { .. }));
    bench.reading = Found::NoData;
    bench.give(vec![Event::Tick]);
    bench.pass(3000);
    assert_eq!((bench.weight, bench.rollout.promoted_at), (Weight::FULL, None), "the bake waits for measurements");
    let said = report(&bench.rollout, bench.now());
    assert!(said.waiting_on.contains("enough measurements"), "{}", said.waiting_on);
    assert!(said.next_wake_up.is_some());
    bench.reading = Found::Value { value: 0.0, samples: 100 };
    bench.pass(900);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
    assert_eq!(bench.rollout.watching, None);
}

#[test]
fn a_background_analysis_that_begins_before_the_first_traffic_waits_for_it() {
    let mut bench = watched();
    let watch = bench.rollout.plan.steps.remove(2);
    bench.rollout.plan.steps.insert(0, watch);
    bench.rollout.spec.metrics[0].no_data = NoDataPolicy::Failed;
    bench.rollout.spec.progress_deadline = SignedDuration::from_hours(2);
    bench.bend = |seen| seen.canary_health = Read::Is(Health { initial: 1, ..Health::default() });
    bench.reading = Found::NoData;
    bench.give(vec![Event::Tick]);
    bench.pass(3000);
    assert_eq!((&bench.rollout.phase, bench.weight), (&Phase::Progressing, Weight::ZERO));
    bench.bend = |_| {};
    bench.reading = Found::Value { value: 0.0, samples: 100 };
    bench.pass(4000);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn t7_no_window_of_a_background_analysis_spans_two_weights() {
    let mut bench = watched();
    bench.give(vec![Event::Tick]);
    let mut weights = vec![bench.rollout.verified_at];
    for _ in 0..3000 {
        let before = bench.rollout.verified;
        bench.pass(1);
        if bench.rollout.promoted_at.is_some() {
            break;
        }
        if before != bench.rollout.verified {
            weights.push(bench.rollout.verified_at);
        }
        let Some(run) = &bench.rollout.watching else { continue };
        let Some(last) = &run.tallies[0].last else { continue };
        let spans = weights.iter().any(|at| last.from < *at && *at < last.to && run.asked.is_none());
        assert!(!spans, "{last:?} over a change of weight: {weights:?}");
    }
    assert_eq!(weights.len(), 2);
}
