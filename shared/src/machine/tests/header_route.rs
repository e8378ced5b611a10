//! Header routes: born harmless, opened once they are read back, home by the record alone, gone at the end.

use std::collections::BTreeMap;

use super::*;
use crate::ids::RuleArn;
use crate::machine::effect::RouteWrite;
use crate::observation::{RouteAt, RouteSeen, RulePlace, RuleRef, RuleSeen};
use crate::rollout::Homeward;
use crate::spec::{HeaderMatch, HeaderValue};
use crate::test_support::rule;

/// What stands in the places that header routes are planned for: the canary's share, where there is a rule.
#[derive(Default)]
pub struct Places {
    rules: BTreeMap<u32, Weight>,
    taken: bool,
}

fn rule_at(priority: u32) -> RuleRef {
    RuleRef { arn: RuleArn::new(format!("arn:route:{priority}")), place: RulePlace::Rule }
}

impl Places {
    /// What a look shows of them.
    pub fn seen(&self, planned: &[RouteAt]) -> Vec<RouteSeen> {
        let one = |at: &RouteAt| match self.rules.get(&at.priority) {
            _ if self.taken => RouteSeen::Taken { by: "rule 9".into() },
            None => RouteSeen::Absent,
            Some(share) => {
                RouteSeen::Ours(RuleSeen { rule: rule_at(at.priority), label: at.name.clone(), ..rule(*share) })
            }
        };
        planned.iter().map(one).collect()
    }

    /// Takes a write in.
    pub fn follow(&mut self, write: &Write) {
        let mut weigh = |rules: &[crate::machine::effect::RuleWrite], share| {
            for (priority, live) in &mut self.rules {
                if rules.iter().any(|write| write.rule == rule_at(*priority)) {
                    *live = share;
                }
            }
        };
        match write {
            Write::OpenRoutes { rules } => weigh(rules, Weight::FULL),
            Write::GoHome { rules } => weigh(rules, Weight::ZERO),
            Write::CreateRoutes { routes } => {
                for RouteWrite { at, actions } in routes {
                    assert_eq!(*actions, rule(Weight::ZERO).actions, "a route is born harmless");
                    let before = self.rules.insert(at.priority, Weight::ZERO);
                    assert_eq!(before, None, "made once");
                }
            }
            Write::DeleteRoutes { routes, unless_weighted } => {
                for at in routes {
                    let share = self.rules.remove(&at.priority);
                    assert!(unless_weighted.is_none() || share != Some(Weight::FULL), "nobody is on it");
                }
            }
            Write::SetWeights { .. } | Write::Preview { .. } | Write::Deploy { .. } | Write::Scale { .. } => {}
        }
    }

    fn shares(&self) -> Vec<Weight> {
        self.rules.values().copied().collect()
    }
}

/// deploy 1 · route testers · pause 5m · 20 % · scale 4 · 100 % · remove routes · bake 2m · promote · clean up
pub fn routed() -> Bench {
    let mut steps = usual();
    steps.splice(
        1..3,
        [
            Step::HeaderRoute { name: "testers".into(), needs: 1 },
            Step::Pause { duration: Some(seconds(300)), limit: None },
            to(20, 1),
        ],
    );
    let full = steps.iter().position(|step| *step == to(100, 4)).unwrap();
    steps.insert(full + 1, Step::RemoveRoutes);
    let mut bench = Bench::new(steps);
    bench.rollout.baseline.routes = vec![RouteAt {
        name: "testers".into(),
        beside: rule(Weight::ZERO).rule,
        label: "HTTPS:443 /checkout*".into(),
        priority: 9,
        matches: vec![HeaderMatch { header: "x-beta".into(), value: HeaderValue::Exact("1".into()) }],
    }];
    bench
}

/// Routed, and in the pause that follows.
fn open() -> Bench {
    let mut bench = routed();
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert!(matches!(bench.rollout.phase, Phase::Paused { reason: PauseReason::Step { .. }, .. }));
    assert_eq!((bench.routes.shares(), bench.weight), (vec![Weight::FULL], Weight::ZERO));
    bench
}

fn a_lost_creation(write: &Write) -> fault::Outcome {
    if matches!(write, Write::CreateRoutes { .. }) {
        fault::Outcome::Unknown { why: "timed out".into() }
    } else {
        fault::Outcome::Applied
    }
}

fn minutes(bench: &mut Bench, minutes: usize) {
    (0..minutes).for_each(|_| bench.pass(60));
}

#[test]
fn a_route_is_made_harmless_then_opened_and_is_gone_after_100() {
    let mut bench = open();
    bench.pass(1200);
    assert_eq!((&bench.rollout.phase, bench.routes.shares()), (&Phase::Healthy, vec![]));
    let wanted = [
        "deploy checkout:2 × 1 on checkout-green",
        "create 1 header rules",
        "1 header rules to the canary",
        "weights 20 %",
        "scale checkout-green to 4",
        "weights 100 %",
        "delete 1 header rules",
        "scale checkout-blue to 0",
    ];
    assert_eq!(bench.writes, wanted);
}

#[test]
fn an_abort_leads_the_routes_users_home_at_once_and_deletes_the_rule_afterwards() {
    let mut bench = open();
    let looks = bench.looks;
    bench.mute = |write| matches!(write, Write::DeleteRoutes { .. });
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert!(bench.writes.iter().rev().take(2).any(|write| write == "weights home"), "{:?}", bench.writes);
    assert_eq!(bench.routes.shares(), [Weight::ZERO], "at once");
    assert!(bench.looks <= looks + 1, "one look, to see it home");
    bench.mute = |_| false;
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "{:?}", bench.rollout.phase);
    assert_eq!((bench.routes.shares(), bench.tasks), (vec![], 0));
    let deleted = bench.writes.iter().position(|write| write.starts_with("delete")).unwrap();
    let scaled = bench.writes.iter().position(|write| write == "scale checkout-green to 0").unwrap();
    assert!(deleted < scaled, "{:?}", bench.writes);
}

#[test]
fn every_second_of_a_routed_rollout_can_be_aborted_and_no_rule_is_left_behind() {
    for second in (0..900).step_by(11) {
        let mut bench = routed();
        bench.give(vec![Event::Tick]);
        bench.pass(second);
        let promoted = bench.rollout.promoted_at.is_some();
        bench.command(Verb::Abort);
        bench.pass(900);
        assert_eq!(bench.routes.shares(), [], "at {second} s");
        let expected = if promoted { (Weight::FULL, 4) } else { (Weight::ZERO, 0) };
        assert_eq!((bench.weight, bench.tasks), expected, "at {second} s");
        assert!(bench.rollout.is_finished(), "at {second} s: {:?}", bench.rollout.phase);
    }
}

#[test]
fn a_creation_that_nobody_knows_of_is_looked_for_before_it_is_repeated() {
    let mut bench = routed();
    bench.answer = a_lost_creation;
    bench.give(vec![Event::Tick]);
    bench.pass(1);
    // It was applied all the same.
    bench.routes.rules.insert(9, Weight::ZERO);
    bench.answer = applied;
    bench.pass(60);
    let made = bench.writes.iter().filter(|write| write.starts_with("create")).count();
    assert_eq!((made, bench.routes.shares()), (1, vec![Weight::FULL]));
}

#[test]
fn a_creation_that_comes_late_after_an_abort_is_deleted_too() {
    let mut bench = routed();
    bench.answer = a_lost_creation;
    bench.give(vec![Event::Tick]);
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    bench.answer = applied;
    bench.routes.rules.insert(9, Weight::ZERO);
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "{:?}", bench.rollout.phase);
    assert_eq!(bench.routes.shares(), []);
}

#[test]
fn nobody_is_sent_to_a_canary_with_too_few_healthy_targets() {
    let mut bench = routed();
    bench.bend = |seen| seen.canary_health = Read::Is(Health::default());
    bench.give(vec![Event::Tick]);
    bench.pass(300);
    assert_eq!(bench.routes.shares(), []);
}

#[test]
fn the_routes_users_count_as_the_canarys_a_canary_without_targets_goes_home() {
    let mut bench = open();
    bench.bend = |seen| seen.canary_health = Read::Is(Health { unhealthy: 1, ..Health::default() });
    minutes(&mut bench, 2);
    assert_eq!(bench.routes.shares().first().copied().unwrap_or(Weight::ZERO), Weight::ZERO);
    let unhealthy = matches!(
        &bench.rollout.phase,
        Phase::Aborting { reason: AbortReason::Unhealthy { .. }, .. }
            | Phase::Degraded { reason: AbortReason::Unhealthy { .. } }
    );
    assert!(unhealthy, "{:?}", bench.rollout.phase);
}

#[test]
fn home_is_held_for_the_routes_users_too_where_it_is_positively_worse() {
    let mut bench = open();
    bench.bend = |seen| seen.stable_health = Read::Is(Health { unhealthy: 4, ..Health::default() });
    bench.second += 60;
    bench.give(vec![Event::Tick]);
    bench.red();
    assert!(matches!(&bench.rollout.phase, Phase::Aborting { home: Homeward::Held { .. }, .. }));
    assert_eq!(bench.routes.shares(), [Weight::FULL], "not into a hole");
    bench.bend = |_| {};
    bench.pass(60);
    assert_eq!(bench.routes.shares().first().copied().unwrap_or(Weight::ZERO), Weight::ZERO);
}

// Argo Rollouts: a header rule that is lost after a resume, or never made, is noticed by nobody.
#[test]
fn argo_4486_a_header_rule_that_is_lost_pauses_the_rollout() {
    let mut bench = open();
    bench.routes.rules.clear();
    minutes(&mut bench, 3);
    let Phase::Paused { reason: PauseReason::Drift { what }, .. } = &bench.rollout.phase else {
        panic!("{:?}", bench.rollout.phase)
    };
    assert!(what.contains("testers is gone"), "{what}");
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }));
}

#[test]
fn argo_2829_a_place_that_somebody_took_meanwhile_pauses_and_is_left_alone() {
    let mut bench = routed();
    bench.routes.taken = true;
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }));
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }));
    assert!(!bench.writes.iter().any(|write| write.starts_with("delete") || write.starts_with("create")));
}
