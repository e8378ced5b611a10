//! Each operation by its bytes: a request as a client sends it, and the answer that it gets.

mod authorize;
mod autoscaling;
mod cloudwatch;
mod ecs;
mod elb;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::Value;

use super::{answer, authorize, cbor};
use crate::http::aws::{AwsReply, AwsRequest, JsonVersion, Protocol};
use crate::world::World;

const JSON: Protocol = Protocol::Json { version: JsonVersion::V1_1 };

fn world() -> World {
    World::new(1, "2026-11-22T13:00:00Z".parse().unwrap())
}

fn request(service: &str, action: &str, protocol: Protocol, body: &[u8]) -> AwsRequest {
    AwsRequest {
        service: service.to_owned(),
        action: action.to_owned(),
        protocol,
        request_id: "r-1".to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body),
    }
}

/// Sends JSON and expects JSON back, error or not.
fn json(world: &mut World, service: &str, action: &str, body: &str) -> (u16, Value) {
    let reply = answer(&request(service, action, JSON, body.as_bytes()), world);
    assert!(reply.content_type.starts_with("application/x-amz-json-1."), "{}", reply.content_type);
    assert!(reply.headers.contains(&("x-amzn-requestid", "r-1".to_owned())));
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

/// Sends a form and expects XML back.
fn query(world: &mut World, form: &str) -> (u16, String) {
    let action = form.split('&').next().and_then(|first| first.strip_prefix("Action=")).unwrap();
    let reply = answer(&request("elasticloadbalancing", action, Protocol::Query, form.as_bytes()), world);
    assert_eq!(reply.content_type, "text/xml");
    let xml = String::from_utf8(reply.body).unwrap();
    assert!(xml.contains("<RequestId>r-1</RequestId>"), "{xml}");
    (reply.status, xml)
}

/// Sends CBOR to CloudWatch and expects CBOR back.
fn rpc(world: &mut World, action: &str, body: &[u8]) -> (AwsReply, Value) {
    let reply = answer(&request("cloudwatch", action, Protocol::RpcV2Cbor, body), world);
    assert_eq!(reply.content_type, "application/cbor");
    assert!(reply.headers.contains(&("smithy-protocol", "rpc-v2-cbor".to_owned())));
    let value = cbor::read(&reply.body).unwrap();
    (reply, value)
}

/// Returns the text of the first element with this name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no <{name}> in {xml}"));
    rest.split_once(&format!("</{name}>")).map_or(rest, |(text, _)| text)
}

#[test]
fn what_is_not_there_says_so_by_name() {
    let mut world = world();
    let (status, error) = json(&mut world, "ecs", "CreateTaskSet", "{}");
    assert_eq!(status, 400);
    assert_eq!(error["__type"], "UnknownOperationException");
    assert_eq!(error["message"], "not implemented in the sandbox: ecs:CreateTaskSet");
    let (status, xml) = query(&mut world, "Action=SetRulePriorities&Version=2015-12-01");
    assert_eq!((status, element(&xml, "Code")), (400, "InvalidAction"));
    assert_eq!(element(&xml, "Message"), "not implemented in the sandbox: elasticloadbalancing:SetRulePriorities");
    let old_client =
        request("cloudwatch", "DescribeAlarms", Protocol::Query, b"Action=DescribeAlarms&Version=2010-08-01");
    let xml = String::from_utf8(answer(&old_client, &mut world).body).unwrap();
    assert!(element(&xml, "Message").contains("CloudWatch in the query protocol"), "{xml}");
    let (reply, error) = rpc(&mut world, "PutDashboard", b"\xbf\xff");
    assert_eq!((reply.status, &error["__type"]), (404, &Value::from("UnknownOperationException")));
}

#[test]
fn what_cannot_be_read_is_refused_in_the_protocols_own_way() {
    let mut world = world();
    let (status, error) = json(&mut world, "ecs", "DescribeServices", "{");
    assert_eq!((status, &error["__type"]), (400, &Value::from("SerializationException")));
    let (status, error) = json(&mut world, "ecs", "DescribeServices", "[]");
    assert_eq!((status, &error["message"]), (400, &Value::from("the input is not a structure")));
    let (status, xml) = query(&mut world, "Action=DescribeRules&Version=2015-12-01&A..B=1");
    assert_eq!((status, element(&xml, "Code")), (400, "MalformedQueryString"));
    let (reply, error) = rpc(&mut world, "DescribeAlarms", b"\xbf");
    assert_eq!((reply.status, &error["__type"]), (400, &Value::from("SerializationException")));
    assert!(reply.headers.contains(&("x-amzn-query-error", "SerializationException;Sender".to_owned())));
}

#[test]
fn a_gzipped_request_is_unpacked() {
    let mut world = world();
    // `{"clusterName":"shop"}`
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabVJ\xce)-.I-\xf2K\xccMU\xb2R*\xce\xc8/P\xaa\x05\x00\x9f\x22\xff\xf2\x16\x00\x00\x00";
    let mut cluster = request("ecs", "CreateCluster", JSON, packed);
    cluster.headers.insert("content-encoding", "gzip".parse().unwrap());
    let reply = answer(&cluster, &mut world);
    assert_eq!(reply.error, None);
    assert!(String::from_utf8(reply.body).unwrap().contains("cluster/shop"));
    cluster.body = Bytes::from_static(b"{}");
    assert_eq!(answer(&cluster, &mut world).error.as_deref(), Some("SerializationException"));
    cluster.headers.insert("content-encoding", "br".parse().unwrap());
    assert_eq!(answer(&cluster, &mut world).error.as_deref(), Some("SerializationException"));
}
