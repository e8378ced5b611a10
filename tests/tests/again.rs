//! Once more, and back: retry, undo, restart, and the rollback window, in process, with the holes that others have.

use jiff::SignedDuration;
use tests::shop::{SHORT, SPEC, Shop, red};
use tidegate::api::{Answer, Ask, CommandRequest, Order, Refusal, Told};
use tidegate::ids::RolloutId;
use tidegate::machine::event::Verb;
use tidegate::machine::report::{Report, StepProgress};
use tidegate::rollout::Track;

fn windowed(window: &str) -> String {
    SHORT.replace("  alarms:", &format!("  rollbackWindow: {window}\n  alarms:"))
}

fn started(answer: Answer) -> RolloutId {
    match answer {
        Answer::Started { rollout } => rollout,
        other => panic!("it begins, got {other:?}"),
    }
}

fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused { mut refusals } => refusals.remove(0),
        other => panic!("it is refused, got {other:?}"),
    }
}

fn undo(rollout: &RolloutId, track: Track) -> Order {
    Order::Undo { rollout: rollout.clone(), to_revision: None, track }
}

fn promoted(shop: &Shop, spec: &str) -> RolloutId {
    let rollout = shop.begin_with(spec, &shop.revision(0.0));
    let report = shop.until_ended(&rollout, 60);
    assert_eq!(report.phase, "Healthy", "{report:#?}");
    rollout
}

fn went_home(shop: &Shop, spec: &str, minutes: i64) -> RolloutId {
    let rollout = shop.begin_with(spec, &shop.revision(0.0));
    shop.sandbox.run_for(SignedDuration::from_mins(minutes));
    assert!(matches!(shop.verb(&rollout, Verb::Abort), Answer::Done { .. }));
    assert_eq!(shop.until_ended(&rollout, 60).phase, "Degraded");
    rollout
}

fn steps(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.step.as_str()).collect()
}

const FAST: [&str; 5] = ["deploy 4 tasks", "setWeight 100", "bake 1m", "promote", "cleanUp"];

#[test]
fn undo_goes_back_to_the_revision_before_the_last_promotion_with_all_steps_where_there_is_no_window() {
    let shop = Shop::open(11);
    let rollout = promoted(&shop, SHORT);
    let before = shop.report(&rollout).stable.revision;
    let back = started(shop.asked(undo(&rollout, Track::ByWindow)));
    let report = shop.until_ended(&back, 60);
    assert_eq!((report.phase.as_str(), report.canary.revision.as_str()), ("Healthy", before.as_str()));
    assert!(steps(&report).contains(&"setWeight 20"), "{:?}", steps(&report));
    assert!(report.origin.as_deref().is_some_and(|origin| origin.contains(rollout.as_str())), "{:?}", report.origin);
    assert_eq!(shop.user_errors(), 0);
}

#[test]
fn undo_is_found_by_the_last_promotion_though_a_later_rollout_went_home() {
    let shop = Shop::open(12);
    let good = promoted(&shop, SHORT);
    let bad = went_home(&shop, SHORT, 1);
    let back = started(shop.asked(undo(&bad, Track::ByWindow)));
    let wanted = shop.report(&good).stable.revision;
    assert_eq!(shop.until_ended(&back, 60).canary.revision, wanted);
}

#[test]
fn a_late_undo_fails_loudly_and_an_undo_of_what_is_not_promoted_points_to_abort() {
    let shop = Shop::open(13);
    let first = promoted(&shop, SHORT);
    let second = promoted(&shop, SHORT);
    let late = refused(shop.asked(undo(&first, Track::ByWindow)));
    assert!(late.why.contains("overtaken") && late.why.contains(second.as_str()), "{late:?}");
    let running = shop.begin_with(SHORT, &shop.revision(0.0));
    let early = refused(shop.asked(undo(&running, Track::ByWindow)));
    assert!(early.hint.contains("abort"), "{early:?}");
}

#[test]
fn undo_to_a_named_revision_and_undo_where_nothing_was_ever_promoted() {
    let shop = Shop::open(14);
    let home = went_home(&shop, SHORT, 1);
    let nothing = refused(shop.asked(undo(&home, Track::ByWindow)));
    assert!(nothing.hint.contains("--to-revision"), "{nothing:?}");
    let named = shop.revision(0.0);
    let order = Order::Undo { rollout: home, to_revision: Some(named.clone()), track: Track::ByWindow };
    let report = shop.until_ended(&started(shop.asked(order)), 60);
    assert_eq!(report.phase, "Healthy");
    assert!(named.ends_with(&report.canary.revision), "{named}");
}

#[test]
fn undo_and_restart_are_idempotent_by_key() {
    let shop = Shop::open(15);
    let rollout = promoted(&shop, SHORT);
    for order in [Order::Restart { rollout: rollout.clone() }, undo(&rollout, Track::ByWindow)] {
        let request = CommandRequest { key: format!("{order:?}"), order };
        let answers: Vec<Answer> = (0..3)
            .map(|_| {
                shop.sandbox.command(&request, "arn:me");
                shop.sandbox.run_for(SignedDuration::from_secs(10));
                shop.sandbox.command(&request, "arn:me")
            })
            .collect();
        let Answer::Started { rollout } = &answers[0] else { panic!("it begins, got {answers:?}") };
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        // The second one would be refused as overtaken if the restart were promoted first.
        shop.verb(rollout, Verb::Abort);
        assert_eq!(shop.until_ended(rollout, 60).started_by, "arn:me");
        // ECS takes its time to call the canary's deployment complete.
        shop.sandbox.run_for(SignedDuration::from_mins(5));
    }
}

#[test]
fn restart_replaces_every_task_by_a_new_one_of_the_same_revision() {
    let shop = Shop::open(16);
    let rollout = promoted(&shop, SHORT);
    let revision = shop.report(&rollout).canary.revision;
    let again = started(shop.asked(Order::Restart { rollout }));
    let report = shop.until_ended(&again, 60);
    assert_eq!((report.phase.as_str(), report.canary.revision.as_str()), ("Healthy", revision.as_str()));
    assert_eq!(report.stable.revision, revision);
    assert_eq!((report.stable.desired, shop.user_errors()), (Some(0), 0));
}

#[test]
fn an_undo_does_not_wait_for_the_alarm_that_it_is_about() {
    let shop = Shop::open(17);
    let rollout = promoted(&shop, SHORT);
    shop.sandbox.world().set_alarm_state(red(&shop.parts.alarm_name)).expect("the alarm is there");
    assert!(matches!(shop.start(SHORT, &shop.revision(0.0)), Answer::Refused { .. }));
    let back = started(shop.asked(undo(&rollout, Track::ByWindow)));
    assert_eq!(shop.until_ended(&back, 60).phase, "Healthy");
}

#[test]
fn nothing_is_retried_unless_a_person_asks_argo_2929() {
    let shop = Shop::open(18);
    went_home(&shop, SHORT, 1);
    shop.sandbox.run_for(SignedDuration::from_hours(6));
    let Told::Rollouts { rollouts } = shop.sandbox.ask(&Ask::List { finished: false }) else { panic!("a list") };
    assert_eq!(rollouts, vec![]);
}

#[test]
fn retry_from_the_failed_step_passes_over_what_was_before_argo_1807() {
    let shop = Shop::open(19);
    let rollout = shop.begin_with(SPEC, &shop.revision(0.0));
    // At the analysis of 20 %.
    let at_twenty = |report: &Report| {
        let (done, _) = report.steps.split_at(report.step);
        report.steps[report.step].step.starts_with("analysis") && done.iter().any(|step| step.step == "setWeight 20")
    };
    while !at_twenty(&shop.report(&rollout)) {
        shop.sandbox.run_for(SignedDuration::from_secs(15));
    }
    shop.verb(&rollout, Verb::Abort);
    let home = shop.until_ended(&rollout, 60);
    let turned = home.steps[home.step].step.clone();
    assert!(turned.starts_with("analysis"), "{turned}");
    let again = started(shop.asked(Order::Retry { rollout, from_step: true }));
    let report = shop.report(&again);
    let state = |step: &str| report.steps.iter().find(|known| known.step == step).map(|known| known.state);
    assert_eq!(state("setWeight 5"), Some(StepProgress::Skipped), "{report:#?}");
    assert_ne!(state("setWeight 20"), Some(StepProgress::Skipped), "the analysis is judged at its own weight");
    let report = shop.until_ended(&again, 60);
    assert_eq!((report.phase.as_str(), shop.user_errors()), ("Healthy", 0), "{report:#?}");
    let judged = report.steps.iter().filter(|step| step.step.starts_with("analysis"));
    assert_eq!(judged.filter(|step| step.state == StepProgress::Skipped).count(), 1, "{report:#?}");
}

#[test]
fn a_retry_of_what_went_home_to_another_stable_revision_fails_loudly() {
    let shop = Shop::open(20);
    let home = went_home(&shop, SHORT, 1);
    promoted(&shop, SHORT);
    let late = refused(shop.asked(Order::Retry { rollout: home, from_step: false }));
    assert!(late.why.contains("overtaken"), "{late:?}");
}

#[test]
fn a_retry_from_the_first_step_is_a_whole_rollout() {
    let shop = Shop::open(21);
    let home = went_home(&shop, SHORT, 1);
    let again = started(shop.asked(Order::Retry { rollout: home, from_step: false }));
    let report = shop.until_ended(&again, 60);
    assert!(report.steps.iter().all(|step| step.state != StepProgress::Skipped));
    assert_eq!(report.phase, "Healthy");
}

#[test]
fn inside_the_window_an_undo_and_a_start_go_fast_and_full_steps_opts_out() {
    let spec = windowed("{ revisions: 1, age: 2h }");
    let shop = Shop::open(22);
    let rollout = promoted(&shop, &spec);
    let before = shop.report(&rollout).stable.revision;
    let back = started(shop.asked(undo(&rollout, Track::Fast)));
    let report = shop.until_ended(&back, 60);
    assert_eq!((report.phase.as_str(), steps(&report)), ("Healthy", FAST.to_vec()), "{report:#?}");
    let there = shop.report(&rollout).canary.revision;
    let by_start = started(shop.start(&spec, &there));
    assert_eq!(steps(&shop.report(&by_start)), FAST.to_vec());
    assert_eq!(shop.until_ended(&by_start, 60).phase, "Healthy");
    let slow = started(shop.asked(undo(&by_start, Track::FullSteps)));
    let report = shop.until_ended(&slow, 60);
    assert!(steps(&report).contains(&"setWeight 20"));
    assert_eq!((report.canary.revision, shop.user_errors()), (before, 0));
}

#[test]
fn outside_the_window_fast_is_refused_with_the_reason_and_without_it_all_steps_are_taken() {
    for (window, says) in [("{ age: 30m }", "stable until 1h"), ("{ revisions: 1 }", "2 promotions back")] {
        let spec = windowed(window);
        let shop = Shop::open(23);
        let first = promoted(&shop, &spec);
        let oldest = shop.report(&first).stable.revision;
        let mut newest = first;
        if says.contains("promotions") {
            newest = promoted(&shop, &spec);
        } else {
            shop.sandbox.run_for(SignedDuration::from_mins(60));
        }
        let order = |track| Order::Undo { rollout: newest.clone(), to_revision: Some(oldest.clone()), track };
        let refusal = refused(shop.asked(order(Track::Fast)));
        assert!(refusal.why.contains(says), "{refusal:?}");
        let slow = started(shop.asked(order(Track::ByWindow)));
        assert!(steps(&shop.report(&slow)).contains(&"setWeight 20"));
    }
    let shop = Shop::open(24);
    let rollout = promoted(&shop, SHORT);
    let refusal = refused(shop.asked(undo(&rollout, Track::Fast)));
    assert!(refusal.why.contains("no `rollbackWindow`"), "{refusal:?}");
}

#[test]
fn an_abort_during_a_fast_rollback_goes_home_argo_2_15() {
    for second in (0..200).step_by(40) {
        let shop = Shop::open(25);
        let rollout = promoted(&shop, &windowed("{ revisions: 1 }"));
        let back = started(shop.asked(undo(&rollout, Track::Fast)));
        shop.sandbox.run_for(SignedDuration::from_secs(second));
        if shop.report(&back).promoted_at.is_some() {
            continue;
        }
        assert!(matches!(shop.verb(&back, Verb::Abort), Answer::Done { .. }), "at {second} s");
        let report = shop.until_ended(&back, 60);
        assert_eq!((report.phase.as_str(), report.actual_weight.as_deref()), ("Degraded", Some("0")), "at {second} s");
        assert_eq!(shop.user_errors(), 0, "at {second} s");
    }
}

#[test]
fn a_refused_verb_is_in_the_journal_with_who_asked() {
    let shop = Shop::open(26);
    let rollout = shop.begin_with(SHORT, &shop.revision(0.0));
    assert!(matches!(shop.verb(&rollout, Verb::Promote), Answer::Refused { .. }));
    let Told::Journal { entries } = shop.sandbox.ask(&Ask::History { rollout, from: 1 }) else { panic!("a journal") };
    let found = entries.iter().find(|entry| entry.outcome.contains("refused: cannot promote"));
    let inputs = format!("{:?}", found.expect("the refusal is in the journal").inputs);
    assert!(inputs.contains("arn:aws:iam::123456789012:user/dev"), "{inputs}");
    assert!(entries[0].outcome.contains("user/dev said start"), "{}", entries[0].outcome);
}
