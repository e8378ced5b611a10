//! What a person wants to see: requests and errors per revision, tasks by status per service, weights and health per group.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::World;
use super::ids::last_part;
use super::traffic::{Outcomes, UserErrors};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    pub at: Timestamp,
    pub services: Vec<ServiceFacts>,
    pub revisions: Vec<RevisionFacts>,
    pub groups: Vec<GroupFacts>,
    pub user_errors: UserErrors,
    pub user_errors_total: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceFacts {
    pub name: String,
    /// `family:revision` of the primary deployment.
    pub revision: String,
    pub desired: u32,
    pub running: u32,
    pub pending: u32,
    /// Tasks that are not STOPPED, by lastStatus.
    pub tasks: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RevisionFacts {
    /// `family:revision`.
    pub revision: String,
    pub outcomes: Outcomes,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFacts {
    pub name: String,
    pub target_group_arn: String,
    /// Targets by state.
    pub targets: BTreeMap<String, u32>,
    pub outcomes: Outcomes,
}

impl World {
    /// Returns the facts for a live view; request counts are at most one traffic slice old.
    pub fn snapshot(&self) -> Snapshot {
        let service = |state: &super::ecs::ServiceState| {
            let (pending, running) = self.counts(&state.view.service_arn, None);
            let mut tasks = BTreeMap::new();
            for task in self.tasks.values().filter(|t| t.service == state.view.service_arn) {
                if task.view.last_status != "STOPPED" {
                    *tasks.entry(task.view.last_status.clone()).or_default() += 1;
                }
            }
            ServiceFacts {
                name: state.view.service_name.clone(),
                revision: last_part(&state.view.task_definition).to_owned(),
                desired: state.view.desired_count,
                running,
                pending,
                tasks,
            }
        };
        let revision = |(arn, outcomes): (&String, &Outcomes)| RevisionFacts {
            revision: last_part(arn).to_owned(),
            outcomes: *outcomes,
        };
        let group = |(arn, state): (&String, &super::elb::TargetGroupState)| {
            let mut targets = BTreeMap::new();
            for target in self.target_health_view(arn) {
                *targets.entry(target.target_health.state).or_default() += 1;
            }
            GroupFacts {
                name: state.view.target_group_name.clone(),
                target_group_arn: arn.clone(),
                targets,
                outcomes: self.traffic.by_group.get(arn).copied().unwrap_or_default(),
            }
        };
        Snapshot {
            at: self.now,
            services: self.services.values().map(service).collect(),
            revisions: self.traffic.by_revision.iter().map(revision).collect(),
            groups: self.target_groups.iter().map(group).collect(),
            user_errors: self.traffic.user_errors,
            user_errors_total: self.traffic.user_errors.total(),
        }
    }
}
