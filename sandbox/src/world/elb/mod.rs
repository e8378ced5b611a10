//! ELBv2: load balancers, listeners, rules and target groups; the API shows a write at once, the data plane follows later.

mod groups;
mod rules;
mod shapes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(super) use groups::DEREGISTRATION_DELAY;
use jiff::Timestamp;
pub use shapes::{
    Action, Attribute, AvailabilityZone, ConditionValues, CreateListener, CreateRule, CreateTargetGroup,
    DescribeListeners, DescribeLoadBalancers, DescribeRules, DescribeTargetGroups, ForwardConfig, HttpHeaderConfig,
    Listener, LoadBalancer, LoadBalancerState, Matcher, ModifyListener, ModifyRule, Rule, RuleCondition, Tag,
    TargetDescription, TargetGroup, TargetGroupStickinessConfig, TargetGroupTuple, TargetHealth,
    TargetHealthDescription,
};

/// A rule as the API shows it, and as each node of the load balancer follows it.
#[derive(Debug)]
pub(super) struct RuleState {
    pub(super) view: Rule,
    pub(super) listener: String,
    pub(super) tags: Vec<Tag>,
    /// Grows with every write.
    pub(super) generation: u32,
    /// Writes on their way to the nodes.
    pub(super) on_the_way: BTreeMap<u32, Routing>,
    /// What each node does, by the node's number.
    pub(super) nodes: Vec<Routing>,
}

/// What one node of the load balancer does for one rule.
#[derive(Debug, Clone)]
pub(super) struct Routing {
    pub(super) generation: u32,
    pub(super) conditions: Vec<RuleCondition>,
    pub(super) actions: Vec<Action>,
}

#[derive(Debug)]
pub(super) struct TargetGroupState {
    pub(super) view: TargetGroup,
    pub(super) attributes: BTreeMap<String, String>,
    /// By `address:port`.
    pub(super) targets: BTreeMap<String, TargetState>,
}

#[derive(Debug)]
pub(super) struct TargetState {
    pub(super) target: TargetDescription,
    pub(super) health: Health,
    /// Grows whenever a planned verdict or drain becomes void.
    pub(super) generation: u32,
    /// When the first health check runs; the others follow by the interval.
    pub(super) first_check: Timestamp,
    /// When draining began, and how long each request then in flight still takes, in seconds.
    pub(super) in_flight: Option<(Timestamp, Vec<f64>)>,
}

/// A target's state with what it needs to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Initial,
    Healthy,
    /// The health check got a wrong code.
    WrongCode,
    /// Nothing answered the health check.
    NoAnswer,
    Draining,
    /// The group is on no rule.
    Unused,
}
