//! ECS as events and Describe calls show it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::world::{
    Behaviour, CircuitBreaker, DeploymentConfiguration, EmittedEvent, Estate, EstateParts, Service, UpdateService,
    World,
};

fn estate() -> (World, EstateParts) {
    let mut world = World::new(7, "2026-11-22T10:00:00Z".parse().unwrap());
    let parts = Estate::of("checkout").build(&mut world).unwrap();
    (world, parts)
}

fn after(world: &mut World, seconds: u64) -> Vec<EmittedEvent> {
    let to = world.now() + Duration::from_secs(seconds);
    world.advance_to(to);
    world.take_events()
}

fn service(world: &mut World, parts: &EstateParts, name: &str) -> Service {
    let answer = world.describe_services(Some(&parts.cluster), &[name.to_owned()]).unwrap();
    answer.services[0].clone()
}

fn update(parts: &EstateParts, name: &str) -> UpdateService {
    UpdateService { cluster: Some(parts.cluster.clone()), service: name.to_owned(), ..UpdateService::default() }
}

fn text<'a>(event: &'a EmittedEvent, pointer: &str) -> &'a str {
    event.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn named<'a>(events: &'a [EmittedEvent], name: &str) -> Vec<&'a EmittedEvent> {
    events.iter().filter(|e| text(e, "/detail/eventName") == name).collect()
}

#[test]
fn a_count_alone_starts_no_deployment_and_a_revision_does() {
    let (mut world, parts) = estate();
    let before = service(&mut world, &parts, "checkout-blue").deployments[0].id.clone();
    let scaled = UpdateService { desired_count: Some(5), ..update(&parts, "checkout-blue") };
    let view = world.update_service(scaled).unwrap();
    assert_eq!((view.deployments.len(), &view.deployments[0].id), (1, &before));
    assert!(named(&world.take_events(), "SERVICE_DEPLOYMENT_IN_PROGRESS").is_empty());

    let same =
        UpdateService { task_definition: Some(parts.task_definition_arn.clone()), ..update(&parts, "checkout-blue") };
    assert_eq!(world.update_service(same).unwrap().deployments.len(), 1);

    let revision = Estate::of("checkout").register_revision(&mut world, "2", Behaviour::default()).unwrap();
    let deploy = UpdateService { task_definition: Some(revision), ..update(&parts, "checkout-blue") };
    let view = world.update_service(deploy).unwrap();
    assert_eq!(view.deployments.iter().map(|d| d.status.as_str()).collect::<Vec<_>>(), ["PRIMARY", "ACTIVE"]);
    let id = &view.deployments[0].id;
    assert!(id.strip_prefix("ecs-svc/").is_some_and(|digits| digits.len() == 19));
    let events = world.take_events();
    assert_eq!(text(named(&events, "SERVICE_DEPLOYMENT_IN_PROGRESS")[0], "/detail/deploymentId"), id);
}

#[test]
fn a_task_goes_through_every_status_and_its_version_grows_by_one() {
    let (mut world, parts) = estate();
    let up = UpdateService { desired_count: Some(1), ..update(&parts, "checkout-green") };
    world.update_service(up).unwrap();
    let mut events = after(&mut world, 600);
    let down = UpdateService { desired_count: Some(0), ..update(&parts, "checkout-green") };
    world.update_service(down).unwrap();
    events.extend(after(&mut world, 600));
    let of_task: Vec<&EmittedEvent> =
        events.iter().filter(|e| text(e, "/detail/group") == "service:checkout-green").collect();
    let mut path: Vec<&str> = of_task.iter().map(|e| text(e, "/detail/lastStatus")).collect();
    path.dedup();
    let whole =
        ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"];
    assert_eq!(path, whole);
    let versions: Vec<u64> = of_task.iter().filter_map(|e| e.json.pointer("/detail/version")?.as_u64()).collect();
    assert_eq!(versions, (1..=of_task.len() as u64).collect::<Vec<_>>());
    let first_stop = of_task.iter().find(|e| e.json.pointer("/detail/stopCode").is_some()).unwrap();
    assert_eq!(text(first_stop, "/detail/lastStatus"), "DEACTIVATING");
    assert_eq!(text(first_stop, "/detail/stopCode"), "ServiceSchedulerInitiated");
    let started_by = text(first_stop, "/detail/startedBy");
    assert_eq!(
        text(first_stop, "/detail/stoppedReason"),
        format!("Scaling activity initiated by (deployment {started_by})")
    );
}

#[test]
fn a_draining_task_still_counts_as_running() {
    let (mut world, parts) = estate();
    let down = UpdateService { desired_count: Some(0), ..update(&parts, "checkout-blue") };
    world.update_service(down).unwrap();
    after(&mut world, 15);
    assert_eq!(service(&mut world, &parts, "checkout-blue").running_count, 4);
    after(&mut world, 120);
    assert_eq!(service(&mut world, &parts, "checkout-blue").running_count, 0);
}

#[test]
fn completion_is_told_half_a_minute_after_it_happened_and_steady_state_in_the_same_second() {
    let (mut world, parts) = estate();
    let revision = Estate::of("checkout").register_revision(&mut world, "2", Behaviour::default()).unwrap();
    let deploy = UpdateService { task_definition: Some(revision), ..update(&parts, "checkout-blue") };
    world.update_service(deploy).unwrap();
    let events = after(&mut world, 1800);
    let completed = named(&events, "SERVICE_DEPLOYMENT_COMPLETED");
    assert_eq!(completed.len(), 1);
    let updated: Timestamp = text(completed[0], "/detail/updatedAt").parse().unwrap();
    let late = completed[0].at.duration_since(updated).as_secs();
    assert!((27..=53).contains(&late), "{late} s");
    let steady = named(&events, "SERVICE_STEADY_STATE");
    assert_eq!(text(steady[0], "/time"), text(completed[0], "/time"));
    let first_capacity = named(&events, "CAPACITY_PROVIDER_STEADY_STATE")[0].at;
    assert!(first_capacity < completed[0].at, "capacity provider steady state never means done");
    let view = service(&mut world, &parts, "checkout-blue");
    assert_eq!((view.deployments.len(), view.deployments[0].rollout_state.as_str()), (1, "COMPLETED"));
}

#[test]
fn a_rolling_deployment_stays_within_its_percents() {
    let (mut world, parts) = estate();
    let revision = Estate::of("checkout").register_revision(&mut world, "2", Behaviour::default()).unwrap();
    let configuration =
        DeploymentConfiguration { maximum_percent: 150, minimum_healthy_percent: 75, ..Default::default() };
    world
        .update_service(UpdateService {
            task_definition: Some(revision),
            deployment_configuration: Some(configuration),
            ..update(&parts, "checkout-blue")
        })
        .unwrap();
    for _ in 0..600 {
        after(&mut world, 3);
        let wanted = world.tasks.values().filter(|t| t.is_wanted() && t.view.group == "service:checkout-blue");
        assert!(wanted.count() <= 6);
        let healthy = world.tasks.values().filter(|t| t.view.last_status == "RUNNING" && world.targets_healthy(t));
        assert!(healthy.count() >= 3);
    }
    assert_eq!(service(&mut world, &parts, "checkout-blue").deployments.len(), 1);
    assert_eq!(world.user_errors().total(), 0);
}

#[test]
fn without_a_breaker_a_crashing_revision_never_says_failed_and_starts_are_spaced_out() {
    let (mut world, parts) = estate();
    let crashing = Behaviour { crash_at_start: true, ..Behaviour::default() };
    let revision = Estate::of("checkout").register_revision(&mut world, "2", crashing).unwrap();
    world
        .update_service(UpdateService {
            task_definition: Some(revision),
            desired_count: Some(1),
            ..update(&parts, "checkout-green")
        })
        .unwrap();
    let events = after(&mut world, 3600);
    assert!(named(&events, "SERVICE_DEPLOYMENT_FAILED").is_empty());
    assert_eq!(named(&events, "SERVICE_TASK_START_IMPAIRED").len(), 1);
    let view = service(&mut world, &parts, "checkout-green");
    assert_eq!(view.deployments[0].rollout_state, "IN_PROGRESS");
    assert!(view.deployments[0].failed_tasks >= 3);
    let exits = events.iter().filter(|e| text(e, "/detail/stopCode") == "EssentialContainerExited");
    let mut path: Vec<&str> = exits.map(|e| text(e, "/detail/lastStatus")).collect();
    path.truncate(2);
    assert_eq!(path[0], "DEPROVISIONING", "a container that exits by itself skips DEACTIVATING and STOPPING");
}

#[test]
fn the_breaker_fails_the_deployment_after_three_and_rolls_back() {
    let (mut world, parts) = estate();
    let crashing = Behaviour { crash_at_start: true, ..Behaviour::default() };
    let revision = Estate::of("checkout").register_revision(&mut world, "2", crashing).unwrap();
    let breaker = CircuitBreaker { enable: true, rollback: true };
    let configuration = DeploymentConfiguration { deployment_circuit_breaker: breaker, ..Default::default() };
    world
        .update_service(UpdateService {
            task_definition: Some(revision),
            deployment_configuration: Some(configuration),
            ..update(&parts, "checkout-blue")
        })
        .unwrap();
    let events = after(&mut world, 3600);
    let failed = named(&events, "SERVICE_DEPLOYMENT_FAILED");
    assert_eq!(failed.len(), 1);
    assert!(text(failed[0], "/detail/reason").starts_with("ECS deployment circuit breaker: task"));
    let back = named(&events, "SERVICE_DEPLOYMENT_IN_PROGRESS");
    assert!(text(back[1], "/detail/reason").contains("rolling back to deploymentId ecs-svc/"));
    let view = service(&mut world, &parts, "checkout-blue");
    assert_eq!(view.task_definition, parts.task_definition_arn);
    assert_eq!((view.running_count, view.deployments[0].rollout_state.as_str()), (4, "COMPLETED"));
}

#[test]
fn a_revision_that_fails_health_checks_is_killed_in_the_words_of_ecs() {
    let (mut world, parts) = estate();
    let unhealthy = Behaviour { fails_health_checks: true, ..Behaviour::default() };
    let revision = Estate::of("checkout").register_revision(&mut world, "2", unhealthy).unwrap();
    world
        .update_service(UpdateService {
            task_definition: Some(revision),
            desired_count: Some(1),
            ..update(&parts, "checkout-green")
        })
        .unwrap();
    let events = after(&mut world, 900);
    let killed = events.iter().find(|e| text(e, "/detail/stoppedReason").starts_with("Task failed ELB")).unwrap();
    assert_eq!(text(killed, "/detail/stopCode"), "ServiceSchedulerInitiated");
    let reason = format!("Task failed ELB health checks in (target-group {})", parts.green.target_group_arn);
    assert_eq!(text(killed, "/detail/stoppedReason"), reason);
}

#[test]
fn refusals_carry_the_codes_of_ecs() {
    let (mut world, parts) = estate();
    let code = |result: Result<Service, crate::world::ApiError>| result.unwrap_err().code;
    assert_eq!(code(world.update_service(update(&parts, "nobody"))), "ServiceNotFoundException");
    let elsewhere = UpdateService { cluster: Some("nowhere".into()), ..update(&parts, "checkout-blue") };
    assert_eq!(code(world.update_service(elsewhere)), "ClusterNotFoundException");
    let unknown = UpdateService { task_definition: Some("checkout:99".into()), ..update(&parts, "checkout-blue") };
    assert_eq!(code(world.update_service(unknown)), "ClientException");
    let revision = Estate::of("checkout").register_revision(&mut world, "2", Behaviour::default()).unwrap();
    world.deregister_task_definition(&revision).unwrap();
    let inactive = UpdateService { task_definition: Some(revision), ..update(&parts, "checkout-blue") };
    assert_eq!(world.update_service(inactive).unwrap_err().message, "TaskDefinition is inactive");
    let missing = world.describe_services(Some(&parts.cluster), &["nobody".to_owned()]).unwrap();
    assert_eq!((missing.services.len(), missing.failures[0].reason.as_str()), (0, "MISSING"));
}
