//! Blue/green: the preview, one switch, and every way home that Argo Rollouts' controller leaves open or shuts.

use super::*;
use crate::observation::DeploymentSeen;
use crate::rollout::Homeward;
use crate::spec::{AutoPromotion, BlueGreenSpec, PreviewSpec, StrategySpec};
use crate::strategy;

pub fn spec() -> BlueGreenSpec {
    BlueGreenSpec {
        preview: Some(PreviewSpec { port: 9443 }),
        preview_tasks: Some(1),
        pre_promotion: vec![],
        auto_promotion: AutoPromotion::AtOnce,
        post_promotion: vec![],
        scale_down_delay: seconds(300),
        abort_scale_down_delay: seconds(30),
    }
}

/// A blue/green rollout beside four stable tasks, under way.
fn blue_green(spec: BlueGreenSpec) -> Bench {
    let mut bench = prepared(spec);
    bench.give(vec![Event::Tick]);
    bench
}

/// A blue/green rollout beside four stable tasks, before anything moves.
pub fn prepared(spec: BlueGreenSpec) -> Bench {
    let mut bench = Bench::new(vec![Step::Promote]);
    if spec.preview.is_some() {
        bench.rollout.baseline.preview = vec![preview_rule(Weight::ZERO)];
    }
    bench.rollout.spec.strategy = StrategySpec::BlueGreen(spec);
    bench.rollout.plan = strategy::compile(&bench.rollout.spec, 4);
    bench.rollout.spec.metrics = vec![judged().rollout.spec.metrics.remove(0)];
    bench
}

/// Lets time pass until the rollout is at this step.
fn until(bench: &mut Bench, wanted: fn(&Step) -> bool) {
    for _ in 0..600 {
        if wanted(bench.rollout.current()) {
            return;
        }
        bench.pass(1);
    }
    panic!("it never came so far, but waits on {}", super::super::report(&bench.rollout, bench.now()).waiting_on);
}

/// Lets minutes pass, each with the sweep's tick.
fn minutes(bench: &mut Bench, minutes: usize) {
    (0..minutes).for_each(|_| bench.pass(60));
}

fn is_bake(step: &Step) -> bool {
    matches!(step, Step::Bake { .. })
}

fn is_pause(step: &Step) -> bool {
    matches!(step, Step::Pause { .. })
}

/// Every canary task has crashed: the service asks for its tasks, and none of them is healthy or stays up.
fn crash_looping(seen: &mut Observation) {
    seen.canary_health = Read::Is(Health { unhealthy: 4, ..Health::default() });
    if let Read::Is(canary) = &mut seen.canary {
        canary.running = 0;
        canary.deployments.push(DeploymentSeen { failed: 9, ..canary.deployments[0].clone() });
    }
}

fn assert_home(bench: &Bench) {
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "{:?}", bench.rollout.phase);
    assert_eq!((bench.weight, bench.preview, bench.tasks), (Weight::ZERO, Weight::ZERO, 0));
}

#[test]
fn it_is_shown_then_switched_in_one_step_and_the_old_side_goes_last() {
    let mut bench = blue_green(spec());
    bench.pass(1200);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
    assert_eq!((bench.weight, bench.preview), (Weight::FULL, Weight::FULL));
    let wanted = [
        "deploy checkout:2 × 1 on checkout-green",
        "the preview to the canary",
        "scale checkout-green to 4",
        "weights 100 %",
        "scale checkout-blue to 0",
    ];
    assert_eq!(bench.writes, wanted);
}

#[test]
fn without_auto_promotion_nobody_but_a_person_switches() {
    let mut bench = blue_green(BlueGreenSpec { auto_promotion: AutoPromotion::Never, ..spec() });
    bench.pass(40_000);
    assert_eq!((bench.weight, bench.preview, bench.tasks), (Weight::ZERO, Weight::FULL, 1));
    assert!(super::super::report(&bench.rollout, bench.now()).needs_person);
    assert!(matches!(bench.command(Verb::Promote), Outcome::Applied(_)));
    bench.pass(1200);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn after_auto_promotion_seconds_it_switches_by_itself_and_not_before() {
    let mut bench = blue_green(BlueGreenSpec { auto_promotion: AutoPromotion::After(seconds(900)), ..spec() });
    until(&mut bench, is_pause);
    bench.pass(890);
    assert_eq!(bench.weight, Weight::ZERO);
    bench.pass(100);
    assert_eq!(bench.weight, Weight::FULL);
}

#[test]
fn an_abort_of_the_preview_leaves_production_untouched() {
    let mut bench = blue_green(BlueGreenSpec { auto_promotion: AutoPromotion::Never, ..spec() });
    until(&mut bench, is_pause);
    assert_eq!(bench.preview, Weight::FULL);
    bench.answer = |write| {
        let production = crate::test_support::rule(Weight::ZERO).rule;
        let touched = match write {
            Write::SetWeights { rules, .. }
            | Write::GoHome { rules }
            | Write::Preview { rules }
            | Write::OpenRoutes { rules } => rules.iter().any(|rule| rule.rule == production),
            Write::CreateRoutes { .. } | Write::DeleteRoutes { .. } => false,
            Write::Deploy { .. } | Write::Scale { .. } => false,
        };
        assert!(!touched, "{write} touches production");
        fault::Outcome::Applied
    };
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert_eq!(bench.preview, Weight::ZERO, "at once");
    bench.pass(300);
    assert_home(&bench);
}

#[test]
fn the_switch_waits_for_the_full_count_of_healthy_targets() {
    let mut bench = blue_green(BlueGreenSpec { preview: None, auto_promotion: AutoPromotion::Never, ..spec() });
    until(&mut bench, is_pause);
    bench.bend = |seen| {
        if let Read::Is(health) = &mut seen.canary_health {
            health.healthy = health.healthy.min(3);
        }
    };
    assert!(matches!(bench.command(Verb::Promote), Outcome::Applied(_)));
    bench.pass(500);
    assert_eq!((bench.weight, bench.tasks), (Weight::ZERO, 4));
    assert!(matches!(bench.rollout.current(), Step::Scale { tasks: 4 }));
}

#[test]
fn a_bad_pre_promotion_analysis_never_moves_production() {
    let mut bench = blue_green(BlueGreenSpec { pre_promotion: vec!["errors".into()], ..spec() });
    bench.reading = Found::Value { value: 0.5, samples: 100 };
    bench.pass(1500);
    assert!(!bench.writes.iter().any(|write| write.starts_with("weights")) || bench.weight == Weight::ZERO);
    assert!(matches!(&bench.rollout.phase, Phase::Degraded { reason: AbortReason::Analysis { .. } }));
    assert!(!bench.writes.contains(&"weights 100 %".to_owned()), "{:?}", bench.writes);
    assert_home(&bench);
}

#[test]
fn a_bad_post_promotion_analysis_switches_back_and_one_that_cannot_tell_keeps_the_old_side() {
    let mut bench = blue_green(BlueGreenSpec { post_promotion: vec!["errors".into()], ..spec() });
    bench.reading = Found::Value { value: 0.5, samples: 100 };
    bench.pass(1500);
    assert!(bench.writes.contains(&"weights 100 %".to_owned()));
    assert_home(&bench);

    let mut bench = blue_green(BlueGreenSpec { post_promotion: vec!["errors".into()], ..spec() });
    bench.reading = Found::NoData;
    bench.pass(9000);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Inconclusive { .. }, .. }));
    assert!(!bench.writes.contains(&"scale checkout-blue to 0".to_owned()), "the way home stays");
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert_eq!(bench.weight, Weight::ZERO, "at once");
}

// Argo Rollouts' holes, by the paragraph that names them (abort of a blue/green rollout after the switch).

#[test]
fn argo_2824_an_abort_while_green_crash_loops_moves_traffic_back_and_green_keeps_no_traffic_without_tasks() {
    let mut bench = blue_green(spec());
    until(&mut bench, is_bake);
    assert_eq!(bench.weight, Weight::FULL);
    bench.bend = crash_looping;
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert_eq!(bench.weight, Weight::ZERO, "with no look, no wait for green to be available");
    bench.answer = |write| {
        if let Write::Scale { unless_weighted, .. } = write {
            assert!(unless_weighted.is_some(), "green's tasks go only once nothing points at it");
        }
        fault::Outcome::Applied
    };
    bench.pass(300);
    assert_home(&bench);
}

#[test]
fn argo_4750_green_that_crash_loops_after_the_switch_goes_home_without_anybody() {
    let mut bench = blue_green(spec());
    until(&mut bench, is_bake);
    bench.bend = crash_looping;
    bench.pass(60);
    assert_eq!(bench.weight, Weight::ZERO);
    assert!(matches!(
        &bench.rollout.phase,
        Phase::Aborting { reason: AbortReason::Unhealthy { .. }, home: Homeward::Draining { .. }, .. }
            | Phase::Degraded { reason: AbortReason::Unhealthy { .. } }
    ));
}

#[test]
fn argo_2_15_an_abort_while_a_person_has_paused_moves_traffic() {
    let mut bench = blue_green(spec());
    until(&mut bench, is_bake);
    assert!(matches!(bench.command(Verb::Pause), Outcome::Applied(_)));
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert_eq!(bench.weight, Weight::ZERO, "at once");
    bench.pass(300);
    assert_home(&bench);
}

#[test]
fn argo_2_15_an_abort_with_one_stable_target_short_moves_traffic() {
    let mut bench = blue_green(spec());
    until(&mut bench, is_bake);
    bench.bend = |seen| seen.stable_health = Read::Is(Health { healthy: 3, unhealthy: 1, ..Health::default() });
    bench.pass(40);
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert_eq!(bench.weight, Weight::ZERO, "at once");
}

#[test]
fn argo_4552_a_scaled_stable_side_is_somebody_elses_hand_and_never_scaled_by_us_before_promotion() {
    let mut bench = blue_green(BlueGreenSpec { auto_promotion: AutoPromotion::Never, ..spec() });
    until(&mut bench, is_pause);
    bench.bend = |seen| {
        if let Read::Is(stable) = &mut seen.stable {
            stable.desired = 8;
        }
    };
    minutes(&mut bench, 3);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }));
    assert!(!bench.writes.iter().any(|write| write.contains("checkout-blue")), "{:?}", bench.writes);
}

#[test]
fn the_old_side_runs_through_its_delay_and_an_abort_inside_it_is_a_fast_rollback() {
    let mut bench = blue_green(spec());
    until(&mut bench, is_bake);
    bench.pass(280);
    assert!(bench.rollout.promoted_at.is_none(), "the way home is open");
    let looks = bench.looks;
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    assert_eq!((bench.weight, bench.writes.last().unwrap().as_str()), (Weight::ZERO, "weights home"));
    assert!(bench.looks <= looks + 1, "nothing is looked at before");
}

#[test]
fn a_preview_that_somebody_moved_pauses_and_one_that_is_gone_holds_nobody_up() {
    let mut bench = blue_green(BlueGreenSpec { auto_promotion: AutoPromotion::Never, ..spec() });
    until(&mut bench, is_pause);
    bench.preview = Weight::ZERO;
    minutes(&mut bench, 3);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }));
    bench.bend = |seen| seen.preview = Read::Unknown(Fault::permanent(Obstacle::NotFound, "the rule is gone"));
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "{:?}", bench.rollout.phase);
}

#[test]
fn every_second_of_a_blue_green_rollout_can_be_aborted() {
    for second in (0..700).step_by(7) {
        let mut bench = blue_green(spec());
        bench.pass(second);
        let promoted = bench.rollout.promoted_at.is_some();
        bench.command(Verb::Abort);
        bench.pass(900);
        if promoted {
            assert_eq!((bench.weight, &bench.rollout.phase), (Weight::FULL, &Phase::Healthy), "at {second} s");
        } else {
            assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }), "at {second} s: {:?}", bench.rollout.phase);
            assert_eq!((bench.weight, bench.preview, bench.tasks), (Weight::ZERO, Weight::ZERO, 0), "at {second} s");
        }
    }
}
