//! The store: DynamoDB, one table. State and journal change in one transaction, conditional on the version.

mod item;
mod transaction;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::KeysAndAttributes;

use crate::api::{Answer, Listed};
use crate::audit::AuditEntry;
use crate::aws::classify::{Failure, fault};
use crate::aws::clock::FunctionClock;
use crate::aws::config::once;
use crate::fault::{Fault, Outcome};
use crate::ids::{AlarmArn, RolloutId, ServiceArn};
use crate::ports::{Commit, CommitRefused, RolloutStore, Stored, Unfinished};
use crate::rollout::Promotion;
use item::Item;
use transaction::{Chain, Transaction};

/// Unfinished rollouts by their start, and finished ones.
const INDEX: &str = "unfinished";

/// BatchGetItem takes so many.
const KEYS_PER_CALL: usize = 100;

/// The clients of DynamoDB, and the table.
#[derive(Debug, Clone)]
pub struct Table {
    reads: Client,
    writes: Client,
    name: String,
    clock: FunctionClock,
}

impl Table {
    /// Makes the clients for the table of that name.
    pub fn new(sdk: &SdkConfig, name: String, clock: FunctionClock) -> Self {
        let writes = aws_sdk_dynamodb::config::Builder::from(sdk).retry_config(once()).build();
        Self { reads: Client::new(sdk), writes: Client::from_conf(writes), name, clock }
    }

    async fn get(&self, key: Item) -> Result<Option<Item>, Fault> {
        let call = self.reads.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        Ok(call.send().await.map_err(fault)?.item)
    }

    /// Reads services' items. What the table leaves out for its throughput's sake is a fault: absence is not "free".
    async fn services(&self, services: &[&ServiceArn]) -> Result<Vec<Item>, Fault> {
        let mut keys: Vec<&ServiceArn> = services.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut items = Vec::new();
        for some in keys.chunks(KEYS_PER_CALL) {
            let keys = some.iter().map(|service| item::service_key(service)).collect();
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|why| Fault::transient(why.to_string()))?;
            let answer = self.reads.batch_get_item().request_items(&self.name, wanted).send().await.map_err(fault)?;
            if answer.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
                return Err(Fault::transient("BatchGetItem left out keys: the table is throttled"));
            }
            items.extend(answer.responses.unwrap_or_default().remove(&self.name).unwrap_or_default());
        }
        Ok(items)
    }

    async fn all<T>(
        &self,
        query: QueryFluentBuilder,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut pages = query.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(item) = pages.next().await {
            found.push(read(&item.map_err(fault)?)?);
        }
        Ok(found)
    }

    async fn first<T>(
        &self,
        query: QueryFluentBuilder,
        limit: u32,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut pages = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).into_paginator().items().send();
        let mut found = Vec::new();
        while found.len() < limit as usize
            && let Some(item) = pages.next().await
        {
            found.push(read(&item.map_err(fault)?)?);
        }
        Ok(found)
    }

    fn index(&self, unfinished: bool) -> QueryFluentBuilder {
        let query = self.reads.query().table_name(&self.name).index_name(INDEX);
        query
            .key_condition_expression("unfinished = :unfinished")
            .expression_attribute_values(":unfinished", item::yes_or_no(unfinished))
    }

    /// Carries a transaction out, once. Where the answer was lost, the stored head tells whether it was.
    async fn transact(&self, rollout: &RolloutId, transaction: &Transaction) -> Result<(), CommitRefused> {
        let call = self.writes.transact_write_items().set_transact_items(Some(transaction.items()));
        let Err(error) = call.send().await else { return Ok(()) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            return transaction.cancelled(cancelled.cancellation_reasons());
        }
        match Failure::of(&error).outcome() {
            Outcome::Applied => Ok(()),
            Outcome::NotApplied { fault } => Err(fault.into()),
            Outcome::Unknown { why } => match self.load(rollout).await? {
                Some(stored) if stored.head == transaction.head => Ok(()),
                Some(_) | None => Err(Fault::transient(why).into()),
            },
        }
    }
}

impl RolloutStore for Table {
    async fn load(&self, id: &RolloutId) -> Result<Option<Stored>, Fault> {
        self.get(item::rollout_key(id)).await?.as_ref().map(item::read_rollout).transpose()
    }

    async fn by_services(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, RolloutId>, Fault> {
        let items = self.services(services).await?;
        let active = items.iter().filter_map(|item| Some((item, item::read_active(item)?)));
        active.map(|(item, id)| Ok((item::read_service(item)?, id))).collect()
    }

    async fn by_alarm(&self, alarm: &AlarmArn) -> Result<Vec<RolloutId>, Fault> {
        let query = self.reads.query().table_name(&self.name).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :alarm")
            .expression_attribute_values(":alarm", item::alarm_partition(alarm));
        self.all(query, item::read_watcher).await
    }

    async fn promotions(&self, service: &ServiceArn, limit: u32) -> Result<Vec<Promotion>, Fault> {
        let query = self.reads.query().table_name(&self.name).consistent_read(true).scan_index_forward(false);
        let query = query
            .key_condition_expression("pk = :service AND begins_with(sk, :promoted)")
            .expression_attribute_values(":service", item::service_partition(service))
            .expression_attribute_values(":promoted", item::text(item::PROMOTED));
        self.first(query, limit, item::read_promotion).await
    }

    async fn unfinished(&self) -> Result<Vec<Unfinished>, Fault> {
        self.all(self.index(true), item::read_unfinished).await
    }

    async fn begin(&self, commit: Commit<'_>) -> Result<(), CommitRefused> {
        let services = commit.rollout.services();
        let items = self.services(&services).await?;
        let chain = |service: &ServiceArn| {
            let item = items.iter().find(|item| item::read_service(item).is_ok_and(|of| of == *service));
            item.map_or_else(Chain::default, |item| Chain { head: item::read_head(item).to_owned() })
        };
        let chains = services.map(chain);
        let transaction = Transaction::begin(&commit, &chains, &self.name, self.clock.transport())?;
        self.transact(&commit.rollout.id, &transaction).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<String, CommitRefused> {
        let transaction = Transaction::commit(&commit, &self.name, self.clock.transport())?;
        self.transact(&commit.rollout.id, &transaction).await?;
        Ok(transaction.head)
    }

    async fn record(&self, key: &str, answer: &Answer) -> Result<(), Fault> {
        let wall = self.clock.transport();
        let (condition, values) = transaction::unanswered(wall)?;
        let call = self.writes.put_item().table_name(&self.name).set_item(Some(item::inbox(key, answer, wall)?));
        let call = call.condition_expression(condition).set_expression_attribute_values(Some(values));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match Failure::of(&error) {
                kept if kept.is("ConditionalCheckFailedException") => Ok(()),
                failure => Err(failure.fault()),
            },
        }
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Fault> {
        let item = self.get(item::inbox_key(key)).await?;
        Ok(item.map(|item| item::read_inbox(&item, self.clock.transport())).transpose()?.flatten())
    }

    async fn journal(&self, id: &RolloutId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, Fault> {
        let query = self.reads.query().table_name(&self.name).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :journal AND sk >= :from")
            .expression_attribute_values(":journal", item::journal_partition(id))
            .expression_attribute_values(":from", item::journal_place(from));
        self.first(query, limit, item::read_journal).await
    }

    async fn list(&self, finished: bool, limit: u32) -> Result<Vec<Listed>, Fault> {
        self.first(self.index(!finished).scan_index_forward(false), limit, item::read_listed).await
    }
}
