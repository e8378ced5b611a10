//! The events that the modelled services put on the default bus, field for field as EventBridge delivers them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::World;
use super::ecs::{Attachment, Container, Task};
use super::ids;
use super::time::{milliseconds, whole_seconds};

/// An event as it leaves its service; delivery (delay, duplicates, order) is the bus's affair.
#[derive(Debug, Clone, PartialEq)]
pub struct EmittedEvent {
    pub at: Timestamp,
    /// The whole envelope.
    pub json: Value,
}

impl World {
    pub(super) fn emit(&mut self, source: &str, detail_type: &str, resource: &str, detail: &Value) {
        let json = json!({
            "version": "0",
            "id": ids::uuid(&mut self.chance.names),
            "detail-type": detail_type,
            "source": source,
            "account": self.config.account.id,
            "time": whole_seconds(self.now).to_string(),
            "region": self.config.account.region,
            "resources": [resource],
            "detail": detail,
        });
        self.outbox.push(EmittedEvent { at: self.now, json });
    }

    pub(super) fn emit_task(&mut self, task: &str) {
        let Some(state) = self.tasks.get(task) else {
            return;
        };
        let detail = task_detail(&state.view, state.load_balancer_attachment(), self.now);
        self.emit("aws.ecs", "ECS Task State Change", task, &detail);
    }

    /// `updated_at` is the deployment's last internal change, which for COMPLETED and FAILED lies well before now.
    pub(super) fn emit_deployment(
        &mut self,
        service: &str,
        kind: &str,
        name: &str,
        id: &str,
        reason: &str,
        updated_at: Timestamp,
    ) {
        let Some(state) = self.services.get(service) else {
            return;
        };
        let detail = json!({
            "eventType": kind,
            "eventName": name,
            "clusterArn": state.view.cluster_arn,
            "deploymentId": id,
            "updatedAt": milliseconds(updated_at).to_string(),
            "reason": reason,
        });
        self.emit("aws.ecs", "ECS Deployment State Change", service, &detail);
    }

    pub(super) fn emit_service_action(&mut self, service: &str, kind: &str, name: &str) {
        let Some(state) = self.services.get(service) else {
            return;
        };
        let detail = json!({
            "eventType": kind,
            "eventName": name,
            "clusterArn": state.view.cluster_arn,
            "createdAt": milliseconds(self.now).to_string(),
        });
        self.emit("aws.ecs", "ECS Service Action", service, &detail);
    }

    /// Says CAPACITY_PROVIDER_STEADY_STATE, which comes several times before a deployment completes and never means done.
    pub(super) fn emit_capacity_provider_steady(&mut self, service: &str) {
        let Some(state) = self.services.get(service) else {
            return;
        };
        let detail = json!({
            "eventType": "INFO",
            "eventName": "CAPACITY_PROVIDER_STEADY_STATE",
            "clusterArn": state.view.cluster_arn,
            "capacityProviderArns": [self.config.account.arn("ecs", "capacity-provider/FARGATE")],
            "createdAt": milliseconds(self.now).to_string(),
        });
        self.emit("aws.ecs", "ECS Service Action", service, &detail);
    }
}

fn task_detail(task: &Task, load_balancer: Option<Attachment>, now: Timestamp) -> Value {
    let mut attachments: Vec<Value> = task.attachments.iter().map(interface_detail).collect();
    attachments.extend(load_balancer.map(|a| json!(a)));
    let mut detail = json!({
        "attachments": attachments,
        "attributes": task.attributes,
        "availabilityZone": task.availability_zone,
        "capacityProviderName": "FARGATE",
        "clusterArn": task.cluster_arn,
        "containers": task.containers.iter().map(container_detail).collect::<Vec<_>>(),
        "cpu": task.cpu,
        "createdAt": milliseconds(task.created_at).to_string(),
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.enable_execute_command,
        "ephemeralStorage": task.ephemeral_storage,
        "group": task.group,
        "launchType": task.launch_type,
        "lastStatus": task.last_status,
        "memory": task.memory,
        "overrides": task.overrides,
        "platformVersion": task.platform_version,
        "startedBy": task.started_by,
        "taskArn": task.task_arn,
        "taskDefinitionArn": task.task_definition_arn,
        "updatedAt": milliseconds(now).to_string(),
        "version": task.version,
    });
    if let Value::Object(fields) = &mut detail {
        for (name, at) in [
            ("connectivityAt", task.connectivity_at),
            ("pullStartedAt", task.pull_started_at),
            ("pullStoppedAt", task.pull_stopped_at),
            ("startedAt", task.started_at),
            ("stoppingAt", task.stopping_at),
            ("executionStoppedAt", task.execution_stopped_at),
            ("stoppedAt", task.stopped_at),
        ] {
            put(fields, name, at.map(|at| milliseconds(at).to_string()));
        }
        put(fields, "connectivity", task.connectivity.clone());
        put(fields, "stopCode", task.stop_code.clone());
        put(fields, "stoppedReason", task.stopped_reason.clone());
    }
    detail
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), Value::String(value));
    }
}

/// The API calls it `ElasticNetworkInterface`, events call it `eni`.
fn interface_detail(attachment: &Attachment) -> Value {
    json!({ "id": attachment.id, "type": "eni", "status": attachment.status, "details": attachment.details })
}

/// Events show no health of containers.
fn container_detail(container: &Container) -> Value {
    let mut detail = json!(container);
    if let Value::Object(fields) = &mut detail {
        fields.remove("healthStatus");
    }
    detail
}
