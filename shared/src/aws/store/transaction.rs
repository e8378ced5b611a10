//! One commit is one transaction: what is put under which condition, and what it means when a condition did not hold.

use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use jiff::Timestamp;

use super::item::{self, Item};
use crate::api::Answer;
use crate::audit::AuditEntry;
use crate::fault::{Fault, Obstacle};
use crate::ids::ServiceArn;
use crate::ports::{Commit, CommitRefused};
use crate::rollout::Rollout;

/// TransactWriteItems takes so many.
const ITEMS_MAX: usize = 100;

/// A transaction, with what each of its items is for, in the same order.
#[derive(Debug)]
pub struct Transaction {
    items: Vec<(Part, TransactWriteItem)>,
    /// Whether the rollout is new.
    begins: bool,
    /// The hash of its journal entry: who finds it stored knows that this very transaction was.
    pub head: String,
}

/// What an item of a transaction is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Record,
    Journal,
    Inbox,
    Service(ServiceArn),
    Promotion,
    Alarm,
}

/// What the table says of a service before a rollout of it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// The end of its journal so far; empty where it has none.
    pub head: String,
}

impl Transaction {
    /// Stores a new rollout. `chains` are those of its services, in order; the entry goes on from the stable side's,
    /// or from the canary's where the stable side has none.
    pub fn begin(commit: &Commit<'_>, chains: &[Chain; 2], table: &str, wall: Timestamp) -> Result<Self, Fault> {
        let rollout = commit.rollout;
        let previous = chains.iter().map(|chain| &chain.head).find(|head| !head.is_empty());
        let entry = AuditEntry { previous: previous.cloned().unwrap_or_default(), ..commit.entry.clone() };
        let mut transaction = Self { items: Vec::new(), begins: true, head: entry.hash() };
        let record = item::rollout(rollout, entry.sequence, &transaction.head)?;
        transaction.put(Part::Record, put(table, record).condition_expression("attribute_not_exists(pk)"))?;
        transaction.journal(table, &entry)?;
        transaction.inbox(table, commit.inbox, wall)?;
        for (service, chain) in rollout.services().into_iter().zip(chains) {
            let item = put(table, item::service(service, Some(&rollout.id), &chain.head));
            let item = if chain.head.is_empty() {
                item.condition_expression("attribute_not_exists(active) AND attribute_not_exists(head)")
            } else {
                item.condition_expression("attribute_not_exists(active) AND head = :head")
                    .expression_attribute_values(":head", item::text(&chain.head))
            };
            transaction.put(Part::Service(service.clone()), item)?;
        }
        for alarm in rollout.baseline.alarms.values() {
            transaction.put(Part::Alarm, put(table, item::alarm_key(alarm, &rollout.id)))?;
        }
        transaction.bounded()
    }

    /// Stores the next version, and frees what a finished rollout held.
    pub fn commit(commit: &Commit<'_>, table: &str, wall: Timestamp) -> Result<Self, Fault> {
        let (rollout, entry) = (commit.rollout, commit.entry);
        let mut transaction = Self { items: Vec::new(), begins: false, head: entry.hash() };
        let replaced = put(table, item::rollout(rollout, entry.sequence, &transaction.head)?)
            .condition_expression("version = :version AND head = :head")
            .expression_attribute_values(":version", item::number(&entry.sequence.saturating_sub(1)))
            .expression_attribute_values(":head", item::text(&entry.previous));
        transaction.put(Part::Record, replaced)?;
        transaction.journal(table, entry)?;
        transaction.inbox(table, commit.inbox, wall)?;
        if commit.ends {
            transaction.free(table, rollout)?;
        }
        transaction.bounded()
    }

    /// Returns the items as the SDK wants them.
    pub fn items(&self) -> Vec<TransactWriteItem> {
        self.items.iter().map(|(_, item)| item.clone()).collect()
    }

    /// Says why the transaction was cancelled; `Ok` where it had been carried out before.
    pub fn cancelled(&self, reasons: &[CancellationReason]) -> Result<(), CommitRefused> {
        let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
        let parts = || self.items.iter().map(|(part, _)| part).zip(reasons);
        let found = |reason: &CancellationReason| reason.item().cloned().unwrap_or_default();
        let failing = |wanted: &Part| parts().find(|(part, reason)| *part == wanted && failed(reason));

        let record = failing(&Part::Record).map(|(_, reason)| found(reason));
        if record.as_ref().is_some_and(|item| item::read_head(item) == self.head) {
            return Ok(());
        }
        // A rollout's id comes from its request's key: one that is there has begun by the same request.
        if failing(&Part::Inbox).is_some() || (self.begins && record.is_some()) {
            return Err(CommitRefused::Repeated);
        }
        let taken = parts().filter(|(_, reason)| failed(reason)).find_map(|(part, reason)| match part {
            Part::Service(service) => Some((service.clone(), item::read_active(&found(reason))?)),
            Part::Record | Part::Journal | Part::Inbox | Part::Promotion | Part::Alarm => None,
        });
        if let Some((service, active)) = taken
            && self.begins
        {
            return Err(CommitRefused::Busy { service, active });
        }
        // Another version, another entry in its place, another end of the chain, or a transaction in passing.
        let lost = |reason: &CancellationReason| failed(reason) || reason.code() == Some("TransactionConflict");
        if !reasons.iter().any(lost) {
            return Err(CommitRefused::Fault(why_cancelled(reasons)));
        }
        if self.begins {
            let why = "another rollout of these services came and went while this one began";
            return Err(CommitRefused::Fault(Fault::transient(why)));
        }
        Err(CommitRefused::Stale)
    }

    fn journal(&mut self, table: &str, entry: &AuditEntry) -> Result<(), Fault> {
        let new = put(table, item::journal(entry)?).condition_expression("attribute_not_exists(pk)");
        self.put(Part::Journal, new)
    }

    fn inbox(&mut self, table: &str, inbox: Option<(&str, &Answer)>, wall: Timestamp) -> Result<(), Fault> {
        let Some((command, answer)) = inbox else { return Ok(()) };
        let (condition, values) = unanswered(wall)?;
        let new = put(table, item::inbox(command, answer, wall)?)
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values));
        self.put(Part::Inbox, new)
    }

    fn free(&mut self, table: &str, rollout: &Rollout) -> Result<(), Fault> {
        for service in rollout.services() {
            let freed = put(table, item::service(service, None, &self.head))
                .condition_expression("active = :active")
                .expression_attribute_values(":active", item::text(rollout.id.as_str()));
            self.put(Part::Service(service.clone()), freed)?;
        }
        if let Some(promotion) = rollout.promotion() {
            for service in rollout.services() {
                self.put(Part::Promotion, put(table, item::promotion(service, &promotion)?))?;
            }
        }
        for alarm in rollout.baseline.alarms.values() {
            let forgotten =
                Delete::builder().table_name(table).set_key(Some(item::alarm_key(alarm, &rollout.id))).build();
            let forgotten = TransactWriteItem::builder().delete(forgotten.map_err(|why| unbuilt(&why))?).build();
            self.items.push((Part::Alarm, forgotten));
        }
        Ok(())
    }

    fn put(&mut self, part: Part, put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<(), Fault> {
        // What stands there instead saves the second read.
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld).build();
        let item = TransactWriteItem::builder().put(put.map_err(|why| unbuilt(&why))?).build();
        self.items.push((part, item));
        Ok(())
    }

    fn bounded(self) -> Result<Self, Fault> {
        let items = self.items.len();
        if items > ITEMS_MAX {
            let why = format!("a rollout with {items} items is more than one transaction takes: watch fewer alarms");
            return Err(Fault::permanent(Obstacle::Limit, why));
        }
        Ok(self)
    }
}

/// The condition under which a command's answer may be put: none is there, or it says no more than that the
/// command is on its way, or it has expired though TTL has not come to it.
pub fn unanswered(wall: Timestamp) -> Result<(&'static str, Item), Fault> {
    let values = [(":accepted", item::record(&Answer::Accepted)?), (":wall", item::number(&wall.as_second()))];
    let values = values.map(|(name, value): (&str, AttributeValue)| (name.to_owned(), value)).into();
    Ok(("attribute_not_exists(pk) OR answer = :accepted OR expires_at <= :wall", values))
}

fn put(table: &str, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
    Put::builder().table_name(table).set_item(Some(item))
}

fn unbuilt(why: &dyn std::error::Error) -> Fault {
    Fault::permanent(Obstacle::Invalid, format!("a transaction cannot be built: {why}"))
}

/// Names the reasons that are not conditions: throttling goes away, a refused item does not.
fn why_cancelled(reasons: &[CancellationReason]) -> Fault {
    let said = |reason: &CancellationReason| {
        let code = reason.code().filter(|code| *code != "None")?;
        Some((code.to_owned(), format!("{code}: {}", reason.message().unwrap_or("no message"))))
    };
    let said: Vec<(String, String)> = reasons.iter().filter_map(said).collect();
    let why = said.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("; ");
    if said.iter().any(|(code, _)| code == "ValidationError" || code == "ItemCollectionSizeLimitExceeded") {
        Fault::permanent(Obstacle::Invalid, why)
    } else {
        Fault::transient(format!("the transaction was cancelled: {why}"))
    }
}
