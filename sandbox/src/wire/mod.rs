//! The wire protocols of ECS, ELBv2, CloudWatch and Application Auto Scaling over the World.
//!
//! Every protocol is read into the one tree that JSON would have been, the World's shapes take it
//! from there, and the answer goes the same way back: one reader and one writer per protocol, no
//! code per shape. CloudWatch is spoken in CBOR (the Rust SDK) and in JSON (boto3, the AWS CLI).

mod autoscaling;
mod cbor;
mod cloudwatch;
mod ecs;
mod elb;
mod form;
mod page;
mod xml;

use std::borrow::Cow;
use std::io::Read;

use axum::http::{HeaderValue, header};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as NoSuchVariant, StrDeserializer};
use serde_json::{Map, Value};

use crate::http::aws::{AwsReply, AwsRequest, Protocol};
use crate::platform::iam;
use crate::world::{Account, ApiError, World};

/// PutMetricData takes a megabyte; a packed body may claim to be anything.
const UNPACKED_MAX: u64 = 16 * 1024 * 1024;

/// The calls that IAM must allow before `request` may touch the World: one per
/// action, each with every resource it names and the condition keys that AWS fills.
///
/// # Errors
/// A request that cannot be read, or one that the sandbox does not implement, is
/// answered right away.
pub fn authorize(request: &AwsRequest, account: &Account) -> Result<Vec<iam::Call>, AwsReply> {
    let operation = Operation::of(request)?;
    let input = read(request).map_err(|refusal| refusal.into_reply(request))?;
    Ok(match operation {
        Operation::Ecs(operation) => ecs::calls(operation, &input, account),
        Operation::Elb(operation) => elb::calls(operation, &input, account),
        Operation::CloudWatch(operation) => cloudwatch::calls(operation, &input, account),
        Operation::AutoScaling(operation) => autoscaling::calls(operation, account),
    })
}

/// Performs a request that IAM has allowed.
pub fn answer(request: &AwsRequest, world: &mut World) -> AwsReply {
    let operation = match Operation::of(request) {
        Ok(operation) => operation,
        Err(reply) => return reply,
    };
    let performed = read(request).and_then(|input| match operation {
        Operation::Ecs(operation) => ecs::perform(operation, &input, world),
        Operation::Elb(operation) => elb::perform(operation, &input, world),
        Operation::CloudWatch(operation) => cloudwatch::perform(operation, &input, world),
        Operation::AutoScaling(operation) => autoscaling::perform(operation, &input, world),
    });
    match performed {
        Ok(result) => request.ok(write(request, &without_absent(result))),
        Err(refusal) => refusal.into_reply(request),
    }
}

/// What this module speaks, each service with its own closed list.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Ecs(ecs::Operation),
    Elb(elb::Operation),
    CloudWatch(cloudwatch::Operation),
    AutoScaling(autoscaling::Operation),
}

impl Operation {
    fn of(request: &AwsRequest) -> Result<Operation, AwsReply> {
        let operation = match (request.service.as_str(), request.protocol) {
            ("ecs", Protocol::Json { .. }) => named(&request.action).map(Operation::Ecs),
            ("elasticloadbalancing", Protocol::Query) => named(&request.action).map(Operation::Elb),
            ("cloudwatch", Protocol::Json { .. } | Protocol::RpcV2Cbor) => {
                named(&request.action).map(Operation::CloudWatch)
            }
            ("application-autoscaling", Protocol::Json { .. }) => named(&request.action).map(Operation::AutoScaling),
            ("cloudwatch", Protocol::Query) => {
                let message = "not implemented in the sandbox: CloudWatch in the query protocol; \
                    a client of 2026 speaks JSON or CBOR";
                return Err(request.error(400, "InvalidAction", message));
            }
            _ => None,
        };
        operation.ok_or_else(|| request.not_implemented())
    }
}

/// Returns the variant with this name.
fn named<T: for<'a> Deserialize<'a>>(action: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<NoSuchVariant>::new(action)).ok()
}

/// Reads the request's input, an object in every protocol.
fn read(request: &AwsRequest) -> Result<Value, Refusal> {
    let body = unpacked(request)?;
    let (input, refused_as) = match request.protocol {
        Protocol::Json { .. } if body.is_empty() => (Ok(Value::Object(Map::new())), "SerializationException"),
        Protocol::Json { .. } => (serde_json::from_slice(&body).map_err(|e| e.to_string()), "SerializationException"),
        Protocol::Query => (form::decode(&body), "MalformedQueryString"),
        Protocol::RpcV2Cbor => (cbor::read(&body), "SerializationException"),
    };
    match input {
        Ok(input @ Value::Object(_)) => Ok(input),
        Ok(_) => Err(Refusal::new(refused_as, "the input is not a structure")),
        Err(why) => Err(Refusal::new(refused_as, why)),
    }
}

/// Returns the body as it was before its way; clients gzip a large PutMetricData.
fn unpacked(request: &AwsRequest) -> Result<Cow<'_, [u8]>, Refusal> {
    match request.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None => Ok(Cow::Borrowed(&request.body)),
        Some(b"gzip") => {
            let mut body = Vec::new();
            let mut unpacked = GzDecoder::new(&request.body[..]).take(UNPACKED_MAX);
            match unpacked.read_to_end(&mut body) {
                Ok(_) => Ok(Cow::Owned(body)),
                Err(error) => Err(Refusal::new("SerializationException", format!("not gzip: {error}"))),
            }
        }
        Some(_) => Err(Refusal::new("SerializationException", "the only content encoding is gzip")),
    }
}

/// Writes the answer's members; ELBv2 alone speaks the query protocol here, and CloudWatch alone CBOR.
fn write(request: &AwsRequest, result: &Value) -> Vec<u8> {
    match request.protocol {
        Protocol::Json { .. } => result.to_string().into_bytes(),
        Protocol::Query => xml::response(&request.action, elb::NAMESPACE, &request.request_id, result),
        Protocol::RpcV2Cbor => cbor::write(result, cloudwatch::is_time),
    }
}

/// AWS leaves out what an answer does not have, as the token of a page that is not there.
fn without_absent(mut result: Value) -> Value {
    if let Value::Object(members) = &mut result {
        members.retain(|_, value| !value.is_null());
    }
    result
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    status: u16,
    code: String,
    message: String,
}

impl Refusal {
    fn new(code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status: 400, code: code.to_owned(), message: message.into() }
    }

    fn into_reply(self, request: &AwsRequest) -> AwsReply {
        let mut reply = request.error(self.status, &self.code, &self.message);
        // CloudWatch once spoke the query protocol, and its clients still read the code from there.
        if request.service == "cloudwatch" {
            let fault = if self.status < 500 { "Sender" } else { "Receiver" };
            reply.headers.push(("x-amzn-query-error", format!("{};{fault}", self.code)));
        }
        reply
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        Refusal { status: error.http_status, code: error.code.to_owned(), message: error.message }
    }
}

/// Reads the input as one of the World's shapes, or refuses it as `refused_as`.
fn shape<T: DeserializeOwned>(input: &Value, refused_as: &str) -> Result<T, Refusal> {
    T::deserialize(input).map_err(|e| Refusal::new(refused_as, e.to_string()))
}

/// Returns a text member, if it is there.
fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input[name].as_str().filter(|text| !text.is_empty())
}

/// Returns a text member that the operation cannot do without.
fn required<'a>(input: &'a Value, name: &str, refused_as: &str) -> Result<&'a str, Refusal> {
    text(input, name).ok_or_else(|| Refusal::new(refused_as, format!("{name} is required")))
}

/// Returns the texts of a list member; none if it is absent.
fn texts(input: &Value, name: &str) -> Vec<String> {
    let members = input[name].as_array().map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
