//! Header routes in the World: testers meet the canary before anybody else does, and find the way home with everybody.

use jiff::SignedDuration;
use sandbox::world::{
    Action, ConditionValues, CreateRule, DescribeRules, Rule, RuleCondition, TrafficShape, TrafficSource,
};
use tests::shop::Shop;
use tidegate::api::Answer;
use tidegate::ids::RolloutId;
use tidegate::machine::event::Verb;

const SPEC: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate]
  metrics:
    - name: http-5xx-rate
      provider: { cloudWatch: { errorRate: {} } }
      threshold: { atMost: 0.01 }
      count: 2
      minimumSamples: 50
      noData: inconclusive
  strategy:
    canary:
      steps:
        - setHeaderRoute:
            name: testers
            match: [{ headerName: x-beta, headerValue: { prefix: check } }]
        - analysis: { metrics: [http-5xx-rate] }
        - setWeight: 20
        - pause: { duration: 2m }
      bakeTimeInMinutes: 1
";

/// The usual estate with testers, who send `X-Beta: Checkout`.
fn open(seed: u64) -> Shop {
    let shop = Shop::open(seed);
    shop.sandbox.world().add_traffic(TrafficSource {
        listener_arn: shop.parts.listener_arn.clone(),
        host: "checkout.example.com".to_owned(),
        path: "/".to_owned(),
        headers: vec![("X-Beta".to_owned(), "Checkout".to_owned())],
        requests_per_second: 5.0,
        shape: TrafficShape::Even,
    });
    shop
}

/// The rules of both listeners, but for the default actions.
fn rules(shop: &Shop) -> Vec<Rule> {
    let mut world = shop.sandbox.world();
    let listeners = [&shop.parts.listener_arn, &shop.parts.plain_listener_arn];
    let of = |listener: &String| DescribeRules { listener_arn: Some(listener.clone()), ..DescribeRules::default() };
    let found = listeners.map(|listener| world.describe_rules(&of(listener)).expect("the listener is there"));
    found.concat().into_iter().filter(|rule| !rule.is_default).collect()
}

fn until(shop: &Shop, rollout: &RolloutId, step: &str) {
    for _ in 0..720 {
        let report = shop.report(rollout);
        if report.steps[report.step].step.starts_with(step) {
            return;
        }
        assert_eq!(report.ended_at, None, "{}", report.message);
        shop.sandbox.run_for(SignedDuration::from_secs(5));
    }
    panic!("it never came to {step}: {}", shop.report(rollout).waiting_on);
}

/// How many requests the canary's group has been asked.
fn at_the_canary(shop: &Shop) -> u64 {
    let world = shop.sandbox.world();
    world.requests_by_group().get(&shop.parts.green.target_group_arn).map_or(0, |outcomes| outcomes.requests)
}

#[test]
fn testers_meet_the_canary_first_and_the_rules_are_gone_at_the_end() {
    let shop = open(1);
    let rollout = shop.begin_with(SPEC, &shop.revision(0.0));
    until(&shop, &rollout, "analysis");
    let made = rules(&shop);
    let priorities: Vec<&str> = made.iter().map(|rule| rule.priority.as_str()).collect();
    assert_eq!(priorities, ["9", "10", "50000"], "one directly above each managed rule");
    let before = at_the_canary(&shop);
    shop.sandbox.run_for(SignedDuration::from_secs(60));
    let met = at_the_canary(&shop) - before;
    assert!((250..=350).contains(&met), "5 testers a second, and nobody else: {met}");
    let report = shop.until_ended(&rollout, 60);
    assert_eq!(report.phase, "Healthy", "{}", report.message);
    assert_eq!(rules(&shop).len(), 1);
    assert_eq!(shop.user_errors(), 0, "{:?}", shop.sandbox.world().user_errors());
}

#[test]
fn a_bad_revision_is_met_by_testers_alone_and_leaves_no_rule_behind() {
    let shop = open(2);
    let rollout = shop.begin_with(SPEC, &shop.revision(0.3));
    let report = shop.until_ended(&rollout, 60);
    assert_eq!(report.phase, "Degraded", "{}", report.message);
    assert_eq!((rules(&shop).len(), report.canary.desired), (1, Some(0)));
    assert!(report.steps.iter().all(|step| step.step != "setWeight 20" || step.entered_at.is_none()));
    assert_eq!(shop.user_errors(), 0, "{:?}", shop.sandbox.world().user_errors());
}

#[test]
fn an_abort_at_any_minute_leads_testers_home_and_leaves_no_rule_behind() {
    for minute in 0..10 {
        let shop = open(3);
        let rollout = shop.begin_with(SPEC, &shop.revision(0.0));
        shop.sandbox.run_for(SignedDuration::from_secs(minute * 60));
        assert!(matches!(shop.verb(&rollout, Verb::Abort), Answer::Done { .. }), "minute {minute}");
        let report = shop.until_ended(&rollout, 30);
        assert_eq!((report.phase.as_str(), rules(&shop).len()), ("Degraded", 1), "minute {minute}: {}", report.message);
        assert_eq!(shop.user_errors(), 0, "minute {minute}: {:?}", shop.sandbox.world().user_errors());
    }
}

#[test]
fn without_a_free_place_directly_above_a_start_is_refused() {
    let shop = open(4);
    let admin = RuleCondition {
        field: "path-pattern".to_owned(),
        path_pattern_config: Some(ConditionValues { values: vec!["/admin*".to_owned()] }),
        ..RuleCondition::default()
    };
    let other = CreateRule {
        listener_arn: shop.parts.listener_arn.clone(),
        priority: Some(9),
        conditions: vec![admin],
        actions: vec![Action::forward(&[
            (&shop.parts.blue.target_group_arn, 1),
            (&shop.parts.green.target_group_arn, 0),
        ])],
        ..CreateRule::default()
    };
    shop.sandbox.world().create_rule(other).expect("the rule is made");
    let Answer::Refused { refusals } = shop.start(SPEC, &shop.revision(0.0)) else { panic!("it is refused") };
    assert!(refusals.iter().any(|refusal| refusal.why.contains("free priorities directly above")), "{refusals:?}");
    assert!(refusals.iter().all(|refusal| refusal.hint.contains("set-rule-priorities")), "{refusals:?}");
}
