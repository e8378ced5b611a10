//! Asynchronous invocations: two retries after one and two minutes of domain time, then put aside.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use jiff::SignedDuration;
use serde_json::json;

use super::{Host, Invoked};
use crate::platform::Platform;
use crate::platform::iam::Call;
use crate::platform::queue::{MessageAttribute, Outgoing};
use crate::platform::transcript::InvocationEnd;

/// Takes an event for a function and returns at once. What AWS's queue does
/// with it follows in the background.
pub fn accept(platform: &Arc<Platform>, host: &Arc<Host>, payload: Bytes, cause: String) {
    let (platform, host) = (platform.clone(), host.clone());
    platform.clone().spawn(async move {
        let accepted_at = platform.clock.now();
        let too_old = |at| host.function.event_age_max < at;
        let mut attempt = 0;
        loop {
            let invoked = host.invoke(&platform, payload.clone(), &cause).await;
            attempt += 1;
            if invoked.end == InvocationEnd::Succeeded {
                return;
            }
            if attempt > host.function.retries {
                return put_aside(&platform, &host, &payload, &invoked, attempt, "RetriesExhausted");
            }
            platform.clock.sleep_until(platform.clock.now() + SignedDuration::from_mins(attempt.into())).await;
            if too_old(platform.clock.now().duration_since(accepted_at)) {
                return put_aside(&platform, &host, &payload, &invoked, attempt, "EventAgeExceeded");
            }
        }
    });
}

/// Sends the event to the failure destination and to the dead-letter queue,
/// whichever the function has, under the function's role.
fn put_aside(platform: &Platform, host: &Host, payload: &Bytes, invoked: &Invoked, attempts: u32, condition: &str) {
    let function = &host.function;
    let problem = match &invoked.end {
        InvocationEnd::Failed(text) => text.clone(),
        InvocationEnd::Crashed => "Runtime exited".to_owned(),
        InvocationEnd::TimedOut => format!("Task timed out after {} seconds", function.timeout.as_secs()),
        InvocationEnd::Succeeded => String::new(),
    };
    let event = String::from_utf8_lossy(payload).into_owned();
    if let Some(queue) = &function.dead_letter {
        let text = |value: &str| MessageAttribute {
            data_type: "String".to_owned(),
            string_value: Some(value.to_owned()),
            binary_value: None,
        };
        let attributes = BTreeMap::from([
            ("RequestID".to_owned(), text(&invoked.id)),
            ("ErrorCode".to_owned(), MessageAttribute { data_type: "Number".to_owned(), ..text("200") }),
            ("ErrorMessage".to_owned(), text(&problem)),
        ]);
        send(platform, host, queue, event.clone(), attributes, &invoked.id);
    }
    if let Some(queue) = &function.on_failure {
        let body = json!({
            "version": "1.0",
            "timestamp": platform.clock.now().to_string(),
            "requestContext": {
                "requestId": invoked.id,
                "functionArn": format!("{}:$LATEST", function.arn),
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": serde_json::from_str::<serde_json::Value>(&event).unwrap_or_default(),
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": { "errorMessage": problem },
        });
        send(platform, host, queue, body.to_string(), BTreeMap::new(), &invoked.id);
    }
}

fn send(
    platform: &Platform,
    host: &Host,
    queue: &str,
    body: String,
    attributes: BTreeMap<String, MessageAttribute>,
    invocation: &str,
) {
    let call = Call::new("sqs", "SendMessage", [queue.to_owned()]);
    if platform.call_for(&host.function, "SendMessage", &call, Some(invocation)) {
        let sender = host.function.role.clone();
        platform.queues.send(queue, platform.uuid(), Outgoing { body, attributes, delay: None, sender });
    }
}
