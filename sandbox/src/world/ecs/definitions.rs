//! Clusters and task definitions, and the sandbox's own word on how a revision behaves when it runs.

use std::time::Duration;

use serde_json::Value;

use super::{Cluster, ClusterState, DescribeClusters, Failure, RegisterTaskDefinition, RevisionState, TaskDefinition};
use crate::world::World;
use crate::world::errors::{ApiError, ApiFamily, ApiResult};
use crate::world::ids::last_part;

/// What the code of a revision does when it runs. Set by [`World::set_behaviour`], or at registration by
/// the docker labels `sandbox.errorShare`, `sandbox.latencyMs`, `sandbox.startupSeconds`,
/// `sandbox.crashAtStart`, `sandbox.crashAfterSeconds`, `sandbox.failsHealthChecks` of the first container.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Share of the responses that are 5xx, 0 to 1.
    pub error_share: f64,
    /// Median of the response time; the spread is log-normal.
    pub latency: Duration,
    pub latency_sigma: f64,
    /// From the container's start until it answers; connections are refused before.
    pub startup: Duration,
    /// The container exits with 1 as soon as it runs.
    pub crash_at_start: bool,
    /// The container exits with 1 this long after it runs.
    pub crash_after: Option<Duration>,
    /// The health check path answers 500.
    pub fails_health_checks: bool,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            error_share: 0.0,
            latency: Duration::from_millis(40),
            latency_sigma: 0.5,
            startup: Duration::from_secs(4),
            crash_at_start: false,
            crash_after: None,
            fails_health_checks: false,
        }
    }
}

impl Behaviour {
    /// Returns a revision whose share `error_share` of responses is 5xx.
    pub fn failing(error_share: f64) -> Behaviour {
        Behaviour { error_share, ..Behaviour::default() }
    }

    fn from_labels(containers: &[Value]) -> Behaviour {
        let labels = containers.first().and_then(|c| c.get("dockerLabels"));
        let label = |name: &str| labels?.get(format!("sandbox.{name}"))?.as_str();
        let number = |name: &str| label(name)?.parse::<f64>().ok().filter(|n| (0.0..1e9).contains(n));
        let flag = |name: &str| label(name) == Some("true");
        let usual = Behaviour::default();
        Behaviour {
            error_share: number("errorShare").unwrap_or(usual.error_share),
            latency: number("latencyMs").map_or(usual.latency, |ms| Duration::from_secs_f64(ms / 1000.0)),
            latency_sigma: usual.latency_sigma,
            startup: number("startupSeconds").map_or(usual.startup, Duration::from_secs_f64),
            crash_at_start: flag("crashAtStart"),
            crash_after: number("crashAfterSeconds").map(Duration::from_secs_f64),
            fails_health_checks: flag("failsHealthChecks"),
        }
    }
}

impl World {
    pub fn create_cluster(&mut self, name: &str) -> ApiResult<Cluster> {
        self.call(ApiFamily::Ecs, "CreateCluster")?;
        let arn = self.config.account.cluster(name);
        let state = ClusterState { name: name.to_owned(), arn };
        self.clusters.entry(name.to_owned()).or_insert(state);
        self.cluster_view(name).ok_or_else(ApiError::cluster_not_found)
    }

    /// Describes clusters by name or ARN; no names means `default`, as in AWS.
    pub fn describe_clusters(&mut self, names: &[String]) -> ApiResult<DescribeClusters> {
        self.call(ApiFamily::Ecs, "DescribeClusters")?;
        let usual = ["default".to_owned()];
        let names = if names.is_empty() { &usual } else { names };
        let mut answer = DescribeClusters { clusters: Vec::new(), failures: Vec::new() };
        for name in names {
            match self.cluster_view(last_part(name)) {
                Some(view) => answer.clusters.push(view),
                None => answer
                    .failures
                    .push(Failure { arn: self.config.account.cluster(last_part(name)), reason: "MISSING".to_owned() }),
            }
        }
        Ok(answer)
    }

    fn cluster_view(&self, name: &str) -> Option<Cluster> {
        let cluster = self.clusters.get(name)?;
        let tasks = || self.tasks.values().filter(|t| t.view.cluster_arn == cluster.arn);
        let active = |s: &&super::ServiceState| s.cluster == name && s.view.status == "ACTIVE";
        Some(Cluster {
            cluster_arn: cluster.arn.clone(),
            cluster_name: cluster.name.clone(),
            status: "ACTIVE".to_owned(),
            registered_container_instances_count: 0,
            running_tasks_count: tasks().filter(|t| t.counts_as_running()).count() as u32,
            pending_tasks_count: tasks().filter(|t| t.counts_as_pending()).count() as u32,
            active_services_count: self.services.values().filter(active).count() as u32,
        })
    }

    /// Returns the cluster's name, if there is such a cluster; `None` means `default`.
    pub(in crate::world) fn cluster_name(&self, cluster: Option<&str>) -> ApiResult<String> {
        let name = last_part(cluster.unwrap_or("default"));
        self.clusters.get(name).map(|c| c.name.clone()).ok_or_else(ApiError::cluster_not_found)
    }

    pub fn register_task_definition(&mut self, input: RegisterTaskDefinition) -> ApiResult<TaskDefinition> {
        self.call(ApiFamily::Ecs, "RegisterTaskDefinition")?;
        if input.family.is_empty() {
            return Err(ApiError::client("Family should not be null or empty."));
        }
        if input.container_definitions.is_empty() {
            return Err(ApiError::client("Container list cannot be empty."));
        }
        let behaviour = Behaviour::from_labels(&input.container_definitions);
        let revisions = self.task_definitions.entry(input.family.clone()).or_default();
        let revision = revisions.len() as u32 + 1;
        let view = TaskDefinition {
            task_definition_arn: self.config.account.task_definition(&input.family, revision),
            revision,
            status: "ACTIVE".to_owned(),
            registered_at: self.now,
            deregistered_at: None,
            registered: input,
        };
        revisions.push(RevisionState { view: view.clone(), behaviour });
        Ok(view)
    }

    /// Describes by ARN, `family:revision`, or `family` (its newest ACTIVE revision).
    pub fn describe_task_definition(&mut self, name: &str) -> ApiResult<TaskDefinition> {
        self.call(ApiFamily::Ecs, "DescribeTaskDefinition")?;
        let found = self.revision(name).map(|r| r.view.clone());
        found.ok_or_else(|| ApiError::client("Unable to describe task definition."))
    }

    pub fn deregister_task_definition(&mut self, name: &str) -> ApiResult<TaskDefinition> {
        self.call(ApiFamily::Ecs, "DeregisterTaskDefinition")?;
        let now = self.now;
        let revision = self.revision_mut(name).filter(|_| last_part(name).contains(':'));
        let revision = revision.ok_or_else(|| ApiError::client("Unable to deregister task definition."))?;
        revision.view.status = "INACTIVE".to_owned();
        revision.view.deregistered_at = Some(now);
        Ok(revision.view.clone())
    }

    /// Lists the ARNs of a family's revisions of one status (`ACTIVE` unless said otherwise), oldest first.
    pub fn list_task_definitions(
        &mut self,
        family_prefix: Option<&str>,
        status: Option<&str>,
    ) -> ApiResult<Vec<String>> {
        self.call(ApiFamily::Ecs, "ListTaskDefinitions")?;
        let status = status.unwrap_or("ACTIVE");
        let of_family = |family: &str| family_prefix.is_none_or(|wanted| wanted == family);
        let families = self.task_definitions.iter().filter(|(family, _)| of_family(family));
        let revisions = families.flat_map(|(_, revisions)| revisions).filter(|r| r.view.status == status);
        Ok(revisions.map(|r| r.view.task_definition_arn.clone()).collect())
    }

    /// Says what the code of a revision does when it runs; running tasks of it change at once.
    pub fn set_behaviour(&mut self, task_definition: &str, behaviour: Behaviour) -> ApiResult<()> {
        self.flow_until(self.now);
        let revision = self.revision_mut(task_definition);
        let revision = revision.ok_or_else(|| ApiError::client("Unable to describe task definition."))?;
        revision.behaviour = behaviour;
        let arn = revision.view.task_definition_arn.clone();
        self.health_of_revision_changed(&arn);
        Ok(())
    }

    pub(in crate::world) fn revision(&self, name: &str) -> Option<&RevisionState> {
        let (family, index) = self.locate_revision(name)?;
        self.task_definitions.get(&family)?.get(index)
    }

    fn revision_mut(&mut self, name: &str) -> Option<&mut RevisionState> {
        let (family, index) = self.locate_revision(name)?;
        self.task_definitions.get_mut(&family)?.get_mut(index)
    }

    fn locate_revision(&self, name: &str) -> Option<(String, usize)> {
        let name = last_part(name);
        match name.rsplit_once(':') {
            Some((family, revision)) => {
                let index = revision.parse::<usize>().ok()?.checked_sub(1)?;
                self.task_definitions.get(family)?.get(index)?;
                Some((family.to_owned(), index))
            }
            None => {
                let revisions = self.task_definitions.get(name)?;
                let index = revisions.iter().rposition(|r| r.view.status == "ACTIVE")?;
                Some((name.to_owned(), index))
            }
        }
    }
}
