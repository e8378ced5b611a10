//! What is made to hurt: refused with what is wrong and a way out, or ignored and counted; its batch mates live.

use serde_json::{Value, json};
use tidegate::events::{Arrival, BODY_MAX, Home, ParseError, Reason, explain, parse, sqs};
use tidegate::machine::event::Event;

fn home() -> Home {
    Home { account: "012345678901".to_owned(), region: "eu-west-1".to_owned() }
}

fn read(body: &str) -> Result<Arrival, ParseError> {
    parse(body, &home())
}

/// An event of a task of service `checkout-blue`, changed by `change`.
fn task(change: impl FnOnce(&mut Value)) -> String {
    let mut event = json!({
        "version": "0", "id": "5d6a2bd0-0000-4000-8000-000000000001", "detail-type": "ECS Task State Change",
        "source": "aws.ecs", "account": "012345678901", "region": "eu-west-1", "time": "2026-11-22T13:00:00Z",
        "resources": ["arn:aws:ecs:eu-west-1:012345678901:task/shop/0a1b"],
        "detail": {
            "taskArn": "arn:aws:ecs:eu-west-1:012345678901:task/shop/0a1b",
            "clusterArn": "arn:aws:ecs:eu-west-1:012345678901:cluster/shop",
            "group": "service:checkout-blue", "version": 3, "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
            "overrides": {"containerOverrides": [{"environment": [{"name": "TOKEN", "value": "s3cret"}]}]}
        }
    });
    change(&mut event);
    event.to_string()
}

#[test]
fn what_no_one_can_make_sense_of_is_refused_with_a_way_out() {
    let nested = "[".repeat(256 * 1024);
    let nested_detail = task(|event| event["detail"]["attachments"] = json!("DEEP"))
        .replace("\"DEEP\"", &format!("{}{}", "[".repeat(1000), "]".repeat(1000)));
    let large = format!("\"{}\"", "x".repeat(BODY_MAX));
    let batch = json!({"Records": [{"messageId": "m", "body": task(|_| ())}]}).to_string();
    let bare_detail = serde_json::from_str::<Value>(&task(|_| ())).unwrap()["detail"].to_string();
    let wrong_type = task(|event| event["detail"]["version"] = json!("three"));
    let no_service = task(|event| {
        event["detail-type"] = json!("ECS Service Action");
        event["resources"] = json!([]);
    });
    let no_spec = task(|event| event["detail-type"] = json!("Rollout Requested")).replace("aws.ecs", "ci");
    let table: [(&str, &str); 14] = [
        ("", "not JSON: EOF"),
        ("checkout is down!", "not JSON: expected value at line 1 column 1"),
        ("{\"source\":", "not JSON: EOF"),
        ("[]", "a list, text, number or `null`"),
        ("null", "a list, text, number or `null`"),
        ("{}", "a JSON object that is no event"),
        (&nested, "the body is nested more than 64 levels deep"),
        (&nested_detail, "the body is nested more than 64 levels deep"),
        (&large, "the body has 1048578 bytes, more than 1048576"),
        (&batch, "a batch of records where one event was expected"),
        (&bare_detail, "the detail of `ECS Task State Change` without its EventBridge envelope"),
        (&wrong_type, "not the detail of `ECS Task State Change`: invalid type"),
        (&no_service, "`ECS Service Action` names no service"),
        (&no_spec, "`Rollout Requested` without a spec"),
    ];
    for (body, expected) in table {
        let error = read(body).expect_err(expected);
        assert!(error.what.starts_with(expected), "{:?} where {expected:?} was expected", error.what);
        assert!(!error.hint.is_empty(), "{expected}");
    }
}

#[test]
fn what_is_well_formed_and_unknown_is_ignored_by_a_name_to_count() {
    let changed = |pointer: &'static str, value: Value| {
        task(move |event| *event.pointer_mut(pointer).expect("a pointer into the event") = value)
    };
    let alarm = |state: &str| {
        task(|event| {
            event["source"] = json!("aws.cloudwatch");
            event["detail-type"] = json!("CloudWatch Alarm State Change");
            event["resources"] = json!(["arn:aws:cloudwatch:eu-west-1:012345678901:alarm:5xx"]);
            event["detail"] = json!({"alarmName": "5xx", "state": {"value": state}});
        })
    };
    let old_arn = task(|event| {
        event["detail-type"] = json!("ECS Deployment State Change");
        event["resources"] = json!(["arn:aws:ecs:eu-west-1:012345678901:service/checkout"]);
        event["detail"] = json!({"eventName": "SERVICE_DEPLOYMENT_COMPLETED"});
    });
    let table = [
        (changed("/detail-type", json!("ECS Task Daydream")), Reason::UnknownDetailType),
        (changed("/source", json!("aws.batch")), Reason::UnknownSource),
        (changed("/source", json!("aws.ecs.fake")), Reason::UnknownSource),
        (changed("/source", json!("tidegate")), Reason::Announcement),
        (changed("/account", json!("999999999999")), Reason::ForeignAccount),
        (changed("/account", json!("12345678901")), Reason::ForeignAccount),
        (task(|event| drop(event.as_object_mut().unwrap().remove("account"))), Reason::ForeignAccount),
        (changed("/region", json!("eu-west-2")), Reason::ForeignRegion),
        (changed("/detail/group", json!("family:batch")), Reason::TaskOfNoService),
        (changed("/detail/group", Value::Null), Reason::TaskOfNoService),
        (changed("/detail/clusterArn", Value::Null), Reason::ServiceWithoutCluster),
        (changed("/detail", Value::Null), Reason::TaskOfNoService),
        (old_arn, Reason::ServiceWithoutCluster),
        (alarm("MAYBE"), Reason::UnknownAlarmState),
        (alarm("alarm"), Reason::UnknownAlarmState),
    ];
    for (body, expected) in table {
        match read(&body).unwrap_or_else(|error| panic!("{expected}: {error}")) {
            Arrival::Ignored(ignored) => assert_eq!(ignored.reason, expected, "{}", ignored.what),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_new_word_in_a_known_event_is_passed_on_and_a_missing_version_only_knocks() {
    let sleeping = read(&task(|event| event["detail"]["lastStatus"] = json!("SLEEPING"))).unwrap();
    let Arrival::Service { event: Event::Task(change), .. } = sleeping else { panic!("{sleeping:?}") };
    assert_eq!((change.last_status.as_str(), change.version), ("SLEEPING", 3));

    let unversioned = read(&task(|event| drop(event["detail"].as_object_mut().unwrap().remove("version")))).unwrap();
    assert!(matches!(unversioned, Arrival::Service { event: Event::Knock { .. }, .. }), "{unversioned:?}");
}

#[test]
fn secrets_and_escape_sequences_of_others_stay_outside() {
    let body = task(|event| {
        event["detail"]["stopCode"] = json!("TaskFailedToStart");
        event["detail"]["stoppedReason"] = json!("\u{1b}]0;owned\u{7}Cannot pull \u{202e}egami");
    });
    let arrival = format!("{:?}", read(&body).unwrap());
    assert!(arrival.contains("]0;ownedCannot pull egami"), "{arrival}");
    assert!(!arrival.contains("s3cret"), "{arrival}");
    assert!(
        read(&body.replace("\"version\":3", "\"version\":\"s3cret-\\u001b\""))
            .is_err_and(|e| !e.what.contains('\u{1b}'))
    );
}

#[test]
fn a_poisoned_record_leaves_its_batch_mates_alone() {
    let bodies =
        [task(|_| ()), "{".repeat(256 * 1024), task(|event| event["detail"]["version"] = json!(4)), String::new()];
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| json!({"messageId": format!("m{index}"), "body": body, "eventSource": "aws:sqs"}))
        .collect();
    let batch = json!({ "Records": records }).to_string();

    let read: Vec<_> = sqs::batch(&batch).unwrap().into_iter().map(|record| (record.id, read(&record.body))).collect();
    let fates: Vec<_> = read.iter().map(|(id, arrival)| (id.as_str(), arrival.is_ok())).collect();
    assert_eq!(fates, [("m0", true), ("m1", false), ("m2", true), ("m3", false)]);

    let explained: Vec<_> = explain(&batch).iter().map(Result::is_ok).collect();
    assert_eq!(explained, [true, false, true, false]);
}

#[test]
fn what_is_no_event_is_said_with_its_place() {
    let twice = format!("{}\n{{\"cut\": ", task(|_| ()));
    let table = [
        ("", "nothing there"),
        ("kubectl get pods", "not JSON: expected value"),
        ("42", "a list, text, number or `null`"),
        ("{\"Records\":[]}", "a batch without records"),
        ("[{\"source\":\"x\"}]", "item 1: a JSON object that is no event"),
        ("{\"Records\":[{\"messageId\":\"m\",\"body\":\"hello\"}]}", "record 1: not JSON: expected value"),
    ];
    for (text, expected) in table {
        let found = explain(text);
        let error = found[0].as_ref().expect_err(expected);
        assert!(error.what.starts_with(expected), "{:?} where {expected:?} was expected", error.what);
    }
    assert_eq!(explain(&twice).iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    assert!(explain(&"[".repeat(1 << 20))[0].is_err());
}
