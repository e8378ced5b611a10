//! A small world of names for the unit tests of the pure rooms.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AlarmArn, RolloutId, RuleArn, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::machine::Now;
use crate::observation::{
    Action, AlarmState, DeploymentController, DeploymentSeen, Health, Observation, Read, RulePlace, RuleRef, RuleSeen,
    ServiceSeen,
};
use crate::plan::{Plan, Step};
use crate::rollout::{Baseline, Rollout, Side};
use crate::spec::{CanarySpec, MetricSpec, Others, Policies, RolloutSpec, StrategySpec, WorkloadSpec};
use crate::weight::Weight;

pub fn spec_with(metrics: Vec<MetricSpec>) -> RolloutSpec {
    RolloutSpec {
        name: "checkout".into(),
        workload: WorkloadSpec::TwinServices {
            cluster: "shop".into(),
            services: ["checkout-blue".into(), "checkout-green".into()],
        },
        task_definition: None,
        alarms: vec!["checkout-5xx".into()],
        metrics,
        strategy: StrategySpec::Canary(CanarySpec {
            steps: vec![],
            bake: seconds(120),
            scale_down_delay: seconds(30),
            abort_scale_down_delay: seconds(30),
            analysis: None,
        }),
        progress_deadline: seconds(600),
        others: Others::default(),
        policies: Policies::default(),
    }
}

pub fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub fn at(second: i64) -> Now {
    Now { at: Timestamp::from_second(1_800_000_000 + second).unwrap(), rate: 1 }
}

pub fn per_cent(share: u16) -> Weight {
    Weight::per_mille(share * 10).unwrap()
}

pub fn revision(number: u32) -> TaskDefinitionArn {
    TaskDefinitionArn::new(format!("arn:aws:ecs:eu-west-1:012345678901:task-definition/checkout:{number}"))
}

pub fn group(colour: &str) -> TargetGroupArn {
    TargetGroupArn::new(format!("arn:aws:elasticloadbalancing:eu-west-1:012345678901:targetgroup/{colour}/0a"))
}

pub fn alarm() -> AlarmArn {
    AlarmArn::new("arn:aws:cloudwatch:eu-west-1:012345678901:alarm:checkout-5xx")
}

fn side(colour: &str, tasks: u32) -> Side {
    Side {
        service: ServiceArn::new(format!("arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-{colour}")),
        group: group(colour),
        load_balancer: "app/shop/1b".into(),
        revision: revision(1),
        tasks,
        deregistration_delay: seconds(30),
    }
}

pub fn rule(canary: Weight) -> RuleSeen {
    let (stable, share) = canary.on_the_wire();
    RuleSeen {
        rule: RuleRef { arn: RuleArn::new("arn:rule"), place: RulePlace::Rule },
        label: "HTTPS:443 /checkout*".into(),
        actions: vec![
            Action::Other { kind: "authenticate-oidc".into(), body: "{}".into() },
            Action::Forward {
                order: Some(2),
                groups: vec![(group("blue"), stable.into()), (group("green"), share.into())],
                stickiness: None,
            },
        ],
        site: None,
    }
}

/// A rule of the test listener.
pub fn preview_rule(canary: Weight) -> RuleSeen {
    let preview = RuleRef { arn: RuleArn::new("arn:preview"), place: RulePlace::DefaultAction };
    RuleSeen { rule: preview, label: "HTTPS:9443 default".into(), ..rule(canary) }
}

pub fn baseline() -> Baseline {
    Baseline {
        stable: side("blue", 4),
        canary: side("green", 0),
        revision: revision(2),
        rules: vec![rule(Weight::ZERO)],
        preview: vec![],
        routes: vec![],
        alarms: BTreeMap::from([("checkout-5xx".to_owned(), alarm())]),
    }
}

pub fn begin(steps: Vec<Step>) -> Rollout {
    let id = RolloutId::new("checkout-1");
    Rollout::begin(id, spec_with(vec![]), Plan { steps }, baseline(), "arn:me".into(), at(0)).0
}

/// A world that is as the rollout wants it, but for what the test changes.
pub fn look(rollout: &Rollout, canary_tasks: u32, weight: Weight, now: Now) -> Observation {
    let service = |side: &Side, revision: TaskDefinitionArn, tasks: u32| ServiceSeen {
        arn: side.service.clone(),
        status: "ACTIVE".into(),
        desired: tasks,
        running: tasks,
        pending: 0,
        task_definition: revision.clone(),
        deployments: vec![DeploymentSeen {
            id: "ecs-svc/1".into(),
            status: "PRIMARY".into(),
            task_definition: revision,
            rollout_state: Some("COMPLETED".into()),
            failed: 0,
        }],
        target_groups: vec![side.group.clone()],
        controller: DeploymentController::EcsRolling,
        bypass: None,
        daemon: false,
    };
    let baseline = &rollout.baseline;
    Observation {
        generation: rollout.generation,
        as_of: now.at,
        stable: Read::Is(service(&baseline.stable, revision(1), 4)),
        canary: Read::Is(service(&baseline.canary, revision(2), canary_tasks)),
        stable_health: Read::Is(Health { healthy: 4, ..Health::default() }),
        canary_health: Read::Is(Health { healthy: canary_tasks, ..Health::default() }),
        rules: Read::Is(vec![rule(weight)]),
        preview: Read::Is(vec![]),
        routes: Read::Is(vec![]),
        alarms: Read::Is(BTreeMap::from([("checkout-5xx".to_owned(), AlarmState::Ok)])),
    }
}
