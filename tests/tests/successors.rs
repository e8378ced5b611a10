//! What becomes of a start while another rollout has the services: refused, queued, or put in its place.

use jiff::SignedDuration;
use tests::shop::{SHORT, Shop, red};
use tidegate::api::{Answer, Ask, Told};
use tidegate::ids::RolloutId;
use tidegate::machine::event::Verb;
use tidegate::machine::report::Report;

fn with(policy: &str) -> String {
    SHORT.replace("  alarms:", &format!("  onNewRevision: {policy}\n  alarms:"))
}

fn queued(answer: Answer) -> String {
    match answer {
        Answer::Queued { key, .. } => key,
        other => panic!("it is queued, got {other:?}"),
    }
}

fn told(shop: &Shop, key: &str) -> Option<Answer> {
    match shop.sandbox.ask(&Ask::Answer { key: key.to_owned() }) {
        Told::Answer { answer } => answer,
        other => panic!("an answer, got {other:?}"),
    }
}

/// Lets time pass until the start that was queued has its answer.
fn begun(shop: &Shop, key: &str) -> RolloutId {
    for _ in 0..360 {
        match told(shop, key) {
            Some(Answer::Started { rollout }) => return rollout,
            None | Some(Answer::Accepted) => shop.sandbox.run_for(SignedDuration::from_secs(10)),
            other => panic!("it begins, got {other:?}"),
        }
    }
    panic!("nobody began {key}")
}

fn revision(report: &Report) -> &str {
    &report.canary.revision
}

#[test]
fn without_a_policy_a_start_is_refused_and_says_what_is_in_its_way() {
    let shop = Shop::open(31);
    let active = shop.begin_with(SHORT, &shop.revision(0.0));
    let Answer::Refused { refusals } = shop.start(SHORT, &shop.revision(0.0)) else { panic!("refused") };
    assert_eq!(refusals.len(), 1, "one reason, not the traces of the active one: {refusals:?}");
    assert!(refusals[0].why.contains(active.as_str()) && refusals[0].hint.contains("abort"), "{refusals:?}");
    assert_eq!(shop.until_ended(&active, 60).phase, "Healthy");
}

#[test]
fn a_queued_start_begins_when_the_active_one_is_healthy_and_is_shown_until_then_argo_4975() {
    let shop = Shop::open(32);
    let active = shop.begin_with(&with("queue"), &shop.revision(0.0));
    let later = shop.revision(0.0);
    let key = queued(shop.start(&with("queue"), &later));
    let name = later.rsplit('/').next().unwrap();
    assert!(shop.report(&active).next.is_some_and(|next| next.starts_with(name)), "{name}");
    let Told::Rollouts { rollouts } = shop.sandbox.ask(&Ask::List { finished: false }) else { panic!("a list") };
    assert!(rollouts[0].next.is_some());
    let report = shop.until_ended(&active, 60);
    assert_eq!(report.phase, "Healthy");
    let next = begun(&shop, &key);
    let report = shop.until_ended(&next, 60);
    assert_eq!((report.phase.as_str(), revision(&report)), ("Healthy", name));
    assert_eq!((shop.report(&active).next, shop.user_errors()), (None, 0));
}

#[test]
fn a_queued_start_begins_when_the_active_one_went_home_too() {
    let shop = Shop::open(33);
    let active = shop.begin_with(&with("queue"), &shop.revision(0.0));
    let key = queued(shop.start(&with("queue"), &shop.revision(0.0)));
    shop.sandbox.run_for(SignedDuration::from_mins(2));
    assert!(matches!(shop.verb(&active, Verb::Abort), Answer::Done { .. }), "an abort outranks the queue");
    assert_eq!(shop.until_ended(&active, 60).phase, "Degraded");
    let next = begun(&shop, &key);
    assert_eq!(shop.until_ended(&next, 60).phase, "Healthy");
    assert_eq!(shop.user_errors(), 0);
}

#[test]
fn only_the_latest_start_is_kept_argo_1372() {
    let shop = Shop::open(34);
    let active = shop.begin_with(&with("queue"), &shop.revision(0.0));
    let earlier = queued(shop.start(&with("queue"), &shop.revision(0.0)));
    let last = shop.revision(0.0);
    let later = queued(shop.start(&with("queue"), &last));
    assert_eq!(shop.until_ended(&active, 60).phase, "Healthy");
    let next = begun(&shop, &later);
    assert!(last.ends_with(revision(&shop.until_ended(&next, 60))));
    shop.sandbox.run_for(SignedDuration::from_mins(60));
    assert_eq!(told(&shop, &earlier), None, "it never began");
    let Told::Rollouts { rollouts } = shop.sandbox.ask(&Ask::List { finished: true }) else { panic!("a list") };
    assert_eq!(rollouts.len(), 2);
}

#[test]
fn a_start_of_what_is_rolled_out_already_is_no_retry_argo_2929() {
    for policy in ["queue", "supersede"] {
        let shop = Shop::open(35);
        let wanted = shop.revision(0.0);
        let active = shop.begin_with(&with(policy), &wanted);
        let Answer::Refused { refusals } = shop.start(&with(policy), &wanted) else { panic!("refused") };
        assert!(refusals[0].why.contains("already"), "{refusals:?}");
        assert_eq!(shop.until_ended(&active, 60).phase, "Healthy", "{policy}");
    }
}

#[test]
fn a_superseded_rollout_goes_home_first_and_never_changes_which_revision_is_stable() {
    for minutes in 0..5 {
        let shop = Shop::open(36);
        let active = shop.begin_with(&with("supersede"), &shop.revision(0.0));
        shop.sandbox.run_for(SignedDuration::from_mins(minutes));
        let before = shop.report(&active);
        let stable = before.stable.revision.clone();
        let last = shop.revision(0.0);
        let key = queued(shop.start(&with("supersede"), &last));
        let report = shop.until_ended(&active, 60);
        let promoted = before.promoted_at.is_some();
        assert_eq!(report.phase, if promoted { "Healthy" } else { "Degraded" }, "after {minutes} min: {report:#?}");
        let next = begun(&shop, &key);
        let first = shop.report(&next);
        assert!(first.started_at >= report.ended_at.unwrap(), "home first");
        assert_eq!(first.set_weight, "0", "no weight is inherited");
        if !promoted {
            assert!(report.message.contains("superseded"), "{}", report.message);
            assert_eq!(first.stable.revision, stable);
        }
        let end = shop.until_ended(&next, 60);
        assert_eq!(end.phase, "Healthy", "after {minutes} min");
        assert!(last.ends_with(revision(&end)));
        assert_eq!(shop.user_errors(), 0, "after {minutes} min");
    }
}

#[test]
fn an_alarm_outranks_supersede_and_the_queued_start_waits_until_it_is_home() {
    let shop = Shop::open(37);
    let active = shop.begin_with(&with("queue"), &shop.revision(0.0));
    shop.sandbox.run_for(SignedDuration::from_mins(2));
    let key = queued(shop.start(&with("queue"), &shop.revision(0.0)));
    shop.sandbox.world().set_alarm_state(red(&shop.parts.alarm_name)).expect("the alarm is there");
    let report = shop.until_ended(&active, 60);
    assert!(report.message.contains("alarm"), "{}", report.message);
    let next = begun(&shop, &key);
    assert!(shop.report(&next).started_at >= report.ended_at.unwrap());
}

#[test]
fn a_queued_start_begins_once_whenever_the_process_dies() {
    for calls in 1..60 {
        let shop = Shop::open(38);
        let active = shop.begin_with(&with("queue"), &shop.revision(0.0));
        let key = queued(shop.start(&with("queue"), &shop.revision(0.0)));
        shop.verb(&active, Verb::Abort);
        while shop.report(&active).ended_at.is_none() && shop.report(&active).phase != "Degraded" {
            shop.sandbox.run_for(SignedDuration::from_secs(1));
            if shop.report(&active).waiting_on.contains("scale") {
                break;
            }
        }
        shop.sandbox.kill_after(calls);
        let next = begun(&shop, &key);
        assert_eq!(shop.until_ended(&next, 60).phase, "Healthy", "dies after {calls} calls");
        let Told::Rollouts { rollouts } = shop.sandbox.ask(&Ask::List { finished: true }) else { panic!("a list") };
        assert_eq!(rollouts.len(), 2, "dies after {calls} calls: {rollouts:?}");
    }
}
