//! Every action that a role grants is needed, is used, and ends where the template says.

use std::collections::BTreeSet;

use sandbox::demo::SPEC;
use sandbox::platform::iam::{Call, Decision, Role};
use sandbox::platform::template::Function;
use sandbox::platform::transcript::{Caller, Outcome};
use tests::stack::Stack;
use tidegate::api::{Ask, CommandRequest, Order};
use tidegate::events::{Message, StartRequest};
use tidegate::rollout::{Manner, Track};

use super::main_job::{RECORD, Record};

/// Granted without a call in the transcript of the one run, each for a reason of its own.
const NOT_CALLED: [(&str, &str); 0] = [];

fn functions(record: &Record) -> impl Iterator<Item = (&Function, &Role)> {
    let template = &record.template;
    template.functions.iter().map(|function| (function, template.role_of(function).expect("a function has a role")))
}

/// The first call that the run would have lost, by its name in the transcript.
fn first_lost(record: &Record, function: &str, action: &str) -> Option<String> {
    let (function, role) = functions(record).find(|(f, _)| f.binary == function).expect("the function is there");
    let lost = record.transcript().first_denied(&function.id, &role.without_action(action))?;
    Some(lost.entry.name())
}

#[test]
fn each_granted_action_taken_away_loses_a_call_of_the_run() {
    let record = &*RECORD;
    let mut unused = Vec::new();
    for (function, role) in functions(record) {
        for action in role.granted_actions() {
            let lost = first_lost(record, &function.binary, &action);
            let excepted = NOT_CALLED.contains(&(function.binary.as_str(), action.as_str()));
            match lost {
                Some(call) => {
                    assert!(!excepted, "{} {action} is called after all: {call}", function.binary);
                }
                None if excepted => {}
                None => unused.push(format!("{} {action}", function.binary)),
            }
        }
    }
    assert!(unused.is_empty(), "granted, and never called: {unused:#?}");
}

#[test]
fn no_function_was_refused_anything() {
    let record = &*RECORD;
    let denied = record.entries.iter().filter(|entry| {
        matches!(entry.caller, Caller::Function(_) | Caller::PlatformFor(_))
            && matches!(entry.outcome, Outcome::Denied(_))
    });
    let denied: BTreeSet<String> = denied.map(|entry| format!("{:?} {}", entry.caller, entry.name())).collect();
    assert_eq!(denied, BTreeSet::new());
}

/// Whatever the roles let functions write, they let them write it to what is managed and to nothing else.
#[test]
fn a_foreign_service_rule_listener_table_queue_or_bus_cannot_be_written() {
    let record = &*RECORD;
    let foreign = |service: &str, action: &str, resource: &str| {
        let arn = record.template.account.arn(service, resource);
        Call::new(service, action, [arn]).with("events:source", ["tidegate".to_owned()])
    };
    let load_balancer = |kind: &str| format!("{kind}/app/foreign/1234567890123456/1234567890123456");
    let calls = [
        foreign("ecs", "UpdateService", "service/production/foreign"),
        foreign("ecs", "UpdateService", "service/other/checkout-blue"),
        foreign("elasticloadbalancing", "ModifyRule", &load_balancer("listener-rule")),
        foreign("elasticloadbalancing", "ModifyListener", &load_balancer("listener")),
        foreign("dynamodb", "PutItem", "table/foreign"),
        foreign("dynamodb", "DeleteItem", "table/foreign").with("dynamodb:LeadingKeys", ["ALARM#x".to_owned()]),
        foreign("dynamodb", "UpdateItem", "table/foreign"),
        foreign("sqs", "SendMessage", "foreign"),
        foreign("sqs", "DeleteMessage", "foreign"),
        foreign("events", "PutEvents", "event-bus/default"),
    ];
    for (function, role) in functions(record) {
        for call in &calls {
            let decision = role.evaluate(call);
            assert!(matches!(decision, Decision::Denied { .. }), "{} may {call:?}", function.binary);
        }
    }
}

/// Waits for the first refusal of a function's own call, and returns the call's name.
fn refused(stack: &Stack, function: &str) -> String {
    let id = stack.sandbox.platform().template.function(function).expect("it is there").id.clone();
    stack.until(&format!("`{function}` is refused something"), || {
        let entries = stack.sandbox.transcript().entries();
        let of_it = |caller: &Caller| *caller == Caller::Function(id.clone());
        let denied = entries.iter().find(|e| of_it(&e.caller) && matches!(e.outcome, Outcome::Denied(_)))?;
        Some(denied.name())
    })
}

/// Begins a rollout as the command function hands it on, without the command function.
fn start_by_message(stack: &Stack) {
    let start = StartRequest {
        key: "by-message".to_owned(),
        spec: SPEC.to_owned(),
        task_definition: Some(stack.revision(0.0)),
        by: "a test".to_owned(),
        asked_at: stack.sandbox.now(),
        manner: Manner::default(),
    };
    stack.send("CommandQueue", &Message::Start(start).body());
}

/// Each function without one action of its own, in one run: the refusal comes at exactly the call that the whole
/// run's transcript names.
fn check_refusals(taken: &[(&str, &str)], act: impl FnOnce(&Stack)) {
    // Before the stack: the run that is recorded needs its turn, too.
    let record = &*RECORD;
    let stack = Stack::without(taken);
    start_by_message(&stack);
    act(&stack);
    for (function, action) in taken {
        let expected = first_lost(record, function, action);
        assert_eq!(Some(refused(&stack, function)), expected, "{function} without {action}");
    }
    stack.end();
}

#[test]
fn controller_alarm_query_and_sweep_without_an_action_are_refused_at_the_call_that_the_transcript_names() {
    let taken = [
        ("controller", "elasticloadbalancing:ModifyRule"),
        ("alarm", "dynamodb:Query"),
        ("query", "dynamodb:GetItem"),
        ("sweep", "dynamodb:Query"),
    ];
    check_refusals(&taken, |stack| {
        let host = stack.sandbox.platform().lambda.host("AlarmFunction").expect("it is there").clone();
        let alarm = stack.alarm_event("checkout-5xx-rate").to_string();
        stack.block_on(host.invoke(stack.sandbox.platform(), alarm.into(), "an alarm's event"));
        let (status, text) = stack.post("query", "operator", &Ask::Answer { key: "by-message".to_owned() });
        assert!(status >= 400, "a query without its table fails, and says so: {status} {text}");
    });
}

#[test]
fn command_and_analysis_without_an_action_are_refused_at_the_call_that_the_transcript_names() {
    let taken = [("command", "sqs:SendMessage"), ("analysis", "cloudwatch:GetMetricData")];
    check_refusals(&taken, |stack| {
        let order = Order::Start { spec: SPEC.to_owned(), task_definition: None, track: Track::ByWindow };
        let request = CommandRequest { key: "refused".to_owned(), order };
        let (status, text) = stack.post("command", "operator", &request);
        assert!(status >= 400, "an order that cannot be handed on fails, and says so: {status} {text}");
    });
}
