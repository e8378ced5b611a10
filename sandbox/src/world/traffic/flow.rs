//! The flow itself: a slice of requests through routing to targets, what they answer, and what is in flight when a target goes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::routing::Way;
use super::{Outcomes, SourceState, TrafficShape, TrafficSource};
use crate::world::World;
use crate::world::ecs::Behaviour;
use crate::world::health::key;
use crate::world::tasks::App;

/// Response times drawn per slice and kind of target; each stands for its share of the requests.
const LATENCIES_PER_SLICE: u64 = 8;

/// Targets of a group that behave alike.
struct Alike {
    /// The task definition; absent for a target that no task owns.
    revision: Option<String>,
    behaviour: Behaviour,
    app: App,
    targets: u64,
}

impl World {
    /// Lets traffic flow up to an instant at which something changes.
    pub(in crate::world) fn flow_until(&mut self, until: Timestamp) {
        self.flow_whole_slices(until);
        if self.traffic.flowed_until < until {
            self.flow_segment(until);
        }
    }

    /// Lets traffic flow in whole slices only: what is left over waits, so that where calls cut time changes nothing.
    pub(in crate::world) fn flow_whole_slices(&mut self, until: Timestamp) {
        let slice = self.config.traffic_slice.as_millis().max(1) as i64;
        loop {
            let next = (self.traffic.flowed_until.as_millisecond().div_euclid(slice) + 1) * slice;
            match Timestamp::from_millisecond(next) {
                Ok(next) if next <= until => self.flow_segment(next),
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// A slice is cut where a group is barred: before that instant its requests are nobody's fault.
    fn flow_segment(&mut self, until: Timestamp) {
        while let Some(at) = self.barred_next().filter(|at| *at < until) {
            self.flow_slice(at);
        }
        self.flow_slice(until);
    }

    fn barred_next(&self) -> Option<Timestamp> {
        self.traffic.barred_from.values().copied().filter(|at| *at > self.traffic.flowed_until).min()
    }

    fn flow_slice(&mut self, until: Timestamp) {
        let seconds = until.duration_since(self.traffic.flowed_until).as_secs_f64();
        let from = self.traffic.flowed_until;
        self.traffic.flowed_until = until;
        let mut sources = std::mem::take(&mut self.traffic.sources);
        for state in &mut sources {
            let count = self.arrivals(state, seconds);
            self.spread_over_nodes(&state.source, count, from);
        }
        self.traffic.sources = sources;
    }

    fn arrivals(&mut self, state: &mut SourceState, seconds: f64) -> u64 {
        let mean = state.source.requests_per_second * seconds;
        match state.source.shape {
            TrafficShape::Poisson => self.chance.traffic.poisson(mean),
            TrafficShape::Even => {
                let whole = (mean + state.carried).floor();
                state.carried += mean - whole;
                whole as u64
            }
        }
    }

    fn spread_over_nodes(&mut self, source: &TrafficSource, count: u64, from: Timestamp) {
        let Some(listener) = self.listeners.get(&source.listener_arn) else {
            return;
        };
        let load_balancer = listener.load_balancer_arn.clone();
        let nodes = self.config.account.zones.len();
        let mut left = count;
        for node in 0..nodes {
            let share = 1.0 / (nodes - node) as f64;
            let here = self.chance.traffic.binomial(left, share);
            left -= here;
            if here == 0 {
                continue;
            }
            match self.way(source, node) {
                Way::Forward(shares) => self.spread_over_groups(&load_balancer, node, &shares, here, from),
                Way::NoWeight => {
                    self.traffic.user_errors.no_weight_503 += here;
                    self.refused_503(&load_balancer, node, None, here);
                }
                Way::ByConfiguration => {}
            }
        }
    }

    fn spread_over_groups(
        &mut self,
        load_balancer: &str,
        node: usize,
        shares: &[(String, f64)],
        count: u64,
        from: Timestamp,
    ) {
        let (mut left, mut rest) = (count, 1.0);
        for (group, share) in shares {
            let here = self.chance.traffic.binomial(left, (share / rest).min(1.0));
            left -= here;
            rest -= share;
            if here == 0 {
                continue;
            }
            if self.traffic.barred_from.get(group).is_some_and(|barred| from >= *barred) {
                self.traffic.user_errors.canary_after_abort += here;
            }
            self.enter_group(load_balancer, node, group, here);
        }
    }

    fn enter_group(&mut self, load_balancer: &str, node: usize, group: &str, count: u64) {
        let kinds = self.kinds_of_targets(group);
        let mut targets_left: u64 = kinds.iter().map(|k| k.targets).sum();
        if targets_left == 0 {
            self.traffic.user_errors.empty_group_503 += count;
            self.refused_503(load_balancer, node, Some(group), count);
            return;
        }
        let mut left = count;
        for kind in kinds {
            let here = self.chance.traffic.binomial(left, kind.targets as f64 / targets_left as f64);
            left -= here;
            targets_left -= kind.targets;
            self.answered(load_balancer, node, group, &kind, here);
        }
    }

    fn kinds_of_targets(&self, group: &str) -> Vec<Alike> {
        let mut kinds: BTreeMap<(Option<String>, u8), Alike> = BTreeMap::new();
        for target in self.eligible(group) {
            let task = self.task_at(&target.target.id);
            let revision = task.map(|t| t.view.task_definition_arn.clone());
            let app = task.map_or(App::Stopped, |t| t.app);
            let alike = kinds.entry((revision.clone(), app as u8)).or_insert_with(|| Alike {
                behaviour: task.map(|t| self.behaviour_of(&t.view.task_arn)).unwrap_or_default(),
                revision,
                app,
                targets: 0,
            });
            alike.targets += 1;
        }
        kinds.into_values().collect()
    }

    fn answered(&mut self, load_balancer: &str, node: usize, group: &str, kind: &Alike, count: u64) {
        if count == 0 {
            return;
        }
        let mut outcomes = Outcomes { requests: count, ..Outcomes::default() };
        match kind.app {
            App::Answers => {
                outcomes.answered_5xx = self.chance.traffic.binomial(count, kind.behaviour.error_share);
                outcomes.answered_2xx = count - outcomes.answered_5xx;
            }
            App::Starting | App::Stopped => {
                outcomes.load_balancer_502 = count;
                self.traffic.user_errors.target_gone_502 += count;
            }
            App::Crashed => {
                outcomes.load_balancer_502 = count;
                self.traffic.user_errors.revision_crashed += count;
            }
        }
        if let Some(revision) = &kind.revision {
            self.traffic.by_revision.entry(revision.clone()).or_default().add(&outcomes);
        }
        self.traffic.by_group.entry(group.to_owned()).or_default().add(&outcomes);
        let key = (node, load_balancer.to_owned(), Some(group.to_owned()));
        let minute = self.traffic.minute.entry(key).or_default();
        minute.outcomes.add(&outcomes);
        if kind.app == App::Answers {
            let samples = count.min(LATENCIES_PER_SLICE);
            for sample in 0..samples {
                let stands_for = count / samples + u64::from(sample < count % samples);
                let median = kind.behaviour.latency.as_secs_f64();
                let drawn = self.chance.traffic.log_normal(median, kind.behaviour.latency_sigma);
                minute.latency.add(drawn, stands_for);
            }
        }
    }

    fn refused_503(&mut self, load_balancer: &str, node: usize, group: Option<&str>, count: u64) {
        if let Some(group) = group {
            self.traffic.by_group.entry(group.to_owned()).or_default().load_balancer_503 += count;
        }
        let minute = self.traffic.minute.entry((node, load_balancer.to_owned(), None)).or_default();
        minute.outcomes.load_balancer_503 += count;
    }

    /// Draws how long each request in flight on a target still takes, in seconds.
    pub(in crate::world) fn draw_in_flight(&mut self, group: &str, address: &str, port: u16) -> Vec<f64> {
        let known = self.target_groups.get(group).and_then(|g| g.targets.get(&key(address, port)));
        let is_eligible = known.is_some_and(|known| self.eligible(group).iter().any(|t| t.target == known.target));
        let Some(task) = self.task_at(address).filter(|t| is_eligible && t.app == App::Answers) else {
            return Vec::new();
        };
        let behaviour = self.behaviour_of(&task.view.task_arn);
        let mean_latency = behaviour.latency.as_secs_f64() * (behaviour.latency_sigma.powi(2) / 2.0).exp();
        let mean = self.rate_of_target(group) * mean_latency;
        let chance = &mut self.chance.traffic;
        let count = chance.poisson(mean);
        // A request met in flight is one of the longer ones, and on average half done: the length-biased
        // log-normal has its median moved by sigma squared.
        let median = behaviour.latency.as_secs_f64() * behaviour.latency_sigma.powi(2).exp();
        (0..count).map(|_| chance.log_normal(median, behaviour.latency_sigma) * chance.unit()).collect()
    }

    /// A task's container ends: what is in flight on targets that were not drained is cut.
    pub(in crate::world) fn cut_in_flight(&mut self, task: &str, app: App) {
        self.flow_until(self.now);
        let Some(state) = self.tasks.get(task) else {
            return;
        };
        let address = state.address.clone();
        let on_address: Vec<(String, u16)> = self
            .target_groups
            .iter()
            .flat_map(|(arn, group)| group.targets.values().map(move |t| (arn, t)))
            .filter(|(_, t)| t.target.id == address)
            .map(|(arn, t)| (arn.clone(), t.target.port.unwrap_or(0)))
            .collect();
        for (group, port) in on_address {
            let cut = self.draw_in_flight(&group, &address, port).len() as u64;
            match app {
                App::Crashed => self.traffic.user_errors.revision_crashed += cut,
                App::Starting | App::Answers | App::Stopped => self.traffic.user_errors.cut_by_stop += cut,
            }
            self.traffic.by_group.entry(group).or_default().load_balancer_502 += cut;
        }
    }

    /// Counts requests cut at the end of a drain.
    pub(in crate::world) fn count_cut(&mut self, group: &str, cut: u64) {
        self.traffic.user_errors.cut_by_stop += cut;
        if cut > 0 {
            self.traffic.by_group.entry(group.to_owned()).or_default().load_balancer_502 += cut;
        }
    }

    /// Returns the longest time a write may take until every node follows it.
    pub fn propagation_bound(&self) -> Duration {
        self.config.propagation_cap
    }
}
