//! CloudWatch's documented table of missing data, and an alarm's way from traffic to event.

use std::time::Duration;

use serde_json::Value;

use super::evaluation::{Comparison, MissingData, Question, judge};
use crate::world::{Action, Behaviour, DescribeAlarms, Estate, ModifyRule, SetAlarmState, UpdateService, World};

#[test]
fn missing_data_is_treated_as_cloudwatch_documents_it() {
    let table = [
        ("0-X-X", 3, 3, ["OK", "OK", "OK", "OK"]),
        ("0----", 3, 3, ["OK", "OK", "OK", "OK"]),
        ("-----", 3, 3, ["INSUFFICIENT_DATA", "keep", "ALARM", "OK"]),
        ("0XX-X", 3, 3, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("--X--", 3, 3, ["ALARM", "keep", "ALARM", "OK"]),
        ("0-X-X", 3, 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("00X0X", 3, 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0-X--", 3, 2, ["OK", "OK", "ALARM", "OK"]),
        ("----0", 3, 2, ["OK", "OK", "ALARM", "OK"]),
        ("---X-", 3, 2, ["ALARM", "keep", "ALARM", "OK"]),
        ("X----", 1, 1, ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ];
    let treatments = [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
    for (points, wanted, to_alarm, expected) in table {
        let range: Vec<Option<f64>> = points
            .chars()
            .map(|c| match c {
                'X' => Some(9.0),
                '0' => Some(0.0),
                _ => None,
            })
            .collect();
        for (missing, expected) in treatments.into_iter().zip(expected) {
            let question =
                Question { points: &range, wanted, to_alarm, comparison: Comparison::Greater, threshold: 5.0, missing };
            assert_eq!(judge(&question).state.unwrap_or("keep"), expected, "{points} {to_alarm}/{wanted} {missing:?}");
        }
    }
}

fn world_with_bad_canary() -> (World, crate::world::EstateParts) {
    let mut world = World::new(5, "2026-11-22T10:00:00Z".parse().unwrap());
    let estate = Estate::of("checkout");
    let parts = estate.build(&mut world).unwrap();
    let revision = estate.register_revision(&mut world, "2", Behaviour::failing(0.2)).unwrap();
    let update = UpdateService {
        cluster: Some(parts.cluster.clone()),
        service: "checkout-green".to_owned(),
        task_definition: Some(revision),
        desired_count: Some(2),
        ..UpdateService::default()
    };
    world.update_service(update).unwrap();
    let to = world.now() + Duration::from_secs(900);
    world.advance_to(to);
    world.take_events();
    (world, parts)
}

fn weights(world: &mut World, parts: &crate::world::EstateParts, green: u32) {
    let groups = [(parts.blue.target_group_arn.as_str(), 100), (parts.green.target_group_arn.as_str(), green)];
    let actions = vec![Action::forward(&groups)];
    world.modify_rule(ModifyRule { rule_arn: parts.rule_arn.clone(), actions, ..ModifyRule::default() }).unwrap();
}

#[test]
fn a_bad_canary_raises_the_alarm_within_four_minutes_and_its_event_is_whole() {
    let (mut world, parts) = world_with_bad_canary();
    weights(&mut world, &parts, 25);
    let shifted = world.now();
    let to = world.now() + Duration::from_secs(300);
    world.advance_to(to);
    let events = world.take_events();
    let is_alarm = |e: &&crate::world::EmittedEvent| e.json["detail-type"] == "CloudWatch Alarm State Change";
    let event = events.iter().find(|e| is_alarm(e) && e.json["detail"]["state"]["value"] == "ALARM").unwrap();
    let took = event.at.duration_since(shifted).as_secs();
    assert!((31..=240).contains(&took), "{took} s");
    let detail = &event.json["detail"];
    assert_eq!(event.json["source"], "aws.cloudwatch");
    assert_eq!(detail["alarmName"], "checkout-5xx-rate");
    let reason = detail["state"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("Threshold Crossed: 1 out of the last 1 datapoint ["), "{reason}");
    assert!(
        reason.ends_with("was greater than the threshold (0.02) (minimum 1 datapoint for OK -> ALARM transition).")
    );
    let data: Value = serde_json::from_str(detail["state"]["reasonData"].as_str().unwrap()).unwrap();
    assert_eq!(data["threshold"], 0.02);
    assert_eq!(detail["configuration"]["metrics"][0]["expression"], "errors / requests");
    assert_eq!(detail["configuration"]["metrics"][1]["metricStat"]["metric"]["name"], "HTTPCode_Target_5XX_Count");

    // Home again: the old points hold the state for a while, then it goes OK.
    weights(&mut world, &parts, 0);
    let to = world.now() + Duration::from_secs(120);
    world.advance_to(to);
    assert_eq!(world.describe_alarms(&DescribeAlarms::default()).unwrap()[0].state_value, "ALARM");
    let to = world.now() + Duration::from_secs(600);
    world.advance_to(to);
    let view = world.describe_alarms(&DescribeAlarms::default()).unwrap().remove(0);
    assert_eq!(view.state_value, "OK");
    assert!(view.state_reason.contains("treated as [NonBreaching]"), "{}", view.state_reason);
}

#[test]
fn a_state_set_by_hand_is_told_once_and_lasts_until_the_next_evaluation() {
    let (mut world, parts) = world_with_bad_canary();
    let set = SetAlarmState {
        alarm_name: parts.alarm_name.clone(),
        state_value: "ALARM".to_owned(),
        state_reason: "a person says so".to_owned(),
        state_reason_data: None,
    };
    world.set_alarm_state(set.clone()).unwrap();
    world.set_alarm_state(set.clone()).unwrap();
    let events = world.take_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].json["detail"]["state"]["reason"], "a person says so");
    assert!(events[0].json["detail"]["state"].get("reasonData").is_none());
    let to = world.now() + Duration::from_secs(61);
    world.advance_to(to);
    let back = world.take_events();
    assert_eq!(back.iter().filter(|e| e.json["detail"]["state"]["value"] == "OK").count(), 1);
    world.delete_alarms(std::slice::from_ref(&parts.alarm_name)).unwrap();
    assert_eq!(world.set_alarm_state(set).unwrap_err().code, "ResourceNotFound");
}
