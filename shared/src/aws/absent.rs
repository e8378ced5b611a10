//! The port that a function does not have: it answers, and says which client is missing.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::analysis::Found;
use crate::analysis::{MeasureRequest, Reading};
use crate::api::{Answer, Listed};
use crate::audit::AuditEntry;
use crate::events::Message;
use crate::fault::{Fault, Obstacle, Outcome};
use crate::ids::{AlarmArn, RolloutId, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::machine::effect::Announcement;
use crate::observation::{
    Action, AlarmState, Blueprint, GroupSeen, Health, RevisionSeen, RouteAt, RouteSeen, RuleRef, RuleSeen, Scaling,
    ServiceSeen,
};
use crate::ports::{
    Announcer, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, Unfinished, WakeUps,
    Workload,
};
use crate::rollout::Promotion;

/// A service that this function has no client for, because its role allows it nothing there.
#[derive(Debug, Clone, Copy)]
pub struct Absent;

fn no(service: &str) -> Fault {
    Fault::permanent(
        Obstacle::AccessDenied,
        format!("this function has no client for {service}: its role in template.yaml allows it nothing there"),
    )
}

fn not_applied(service: &str) -> Outcome {
    Outcome::NotApplied { fault: no(service) }
}

const ECS: &str = "ECS";
const ELB: &str = "Elastic Load Balancing";
const CLOUDWATCH: &str = "CloudWatch";
const TABLE: &str = "the table";

impl Workload for Absent {
    async fn services(&self, _: &str, _: &[&str]) -> Result<Vec<Option<ServiceSeen>>, Fault> {
        Err(no(ECS))
    }

    async fn blueprint(&self, _: &str, _: &str) -> Result<Option<Blueprint>, Fault> {
        Err(no(ECS))
    }

    async fn revision(&self, _: &str) -> Result<Option<RevisionSeen>, Fault> {
        Err(no(ECS))
    }

    async fn scaling(&self, _: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, Fault> {
        Err(no("Application Auto Scaling"))
    }

    async fn deploy(&self, _: &ServiceArn, _: &TaskDefinitionArn, _: u32) -> Outcome {
        not_applied(ECS)
    }

    async fn scale(&self, _: &ServiceArn, _: u32) -> Outcome {
        not_applied(ECS)
    }
}

impl TrafficRouter for Absent {
    async fn groups(&self, _: &[&TargetGroupArn]) -> Result<BTreeMap<TargetGroupArn, GroupSeen>, Fault> {
        Err(no(ELB))
    }

    async fn rules_naming(&self, _: &[&TargetGroupArn]) -> Result<Vec<RuleSeen>, Fault> {
        Err(no(ELB))
    }

    async fn rules(&self, _: &[RuleRef]) -> Result<Vec<RuleSeen>, Fault> {
        Err(no(ELB))
    }

    async fn routes(&self, _: &[RouteAt]) -> Result<Vec<RouteSeen>, Fault> {
        Err(no(ELB))
    }

    async fn create_route(&self, _: &RouteAt, _: &[Action], _: &RolloutId) -> Outcome {
        not_applied(ELB)
    }

    async fn delete_route(&self, _: &RuleRef) -> Outcome {
        not_applied(ELB)
    }

    async fn health(&self, _: &TargetGroupArn) -> Result<Health, Fault> {
        Err(no(ELB))
    }

    async fn write(&self, _: &RuleRef, _: &[Action]) -> Outcome {
        not_applied(ELB)
    }
}

impl MetricProvider for Absent {
    async fn alarms(&self, _: &[&str]) -> Result<BTreeMap<String, (AlarmArn, AlarmState)>, Fault> {
        Err(no(CLOUDWATCH))
    }

    async fn measure(&self, request: &MeasureRequest) -> Vec<Reading> {
        let found = Found::Error { why: no(CLOUDWATCH).to_string() };
        let unread = request.queries.iter();
        unread.map(|q| Reading { metric: q.metric.clone(), from: q.from, to: q.to, found: found.clone() }).collect()
    }
}

impl RolloutStore for Absent {
    async fn load(&self, _: &RolloutId) -> Result<Option<Stored>, Fault> {
        Err(no(TABLE))
    }

    async fn by_services(&self, _: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, RolloutId>, Fault> {
        Err(no(TABLE))
    }

    async fn by_alarm(&self, _: &AlarmArn) -> Result<Vec<RolloutId>, Fault> {
        Err(no(TABLE))
    }

    async fn promotions(&self, _: &ServiceArn, _: u32) -> Result<Vec<Promotion>, Fault> {
        Err(no(TABLE))
    }

    async fn unfinished(&self) -> Result<Vec<Unfinished>, Fault> {
        Err(no(TABLE))
    }

    async fn begin(&self, _: Commit<'_>) -> Result<(), CommitRefused> {
        Err(no(TABLE).into())
    }

    async fn commit(&self, _: Commit<'_>) -> Result<String, CommitRefused> {
        Err(no(TABLE).into())
    }

    async fn record(&self, _: &str, _: &Answer) -> Result<(), Fault> {
        Err(no(TABLE))
    }

    async fn answer(&self, _: &str) -> Result<Option<Answer>, Fault> {
        Err(no(TABLE))
    }

    async fn journal(&self, _: &RolloutId, _: u64, _: u32) -> Result<Vec<AuditEntry>, Fault> {
        Err(no(TABLE))
    }

    async fn list(&self, _: bool, _: u32) -> Result<Vec<Listed>, Fault> {
        Err(no(TABLE))
    }
}

impl WakeUps for Absent {
    async fn send(&self, _: Queue, _: &Message, _: SignedDuration) -> Result<(), Fault> {
        Err(no("SQS"))
    }
}

impl Announcer for Absent {
    async fn announce(&self, _: &[Announcement]) -> Result<(), Fault> {
        Err(no("EventBridge"))
    }
}
