//! The World's tunable facts: delays and spreads, with what they were measured or estimated from.

use std::time::Duration;

use super::ids::Account;
use super::sabotage::Sabotage;

/// How the World behaves; the defaults are a calm, real account.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub account: Account,
    /// Mean and longest time until one load balancer node follows a written rule. AWS publishes no figure.
    pub propagation_mean: Duration,
    pub propagation_cap: Duration,
    /// Fargate, from PROVISIONING to RUNNING: log-normal, half within the median, 1 % beyond three minutes.
    pub task_start_median: Duration,
    pub task_start_sigma: f64,
    /// How long the service scheduler takes to act on a change.
    pub scheduler_delay: (Duration, Duration),
    /// From SIGTERM to the container's end.
    pub container_stop: (Duration, Duration),
    /// From the container's end to STOPPED.
    pub deprovisioning: (Duration, Duration),
    /// From the last internal change to SERVICE_DEPLOYMENT_COMPLETED; recorded deployments show 28 to 53 s.
    pub steady_state_delay: (Duration, Duration),
    /// How often an idle service says SERVICE_STEADY_STATE again; AWS says every six hours.
    pub steady_state_repeat: Duration,
    /// How long after a minute's end each node's part of the minute is published.
    pub metric_delay: (Duration, Duration),
    /// How long after PutMetricData a custom point can be read.
    pub custom_metric_delay: Duration,
    /// Whether the API buckets throttle.
    pub throttling: bool,
    /// How much traffic is drawn at once; routing changes cut a slice exactly where they happen.
    pub traffic_slice: Duration,
    /// A mistake that the controller makes.
    pub sabotage: Option<Sabotage>,
}

impl Default for Config {
    fn default() -> Config {
        let seconds = Duration::from_secs;
        Config {
            account: Account::default(),
            propagation_mean: seconds(2),
            propagation_cap: seconds(10),
            task_start_median: seconds(35),
            task_start_sigma: 0.7,
            scheduler_delay: (seconds(1), seconds(5)),
            container_stop: (seconds(2), seconds(20)),
            deprovisioning: (seconds(11), seconds(25)),
            steady_state_delay: (seconds(28), seconds(53)),
            steady_state_repeat: seconds(6 * 3600),
            metric_delay: (seconds(30), seconds(120)),
            custom_metric_delay: seconds(10),
            throttling: false,
            traffic_slice: seconds(1),
            sabotage: None,
        }
    }
}

impl Config {
    /// The same with nodes of which most take the whole bound to follow a rule: it is to cost no user anything, and
    /// what does not reckon with it is found out.
    pub fn slow_nodes(self) -> Config {
        Config { propagation_mean: self.propagation_cap * 3, ..self }
    }
}
