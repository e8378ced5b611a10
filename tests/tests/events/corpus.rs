//! The public corpus: every file is understood, or ignored with a reason; never an error.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::corpus;
use tidegate::events::{Arrival, Explanation, Home, Reason, Wakes, explain, parse};
use tidegate::machine::event::{Event, TaskChange};

/// What the files of one kind, by the start of their names, are expected to do: wake somebody, or be ignored for
/// one of these reasons.
const EXPECTED: [(&str, Expected); 19] = [
    ("cloudtrail-", Expected::Ignored(Reason::ApiCall)),
    ("cloudwatch-alarm-configuration-change-", Expected::Ignored(Reason::AlarmConfiguration)),
    ("cloudwatch-alarm-contributor-state-change-", Expected::Ignored(Reason::AlarmContributor)),
    ("cloudwatch-alarm-state-change-", Expected::Alarm),
    ("codedeploy-deployment-", Expected::Ignored(Reason::CodeDeploy)),
    ("codedeploy-hook-", Expected::Ignored(Reason::Hook)),
    ("codedeploy-instance-", Expected::Ignored(Reason::CodeDeploy)),
    ("ecr-", Expected::Ignored(Reason::Image)),
    ("ecs-container-instance-state-change-", Expected::Ignored(Reason::ContainerInstance)),
    ("ecs-deployment-state-change-", Expected::Service),
    ("ecs-hook-state-change-", Expected::Ignored(Reason::Hook)),
    ("ecs-lifecycle-hook-", Expected::Ignored(Reason::Hook)),
    ("ecs-service-action-", Expected::Service),
    ("ecs-task-state-change-", Expected::ServiceIfAny),
    ("lambda-alarm-action-", Expected::Alarm),
    ("scheduled-event-", Expected::Ignored(Reason::Schedule)),
    // The documentation's own sample has "string" for its state.
    ("sns-alarm-message-001", Expected::Ignored(Reason::UnknownAlarmState)),
    ("sns-alarm-", Expected::Alarm),
    ("sqs-eventbridge-", Expected::Ignored(Reason::UnknownSource)),
];

#[derive(Clone, Copy)]
enum Expected {
    Service,
    ServiceIfAny,
    Alarm,
    Ignored(Reason),
}

impl Expected {
    fn meets(self, wakes: &Wakes) -> bool {
        match (self, wakes) {
            (Self::Service | Self::ServiceIfAny, Wakes::Service { .. }) | (Self::Alarm, Wakes::Alarm { .. }) => true,
            (Self::ServiceIfAny, Wakes::Nobody { reason }) => *reason == Reason::TaskOfNoService,
            (Self::Ignored(expected), Wakes::Nobody { reason }) => expected == *reason,
            (Self::Service | Self::ServiceIfAny | Self::Alarm | Self::Ignored(_), _) => false,
        }
    }
}

/// Returns name and text of every file of this extension; prints that it skips where there is no corpus.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let Some(events) = corpus::events() else {
        println!("skipped: no corpus beside the repository, and TIDEGATE_CORPUS is not set");
        return Vec::new();
    };
    let files = corpus::files(&events.join(folder), extension);
    assert!(!files.is_empty(), "a corpus without {extension} files in {folder:?}");
    files
}

/// Explains a text that holds one event.
fn one(name: &str, text: &str) -> Explanation {
    let mut found = explain(text);
    assert_eq!(found.len(), 1, "{name} holds one event");
    found.remove(0).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_file_is_understood_or_ignored_with_a_reason() {
    for (name, text) in files("", "json") {
        let (_, expected) = EXPECTED
            .iter()
            .find(|(start, _)| name.starts_with(start))
            .unwrap_or_else(|| panic!("{name} is of a kind that this table does not have"));
        let explained = one(&name, &text);
        assert!(expected.meets(&explained.wakes), "{name}: {} ({})", explained.wakes, explained.what);
        assert!(!explained.what.is_empty(), "{name}");
    }
}

#[test]
fn a_wrapping_changes_nothing_but_the_place() {
    for (name, text) in files("", "json") {
        let bare = one(&name, &text);
        let line = serde_json::to_string(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
        let notification = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": text});
        let wrappings = [
            (json!([serde_json::from_str::<Value>(&text).unwrap()]).to_string(), "item 1"),
            (json!({"Records": [{"messageId": "m", "body": text}]}).to_string(), "record 1"),
            (json!({"Messages": [{"MessageId": "m", "Body": text}]}).to_string(), "message 1"),
            (json!({"events": [{"timestamp": 1, "message": line}]}).to_string(), "log event 1"),
            (
                json!({"Records": [{"EventSource": "aws:sns", "Sns": notification}]}).to_string(),
                "record 1, SNS notification",
            ),
            (
                json!({"Records": [{"messageId": "m", "body": notification.to_string()}]}).to_string(),
                "record 1, SNS notification",
            ),
        ];
        for (wrapped, place) in wrappings {
            let found = one(&name, &wrapped);
            assert!(found.within.join(", ").starts_with(place), "{name}: {:?} within {place}", found.within);
            assert_eq!(Explanation { within: bare.within.clone(), ..found }, bare, "{name} within {place}");
        }
        let lines = explain(&format!("{line}\n{line}\n"));
        assert_eq!(lines.len(), 2, "{name} twice");
        assert!(lines.iter().all(Result::is_ok), "{name} twice");
    }
}

#[test]
fn an_event_of_aws_about_another_account_or_region_is_ignored() {
    for (name, text) in files("", "json") {
        let event: Value = serde_json::from_str(&text).unwrap();
        let (Some(account), Some(region)) = (event["account"].as_str(), event["region"].as_str()) else { continue };
        let reason = |account: &str, region: &str| {
            let home = Home { account: account.to_owned(), region: region.to_owned() };
            match parse(&text, &home).unwrap_or_else(|error| panic!("{name}: {error}")) {
                Arrival::Ignored(ignored) => Some(ignored.reason),
                Arrival::Service { .. } | Arrival::Alarm(_) => None,
                other => panic!("{name}: {other:?}"),
            }
        };
        assert_eq!(reason("210987654321", region), Some(Reason::ForeignAccount), "{name}");
        assert_eq!(reason(account, "mars-north-1"), Some(Reason::ForeignRegion), "{name}");
        assert_ne!(reason(account, region), Some(Reason::ForeignAccount), "{name}");
    }
}

#[test]
fn a_recorded_deployment_reads_as_it_happened() {
    let traces = files("traces", "jsonl");
    for (name, text) in &traces {
        let arrivals: Vec<Arrival> = text.lines().map(|line| at_home(name, line)).collect();
        assert_eq!(arrivals.len(), explain(text).into_iter().filter(Result::is_ok).count(), "{name}");

        let mut tasks: BTreeMap<&str, Vec<&TaskChange>> = BTreeMap::new();
        let mut knocks = 0;
        for arrival in &arrivals {
            match arrival {
                Arrival::Service { service, event: Event::Task(task) } => {
                    assert_eq!(service, &task.service, "{name}");
                    tasks.entry(task.task.as_str()).or_default().push(task);
                }
                Arrival::Service { event: Event::Knock { .. }, .. } => knocks += 1,
                Arrival::Ignored(ignored) => assert_eq!(ignored.reason, Reason::TaskOfNoService, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(knocks > 0 && !tasks.is_empty(), "{name}: {knocks} knocks, {} tasks", tasks.len());
        for (task, changes) in tasks {
            let first = changes[0].version;
            let versions: Vec<u64> = changes.iter().map(|change| change.version).collect();
            let expected: Vec<u64> = (first..).take(versions.len()).collect();
            assert_eq!(versions, expected, "{name}: {task} changes without a gap");
            let stopping = changes.iter().skip_while(|change| change.stop_code.is_none());
            assert!(stopping.clone().all(|change| change.stop_code.is_some()), "{name}: {task} keeps its stop code");
            assert!(stopping.clone().all(|change| change.desired_status == "STOPPED"), "{name}: {task}");
        }
    }
}

fn at_home(name: &str, line: &str) -> Arrival {
    let event: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| event[key].as_str().unwrap().to_owned();
    let home = Home { account: text("account"), region: text("region") };
    parse(line, &home).unwrap_or_else(|error| panic!("{name}: {error}"))
}
