//! Who sees an error, and whose fault it is.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::routing::wildcard;
use crate::world::{
    Action, Attribute, Behaviour, Config, Estate, EstateParts, ModifyRule, TrafficShape, UpdateService, World,
};

fn estate() -> (World, EstateParts) {
    let mut world = World::new(3, "2026-11-22T10:00:00Z".parse().unwrap());
    let parts = Estate::of("checkout").requests_per_second(200.0).build(&mut world).unwrap();
    (world, parts)
}

fn pass(world: &mut World, seconds: u64) {
    let to = world.now() + Duration::from_secs(seconds);
    world.advance_to(to);
}

fn weights(world: &mut World, parts: &EstateParts, blue: u32, green: u32) {
    let groups = [(parts.blue.target_group_arn.as_str(), blue), (parts.green.target_group_arn.as_str(), green)];
    let actions = vec![Action::forward(&groups)];
    world.modify_rule(ModifyRule { rule_arn: parts.rule_arn.clone(), actions, ..ModifyRule::default() }).unwrap();
}

fn scale(world: &mut World, parts: &EstateParts, service: &str, desired: u32, revision: Option<&str>) {
    let update = UpdateService {
        cluster: Some(parts.cluster.clone()),
        service: service.to_owned(),
        task_definition: revision.map(str::to_owned),
        desired_count: Some(desired),
        ..UpdateService::default()
    };
    world.update_service(update).unwrap();
}

#[test]
fn a_careful_shift_there_and_back_costs_no_user_anything() {
    let (mut world, parts) = estate();
    let revision = Estate::of("checkout").register_revision(&mut world, "2", Behaviour::default()).unwrap();
    scale(&mut world, &parts, "checkout-green", 2, Some(&revision));
    pass(&mut world, 900);
    weights(&mut world, &parts, 800, 200);
    pass(&mut world, 600);
    let share = |world: &World| {
        let by_revision = world.requests_by_revision();
        let [blue, green] = [&parts.task_definition_arn, &revision].map(|arn| by_revision[arn].requests as f64);
        green / (blue + green)
    };
    let seen = share(&world);
    weights(&mut world, &parts, 1, 0);
    pass(&mut world, 60);
    scale(&mut world, &parts, "checkout-green", 0, None);
    pass(&mut world, 300);
    assert!(seen > 0.05 && seen < 0.2, "{seen}");
    assert_eq!(world.user_errors().total(), 0, "{:?}", world.user_errors());
}

#[test]
fn weight_before_health_makes_user_errors() {
    let (mut world, parts) = estate();
    weights(&mut world, &parts, 1, 1);
    pass(&mut world, 30);
    let empty = world.user_errors().empty_group_503;
    assert!(empty > 1000, "{empty}");
    scale(&mut world, &parts, "checkout-green", 1, None);
    pass(&mut world, 600);
    // Registered but not yet able to answer: the group fails open, and the load balancer makes 502s.
    assert!(world.user_errors().target_gone_502 > 0);
}

#[test]
fn scale_in_under_weight_makes_user_errors() {
    let (mut world, parts) = estate();
    scale(&mut world, &parts, "checkout-green", 2, None);
    pass(&mut world, 900);
    weights(&mut world, &parts, 500, 500);
    pass(&mut world, 60);
    scale(&mut world, &parts, "checkout-green", 0, None);
    pass(&mut world, 60);
    assert!(world.user_errors().empty_group_503 > 1000);
}

#[test]
fn scale_in_before_the_nodes_follow_makes_user_errors() {
    let slow = Duration::from_secs(60);
    let config = Config { propagation_mean: slow, propagation_cap: slow, ..Config::default() };
    let mut world = World::with_config(5, "2026-11-22T10:00:00Z".parse().unwrap(), config);
    let parts = Estate::of("checkout").build(&mut world).unwrap();
    scale(&mut world, &parts, "checkout-green", 2, None);
    pass(&mut world, 900);
    weights(&mut world, &parts, 500, 500);
    pass(&mut world, 120);
    weights(&mut world, &parts, 1, 0);
    scale(&mut world, &parts, "checkout-green", 0, None);
    pass(&mut world, 300);
    assert!(world.user_errors().empty_group_503 > 0);
}

#[test]
fn a_task_stopped_without_drain_cuts_what_is_in_flight() {
    let (mut world, parts) = estate();
    let slow = Behaviour { latency: Duration::from_secs(2), ..Behaviour::default() };
    world.set_behaviour(&parts.task_definition_arn, slow).unwrap();
    let at_once = Attribute { key: "deregistration_delay.timeout_seconds".to_owned(), value: "0".to_owned() };
    world.modify_target_group_attributes(&parts.blue.target_group_arn, &[at_once]).unwrap();
    scale(&mut world, &parts, "checkout-blue", 3, None);
    pass(&mut world, 60);
    assert!(world.user_errors().cut_by_stop > 10, "{:?}", world.user_errors());
}

#[test]
fn requests_to_the_canary_count_after_the_abort_is_durable_and_the_bound_has_passed() {
    let (mut world, parts) = estate();
    scale(&mut world, &parts, "checkout-green", 2, None);
    pass(&mut world, 900);
    weights(&mut world, &parts, 500, 500);
    pass(&mut world, 60);
    let now = world.now();
    world.abort_durable(&parts.green.target_group_arn, now);
    pass(&mut world, 10);
    assert_eq!(world.user_errors().canary_after_abort, 0);
    pass(&mut world, 10);
    assert!(world.user_errors().canary_after_abort > 500);
    weights(&mut world, &parts, 1, 0);
    pass(&mut world, 10);
    let counted = world.user_errors().canary_after_abort;
    pass(&mut world, 60);
    assert_eq!(world.user_errors().canary_after_abort, counted);
}

#[test]
fn a_crash_of_the_revision_is_not_the_controllers_fault() {
    let (mut world, parts) = estate();
    let crashing = Behaviour { crash_after: Some(Duration::from_secs(120)), ..Behaviour::default() };
    let revision = Estate::of("checkout").register_revision(&mut world, "2", crashing).unwrap();
    scale(&mut world, &parts, "checkout-green", 3, Some(&revision));
    pass(&mut world, 100);
    while !world.tasks.values().any(|t| t.view.task_definition_arn == revision && t.ever_healthy) {
        pass(&mut world, 1);
    }
    weights(&mut world, &parts, 500, 500);
    while world.user_errors().revision_crashed == 0 {
        pass(&mut world, 1);
    }
    let errors = world.user_errors();
    assert_eq!(errors.target_gone_502 + errors.cut_by_stop, 0, "{errors:?}");
}

#[test]
fn a_group_fails_open_when_all_its_targets_are_unhealthy() {
    let (mut world, parts) = estate();
    let patient = UpdateService {
        cluster: Some(parts.cluster.clone()),
        service: "checkout-blue".to_owned(),
        health_check_grace_period_seconds: Some(100_000),
        ..UpdateService::default()
    };
    world.update_service(patient).unwrap();
    let broken = Behaviour { fails_health_checks: true, ..Behaviour::default() };
    world.set_behaviour(&parts.task_definition_arn, broken).unwrap();
    pass(&mut world, 60);
    let health = world.describe_target_health(&parts.blue.target_group_arn, &[]).unwrap();
    assert_eq!(health.len(), 4);
    for target in health {
        assert_eq!(target.target_health.reason.as_deref(), Some("Target.ResponseCodeMismatch"));
    }
    let before = world.requests_by_group()[&parts.blue.target_group_arn].answered_2xx;
    pass(&mut world, 60);
    assert!(world.requests_by_group()[&parts.blue.target_group_arn].answered_2xx > before + 10_000);
    assert_eq!(world.user_errors().total(), 0);
}

#[test]
fn where_calls_cut_time_changes_nothing() {
    let run = |step: u64| {
        let (mut world, parts) = estate();
        weights(&mut world, &parts, 900, 100);
        scale(&mut world, &parts, "checkout-green", 2, None);
        let end = world.now() + Duration::from_secs(1200);
        while world.now() < end {
            let to = world.now() + Duration::from_millis(step);
            world.advance_to(to);
        }
        let mut digest = Sha256::new();
        for event in world.take_events() {
            digest.update(event.json.to_string());
        }
        (digest.finalize().to_vec(), world.user_errors(), world.requests_by_group().clone())
    };
    assert_eq!(run(1_200_000), run(400));
}

#[test]
fn one_seed_means_one_event_log_and_another_seed_another() {
    let run = |seed: u64| {
        let mut world = World::new(seed, "2026-11-22T10:00:00Z".parse().unwrap());
        let parts = Estate::of("checkout").build(&mut world).unwrap();
        scale(&mut world, &parts, "checkout-green", 3, None);
        pass(&mut world, 1800);
        let events = world.take_events();
        assert!(!events.is_empty());
        let log: Vec<String> = events.iter().map(|e| e.json.to_string()).collect();
        (log, world.requests_by_revision().clone())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn even_traffic_is_exact_and_the_rule_of_the_host_takes_it() {
    let mut world = World::new(3, "2026-11-22T10:00:00Z".parse().unwrap());
    let estate = Estate::of("checkout").requests_per_second(2.5).traffic_shape(TrafficShape::Even);
    let parts = estate.build(&mut world).unwrap();
    pass(&mut world, 600);
    let requests = world.requests_by_group()[&parts.blue.target_group_arn].requests;
    assert!((1496..=1500).contains(&requests), "{requests}");
    assert!(wildcard("*.example.com", "a.example.com") && wildcard("/api/?x*", "/api/1xyz"));
    assert!(!wildcard("*.example.com", "example.com") && !wildcard("/a", "/ab"));
}
