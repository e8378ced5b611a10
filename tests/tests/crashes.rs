//! A process that dies: after every call of the ports in turn, the last one carried out and its answer lost.

use jiff::SignedDuration;
use tests::shop::{SHORT, Shop};
use tidegate::api::Answer;
use tidegate::machine::effect::Transition;
use tidegate::machine::event::Verb;
use tidegate::machine::report::Report;

/// Every how many calls the process is killed in this run; coprime to the calls of a look, so that all kinds are met.
const STRIDE: usize = 5;

fn calls_of(shop: &Shop, run: impl FnOnce() -> Report) -> u32 {
    let before = shop.sandbox.calls();
    let report = run();
    assert!(report.ended_at.is_some(), "{report:#?}");
    shop.sandbox.calls() - before
}

#[test]
fn a_process_that_dies_after_any_call_changes_no_promotion() {
    let shop = Shop::open(7);
    let rollout = shop.begin_with(SHORT, &shop.revision(0.0));
    let calls = calls_of(&shop, || shop.until_ended(&rollout, 60));
    assert!(calls > 100, "{calls} calls");
    for killed_after in (1..calls).step_by(STRIDE) {
        let shop = Shop::open(7);
        let rollout = shop.begin_with(SHORT, &shop.revision(0.0));
        shop.sandbox.kill_after(killed_after);
        let report = shop.until_ended(&rollout, 90);
        let end = (report.phase.as_str(), report.actual_weight.as_deref());
        assert_eq!(end, ("Healthy", Some("100")), "killed after call {killed_after} of {calls}: {report:#?}");
        assert_eq!(shop.user_errors(), 0, "killed after call {killed_after} of {calls}");
    }
}

#[test]
fn a_process_that_dies_on_the_way_home_after_any_call_still_ends_home() {
    let abort = |shop: &Shop| {
        let rollout = shop.begin_with(SHORT, &shop.revision(0.0));
        shop.sandbox.run_for(SignedDuration::from_secs(80));
        assert_eq!(shop.report(&rollout).actual_weight.as_deref(), Some("20"));
        rollout
    };
    let shop = Shop::open(8);
    let rollout = abort(&shop);
    shop.sandbox.world().set_alarm_state(tests::shop::red(&shop.parts.alarm_name)).expect("the alarm is set");
    let calls = calls_of(&shop, || shop.until_ended(&rollout, 60));
    for killed_after in 1..calls {
        let shop = Shop::open(8);
        let rollout = abort(&shop);
        shop.sandbox.kill_after(killed_after);
        shop.sandbox.world().set_alarm_state(tests::shop::red(&shop.parts.alarm_name)).expect("the alarm is set");
        let report = shop.until_ended(&rollout, 90);
        let end = (report.phase.as_str(), report.actual_weight.as_deref());
        assert_eq!(end, ("Degraded", Some("0")), "killed after call {killed_after} of {calls}: {report:#?}");
        assert_eq!(shop.user_errors(), 0, "killed after call {killed_after} of {calls}");
    }
}

#[test]
fn without_events_and_without_a_sweep_the_timers_alone_finish_a_rollout() {
    let mut shop = Shop::open(9);
    shop.sandbox.sweeps = false;
    shop.sandbox.hears_events = false;
    let rollout = shop.begin_with(SHORT, &shop.revision(0.0));
    assert_eq!(shop.until_ended(&rollout, 60).phase, "Healthy");
    assert_eq!(shop.user_errors(), 0);
}

#[test]
fn an_abort_that_a_person_repeats_turns_it_home_once() {
    let shop = Shop::open(10);
    let rollout = shop.begin_with(SHORT, &shop.revision(0.0));
    shop.sandbox.run_for(SignedDuration::from_secs(60));
    for _ in 0..2 {
        let answer = shop.verb(&rollout, Verb::Abort);
        assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    }
    assert_eq!(shop.until_ended(&rollout, 60).phase, "Degraded");
    let heard = shop.sandbox.take_heard();
    let turned = heard.iter().filter(|heard| heard.what == Transition::RolloutAborting).count();
    assert_eq!(turned, 1, "{heard:?}");
}
