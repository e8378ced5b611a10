//! For people: what a recorded event is, whom it wakes, or why it is ignored, in any wrapping or none.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::shape::{Shape, notification};
use super::text::{bounded_depth, read, unreadable};
use super::{Arrival, Home, Ignored, ParseError, Reason, parse};
use crate::ids::{AlarmArn, RolloutId, ServiceArn};
use crate::machine::event::{AlarmChange, Event, Successor, TaskChange};
use crate::observation::AlarmState;

/// Wrappings around one event. SNS in SQS in a list in a file of lines makes four.
const WRAPPINGS_MAX: usize = 8;

/// What one event is, and what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The wrappings around it, outermost first: `record 2`, `SNS notification`.
    pub within: Vec<String>,
    /// The `detail-type`, or what the shape is called.
    pub kind: String,
    /// The event's own id.
    pub id: Option<String>,
    /// The event's own time, as it writes it.
    pub time: Option<String>,
    /// What it says; printable.
    pub what: String,
    /// Whom it wakes.
    pub wakes: Wakes,
}

/// Whom an event wakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "whom")]
pub enum Wakes {
    /// One rollout.
    Rollout {
        /// Which.
        rollout: RolloutId,
    },
    /// The active rollout of a service.
    Service {
        /// Whose.
        service: ServiceArn,
    },
    /// Every rollout that watches an alarm.
    Alarm {
        /// Which.
        alarm: AlarmArn,
    },
    /// A new rollout.
    NewRollout,
    /// A measurement for a rollout.
    Measurement {
        /// Which.
        rollout: RolloutId,
    },
    /// Nobody.
    Nobody {
        /// Why it is ignored.
        reason: Reason,
    },
}

impl fmt::Display for Wakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rollout { rollout } => write!(f, "wakes rollout {rollout}"),
            Self::Service { service } => write!(f, "wakes the active rollout of service {service}"),
            Self::Alarm { alarm } => write!(f, "wakes every rollout that watches alarm {alarm}"),
            Self::NewRollout => f.write_str("begins a rollout"),
            Self::Measurement { rollout } => write!(f, "measures for rollout {rollout}"),
            Self::Nobody { reason } => write!(f, "ignored: {reason}"),
        }
    }
}

/// Explains everything that a recording holds: one JSON value, a list, or one value per line; each a bare event or
/// one in an SQS batch, an SNS notification, the answer of `aws sqs receive-message` or of `aws logs filter-log-events`.
///
/// Returns one entry per thing found, in order, at least one; an error is something that is no event at all.
/// Each event is read as the functions at its own home would read it.
pub fn explain(text: &str) -> Vec<Result<Explanation, ParseError>> {
    let mut found = Vec::new();
    each_value(text.trim_start_matches('\u{feff}'), &[], &mut found);
    found
}

type Found = Vec<Result<Explanation, ParseError>>;

fn each_value(text: &str, within: &[String], found: &mut Found) {
    if let Err(error) = bounded_depth(text) {
        return found.push(Err(error.at(within)));
    }
    let values: Vec<_> = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>().collect();
    if values.is_empty() {
        let error = ParseError::new("nothing there", "give a file with a recorded event, or pipe one in");
        return found.push(Err(error.at(within)));
    }
    let several = values.len() > 1;
    for (index, value) in values.into_iter().enumerate() {
        match value {
            Ok(value) if several => open(value.get(), &and(within, format!("event {}", index + 1)), found),
            Ok(value) => open(value.get(), within, found),
            Err(error) => found.push(Err(unreadable(&error, "an event").at(within))),
        }
    }
}

/// Opens one JSON value: takes off a wrapping, or explains what is in none.
fn open(value: &str, within: &[String], found: &mut Found) {
    if within.len() > WRAPPINGS_MAX {
        let error =
            ParseError::new("too many wrappings", "unwrap it by hand, and look at what wraps it again and again");
        return found.push(Err(error.at(within)));
    }
    match unwrapped(value) {
        Ok(Content::Values(values)) => {
            for (place, value) in values {
                open(&value, &and(within, place), found);
            }
        }
        Ok(Content::Text(text)) => each_value(&text, within, found),
        Ok(Content::Notification(text)) => each_value(&text, &and(within, "SNS notification".to_owned()), found),
        Ok(Content::Event(shape)) => {
            found.push(explained(value, shape, within).map_err(|error| error.at(within)));
        }
        Err(error) => found.push(Err(error.at(within))),
    }
}

fn and(within: &[String], place: String) -> Vec<String> {
    within.iter().cloned().chain([place]).collect()
}

/// What is inside a value.
enum Content {
    /// Several values, each with its place.
    Values(Vec<(String, String)>),
    /// A text, which is JSON again.
    Text(String),
    /// What an SNS notification carries, which is JSON again.
    Notification(String),
    /// An event.
    Event(Shape),
}

fn unwrapped(value: &str) -> Result<Content, ParseError> {
    match value.as_bytes().first() {
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(value).map_err(|error| unreadable(&error, "a list"))?;
            let items =
                items.iter().enumerate().map(|(index, item)| (format!("item {}", index + 1), item.get().to_owned()));
            Ok(Content::Values(items.collect()))
        }
        Some(b'"') => Ok(Content::Text(read(value, "a text")?)),
        _ => match Shape::of(value)? {
            Shape::Records => Ok(Content::Values(records(value)?)),
            Shape::Notification => Ok(Content::Notification(notification(value)?)),
            shape @ (Shape::Message
            | Shape::Envelope
            | Shape::AlarmAction
            | Shape::AlarmNotice
            | Shape::LifecycleHook
            | Shape::CodeDeployHook
            | Shape::ApiCall
            | Shape::Detail(_)) => Ok(Content::Event(shape)),
        },
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Batch<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
    #[serde(rename = "Messages", borrow)]
    messages: Vec<&'a RawValue>,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Where a record keeps what it carries.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Carrier<'a> {
    #[serde(alias = "Body", alias = "message", borrow)]
    body: Option<&'a RawValue>,
    #[serde(rename = "Sns", borrow)]
    sns: Option<&'a RawValue>,
}

fn records(value: &str) -> Result<Vec<(String, String)>, ParseError> {
    let batch: Batch<'_> = serde_json::from_str(value).map_err(|error| unreadable(&error, "a batch of records"))?;
    let named = [("record", batch.records), ("message", batch.messages), ("log event", batch.events)];
    let mut contents = Vec::new();
    for (name, records) in named {
        for (index, record) in records.into_iter().enumerate() {
            let carrier: Carrier<'_> =
                serde_json::from_str(record.get()).map_err(|error| unreadable(&error, "a record"))?;
            let content = carrier.body.or(carrier.sns).unwrap_or(record);
            contents.push((format!("{name} {}", index + 1), content.get().to_owned()));
        }
    }
    if contents.is_empty() {
        return Err(ParseError::new("a batch without records", "record it again: AWS never sends an empty one"));
    }
    Ok(contents)
}

/// What an event says of itself, whatever its shape.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Label {
    id: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    #[serde(alias = "eventTime", alias = "StateChangeTime")]
    time: Option<String>,
    #[serde(alias = "accountId", alias = "AWSAccountId")]
    account: String,
    region: String,
    #[serde(rename = "AlarmArn")]
    alarm_arn: Option<String>,
}

impl Label {
    /// The place where this event is at home.
    fn home(&self) -> Home {
        let by_arn = self.alarm_arn.as_deref().and_then(|arn| arn.split(':').nth(3));
        Home { account: self.account.clone(), region: by_arn.unwrap_or(&self.region).to_owned() }
    }
}

fn explained(value: &str, shape: Shape, within: &[String]) -> Result<Explanation, ParseError> {
    let label: Label = read(value, "an event")?;
    let arrival = match shape {
        Shape::Detail(kind) => without_envelope(value, kind)?,
        Shape::Message
        | Shape::Envelope
        | Shape::AlarmAction
        | Shape::AlarmNotice
        | Shape::Notification
        | Shape::LifecycleHook
        | Shape::CodeDeployHook
        | Shape::ApiCall
        | Shape::Records => parse(value, &label.home())?,
    };
    let (told, wakes) = told(arrival);
    let kind = label.detail_type.as_deref().map_or_else(|| shape.name().to_owned(), super::printable);
    let [id, time] = [label.id, label.time].map(|text| text.as_deref().map(super::printable));
    let what = told.strip_prefix(&format!("`{kind}`: ")).unwrap_or(&told).to_owned();
    Ok(Explanation { within: within.to_vec(), kind, id, time, what, wakes })
}

/// What a task's detail says of its service; no other detail names one.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct TasksOwn {
    group: String,
    cluster_arn: String,
}

fn without_envelope(value: &str, kind: &str) -> Result<Arrival, ParseError> {
    let task: TasksOwn = read(value, format_args!("the detail of `{kind}`"))?;
    let service = task.group.strip_prefix("service:").and_then(|name| ServiceArn::in_cluster(&task.cluster_arn, name));
    let what = match service {
        Some(service) => {
            format!("without the envelope that says whose it is; in one, it wakes the rollout of {service}")
        }
        None => "without the envelope that says whose it is".to_owned(),
    };
    Ok(Arrival::Ignored(Ignored::new(Reason::WithoutEnvelope, what)))
}

/// Tells what an arrival says, and whom it wakes.
fn told(arrival: Arrival) -> (String, Wakes) {
    match arrival {
        Arrival::Rollout { rollout, event } => (said(&event), Wakes::Rollout { rollout }),
        Arrival::Service { service, event } => (said(&event), Wakes::Service { service }),
        Arrival::Alarm(change) => (alarm_said(&change), Wakes::Alarm { alarm: change.alarm }),
        Arrival::Start(request) => {
            let revision = request.task_definition.as_deref().unwrap_or("the spec's own revision");
            (format!("{} asks for a rollout of {revision}, key {}", request.by, request.key), Wakes::NewRollout)
        }
        Arrival::Measure(request) => {
            let metrics: Vec<_> = request.queries.iter().map(|query| query.metric.as_str()).collect();
            (
                format!("run {} asks for {}", request.run, metrics.join(", ")),
                Wakes::Measurement { rollout: request.rollout },
            )
        }
        Arrival::Effects { rollout, effects } => {
            (format!("{} effects of a committed step, handed on", effects.len()), Wakes::Rollout { rollout })
        }
        Arrival::Ignored(ignored) => (ignored.what, Wakes::Nobody { reason: ignored.reason }),
    }
}

fn said(event: &Event) -> String {
    match event {
        Event::Tick => "a tick of the sweep, or effects handed on".to_owned(),
        Event::WakeUp { generation } => format!("a delayed message of chain {generation}"),
        Event::Knock { what } => what.clone(),
        Event::Unplaced { reason, .. } => format!("no place for a task: {reason}"),
        Event::Task(task) => task_said(task),
        Event::Alarm(change) => alarm_said(change),
        Event::Observed(seen) => format!("the answer to look {}", seen.generation),
        Event::Performed { token, .. } => format!("the answer to write {token}"),
        Event::Measured(measured) => format!("the answer to question {} of run {}", measured.generation, measured.run),
        Event::Command(command) => format!("{} by {}", command.verb, command.by),
        Event::Successor(said) => match &**said {
            Successor::Asked { request, revision } => format!("a start of {revision} by {}", request.by),
            Successor::Answered { key } => format!("the start {key} has its answer"),
        },
    }
}

/// `task 0d6e… is STOPPING (desired STOPPED), version 7; ServiceSchedulerInitiated: Scaling activity …`.
fn task_said(task: &TaskChange) -> String {
    let id = task.task.as_str().rsplit('/').next().unwrap_or_default();
    let mut said =
        format!("task {id} is {} (desired {}), version {}", task.last_status, task.desired_status, task.version);
    if let Some(code) = &task.stop_code {
        said = format!("{said}; {code}");
    }
    if let Some(reason) = &task.stopped_reason {
        said = format!("{said}: {reason}");
    }
    said
}

fn alarm_said(change: &AlarmChange) -> String {
    let state = match change.state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData => "INSUFFICIENT_DATA",
    };
    format!("alarm {} went to {state} at {}", change.alarm.name(), change.at)
}

impl ParseError {
    /// Names the place in front.
    fn at(self, within: &[String]) -> Self {
        if within.is_empty() { self } else { Self { what: format!("{}: {}", within.join(", "), self.what), ..self } }
    }
}
