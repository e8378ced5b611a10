//! SQS's door: the JSON protocol over the stack's queues.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::aws::{AwsReply, AwsRequest};
use crate::platform::Platform;
use crate::platform::iam::Call;
use crate::platform::queue::{Message, Outgoing, md5_of};
use crate::platform::template::Queue;

/// The longest delay of a message.
const DELAY_MAX_SECONDS: i64 = 900;
/// The largest message, and the largest batch.
const BYTES_MAX: usize = 1024 * 1024;

/// What IAM must allow; a batch is one call of the single action.
///
/// # Errors
/// A request that cannot be read.
pub fn authorize(platform: &Platform, request: &AwsRequest) -> Result<Vec<Call>, AwsReply> {
    let body = read(request)?;
    let action = request.action.strip_suffix("Batch").unwrap_or(&request.action);
    match request.action.as_str() {
        "ListQueues" => Ok(vec![Call::on_anything("sqs", "ListQueues")]),
        "SendMessage"
        | "SendMessageBatch"
        | "ReceiveMessage"
        | "DeleteMessage"
        | "DeleteMessageBatch"
        | "ChangeMessageVisibility"
        | "GetQueueUrl"
        | "GetQueueAttributes" => {
            // IAM is asked first: whoever may not touch a queue is not told whether it exists.
            let arn = platform.template.account.arn("sqs", name_in(&body));
            Ok(vec![Call::new("sqs", action, [arn])])
        }
        _ => Err(request.not_implemented()),
    }
}

/// Performs a request that IAM has allowed. Waits as long as a receive wants to.
pub async fn answer(platform: &Platform, request: &AwsRequest, sender: &str) -> AwsReply {
    let answered = match perform(platform, request, sender).await {
        Ok(value) => value,
        Err(reply) => return reply,
    };
    request.ok(answered.to_string())
}

async fn perform(platform: &Platform, request: &AwsRequest, sender: &str) -> Result<Value, AwsReply> {
    let body = read(request)?;
    if request.action == "ListQueues" {
        let prefix = body["QueueNamePrefix"].as_str().unwrap_or_default();
        let named = platform.queues.definitions().filter(|q| q.name.starts_with(prefix));
        return Ok(json!({ "QueueUrls": named.map(|q| q.url.clone()).collect::<Vec<_>>() }));
    }
    let queue = queue_of(platform, request, &body)?;
    match request.action.as_str() {
        "SendMessage" => send(platform, request, queue, &body, sender),
        "SendMessageBatch" => batch(request, &body, |entry| send(platform, request, queue, entry, sender)),
        "ReceiveMessage" => Ok(receive(platform, queue, &body).await),
        "DeleteMessage" => Ok(delete(platform, queue, &body)),
        "DeleteMessageBatch" => batch(request, &body, |entry| Ok(delete(platform, queue, entry))),
        "ChangeMessageVisibility" => {
            let receipt = body["ReceiptHandle"].as_str().unwrap_or_default();
            let visibility = Duration::from_secs(body["VisibilityTimeout"].as_u64().unwrap_or(0));
            if platform.queues.change_visibility(&queue.arn, receipt, visibility) {
                Ok(json!({}))
            } else {
                Err(request.error(400, "com.amazonaws.sqs#MessageNotInflight", "the message is not in flight"))
            }
        }
        "GetQueueUrl" => Ok(json!({ "QueueUrl": queue.url })),
        "GetQueueAttributes" => Ok(json!({ "Attributes": attributes(platform, queue) })),
        _ => Err(request.not_implemented()),
    }
}

fn read(request: &AwsRequest) -> Result<Value, AwsReply> {
    if request.body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| request.error(400, "com.amazon.coral.service#SerializationException", &error.to_string()))
}

/// The queue's name, from its URL or as it is.
fn name_in(body: &Value) -> &str {
    let by_url = body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next());
    by_url.or_else(|| body["QueueName"].as_str()).unwrap_or_default()
}

fn queue_of<'a>(platform: &'a Platform, request: &AwsRequest, body: &Value) -> Result<&'a Queue, AwsReply> {
    let name = name_in(body);
    platform.queues.definitions().find(|q| q.name == name).ok_or_else(|| {
        let message = format!("The specified queue does not exist: {name}");
        let mut reply = request.error(400, "com.amazonaws.sqs#QueueDoesNotExist", &message);
        reply.headers.push(("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender".to_owned()));
        reply
    })
}

fn send(
    platform: &Platform,
    request: &AwsRequest,
    queue: &Queue,
    entry: &Value,
    sender: &str,
) -> Result<Value, AwsReply> {
    let refuse = |message: String| request.error(400, "com.amazonaws.sqs#InvalidParameterValue", &message);
    let body = entry["MessageBody"].as_str().filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| refuse("`MessageBody` is required".to_owned()))?.to_owned();
    if body.len() > BYTES_MAX {
        return Err(refuse(format!("one or more parameters are invalid: a message has at most {BYTES_MAX} bytes")));
    }
    let delay = match &entry["DelaySeconds"] {
        Value::Null => None,
        value => {
            let seconds = value.as_i64().filter(|s| (0..=DELAY_MAX_SECONDS).contains(s));
            let seconds = seconds.ok_or_else(|| refuse(format!("`DelaySeconds` is 0 to {DELAY_MAX_SECONDS}")))?;
            Some(SignedDuration::from_secs(seconds))
        }
    };
    let attributes = match &entry["MessageAttributes"] {
        Value::Null => BTreeMap::new(),
        given => serde_json::from_value(given.clone()).map_err(|error| refuse(error.to_string()))?,
    };
    let md5 = md5_of(&body);
    let outgoing = Outgoing { body, attributes, delay, sender: sender.to_owned() };
    let id = platform.queues.send(&queue.arn, platform.uuid(), outgoing);
    Ok(json!({ "MessageId": id, "MD5OfMessageBody": md5 }))
}

async fn receive(platform: &Platform, queue: &Queue, body: &Value) -> Value {
    let max = usize::try_from(body["MaxNumberOfMessages"].as_u64().unwrap_or(1)).unwrap_or(1).clamp(1, 10);
    let visibility = body["VisibilityTimeout"].as_u64().map(Duration::from_secs);
    let wait = Duration::from_secs(body["WaitTimeSeconds"].as_u64().unwrap_or(0).min(20));
    // Nothing in time is an answer too.
    let _ = tokio::time::timeout(wait, platform.queues.ready(&queue.arn)).await;
    let messages = platform.queues.receive(&queue.arn, max, visibility);
    if messages.is_empty() { json!({}) } else { json!({ "Messages": messages.iter().map(view).collect::<Vec<_>>() }) }
}

fn view(message: &Message) -> Value {
    let first = message.first_received_at.unwrap_or(message.sent_at);
    json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": md5_of(&message.body),
        "Attributes": {
            "ApproximateReceiveCount": message.receives.to_string(),
            "ApproximateFirstReceiveTimestamp": first.as_millisecond().to_string(),
            "SentTimestamp": message.sent_at.as_millisecond().to_string(),
            "SenderId": message.sender,
        },
        "MessageAttributes": message.attributes,
    })
}

fn delete(platform: &Platform, queue: &Queue, body: &Value) -> Value {
    platform.queues.delete(&queue.arn, body["ReceiptHandle"].as_str().unwrap_or_default());
    json!({})
}

fn attributes(platform: &Platform, queue: &Queue) -> Value {
    let depth = platform.queues.depth(&queue.arn);
    let mut all = json!({
        "QueueArn": queue.arn,
        "ApproximateNumberOfMessages": depth.visible.to_string(),
        "ApproximateNumberOfMessagesDelayed": depth.delayed.to_string(),
        "ApproximateNumberOfMessagesNotVisible": depth.in_flight.to_string(),
        "VisibilityTimeout": queue.visibility.as_secs().to_string(),
        "DelaySeconds": queue.delay.as_secs().to_string(),
        "MessageRetentionPeriod": queue.retention.as_secs().to_string(),
    });
    if let Some(redrive) = &queue.redrive {
        let policy = json!({ "deadLetterTargetArn": redrive.to, "maxReceiveCount": redrive.receives_max });
        all["RedrivePolicy"] = Value::String(policy.to_string());
    }
    all
}

/// Each entry by itself: one that fails does not hold the others up.
fn batch(
    request: &AwsRequest,
    body: &Value,
    mut one: impl FnMut(&Value) -> Result<Value, AwsReply>,
) -> Result<Value, AwsReply> {
    let entries = body["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return Err(request.error(400, "com.amazonaws.sqs#EmptyBatchRequest", "the batch is empty"));
    }
    if entries.len() > 10 {
        return Err(request.error(400, "com.amazonaws.sqs#TooManyEntriesInBatchRequest", "a batch has at most 10"));
    }
    let bytes: usize = entries.iter().filter_map(|e| e["MessageBody"].as_str()).map(str::len).sum();
    if bytes > BYTES_MAX {
        return Err(request.error(400, "com.amazonaws.sqs#BatchRequestTooLong", "the batch is too long"));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match one(entry) {
            Ok(mut answer) => {
                answer["Id"] = entry["Id"].clone();
                successful.push(answer);
            }
            Err(reply) => {
                failed.push(json!({ "Id": entry["Id"], "Code": reply.error, "SenderFault": true }));
            }
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}
