//! DynamoDB's door: what IAM is asked per item and key, and the embedded engine that answers.

use std::sync::Arc;

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use dynoxide::storage_backend::Clock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::aws::{AwsReply, AwsRequest};
use crate::platform::LoadError;
use crate::platform::clock::VirtualClock;
use crate::platform::iam::Call;
use crate::platform::template::{Table, Template};

/// The stack's tables.
pub struct Tables {
    database: Database,
    tables: Vec<Table>,
}

/// The engine's clock is the run's: an expiry is domain time.
struct EngineClock(VirtualClock);

impl Clock for EngineClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().as_second()).unwrap_or(0)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.0.now().as_millisecond() as f64 / 1000.0
    }
}

impl Tables {
    /// Creates every table of the template.
    ///
    /// # Errors
    /// A table definition that DynamoDB refuses.
    pub fn create(template: &Template, clock: &VirtualClock) -> Result<Self, LoadError> {
        let refuse = |place: &str, error: &dyn std::fmt::Display| LoadError::new(place, error.to_string());
        let engine = "the embedded DynamoDB";
        let database =
            Database::memory_with_clock(Arc::new(EngineClock(clock.clone()))).map_err(|e| refuse(engine, &e))?;
        for table in &template.tables {
            let place = format!("{} (AWS::DynamoDB::Table)", table.id);
            let request =
                serde_json::from_value(table.definition.clone()).map_err(|e| refuse(&place, &unreadable(&e)))?;
            database.create_table(request).map_err(|e| refuse(&place, &e))?;
            if let Some(attribute) = &table.expires_by {
                let specification = json!({ "AttributeName": attribute, "Enabled": true });
                let request = json!({ "TableName": table.name, "TimeToLiveSpecification": specification });
                let request = serde_json::from_value(request).map_err(|e| refuse(&place, &e))?;
                database.update_time_to_live(request).map_err(|e| refuse(&place, &e))?;
            }
        }
        Ok(Self { database, tables: template.tables.clone() })
    }

    /// The engine, for whoever looks at the tables from outside the door.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What IAM must allow: for a transaction or a batch, each of its items.
    ///
    /// # Errors
    /// A request that cannot be read.
    pub fn authorize(&self, request: &AwsRequest) -> Result<Vec<Call>, AwsReply> {
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|e| request.error(400, "SerializationException", &e.to_string()))?;
        let single = |action: &str, key: &str| vec![self.item_call(action, &body, body.get(key))];
        Ok(match request.action.as_str() {
            "PutItem" => single("PutItem", "Item"),
            "GetItem" | "UpdateItem" | "DeleteItem" => single(&request.action, "Key"),
            "Query" => vec![self.query_call(&body)],
            "Scan" | "DescribeTable" | "DescribeTimeToLive" => {
                vec![Call::new("dynamodb", &request.action, [self.resource(&body)])]
            }
            "BatchGetItem" => self.batch_calls("BatchGetItem", &body, |part| list(&part["Keys"]).to_vec()),
            "BatchWriteItem" => self.batch_calls("BatchWriteItem", &body, |part| {
                let item = |one: &Value| {
                    one.pointer("/PutRequest/Item").or_else(|| one.pointer("/DeleteRequest/Key")).cloned()
                };
                list(part).iter().filter_map(item).collect()
            }),
            "TransactWriteItems" | "TransactGetItems" => self.transaction_calls(&body),
            "ListTables" => vec![Call::on_anything("dynamodb", "ListTables")],
            _ => return Err(request.not_implemented()),
        })
    }

    /// Performs a request that IAM has allowed.
    pub fn answer(&self, request: &AwsRequest) -> AwsReply {
        let (db, body) = (&self.database, request.body.as_ref());
        let answered = match request.action.as_str() {
            "PutItem" => run(body, |r| db.put_item(r)),
            "GetItem" => run(body, |r| db.get_item(r)),
            "UpdateItem" => run(body, |r| db.update_item(r)),
            "DeleteItem" => run(body, |r| db.delete_item(r)),
            "Query" => run(body, |r| db.query(r)),
            "Scan" => run(body, |r| db.scan(r)),
            "BatchGetItem" => run(body, |r| db.batch_get_item(r)),
            "BatchWriteItem" => run(body, |r| db.batch_write_item(r)),
            "TransactWriteItems" => run(body, |r| db.transact_write_items(r)),
            "TransactGetItems" => run(body, |r| db.transact_get_items(r)),
            "DescribeTable" => run(body, |r| db.describe_table(r)),
            "DescribeTimeToLive" => run(body, |r| db.describe_time_to_live(r)),
            "ListTables" => run(body, |r| db.list_tables(r)),
            _ => return request.not_implemented(),
        };
        match answered {
            Ok(body) => request.ok(body),
            Err(error) => {
                let code = error.error_type().rsplit('#').next().unwrap_or_default().to_owned();
                let mut reply = request.error(error.status_code(), &code, "");
                reply.body = error.to_json().into_bytes();
                reply
            }
        }
    }

    fn transaction_calls(&self, body: &Value) -> Vec<Call> {
        let kinds = [
            ("Put", "PutItem", "Item"),
            ("Update", "UpdateItem", "Key"),
            ("Delete", "DeleteItem", "Key"),
            ("ConditionCheck", "ConditionCheckItem", "Key"),
            ("Get", "GetItem", "Key"),
        ];
        let mut calls = Vec::new();
        for item in list(&body["TransactItems"]) {
            for (kind, action, key) in kinds {
                if let Some(part) = item.get(kind) {
                    calls.push(self.item_call(action, part, part.get(key)));
                }
            }
        }
        calls
    }

    fn batch_calls(&self, action: &str, body: &Value, keys: impl Fn(&Value) -> Vec<Value>) -> Vec<Call> {
        let Some(tables) = body.get("RequestItems").and_then(Value::as_object) else {
            return Vec::new();
        };
        let call = |(name, part): (&String, &Value)| {
            let leading = keys(part).iter().filter_map(|key| self.leading_key(name, None, key)).collect::<Vec<_>>();
            Call::new("dynamodb", action, [self.arn(name)]).with("dynamodb:LeadingKeys", leading)
        };
        tables.iter().map(call).collect()
    }

    /// A call on one item; `item` holds its key.
    fn item_call(&self, action: &str, part: &Value, item: Option<&Value>) -> Call {
        let table = part["TableName"].as_str().unwrap_or_default();
        let leading = item.and_then(|item| self.leading_key(table_name(table), None, item));
        Call::new("dynamodb", action, [self.arn(table)]).with("dynamodb:LeadingKeys", leading)
    }

    fn query_call(&self, body: &Value) -> Call {
        let table = table_name(body["TableName"].as_str().unwrap_or_default());
        let key = self.partition_key(table, body["IndexName"].as_str());
        let leading = key.and_then(|key| queried_value(body, key));
        Call::new("dynamodb", "Query", [self.resource(body)]).with("dynamodb:LeadingKeys", leading)
    }

    fn resource(&self, body: &Value) -> String {
        let table = self.arn(body["TableName"].as_str().unwrap_or_default());
        match body["IndexName"].as_str() {
            Some(index) => format!("{table}/index/{index}"),
            None => table,
        }
    }

    /// The ARN of a table that a request names, by name or by ARN.
    fn arn(&self, table: &str) -> String {
        let name = table_name(table);
        match self.tables.iter().find(|t| t.name == name) {
            Some(table) => table.arn.clone(),
            // A table that is not there is still asked for under the name that was given.
            None if table.starts_with("arn:") => table.to_owned(),
            None => match self.tables.first().and_then(|t| t.arn.rsplit_once('/')) {
                Some((prefix, _)) => format!("{prefix}/{name}"),
                None => name.to_owned(),
            },
        }
    }

    fn leading_key(&self, table: &str, index: Option<&str>, item: &Value) -> Option<String> {
        attribute_text(item.get(self.partition_key(table_name(table), index)?)?)
    }

    fn partition_key(&self, table: &str, index: Option<&str>) -> Option<&str> {
        let definition = &self.tables.iter().find(|t| t.name == table)?.definition;
        let schema = match index {
            None => &definition["KeySchema"],
            Some(index) => {
                let indexes = list(&definition["GlobalSecondaryIndexes"]);
                &indexes.iter().find(|i| i["IndexName"] == index)?["KeySchema"]
            }
        };
        list(schema).iter().find(|k| k["KeyType"] == "HASH")?["AttributeName"].as_str()
    }
}

/// The value that a query asks of the partition key: `#pk = :pk`, on either side of an `AND`.
fn queried_value(body: &Value, partition_key: &str) -> Option<String> {
    let expression = body["KeyConditionExpression"].as_str()?;
    let mut words = expression.split(|c: char| c.is_whitespace() || "()".contains(c)).filter(|w| !w.is_empty());
    let mut before = words.next()?;
    let mut operator = words.next()?;
    for word in words {
        let name = body["ExpressionAttributeNames"].get(before).and_then(Value::as_str).unwrap_or(before);
        if operator == "=" && name == partition_key {
            return attribute_text(body["ExpressionAttributeValues"].get(word)?);
        }
        (before, operator) = (operator, word);
    }
    None
}

/// A key's value as IAM compares it: only texts, numbers and binaries are keys.
fn attribute_text(value: &Value) -> Option<String> {
    ["S", "N", "B"].iter().find_map(|kind| value.get(kind)?.as_str()).map(str::to_owned)
}

fn table_name(table: &str) -> &str {
    table.rsplit_once('/').map_or(table, |(_, name)| name)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    perform: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<Vec<u8>, DynoxideError> {
    let request = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let answer = perform(request)?;
    serde_json::to_vec(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The engine's request types say by a mark in their error which of DynamoDB's
/// two refusals it is; the mark and serde's position stay inside.
fn unreadable(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let invalid = |message: &str| DynoxideError::ValidationException(message.to_owned());
    for mark in ["VALIDATION:", "VALIDATION_REQUEST:"] {
        if let Some(message) = text.strip_prefix(mark) {
            return invalid(message);
        }
    }
    if text.contains("missing field") || text.contains("unknown variant") {
        return invalid(text);
    }
    DynoxideError::SerializationException(text.strip_prefix("SERIALIZATION:").unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::super::aws::{JsonVersion, Protocol};
    use super::*;
    use crate::platform::template::Account;

    const TABLE: &str = "
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: rollouts
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }, { AttributeName: open, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
      GlobalSecondaryIndexes:
        - IndexName: open
          KeySchema: [{ AttributeName: open, KeyType: HASH }]
          Projection: { ProjectionType: ALL }
";

    fn tables() -> Tables {
        let account = Account::sandbox("http://127.0.0.1:1");
        let template = Template::load(TABLE, &account, &Default::default()).unwrap();
        Tables::create(&template, &VirtualClock::start("2026-01-05T09:00:00Z".parse().unwrap(), 1)).unwrap()
    }

    fn request(action: &str, body: &Value) -> AwsRequest {
        AwsRequest {
            service: "dynamodb".into(),
            action: action.into(),
            protocol: Protocol::Json { version: JsonVersion::V1_0 },
            request_id: "r".into(),
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        }
    }

    #[test]
    fn each_item_of_a_transaction_is_asked_with_its_own_key() {
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "rollouts", "Item": {"pk": {"S": "AUDIT#1"}}}},
            {"ConditionCheck": {"TableName": "rollouts", "Key": {"pk": {"S": "R#1"}}, "ConditionExpression": "attribute_exists(pk)"}},
        ]});
        let calls = tables().authorize(&request("TransactWriteItems", &body)).unwrap();
        let asked: Vec<_> = calls.iter().map(|c| (c.name(), c.context["dynamodb:LeadingKeys"].clone())).collect();
        assert_eq!(
            asked,
            [
                ("dynamodb:PutItem".to_owned(), vec!["AUDIT#1".to_owned()]),
                ("dynamodb:ConditionCheckItem".to_owned(), vec!["R#1".to_owned()]),
            ]
        );
        assert_eq!(calls[0].resources, ["arn:aws:dynamodb:eu-west-1:123456789012:table/rollouts"]);
    }

    #[test]
    fn a_query_is_asked_with_the_key_it_looks_under() {
        let body = json!({"TableName": "rollouts", "IndexName": "open", "KeyConditionExpression": "#o = :o AND id > :x",
            "ExpressionAttributeNames": {"#o": "open"}, "ExpressionAttributeValues": {":o": {"S": "yes"}, ":x": {"S": "1"}}});
        let call = tables().authorize(&request("Query", &body)).unwrap().remove(0);
        assert_eq!(call.resources, ["arn:aws:dynamodb:eu-west-1:123456789012:table/rollouts/index/open"]);
        assert_eq!(call.context["dynamodb:LeadingKeys"], ["yes"]);
    }

    #[test]
    fn a_failed_transaction_says_which_item_failed() {
        let tables = tables();
        let put = json!({"TransactItems": [{"Put": {"TableName": "rollouts", "Item": {"pk": {"S": "1"}},
            "ConditionExpression": "attribute_not_exists(pk)"}}]});
        assert_eq!(tables.answer(&request("TransactWriteItems", &put)).status, 200);
        let again = tables.answer(&request("TransactWriteItems", &put));
        assert_eq!(again.error.as_deref(), Some("TransactionCanceledException"));
        let body: Value = serde_json::from_slice(&again.body).unwrap();
        assert_eq!(body["CancellationReasons"][0]["Code"], "ConditionalCheckFailed");
    }

    #[test]
    fn a_request_that_cannot_be_read_is_refused_in_dynamodbs_words() {
        let body = json!({"TableName": "rollouts", "Item": {"pk": {"S": "1", "N": "1"}}});
        let reply = tables().answer(&request("PutItem", &body));
        assert_eq!(reply.error.as_deref(), Some("ValidationException"));
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let message = body["message"].as_str().unwrap();
        assert!(message.starts_with("Supplied AttributeValue has more than one"), "{message}");
    }
}
