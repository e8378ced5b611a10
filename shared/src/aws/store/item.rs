//! The table's items: their keys, their attributes, and the records in them.
//!
//! | `pk` | `sk` | attributes |
//! |---|---|---|
//! | `ROLLOUT#id` | `STATE` | `state` (the record), `schema`, `version`, `head`, `phase`, `name`, `listed`, `armed_until`; in the index by `unfinished`, `started_at` |
//! | `AUDIT#id` | sequence, 20 digits | `entry` |
//! | `SERVICE#arn` | `SERVICE` | `active` while a rollout is, `head` of the last one's journal |
//! | `SERVICE#arn` | `PROMOTED#` when, 20 digits, `#id` | `promotion` |
//! | `ALARM#arn` | `ROLLOUT#id` | none |
//! | `INBOX#key` | `INBOX` | `answer`, `expires_at` (TTL, by the platform's clock) |

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Answer, Listed};
use crate::audit::AuditEntry;
use crate::fault::{Fault, Obstacle};
use crate::ids::{AlarmArn, RolloutId, ServiceArn};
use crate::ports::{Stored, Unfinished};
use crate::rollout::{Promotion, Rollout, SCHEMA};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// DynamoDB takes 400 KB with names and keys; a record is bounded well below, and this stops one that is not.
const RECORD_BYTES_MAX: usize = 350 * 1024;

/// How long the answer to a command is kept: longer than any retry or redrive of it.
pub const INBOX_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Of an index entry, whether its rollout has not ended.
pub fn yes_or_no(unfinished: bool) -> AttributeValue {
    text(if unfinished { "yes" } else { "no" })
}

/// Key of a rollout's record.
pub fn rollout_key(id: &RolloutId) -> Item {
    key(format!("ROLLOUT#{id}"), "STATE")
}

/// Partition of a rollout's journal.
pub fn journal_partition(id: &RolloutId) -> AttributeValue {
    text(format!("AUDIT#{id}"))
}

/// Sort key of a journal entry; sorts as the numbers do.
pub fn journal_place(sequence: u64) -> AttributeValue {
    text(format!("{sequence:020}"))
}

/// Key of a service.
pub fn service_key(service: &ServiceArn) -> Item {
    key(format!("SERVICE#{service}"), "SERVICE")
}

/// Partition of a service.
pub fn service_partition(service: &ServiceArn) -> AttributeValue {
    text(format!("SERVICE#{service}"))
}

/// What the sort keys of promotions begin with.
pub const PROMOTED: &str = "PROMOTED#";

/// A promotion, kept with each service of the pair; sorts by time.
pub fn promotion(service: &ServiceArn, promotion: &Promotion) -> Result<Item, Fault> {
    let Promotion { rollout, at, .. } = promotion;
    let place = format!("{PROMOTED}{:020}#{rollout}", at.as_millisecond());
    let mut item = key(format!("SERVICE#{service}"), place);
    item.insert("promotion".to_owned(), record(promotion)?);
    Ok(item)
}

/// Reads a promotion.
pub fn read_promotion(item: &Item) -> Result<Promotion, Fault> {
    json(item, "promotion")
}

/// Partition of an alarm: one item for each rollout that watches it.
pub fn alarm_partition(alarm: &AlarmArn) -> AttributeValue {
    text(format!("ALARM#{alarm}"))
}

/// Key of a rollout's interest in an alarm.
pub fn alarm_key(alarm: &AlarmArn, id: &RolloutId) -> Item {
    key(format!("ALARM#{alarm}"), format!("ROLLOUT#{id}"))
}

/// Key of a command.
pub fn inbox_key(command: &str) -> Item {
    key(format!("INBOX#{command}"), "INBOX")
}

/// A rollout's record with what finds and lists it.
pub fn rollout(rollout: &Rollout, version: u64, head: &str) -> Result<Item, Fault> {
    let listed = listed(rollout);
    let mut item = rollout_key(&rollout.id);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("state", record(rollout)?);
    set("schema", number(&rollout.schema));
    set("version", number(&version));
    set("head", text(head));
    set("phase", text(&listed.phase));
    set("name", text(&listed.name));
    set("listed", record(&listed)?);
    set("unfinished", yes_or_no(!rollout.is_settled()));
    set("started_at", number(&rollout.started_at.as_millisecond()));
    if let Some(at) = rollout.timer.armed_until {
        set("armed_until", text(at.to_string()));
    }
    Ok(item)
}

/// A journal entry.
pub fn journal(entry: &AuditEntry) -> Result<Item, Fault> {
    let partition = journal_partition(&entry.rollout);
    let keys = [("pk", partition), ("sk", journal_place(entry.sequence)), ("entry", record(entry)?)];
    Ok(keys.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A service: its active rollout, if it has one, and the end of its journal so far.
pub fn service(service: &ServiceArn, active: Option<&RolloutId>, head: &str) -> Item {
    let mut item = service_key(service);
    if let Some(id) = active {
        item.insert("active".to_owned(), text(id.as_str()));
    }
    if !head.is_empty() {
        item.insert("head".to_owned(), text(head));
    }
    item
}

/// A command's answer, kept until `expires_at`.
pub fn inbox(command: &str, answer: &Answer, wall: Timestamp) -> Result<Item, Fault> {
    let mut item = inbox_key(command);
    item.insert("answer".to_owned(), record(answer)?);
    item.insert("expires_at".to_owned(), number(&(wall.as_second() + INBOX_SECONDS)));
    Ok(item)
}

/// Reads a rollout's record. One that this code cannot know the meaning of is refused by name.
pub fn read_rollout(item: &Item) -> Result<Stored, Fault> {
    let what = || string(item, "pk").unwrap_or("an item without a key");
    let schema: u32 = parsed(item, "schema")?;
    let readable = schema == SCHEMA || (schema + 1 == SCHEMA && schema > 0);
    if !readable {
        return Err(invalid(format!(
            "{} has schema {schema}; this version reads schema {SCHEMA} and the one before: deploy the version that \
             wrote it, or a newer one",
            what()
        )));
    }
    let rollout = json(item, "state")?;
    Ok(Stored { rollout, version: parsed(item, "version")?, head: string(item, "head")?.to_owned() })
}

/// Reads a journal entry.
pub fn read_journal(item: &Item) -> Result<AuditEntry, Fault> {
    json(item, "entry")
}

/// Reads a line of a list.
pub fn read_listed(item: &Item) -> Result<Listed, Fault> {
    json(item, "listed")
}

/// Reads what the sweep needs.
pub fn read_unfinished(item: &Item) -> Result<Unfinished, Fault> {
    let key = string(item, "pk")?;
    let rollout = key.strip_prefix("ROLLOUT#").ok_or_else(|| invalid(format!("{key} is no rollout")))?;
    let armed_until = item.contains_key("armed_until").then(|| parsed(item, "armed_until")).transpose()?;
    Ok(Unfinished { rollout: RolloutId::new(rollout), armed_until })
}

/// Reads a service's active rollout.
pub fn read_active(item: &Item) -> Option<RolloutId> {
    string(item, "active").ok().map(RolloutId::new)
}

/// Reads the end of a service's journal; empty where it has none.
pub fn read_head(item: &Item) -> &str {
    string(item, "head").unwrap_or_default()
}

/// Reads which service an item is of.
pub fn read_service(item: &Item) -> Result<ServiceArn, Fault> {
    let key = string(item, "pk")?;
    key.strip_prefix("SERVICE#").map(ServiceArn::new).ok_or_else(|| invalid(format!("{key} is no service")))
}

/// Reads which rollout watches an alarm.
pub fn read_watcher(item: &Item) -> Result<RolloutId, Fault> {
    let place = string(item, "sk")?;
    place.strip_prefix("ROLLOUT#").map(RolloutId::new).ok_or_else(|| invalid(format!("{place} is no rollout")))
}

/// Reads a command's answer; `None` once it has expired, though TTL has not come to it.
pub fn read_inbox(item: &Item, wall: Timestamp) -> Result<Option<Answer>, Fault> {
    let expires_at: i64 = parsed(item, "expires_at")?;
    if expires_at <= wall.as_second() { Ok(None) } else { json(item, "answer").map(Some) }
}

/// Returns a rollout as a line of a list: here with the weight that was asked for last.
pub fn listed(rollout: &Rollout) -> Listed {
    Listed { weight: rollout.commanded.to_string(), ..rollout.listed() }
}

/// A text attribute.
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A record as JSON text, bounded.
pub fn record(value: &impl Serialize) -> Result<AttributeValue, Fault> {
    let json = serde_json::to_string(value).map_err(|why| invalid(format!("a record does not serialize: {why}")))?;
    if json.len() > RECORD_BYTES_MAX {
        let why = format!("a record has {} bytes; an item takes {RECORD_BYTES_MAX} of them", json.len());
        return Err(Fault::permanent(Obstacle::Limit, why));
    }
    Ok(AttributeValue::S(json))
}

fn key(partition: String, place: impl Into<String>) -> Item {
    Item::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(place))])
}

fn invalid(why: String) -> Fault {
    Fault::permanent(Obstacle::Invalid, why)
}

fn missing(item: &Item, name: &str) -> Fault {
    let key = item.get("pk").and_then(|key| key.as_s().ok());
    invalid(format!("{} has no readable `{name}`", key.map_or("an item without a key", String::as_str)))
}

fn string<'a>(item: &'a Item, name: &str) -> Result<&'a str, Fault> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| missing(item, name))
}

fn parsed<T: std::str::FromStr>(item: &Item, name: &str) -> Result<T, Fault> {
    let value = item.get(name).and_then(|value| value.as_n().or_else(|_| value.as_s()).ok());
    value.and_then(|value| value.parse().ok()).ok_or_else(|| missing(item, name))
}

fn json<T: DeserializeOwned>(item: &Item, name: &str) -> Result<T, Fault> {
    let value = string(item, name)?;
    serde_json::from_str(value).map_err(|why| {
        let key = string(item, "pk").unwrap_or_default();
        invalid(format!("`{name}` of {key} is not what this version writes: {why}"))
    })
}
