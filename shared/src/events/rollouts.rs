//! What concerns rollouts themselves: our own messages, and a rollout that somebody asks for on the bus.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::Envelope;
use super::text::read;
use super::{Arrival, Message, ParseError, StartRequest, printable};
use crate::machine::event::Event;
use crate::rollout::Manner;

/// The `detail-type` by which CI asks for a rollout.
pub const ROLLOUT_REQUESTED: &str = "Rollout Requested";

/// Reads one of our own messages.
pub(super) fn message(body: &str) -> Result<Arrival, ParseError> {
    Ok(match read::<Message>(body, "a message of Tidegate")? {
        Message::WakeUp { rollout, generation } => Arrival::Rollout { rollout, event: Event::WakeUp { generation } },
        Message::Event { rollout, event } => Arrival::Rollout { rollout, event },
        Message::Effects { rollout, effects } => Arrival::Effects { rollout, effects },
        Message::Start(request) => Arrival::Start(request),
        Message::Measure(request) => Arrival::Measure(request),
    })
}

impl Message {
    /// Returns the body that `parse` reads back.
    ///
    /// # Panics
    /// Never: every type in a message serializes.
    pub fn body(&self) -> String {
        serde_json::to_string(self).expect("a message serializes")
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Requested {
    spec: Option<Box<RawValue>>,
    task_definition: Option<String>,
    key: Option<String>,
}

/// Reads `Rollout Requested`. Redelivery keeps the event's id, so it serves as the key where none is given.
pub(super) fn requested(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let detail: Requested = event.detail()?;
    let spec = detail.spec.as_deref().map(spec_text).transpose()?.flatten().ok_or_else(|| {
        ParseError::new(
            format!("`{ROLLOUT_REQUESTED}` without a spec"),
            "put the rollout spec into `detail.spec`, as YAML text or as an object",
        )
    })?;
    let key = detail.key.or_else(|| event.id.clone()).ok_or_else(|| {
        ParseError::new(
            format!("`{ROLLOUT_REQUESTED}` without an id and without `detail.key`"),
            "put it on the bus with PutEvents, which gives it an id",
        )
    })?;
    let asked_at = event.time.as_deref().and_then(|time| time.parse().ok()).ok_or_else(|| {
        ParseError::new(
            format!("`{ROLLOUT_REQUESTED}` without a time"),
            "put it on the bus with PutEvents, which gives it a time",
        )
    })?;
    let by = printable(&format!("{}/{}", event.account, event.source));
    Ok(Arrival::Start(StartRequest {
        key,
        spec,
        task_definition: detail.task_definition,
        by,
        asked_at,
        manner: Manner::default(),
    }))
}

/// Returns the spec's text: what a string holds, or an object as it was written, since JSON is YAML.
fn spec_text(spec: &RawValue) -> Result<Option<String>, ParseError> {
    match spec.get().as_bytes().first() {
        Some(b'"') => read(spec.get(), "the text of a spec").map(Some),
        Some(b'{') => Ok(Some(spec.get().to_owned())),
        _ => Ok(None),
    }
}
