//! The World behind the ports: the same calls that the adapters make, without a wire.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tidegate::analysis::{Found, MeasureRequest, Query, Reading};
use tidegate::api::{Answer, Listed};
use tidegate::audit::AuditEntry;
use tidegate::events::Message;
use tidegate::fault::{Fault, Obstacle, Outcome};
use tidegate::ids::{AlarmArn, RolloutId, RuleArn, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use tidegate::machine::Now;
use tidegate::machine::effect::Announcement;
use tidegate::observation::{
    Action, AlarmState, Blueprint, DeploymentController, DeploymentSeen, GroupSeen, Health, RevisionSeen, RouteAt,
    RouteSeen, RulePlace, RuleRef, RuleSeen, Scaling, ServiceSeen, Stickiness,
};
use tidegate::ports::{
    Announcer, Clock, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, Unfinished,
    WakeUps, Workload,
};
use tidegate::rollout::Promotion;
use tidegate::spec::MetricSource;

use super::{InProcess, routes};
use crate::world;

impl Workload for InProcess {
    async fn services(&self, cluster: &str, names: &[&str]) -> Result<Vec<Option<ServiceSeen>>, Fault> {
        let asked: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let found = self.call(|world| world.describe_services(Some(cluster), &asked))?;
        let seen = |name: &&str| found.services.iter().find(|service| service.service_name == **name).map(service_seen);
        Ok(names.iter().map(seen).collect())
    }

    async fn blueprint(&self, _cluster: &str, _service: &str) -> Result<Option<Blueprint>, Fault> {
        Err(Fault::permanent(Obstacle::Invalid, "`init` is not implemented in process: use the HTTP door"))
    }

    async fn revision(&self, name: &str) -> Result<Option<RevisionSeen>, Fault> {
        match self.life.call(|| self.world().describe_task_definition(name))? {
            Ok(found) => Ok(Some(RevisionSeen {
                arn: TaskDefinitionArn::new(found.task_definition_arn),
                active: found.status == "ACTIVE",
            })),
            Err(error) if error.code == "ClientException" => Ok(None),
            Err(error) => Err(fault(&error)),
        }
    }

    async fn scaling(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, Fault> {
        let resource = |arn: &ServiceArn| format!("service/{}/{}", arn.cluster().unwrap_or_default(), arn.name());
        let asked = world::DescribeScalableTargets {
            resource_ids: services.iter().map(|arn| resource(arn)).collect(),
            ..world::DescribeScalableTargets::default()
        };
        let found = self.call(|world| world.describe_scalable_targets(&asked))?;
        let scaling = |arn: &&&ServiceArn| {
            let target = found.iter().find(|target| target.resource_id == resource(arn))?;
            let state = &target.suspended_state;
            let suspended = state.dynamic_scaling_in_suspended
                && state.dynamic_scaling_out_suspended
                && state.scheduled_scaling_suspended;
            Some(((**arn).clone(), if suspended { Scaling::Suspended } else { Scaling::Active }))
        };
        Ok(services.iter().filter_map(|arn| scaling(&arn)).collect())
    }

    async fn deploy(&self, service: &ServiceArn, revision: &TaskDefinitionArn, tasks: u32) -> Outcome {
        self.update(world::UpdateService {
            task_definition: Some(revision.as_str().to_owned()),
            ..update(service, tasks)
        })
    }

    async fn scale(&self, service: &ServiceArn, tasks: u32) -> Outcome {
        self.update(update(service, tasks))
    }
}

impl InProcess {
    /// Reads the World.
    fn call<T>(&self, read: impl FnOnce(&mut world::World) -> world::ApiResult<T>) -> Result<T, Fault> {
        self.life.call(|| read(&mut self.world()))?.map_err(|error| fault(&error))
    }

    /// Writes to the World: without an answer, it is unknown whether it was applied.
    fn change(&self, write: impl FnOnce(&mut world::World) -> world::ApiResult<()>) -> Outcome {
        match self.life.call(|| write(&mut self.world())) {
            Ok(Ok(())) => Outcome::Applied,
            Ok(Err(error)) => Outcome::NotApplied { fault: fault(&error) },
            Err(dead) => Outcome::Unknown { why: dead.to_string() },
        }
    }

    /// Reads or writes the memory.
    fn remember<T>(&self, act: impl FnOnce(&mut super::store::Memory) -> T) -> Result<T, Fault> {
        self.life.call(|| act(&mut self.memory()))
    }

    fn update(&self, update: world::UpdateService) -> Outcome {
        self.change(|world| world.update_service(update).map(|_| ()))
    }
}

fn update(service: &ServiceArn, tasks: u32) -> world::UpdateService {
    world::UpdateService {
        cluster: service.cluster().map(str::to_owned),
        service: service.name().to_owned(),
        desired_count: Some(tasks),
        ..world::UpdateService::default()
    }
}

fn service_seen(service: &world::Service) -> ServiceSeen {
    let deployment = |deployment: &world::Deployment| DeploymentSeen {
        id: deployment.id.clone(),
        status: deployment.status.clone(),
        task_definition: TaskDefinitionArn::new(deployment.task_definition.clone()),
        rollout_state: Some(deployment.rollout_state.clone()),
        failed: deployment.failed_tasks,
    };
    let groups = service.load_balancers.iter().filter_map(|entry| entry.target_group_arn.clone());
    ServiceSeen {
        arn: ServiceArn::new(service.service_arn.clone()),
        status: service.status.clone(),
        desired: service.desired_count,
        running: service.running_count,
        pending: service.pending_count,
        task_definition: TaskDefinitionArn::new(service.task_definition.clone()),
        deployments: service.deployments.iter().map(deployment).collect(),
        target_groups: groups.map(TargetGroupArn::new).collect(),
        controller: DeploymentController::EcsRolling,
        bypass: None,
        daemon: service.scheduling_strategy == "DAEMON",
    }
}

impl TrafficRouter for InProcess {
    async fn groups(&self, groups: &[&TargetGroupArn]) -> Result<BTreeMap<TargetGroupArn, GroupSeen>, Fault> {
        let mut seen = BTreeMap::new();
        for arn in groups {
            let health = self.health(arn).await?;
            let asked = world::DescribeTargetGroups {
                target_group_arns: vec![arn.as_str().to_owned()],
                ..world::DescribeTargetGroups::default()
            };
            let found = self.call(|world| world.describe_target_groups(&asked))?;
            let attributes = self.call(|world| world.describe_target_group_attributes(arn.as_str()))?;
            let delay = attributes.iter().find(|entry| entry.key == "deregistration_delay.timeout_seconds");
            let delay = delay.and_then(|entry| entry.value.parse().ok()).unwrap_or(300);
            let load_balancer = found.first().and_then(|group| group.load_balancer_arns.first());
            let group = GroupSeen {
                load_balancer: load_balancer.map(|arn| world::metric_dimension(arn).to_owned()),
                health,
                deregistration_delay: SignedDuration::from_secs(delay),
            };
            seen.insert((*arn).clone(), group);
        }
        Ok(seen)
    }

    async fn rules_naming(&self, groups: &[&TargetGroupArn]) -> Result<Vec<RuleSeen>, Fault> {
        let balancers = self.call(|world| world.describe_load_balancers(&world::DescribeLoadBalancers::default()))?;
        let (mut seen, mut count) = (Vec::new(), 0);
        for balancer in balancers {
            let asked = world::DescribeListeners {
                load_balancer_arn: Some(balancer.load_balancer_arn),
                ..world::DescribeListeners::default()
            };
            for listener in self.call(|world| world.describe_listeners(&asked))? {
                let asked = world::DescribeRules {
                    listener_arn: Some(listener.listener_arn.clone()),
                    ..world::DescribeRules::default()
                };
                let rules = self.call(|world| world.describe_rules(&asked))?;
                seen.push(RuleSeen { site: Some(routes::site(None, &listener, &rules)), ..default_seen(&listener) });
                let others = rules.iter().filter(|rule| !rule.is_default);
                seen.extend(others.clone().map(|rule| {
                    let site = Some(routes::site(Some(rule), &listener, &rules));
                    RuleSeen { site, ..rule_seen(rule, &listener) }
                }));
                count += others.count();
            }
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        seen.iter_mut().filter_map(|rule| rule.site.as_mut()).for_each(|site| site.rules = count);
        seen.retain(|rule| rule.actions.iter().any(|action| names_one_of(action, groups)));
        Ok(seen)
    }

    async fn rules(&self, rules: &[RuleRef]) -> Result<Vec<RuleSeen>, Fault> {
        let mut seen = Vec::new();
        for rule in rules {
            let arn = rule.arn.as_str().to_owned();
            seen.push(match rule.place {
                RulePlace::Rule => {
                    let asked = world::DescribeRules { rule_arns: vec![arn], ..world::DescribeRules::default() };
                    let found = self.call(|world| world.describe_rules(&asked))?;
                    let found = found.first().ok_or_else(|| gone(rule))?;
                    RuleSeen {
                        rule: rule.clone(),
                        label: format!("rule {}", found.priority),
                        actions: found.actions.iter().map(action_seen).collect(),
                        site: None,
                    }
                }
                RulePlace::DefaultAction => {
                    let asked =
                        world::DescribeListeners { listener_arns: vec![arn], ..world::DescribeListeners::default() };
                    let found = self.call(|world| world.describe_listeners(&asked))?;
                    default_seen(found.first().ok_or_else(|| gone(rule))?)
                }
            });
        }
        Ok(seen)
    }

    async fn routes(&self, wanted: &[RouteAt]) -> Result<Vec<RouteSeen>, Fault> {
        let mut seen = Vec::new();
        for at in wanted {
            let asked =
                world::DescribeRules { listener_arn: Some(routes::listener(at)), ..world::DescribeRules::default() };
            let rules = self.call(|world| world.describe_rules(&asked))?;
            seen.push(match routes::at_place(at, &rules) {
                None => RouteSeen::Absent,
                Some((rule, true)) => RouteSeen::Ours(RuleSeen {
                    rule: RuleRef { arn: RuleArn::new(rule.rule_arn.clone()), place: RulePlace::Rule },
                    label: format!("{} with {}", at.label, at.name),
                    actions: rule.actions.iter().map(action_seen).collect(),
                    site: None,
                }),
                Some((rule, false)) => RouteSeen::Taken { by: format!("rule {}", rule.priority) },
            });
        }
        Ok(seen)
    }

    async fn create_route(&self, at: &RouteAt, actions: &[Action], rollout: &RolloutId) -> Outcome {
        let beside = match at.beside.place {
            RulePlace::Rule => {
                let rule_arns = vec![at.beside.arn.as_str().to_owned()];
                let asked = world::DescribeRules { rule_arns, ..world::DescribeRules::default() };
                match self.call(|world| world.describe_rules(&asked)) {
                    Ok(rules) => rules.into_iter().next(),
                    Err(fault) => return Outcome::NotApplied { fault },
                }
            }
            RulePlace::DefaultAction => None,
        };
        let create = world::CreateRule {
            listener_arn: routes::listener(at),
            priority: Some(at.priority),
            conditions: routes::conditions(beside.as_ref(), &at.matches),
            actions: actions.iter().map(action_written).collect(),
            tags: vec![world::Tag { key: "tidegate:rollout".to_owned(), value: rollout.to_string() }],
        };
        self.change(|world| world.create_rule(create).map(|_| ()))
    }

    async fn delete_route(&self, rule: &RuleRef) -> Outcome {
        self.change(|world| world.delete_rule(rule.arn.as_str()))
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Health, Fault> {
        let found = self.call(|world| world.describe_target_health(group.as_str(), &[]))?;
        let mut health = Health::default();
        for target in found {
            let count = match target.target_health.state.as_str() {
                "healthy" => &mut health.healthy,
                "unhealthy" | "unhealthy.draining" => &mut health.unhealthy,
                "initial" => &mut health.initial,
                "draining" => &mut health.draining,
                "unused" => &mut health.unused,
                _ => &mut health.unavailable,
            };
            *count += 1;
        }
        Ok(health)
    }

    async fn write(&self, rule: &RuleRef, actions: &[Action]) -> Outcome {
        let arn = rule.arn.as_str().to_owned();
        let actions = actions.iter().map(action_written).collect();
        match rule.place {
            RulePlace::Rule => {
                let write = world::ModifyRule { rule_arn: arn, actions, ..world::ModifyRule::default() };
                self.change(|world| world.modify_rule(write).map(|_| ()))
            }
            RulePlace::DefaultAction => {
                let write = world::ModifyListener {
                    listener_arn: arn,
                    default_actions: actions,
                    ..world::ModifyListener::default()
                };
                self.change(|world| world.modify_listener(write).map(|_| ()))
            }
        }
    }
}

fn gone(rule: &RuleRef) -> Fault {
    Fault::permanent(Obstacle::NotFound, format!("{} is gone", rule.arn))
}

fn rule_seen(rule: &world::Rule, listener: &world::Listener) -> RuleSeen {
    RuleSeen {
        rule: RuleRef { arn: RuleArn::new(rule.rule_arn.clone()), place: RulePlace::Rule },
        label: format!("{}:{} rule {}", listener.protocol, listener.port, rule.priority),
        actions: rule.actions.iter().map(action_seen).collect(),
        site: None,
    }
}

fn default_seen(listener: &world::Listener) -> RuleSeen {
    RuleSeen {
        rule: RuleRef { arn: RuleArn::new(listener.listener_arn.clone()), place: RulePlace::DefaultAction },
        label: format!("{}:{} default", listener.protocol, listener.port),
        actions: listener.default_actions.iter().map(action_seen).collect(),
        site: None,
    }
}

fn names_one_of(action: &Action, wanted: &[&TargetGroupArn]) -> bool {
    match action {
        Action::Forward { groups, .. } => groups.iter().any(|(group, _)| wanted.contains(&group)),
        Action::Other { .. } => false,
    }
}

fn action_seen(action: &world::Action) -> Action {
    let order = action.order.and_then(|order| i32::try_from(order).ok());
    let single = || action.target_group_arn.iter().map(|arn| (TargetGroupArn::new(arn.clone()), 1)).collect();
    if action.kind != "forward" {
        let body = serde_json::to_string(action).expect("an action serializes");
        return Action::Other { kind: action.kind.clone(), body };
    }
    let config = action.forward_config.as_ref();
    let groups = config.map(|config| {
        let group = |tuple: &world::TargetGroupTuple| {
            (TargetGroupArn::new(tuple.target_group_arn.clone()), tuple.weight.unwrap_or(1))
        };
        config.target_groups.iter().map(group).collect()
    });
    let stickiness = config.and_then(|config| config.target_group_stickiness_config.as_ref());
    Action::Forward {
        order,
        groups: groups.unwrap_or_else(single),
        stickiness: stickiness
            .map(|config| Stickiness { enabled: config.enabled.unwrap_or(false), seconds: config.duration_seconds }),
    }
}

fn action_written(action: &Action) -> world::Action {
    match action {
        Action::Other { body, .. } => serde_json::from_str(body).expect("what was read is written back"),
        Action::Forward { order, groups, stickiness } => {
            let tuples: Vec<(&str, u32)> = groups.iter().map(|(arn, weight)| (arn.as_str(), *weight)).collect();
            let mut written = world::Action::forward(&tuples);
            written.order = order.and_then(|order| u32::try_from(order).ok());
            if let Some(config) = &mut written.forward_config {
                config.target_group_stickiness_config =
                    stickiness.as_ref().map(|stickiness| world::TargetGroupStickinessConfig {
                        enabled: Some(stickiness.enabled),
                        duration_seconds: stickiness.seconds,
                    });
            }
            written
        }
    }
}

impl MetricProvider for InProcess {
    async fn alarms(&self, names: &[&str]) -> Result<BTreeMap<String, (AlarmArn, AlarmState)>, Fault> {
        let asked = world::DescribeAlarms {
            alarm_names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..world::DescribeAlarms::default()
        };
        let found = self.call(|world| world.describe_alarms(&asked))?;
        let seen = found.into_iter().map(|alarm| {
            let state = match alarm.state_value.as_str() {
                "OK" => AlarmState::Ok,
                "ALARM" => AlarmState::Alarm,
                _ => AlarmState::InsufficientData,
            };
            (alarm.configuration.alarm_name, (AlarmArn::new(alarm.alarm_arn), state))
        });
        Ok(seen.collect())
    }

    async fn measure(&self, request: &MeasureRequest) -> Vec<Reading> {
        let reading = |query: &Query| Reading {
            metric: query.metric.clone(),
            from: query.from,
            to: query.to,
            found: self.found(query),
        };
        request.queries.iter().map(reading).collect()
    }
}

impl InProcess {
    fn found(&self, query: &Query) -> Found {
        let (value, samples) = match (self.value(query), self.sum(query, "RequestCount")) {
            (Ok(value), Ok(samples)) => (value, samples),
            (Err(error), _) | (_, Err(error)) => return Found::Error { why: error.to_string() },
        };
        match (value, samples) {
            (Some(value), samples) => Found::Value { value, samples: samples.unwrap_or(0.0) as u64 },
            (None, _) => Found::NoData,
        }
    }

    fn value(&self, query: &Query) -> Result<Option<f64>, Fault> {
        match &query.source {
            // Requests without a 5xx have an error rate of 0; without requests there is none.
            MetricSource::ErrorRate => {
                let requests = self.sum(query, "RequestCount")?.filter(|requests| *requests > 0.0);
                let errors = self.sum(query, "HTTPCode_Target_5XX_Count")?.unwrap_or(0.0);
                Ok(requests.map(|requests| errors / requests))
            }
            MetricSource::ResponseTime { statistic } => {
                self.read(query, canary_metric(query, "TargetResponseTime"), statistic)
            }
            MetricSource::CloudWatch { namespace, metric_name, dimensions, statistic } => {
                let dimension =
                    |(name, value): &(String, String)| world::Dimension { name: name.clone(), value: value.clone() };
                let metric = world::Metric {
                    namespace: namespace.clone(),
                    metric_name: metric_name.clone(),
                    dimensions: dimensions.iter().map(dimension).collect(),
                };
                self.read(query, metric, statistic)
            }
        }
    }

    fn sum(&self, query: &Query, name: &str) -> Result<Option<f64>, Fault> {
        self.read(query, canary_metric(query, name), "Sum")
    }

    /// One value for the whole window.
    fn read(&self, query: &Query, metric: world::Metric, stat: &str) -> Result<Option<f64>, Fault> {
        let seconds = query.to.duration_since(query.from).as_secs();
        let stat = world::MetricStat {
            metric,
            period: u32::try_from(seconds).unwrap_or(60),
            stat: stat.to_owned(),
            unit: None,
        };
        let asked = world::GetMetricData {
            metric_data_queries: vec![world::MetricDataQuery {
                id: "m".to_owned(),
                metric_stat: Some(stat),
                ..world::MetricDataQuery::default()
            }],
            start_time: query.from,
            end_time: query.to,
            scan_by: None,
        };
        let answer = self.call(|world| world.get_metric_data(&asked))?;
        Ok(answer.metric_data_results.first().and_then(|result| result.values.first().copied()))
    }
}

fn canary_metric(query: &Query, name: &str) -> world::Metric {
    let dimension = |name: &str, value: &str| world::Dimension { name: name.to_owned(), value: value.to_owned() };
    world::Metric {
        namespace: "AWS/ApplicationELB".to_owned(),
        metric_name: name.to_owned(),
        dimensions: vec![
            dimension("TargetGroup", &query.target_group),
            dimension("LoadBalancer", &query.load_balancer),
        ],
    }
}

impl RolloutStore for InProcess {
    async fn load(&self, id: &RolloutId) -> Result<Option<Stored>, Fault> {
        self.remember(|memory| memory.load(id))
    }

    async fn by_services(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, RolloutId>, Fault> {
        self.remember(|memory| memory.by_services(services))
    }

    async fn by_alarm(&self, alarm: &AlarmArn) -> Result<Vec<RolloutId>, Fault> {
        self.remember(|memory| memory.by_alarm(alarm))
    }

    async fn promotions(&self, service: &ServiceArn, limit: u32) -> Result<Vec<Promotion>, Fault> {
        self.remember(|memory| memory.promotions(service, limit))
    }

    async fn unfinished(&self) -> Result<Vec<Unfinished>, Fault> {
        self.remember(|memory| memory.unfinished())
    }

    async fn begin(&self, commit: Commit<'_>) -> Result<(), CommitRefused> {
        self.life.call(|| {
            self.memory().begin(&commit)?;
            self.made_durable(commit.rollout);
            Ok(())
        })?
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<String, CommitRefused> {
        self.life.call(|| {
            let head = self.memory().commit(&commit)?;
            self.made_durable(commit.rollout);
            Ok(head)
        })?
    }

    async fn record(&self, key: &str, answer: &Answer) -> Result<(), Fault> {
        self.remember(|memory| memory.record(key, answer))
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Fault> {
        self.remember(|memory| memory.answer(key))
    }

    async fn journal(&self, id: &RolloutId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, Fault> {
        self.remember(|memory| memory.journal(id, from, limit))
    }

    async fn list(&self, finished: bool, limit: u32) -> Result<Vec<Listed>, Fault> {
        self.remember(|memory| memory.list(finished, limit))
    }
}

impl WakeUps for InProcess {
    async fn send(&self, queue: Queue, message: &Message, delay: SignedDuration) -> Result<(), Fault> {
        let delay = delay.max(SignedDuration::ZERO);
        self.life.call(|| self.put(queue, message.body(), delay))
    }
}

impl Announcer for InProcess {
    async fn announce(&self, announcements: &[Announcement]) -> Result<(), Fault> {
        self.life.call(|| self.hear(announcements))
    }
}

impl Clock for InProcess {
    fn now(&self) -> Now {
        Now { at: self.world().now(), rate: 1 }
    }
}

/// The World's refusals in the driver's words.
fn fault(error: &world::ApiError) -> Fault {
    let why = error.to_string();
    match error.code {
        "ThrottlingException" | "Throttling" | "RequestLimitExceeded" | "ServerException" => Fault::transient(why),
        "AccessDeniedException" | "AccessDenied" => Fault::permanent(Obstacle::AccessDenied, why),
        code if code.contains("NotFound") => Fault::permanent(Obstacle::NotFound, why),
        _ => Fault::permanent(Obstacle::Invalid, why),
    }
}
