//! EventBridge: buses, rules, targets; each delivery after a small seeded delay of domain time.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Platform;
use super::iam::{self, Call, Principal};
use super::lambda::asynchronous;
use super::queue::{MessageAttribute, Outgoing};
use super::template::{Rule, Target, Trigger};
use super::transcript::{Caller, Entry, Outcome};

/// The service principal that rules deliver under.
const EVENTS: &str = "events.amazonaws.com";

/// The shortest delivery; half of all take a tenth of a second more, and the slowest four.
const DELIVERY_MIN: SignedDuration = SignedDuration::from_millis(50);
const DELIVERY_SPREAD_MS: f64 = 350.0;

/// Puts an envelope on a bus: every enabled rule that matches delivers it to its targets.
pub fn put(platform: &Arc<Platform>, bus: &str, event: &Value) {
    for rule in platform.template.rules.iter().filter(|rule| rule.enabled && rule.bus == bus) {
        match &rule.trigger {
            Trigger::Pattern(pattern) if pattern.matches(event) => fire(platform, rule, event),
            Trigger::Pattern(_) | Trigger::Every(_) => {}
        }
    }
}

/// Delivers an event to all targets of a rule, each with a delay of its own: there is no order.
pub fn fire(platform: &Arc<Platform>, rule: &Rule, event: &Value) {
    for target in &rule.targets {
        let skew = platform.dice(fastrand::Rng::f64).powi(2);
        let delay = DELIVERY_MIN + SignedDuration::from_secs_f64(DELIVERY_SPREAD_MS * skew / 1000.0);
        let due = platform.clock.now() + delay;
        let body = target.input.clone().unwrap_or_else(|| event.to_string());
        let (platform, rule, target) = (platform.clone(), rule.clone(), target.clone());
        platform.clone().spawn(async move {
            platform.clock.sleep_until(due).await;
            deliver(&platform, &rule, &target, body);
        });
    }
}

/// An envelope as EventBridge makes it.
pub fn envelope(platform: &Platform, source: &str, detail_type: &str, resources: &[String], detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": platform.uuid(),
        "detail-type": detail_type,
        "source": source,
        "account": platform.template.account.id,
        "time": platform.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": platform.template.account.region,
        "resources": resources,
        "detail": detail,
    })
}

fn deliver(platform: &Arc<Platform>, rule: &Rule, target: &Target, body: String) {
    let refused = match platform.template.function(&target.arn) {
        Some(function) if platform.template.permits(function, EVENTS, &rule.arn) => {
            record(platform, rule, Call::new("lambda", "InvokeFunction", [function.arn.clone()]), Outcome::Ok);
            if let Some(host) = platform.lambda.host(&function.id) {
                asynchronous::accept(platform, host, Bytes::from(body), rule.id.clone());
            }
            return;
        }
        Some(function) => {
            let call = Call::new("lambda", "InvokeFunction", [function.arn.clone()]);
            let why = format!("no AWS::Lambda::Permission lets {EVENTS} invoke it for {}", rule.arn);
            record(platform, rule, call, Outcome::Denied(why.clone()));
            (why, body)
        }
        None => match send(platform, rule, &target.arn, body) {
            Ok(()) => return,
            Err(refused) => refused,
        },
    };
    let (why, body) = refused;
    if let Some(dead_letter) = &target.dead_letter {
        put_aside(platform, rule, target, dead_letter, body, &why);
    }
}

/// Sends to a queue if the queue's policy lets the rule; else returns why not, and the body.
fn send(platform: &Platform, rule: &Rule, queue: &str, body: String) -> Result<(), (String, String)> {
    send_with(platform, rule, queue, body, BTreeMap::new())
}

fn send_with(
    platform: &Platform,
    rule: &Rule,
    queue: &str,
    body: String,
    attributes: BTreeMap<String, MessageAttribute>,
) -> Result<(), (String, String)> {
    let policies = platform.queues.definition(queue).map(|q| q.policies.as_slice()).unwrap_or_default();
    let call = Call::new("sqs", "SendMessage", [queue.to_owned()])
        .with("aws:SourceArn", [rule.arn.clone()])
        .with("aws:SourceAccount", [platform.template.account.id.clone()])
        .with("aws:SecureTransport", ["true".to_owned()]);
    match iam::evaluate(policies, &call, &Principal::Service(EVENTS.to_owned())) {
        iam::Decision::Allowed => {
            record(platform, rule, call, Outcome::Ok);
            let outgoing = Outgoing { body, attributes, delay: None, sender: EVENTS.to_owned() };
            platform.queues.send(queue, platform.uuid(), outgoing);
            Ok(())
        }
        iam::Decision::Denied { why } => {
            let why = format!("{EVENTS} {why}");
            record(platform, rule, call, Outcome::Denied(why.clone()));
            Err((why, body))
        }
    }
}

/// What cannot be delivered goes to the target's dead-letter queue at once:
/// AWS does not repeat where it was refused for want of a permission.
fn put_aside(platform: &Platform, rule: &Rule, target: &Target, queue: &str, body: String, why: &str) {
    let text = |value: &str| MessageAttribute {
        data_type: "String".to_owned(),
        string_value: Some(value.to_owned()),
        binary_value: None,
    };
    let attributes = BTreeMap::from([
        ("RULE_ARN".to_owned(), text(&rule.arn)),
        ("TARGET_ARN".to_owned(), text(&target.arn)),
        ("ERROR_CODE".to_owned(), text("NO_PERMISSIONS")),
        ("ERROR_MESSAGE".to_owned(), text(why)),
    ]);
    // Refused here too, the event is lost, as in AWS; the transcript has both refusals.
    let _ = send_with(platform, rule, queue, body, attributes);
}

fn record(platform: &Platform, rule: &Rule, call: Call, outcome: Outcome) {
    let moment = platform.moment();
    platform.transcript.record(Entry {
        started: moment,
        ended: moment,
        caller: Caller::Service(format!("{EVENTS} for {}", rule.id)),
        invocation: None,
        service: call.service.clone(),
        operation: call.action.clone(),
        calls: vec![call],
        outcome,
    });
}
