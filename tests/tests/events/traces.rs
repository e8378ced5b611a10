//! The two real deployments run through the machine: in order, shuffled and with duplicates.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sandbox::world::Rng;
use serde_json::Value;
use tests::corpus;
use tidegate::events::{Arrival, Home, parse};
use tidegate::ids::{RolloutId, RuleArn, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use tidegate::machine::effect::Effect;
use tidegate::machine::event::Event;
use tidegate::machine::{Now, report, step};
use tidegate::observation::{Action, RulePlace, RuleRef, RuleSeen};
use tidegate::plan::{Plan, Step};
use tidegate::rollout::{Baseline, Rollout, Side};
use tidegate::spec::{CanarySpec, Others, Policies, RolloutSpec, StrategySpec, WorkloadSpec};

/// Shuffles per trace and side; each puts the events in another order and repeats some of them.
const SHUFFLES: u64 = 50;

/// Seconds between two looks of one rollout, whatever comes in: a storm of events costs a bounded number of calls.
const LOOK_EVERY: i64 = 5;

/// One delivery of one event.
type Delivery = (Timestamp, ServiceArn, Event);

/// Reads a trace into what reaches the machine, in the order of its recording.
fn deliveries(name: &str, text: &str) -> Vec<Delivery> {
    text.lines()
        .filter_map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let field = |key: &str| event[key].as_str().unwrap().to_owned();
            let home = Home { account: field("account"), region: field("region") };
            match parse(line, &home).unwrap_or_else(|error| panic!("{name}: {error}")) {
                Arrival::Service { service, event } => Some((field("time").parse().unwrap(), service, event)),
                Arrival::Ignored(_) => None,
                other => panic!("{name}: {other:?}"),
            }
        })
        .collect()
}

/// A rollout whose canary is `canary` and whose stable side is `stable`, begun just before the trace.
fn rollout(stable: &ServiceArn, canary: &ServiceArn, at: Timestamp) -> Rollout {
    let minute = SignedDuration::from_mins(1);
    let side = |service: &ServiceArn| Side {
        service: service.clone(),
        group: TargetGroupArn::new(format!("arn:aws:elasticloadbalancing:x:1:targetgroup/{}/0a", service.name())),
        load_balancer: "app/shop/1b".to_owned(),
        revision: TaskDefinitionArn::new("arn:aws:ecs:x:1:task-definition/web:1"),
        tasks: 1,
        deregistration_delay: minute,
    };
    let (stable, canary) = (side(stable), side(canary));
    let spec = RolloutSpec {
        name: "web".to_owned(),
        workload: WorkloadSpec::TwinServices {
            cluster: "shop".to_owned(),
            services: [stable.service.name().to_owned(), canary.service.name().to_owned()],
        },
        task_definition: None,
        alarms: vec![],
        metrics: vec![],
        strategy: StrategySpec::Canary(CanarySpec {
            steps: vec![],
            bake: minute,
            scale_down_delay: minute,
            abort_scale_down_delay: minute,
            analysis: None,
        }),
        progress_deadline: minute * 60,
        others: Others::default(),
        policies: Policies::default(),
    };
    let rule = RuleSeen {
        rule: RuleRef { arn: RuleArn::new("arn:rule"), place: RulePlace::Rule },
        label: "HTTP:80 default".to_owned(),
        actions: vec![Action::Forward {
            order: None,
            groups: vec![(stable.group.clone(), 1), (canary.group.clone(), 0)],
            stickiness: None,
        }],
        site: None,
    };
    let baseline = Baseline {
        stable,
        canary,
        revision: TaskDefinitionArn::new("arn:aws:ecs:x:1:task-definition/web:2"),
        rules: vec![rule],
        preview: vec![],
        routes: vec![],
        alarms: BTreeMap::new(),
    };
    let plan = Plan { steps: vec![Step::Deploy { tasks: 1 }, Step::Promote, Step::CleanUp { delay: minute }] };
    Rollout::begin(RolloutId::new("web-1"), spec, plan, baseline, "test".to_owned(), Now { at, rate: 1 }).0
}

/// Runs deliveries through the machine, a step each. Nobody answers its looks, so it must not write anything.
fn run(name: &str, mut rollout: Rollout, deliveries: &[Delivery]) -> Rollout {
    let mut looks = 0;
    for (at, _, event) in deliveries {
        let taken = step(rollout, vec![event.clone()], Now { at: *at, rate: 1 });
        taken.rollout.assert_valid().unwrap_or_else(|broken| panic!("{name}: {broken}"));
        for effect in &taken.effects {
            assert!(!matches!(effect, Effect::Perform { .. }), "{name}: {effect:?} on nothing but events");
            looks += i64::from(matches!(effect, Effect::Observe { .. }));
        }
        let report = report(&taken.rollout, Now { at: *at, rate: 1 });
        assert!(!report.waiting_on.is_empty(), "{name}: nobody knows what it waits for");
        rollout = taken.rollout;
    }
    let [first, last] = [deliveries.first(), deliveries.last()].map(|delivery| delivery.unwrap().0);
    let allowed = last.duration_since(first).as_secs() / LOOK_EVERY + 1;
    assert!(looks <= allowed, "{name}: {looks} looks in {} s", last.duration_since(first).as_secs());
    rollout
}

/// Another order of the same events, some of them twice or more often; the times of delivery stay in order.
fn shuffled(deliveries: &[Delivery], seed: u64) -> Vec<Delivery> {
    let mut rng = Rng::new(seed);
    let mut order: Vec<usize> = (0..deliveries.len()).collect();
    for _ in 0..deliveries.len() / 3 {
        order.push(usize::try_from(rng.below(deliveries.len() as u64)).unwrap());
    }
    for last in (1..order.len()).rev() {
        order.swap(last, usize::try_from(rng.below(last as u64 + 1)).unwrap());
    }
    let times = deliveries.iter().map(|(at, _, _)| *at);
    let last = times.clone().max().unwrap();
    let times = times.chain(std::iter::repeat(last));
    order
        .into_iter()
        .zip(times)
        .map(|(index, at)| (at, deliveries[index].1.clone(), deliveries[index].2.clone()))
        .collect()
}

#[test]
fn real_deployments_end_the_same_in_any_order_and_with_any_duplicate() {
    let Some(events) = corpus::events() else {
        println!("skipped: no corpus beside the repository, and TIDEGATE_CORPUS is not set");
        return;
    };
    for (name, text) in corpus::files(&events.join("traces"), "jsonl") {
        let deliveries = deliveries(&name, &text);
        let mut services: Vec<&ServiceArn> = deliveries.iter().map(|(_, service, _)| service).collect();
        services.sort();
        services.dedup();
        let [one, other] = services[..] else { panic!("{name}: {services:?}") };
        for (stable, canary) in [(one, other), (other, one)] {
            let begun = || rollout(stable, canary, deliveries[0].0);
            let in_order = run(&name, begun(), &deliveries);

            let newest = deliveries.iter().filter_map(|(_, service, event)| match event {
                Event::Task(task) if service == canary => Some((task.task.clone(), task.version)),
                _ => None,
            });
            let newest: BTreeMap<_, _> = newest.collect();
            let known: BTreeMap<_, _> =
                in_order.tasks.iter().map(|(task, fact)| (task.clone(), fact.version)).collect();
            assert!(!newest.is_empty(), "{name}: {canary} has tasks");
            assert_eq!(known, newest, "{name}: the newest version of each of the canary's tasks, and no other task");

            for seed in 0..SHUFFLES {
                let ended = run(&name, begun(), &shuffled(&deliveries, seed));
                assert_eq!(ended.tasks, in_order.tasks, "{name}, seed {seed}");
                assert_eq!((ended.cursor, &ended.phase), (in_order.cursor, &in_order.phase), "{name}, seed {seed}");
            }
        }
    }
}
