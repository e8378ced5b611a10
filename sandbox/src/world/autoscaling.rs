//! Application Auto Scaling: scalable targets of ECS services, as data; nothing scales by itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::World;
use super::errors::{ApiError, ApiFamily, ApiResult};
use super::wire::epoch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SuspendedState {
    pub dynamic_scaling_in_suspended: bool,
    pub dynamic_scaling_out_suspended: bool,
    pub scheduled_scaling_suspended: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalableTarget {
    pub service_namespace: String,
    /// `service/CLUSTER/NAME`.
    pub resource_id: String,
    pub scalable_dimension: String,
    pub min_capacity: u32,
    pub max_capacity: u32,
    #[serde(rename = "RoleARN")]
    pub role_arn: String,
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
    pub suspended_state: SuspendedState,
    #[serde(rename = "ScalableTargetARN")]
    pub scalable_target_arn: String,
}

/// What is absent keeps its value on a target that exists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterScalableTarget {
    pub service_namespace: String,
    pub resource_id: String,
    pub scalable_dimension: String,
    pub min_capacity: Option<u32>,
    pub max_capacity: Option<u32>,
    pub suspended_state: Option<SuspendedState>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalableTargets {
    pub service_namespace: String,
    pub resource_ids: Vec<String>,
    pub scalable_dimension: Option<String>,
}

impl World {
    /// Registers or changes a target; answers its ARN.
    pub fn register_scalable_target(&mut self, input: &RegisterScalableTarget) -> ApiResult<String> {
        self.call(ApiFamily::AutoScaling, "RegisterScalableTarget")?;
        if input.service_namespace != "ecs" || input.scalable_dimension != "ecs:service:DesiredCount" {
            return Err(ApiError::new(
                "ValidationException",
                "the sandbox models ecs:service:DesiredCount of namespace ecs alone",
            ));
        }
        if let Some(target) = self.scalable_targets.get_mut(&input.resource_id) {
            target.min_capacity = input.min_capacity.unwrap_or(target.min_capacity);
            target.max_capacity = input.max_capacity.unwrap_or(target.max_capacity);
            target.suspended_state = input.suspended_state.unwrap_or(target.suspended_state);
            return Ok(target.scalable_target_arn.clone());
        }
        let (Some(min_capacity), Some(max_capacity)) = (input.min_capacity, input.max_capacity) else {
            return Err(ApiError::new(
                "ValidationException",
                "Min capacity and max capacity must be given when registering a new scalable target",
            ));
        };
        let account = &self.config.account;
        let arn =
            account.arn("application-autoscaling", &format!("scalable-target/{}", self.scalable_targets.len() + 1));
        let target = ScalableTarget {
            service_namespace: input.service_namespace.clone(),
            resource_id: input.resource_id.clone(),
            scalable_dimension: input.scalable_dimension.clone(),
            min_capacity,
            max_capacity,
            role_arn: format!(
                "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
                account.id
            ),
            creation_time: self.now,
            suspended_state: input.suspended_state.unwrap_or_default(),
            scalable_target_arn: arn.clone(),
        };
        self.scalable_targets.insert(input.resource_id.clone(), target);
        Ok(arn)
    }

    pub fn describe_scalable_targets(&mut self, input: &DescribeScalableTargets) -> ApiResult<Vec<ScalableTarget>> {
        self.call(ApiFamily::AutoScaling, "DescribeScalableTargets")?;
        let wanted = |target: &&ScalableTarget| {
            target.service_namespace == input.service_namespace
                && (input.resource_ids.is_empty() || input.resource_ids.contains(&target.resource_id))
                && input.scalable_dimension.as_ref().is_none_or(|d| *d == target.scalable_dimension)
        };
        Ok(self.scalable_targets.values().filter(wanted).cloned().collect())
    }

    pub fn deregister_scalable_target(&mut self, resource_id: &str) -> ApiResult<()> {
        self.call(ApiFamily::AutoScaling, "DeregisterScalableTarget")?;
        match self.scalable_targets.remove(resource_id) {
            Some(_) => Ok(()),
            None => Err(ApiError::new(
                "ObjectNotFoundException",
                format!(
                    "No scalable target found for service namespace: ecs, resource ID: {resource_id}, scalable dimension: ecs:service:DesiredCount"
                ),
            )),
        }
    }
}
