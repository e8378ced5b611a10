//! What makes a call fail or lie: API buckets, injected refusals, stale reads.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::World;
use super::ecs::Service;
use super::elb::{Rule, TargetHealthDescription};
use super::errors::{ApiError, ApiFamily, ApiResult};

/// A bucket of API calls: its name, the actions that share it, burst, refill per second.
struct Bucket {
    name: &'static str,
    family: ApiFamily,
    actions: &'static [&'static str],
    burst: f64,
    refill: f64,
}

/// AWS's published buckets per account and region; what is not listed is not throttled.
const BUCKETS: &[Bucket] = &[
    Bucket {
        name: "ecs-service-modify",
        family: ApiFamily::Ecs,
        actions: &["CreateService", "UpdateService", "DeleteService"],
        burst: 50.0,
        refill: 5.0,
    },
    Bucket {
        name: "ecs-service-read",
        family: ApiFamily::Ecs,
        actions: &["DescribeServices", "ListServices"],
        burst: 100.0,
        refill: 20.0,
    },
    Bucket {
        name: "ecs-task-definition-modify",
        family: ApiFamily::Ecs,
        actions: &["RegisterTaskDefinition", "DeregisterTaskDefinition"],
        burst: 20.0,
        refill: 1.0,
    },
    Bucket {
        name: "ecs-task-definition-read",
        family: ApiFamily::Ecs,
        actions: &["DescribeTaskDefinition"],
        burst: 50.0,
        refill: 20.0,
    },
    Bucket { name: "ecs-task-modify", family: ApiFamily::Ecs, actions: &["StopTask"], burst: 100.0, refill: 40.0 },
    Bucket {
        name: "ecs-task-read",
        family: ApiFamily::Ecs,
        actions: &["DescribeTasks", "ListTasks"],
        burst: 100.0,
        refill: 20.0,
    },
    Bucket {
        name: "elb-targets",
        family: ApiFamily::Elb,
        actions: &["RegisterTargets", "DeregisterTargets"],
        burst: 20.0,
        refill: 4.0,
    },
    Bucket { name: "elb-create", family: ApiFamily::Elb, actions: &["CreateLoadBalancer"], burst: 10.0, refill: 0.2 },
    Bucket {
        name: "elb-modify",
        family: ApiFamily::Elb,
        actions: &[
            "ModifyRule",
            "ModifyListener",
            "CreateRule",
            "CreateListener",
            "CreateTargetGroup",
            "ModifyTargetGroupAttributes",
        ],
        burst: 20.0,
        refill: 3.0,
    },
    Bucket {
        name: "elb-read",
        family: ApiFamily::Elb,
        actions: &[
            "DescribeLoadBalancers",
            "DescribeListeners",
            "DescribeRules",
            "DescribeTargetGroups",
            "DescribeTargetGroupAttributes",
            "DescribeTargetHealth",
        ],
        burst: 40.0,
        refill: 10.0,
    },
];

#[derive(Debug, Default)]
pub(super) struct Faults {
    refusals: BTreeMap<String, Vec<ApiError>>,
    levels: BTreeMap<&'static str, (f64, Timestamp)>,
    pub(super) stale_services: Stale<Service>,
    pub(super) stale_rules: Stale<Rule>,
    pub(super) stale_health: Stale<Vec<TargetHealthDescription>>,
    calls: BTreeMap<String, u64>,
}

/// A picture taken earlier, which the next answers are read from.
#[derive(Debug)]
pub(super) struct Stale<T> {
    left: u32,
    picture: BTreeMap<String, T>,
}

impl<T> Default for Stale<T> {
    fn default() -> Stale<T> {
        Stale { left: 0, picture: BTreeMap::new() }
    }
}

impl<T> Stale<T> {
    /// Returns the picture if this answer is to be stale.
    pub(super) fn use_up(&mut self) -> Option<&BTreeMap<String, T>> {
        self.left = self.left.checked_sub(1)?;
        Some(&self.picture)
    }
}

/// The reads that can be made stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleRead {
    DescribeServices,
    DescribeRules,
    DescribeTargetHealth,
}

impl World {
    /// Counts a call, and refuses it if a fault or an empty bucket says so.
    pub(super) fn call(&mut self, family: ApiFamily, action: &str) -> ApiResult<()> {
        *self.faults.calls.entry(action.to_owned()).or_default() += 1;
        if let Some(refusals) = self.faults.refusals.get_mut(action)
            && let Some(refusal) = refusals.pop()
        {
            return Err(refusal);
        }
        let bucket = BUCKETS.iter().find(|b| b.family == family && b.actions.contains(&action));
        let Some(bucket) = bucket.filter(|_| self.config.throttling) else {
            return Ok(());
        };
        let (tokens, since) = self.faults.levels.get(bucket.name).copied().unwrap_or((bucket.burst, self.now));
        let gained = self.now.duration_since(since).as_secs_f64() * bucket.refill;
        let tokens = (tokens + gained).min(bucket.burst);
        let enough = tokens >= 1.0;
        self.faults.levels.insert(bucket.name, (if enough { tokens - 1.0 } else { tokens }, self.now));
        if enough { Ok(()) } else { Err(ApiError::throttled(family)) }
    }

    /// Refuses the next `count` calls of `action` with "Rate exceeded" in the family's own words.
    pub fn throttle_next(&mut self, family: ApiFamily, action: &str, count: usize) {
        self.refuse_next(action, &ApiError::throttled(family), count);
    }

    /// Refuses the next `count` calls of `action` with `error`, before they change anything.
    pub fn refuse_next(&mut self, action: &str, error: &ApiError, count: usize) {
        let refusals = self.faults.refusals.entry(action.to_owned()).or_default();
        refusals.extend(std::iter::repeat_n(error.clone(), count));
    }

    /// Answers the next `count` calls of `read` from how things stand at this instant.
    pub fn stale_next(&mut self, read: StaleRead, count: u32) {
        match read {
            StaleRead::DescribeServices => {
                let picture = self.services.keys().map(|arn| (arn.clone(), self.service_view(arn)));
                let picture = picture.filter_map(|(arn, view)| view.map(|v| (arn, v))).collect();
                self.faults.stale_services = Stale { left: count, picture };
            }
            StaleRead::DescribeRules => {
                let picture = self.rules.iter().map(|(arn, rule)| (arn.clone(), rule.view.clone())).collect();
                self.faults.stale_rules = Stale { left: count, picture };
            }
            StaleRead::DescribeTargetHealth => {
                let picture =
                    self.target_groups.keys().map(|arn| (arn.clone(), self.target_health_view(arn))).collect();
                self.faults.stale_health = Stale { left: count, picture };
            }
        }
    }

    /// Returns how often each action was called, refused calls included.
    pub fn calls(&self) -> &BTreeMap<String, u64> {
        &self.faults.calls
    }
}
