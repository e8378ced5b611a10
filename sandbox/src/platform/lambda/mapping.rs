//! Event source mappings: from a queue's messages to a function's batches, and what to delete after.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::Invoked;
use crate::platform::Platform;
use crate::platform::iam::Call;
use crate::platform::queue::{Message, md5_of};
use crate::platform::template::{Function, Mapping};
use crate::platform::transcript::InvocationEnd;

/// Lambda takes payloads of 6 MB; the rest is for the envelope of each record.
const BATCH_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Feeds a function from a queue until the task is dropped.
pub async fn run(platform: Arc<Platform>, mapping: Mapping) {
    let Some(host) = platform.template.function(&mapping.function).and_then(|f| platform.lambda.host(&f.id)).cloned()
    else {
        return;
    };
    let on_queue = |action: &str| Call::new("sqs", action, [mapping.queue.clone()]);
    if !platform.call_for(&host.function, "GetQueueAttributes", &on_queue("GetQueueAttributes"), None) {
        // As in AWS, the mapping stands still; the transcript says why.
        return;
    }
    let slots = Arc::new(Semaphore::new(mapping.concurrency_max));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let messages = gather(&platform, &mapping).await;
        if messages.is_empty() {
            continue;
        }
        if !platform.call_for(&host.function, "ReceiveMessage", &on_queue("ReceiveMessage"), None) {
            return;
        }
        let (platform, mapping, host) = (platform.clone(), mapping.clone(), host.clone());
        platform.clone().spawn(async move {
            let payload = batch(&platform, &mapping.queue, &messages);
            let invoked = host.invoke(&platform, payload, &mapping.id).await;
            settle(&platform, &mapping, &host.function, &messages, &invoked);
            drop(slot);
        });
    }
}

/// Waits for messages, and for the batch to fill as long as the window says.
async fn gather(platform: &Platform, mapping: &Mapping) -> Vec<Message> {
    platform.queues.ready(&mapping.queue).await;
    if !mapping.window.is_zero() && platform.queues.depth(&mapping.queue).visible < mapping.batch_size {
        platform.clock.sleep_until(platform.clock.now() + mapping.window).await;
    }
    let mut messages: Vec<Message> = Vec::new();
    let mut bytes = 0;
    while messages.len() < mapping.batch_size && bytes < BATCH_BYTES_MAX {
        match platform.queues.receive(&mapping.queue, 1, None).pop() {
            Some(message) => {
                bytes += message.body.len();
                messages.push(message);
            }
            None => break,
        }
    }
    messages
}

fn batch(platform: &Platform, queue: &str, messages: &[Message]) -> Bytes {
    let records: Vec<Value> = messages.iter().map(|message| record(platform, queue, message)).collect();
    Bytes::from(json!({ "Records": records }).to_string())
}

fn record(platform: &Platform, queue: &str, message: &Message) -> Value {
    let attribute = |a: &crate::platform::queue::MessageAttribute| {
        json!({
            "stringValue": a.string_value,
            "binaryValue": a.binary_value,
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": a.data_type,
        })
    };
    let attributes: serde_json::Map<String, Value> =
        message.attributes.iter().map(|(name, a)| (name.clone(), attribute(a))).collect();
    let first = message.first_received_at.unwrap_or(message.sent_at);
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent_at.as_millisecond().to_string(),
            "SenderId": message.sender,
            "ApproximateFirstReceiveTimestamp": first.as_millisecond().to_string(),
        },
        "messageAttributes": attributes,
        "md5OfBody": md5_of(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": platform.template.account.region,
    })
}

/// Deletes what the function has dealt with; the rest comes back when its visibility ends.
fn settle(platform: &Platform, mapping: &Mapping, function: &Function, messages: &[Message], invoked: &Invoked) {
    let failed = match invoked.end {
        InvocationEnd::Succeeded if mapping.reports_item_failures => item_failures(&invoked.payload, messages),
        InvocationEnd::Succeeded => Some(BTreeSet::new()),
        InvocationEnd::Failed(_) | InvocationEnd::Crashed | InvocationEnd::TimedOut => None,
    };
    let Some(failed) = failed else {
        return;
    };
    let done: Vec<&Message> = messages.iter().filter(|m| !failed.contains(&m.id)).collect();
    let delete = Call::new("sqs", "DeleteMessage", [mapping.queue.clone()]);
    if !done.is_empty() && platform.call_for(function, "DeleteMessageBatch", &delete, Some(&invoked.id)) {
        for message in done {
            platform.queues.delete(&mapping.queue, &message.receipt);
        }
    }
}

/// The ids of the messages that the function reports as failed; `None` if the
/// report cannot be understood, which fails the whole batch, as in AWS.
fn item_failures(payload: &[u8], messages: &[Message]) -> Option<BTreeSet<String>> {
    let report: Value = if payload.is_empty() { Value::Null } else { serde_json::from_slice(payload).ok()? };
    match report.get("batchItemFailures") {
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| {
                let id = item.get("itemIdentifier")?.as_str()?;
                messages.iter().any(|m| m.id == id).then(|| id.to_owned())
            })
            .collect(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> Message {
        let clock = crate::platform::clock::VirtualClock::start(jiff::Timestamp::UNIX_EPOCH, 1);
        let queue = crate::platform::template::Queue {
            id: "q".into(),
            name: "q".into(),
            arn: "q".into(),
            url: "q".into(),
            visibility: std::time::Duration::from_secs(30),
            retention: jiff::SignedDuration::from_hours(1),
            delay: jiff::SignedDuration::ZERO,
            redrive: None,
            policies: Vec::new(),
        };
        let queues = crate::platform::queue::Queues::new(clock, &[queue]);
        queues.send("q", id.into(), crate::platform::queue::Outgoing::default());
        queues.receive("q", 1, None).remove(0)
    }

    #[test]
    fn a_report_that_cannot_be_understood_fails_the_whole_batch() {
        let messages = [message("a"), message("b")];
        let failed = |payload: &str| item_failures(payload.as_bytes(), &messages);
        assert_eq!(failed(""), Some(BTreeSet::new()));
        assert_eq!(failed("null"), Some(BTreeSet::new()));
        assert_eq!(failed(r#"{"batchItemFailures":[]}"#), Some(BTreeSet::new()));
        assert_eq!(failed(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#), Some(BTreeSet::from(["b".into()])));
        assert_eq!(failed(r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#), None);
        assert_eq!(failed(r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#), None);
        assert_eq!(failed("not json"), None);
    }
}
