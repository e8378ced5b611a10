//! Waiting and harm, from end to end and in process: crash loops, things deleted by hand, freezes.

use std::time::Duration;

use jiff::SignedDuration;
use sandbox::world::Behaviour;
use tests::shop::{SHORT, Shop};
use tidegate::machine::event::Verb;

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

#[test]
fn a_revision_that_crashes_at_start_goes_home_long_before_its_deadline_and_says_why() {
    let shop = Shop::open(1);
    // It needs a minute to answer, and is dead after ten seconds.
    let (startup, crash_after) = (Duration::from_secs(60), Some(Duration::from_secs(10)));
    let revision = shop.behaving(Behaviour { startup, crash_after, ..Behaviour::default() });
    let rollout = shop.begin_with(SHORT, &revision);
    let report = shop.until_ended(&rollout, 20);
    assert_eq!((report.phase.as_str(), report.canary.desired), ("Degraded", Some(0)), "{report:#?}");
    assert_eq!(report.message, "3 tasks of the canary stopped alike: exit code 1");
    let took = report.ended_at.unwrap().duration_since(report.started_at);
    assert!(took < minutes(8), "the deadline alone takes ten minutes, this took {took:#}");
    assert_eq!(shop.user_errors(), 0);
}

#[test]
fn h4_l9_a_canary_that_is_deleted_by_hand_ends_the_rollout_and_every_rule_is_home() {
    for minute in [1, 3] {
        let shop = Shop::open(2);
        let rollout = shop.begin(&shop.revision(0.0));
        shop.sandbox.run_for(minutes(minute));
        let green = shop.parts.green.service_name.clone();
        shop.sandbox.world().delete_service(Some(&shop.parts.cluster), &green, true).unwrap();
        let report = shop.until_ended(&rollout, 15);
        assert_eq!((report.phase.as_str(), report.actual_weight.as_deref()), ("Degraded", Some("0")), "{report:#?}");
        assert!(report.ended_at.is_some());
    }
}

#[test]
fn a_freeze_holds_a_rollout_until_its_end_and_an_abort_is_free_to_go() {
    // The World begins at 2026-03-02T09:00Z; the estate is up some minutes later.
    let window =
        "  freezeWindows:\n    - {from: 2026-03-02T09:00:00Z, to: 2026-03-02T10:00:00Z, reason: stocktaking}\n";
    let spec = SHORT.replace("  strategy:\n", &format!("{window}  strategy:\n"));
    let shop = Shop::open(3);
    let rollout = shop.begin_with(&spec, &shop.revision(0.0));
    shop.sandbox.run_for(minutes(20));
    let report = shop.report(&rollout);
    assert_eq!((report.canary.desired, report.set_weight.as_str()), (Some(0), "0"), "{report:#?}");
    assert!(report.waiting_on.contains("stocktaking"), "{}", report.waiting_on);
    let report = shop.until_ended(&rollout, 90);
    assert_eq!(report.phase, "Healthy", "{report:#?}");
    assert_eq!(shop.user_errors(), 0);

    let shop = Shop::open(3);
    let rollout = shop.begin_with(&spec, &shop.revision(0.0));
    shop.verb(&rollout, Verb::Abort);
    assert_eq!(shop.until_ended(&rollout, 5).phase, "Degraded");
}
