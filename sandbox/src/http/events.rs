//! EventBridge's door: PutEvents onto the template's own buses.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::aws::{AwsReply, AwsRequest};
use crate::platform::iam::{Call, Policy};
use crate::platform::template::DEFAULT_BUS;
use crate::platform::template::names::bus_name;
use crate::platform::{Platform, bus};

/// The most entries of one request.
const ENTRIES_MAX: usize = 10;

/// What IAM must allow: each entry on its bus, with its source and detail-type.
///
/// # Errors
/// A request that cannot be read.
pub fn authorize(platform: &Platform, request: &AwsRequest) -> Result<Vec<Call>, AwsReply> {
    if request.action != "PutEvents" {
        return Err(request.not_implemented());
    }
    let call = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let bus = platform.template.account.arn("events", &format!("event-bus/{}", bus_of(entry)));
        Call::new("events", "PutEvents", [bus])
            .with("events:source", text("Source"))
            .with("events:detail-type", text("DetailType"))
    };
    Ok(entries(request)?.iter().map(call).collect())
}

/// The policies of the bus that a call is on.
pub fn resource_policies<'a>(platform: &'a Platform, call: &Call) -> &'a [Policy] {
    let bus = platform.template.buses.iter().find(|bus| call.resources.contains(&bus.arn));
    bus.map(|bus| bus.policies.as_slice()).unwrap_or_default()
}

/// Puts the entries that are events; the others are answered one by one.
pub fn answer(platform: &Arc<Platform>, request: &AwsRequest) -> AwsReply {
    let entries = match entries(request) {
        Ok(entries) => entries,
        Err(reply) => return reply,
    };
    let answers: Vec<Value> = entries.iter().map(|entry| put(platform, entry)).collect();
    let failed = answers.iter().filter(|answer| answer.get("ErrorCode").is_some()).count();
    request.ok(json!({ "FailedEntryCount": failed, "Entries": answers }).to_string())
}

fn entries(request: &AwsRequest) -> Result<Vec<Value>, AwsReply> {
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| request.error(400, "SerializationException", &error.to_string()))?;
    match body.get("Entries").and_then(Value::as_array) {
        Some(list) if !list.is_empty() && list.len() <= ENTRIES_MAX => Ok(list.clone()),
        Some(_) | None => Err(request.error(400, "ValidationException", "`Entries` has 1 to 10 members")),
    }
}

fn bus_of(entry: &Value) -> &str {
    entry["EventBusName"].as_str().map_or(DEFAULT_BUS, bus_name)
}

fn put(platform: &Arc<Platform>, entry: &Value) -> Value {
    let refuse = |code: &str, message: &str| json!({ "ErrorCode": code, "ErrorMessage": message });
    let (Some(source), Some(detail_type), Some(detail)) =
        (entry["Source"].as_str(), entry["DetailType"].as_str(), entry["Detail"].as_str())
    else {
        return refuse("InvalidArgument", "`Source`, `DetailType` and `Detail` are required");
    };
    if source.starts_with("aws.") {
        return refuse("NotAuthorizedForSourceException", "Not authorized for the source.");
    }
    let detail: Value = match serde_json::from_str(detail) {
        Ok(detail @ Value::Object(_)) => detail,
        Ok(_) | Err(_) => return refuse("MalformedDetail", "Detail is malformed."),
    };
    let bus = bus_of(entry);
    if bus != DEFAULT_BUS && !platform.template.buses.iter().any(|b| b.name == bus) {
        return refuse("InvalidArgument", "the event bus does not exist");
    }
    let resources: Vec<String> = serde_json::from_value(entry["Resources"].clone()).unwrap_or_default();
    let mut event = bus::envelope(platform, source, detail_type, &resources, &detail);
    if let Some(at) = entry["Time"].as_f64().and_then(|s| Timestamp::from_second(s as i64).ok()) {
        event["time"] = Value::String(at.to_string());
    }
    let id = event["id"].clone();
    bus::put(platform, bus, &event);
    json!({ "EventId": id })
}
