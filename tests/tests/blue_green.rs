//! Blue/green in the World: a preview on a test listener, one switch, users who notice neither.

use jiff::SignedDuration;
use sandbox::world::{Action, CreateListener, TrafficShape, TrafficSource};
use tests::shop::{Shop, red};
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
    blueGreen:
      preview: { port: 9443 }
      previewReplicaCount: 1
      prePromotionAnalysis: { metrics: [http-5xx-rate] }
      postPromotionAnalysis: { metrics: [http-5xx-rate] }
      scaleDownDelaySeconds: 120
";

/// The usual estate with a test listener, and testers who use it.
struct Previewed {
    shop: Shop,
    listener: String,
}

impl Previewed {
    fn open(seed: u64) -> Self {
        let shop = Shop::open(seed);
        let listener = {
            let mut world = shop.sandbox.world();
            let groups = [&shop.parts.blue, &shop.parts.green].map(|twin| twin.target_group_arn.as_str());
            let listener = world.create_listener(CreateListener {
                load_balancer_arn: shop.parts.load_balancer_arn.clone(),
                port: Some(9443),
                protocol: Some("HTTPS".to_owned()),
                default_actions: vec![Action::forward(&[(groups[0], 1), (groups[1], 0)])],
                ..CreateListener::default()
            });
            let listener = listener.expect("the listener is made").listener_arn;
            world.add_traffic(TrafficSource {
                listener_arn: listener.clone(),
                host: "checkout.example.com".to_owned(),
                path: "/".to_owned(),
                headers: Vec::new(),
                requests_per_second: 5.0,
                shape: TrafficShape::Even,
            });
            listener
        };
        Self { shop, listener }
    }

    /// The weights of stable and canary on production and on the preview, as the API shows them.
    fn weights(&self) -> [(u32, u32); 2] {
        let mut world = self.shop.sandbox.world();
        [self.shop.parts.plain_listener_arn.clone(), self.listener.clone()].map(|arn| {
            let asked = sandbox::world::DescribeListeners { listener_arns: vec![arn], ..Default::default() };
            let found = world.describe_listeners(&asked).expect("the listener is there");
            let groups = &found[0].default_actions[0].forward_config.as_ref().expect("it forwards").target_groups;
            (groups[0].weight.unwrap_or(1), groups[1].weight.unwrap_or(1))
        })
    }

    /// Lets time pass until the rollout is at a step of this name.
    fn until(&self, rollout: &RolloutId, step: &str) {
        for _ in 0..720 {
            let report = self.shop.report(rollout);
            if report.steps[report.step].step.starts_with(step) {
                return;
            }
            assert_eq!(report.ended_at, None, "{}", report.message);
            self.shop.sandbox.run_for(SignedDuration::from_secs(5));
        }
        panic!("it never came to {step}: {}", self.shop.report(rollout).waiting_on);
    }
}

const HOME: (u32, u32) = (1, 0);
const AWAY: (u32, u32) = (0, 1);

#[test]
fn a_good_revision_is_previewed_judged_switched_and_kept() {
    let estate = Previewed::open(1);
    let rollout = estate.shop.begin_with(SPEC, &estate.shop.revision(0.0));
    estate.until(&rollout, "analysis");
    assert_eq!(estate.weights(), [HOME, AWAY], "production is untouched while the preview shows the canary");
    estate.until(&rollout, "bake");
    assert_eq!(estate.weights(), [AWAY, AWAY]);
    let report = estate.shop.until_ended(&rollout, 60);
    assert_eq!((report.phase.as_str(), report.strategy.as_str()), ("Healthy", "BlueGreen"), "{}", report.message);
    assert_eq!(estate.shop.user_errors(), 0, "{:?}", estate.shop.sandbox.world().user_errors());
}

#[test]
fn a_bad_revision_is_found_out_by_its_testers_and_met_by_no_user() {
    let estate = Previewed::open(2);
    let rollout = estate.shop.begin_with(SPEC, &estate.shop.revision(0.3));
    for _ in 0..360 {
        assert_eq!(estate.weights()[0], HOME, "no user meets it");
        if estate.shop.report(&rollout).ended_at.is_some() {
            break;
        }
        estate.shop.sandbox.run_for(SignedDuration::from_secs(5));
    }
    let report = estate.shop.report(&rollout);
    assert_eq!(report.phase, "Degraded", "{}", report.message);
    assert!(report.message.contains("http-5xx-rate") || report.message.contains("alarm"), "{}", report.message);
    assert_eq!(estate.weights(), [HOME, HOME]);
    assert_eq!(estate.shop.user_errors(), 0, "{:?}", estate.shop.sandbox.world().user_errors());
}

#[test]
fn an_alarm_or_an_abort_inside_the_delay_is_home_within_seconds() {
    for seed in 3..7 {
        let estate = Previewed::open(seed);
        let rollout = estate.shop.begin_with(SPEC, &estate.shop.revision(0.0));
        estate.until(&rollout, "bake");
        if seed % 2 == 0 {
            assert!(matches!(estate.shop.verb(&rollout, Verb::Abort), Answer::Done { .. }));
        } else {
            let alarm = red(&estate.shop.parts.alarm_name);
            estate.shop.sandbox.world().set_alarm_state(alarm).expect("the alarm is there");
        }
        estate.shop.sandbox.run_for(SignedDuration::from_secs(3));
        assert_eq!(estate.weights(), [HOME, HOME], "seed {seed}");
        let report = estate.shop.until_ended(&rollout, 30);
        assert_eq!(report.phase, "Degraded", "{}", report.message);
        assert_eq!(report.stable.running, Some(4), "the old side was whole all the time");
        assert_eq!(estate.shop.user_errors(), 0, "seed {seed}: {:?}", estate.shop.sandbox.world().user_errors());
    }
}

#[test]
fn a_second_rollout_swaps_the_roles_and_the_preview_with_them() {
    let estate = Previewed::open(8);
    let first = estate.shop.begin_with(SPEC, &estate.shop.revision(0.0));
    assert_eq!(estate.shop.until_ended(&first, 60).phase, "Healthy");
    let second = estate.shop.begin_with(SPEC, &estate.shop.revision(0.0));
    estate.until(&second, "analysis");
    assert_eq!(estate.weights(), [AWAY, HOME], "green is production, and the preview shows blue");
    let report = estate.shop.until_ended(&second, 60);
    assert_eq!((report.phase.as_str(), estate.weights()), ("Healthy", [HOME, HOME]), "{}", report.message);
    assert_eq!(estate.shop.user_errors(), 0, "{:?}", estate.shop.sandbox.world().user_errors());
}
