//! The usual estate in one call: a cluster, a load balancer with two listeners, twin services behind one weighted rule, users, an alarm.

use std::time::Duration;

use serde_json::json;

use super::World;
use super::cloudwatch::{Dimension, Metric, MetricDataQuery, MetricStat, PutMetricAlarm};
use super::ecs::{Behaviour, CreateService, RegisterTaskDefinition, ServiceLoadBalancer};
use super::elb::{Action, Attribute, ConditionValues, CreateListener, CreateRule, CreateTargetGroup, RuleCondition};
use super::errors::ApiResult;
use super::ids::metric_dimension;
use super::traffic::{TrafficShape, TrafficSource};

/// Makes the estate of one application; the methods change the usual values.
#[derive(Debug, Clone)]
pub struct Estate {
    name: String,
    cluster: String,
    tasks: u32,
    requests_per_second: f64,
    shape: TrafficShape,
    deregistration_delay: u32,
    alarm_threshold: f64,
    alarms_on_both: bool,
}

/// What an estate consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct EstateParts {
    pub cluster: String,
    pub load_balancer_arn: String,
    /// HTTPS on 443; its rule carries the users.
    pub listener_arn: String,
    /// HTTP on 80; its default action forwards with the same weights.
    pub plain_listener_arn: String,
    pub rule_arn: String,
    /// Weight 1, all tasks.
    pub blue: Twin,
    /// Weight 0, no tasks.
    pub green: Twin,
    /// The revision that runs.
    pub task_definition_arn: String,
    /// 5xx of the canary's side over its requests; watches green.
    pub alarm_name: String,
    /// The same of blue, where it was asked for.
    pub blue_alarm_name: Option<String>,
    /// For [`World::set_traffic`].
    pub traffic: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    pub service_name: String,
    pub service_arn: String,
    pub target_group_arn: String,
}

impl Estate {
    pub fn of(name: &str) -> Estate {
        Estate {
            name: name.to_owned(),
            cluster: "production".to_owned(),
            tasks: 4,
            requests_per_second: 100.0,
            shape: TrafficShape::Poisson,
            deregistration_delay: 30,
            alarm_threshold: 0.02,
            alarms_on_both: false,
        }
    }

    pub fn cluster(self, cluster: &str) -> Estate {
        Estate { cluster: cluster.to_owned(), ..self }
    }

    pub fn tasks(self, tasks: u32) -> Estate {
        Estate { tasks, ..self }
    }

    pub fn requests_per_second(self, requests_per_second: f64) -> Estate {
        Estate { requests_per_second, ..self }
    }

    pub fn traffic_shape(self, shape: TrafficShape) -> Estate {
        Estate { shape, ..self }
    }

    /// Seconds that a target drains.
    pub fn deregistration_delay(self, deregistration_delay: u32) -> Estate {
        Estate { deregistration_delay, ..self }
    }

    /// Share of 5xx above which the alarm goes off.
    pub fn alarm_threshold(self, alarm_threshold: f64) -> Estate {
        Estate { alarm_threshold, ..self }
    }

    /// A second alarm, [`EstateParts::blue_alarm_name`], watches blue: for who rolls out more than once, because the
    /// twins swap their roles.
    pub fn alarms_on_both(self) -> Estate {
        Estate { alarms_on_both: true, ..self }
    }

    /// Makes everything and sends the users once blue is up, which takes some virtual minutes; the events of that
    /// time are dropped.
    pub fn build(&self, world: &mut World) -> ApiResult<EstateParts> {
        world.create_cluster(&self.cluster)?;
        let load_balancer_arn = world.create_load_balancer(&self.name, "application")?.load_balancer_arn;
        let (blue_group, green_group) = (self.group(world, "blue")?, self.group(world, "green")?);
        let forward = Action::forward(&[(&blue_group, 1), (&green_group, 0)]);
        let plain_listener_arn = listener(world, &load_balancer_arn, 80, "HTTP", forward.clone())?;
        let nothing = Action {
            kind: "fixed-response".to_owned(),
            opaque: serde_json::Map::from_iter([(
                "FixedResponseConfig".to_owned(),
                json!({ "StatusCode": "404", "ContentType": "text/plain" }),
            )]),
            ..Action::default()
        };
        let listener_arn = listener(world, &load_balancer_arn, 443, "HTTPS", nothing)?;
        let host = format!("{}.example.com", self.name);
        let condition = RuleCondition {
            field: "host-header".to_owned(),
            host_header_config: Some(ConditionValues { values: vec![host.clone()] }),
            ..RuleCondition::default()
        };
        let rule = CreateRule {
            listener_arn: listener_arn.clone(),
            priority: Some(10),
            conditions: vec![condition],
            actions: vec![forward],
            ..CreateRule::default()
        };
        let rule_arn = world.create_rule(rule)?.rule_arn;
        let task_definition_arn = self.register_revision(world, "1.0.0", Behaviour::default())?;
        let blue = self.twin(world, "blue", blue_group, &task_definition_arn, self.tasks)?;
        let green = self.twin(world, "green", green_group, &task_definition_arn, 0)?;
        let usual = format!("{}-5xx-rate", self.name);
        let alarm_name = self.alarm(world, usual, &load_balancer_arn, &green.target_group_arn)?;
        let blue_alarm_name = match self.alarms_on_both {
            true => {
                let name = format!("{}-blue-5xx-rate", self.name);
                Some(self.alarm(world, name, &load_balancer_arn, &blue.target_group_arn)?)
            }
            false => None,
        };
        self.wait_until_up(world, &blue);
        let traffic = world.add_traffic(TrafficSource {
            listener_arn: listener_arn.clone(),
            host,
            path: "/".to_owned(),
            headers: Vec::new(),
            requests_per_second: self.requests_per_second,
            shape: self.shape,
        });
        world.take_events();
        Ok(EstateParts {
            cluster: self.cluster.clone(),
            load_balancer_arn,
            listener_arn,
            plain_listener_arn,
            rule_arn,
            blue,
            green,
            task_definition_arn,
            alarm_name,
            blue_alarm_name,
            traffic,
        })
    }

    /// Registers another revision of the application; answers its ARN.
    pub fn register_revision(&self, world: &mut World, image_tag: &str, behaviour: Behaviour) -> ApiResult<String> {
        let image = format!("registry.example.com/{}:{image_tag}", self.name);
        let container = json!({
            "name": "app", "image": image, "essential": true,
            "portMappings": [{ "containerPort": 8080, "protocol": "tcp" }],
        });
        let definition = world.register_task_definition(RegisterTaskDefinition {
            family: self.name.clone(),
            container_definitions: vec![container],
            network_mode: Some("awsvpc".to_owned()),
            requires_compatibilities: vec!["FARGATE".to_owned()],
            cpu: Some("256".to_owned()),
            memory: Some("512".to_owned()),
            ..RegisterTaskDefinition::default()
        })?;
        world.set_behaviour(&definition.task_definition_arn, behaviour)?;
        Ok(definition.task_definition_arn)
    }

    fn group(&self, world: &mut World, colour: &str) -> ApiResult<String> {
        let group = world.create_target_group(CreateTargetGroup {
            name: format!("{}-{colour}", self.name),
            port: Some(8080),
            health_check_path: Some("/healthz".to_owned()),
            health_check_interval_seconds: Some(10),
            healthy_threshold_count: Some(2),
            unhealthy_threshold_count: Some(2),
            ..CreateTargetGroup::default()
        })?;
        let delay = Attribute {
            key: "deregistration_delay.timeout_seconds".to_owned(),
            value: self.deregistration_delay.to_string(),
        };
        world.modify_target_group_attributes(&group.target_group_arn, &[delay])?;
        Ok(group.target_group_arn)
    }

    fn twin(
        &self,
        world: &mut World,
        colour: &str,
        target_group_arn: String,
        task_definition: &str,
        tasks: u32,
    ) -> ApiResult<Twin> {
        let service = world.create_service(CreateService {
            cluster: Some(self.cluster.clone()),
            service_name: format!("{}-{colour}", self.name),
            task_definition: Some(task_definition.to_owned()),
            desired_count: Some(tasks),
            load_balancers: vec![ServiceLoadBalancer {
                target_group_arn: Some(target_group_arn.clone()),
                container_name: "app".to_owned(),
                container_port: 8080,
            }],
            launch_type: Some("FARGATE".to_owned()),
            network_configuration: Some(json!({
                "awsvpcConfiguration": { "subnets": ["subnet-0a1b2c3d"], "assignPublicIp": "DISABLED" }
            })),
            health_check_grace_period_seconds: Some(60),
            ..CreateService::default()
        })?;
        Ok(Twin { service_name: service.service_name, service_arn: service.service_arn, target_group_arn })
    }

    fn alarm(&self, world: &mut World, alarm_name: String, load_balancer: &str, group: &str) -> ApiResult<String> {
        let query = |id: &str, metric_name: &str| MetricDataQuery {
            id: id.to_owned(),
            metric_stat: Some(MetricStat {
                metric: Metric {
                    namespace: "AWS/ApplicationELB".to_owned(),
                    metric_name: metric_name.to_owned(),
                    dimensions: vec![
                        Dimension { name: "TargetGroup".to_owned(), value: metric_dimension(group).to_owned() },
                        Dimension {
                            name: "LoadBalancer".to_owned(),
                            value: metric_dimension(load_balancer).to_owned(),
                        },
                    ],
                },
                period: 60,
                stat: "Sum".to_owned(),
                unit: None,
            }),
            return_data: Some(false),
            ..MetricDataQuery::default()
        };
        let rate = MetricDataQuery {
            id: "rate".to_owned(),
            expression: Some("errors / requests".to_owned()),
            label: Some("5xx rate".to_owned()),
            return_data: Some(true),
            ..MetricDataQuery::default()
        };
        world.put_metric_alarm(PutMetricAlarm {
            alarm_name: alarm_name.clone(),
            alarm_description: Some(format!("5xx of {} over its requests", self.name)),
            evaluation_periods: Some(1),
            threshold: Some(self.alarm_threshold),
            comparison_operator: "GreaterThanThreshold".to_owned(),
            treat_missing_data: Some("notBreaching".to_owned()),
            metrics: vec![rate, query("errors", "HTTPCode_Target_5XX_Count"), query("requests", "RequestCount")],
            ..PutMetricAlarm::default()
        })?;
        Ok(alarm_name)
    }

    /// Lets time pass until the twin says that it is steady; a start takes minutes at the very most.
    fn wait_until_up(&self, world: &mut World, twin: &Twin) {
        let give_up = world.now() + Duration::from_secs(3 * 3600);
        while world.now() < give_up {
            let view = world.service_view(&twin.service_arn);
            let primary = view.and_then(|v| v.deployments.first().cloned());
            if primary.is_some_and(|d| d.rollout_state == "COMPLETED") {
                return;
            }
            let next = world.now() + Duration::from_secs(10);
            world.advance_to(next);
        }
    }
}

fn listener(world: &mut World, load_balancer: &str, port: u16, protocol: &str, action: Action) -> ApiResult<String> {
    let listener = world.create_listener(CreateListener {
        load_balancer_arn: load_balancer.to_owned(),
        port: Some(port),
        protocol: Some(protocol.to_owned()),
        default_actions: vec![action],
        ..CreateListener::default()
    })?;
    Ok(listener.listener_arn)
}
