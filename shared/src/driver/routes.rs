//! Rules of header routes: made where they are missing, deleted where nobody is on them.

use futures_util::future::join_all;

use super::perform::{weight_of, worst};
use super::{Driver, World};
use crate::fault::{Fault, Obstacle, Outcome};
use crate::ids::RolloutId;
use crate::machine::effect::{RouteWrite, Weighted};
use crate::observation::{RouteAt, RouteSeen, RuleRef, RuleSeen};

impl<P: World> Driver<'_, P> {
    /// Reads what stands where header routes are planned; without any, nothing is asked.
    pub(super) async fn routes(&self, routes: &[RouteAt]) -> Result<Vec<RouteSeen>, Fault> {
        if routes.is_empty() { Ok(Vec::new()) } else { self.ports.routes(routes).await }
    }

    /// Makes what a read just before does not find: a creation whose answer was lost is not made twice.
    pub(super) async fn create_routes(&self, rollout: &RolloutId, routes: &[RouteWrite]) -> Outcome {
        let places: Vec<RouteAt> = routes.iter().map(|route| route.at.clone()).collect();
        let found = match self.ports.routes(&places).await {
            Ok(found) => found,
            Err(fault) => return Outcome::NotApplied { fault },
        };
        let taken = routes.iter().zip(&found).find_map(|(route, seen)| match seen {
            RouteSeen::Taken { by } => Some((&route.at, by)),
            RouteSeen::Absent | RouteSeen::Ours(_) => None,
        });
        if let Some((at, by)) = taken {
            let why = format!("the priority {} that was free for {} has {by}", at.priority, at.name);
            return Outcome::NotApplied { fault: Fault::conflict(why) };
        }
        let missing = routes.iter().zip(&found).filter(|(_, seen)| **seen == RouteSeen::Absent);
        let created = missing.map(|(route, _)| self.ports.create_route(&route.at, &route.actions, rollout));
        worst(join_all(created).await)
    }

    /// Deletes what a read just before shows to be ours, and without weight where that is asked for.
    pub(super) async fn delete_routes(&self, routes: &[RouteAt], unless_weighted: Option<&Weighted>) -> Outcome {
        let found = match self.ports.routes(routes).await {
            Ok(found) => found,
            Err(fault) => return Outcome::NotApplied { fault },
        };
        let ours = found.into_iter().filter_map(|seen| match seen {
            RouteSeen::Ours(rule) => Some(rule),
            RouteSeen::Absent | RouteSeen::Taken { .. } => None,
        });
        let ours: Vec<RuleSeen> = ours.collect();
        let loaded = unless_weighted.and_then(|weighted| ours.iter().find(|rule| carries(rule, weighted)));
        if let Some(rule) = loaded {
            let why = format!("{} still sends requests to the canary", rule.label);
            return Outcome::NotApplied { fault: Fault::conflict(why) };
        }
        let rules: Vec<RuleRef> = ours.into_iter().map(|rule| rule.rule).collect();
        let deleted = join_all(rules.iter().map(|rule| self.ports.delete_route(rule))).await;
        worst(deleted.into_iter().map(gone).collect())
    }
}

/// Somebody else was quicker: it is gone.
fn gone(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::NotApplied { fault: Fault::Permanent { reason: Obstacle::NotFound, .. } } => Outcome::Applied,
        Outcome::Applied | Outcome::NotApplied { .. } | Outcome::Unknown { .. } => outcome,
    }
}

fn carries(rule: &RuleSeen, weighted: &Weighted) -> bool {
    rule.actions.iter().any(|action| weight_of(action, &weighted.group) > 0)
}
