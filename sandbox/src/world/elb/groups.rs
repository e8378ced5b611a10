//! Target groups and the calls on targets and their health.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Attribute, CreateTargetGroup, DescribeTargetGroups, Health, Matcher, TargetDescription, TargetGroup,
    TargetGroupState, TargetHealth, TargetHealthDescription, TargetState,
};
use crate::world::World;
use crate::world::errors::{ApiError, ApiFamily, ApiResult};
use crate::world::ids;

pub(in crate::world) const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

impl World {
    pub fn create_target_group(&mut self, input: CreateTargetGroup) -> ApiResult<TargetGroup> {
        self.call(ApiFamily::Elb, "CreateTargetGroup")?;
        if self.target_groups.values().any(|g| g.view.target_group_name == input.name) {
            let message =
                format!("A target group with the same name '{}' exists, but with different settings", input.name);
            return Err(ApiError::new("DuplicateTargetGroupName", message));
        }
        let id = ids::hex(&mut self.chance.names, 16);
        let arn = self.config.account.elb(&format!("targetgroup/{}/{id}", input.name));
        let view = TargetGroup {
            target_group_arn: arn.clone(),
            target_group_name: input.name,
            protocol: input.protocol.clone().unwrap_or_else(|| "HTTP".to_owned()),
            port: input.port.unwrap_or(80),
            vpc_id: input.vpc_id.unwrap_or_else(|| "vpc-0a1b2c3d4e5f60718".to_owned()),
            health_check_protocol: input.protocol.unwrap_or_else(|| "HTTP".to_owned()),
            health_check_port: "traffic-port".to_owned(),
            health_check_enabled: true,
            health_check_interval_seconds: input.health_check_interval_seconds.unwrap_or(30),
            health_check_timeout_seconds: input.health_check_timeout_seconds.unwrap_or(5),
            healthy_threshold_count: input.healthy_threshold_count.unwrap_or(5),
            unhealthy_threshold_count: input.unhealthy_threshold_count.unwrap_or(2),
            health_check_path: input.health_check_path.unwrap_or_else(|| "/".to_owned()),
            matcher: input.matcher.unwrap_or(Matcher { http_code: Some("200".to_owned()) }),
            load_balancer_arns: Vec::new(),
            target_type: input.target_type.unwrap_or_else(|| "ip".to_owned()),
            protocol_version: "HTTP1".to_owned(),
            ip_address_type: "ipv4".to_owned(),
        };
        let attributes = [
            (DEREGISTRATION_DELAY, "300"),
            ("stickiness.enabled", "false"),
            ("stickiness.type", "lb_cookie"),
            ("stickiness.lb_cookie.duration_seconds", "86400"),
            ("slow_start.duration_seconds", "0"),
            ("load_balancing.algorithm.type", "round_robin"),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let state =
            TargetGroupState { view: view.clone(), attributes: BTreeMap::from(attributes), targets: BTreeMap::new() };
        self.target_groups.insert(arn, state);
        Ok(view)
    }

    pub fn describe_target_groups(&mut self, input: &DescribeTargetGroups) -> ApiResult<Vec<TargetGroup>> {
        self.call(ApiFamily::Elb, "DescribeTargetGroups")?;
        let mut found = Vec::new();
        for state in self.target_groups.values() {
            let mut view = state.view.clone();
            view.load_balancer_arns = self.load_balancers_of_group(&view.target_group_arn);
            let asked = (input.target_group_arns.is_empty()
                || input.target_group_arns.contains(&view.target_group_arn))
                && (input.names.is_empty() || input.names.contains(&view.target_group_name))
                && input.load_balancer_arn.as_ref().is_none_or(|arn| view.load_balancer_arns.contains(arn));
            if asked {
                found.push(view);
            }
        }
        if found.len() < input.target_group_arns.len().max(input.names.len()) {
            return Err(ApiError::target_group_not_found());
        }
        Ok(found)
    }

    pub fn describe_target_group_attributes(&mut self, group: &str) -> ApiResult<Vec<Attribute>> {
        self.call(ApiFamily::Elb, "DescribeTargetGroupAttributes")?;
        self.attributes_of(group)
    }

    pub fn modify_target_group_attributes(&mut self, group: &str, given: &[Attribute]) -> ApiResult<Vec<Attribute>> {
        self.call(ApiFamily::Elb, "ModifyTargetGroupAttributes")?;
        let state = self.target_groups.get_mut(group).ok_or_else(ApiError::target_group_not_found)?;
        for attribute in given {
            let delay = attribute.value.parse::<u32>().ok().filter(|seconds| *seconds <= 3600);
            if attribute.key == DEREGISTRATION_DELAY && delay.is_none() {
                return Err(ApiError::new(
                    "InvalidConfigurationRequest",
                    "Deregistration delay must be between 0 and 3600 seconds",
                ));
            }
            state.attributes.insert(attribute.key.clone(), attribute.value.clone());
        }
        self.attributes_of(group)
    }

    fn attributes_of(&self, group: &str) -> ApiResult<Vec<Attribute>> {
        let state = self.target_groups.get(group).ok_or_else(ApiError::target_group_not_found)?;
        let attribute = |(key, value): (&String, &String)| Attribute { key: key.clone(), value: value.clone() };
        Ok(state.attributes.iter().map(attribute).collect())
    }

    pub(in crate::world) fn deregistration_delay(&self, group: &str) -> Duration {
        let value = self.target_groups.get(group).and_then(|g| g.attributes.get(DEREGISTRATION_DELAY));
        Duration::from_secs(value.and_then(|v| v.parse().ok()).unwrap_or(300))
    }

    pub fn register_targets(&mut self, group: &str, targets: &[TargetDescription]) -> ApiResult<()> {
        self.call(ApiFamily::Elb, "RegisterTargets")?;
        let port = self.target_groups.get(group).ok_or_else(ApiError::target_group_not_found)?.view.port;
        for target in targets {
            self.register_target(group, &target.id, target.port.unwrap_or(port));
        }
        Ok(())
    }

    pub fn deregister_targets(&mut self, group: &str, targets: &[TargetDescription]) -> ApiResult<()> {
        self.call(ApiFamily::Elb, "DeregisterTargets")?;
        let port = self.target_groups.get(group).ok_or_else(ApiError::target_group_not_found)?.view.port;
        for target in targets {
            self.begin_drain(group, &target.id, target.port.unwrap_or(port));
        }
        Ok(())
    }

    /// Describes the health of all targets, or of those asked for (unknown ones are `unused`, not registered).
    pub fn describe_target_health(
        &mut self,
        group: &str,
        targets: &[TargetDescription],
    ) -> ApiResult<Vec<TargetHealthDescription>> {
        self.call(ApiFamily::Elb, "DescribeTargetHealth")?;
        if !self.target_groups.contains_key(group) {
            return Err(ApiError::target_group_not_found());
        }
        let stale = self.faults.stale_health.use_up().and_then(|picture| picture.get(group).cloned());
        let all = self.health_as_taken(group, stale.unwrap_or_else(|| self.target_health_view(group)));
        if targets.is_empty() {
            return Ok(all);
        }
        let same = |asked: &TargetDescription, known: &TargetDescription| {
            asked.id == known.id && (asked.port.is_none() || asked.port == known.port)
        };
        let answer = |asked: &TargetDescription| {
            let known = all.iter().find(|d| same(asked, &d.target)).cloned();
            known.unwrap_or_else(|| TargetHealthDescription {
                target: asked.clone(),
                health_check_port: asked.port.unwrap_or(80).to_string(),
                target_health: TargetHealth {
                    state: "unused".to_owned(),
                    reason: Some("Target.NotRegistered".to_owned()),
                    description: Some("Target is not registered to the target group".to_owned()),
                },
            })
        };
        Ok(targets.iter().map(answer).collect())
    }

    pub(in crate::world) fn target_health_view(&self, group: &str) -> Vec<TargetHealthDescription> {
        let Some(state) = self.target_groups.get(group) else {
            return Vec::new();
        };
        let describe = |target: &TargetState| TargetHealthDescription {
            target: target.target.clone(),
            health_check_port: target.target.port.unwrap_or(state.view.port).to_string(),
            target_health: target.health.describe(),
        };
        state.targets.values().map(describe).collect()
    }
}

impl Health {
    fn describe(self) -> TargetHealth {
        let (state, reason, description) = match self {
            Health::Initial => ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
            Health::Healthy => {
                return TargetHealth { state: "healthy".to_owned(), reason: None, description: None };
            }
            Health::WrongCode => {
                ("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]")
            }
            Health::NoAnswer => ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
            Health::Draining => ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"),
            Health::Unused => (
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            ),
        };
        TargetHealth {
            state: state.to_owned(),
            reason: Some(reason.to_owned()),
            description: Some(description.to_owned()),
        }
    }
}
