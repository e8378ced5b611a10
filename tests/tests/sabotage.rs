//! Controllers that make a mistake cost users requests, and the account says so; without the mistake it says 0.

use jiff::SignedDuration;
use sandbox::demo::{Summary, causes};
use sandbox::world::{Config, Sabotage, UserErrors};
use tests::shop::Shop;
use tidegate::machine::event::Verb;

/// Nothing is waited for that is not a must.
const NO_DELAYS: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate]
  strategy:
    canary:
      steps:
        - setWeight: 50
        - pause: { duration: 60s }
        - setWeight: 100
      bakeTimeInMinutes: 0
      scaleDownDelaySeconds: 0
      abortScaleDownDelaySeconds: 0
";

/// A service says that its deployment is complete within this time.
const DEPLOYMENT_COMPLETES: SignedDuration = SignedDuration::from_mins(5);

/// What one rollout that a person aborts, and one that is left alone, cost the users of slow nodes and of targets
/// that do not drain.
fn cost(seed: u64, sabotage: Option<Sabotage>) -> UserErrors {
    let shop = Shop::open_in(seed, Config { sabotage, ..Config::default().slow_nodes() }, 0);
    let aborted = shop.begin_with(NO_DELAYS, &shop.revision(0.0));
    let up = |shop: &Shop| shop.report(&aborted).actual_weight.as_deref() == Some("50");
    for _ in 0..600 {
        if up(&shop) {
            break;
        }
        shop.sandbox.run_for(SignedDuration::from_secs(1));
    }
    assert!(up(&shop), "half of the traffic reaches the canary: {:#?}", shop.report(&aborted));
    shop.sandbox.run_for(SignedDuration::from_secs(20));
    shop.verb(&aborted, Verb::Abort);
    let report = shop.until_ended(&aborted, 30);
    assert_eq!(report.phase, "Degraded", "{report:#?}");
    shop.sandbox.run_for(DEPLOYMENT_COMPLETES);
    let left_alone = shop.begin_with(NO_DELAYS, &shop.revision(0.0));
    let report = shop.until_ended(&left_alone, 30);
    if sabotage.is_none() {
        assert_eq!(report.phase, "Healthy", "{report:#?}");
    }
    shop.sandbox.run_for(SignedDuration::from_mins(1));
    shop.sandbox.world().user_errors()
}

#[test]
fn a_sound_controller_costs_nothing_where_nodes_are_slow_and_targets_do_not_drain() {
    for seed in 1..=5 {
        assert_eq!(cost(seed, None), UserErrors::default(), "seed {seed}");
    }
}

#[test]
fn weight_before_health_sends_users_where_nobody_is() {
    for seed in 1..=5 {
        let errors = cost(seed, Some(Sabotage::WeightBeforeHealth));
        // A group without a healthy target sends to those that are not ready.
        assert!(errors.empty_group_503 + errors.target_gone_502 > 0, "seed {seed}: {errors:?}");
    }
}

#[test]
fn scale_in_before_drain_cuts_requests_and_leaves_an_empty_group() {
    for seed in 1..=5 {
        let errors = cost(seed, Some(Sabotage::ScaleInBeforeDrain));
        assert!(errors.cut_by_stop > 0 && errors.empty_group_503 > 0, "seed {seed}: {errors:?}");
    }
}

#[test]
fn no_settling_empties_a_group_that_nodes_still_send_to() {
    for seed in 1..=5 {
        let errors = cost(seed, Some(Sabotage::NoSettling));
        assert!(errors.empty_group_503 > 0, "seed {seed}: {errors:?}");
    }
}

#[test]
fn a_run_with_any_of_them_fails_and_names_the_figure() {
    for sabotage in Sabotage::ALL {
        let user_errors = cost(1, Some(sabotage));
        let summary = account(user_errors);
        let failures = summary.failures();
        let [failure] = failures.as_slice() else { panic!("{sabotage}: one failure, got {failures:?}") };
        let figure = format!("the controller caused {} user errors: ", user_errors.total());
        assert!(failure.starts_with(&figure), "{sabotage}: {failure}");
        for (cause, n) in causes(&user_errors).iter().filter(|(_, n)| *n > 0) {
            assert!(failure.contains(&format!("{n} {cause}")), "{sabotage}: {failure}");
        }
    }
    assert_eq!(account(cost(1, None)).failures(), Vec::<String>::new());
}

/// The account of a run of which nothing but its users matters.
fn account(user_errors: UserErrors) -> Summary {
    Summary {
        rollouts: Vec::new(),
        calls: std::collections::BTreeMap::new(),
        user_errors,
        user_errors_total: user_errors.total(),
        kill: None,
        rate: 1,
        overloaded: None,
    }
}
