//! ECS: clusters, task definitions, and services under the rolling deployment controller.

mod definitions;
mod scheduler;
mod services;
mod shapes;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub use definitions::Behaviour;
pub use shapes::{
    Attachment, CircuitBreaker, Cluster, Container, CreateService, Deployment, DeploymentConfiguration,
    DescribeClusters, DescribeServices, DescribeTasks, Failure, ListTasks, NameValue, NetworkInterface,
    RegisterTaskDefinition, Service, ServiceEvent, ServiceLoadBalancer, Task, TaskDefinition, UpdateService,
};

#[derive(Debug)]
pub(super) struct ClusterState {
    pub(super) name: String,
    pub(super) arn: String,
}

/// A registered revision, and what its code does when it runs.
#[derive(Debug)]
pub(super) struct RevisionState {
    pub(super) view: TaskDefinition,
    pub(super) behaviour: Behaviour,
}

#[derive(Debug)]
pub(super) struct ServiceState {
    /// Everything DescribeServices tells but the counts, which are taken when asked.
    pub(super) view: Service,
    pub(super) cluster: String,
    pub(super) client_token: Option<String>,
    /// When the scheduler looks next; one look is planned at a time.
    pub(super) next_pass: Option<Timestamp>,
    pub(super) steady: Steady,
    /// Grows with every change that makes a planned steady state untrue.
    pub(super) steady_generation: u32,
    /// Tasks of the primary deployment that failed one after the other.
    pub(super) failures_in_a_row: u32,
    /// No task is started before this instant.
    pub(super) backoff_until: Option<Timestamp>,
    pub(super) impaired_announced: bool,
    /// The task definition of the last completed deployment, and its id: where the circuit breaker goes back to.
    pub(super) last_completed: Option<(String, String)>,
}

/// Whether a service has come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steady {
    Moving,
    /// At rest inside; not yet said.
    Settling {
        since: Timestamp,
    },
    Said,
}

impl ServiceState {
    pub(super) fn primary(&self) -> Option<&Deployment> {
        self.view.deployments.iter().find(|d| d.status == "PRIMARY")
    }

    pub(super) fn primary_mut(&mut self) -> Option<&mut Deployment> {
        self.view.deployments.iter_mut().find(|d| d.status == "PRIMARY")
    }

    pub(super) fn target_groups(&self) -> Vec<(String, u16)> {
        let of = |lb: &ServiceLoadBalancer| lb.target_group_arn.clone().map(|arn| (arn, lb.container_port));
        self.view.load_balancers.iter().filter_map(of).collect()
    }
}

/// Returns the name in a container definition.
pub(super) fn container_name(definition: &Value) -> &str {
    definition.get("name").and_then(Value::as_str).unwrap_or("app")
}
