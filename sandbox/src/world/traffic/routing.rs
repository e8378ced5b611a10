//! Where a node of the load balancer sends a request: rules by priority, conditions, weights, eligible targets.

use super::TrafficSource;
use crate::world::World;
use crate::world::elb::{Action, Health, Routing, RuleCondition, TargetState};

/// Where a stream of requests goes at one node.
pub(super) enum Way {
    /// Shares of the stream by target group; they sum to 1.
    Forward(Vec<(String, f64)>),
    /// All weights are 0.
    NoWeight,
    /// Redirect or fixed response: the load balancer answers as it was told to.
    ByConfiguration,
}

impl World {
    /// Returns where a source's requests go at a node, by the rules that the node follows at this instant.
    pub(super) fn way(&self, source: &TrafficSource, node: usize) -> Way {
        let of_listener = self.rules.values().filter(|r| r.listener == source.listener_arn);
        let candidates = of_listener
            .filter_map(|r| Some((r.view.priority.parse().unwrap_or(u32::MAX), r.nodes.get(node)?)))
            .filter(|(_, routing): &(u32, &Routing)| routing.conditions.iter().all(|c| matches(c, source)));
        let first = candidates.min_by_key(|(priority, _)| *priority);
        let action = first.and_then(|(_, routing)| routing.actions.last());
        action.map_or(Way::ByConfiguration, forward_way)
    }

    /// Returns the targets of a group that get new requests: the healthy ones; with none healthy, all that are
    /// registered and not draining (the group fails open).
    pub(super) fn eligible(&self, group: &str) -> Vec<&TargetState> {
        let Some(state) = self.target_groups.get(group) else {
            return Vec::new();
        };
        let of = |wanted: fn(Health) -> bool| state.targets.values().filter(move |t| wanted(t.health)).collect();
        let healthy: Vec<&TargetState> = of(|health| health == Health::Healthy);
        if healthy.is_empty() {
            return of(|health| matches!(health, Health::Initial | Health::WrongCode | Health::NoAnswer));
        }
        healthy
    }

    /// Returns how many requests a second one eligible target of a group gets on average.
    pub(super) fn rate_of_target(&self, group: &str) -> f64 {
        let nodes = self.config.account.zones.len();
        let mut rate = 0.0;
        for state in &self.traffic.sources {
            for node in 0..nodes {
                if let Way::Forward(shares) = self.way(&state.source, node) {
                    let share: f64 = shares.iter().filter(|(arn, _)| arn == group).map(|(_, share)| share).sum();
                    rate += state.source.requests_per_second * share / nodes as f64;
                }
            }
        }
        let targets = self.eligible(group).len();
        if targets == 0 { 0.0 } else { rate / targets as f64 }
    }
}

fn forward_way(action: &Action) -> Way {
    let Some(config) = action.forward_config.as_ref().filter(|_| action.kind == "forward") else {
        return Way::ByConfiguration;
    };
    let total: u32 = config.target_groups.iter().filter_map(|t| t.weight).sum();
    if total == 0 {
        return Way::NoWeight;
    }
    let share = |weight: u32| f64::from(weight) / f64::from(total);
    let weighted = config.target_groups.iter().filter(|t| t.weight.unwrap_or(0) > 0);
    Way::Forward(weighted.map(|t| (t.target_group_arn.clone(), share(t.weight.unwrap_or(0)))).collect())
}

fn matches(condition: &RuleCondition, source: &TrafficSource) -> bool {
    let patterns = |config: &Option<crate::world::ConditionValues>| match config {
        Some(config) if !config.values.is_empty() => config.values.clone(),
        Some(_) | None => condition.values.clone(),
    };
    match condition.field.as_str() {
        "host-header" => {
            let host = source.host.to_ascii_lowercase();
            patterns(&condition.host_header_config).iter().any(|p| wildcard(&p.to_ascii_lowercase(), &host))
        }
        "path-pattern" => patterns(&condition.path_pattern_config).iter().any(|p| wildcard(p, &source.path)),
        "http-header" => {
            let Some(config) = &condition.http_header_config else { return false };
            let name = config.http_header_name.to_ascii_lowercase();
            let of_it = source.headers.iter().filter(|(header, _)| header.to_ascii_lowercase() == name);
            let values: Vec<String> = of_it.map(|(_, value)| value.to_ascii_lowercase()).collect();
            config.values.iter().any(|p| values.iter().any(|value| wildcard(&p.to_ascii_lowercase(), value)))
        }
        _ => false,
    }
}

/// Matches `*` (any run) and `?` (any one) as load balancer rules do.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern == text;
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*' {
            (p, t) = (p + 1, t + 1);
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if let Some((star_p, star_t)) = star {
            (p, t) = (star_p + 1, star_t + 1);
            star = Some((star_p, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
