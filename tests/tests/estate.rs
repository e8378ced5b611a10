//! The estate by table: one good pair of twins, one change each, and every reason that it gives. Goldens in `snapshots/`.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use tidegate::estate;
use tidegate::ids::{AlarmArn, RuleArn, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use tidegate::observation::{
    Action, AlarmState, Blueprint, Bypass, DeploymentController, DeploymentSeen, Estate, GroupSeen, Health,
    RevisionSeen, RulePlace, RuleRef, RuleSeen, Scaling, ServiceSeen, Site, Stickiness,
};
use tidegate::spec::policy::{FreezeTimes, FreezeWindow, OnFreeze};
use tidegate::spec::{
    self, AutoPromotion, BlueGreenSpec, CanaryScale, CanaryStep, HeaderMatch, HeaderRoute, HeaderValue, PreviewSpec,
    RolloutSpec, StrategySpec,
};

const SPEC: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: {name: checkout}
spec:
  workload: {twinServices: {cluster: shop, services: [checkout-blue, checkout-green]}}
  taskDefinition: checkout:42
  alarms: [checkout-5xx]
  strategy:
    canary:
      steps: [setWeight: 5, pause: {duration: 2m}, setWeight: 50]
";

fn spec() -> RolloutSpec {
    spec::read(SPEC).unwrap()
}

fn group(name: &str) -> TargetGroupArn {
    TargetGroupArn::new(format!("arn:aws:elasticloadbalancing:eu-west-1:012345678901:targetgroup/{name}/0a1b"))
}

fn revision(number: u32) -> TaskDefinitionArn {
    TaskDefinitionArn::new(format!("arn:aws:ecs:eu-west-1:012345678901:task-definition/checkout:{number}"))
}

fn service(color: &str, tasks: u32) -> ServiceSeen {
    ServiceSeen {
        arn: ServiceArn::new(format!("arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-{color}")),
        status: "ACTIVE".to_owned(),
        desired: tasks,
        running: tasks,
        pending: 0,
        task_definition: revision(41),
        deployments: vec![deployment("1", "COMPLETED")],
        target_groups: vec![group(color)],
        controller: DeploymentController::EcsRolling,
        bypass: None,
        daemon: false,
    }
}

fn deployment(id: &str, state: &str) -> DeploymentSeen {
    DeploymentSeen {
        id: format!("ecs-svc/{id}"),
        status: "PRIMARY".to_owned(),
        task_definition: revision(41),
        rollout_state: Some(state.to_owned()),
        failed: 0,
    }
}

fn group_seen(healthy: u32) -> GroupSeen {
    GroupSeen {
        load_balancer: Some("app/shop/77".to_owned()),
        health: Health { healthy, ..Health::default() },
        deregistration_delay: SignedDuration::from_secs(30),
    }
}

fn forward(groups: &[(&str, u32)]) -> Action {
    let groups = groups.iter().map(|(name, weight)| (group(name), *weight)).collect();
    Action::Forward { order: None, groups, stickiness: None }
}

fn rule(label: &str, action: Action) -> RuleSeen {
    let arn = RuleArn::new(format!("arn:aws:elasticloadbalancing:eu-west-1:012345678901:listener-rule/{label}"));
    // `HTTPS:443 /checkout*` is on port 443; what has no such name is on port 80.
    let port = label.split([':', ' ']).nth(1).and_then(|port| port.parse().ok()).unwrap_or(80);
    let site = Some(Site { port, priority: None, room: 9, values: 1, wildcards: 1, rules: 3 });
    RuleSeen { rule: RuleRef { arn, place: RulePlace::Rule }, label: label.to_owned(), actions: vec![action], site }
}

/// `checkout-blue` has all the traffic on two rules, `checkout-green` none and no tasks.
fn good() -> Estate {
    let alarm = AlarmArn::new("arn:aws:cloudwatch:eu-west-1:012345678901:alarm:checkout-5xx");
    Estate {
        as_of: Timestamp::UNIX_EPOCH,
        services: [Some(service("blue", 4)), Some(service("green", 0))],
        groups: BTreeMap::from([(group("blue"), group_seen(4)), (group("green"), group_seen(0))]),
        rules: vec![
            rule("HTTPS:443 /checkout*", forward(&[("blue", 1), ("green", 0)])),
            rule("HTTP:80 default", forward(&[("green", 0), ("blue", 100)])),
        ],
        alarms: BTreeMap::from([("checkout-5xx".to_owned(), (alarm, AlarmState::Ok))]),
        scalable: BTreeMap::from([(service("blue", 4).arn, Scaling::Suspended)]),
        revision: Some(RevisionSeen { arn: revision(42), active: true }),
    }
}

fn blue(estate: &mut Estate) -> &mut ServiceSeen {
    estate.services[0].as_mut().unwrap()
}

fn green(estate: &mut Estate) -> &mut ServiceSeen {
    estate.services[1].as_mut().unwrap()
}

#[test]
fn roles_and_the_way_home_are_read_from_live_weights() {
    let baseline = estate::baseline(&spec(), &good()).unwrap();
    assert_eq!((baseline.stable.service.name(), baseline.stable.tasks), ("checkout-blue", 4));
    assert_eq!((baseline.canary.service.name(), baseline.canary.tasks), ("checkout-green", 0));
    assert_eq!((baseline.rules, baseline.revision), (good().rules, revision(42)));
    assert_eq!(baseline.alarms.keys().collect::<Vec<_>>(), ["checkout-5xx"]);

    let mut swapped = good();
    swapped.services = [Some(service("blue", 0)), Some(service("green", 4))];
    swapped.groups = BTreeMap::from([(group("blue"), group_seen(0)), (group("green"), group_seen(4))]);
    swapped.rules = vec![rule("HTTP:80 default", forward(&[("blue", 0), ("green", 7)]))];
    let baseline = estate::baseline(&spec(), &swapped).unwrap();
    assert_eq!(baseline.stable.service.name(), "checkout-green");
}

type Change = (&'static str, fn(&mut RolloutSpec, &mut Estate));

/// Blue/green, with a preview on port 9443.
fn blue_green(spec: &mut RolloutSpec) {
    spec.strategy = StrategySpec::BlueGreen(BlueGreenSpec {
        preview: Some(PreviewSpec { port: 9443 }),
        preview_tasks: None,
        pre_promotion: vec![],
        auto_promotion: AutoPromotion::AtOnce,
        post_promotion: vec![],
        scale_down_delay: SignedDuration::from_secs(300),
        abort_scale_down_delay: SignedDuration::from_secs(30),
    });
}

/// A canary whose first step is a header route.
fn routed(spec: &mut RolloutSpec) {
    let value = HeaderValue::Prefix("v2-".to_owned());
    let matches = vec![HeaderMatch { header: "x-beta".to_owned(), value }];
    let StrategySpec::Canary(canary) = &mut spec.strategy else { panic!("a canary") };
    canary.steps.insert(0, CanaryStep::SetHeaderRoute(HeaderRoute { name: "testers".to_owned(), matches }));
}

/// Where the first managed rule stands.
fn site(estate: &mut Estate) -> &mut Site {
    estate.rules[0].site.as_mut().unwrap()
}

const CHANGES: [Change; 49] = [
    ("the second service is not there", |_, estate| estate.services[1] = None),
    ("neither service is there", |_, estate| estate.services = [None, None]),
    ("a service is INACTIVE", |_, estate| green(estate).status = "INACTIVE".to_owned()),
    ("a service has no target group", |_, estate| green(estate).target_groups.clear()),
    ("a service has two target groups", |_, estate| green(estate).target_groups.push(group("other"))),
    ("both services have one group", |_, estate| green(estate).target_groups = vec![group("blue")]),
    ("a target group does not exist", |_, estate| drop(estate.groups.remove(&group("green")))),
    ("a target group is on no load balancer", |_, estate| {
        estate.groups.get_mut(&group("green")).unwrap().load_balancer = None;
    }),
    ("the groups are on two load balancers", |_, estate| {
        estate.groups.get_mut(&group("green")).unwrap().load_balancer = Some("app/other/78".to_owned());
    }),
    ("no rule names the second group", |_, estate| {
        estate.rules = vec![rule("HTTP:80 default", forward(&[("blue", 1)]))];
    }),
    ("no rule at all", |_, estate| estate.rules.clear()),
    ("the groups are never on the same rule", |_, estate| {
        estate.rules = vec![rule("one", forward(&[("blue", 1)])), rule("two", forward(&[("green", 1)]))];
    }),
    ("one of two rules names one group alone", |_, estate| {
        estate.rules[1] = rule("HTTP:80 default", forward(&[("blue", 1)]));
    }),
    ("a rule has a third group with weight", |_, estate| {
        estate.rules[1] = rule("HTTP:80 default", forward(&[("blue", 1), ("green", 0), ("old", 5)]));
    }),
    ("a third group without weight is harmless", |_, estate| {
        estate.rules[1] = rule("HTTP:80 default", forward(&[("blue", 1), ("green", 0), ("old", 0)]));
    }),
    ("another action beside the forward is harmless", |_, estate| {
        let login = Action::Other { kind: "authenticate-oidc".to_owned(), body: "{}".to_owned() };
        estate.rules[0].actions.insert(0, login);
    }),
    ("more than one side carries traffic", |_, estate| {
        estate.rules[0] = rule("HTTPS:443 /checkout*", forward(&[("blue", 875), ("green", 125)]));
    }),
    ("no side carries traffic", |_, estate| {
        estate.rules[0] = rule("HTTPS:443 /checkout*", forward(&[("blue", 0), ("green", 0)]));
    }),
    ("rules disagree about the stable side", |_, estate| {
        estate.rules[1] = rule("HTTP:80 default", forward(&[("blue", 0), ("green", 1)]));
    }),
    ("group stickiness is on", |_, estate| {
        let Action::Forward { stickiness, .. } = &mut estate.rules[0].actions[0] else { panic!("a forward") };
        *stickiness = Some(Stickiness { enabled: true, seconds: Some(3600) });
    }),
    ("group stickiness is off", |_, estate| {
        let Action::Forward { stickiness, .. } = &mut estate.rules[0].actions[0] else { panic!("a forward") };
        *stickiness = Some(Stickiness { enabled: false, seconds: None });
    }),
    ("scaling of a twin is active", |_, estate| {
        estate.scalable.insert(service("green", 0).arn, Scaling::Active);
    }),
    ("a deployment is in progress", |_, estate| blue(estate).deployments = vec![deployment("2", "IN_PROGRESS")]),
    ("two deployments", |_, estate| green(estate).deployments.push(deployment("3", "COMPLETED"))),
    ("ECS's own canary", |_, estate| green(estate).controller = DeploymentController::EcsNative("CANARY".to_owned())),
    ("CodeDeploy", |_, estate| blue(estate).controller = DeploymentController::CodeDeploy),
    ("task sets", |_, estate| blue(estate).controller = DeploymentController::External),
    ("a DAEMON", |_, estate| blue(estate).daemon = true),
    ("Service Connect", |_, estate| blue(estate).bypass = Some(Bypass::ServiceConnect)),
    ("Cloud Map", |_, estate| green(estate).bypass = Some(Bypass::CloudMap)),
    ("an alarm does not exist", |_, estate| estate.alarms.clear()),
    ("an alarm is in ALARM", |_, estate| estate.alarms.get_mut("checkout-5xx").unwrap().1 = AlarmState::Alarm),
    ("an alarm has too little data", |_, estate| {
        estate.alarms.get_mut("checkout-5xx").unwrap().1 = AlarmState::InsufficientData;
    }),
    ("no revision is named", |spec, estate| (spec.task_definition, estate.revision) = (None, None)),
    ("the revision does not exist", |_, estate| estate.revision = None),
    ("the revision is INACTIVE", |_, estate| estate.revision.as_mut().unwrap().active = false),
    ("stable runs that revision", |_, estate| blue(estate).task_definition = revision(42)),
    ("stable has no tasks", |_, estate| (blue(estate).desired, blue(estate).running) = (0, 0)),
    ("stable is not at its count and not healthy", |_, estate| {
        (blue(estate).running, blue(estate).pending) = (3, 1);
        estate.groups.get_mut(&group("blue")).unwrap().health.healthy = 3;
    }),
    ("the preview is there", |spec, estate| {
        blue_green(spec);
        estate.rules.push(rule("HTTPS:9443 default", forward(&[("blue", 1), ("green", 0)])));
    }),
    ("there is no preview where the spec says", |spec, _| blue_green(spec)),
    ("the preview is all there is", |spec, estate| {
        blue_green(spec);
        estate.rules = vec![rule("HTTPS:9443 default", forward(&[("blue", 1), ("green", 0)]))];
    }),
    ("a header route has its places", |spec, _| routed(spec)),
    ("a header route on a Network Load Balancer", |spec, estate| {
        routed(spec);
        for group in estate.groups.values_mut() {
            group.load_balancer = Some("net/shop/77".to_owned());
        }
    }),
    ("no place above a managed rule is free", |spec, estate| {
        routed(spec);
        (site(estate).priority, site(estate).room) = (Some(10), 0);
    }),
    ("the load balancer has as many rules as it may", |spec, estate| {
        routed(spec);
        site(estate).rules = 99;
    }),
    ("the managed rule compares with all values that a rule may", |spec, estate| {
        routed(spec);
        (site(estate).values, site(estate).wildcards) = (5, 0);
    }),
    ("the managed rule logs people in by OIDC", |spec, estate| {
        routed(spec);
        let login = Action::Other { kind: "authenticate-oidc".to_owned(), body: "{}".to_owned() };
        estate.rules[0].actions.insert(0, login);
    }),
    ("the scale is too small for a weight", |spec, _| {
        let StrategySpec::Canary(canary) = &mut spec.strategy else { panic!("a canary") };
        canary.steps.insert(0, CanaryStep::SetCanaryScale(CanaryScale::Replicas(1)));
    }),
];

#[test]
fn each_refusal_names_the_thing_and_the_way_out() {
    let mut golden = String::new();
    for (name, change) in CHANGES {
        let (mut spec, mut estate) = (spec(), good());
        change(&mut spec, &mut estate);
        writeln!(golden, "{name}").unwrap();
        let report = estate::plan_report(&spec, &estate);
        match estate::baseline(&spec, &estate) {
            Ok(_) => {
                assert_eq!(report.refusals, []);
                writeln!(golden, "  may begin").unwrap();
            }
            Err(refusals) => {
                assert!(!refusals.is_empty(), "{name}: refused without a reason");
                assert_eq!(report.refusals, refusals, "{name}: plan and start disagree");
                for refusal in refusals {
                    writeln!(golden, "  - {}\n    {}", refusal.why, refusal.hint).unwrap();
                }
            }
        }
    }
    insta::assert_snapshot!("refusals", golden);
}

#[test]
fn all_reasons_are_given_at_once() {
    let mut estate = good();
    green(&mut estate).daemon = true;
    estate.scalable.insert(service("green", 0).arn, Scaling::Active);
    estate.alarms.clear();
    estate.revision = None;
    assert_eq!(estate::baseline(&spec(), &estate).unwrap_err().len(), 4);
}

#[test]
fn a_start_in_a_freeze_waits_or_is_refused_as_the_spec_says() {
    let at = good().as_of;
    let hour = SignedDuration::from_hours(1);
    let freeze = |on_freeze| {
        let mut spec = spec();
        let when = FreezeTimes::Once { from: at - hour, to: at + hour };
        spec.policies.freezes = vec![FreezeWindow { when, reason: "the quarter ends".to_owned() }];
        spec.policies.on_freeze = on_freeze;
        estate::baseline(&spec, &good())
    };
    assert!(freeze(OnFreeze::Wait).is_ok());
    let refusals = freeze(OnFreeze::Refuse).unwrap_err();
    assert!(refusals[0].why.contains("the quarter ends") && refusals.len() == 1, "{refusals:?}");
}

#[test]
fn a_plan_report_shows_roles_rules_and_steps() {
    insta::assert_json_snapshot!("plan-report", estate::plan_report(&spec(), &good()));
}

#[test]
fn init_prints_a_spec_and_a_second_service() {
    let blueprint = Blueprint {
        launch_type: Some("FARGATE".to_owned()),
        capacity_providers: Vec::new(),
        platform_version: Some("LATEST".to_owned()),
        subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
        security_groups: vec!["sg-1".to_owned()],
        public_ip: false,
        container: Some(("web".to_owned(), 8080)),
        grace_seconds: Some(60),
        deployment_percents: Some((100, 200)),
        execute_command: false,
        propagate_tags: Some("SERVICE".to_owned()),
    };
    let rules = [rule("HTTPS:443 /checkout*", forward(&[("blue", 1)]))];
    let printed = estate::init(&service("blue", 4), &blueprint, &rules).unwrap();
    assert_eq!(spec::read(&printed.spec).unwrap().name, "checkout");
    insta::assert_snapshot!("init", format!("{}\n{}", printed.spec, printed.service));

    let attached = [rule("HTTPS:443 /checkout*", forward(&[("blue", 1), ("green", 0)]))];
    let printed = estate::init(&service("blue", 4), &blueprint, &attached).unwrap();
    assert!(printed.service.contains(group("green").as_str()), "{}", printed.service);

    let mut alone = service("blue", 4);
    alone.target_groups.clear();
    let bare = Blueprint { container: None, ..blueprint };
    assert_eq!(estate::init(&alone, &bare, &[]).unwrap_err().len(), 2);
}
