//! What the driver needs of the world. The AWS adapters implement these, and so does the sandbox's World.

use std::collections::BTreeMap;
use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

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
use crate::rollout::{Promotion, Rollout};

/// Where revisions run.
pub trait Workload: Sync {
    /// Reads services of one cluster by name, in the order asked; `None` where there is no such service.
    fn services(
        &self,
        cluster: &str,
        names: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<ServiceSeen>>, Fault>> + Send;

    /// Reads what a second service like this one has to say; `None` where there is no such service. For `init` alone.
    fn blueprint(&self, cluster: &str, service: &str) -> impl Future<Output = Result<Option<Blueprint>, Fault>> + Send;

    /// Reads a task definition by `family:revision`, `family` or ARN.
    fn revision(&self, name: &str) -> impl Future<Output = Result<Option<RevisionSeen>, Fault>> + Send;

    /// Reads which of these services have a scalable target for their desired count.
    fn scaling(
        &self,
        services: &[&ServiceArn],
    ) -> impl Future<Output = Result<BTreeMap<ServiceArn, Scaling>, Fault>> + Send;

    /// Gives a service a revision and a desired count, in one call, tried once.
    fn deploy(
        &self,
        service: &ServiceArn,
        revision: &TaskDefinitionArn,
        tasks: u32,
    ) -> impl Future<Output = Outcome> + Send;

    /// Gives a service a desired count and nothing else, tried once.
    fn scale(&self, service: &ServiceArn, tasks: u32) -> impl Future<Output = Outcome> + Send;
}

/// Who moves traffic.
pub trait TrafficRouter: Sync {
    /// Reads target groups: load balancer, targets, deregistration delay.
    fn groups(
        &self,
        groups: &[&TargetGroupArn],
    ) -> impl Future<Output = Result<BTreeMap<TargetGroupArn, GroupSeen>, Fault>> + Send;

    /// Finds every rule and default action, on any listener of the groups' load balancers, that names one of them.
    fn rules_naming(&self, groups: &[&TargetGroupArn]) -> impl Future<Output = Result<Vec<RuleSeen>, Fault>> + Send;

    /// Reads these rules, in the order asked; one that is gone is a permanent fault.
    fn rules(&self, rules: &[RuleRef]) -> impl Future<Output = Result<Vec<RuleSeen>, Fault>> + Send;

    /// Reads what stands where header routes are planned, in the order asked.
    fn routes(&self, routes: &[RouteAt]) -> impl Future<Output = Result<Vec<RouteSeen>, Fault>> + Send;

    /// Makes the rule of a header route, with the conditions of the managed rule beside it and its own headers, and
    /// marks it with the rollout; tried once.
    fn create_route(
        &self,
        at: &RouteAt,
        actions: &[Action],
        rollout: &RolloutId,
    ) -> impl Future<Output = Outcome> + Send;

    /// Deletes a rule, tried once.
    fn delete_route(&self, rule: &RuleRef) -> impl Future<Output = Outcome> + Send;

    /// Reads the targets of one group.
    fn health(&self, group: &TargetGroupArn) -> impl Future<Output = Result<Health, Fault>> + Send;

    /// Replaces a rule's whole action list, tried once.
    fn write(&self, rule: &RuleRef, actions: &[Action]) -> impl Future<Output = Outcome> + Send;
}

/// Where numbers come from.
pub trait MetricProvider: Sync {
    /// Reads alarms by name; one that does not exist is not in the answer.
    fn alarms(
        &self,
        names: &[&str],
    ) -> impl Future<Output = Result<BTreeMap<String, (AlarmArn, AlarmState)>, Fault>> + Send;

    /// Reads metrics: one reading per query, in order. What cannot be read is an error in its reading.
    fn measure(&self, request: &MeasureRequest) -> impl Future<Output = Vec<Reading>> + Send;
}

/// A rollout as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The record.
    pub rollout: Rollout,
    /// Grows by one with every commit; a commit names the one that it replaces.
    pub version: u64,
    /// Hash of the newest audit entry.
    pub head: String,
}

/// A change to be made durable: state and journal in one transaction.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// The record after the step.
    pub rollout: &'a Rollout,
    /// The journal's entry; its `sequence` is the new version, its `previous` the stored head.
    pub entry: &'a AuditEntry,
    /// The operator's command that this commit carries out, with the answer to give when it comes again.
    pub inbox: Option<(&'a str, &'a Answer)>,
    /// Whether the rollout ends with it, and gives its services and alarms back.
    pub ends: bool,
}

/// Why a commit did not happen. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitRefused {
    /// Another version stands: load and step again.
    #[error("another version stands")]
    Stale,
    /// Another rollout of this service is active.
    #[error("{service} already has the active rollout {active}")]
    Busy {
        /// The service.
        service: ServiceArn,
        /// Its active rollout.
        active: RolloutId,
    },
    /// The command has been carried out already.
    #[error("the command has been carried out already")]
    Repeated,
    /// The store did not answer, or answered with an error.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What the sweep needs to know of a rollout that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Which.
    pub rollout: RolloutId,
    /// When its delayed message arrives, if one is under way.
    pub armed_until: Option<Timestamp>,
}

/// The one durable memory. Every read that decides something is strongly consistent.
pub trait RolloutStore: Sync {
    /// Loads a rollout.
    fn load(&self, id: &RolloutId) -> impl Future<Output = Result<Option<Stored>, Fault>> + Send;

    /// Finds the active rollouts of services, in one batch read.
    fn by_services(
        &self,
        services: &[&ServiceArn],
    ) -> impl Future<Output = Result<BTreeMap<ServiceArn, RolloutId>, Fault>> + Send;

    /// Finds the unfinished rollouts that watch an alarm.
    fn by_alarm(&self, alarm: &AlarmArn) -> impl Future<Output = Result<Vec<RolloutId>, Fault>> + Send;

    /// Finds the last promotions of a service, newest first.
    fn promotions(
        &self,
        service: &ServiceArn,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Promotion>, Fault>> + Send;

    /// Finds every unfinished rollout, in one query (an index: a second or so behind).
    fn unfinished(&self) -> impl Future<Output = Result<Vec<Unfinished>, Fault>> + Send;

    /// Stores a new rollout: record, first entry, one active rollout per service, its alarms; all or nothing.
    /// The entry's `previous` is filled in here from the service's last chain.
    fn begin(&self, commit: Commit<'_>) -> impl Future<Output = Result<(), CommitRefused>> + Send;

    /// Stores the next version, and returns the journal's new head, which the next commit names. A finished rollout
    /// frees its services and alarms in the same transaction.
    fn commit(&self, commit: Commit<'_>) -> impl Future<Output = Result<String, CommitRefused>> + Send;

    /// Records the answer to a command that changed no rollout (a refusal). Keeps an answer that is there.
    fn record(&self, key: &str, answer: &Answer) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Reads the answer to a command.
    fn answer(&self, key: &str) -> impl Future<Output = Result<Option<Answer>, Fault>> + Send;

    /// Reads a rollout's journal from `from` on, at most `limit` entries, oldest first.
    fn journal(
        &self,
        id: &RolloutId,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, Fault>> + Send;

    /// Lists rollouts, newest first: the unfinished ones, or the finished ones.
    fn list(&self, finished: bool, limit: u32) -> impl Future<Output = Result<Vec<Listed>, Fault>> + Send;
}

/// A queue of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Commands, aborts, and effects handed on.
    Commands,
    /// Delayed messages and ticks.
    WakeUps,
    /// Questions to CloudWatch.
    Analysis,
}

/// Who wakes us up.
pub trait WakeUps: Sync {
    /// Sends a message, delayed by at most 900 s of domain time.
    fn send(
        &self,
        queue: Queue,
        message: &Message,
        delay: SignedDuration,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Who is told.
pub trait Announcer: Sync {
    /// Puts announcements on the bus. A failing bus never changes a rollout.
    fn announce(&self, announcements: &[Announcement]) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// The only clock.
pub trait Clock: Sync {
    /// Returns the time.
    fn now(&self) -> Now;
}
