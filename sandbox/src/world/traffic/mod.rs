//! User traffic: drawn in slices, routed as each node of the load balancer routes at that instant, and billed.

mod flow;
mod routing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::World;
use super::cloudwatch::Values;

/// A steady stream of users of one listener.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficSource {
    pub listener_arn: String,
    pub host: String,
    pub path: String,
    /// Names and values of the headers that conditions may look at.
    pub headers: Vec<(String, String)>,
    pub requests_per_second: f64,
    pub shape: TrafficShape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficShape {
    /// The same number in each slice.
    Even,
    /// Independent arrivals.
    Poisson,
}

/// Failed requests that users would not have seen without the controller, by cause. All must stay 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct UserErrors {
    /// 503: the chosen group had no target to send to.
    pub empty_group_503: u64,
    /// 503: every group of the forward had weight 0.
    pub no_weight_503: u64,
    /// 502: the chosen target did not answer (not yet, or no more).
    pub target_gone_502: u64,
    /// In flight on a task at the instant it was stopped.
    pub cut_by_stop: u64,
    /// Routed to the canary after its abort was durable and the propagation bound had passed.
    pub canary_after_abort: u64,
    /// 502 or cut because a revision's own container exited. The revision's fault: not in [`UserErrors::total`].
    pub revision_crashed: u64,
}

impl UserErrors {
    /// Returns what came after an earlier account.
    #[must_use]
    pub fn since(&self, earlier: &UserErrors) -> UserErrors {
        UserErrors {
            empty_group_503: self.empty_group_503 - earlier.empty_group_503,
            no_weight_503: self.no_weight_503 - earlier.no_weight_503,
            target_gone_502: self.target_gone_502 - earlier.target_gone_502,
            cut_by_stop: self.cut_by_stop - earlier.cut_by_stop,
            canary_after_abort: self.canary_after_abort - earlier.canary_after_abort,
            revision_crashed: self.revision_crashed - earlier.revision_crashed,
        }
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &UserErrors) {
        self.empty_group_503 += other.empty_group_503;
        self.no_weight_503 += other.no_weight_503;
        self.target_gone_502 += other.target_gone_502;
        self.cut_by_stop += other.cut_by_stop;
        self.canary_after_abort += other.canary_after_abort;
        self.revision_crashed += other.revision_crashed;
    }

    /// Returns *user errors caused by the controller*.
    pub fn total(&self) -> u64 {
        self.empty_group_503 + self.no_weight_503 + self.target_gone_502 + self.cut_by_stop + self.canary_after_abort
    }
}

/// Requests by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Outcomes {
    /// Requests for which a target was chosen.
    pub requests: u64,
    pub answered_2xx: u64,
    pub answered_5xx: u64,
    /// 502 made by the load balancer.
    pub load_balancer_502: u64,
    /// 503 made by the load balancer: no target could be chosen, so not in `requests`.
    pub load_balancer_503: u64,
}

impl Outcomes {
    fn add(&mut self, other: &Outcomes) {
        self.requests += other.requests;
        self.answered_2xx += other.answered_2xx;
        self.answered_5xx += other.answered_5xx;
        self.load_balancer_502 += other.load_balancer_502;
        self.load_balancer_503 += other.load_balancer_503;
    }
}

/// What one node saw of one group (or, for `None`, of none) in the current minute.
#[derive(Debug, Default)]
pub(super) struct MinuteCounts {
    pub(super) outcomes: Outcomes,
    pub(super) latency: Values,
}

/// A node's number, the load balancer's ARN, the target group's ARN.
pub(super) type MinuteKey = (usize, String, Option<String>);

pub(super) struct Traffic {
    sources: Vec<SourceState>,
    flowed_until: Timestamp,
    pub(super) by_revision: BTreeMap<String, Outcomes>,
    pub(super) by_group: BTreeMap<String, Outcomes>,
    pub(super) minute: BTreeMap<MinuteKey, MinuteCounts>,
    pub(super) user_errors: UserErrors,
    /// By target group: from when on no request may reach it.
    barred_from: BTreeMap<String, Timestamp>,
}

struct SourceState {
    source: TrafficSource,
    /// The fraction of a request left over from the last even slice.
    carried: f64,
}

impl Traffic {
    pub(super) fn starting(start: Timestamp) -> Traffic {
        Traffic {
            sources: Vec::new(),
            flowed_until: start,
            by_revision: BTreeMap::new(),
            by_group: BTreeMap::new(),
            minute: BTreeMap::new(),
            user_errors: UserErrors::default(),
            barred_from: BTreeMap::new(),
        }
    }
}

impl World {
    /// Adds users; answers the source's number for [`World::set_traffic`].
    pub fn add_traffic(&mut self, source: TrafficSource) -> usize {
        self.flow_until(self.now);
        self.traffic.sources.push(SourceState { source, carried: 0.0 });
        self.traffic.sources.len() - 1
    }

    /// Changes how many users a source has.
    pub fn set_traffic(&mut self, source: usize, requests_per_second: f64) {
        self.flow_until(self.now);
        if let Some(state) = self.traffic.sources.get_mut(source) {
            state.source.requests_per_second = requests_per_second;
        }
    }

    /// The harness says that an abort of the canary behind this group became durable at `at`: once the
    /// propagation bound has passed, each request that reaches the group is a user error. Said again, it changes
    /// nothing.
    pub fn abort_durable(&mut self, target_group_arn: &str, at: Timestamp) {
        if self.traffic.barred_from.contains_key(target_group_arn) {
            return;
        }
        self.flow_until(self.now);
        let from = at + self.config.propagation_cap;
        self.traffic.barred_from.insert(target_group_arn.to_owned(), from);
    }

    /// The harness says that the group may take traffic again: another rollout begins.
    pub fn abort_over(&mut self, target_group_arn: &str) {
        if self.traffic.barred_from.contains_key(target_group_arn) {
            self.flow_until(self.now);
            self.traffic.barred_from.remove(target_group_arn);
        }
    }

    /// Returns *user errors caused by the controller* so far, by cause.
    pub fn user_errors(&self) -> UserErrors {
        self.traffic.user_errors
    }

    /// Returns requests by revision (task definition ARN) so far.
    pub fn requests_by_revision(&self) -> &BTreeMap<String, Outcomes> {
        &self.traffic.by_revision
    }

    /// Returns requests by target group ARN so far.
    pub fn requests_by_group(&self) -> &BTreeMap<String, Outcomes> {
        &self.traffic.by_group
    }
}
