//! The World: a deterministic discrete-event model of ECS, load balancers, CloudWatch and their events on a virtual clock.
//!
//! Time moves only by [`World::advance_to`]; every call is made "now" and takes no time. One seed means one run.

mod alarms;
mod autoscaling;
mod cloudwatch;
mod config;
mod ecs;
mod elb;
mod errors;
mod events;
mod faults;
mod health;
mod ids;
mod rng;
mod sabotage;
mod scenario;
mod snapshot;
mod tasks;
mod time;
mod traffic;
mod wire;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use autoscaling::{DescribeScalableTargets, RegisterScalableTarget, ScalableTarget, SuspendedState};
pub use cloudwatch::{
    DescribeAlarms, Dimension, GetMetricData, Metric, MetricAlarm, MetricDataQuery, MetricDataResult,
    MetricDataResults, MetricDatum, MetricStat, PutMetricAlarm, SetAlarmState,
};
pub use config::Config;
pub use ecs::{
    Attachment, Behaviour, CircuitBreaker, Cluster, Container, CreateService, Deployment, DeploymentConfiguration,
    DescribeClusters, DescribeServices, DescribeTasks, Failure, ListTasks, NameValue, NetworkInterface,
    RegisterTaskDefinition, Service, ServiceEvent, ServiceLoadBalancer, Task, TaskDefinition, UpdateService,
};
pub use elb::{
    Action, Attribute, AvailabilityZone, ConditionValues, CreateListener, CreateRule, CreateTargetGroup,
    DescribeListeners, DescribeLoadBalancers, DescribeRules, DescribeTargetGroups, ForwardConfig, HttpHeaderConfig,
    Listener, LoadBalancer, LoadBalancerState, Matcher, ModifyListener, ModifyRule, Rule, RuleCondition, Tag,
    TargetDescription, TargetGroup, TargetGroupStickinessConfig, TargetGroupTuple, TargetHealth,
    TargetHealthDescription,
};
pub use errors::{ApiError, ApiFamily, ApiResult};
pub use events::EmittedEvent;
pub use faults::StaleRead;
pub use ids::{Account, last_part, metric_dimension};
pub use rng::Rng;
pub use sabotage::{Sabotage, UnknownSabotage};
pub use scenario::{Estate, EstateParts, Twin};
pub use snapshot::{GroupFacts, RevisionFacts, ServiceFacts, Snapshot};
pub use traffic::{Outcomes, TrafficShape, TrafficSource, UserErrors};
pub use wire::{epoch, epoch_option, lenient};

use time::{Due, Queue};

/// One modelled account in one region.
pub struct World {
    config: Config,
    now: Timestamp,
    chance: Chance,
    queue: Queue,
    outbox: Vec<EmittedEvent>,
    clusters: BTreeMap<String, ecs::ClusterState>,
    /// By family; revision n is at index n − 1.
    task_definitions: BTreeMap<String, Vec<ecs::RevisionState>>,
    services: BTreeMap<String, ecs::ServiceState>,
    tasks: BTreeMap<String, tasks::TaskState>,
    load_balancers: BTreeMap<String, LoadBalancer>,
    listeners: BTreeMap<String, Listener>,
    rules: BTreeMap<String, elb::RuleState>,
    target_groups: BTreeMap<String, elb::TargetGroupState>,
    traffic: traffic::Traffic,
    metrics: cloudwatch::MetricStore,
    alarms: BTreeMap<String, alarms::AlarmState>,
    scalable_targets: BTreeMap<String, ScalableTarget>,
    faults: faults::Faults,
    /// For [`Sabotage::NoSettling`]: groups that lost their last weight, while nobody has read that yet.
    left_unread: Vec<String>,
    addresses_given: u32,
}

/// One generator per concern, all from one seed: what traffic draws never moves a task's start.
struct Chance {
    names: Rng,
    ecs: Rng,
    elb: Rng,
    traffic: Rng,
    metrics: Rng,
}

impl World {
    /// Makes an empty account that begins at `start`.
    pub fn new(seed: u64, start: Timestamp) -> World {
        World::with_config(seed, start, Config::default())
    }

    pub fn with_config(seed: u64, start: Timestamp, config: Config) -> World {
        let mut root = Rng::new(seed);
        let chance = Chance {
            names: root.fork(),
            ecs: root.fork(),
            elb: root.fork(),
            traffic: root.fork(),
            metrics: root.fork(),
        };
        let mut world = World {
            config,
            now: start,
            chance,
            queue: Queue::default(),
            outbox: Vec::new(),
            clusters: BTreeMap::new(),
            task_definitions: BTreeMap::new(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            load_balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            rules: BTreeMap::new(),
            target_groups: BTreeMap::new(),
            traffic: traffic::Traffic::starting(start),
            metrics: cloudwatch::MetricStore::default(),
            alarms: BTreeMap::new(),
            scalable_targets: BTreeMap::new(),
            faults: faults::Faults::default(),
            left_unread: Vec::new(),
            addresses_given: 0,
        };
        world.plan_minute_end();
        world
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns when something happens next by itself; user traffic flows besides.
    pub fn next_event_at(&self) -> Option<Timestamp> {
        self.queue.next_at()
    }

    /// Lets time pass: what is due up to and including `to` happens in order, each at its exact instant.
    /// How the way to `to` is cut into calls changes nothing. An earlier `to` does nothing.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(at) = self.queue.next_at().filter(|at| *at <= to) {
            let Some((_, due)) = self.queue.take_first() else {
                return;
            };
            if due.moves_traffic() {
                self.flow_until(at);
            } else {
                self.flow_whole_slices(at);
            }
            self.now = at;
            self.happen(due);
        }
        self.flow_whole_slices(to);
        self.now = self.now.max(to);
    }

    /// Takes the events emitted since the last take, oldest first.
    pub fn take_events(&mut self) -> Vec<EmittedEvent> {
        std::mem::take(&mut self.outbox)
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::SchedulerPass { service } => self.scheduler_pass(&service),
            Due::TaskStep { task, generation } => self.task_step(&task, generation),
            Due::TaskCrash { task } => self.task_crash(&task),
            Due::TaskDeregister { task } => self.task_deregister(&task),
            Due::TaskForgotten { task } => self.forget_task(&task),
            Due::SteadyState { service, generation } => self.steady_state(&service, generation),
            Due::TargetVerdict { group, target, generation } => self.target_verdict(&group, &target, generation),
            Due::TargetDrained { group, target, generation } => self.target_drained(&group, &target, generation),
            Due::AppReady { task } => self.app_ready(&task),
            Due::RuleReaches { rule, node, generation } => self.rule_reaches(&rule, node, generation),
            Due::MinuteEnds => self.minute_ends(),
            Due::AlarmEvaluation { alarm, generation } => self.evaluate_alarm(&alarm, generation),
        }
    }
}
