//! What ECS says of tasks and services.

use serde::Deserialize;

use super::envelope::Envelope;
use super::{Arrival, ParseError, Reason, printable};
use crate::ids::{ServiceArn, TaskArn};
use crate::machine::event::{ContainerStop, Event, TaskChange};

/// The fields of a task that we read. What is not listed, environment variables in `overrides` among it, goes no
/// further than this room.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Task {
    task_arn: Option<String>,
    cluster_arn: Option<String>,
    group: Option<String>,
    version: Option<u64>,
    started_by: Option<String>,
    last_status: Option<String>,
    desired_status: Option<String>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    containers: Vec<Container>,
}

/// The fields of a task's container that we read.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    exit_code: Option<i32>,
    reason: Option<String>,
}

/// Reads `ECS Task State Change`. A task event names its service only by its group.
pub(super) fn task(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let task: Task = event.detail()?;
    let Some(name) = task.group.as_deref().and_then(|group| group.strip_prefix("service:")) else {
        let group = task.group.as_deref().unwrap_or("no group");
        return Ok(event.ignored(Reason::TaskOfNoService, format_args!("started as `{group}`, by no service")));
    };
    let Some(service) = task.cluster_arn.as_deref().and_then(|cluster| ServiceArn::in_cluster(cluster, name)) else {
        return Ok(event.ignored(Reason::ServiceWithoutCluster, format_args!("service `{name}`, cluster unknown")));
    };
    let event = task.change(&service);
    Ok(Arrival::Service { service, event })
}

impl Task {
    /// Returns the change; one that cannot be folded by its version is a knock like any other.
    fn change(self, service: &ServiceArn) -> Event {
        match (self.task_arn, self.version, self.last_status, self.desired_status) {
            (Some(task), Some(version), Some(last_status), Some(desired_status)) => Event::Task(TaskChange {
                task: TaskArn::new(task),
                service: service.clone(),
                version,
                started_by: self.started_by,
                last_status: printable(&last_status),
                desired_status: printable(&desired_status),
                stop_code: self.stop_code.as_deref().map(printable),
                stopped_reason: self.stopped_reason.as_deref().map(printable),
                containers: self.containers.into_iter().filter_map(Container::stopped).take(CONTAINERS_MAX).collect(),
            }),
            (task, _, _, _) => {
                let task = task.unwrap_or_else(|| "a task".to_owned());
                Event::Knock { what: printable(&format!("{task} changed, without a version to fold by")) }
            }
        }
    }
}

/// A task has at most ten containers.
const CONTAINERS_MAX: usize = 10;

impl Container {
    /// What became of it, where something did.
    fn stopped(self) -> Option<ContainerStop> {
        let reason = self.reason.as_deref().map(printable);
        (self.exit_code.is_some() || reason.is_some()).then_some(ContainerStop { exit_code: self.exit_code, reason })
    }
}

/// The fields of deployments and service actions that we read.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct About {
    event_name: Option<String>,
    cluster_arn: Option<String>,
    deployment_id: Option<String>,
    reason: Option<String>,
}

/// The one service action that says what no look shows.
const UNPLACED: &str = "SERVICE_TASK_PLACEMENT_FAILURE";

/// Reads `ECS Deployment State Change` and `ECS Service Action`: knocks, but for a task that found no place.
pub(super) fn service(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let about: About = event.detail()?;
    let Some(named) = event.resources.first() else {
        return Err(ParseError::new(
            format!("`{}` names no service: `resources` is empty", event.detail_type),
            "ECS puts the service's ARN there: look at who sends this",
        ));
    };
    let Some(service) = with_cluster(named, about.cluster_arn.as_deref()) else {
        return Ok(event.ignored(Reason::ServiceWithoutCluster, format_args!("{named}, cluster unknown")));
    };
    let event = match (about.event_name.as_deref(), &about.reason) {
        (Some(UNPLACED), Some(reason)) => Event::Unplaced { service: service.clone(), reason: printable(reason) },
        (_, _) => Event::Knock { what: about.said(&event.detail_type) },
    };
    Ok(Arrival::Service { service, event })
}

/// Returns a service's ARN with its cluster part, which ARNs from before 2018 lack.
fn with_cluster(arn: &str, cluster_arn: Option<&str>) -> Option<ServiceArn> {
    let service = ServiceArn::new(arn);
    if service.cluster().is_some() {
        return Some(service);
    }
    ServiceArn::in_cluster(cluster_arn?, service.name())
}

impl About {
    /// `SERVICE_DEPLOYMENT_FAILED ecs-svc/123: the reason`.
    fn said(&self, kind: &str) -> String {
        let mut said = self.event_name.as_deref().unwrap_or(kind).to_owned();
        if let Some(deployment) = &self.deployment_id {
            said = format!("{said} {deployment}");
        }
        if let Some(reason) = &self.reason {
            said = format!("{said}: {reason}");
        }
        printable(&said)
    }
}
