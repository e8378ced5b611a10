//! What is measured: values by minute with the instant from which they can be read.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Metric, MetricDatum};
use crate::world::World;
use crate::world::elb::Health;
use crate::world::errors::{ApiError, ApiFamily, ApiResult};
use crate::world::ids::metric_dimension;
use crate::world::time::Due;
use crate::world::traffic::MinuteCounts;

/// Values of one metric in one period, mergeable; enough for every statistic.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::world) struct Values {
    /// By an order-preserving key: the value and how often it was seen.
    seen: BTreeMap<i64, (f64, f64)>,
    pub(super) count: f64,
    pub(super) sum: f64,
}

/// Values are kept apart when they differ by more than this share.
const RESOLUTION: f64 = 0.01;

impl Values {
    /// Adds a positive measurement, kept to about one per cent.
    pub(in crate::world) fn add(&mut self, value: f64, times: u64) {
        let step = (1.0 + RESOLUTION).ln();
        let kept = if value > 0.0 { ((value.ln() / step).round() * step).exp() } else { 0.0 };
        self.add_exactly(kept, times as f64);
    }

    pub(super) fn add_exactly(&mut self, value: f64, times: f64) {
        if times > 0.0 {
            let bits = value.to_bits().cast_signed();
            let key = bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed();
            self.seen.entry(key).or_insert((value, 0.0)).1 += times;
            self.count += times;
            self.sum += value * times;
        }
    }

    pub(super) fn merge(&mut self, other: &Values) {
        for (value, times) in other.seen.values() {
            self.add_exactly(*value, *times);
        }
    }

    /// Returns each distinct value and how often it was seen, smallest first.
    pub(super) fn sorted(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> {
        self.seen.values().copied()
    }
}

/// What one node of a load balancer publishes of one minute.
#[derive(Debug)]
struct NodeMinute {
    zone: String,
    load_balancer: String,
    target_group: Option<String>,
    visible_at: Timestamp,
    metrics: BTreeMap<&'static str, Values>,
}

#[derive(Debug, Default)]
pub(in crate::world) struct MetricStore {
    /// By the minute's start in epoch seconds.
    load_balancers: BTreeMap<i64, Vec<NodeMinute>>,
    custom: BTreeMap<CustomKey, BTreeMap<i64, Vec<(Timestamp, Values)>>>,
    pub(super) partial_answers: u32,
}

/// Namespace, name, sorted dimensions.
type CustomKey = (String, String, Vec<(String, String)>);

pub(super) const LOAD_BALANCER_NAMESPACE: &str = "AWS/ApplicationELB";

impl MetricStore {
    /// Returns a metric's values by second, as far as they can be read at `now`, from `start` on and before `end`.
    pub(super) fn read(&self, metric: &Metric, start: i64, end: i64, now: Timestamp) -> BTreeMap<i64, Values> {
        let mut found: BTreeMap<i64, Values> = BTreeMap::new();
        if start >= end {
            return found;
        }
        if metric.namespace == LOAD_BALANCER_NAMESPACE {
            let Some(scope) = Scope::of(metric) else {
                return found;
            };
            for (minute, parts) in self.load_balancers.range(start..end) {
                let readable = parts.iter().filter(|p| p.visible_at <= now && scope.covers(p));
                for values in readable.filter_map(|p| p.metrics.get(metric.metric_name.as_str())) {
                    found.entry(*minute).or_default().merge(values);
                }
            }
        } else if let Some(points) = self.custom.get(&custom_key(metric)) {
            for (second, parts) in points.range(start..end) {
                for (_, values) in parts.iter().filter(|(visible_at, _)| *visible_at <= now) {
                    found.entry(*second).or_default().merge(values);
                }
            }
        }
        found
    }
}

fn custom_key(metric: &Metric) -> CustomKey {
    let mut dimensions: Vec<_> = metric.dimensions.iter().map(|d| (d.name.clone(), d.value.clone())).collect();
    dimensions.sort();
    (metric.namespace.clone(), metric.metric_name.clone(), dimensions)
}

/// Which node minutes a set of dimensions means. AWS has no metric under any other set.
struct Scope<'a> {
    load_balancer: &'a str,
    target_group: Option<&'a str>,
    zone: Option<&'a str>,
}

impl Scope<'_> {
    fn of(metric: &Metric) -> Option<Scope<'_>> {
        let value = |name: &str| metric.dimensions.iter().find(|d| d.name == name).map(|d| d.value.as_str());
        let scope = Scope {
            load_balancer: value("LoadBalancer")?,
            target_group: value("TargetGroup"),
            zone: value("AvailabilityZone"),
        };
        let named = 1 + usize::from(scope.target_group.is_some()) + usize::from(scope.zone.is_some());
        let of_group =
            matches!(metric.metric_name.as_str(), "HealthyHostCount" | "UnHealthyHostCount" | "RequestCountPerTarget");
        (named == metric.dimensions.len() && !(of_group && scope.target_group.is_none())).then_some(scope)
    }

    fn covers(&self, part: &NodeMinute) -> bool {
        part.load_balancer == self.load_balancer
            && self.target_group.is_none_or(|group| part.target_group.as_deref() == Some(group))
            && self.zone.is_none_or(|zone| part.zone == zone)
    }
}

impl World {
    pub(in crate::world) fn plan_minute_end(&mut self) {
        let next = (self.now.as_second().div_euclid(60) + 1) * 60;
        if let Ok(at) = Timestamp::from_second(next) {
            self.queue.plan(at, Due::MinuteEnds);
        }
    }

    /// Closes the minute that ends now: each node publishes its part some time later.
    pub(in crate::world) fn minute_ends(&mut self) {
        let minute = self.now.as_second() - 60;
        let counted = std::mem::take(&mut self.traffic.minute);
        let mut parts = BTreeMap::new();
        for ((node, load_balancer, group), counts) in counted {
            self.add_counts(&mut parts, node, &load_balancer, group.as_deref(), &counts);
        }
        self.add_host_counts(&mut parts);
        let (from, to) = self.config.metric_delay;
        let delays: Vec<_> = self.config.account.zones.iter().map(|_| self.chance.metrics.between(from, to)).collect();
        let published = parts.into_iter().map(|((node, load_balancer, target_group), metrics)| NodeMinute {
            zone: self.config.account.zones[node].clone(),
            load_balancer,
            target_group,
            visible_at: self.now + delays[node],
            metrics,
        });
        let published: Vec<NodeMinute> = published.collect();
        if !published.is_empty() {
            self.metrics.load_balancers.insert(minute, published);
        }
        self.plan_minute_end();
    }

    /// What is zero is not there: the load balancer publishes only what happened.
    fn add_counts(
        &self,
        parts: &mut Parts,
        node: usize,
        load_balancer: &str,
        group: Option<&str>,
        counts: &MinuteCounts,
    ) {
        let load_balancer = metric_dimension(load_balancer).to_owned();
        let outcomes = &counts.outcomes;
        if let Some(group) = group {
            let healthy = self.healthy_hosts(group).max(1);
            let key = (node, load_balancer.clone(), Some(metric_dimension(group).to_owned()));
            let metrics = parts.entry(key).or_default();
            let mut count = |name: &'static str, times: u64| {
                if times > 0 {
                    metrics.entry(name).or_default().add_exactly(1.0, times as f64);
                }
            };
            count("RequestCount", outcomes.requests);
            count("HTTPCode_Target_2XX_Count", outcomes.answered_2xx);
            count("HTTPCode_Target_5XX_Count", outcomes.answered_5xx);
            count("TargetConnectionErrorCount", outcomes.load_balancer_502);
            if outcomes.requests > 0 {
                let per_target = outcomes.requests as f64 / healthy as f64;
                metrics.entry("RequestCountPerTarget").or_default().add_exactly(per_target, 1.0);
            }
            if counts.latency.count > 0.0 {
                metrics.insert("TargetResponseTime", counts.latency.clone());
            }
        }
        let made = [
            ("HTTPCode_ELB_502_Count", outcomes.load_balancer_502),
            ("HTTPCode_ELB_503_Count", outcomes.load_balancer_503),
            ("HTTPCode_ELB_5XX_Count", outcomes.load_balancer_502 + outcomes.load_balancer_503),
        ];
        for (name, times) in made.into_iter().filter(|(_, times)| *times > 0) {
            let metrics = parts.entry((node, load_balancer.clone(), None)).or_default();
            metrics.entry(name).or_default().add_exactly(1.0, times as f64);
        }
    }

    /// Host counts are there while a group in use has registered targets.
    fn add_host_counts(&self, parts: &mut Parts) {
        for (group, state) in &self.target_groups {
            let checked = state.targets.values().filter(|t| !matches!(t.health, Health::Draining | Health::Unused));
            let checked = checked.count();
            if checked == 0 {
                continue;
            }
            let healthy = self.healthy_hosts(group);
            for load_balancer in self.load_balancers_of_group(group) {
                for node in 0..self.config.account.zones.len() {
                    let balancer = metric_dimension(&load_balancer).to_owned();
                    let key = (node, balancer, Some(metric_dimension(group).to_owned()));
                    let metrics = parts.entry(key).or_default();
                    metrics.entry("HealthyHostCount").or_default().add_exactly(healthy as f64, 1.0);
                    let unhealthy = checked.saturating_sub(healthy) as f64;
                    metrics.entry("UnHealthyHostCount").or_default().add_exactly(unhealthy, 1.0);
                }
            }
        }
    }

    fn healthy_hosts(&self, group: &str) -> usize {
        let targets = self.target_groups.get(group).map(|g| g.targets.values());
        targets.map_or(0, |targets| targets.filter(|t| t.health == Health::Healthy).count())
    }

    /// Takes custom points; they can be read a little later.
    pub fn put_metric_data(&mut self, namespace: &str, data: &[MetricDatum]) -> ApiResult<()> {
        self.call(ApiFamily::CloudWatch, "PutMetricData")?;
        if namespace.starts_with("AWS/") {
            let message = "The value AWS/ for parameter Namespace is invalid.";
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        for datum in data {
            let mut values = Values::default();
            if let Some(value) = datum.value {
                values.add_exactly(value, 1.0);
            }
            for (index, value) in datum.values.iter().enumerate() {
                values.add_exactly(*value, datum.counts.get(index).copied().unwrap_or(1.0));
            }
            let metric = Metric {
                namespace: namespace.to_owned(),
                metric_name: datum.metric_name.clone(),
                dimensions: datum.dimensions.clone(),
            };
            let minute = datum.timestamp.unwrap_or(self.now).as_second().div_euclid(60) * 60;
            let visible_at = self.now + self.config.custom_metric_delay;
            let points = self.metrics.custom.entry(custom_key(&metric)).or_default();
            points.entry(minute).or_default().push((visible_at, values));
        }
        Ok(())
    }

    /// Answers the next `count` GetMetricData calls with StatusCode PartialData and only the older half of the points.
    pub fn partial_metric_data_next(&mut self, count: u32) {
        self.metrics.partial_answers = count;
    }
}

/// Node, load balancer, target group: and what it publishes.
type Parts = BTreeMap<(usize, String, Option<String>), BTreeMap<&'static str, Values>>;
