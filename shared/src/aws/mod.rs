//! The adapters: one file per AWS service, each the port's words on one side and the SDK's on the other.
//!
//! AWS types do not leave this folder. A function names the services that it has clients for in the type of its
//! [`Ports`]; for every other port stands [`Absent`], which answers that this function has no such client.

pub mod absent;
pub mod autoscaling;
pub mod bus;
pub mod classify;
pub mod clock;
pub mod cloudwatch;
pub mod config;
pub mod ecs;
pub mod elb;
pub mod function;
pub mod queues;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::analysis::{MeasureRequest, Reading};
use crate::api::{Answer, Listed};
use crate::audit::AuditEntry;
use crate::events::Message;
use crate::fault::{Fault, Outcome};
use crate::ids::{AlarmArn, RolloutId, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::machine::Now;
use crate::machine::effect::Announcement;
use crate::observation::{
    Action, AlarmState, Blueprint, GroupSeen, Health, RevisionSeen, RouteAt, RouteSeen, RuleRef, RuleSeen, Scaling,
    ServiceSeen,
};
use crate::ports::{
    Announcer, Clock, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, Unfinished,
    WakeUps, Workload,
};
use crate::rollout::Promotion;

pub use absent::Absent;
pub use bus::Bus;
pub use clock::FunctionClock;
pub use cloudwatch::Metrics;
pub use config::Environment;
pub use ecs::Services;
pub use elb::LoadBalancers;
pub use queues::Queues;
pub use store::Table;

/// The world as one function can reach it.
#[derive(Debug, Clone)]
pub struct Ports<W = Absent, R = Absent, M = Absent, S = Absent, Q = Absent, A = Absent> {
    /// Where revisions run.
    pub workload: W,
    /// Who moves traffic.
    pub router: R,
    /// Where numbers come from.
    pub metrics: M,
    /// The one durable memory.
    pub store: S,
    /// Who wakes us up.
    pub queues: Q,
    /// Who is told.
    pub announcer: A,
    /// What time it is.
    pub clock: FunctionClock,
}

impl<W: Workload, R: Sync, M: Sync, S: Sync, Q: Sync, A: Sync> Workload for Ports<W, R, M, S, Q, A> {
    fn services(
        &self,
        cluster: &str,
        names: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<ServiceSeen>>, Fault>> + Send {
        self.workload.services(cluster, names)
    }

    fn blueprint(&self, cluster: &str, service: &str) -> impl Future<Output = Result<Option<Blueprint>, Fault>> + Send {
        self.workload.blueprint(cluster, service)
    }

    fn revision(&self, name: &str) -> impl Future<Output = Result<Option<RevisionSeen>, Fault>> + Send {
        self.workload.revision(name)
    }

    fn scaling(
        &self,
        services: &[&ServiceArn],
    ) -> impl Future<Output = Result<BTreeMap<ServiceArn, Scaling>, Fault>> + Send {
        self.workload.scaling(services)
    }

    fn deploy(
        &self,
        service: &ServiceArn,
        revision: &TaskDefinitionArn,
        tasks: u32,
    ) -> impl Future<Output = Outcome> + Send {
        self.workload.deploy(service, revision, tasks)
    }

    fn scale(&self, service: &ServiceArn, tasks: u32) -> impl Future<Output = Outcome> + Send {
        self.workload.scale(service, tasks)
    }
}

impl<W: Sync, R: TrafficRouter, M: Sync, S: Sync, Q: Sync, A: Sync> TrafficRouter for Ports<W, R, M, S, Q, A> {
    fn groups(
        &self,
        groups: &[&TargetGroupArn],
    ) -> impl Future<Output = Result<BTreeMap<TargetGroupArn, GroupSeen>, Fault>> + Send {
        self.router.groups(groups)
    }

    fn rules_naming(&self, groups: &[&TargetGroupArn]) -> impl Future<Output = Result<Vec<RuleSeen>, Fault>> + Send {
        self.router.rules_naming(groups)
    }

    fn rules(&self, rules: &[RuleRef]) -> impl Future<Output = Result<Vec<RuleSeen>, Fault>> + Send {
        self.router.rules(rules)
    }

    fn routes(&self, routes: &[RouteAt]) -> impl Future<Output = Result<Vec<RouteSeen>, Fault>> + Send {
        self.router.routes(routes)
    }

    fn create_route(
        &self,
        at: &RouteAt,
        actions: &[Action],
        rollout: &RolloutId,
    ) -> impl Future<Output = Outcome> + Send {
        self.router.create_route(at, actions, rollout)
    }

    fn delete_route(&self, rule: &RuleRef) -> impl Future<Output = Outcome> + Send {
        self.router.delete_route(rule)
    }

    fn health(&self, group: &TargetGroupArn) -> impl Future<Output = Result<Health, Fault>> + Send {
        self.router.health(group)
    }

    fn write(&self, rule: &RuleRef, actions: &[Action]) -> impl Future<Output = Outcome> + Send {
        self.router.write(rule, actions)
    }
}

impl<W: Sync, R: Sync, M: MetricProvider, S: Sync, Q: Sync, A: Sync> MetricProvider for Ports<W, R, M, S, Q, A> {
    fn alarms(
        &self,
        names: &[&str],
    ) -> impl Future<Output = Result<BTreeMap<String, (AlarmArn, AlarmState)>, Fault>> + Send {
        self.metrics.alarms(names)
    }

    fn measure(&self, request: &MeasureRequest) -> impl Future<Output = Vec<Reading>> + Send {
        self.metrics.measure(request)
    }
}

impl<W: Sync, R: Sync, M: Sync, S: RolloutStore, Q: Sync, A: Sync> RolloutStore for Ports<W, R, M, S, Q, A> {
    fn load(&self, id: &RolloutId) -> impl Future<Output = Result<Option<Stored>, Fault>> + Send {
        self.store.load(id)
    }

    fn by_services(
        &self,
        services: &[&ServiceArn],
    ) -> impl Future<Output = Result<BTreeMap<ServiceArn, RolloutId>, Fault>> + Send {
        self.store.by_services(services)
    }

    fn by_alarm(&self, alarm: &AlarmArn) -> impl Future<Output = Result<Vec<RolloutId>, Fault>> + Send {
        self.store.by_alarm(alarm)
    }

    fn promotions(
        &self,
        service: &ServiceArn,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Promotion>, Fault>> + Send {
        self.store.promotions(service, limit)
    }

    fn unfinished(&self) -> impl Future<Output = Result<Vec<Unfinished>, Fault>> + Send {
        self.store.unfinished()
    }

    fn begin(&self, commit: Commit<'_>) -> impl Future<Output = Result<(), CommitRefused>> + Send {
        self.store.begin(commit)
    }

    fn commit(&self, commit: Commit<'_>) -> impl Future<Output = Result<String, CommitRefused>> + Send {
        self.store.commit(commit)
    }

    fn record(&self, key: &str, answer: &Answer) -> impl Future<Output = Result<(), Fault>> + Send {
        self.store.record(key, answer)
    }

    fn answer(&self, key: &str) -> impl Future<Output = Result<Option<Answer>, Fault>> + Send {
        self.store.answer(key)
    }

    fn journal(
        &self,
        id: &RolloutId,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, Fault>> + Send {
        self.store.journal(id, from, limit)
    }

    fn list(&self, finished: bool, limit: u32) -> impl Future<Output = Result<Vec<Listed>, Fault>> + Send {
        self.store.list(finished, limit)
    }
}

impl<W: Sync, R: Sync, M: Sync, S: Sync, Q: WakeUps, A: Sync> WakeUps for Ports<W, R, M, S, Q, A> {
    fn send(
        &self,
        queue: Queue,
        message: &Message,
        delay: SignedDuration,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        self.queues.send(queue, message, delay)
    }
}

impl<W: Sync, R: Sync, M: Sync, S: Sync, Q: Sync, A: Announcer> Announcer for Ports<W, R, M, S, Q, A> {
    fn announce(&self, announcements: &[Announcement]) -> impl Future<Output = Result<(), Fault>> + Send {
        self.announcer.announce(announcements)
    }
}

impl<W: Sync, R: Sync, M: Sync, S: Sync, Q: Sync, A: Sync> Clock for Ports<W, R, M, S, Q, A> {
    fn now(&self) -> Now {
        self.clock.now()
    }
}
