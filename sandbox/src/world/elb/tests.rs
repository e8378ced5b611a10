//! Rules and target health as the API shows them.

use std::time::Duration;

use serde_json::json;

use crate::world::{
    Action, ApiError, DescribeListeners, DescribeRules, Estate, EstateParts, ModifyListener, ModifyRule, Rule,
    StaleRead, TargetGroupStickinessConfig, TargetHealthDescription, UpdateService, World,
};

fn estate() -> (World, EstateParts) {
    let mut world = World::new(11, "2026-11-22T10:00:00Z".parse().unwrap());
    let parts = Estate::of("checkout").build(&mut world).unwrap();
    (world, parts)
}

fn weights(parts: &EstateParts, blue: u32, green: u32) -> Action {
    Action::forward(&[(&parts.blue.target_group_arn, blue), (&parts.green.target_group_arn, green)])
}

fn write(world: &mut World, parts: &EstateParts, actions: Vec<Action>) -> Result<Rule, ApiError> {
    world.modify_rule(ModifyRule { rule_arn: parts.rule_arn.clone(), actions, ..ModifyRule::default() })
}

fn read(world: &mut World, parts: &EstateParts) -> Rule {
    let asked = DescribeRules { rule_arns: vec![parts.rule_arn.clone()], ..DescribeRules::default() };
    world.describe_rules(&asked).unwrap().remove(0)
}

fn health(world: &mut World, group: &str) -> Vec<TargetHealthDescription> {
    world.describe_target_health(group, &[]).unwrap()
}

fn scale_green(world: &mut World, parts: &EstateParts, desired: u32) {
    let update = UpdateService {
        cluster: Some(parts.cluster.clone()),
        service: "checkout-green".to_owned(),
        desired_count: Some(desired),
        ..UpdateService::default()
    };
    world.update_service(update).unwrap();
}

#[test]
fn the_api_shows_a_rule_at_once_and_the_nodes_follow_within_the_cap() {
    let (mut world, parts) = estate();
    let shown = write(&mut world, &parts, vec![weights(&parts, 900, 100)]).unwrap();
    assert_eq!(read(&mut world, &parts), shown);
    let behind = |world: &World| {
        let rule = world.rules.get(&parts.rule_arn).unwrap();
        rule.nodes.iter().filter(|n| n.generation < rule.generation).count()
    };
    assert_eq!(behind(&world), 2);
    let to = world.now() + Duration::from_secs(10);
    world.advance_to(to);
    assert_eq!(behind(&world), 0);
}

#[test]
fn the_last_of_two_writes_wins_at_every_node() {
    let (mut world, parts) = estate();
    for weight in [100, 300, 0] {
        write(&mut world, &parts, vec![weights(&parts, 999, weight)]).unwrap();
    }
    let to = world.now() + Duration::from_secs(10);
    world.advance_to(to);
    let rule = world.rules.get(&parts.rule_arn).unwrap();
    assert!(rule.nodes.iter().all(|n| n.actions == rule.view.actions && rule.on_the_way.is_empty()));
}

#[test]
fn weights_are_refused_as_alb_refuses_them() {
    let (mut world, parts) = estate();
    let refused = |world: &mut World, action: Action| write(world, &parts, vec![action]).unwrap_err().code;
    assert_eq!(refused(&mut world, weights(&parts, 1000, 0)), "ValidationError");
    let mut unweighted = weights(&parts, 1, 0);
    unweighted.forward_config.as_mut().unwrap().target_groups[1].weight = None;
    assert_eq!(refused(&mut world, unweighted), "ValidationError");
    let six: Vec<(&str, u32)> = vec![(&parts.blue.target_group_arn, 1); 6];
    assert_eq!(refused(&mut world, Action::forward(&six)), "TooManyTargetGroups");
    assert_eq!(refused(&mut world, Action::forward(&[("arn:none", 1)])), "TargetGroupNotFound");
    let nowhere = ModifyRule { rule_arn: "arn:none".to_owned(), ..ModifyRule::default() };
    assert_eq!(world.modify_rule(nowhere).unwrap_err().code, "RuleNotFound");
    write(&mut world, &parts, vec![weights(&parts, 0, 0)]).unwrap();
}

#[test]
fn a_write_replaces_the_whole_list_and_the_oidc_secret_must_be_kept_by_name() {
    let (mut world, parts) = estate();
    let oidc = |secret: serde_json::Value| {
        let mut config = json!({ "Issuer": "https://id.example.com", "ClientId": "abc" });
        config.as_object_mut().unwrap().extend(secret.as_object().unwrap().clone());
        let opaque = serde_json::Map::from_iter([("AuthenticateOidcConfig".to_owned(), config)]);
        Action { kind: "authenticate-oidc".to_owned(), order: Some(1), opaque, ..Action::default() }
    };
    let with = |first: Action, mut forward: Action| {
        forward.order = Some(2);
        vec![first, forward]
    };
    let sticky = TargetGroupStickinessConfig { enabled: Some(true), duration_seconds: Some(60) };
    let mut forward = weights(&parts, 1, 0);
    forward.forward_config.as_mut().unwrap().target_group_stickiness_config = Some(sticky);
    write(&mut world, &parts, with(oidc(json!({ "ClientSecret": "s" })), forward)).unwrap();
    let shown = read(&mut world, &parts);
    assert!(shown.actions[0].opaque["AuthenticateOidcConfig"].get("ClientSecret").is_none());
    assert_eq!(write(&mut world, &parts, shown.actions.clone()).unwrap_err().code, "ValidationError");
    let again = with(oidc(json!({ "UseExistingClientSecret": true })), shown.actions[1].clone());
    assert_eq!(write(&mut world, &parts, again).unwrap(), shown);
    // Sent without it, the authentication is gone: the list is replaced whole.
    assert_eq!(write(&mut world, &parts, vec![weights(&parts, 1, 0)]).unwrap().actions.len(), 1);
}

#[test]
fn the_default_rule_is_changed_through_its_listener_alone() {
    let (mut world, parts) = estate();
    let asked = DescribeRules { listener_arn: Some(parts.plain_listener_arn.clone()), ..DescribeRules::default() };
    let default = world.describe_rules(&asked).unwrap().remove(0);
    assert!(default.is_default);
    let direct =
        ModifyRule { rule_arn: default.rule_arn, actions: vec![weights(&parts, 5, 5)], ..ModifyRule::default() };
    assert_eq!(world.modify_rule(direct).unwrap_err().code, "OperationNotPermitted");
    let through = ModifyListener {
        listener_arn: parts.plain_listener_arn.clone(),
        default_actions: vec![weights(&parts, 5, 5)],
        ..ModifyListener::default()
    };
    let listener = world.modify_listener(through).unwrap();
    assert_eq!(world.describe_rules(&asked).unwrap()[0].actions, listener.default_actions);
    let asked = DescribeListeners { listener_arns: vec![parts.plain_listener_arn.clone()], ..Default::default() };
    assert_eq!(world.describe_listeners(&asked).unwrap()[0], listener);
}

#[test]
fn a_target_is_initial_then_healthy_by_interval_and_threshold() {
    let (mut world, parts) = estate();
    scale_green(&mut world, &parts, 1);
    let (mut registered_at, mut healthy_at) = (None, None);
    while healthy_at.is_none() {
        let to = world.now() + Duration::from_secs(1);
        world.advance_to(to);
        match health(&mut world, &parts.green.target_group_arn).first().map(|d| d.target_health.clone()) {
            Some(h) if h.state == "initial" => {
                assert_eq!(h.reason.as_deref(), Some("Elb.InitialHealthChecking"));
                registered_at = registered_at.or(Some(world.now()));
            }
            Some(h) if h.state == "healthy" => healthy_at = Some(world.now()),
            _ => assert!(registered_at.is_none()),
        }
    }
    let took = healthy_at.unwrap().duration_since(registered_at.unwrap()).as_secs();
    assert!((10..=25).contains(&took), "two checks ten seconds apart took {took} s");
}

#[test]
fn a_group_on_no_rule_is_unused_and_never_checked() {
    let (mut world, parts) = estate();
    let alone = Action::forward(&[(&parts.blue.target_group_arn, 1)]);
    write(&mut world, &parts, vec![alone.clone()]).unwrap();
    let plain = ModifyListener {
        listener_arn: parts.plain_listener_arn.clone(),
        default_actions: vec![alone],
        ..ModifyListener::default()
    };
    world.modify_listener(plain).unwrap();
    scale_green(&mut world, &parts, 1);
    let to = world.now() + Duration::from_secs(1800);
    world.advance_to(to);
    let seen = health(&mut world, &parts.green.target_group_arn);
    assert_eq!(seen.len(), 1, "an unused target is not killed");
    assert_eq!(seen[0].target_health.reason.as_deref(), Some("Target.NotInUse"));
    // Attached at weight 0 it is checked.
    write(&mut world, &parts, vec![weights(&parts, 1, 0)]).unwrap();
    assert_eq!(health(&mut world, &parts.green.target_group_arn)[0].target_health.state, "initial");
    let to = world.now() + Duration::from_secs(30);
    world.advance_to(to);
    assert_eq!(health(&mut world, &parts.green.target_group_arn)[0].target_health.state, "healthy");
}

#[test]
fn a_target_stays_draining_for_the_whole_delay_even_without_requests() {
    let (mut world, parts) = estate();
    scale_green(&mut world, &parts, 1);
    let to = world.now() + Duration::from_secs(900);
    world.advance_to(to);
    let target = health(&mut world, &parts.green.target_group_arn)[0].target.clone();
    world.deregister_targets(&parts.green.target_group_arn, &[target]).unwrap();
    let to = world.now() + Duration::from_secs(29);
    world.advance_to(to);
    let seen = health(&mut world, &parts.green.target_group_arn);
    assert_eq!(seen[0].target_health.reason.as_deref(), Some("Target.DeregistrationInProgress"));
    let to = world.now() + Duration::from_secs(1);
    world.advance_to(to);
    assert!(health(&mut world, &parts.green.target_group_arn).is_empty());
}

#[test]
fn stale_reads_answer_from_before_and_throttles_from_the_published_buckets() {
    let (mut world, parts) = estate();
    let before = read(&mut world, &parts);
    world.stale_next(StaleRead::DescribeRules, 1);
    let written = write(&mut world, &parts, vec![weights(&parts, 1, 1)]).unwrap();
    assert_eq!(read(&mut world, &parts), before);
    assert_eq!(read(&mut world, &parts), written);

    let config = crate::world::Config { throttling: true, ..crate::world::Config::default() };
    let mut world = World::with_config(1, "2026-11-22T10:00:00Z".parse().unwrap(), config);
    let parts = Estate::of("checkout").build(&mut world).unwrap();
    let to = world.now() + Duration::from_secs(60);
    world.advance_to(to);
    let results: Vec<_> = (0..21).map(|_| write(&mut world, &parts, vec![weights(&parts, 1, 0)])).collect();
    assert!(results[..20].iter().all(Result::is_ok));
    assert_eq!(results[20].as_ref().unwrap_err().code, "Throttling");
}
