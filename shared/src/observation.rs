//! What Describe* said: as it was read, stamped with the question it answers, absence explicit.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{RuleArn, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::spec::HeaderMatch;

/// One look at everything that a rollout touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The generation of the Observe that asked.
    pub generation: u64,
    /// When the first of its reads began, by the clock of the host that read.
    pub as_of: Timestamp,
    /// The stable service.
    pub stable: Read<ServiceSeen>,
    /// The canary service.
    pub canary: Read<ServiceSeen>,
    /// Targets of the stable side's group.
    pub stable_health: Read<Health>,
    /// Targets of the canary's group.
    pub canary_health: Read<Health>,
    /// Every managed rule.
    pub rules: Read<Vec<RuleSeen>>,
    /// Every rule of the preview; none where there is no preview.
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub preview: Read<Vec<RuleSeen>>,
    /// Every place that a header route is planned for, in the plan's order; none where there is no such step.
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub routes: Read<Vec<RouteSeen>>,
    /// The alarms of the spec, by name; one that is not in the map does not exist.
    pub alarms: Read<BTreeMap<String, AlarmState>>,
}

fn nothing<T>() -> Read<Vec<T>> {
    Read::Is(Vec::new())
}

fn is_nothing<T>(read: &Read<Vec<T>>) -> bool {
    matches!(read, Read::Is(rules) if rules.is_empty())
}

/// A read that worked, or why it did not. A failed read is never a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Read<T> {
    /// The answer.
    Is(T),
    /// It could not be read: throttled, denied, gone.
    Unknown(crate::fault::Fault),
}

impl<T> Read<T> {
    /// Returns the value where there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T> From<Result<T, crate::fault::Fault>> for Read<T> {
    fn from(answer: Result<T, crate::fault::Fault>) -> Self {
        match answer {
            Ok(value) => Self::Is(value),
            Err(fault) => Self::Unknown(fault),
        }
    }
}

/// An ECS service as DescribeServices shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSeen {
    /// Its ARN.
    pub arn: ServiceArn,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// The desired count.
    pub desired: u32,
    /// Tasks in RUNNING.
    pub running: u32,
    /// Tasks on their way there.
    pub pending: u32,
    /// The service's task definition.
    pub task_definition: TaskDefinitionArn,
    /// Its deployments, newest first; more than one means that one is in progress.
    pub deployments: Vec<DeploymentSeen>,
    /// Target groups of its load balancer entries.
    pub target_groups: Vec<TargetGroupArn>,
    /// Who deploys it.
    pub controller: DeploymentController,
    /// What in it would let traffic past the load balancer.
    pub bypass: Option<Bypass>,
    /// Whether it runs one task per instance.
    pub daemon: bool,
}

/// One entry of a service's `deployments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSeen {
    /// `ecs-svc/<digits>`; tasks carry it as `startedBy`.
    pub id: String,
    /// `PRIMARY` or `ACTIVE`.
    pub status: String,
    /// What it deploys.
    pub task_definition: TaskDefinitionArn,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`, where ECS says it.
    pub rollout_state: Option<String>,
    /// Tasks that failed to start or stay.
    pub failed: u32,
}

/// Who deploys a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeploymentController {
    /// ECS, rolling.
    EcsRolling,
    /// ECS, with one of its own traffic-shifting strategies.
    EcsNative(String),
    /// CodeDeploy.
    CodeDeploy,
    /// Task sets by somebody.
    External,
}

/// A way by which traffic reaches tasks without asking the load balancer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bypass {
    /// The service is a Service Connect server.
    ServiceConnect,
    /// The service registers in Cloud Map.
    CloudMap,
}

/// Targets of one group by state. `unused`, `initial`, `draining` and the unavailable ones are never healthy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `healthy`.
    pub healthy: u32,
    /// `unhealthy` and `unhealthy.draining`.
    pub unhealthy: u32,
    /// `initial`.
    pub initial: u32,
    /// `draining`.
    pub draining: u32,
    /// `unused`: the group is on no rule, or the target's zone is off.
    pub unused: u32,
    /// `unavailable` and whatever AWS adds.
    pub unavailable: u32,
}

/// Where weights are written: a rule, or a listener's default action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleRef {
    /// The rule's ARN, or the listener's where `place` is its default action.
    pub arn: RuleArn,
    /// Which call writes it.
    pub place: RulePlace,
}

/// Which call writes a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RulePlace {
    /// ModifyRule.
    Rule,
    /// ModifyListener: the default action.
    DefaultAction,
}

/// A rule as DescribeRules or DescribeListeners shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleSeen {
    /// Where it is.
    pub rule: RuleRef,
    /// What people know it by: `HTTPS:443 /checkout*`, `HTTP:80 default`.
    pub label: String,
    /// The whole action list, in order.
    pub actions: Vec<Action>,
    /// Where it stands among others; told at start alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
}

/// Where a rule stands among others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// Its listener's port.
    pub port: u16,
    /// Its priority; `None` for a default action, which comes last.
    pub priority: Option<u32>,
    /// Priorities directly above it that no rule has.
    pub room: u32,
    /// Comparison strings of its conditions.
    pub values: u32,
    /// Wildcards in them.
    pub wildcards: u32,
    /// Rules on its load balancer, default actions not counted.
    pub rules: u32,
}

/// Where a header route is to stand: directly above a managed rule, so that it takes no other rule's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteAt {
    /// The route's name.
    pub name: String,
    /// The managed rule whose conditions it shares.
    pub beside: RuleRef,
    /// What people know that rule by.
    pub label: String,
    /// Its own priority, which was free at start.
    pub priority: u32,
    /// The headers that must match besides.
    pub matches: Vec<HeaderMatch>,
}

/// What stands where a header route is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RouteSeen {
    /// Nothing has that priority.
    Absent,
    /// A rule with the route's headers.
    Ours(RuleSeen),
    /// Another rule has that priority.
    Taken {
        /// What people know it by.
        by: String,
    },
}

/// One action of a rule, whole, so that what is written back differs in nothing but weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Forward to weighted target groups.
    Forward {
        /// `Order`, where given.
        order: Option<i32>,
        /// The groups with their weights as on the wire.
        groups: Vec<(TargetGroupArn, u32)>,
        /// `TargetGroupStickinessConfig`: enabled, and for how many seconds.
        stickiness: Option<Stickiness>,
    },
    /// Anything else (authentication, token validation): kept as the adapter's own JSON text, written back as it was.
    Other {
        /// AWS's name of its type, such as `authenticate-oidc`.
        kind: String,
        /// What the adapter needs to write it again.
        body: String,
    },
}

/// Group stickiness of a forward action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stickiness {
    /// Whether clients are pinned to the group that they met first.
    pub enabled: bool,
    /// For how many seconds.
    pub seconds: Option<u32>,
}

/// State of a CloudWatch alarm. INSUFFICIENT_DATA is not OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// OK.
    Ok,
    /// ALARM.
    Alarm,
    /// INSUFFICIENT_DATA.
    InsufficientData,
}

/// Everything found when a rollout is asked for, before anything moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estate {
    /// When it was read.
    pub as_of: Timestamp,
    /// The two services, in the spec's order; `None` where ECS knows no such service.
    pub services: [Option<ServiceSeen>; 2],
    /// Their target groups, as far as the services name one each.
    pub groups: BTreeMap<TargetGroupArn, GroupSeen>,
    /// Every rule and default action, on any listener of the groups' load balancers, that names either group.
    pub rules: Vec<RuleSeen>,
    /// The spec's alarms by name: ARN and state.
    pub alarms: BTreeMap<String, (crate::ids::AlarmArn, AlarmState)>,
    /// Services with a registered scalable target, and whether its scaling is suspended.
    pub scalable: BTreeMap<ServiceArn, Scaling>,
    /// The revision asked for; `None` where ECS knows no such task definition.
    pub revision: Option<RevisionSeen>,
}

/// A target group at start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSeen {
    /// The load balancer, as CloudWatch's dimension says it: `app/name/id`; `None` where it is on none.
    pub load_balancer: Option<String>,
    /// Its targets.
    pub health: Health,
    /// How long a deregistered target drains.
    pub deregistration_delay: SignedDuration,
}

/// Application Auto Scaling of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scaling {
    /// It changes the desired count when it likes.
    Active,
    /// All three kinds of scaling are suspended.
    Suspended,
}

/// A task definition at start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSeen {
    /// Its ARN.
    pub arn: TaskDefinitionArn,
    /// `ACTIVE`; an INACTIVE one cannot be deployed.
    pub active: bool,
}

/// What a second service like an existing one has to say, beside its `ServiceSeen`: DescribeServices' own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blueprint {
    /// `FARGATE`, `EC2`, `EXTERNAL`; `None` where capacity providers say it.
    pub launch_type: Option<String>,
    /// Capacity providers with base and weight.
    pub capacity_providers: Vec<(String, u32, u32)>,
    /// `LATEST`, `1.4.0`; on Fargate only.
    pub platform_version: Option<String>,
    /// Subnets of an awsvpc service.
    pub subnets: Vec<String>,
    /// Security groups of an awsvpc service.
    pub security_groups: Vec<String>,
    /// Whether its tasks have public addresses.
    pub public_ip: bool,
    /// The container that the target group's traffic goes to, and its port; `None` without a load balancer.
    pub container: Option<(String, u16)>,
    /// `healthCheckGracePeriodSeconds`.
    pub grace_seconds: Option<u32>,
    /// `minimumHealthyPercent` and `maximumPercent`.
    pub deployment_percents: Option<(u32, u32)>,
    /// `enableExecuteCommand`.
    pub execute_command: bool,
    /// `SERVICE`, `TASK_DEFINITION` or `NONE`.
    pub propagate_tags: Option<String>,
}
