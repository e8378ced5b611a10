//! ECS's requests and answers, by AWS's own names (camelCase on the wire).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::world::wire::{epoch, epoch_option};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    pub cluster_arn: String,
    pub cluster_name: String,
    pub status: String,
    pub registered_container_instances_count: u32,
    pub running_tasks_count: u32,
    pub pending_tasks_count: u32,
    pub active_services_count: u32,
}

/// What DescribeClusters, DescribeServices and DescribeTasks could not find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub arn: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DescribeClusters {
    pub clusters: Vec<Cluster>,
    pub failures: Vec<Failure>,
}

/// RegisterTaskDefinition's input; what is not named here is kept in `other` and described back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterTaskDefinition {
    pub family: String,
    #[serde(default)]
    pub container_definitions: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires_compatibilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinition {
    pub task_definition_arn: String,
    pub revision: u32,
    /// ACTIVE or INACTIVE.
    pub status: String,
    #[serde(with = "epoch")]
    pub registered_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub deregistered_at: Option<Timestamp>,
    #[serde(flatten)]
    pub registered: RegisterTaskDefinition,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLoadBalancer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_group_arn: Option<String>,
    pub container_name: String,
    pub container_port: u16,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    pub enable: bool,
    pub rollback: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfiguration {
    #[serde(default)]
    pub deployment_circuit_breaker: CircuitBreaker,
    #[serde(default = "two_hundred")]
    pub maximum_percent: u32,
    #[serde(default = "one_hundred")]
    pub minimum_healthy_percent: u32,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn two_hundred() -> u32 {
    200
}

fn one_hundred() -> u32 {
    100
}

impl Default for DeploymentConfiguration {
    fn default() -> DeploymentConfiguration {
        DeploymentConfiguration {
            deployment_circuit_breaker: CircuitBreaker::default(),
            maximum_percent: two_hundred(),
            minimum_healthy_percent: one_hundred(),
            other: Map::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateService {
    pub cluster: Option<String>,
    pub service_name: String,
    pub task_definition: Option<String>,
    pub desired_count: Option<u32>,
    pub load_balancers: Vec<ServiceLoadBalancer>,
    pub launch_type: Option<String>,
    pub platform_version: Option<String>,
    pub network_configuration: Option<Value>,
    pub deployment_configuration: Option<DeploymentConfiguration>,
    pub deployment_controller: Option<Value>,
    pub health_check_grace_period_seconds: Option<u32>,
    pub scheduling_strategy: Option<String>,
    pub enable_execute_command: Option<bool>,
    pub client_token: Option<String>,
    pub tags: Vec<Value>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// UpdateService's input: what is absent keeps its value; there is no client token.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpdateService {
    pub cluster: Option<String>,
    pub service: String,
    pub task_definition: Option<String>,
    pub desired_count: Option<u32>,
    pub force_new_deployment: bool,
    pub load_balancers: Option<Vec<ServiceLoadBalancer>>,
    pub platform_version: Option<String>,
    pub network_configuration: Option<Value>,
    pub deployment_configuration: Option<DeploymentConfiguration>,
    pub health_check_grace_period_seconds: Option<u32>,
    pub enable_execute_command: Option<bool>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One entry of a service's `deployments`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// `ecs-svc/` and nineteen digits; tasks carry it as `startedBy`.
    pub id: String,
    /// PRIMARY or ACTIVE.
    pub status: String,
    pub task_definition: String,
    pub desired_count: u32,
    pub pending_count: u32,
    pub running_count: u32,
    pub failed_tasks: u32,
    #[serde(with = "epoch")]
    pub created_at: Timestamp,
    #[serde(with = "epoch")]
    pub updated_at: Timestamp,
    pub launch_type: String,
    pub platform_version: String,
    pub platform_family: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_configuration: Option<Value>,
    /// IN_PROGRESS, COMPLETED or FAILED.
    pub rollout_state: String,
    pub rollout_state_reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEvent {
    pub id: String,
    #[serde(with = "epoch")]
    pub created_at: Timestamp,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    pub service_arn: String,
    pub service_name: String,
    pub cluster_arn: String,
    pub load_balancers: Vec<ServiceLoadBalancer>,
    pub service_registries: Vec<Value>,
    /// ACTIVE, DRAINING or INACTIVE.
    pub status: String,
    pub desired_count: u32,
    pub running_count: u32,
    pub pending_count: u32,
    pub launch_type: String,
    pub platform_version: String,
    pub platform_family: String,
    pub task_definition: String,
    pub deployment_configuration: DeploymentConfiguration,
    pub deployments: Vec<Deployment>,
    /// Newest first, at most 100.
    pub events: Vec<ServiceEvent>,
    #[serde(with = "epoch")]
    pub created_at: Timestamp,
    pub placement_constraints: Vec<Value>,
    pub placement_strategy: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_grace_period_seconds: Option<u32>,
    pub scheduling_strategy: String,
    pub deployment_controller: Value,
    pub enable_execute_command: bool,
    #[serde(rename = "enableECSManagedTags")]
    pub enable_ecs_managed_tags: bool,
    pub propagate_tags: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DescribeServices {
    pub services: Vec<Service>,
    pub failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameValue {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: String,
    /// `ElasticNetworkInterface` in the API; events call it `eni`.
    #[serde(rename = "type")]
    pub kind: String,
    /// PRECREATED, ATTACHED or DELETED.
    pub status: String,
    pub details: Vec<NameValue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterface {
    pub attachment_id: String,
    pub private_ipv4_address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    pub container_arn: String,
    pub task_arn: String,
    pub name: String,
    pub image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_id: Option<String>,
    pub last_status: String,
    /// Absent while the container runs, and when it never started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    pub network_interfaces: Vec<NetworkInterface>,
    pub health_status: String,
    pub cpu: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    pub task_arn: String,
    pub cluster_arn: String,
    pub task_definition_arn: String,
    /// `service:NAME`.
    pub group: String,
    /// The deployment's id.
    pub started_by: String,
    /// Grows by one with every change.
    pub version: u64,
    /// PROVISIONING … STOPPED.
    pub last_status: String,
    pub desired_status: String,
    pub availability_zone: String,
    pub attachments: Vec<Attachment>,
    pub attributes: Vec<NameValue>,
    pub containers: Vec<Container>,
    pub launch_type: String,
    pub platform_version: String,
    pub platform_family: String,
    pub cpu: String,
    pub memory: String,
    pub enable_execute_command: bool,
    pub health_status: String,
    pub overrides: Value,
    pub ephemeral_storage: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub connectivity_at: Option<Timestamp>,
    #[serde(with = "epoch")]
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub pull_started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub pull_stopped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub stopping_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub execution_stopped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "epoch_option", default)]
    pub stopped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DescribeTasks {
    pub tasks: Vec<Task>,
    pub failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListTasks {
    pub cluster: Option<String>,
    pub service_name: Option<String>,
    pub family: Option<String>,
    pub started_by: Option<String>,
    /// RUNNING unless said otherwise, as in AWS.
    pub desired_status: Option<String>,
}
