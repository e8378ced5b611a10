//! Lambda's batches of SQS records, and the answer that names the failed ones.

use serde::{Deserialize, Serialize};

use super::ParseError;
use super::text::read;

/// One record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its message id, by which a failure is reported.
    pub id: String,
    /// What `parse` reads; empty where the record has none.
    pub body: String,
    /// How often it has been received, this time included; `None` where SQS does not say.
    pub receives: Option<u32>,
}

/// What Lambda is answered: the records to be delivered again. Empty means that all are done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl BatchAnswer {
    /// Names the records that failed.
    pub fn failed(ids: impl IntoIterator<Item = String>) -> Self {
        let batch_item_failures = ids.into_iter().map(|item_identifier| Failure { item_identifier }).collect();
        Self { batch_item_failures }
    }

    /// Whether every record is done.
    pub fn is_clean(&self) -> bool {
        self.batch_item_failures.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    records: Vec<Wire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    message_id: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
}

/// Reads what Lambda's event source mapping hands over. A bad body is not looked at here: it must not take its
/// batch mates with it.
///
/// # Errors
/// Not a batch of SQS records. Without message ids no failure could be reported one by one.
pub fn batch(payload: &str) -> Result<Vec<Record>, ParseError> {
    let batch: Batch = read(payload, "a batch of SQS records")?;
    Ok(batch.records.into_iter().map(record).collect())
}

fn record(wire: Wire) -> Record {
    let receives = wire.attributes.approximate_receive_count.and_then(|count| count.parse().ok());
    Record { id: wire.message_id, body: wire.body.unwrap_or_default(), receives }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_its_records_with_whatever_they_hold() {
        let payload = r#"{"Records":[
            {"messageId":"a","body":"{","attributes":{"ApproximateReceiveCount":"3"},"eventSource":"aws:sqs"},
            {"messageId":"b"}]}"#;
        let records = batch(payload).unwrap();
        let seen: Vec<_> = records.iter().map(|r| (r.id.as_str(), r.body.as_str(), r.receives)).collect();
        assert_eq!(seen, [("a", "{", Some(3)), ("b", "", None)]);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        assert!(batch("{}").unwrap_err().what.starts_with("not a batch of SQS records"));
        assert!(batch(r#"{"Records":[{"body":"x"}]}"#).unwrap_err().what.contains("messageId"));
    }

    #[test]
    fn the_answer_names_the_failed_records() {
        let answer = BatchAnswer::failed(["b".to_owned()]);
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#);
        assert!(!answer.is_clean());
        assert_eq!(serde_json::to_string(&BatchAnswer::default()).unwrap(), r#"{"batchItemFailures":[]}"#);
    }
}
