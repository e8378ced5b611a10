//! The store's items and transactions, without a table.

use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, TransactWriteItem};
use jiff::Timestamp;

use super::item::{self, Item};
use super::transaction::{Chain, Transaction};
use crate::api::Answer;
use crate::audit::AuditEntry;
use crate::fault::{Fault, Obstacle};
use crate::ids::{RolloutId, ServiceArn};
use crate::ports::{Commit, CommitRefused};
use crate::rollout::{AbortReason, Phase, Rollout};
use crate::test_support;

const TABLE: &str = "tidegate";

fn wall() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

fn rollout() -> Rollout {
    test_support::begin(vec![])
}

fn finished() -> Rollout {
    let mut rollout = rollout();
    rollout.phase = Phase::Degraded { reason: AbortReason::Person { by: "arn:me".into() } };
    rollout
}

fn entry(rollout: &Rollout, sequence: u64, previous: &str) -> AuditEntry {
    AuditEntry {
        rollout: rollout.id.clone(),
        sequence,
        previous: previous.into(),
        now: test_support::at(0).at,
        by: "controller".into(),
        inputs: vec![],
        outcome: "begun".into(),
        effects: vec![],
    }
}

fn begin(chains: [&str; 2]) -> Transaction {
    let rollout = rollout();
    let answer = Answer::Started { rollout: rollout.id.clone() };
    let commit =
        Commit { rollout: &rollout, entry: &entry(&rollout, 1, ""), inbox: Some(("key", &answer)), ends: false };
    let chains = chains.map(|head| Chain { head: head.to_owned() });
    Transaction::begin(&commit, &chains, TABLE, wall()).unwrap()
}

fn commit(rollout: &Rollout, inbox: Option<(&str, &Answer)>) -> Transaction {
    let entry = entry(rollout, 8, "before");
    Transaction::commit(&Commit { rollout, entry: &entry, inbox, ends: rollout.is_finished() }, TABLE, wall()).unwrap()
}

/// Key, condition, and whether it deletes.
fn shape(item: &TransactWriteItem) -> (String, &str, bool) {
    let text = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
    let (key, condition) = match (item.put(), item.delete()) {
        (Some(put), None) => (put.item(), put.condition_expression()),
        (None, Some(delete)) => (delete.key(), delete.condition_expression()),
        _ => panic!("{item:?} is neither a put nor a delete"),
    };
    (format!("{} {}", text(key, "pk"), text(key, "sk")), condition.unwrap_or("-"), item.delete().is_some())
}

const BLUE: &str = "SERVICE#arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-blue SERVICE";
const GREEN: &str = "SERVICE#arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-green SERVICE";
const ALARM: &str = "ALARM#arn:aws:cloudwatch:eu-west-1:012345678901:alarm:checkout-5xx ROLLOUT#checkout-1";
const UNANSWERED: &str = "attribute_not_exists(pk) OR answer = :accepted OR expires_at <= :wall";

#[test]
fn a_start_is_one_transaction_for_record_journal_command_services_and_alarms() {
    let items = begin(["", "chain"]).items();
    let shapes: Vec<_> = items.iter().map(shape).collect();
    let new = "attribute_not_exists(pk)";
    let (free, chained) = (
        "attribute_not_exists(active) AND attribute_not_exists(head)",
        "attribute_not_exists(active) AND head = :head",
    );
    let expected = [
        ("ROLLOUT#checkout-1 STATE", new, false),
        ("AUDIT#checkout-1 00000000000000000001", new, false),
        ("INBOX#key INBOX", UNANSWERED, false),
        (BLUE, free, false),
        (GREEN, chained, false),
        (ALARM, "-", false),
    ];
    assert_eq!(shapes, expected.map(|(key, condition, deletes)| (key.to_owned(), condition, deletes)));
    let journal = item::read_journal(items[1].put().unwrap().item()).unwrap();
    assert_eq!(journal.previous, "chain", "the canary's chain goes on where the stable side has none");
    let stored = item::read_rollout(items[0].put().unwrap().item()).unwrap();
    assert_eq!((stored.version, stored.head, stored.rollout), (1, journal.hash(), rollout()));
}

#[test]
fn a_commit_names_what_it_replaces_and_the_last_one_frees_services_and_alarms() {
    let running = rollout();
    let items = commit(&running, None).items();
    let keys: Vec<_> = items.iter().map(|item| shape(item).0).collect();
    assert_eq!(keys, ["ROLLOUT#checkout-1 STATE", "AUDIT#checkout-1 00000000000000000008"]);
    let put = items[0].put().unwrap();
    assert_eq!(put.condition_expression(), Some("version = :version AND head = :head"));
    let values = put.expression_attribute_values().unwrap();
    assert_eq!(values[":version"], AttributeValue::N("7".into()));
    assert_eq!(values[":head"], AttributeValue::S("before".into()));

    let last = commit(&finished(), None);
    let shapes: Vec<_> = last.items().iter().map(|item| shape(item).0).collect();
    assert_eq!(shapes[2..], [BLUE.to_owned(), GREEN.to_owned(), ALARM.to_owned()]);
    assert!(shape(&last.items()[4]).2, "the alarm's item goes");
    let freed = last.items()[2].put().unwrap().item().clone();
    assert_eq!((item::read_active(&freed), item::read_head(&freed)), (None, last.head.as_str()));
}

fn reason(code: &str, found: Option<Item>) -> CancellationReason {
    CancellationReason::builder().code(code).set_item(found).build()
}

fn none() -> CancellationReason {
    reason("None", None)
}

fn condition(found: Option<Item>) -> CancellationReason {
    reason("ConditionalCheckFailed", found)
}

fn stored_with(head: &str) -> Option<Item> {
    Some(item::rollout(&rollout(), 8, head).unwrap())
}

#[test]
fn a_commit_that_failed_because_it_had_succeeded_is_a_success() {
    let transaction = commit(&rollout(), None);
    let ours = stored_with(&transaction.head);
    assert_eq!(transaction.cancelled(&[condition(ours), condition(None)]), Ok(()));
    let theirs = stored_with("another");
    assert_eq!(transaction.cancelled(&[condition(theirs), condition(None)]), Err(CommitRefused::Stale));
    assert_eq!(transaction.cancelled(&[reason("TransactionConflict", None), none()]), Err(CommitRefused::Stale));
}

#[test]
fn a_refused_start_says_whether_it_is_repeated_or_the_service_busy() {
    let transaction = begin(["", ""]);
    let blue = ServiceArn::new(BLUE.strip_prefix("SERVICE#").unwrap().strip_suffix(" SERVICE").unwrap());
    let active = RolloutId::new("checkout-0");
    let taken = || condition(Some(item::service(&blue, Some(&active), "")));
    let busy = [none(), none(), none(), taken(), none(), none()];
    assert_eq!(
        transaction.cancelled(&busy),
        Err(CommitRefused::Busy { service: blue.clone(), active: active.clone() })
    );
    let repeated = [none(), none(), condition(None), taken(), none(), none()];
    assert_eq!(transaction.cancelled(&repeated), Err(CommitRefused::Repeated));
    let begun = [condition(stored_with("another")), condition(None), none(), none(), none(), none()];
    assert_eq!(transaction.cancelled(&begun), Err(CommitRefused::Repeated));
    let overtaken = [none(), none(), none(), condition(Some(item::service(&blue, None, "newer"))), none(), none()];
    let refused = transaction.cancelled(&overtaken).unwrap_err();
    assert!(matches!(refused, CommitRefused::Fault(Fault::Transient { .. })), "{refused:?} comes again");
}

#[test]
fn a_command_that_was_carried_out_is_repeated_even_where_the_version_is_stale() {
    let answer = Answer::NoOp { message: "paused already".into() };
    let transaction = commit(&rollout(), Some(("key", &answer)));
    let reasons = [condition(stored_with("another")), condition(None), condition(None)];
    assert_eq!(transaction.cancelled(&reasons), Err(CommitRefused::Repeated));
}

#[test]
fn throttling_passes_and_a_refused_item_does_not() {
    let transaction = commit(&rollout(), None);
    let fault = |code: &str| match transaction.cancelled(&[reason(code, None), none()]) {
        Err(CommitRefused::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    };
    assert!(matches!(fault("ThrottlingError"), Fault::Transient { .. }));
    assert!(matches!(fault("ValidationError"), Fault::Permanent { reason: Obstacle::Invalid, .. }));
}

#[test]
fn a_record_of_another_schema_is_refused_by_name() {
    let mut stored = item::rollout(&rollout(), 3, "h").unwrap();
    stored.insert("schema".into(), item::number(&7));
    let refused = item::read_rollout(&stored).unwrap_err().to_string();
    assert!(refused.contains("ROLLOUT#checkout-1 has schema 7"), "{refused}");
    stored.remove("schema");
    let refused = item::read_rollout(&stored).unwrap_err().to_string();
    assert!(refused.contains("no readable `schema`"), "{refused}");
}

#[test]
fn an_answer_expires_before_ttl_comes_to_it() {
    let answer = Answer::NoOp { message: "nothing".into() };
    let stored = item::inbox("key", &answer, wall()).unwrap();
    assert_eq!(item::read_inbox(&stored, wall()).unwrap(), Some(answer));
    let later = Timestamp::from_second(wall().as_second() + item::INBOX_SECONDS).unwrap();
    assert_eq!(item::read_inbox(&stored, later).unwrap(), None);
}

#[test]
fn what_is_too_large_for_an_item_is_refused_before_it_is_sent() {
    let mut rollout = rollout();
    rollout.started_by = "x".repeat(400 * 1024);
    let refused = item::rollout(&rollout, 1, "h").unwrap_err();
    assert!(matches!(refused, Fault::Permanent { reason: Obstacle::Limit, .. }), "{refused}");
}

/// A record as this schema's first version stored it in the middle of a rollout. It is never edited: a change that
/// breaks this test needs a new schema, and a version that reads both.
const GOLDEN: &str = include_str!("../../../../tests/golden/rollout-schema-1.json");

#[test]
fn a_stored_record_of_schema_1_is_read_and_written_back_whole() {
    let stored: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let mut before = item::rollout(&rollout(), 55, "head").unwrap();
    before.insert("state".into(), item::text(GOLDEN));
    let read = item::read_rollout(&before).unwrap().rollout;
    assert_eq!(read.schema, 1);
    assert_eq!(serde_json::to_value(&read).unwrap(), stored);
    assert_eq!(read.assert_valid(), Ok(()));
}
