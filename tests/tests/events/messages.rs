//! Our own messages come back as they went out, and a rollout can be asked for on the bus.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate::analysis::{Found, MeasureRequest, Measured, Query, Reading};
use tidegate::events::{Arrival, Home, Message, StartRequest, parse};
use tidegate::fault::{Fault, Obstacle, Outcome};
use tidegate::ids::{AlarmArn, RolloutId, RuleArn, ServiceArn, TargetGroupArn, TaskArn, TaskDefinitionArn};
use tidegate::machine::effect::{Announcement, Effect, RouteWrite, RuleWrite, Transition, Weighted, Write};
use tidegate::machine::event::{AlarmChange, Command, Event, TaskChange, Verb};
use tidegate::observation::{
    Action, AlarmState, Health, Observation, Read, RouteAt, RouteSeen, RulePlace, RuleRef, RuleSeen, Site,
};
use tidegate::rollout::Manner;
use tidegate::spec::{HeaderMatch, HeaderValue, MetricSource};
use tidegate::weight::Weight;

fn home() -> Home {
    Home { account: "012345678901".to_owned(), region: "eu-west-1".to_owned() }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One of every event.
fn events() -> Vec<Event> {
    let now = at("2026-11-22T13:00:00.123Z");
    let service = ServiceArn::new("arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-blue");
    let throttled = Fault::transient("Rate exceeded");
    let group = TargetGroupArn::new("arn:aws:elasticloadbalancing:eu-west-1:012345678901:targetgroup/blue/0a1b");
    let rule = RuleSeen {
        rule: RuleRef { arn: RuleArn::new("arn:…:listener/app/shop/1/2"), place: RulePlace::DefaultAction },
        label: "HTTP:80 default".to_owned(),
        actions: vec![
            Action::Other { kind: "authenticate-oidc".to_owned(), body: "{\"a\":1}".to_owned() },
            Action::Forward { order: Some(2), groups: vec![(group, 200)], stickiness: None },
        ],
        site: Some(Site { port: 80, priority: None, room: 7, values: 1, wildcards: 1, rules: 2 }),
    };
    let observation = Observation {
        generation: u64::MAX,
        as_of: now,
        stable: Read::Unknown(throttled.clone()),
        canary: Read::Unknown(Fault::permanent(Obstacle::AccessDenied, "ecs:DescribeServices")),
        stable_health: Read::Is(Health { healthy: 4, ..Health::default() }),
        canary_health: Read::Is(Health::default()),
        rules: Read::Is(vec![rule.clone()]),
        preview: Read::Is(vec![rule.clone()]),
        routes: Read::Is(vec![RouteSeen::Absent, RouteSeen::Ours(rule), RouteSeen::Taken { by: "x".to_owned() }]),
        alarms: Read::Is(BTreeMap::from([("5xx".to_owned(), AlarmState::InsufficientData)])),
    };
    let readings =
        [Found::Value { value: 0.024, samples: 118 }, Found::NoData, Found::Error { why: "late".to_owned() }]
            .map(|found| Reading { metric: "http-5xx-rate".to_owned(), from: now, to: now, found });
    vec![
        Event::Tick,
        Event::WakeUp { generation: 7 },
        Event::Knock { what: "SERVICE_STEADY_STATE".to_owned() },
        Event::Task(TaskChange {
            task: TaskArn::new("arn:aws:ecs:eu-west-1:012345678901:task/shop/0a1b"),
            service,
            version: 9,
            started_by: Some("ecs-svc/123".to_owned()),
            last_status: "STOPPED".to_owned(),
            desired_status: "STOPPED".to_owned(),
            stop_code: None,
            stopped_reason: Some("Scaling activity".to_owned()),
            containers: vec![],
        }),
        Event::Alarm(AlarmChange {
            alarm: AlarmArn::new("arn:aws:cloudwatch:eu-west-1:012345678901:alarm:5xx"),
            state: AlarmState::Alarm,
            at: now,
        }),
        Event::Observed(Box::new(observation)),
        Event::Performed { token: 3, outcome: Outcome::Applied },
        Event::Performed { token: 3, outcome: Outcome::NotApplied { fault: throttled } },
        Event::Performed { token: 3, outcome: Outcome::Unknown { why: "timed out".to_owned() } },
        Event::Measured(Measured { run: 1, generation: 2, readings: readings.into() }),
        Event::Command(Command { verb: Verb::Abort, expected_step: Some(2), by: "arn:aws:iam::1:user/ana".to_owned() }),
    ]
}

/// One of every effect, and of every write.
fn effects(rollout: &RolloutId, measure: &MeasureRequest) -> Vec<Effect> {
    let group = TargetGroupArn::new("arn:aws:elasticloadbalancing:eu-west-1:012345678901:targetgroup/blue/0a1b");
    let rule = RuleRef { arn: RuleArn::new("arn:…:listener-rule/app/shop/1/2/3"), place: RulePlace::Rule };
    let forward =
        |weight| vec![Action::Forward { order: None, groups: vec![(group.clone(), weight)], stickiness: None }];
    let write = |only_if| RuleWrite { rule: rule.clone(), actions: forward(1), only_if };
    let service = ServiceArn::new("arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-blue");
    let revision = TaskDefinitionArn::new("arn:aws:ecs:eu-west-1:012345678901:task-definition/checkout:2");
    let weighted = Weighted { group: group.clone() };
    let at_place = RouteAt {
        name: "testers".to_owned(),
        beside: rule.clone(),
        label: "HTTPS:443".to_owned(),
        priority: 9,
        matches: vec![HeaderMatch { header: "x-beta".to_owned(), value: HeaderValue::Prefix("1".to_owned()) }],
    };
    let writes = [
        Write::SetWeights { canary: Weight::per_mille(125).unwrap(), rules: vec![write(Some(forward(0)))] },
        Write::GoHome { rules: vec![write(None)] },
        Write::Preview { rules: vec![write(Some(forward(0)))] },
        Write::CreateRoutes { routes: vec![RouteWrite { at: at_place.clone(), actions: forward(1) }] },
        Write::OpenRoutes { rules: vec![write(Some(forward(0)))] },
        Write::DeleteRoutes { routes: vec![at_place], unless_weighted: Some(weighted.clone()) },
        Write::Deploy { service: service.clone(), revision, tasks: 3 },
        Write::Scale { service: service.clone(), tasks: 0, unless_weighted: Some(weighted) },
        Write::Scale { service, tasks: 4, unless_weighted: None },
    ];
    let announcement = Announcement {
        rollout: rollout.clone(),
        what: Transition::RollbackBlocked,
        message: "a person is needed".to_owned(),
        at: at("2026-11-22T13:00:00Z"),
    };
    let others = [
        Effect::Observe { generation: 4 },
        Effect::Measure(measure.clone()),
        Effect::WakeAt { at: at("2026-11-22T13:15:00Z"), generation: 2 },
        Effect::Announce(announcement),
    ];
    writes.into_iter().map(|write| Effect::Perform { token: 9, write }).chain(others).collect()
}

#[test]
fn every_message_comes_back_as_it_went_out() {
    let rollout = RolloutId::new("checkout-01K0000000000000000000000A");
    for event in events() {
        let body = Message::Event { rollout: rollout.clone(), event: event.clone() }.body();
        assert_eq!(parse(&body, &home()), Ok(Arrival::Rollout { rollout: rollout.clone(), event }), "{body}");
    }
    let wake_up = Message::WakeUp { rollout: rollout.clone(), generation: 12 };
    let woken = Arrival::Rollout { rollout: rollout.clone(), event: Event::WakeUp { generation: 12 } };
    assert_eq!(parse(&wake_up.body(), &home()), Ok(woken));
    let request = StartRequest {
        key: "k".into(),
        spec: "name: a\n".into(),
        task_definition: None,
        by: "me".into(),
        asked_at: at("2026-11-22T13:00:00Z"),
        manner: Manner::default(),
    };
    assert_eq!(parse(&Message::Start(request.clone()).body(), &home()), Ok(Arrival::Start(request)));
    let source = MetricSource::CloudWatch {
        namespace: "Shop".into(),
        metric_name: "OrdersLost".into(),
        dimensions: vec![("Shop".into(), "eu".into())],
        statistic: "Sum".into(),
    };
    let query = Query {
        metric: "lost".into(),
        source,
        load_balancer: "app/shop/1".into(),
        target_group: "targetgroup/blue/2".into(),
        from: at("2026-11-22T13:00:00Z"),
        to: at("2026-11-22T13:05:00Z"),
    };
    let request = MeasureRequest { rollout: rollout.clone(), run: 1, generation: 2, queries: vec![query] };
    let effects = effects(&rollout, &request);
    let handed_on = Message::Effects { rollout: rollout.clone(), effects: effects.clone() };
    assert_eq!(parse(&handed_on.body(), &home()), Ok(Arrival::Effects { rollout, effects }));
    assert_eq!(parse(&Message::Measure(request.clone()).body(), &home()), Ok(Arrival::Measure(request)));
}

#[test]
fn a_message_of_another_version_is_an_error_and_keeps_its_body_for_the_dead_letter_queue() {
    let error = parse(r#"{"tidegate":"teleport","rollout":"checkout-1"}"#, &home()).unwrap_err();
    assert!(error.what.starts_with("not a message of Tidegate: unknown variant `teleport`"), "{error}");
}

/// A `Rollout Requested` of another account, as CI puts it on the bus.
fn requested(detail: &Value) -> String {
    json!({
        "version": "0", "id": "8d5c1f6e-0000-4000-8000-000000000002", "detail-type": "Rollout Requested",
        "source": "ci.shop", "account": "210987654321", "region": "us-east-1", "time": "2026-11-22T13:00:00Z",
        "resources": [], "detail": detail,
    })
    .to_string()
}

#[test]
fn a_rollout_is_asked_for_on_the_bus_by_whomever_the_bus_lets_in() {
    let start = |detail: Value| match parse(&requested(&detail), &home()).unwrap() {
        Arrival::Start(request) => request,
        other => panic!("{other:?}"),
    };
    let as_text = start(json!({"spec": "name: checkout\n", "taskDefinition": "checkout:43", "key": "build-7"}));
    assert_eq!(
        as_text,
        StartRequest {
            key: "build-7".to_owned(),
            spec: "name: checkout\n".to_owned(),
            task_definition: Some("checkout:43".to_owned()),
            by: "210987654321/ci.shop".to_owned(),
            asked_at: at("2026-11-22T13:00:00Z"),
            manner: Manner::default(),
        }
    );
    let as_object = start(json!({"spec": {"name": "checkout"}}));
    assert_eq!(as_object.spec, r#"{"name":"checkout"}"#);
    assert_eq!((as_object.key.as_str(), as_object.task_definition), ("8d5c1f6e-0000-4000-8000-000000000002", None));
    for wrong in [json!({}), json!({"spec": 3}), json!({"spec": null}), json!({"spec": ["a"]})] {
        assert_eq!(parse(&requested(&wrong), &home()).unwrap_err().what, "`Rollout Requested` without a spec");
    }
}
