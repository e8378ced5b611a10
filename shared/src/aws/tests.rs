//! Every way in which a call can end, through the real SDK: answered, refused, answered with nonsense, cut, late, unheard.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use jiff::SignedDuration;

use super::store::Table;
use super::{Bus, FunctionClock, LoadBalancers, Queues, Services, config};
use crate::audit::AuditEntry;
use crate::events::Message;
use crate::fault::{Fault, Obstacle, Outcome};
use crate::ids::{RolloutId, RuleArn, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::machine::effect::{Announcement, Transition};
use crate::observation::{Action, RulePlace, RuleRef};
use crate::ports::{Announcer, Commit, CommitRefused, Queue, RolloutStore, TrafficRouter, WakeUps, Workload};
use crate::test_support;

/// Whether an outcome is the one that a case is about.
type Expected<'a> = &'a dyn Fn(&Outcome) -> bool;

/// What the other side does with one request.
#[derive(Debug, Clone)]
enum Does {
    Answer(u16, String),
    /// Closes the connection without a word.
    Cut,
    /// Keeps the connection and says nothing.
    Hang,
}

/// The other side: does one thing after the other, the last one for ever, and remembers what it was sent.
struct Peer {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn that(script: Vec<Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for (n, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let does = script.get(n).or(script.last()).unwrap().clone();
                if let Some(stream) = serve(stream, &does, &remembered) {
                    kept.push(stream);
                }
            }
        });
        Self { url, heard }
    }

    fn answers(status: u16, body: impl Into<String>) -> Self {
        Self::that(vec![Does::Answer(status, body.into())])
    }

    fn heard(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// A configuration like a function's, with patience for a test.
    fn sdk(&self) -> SdkConfig {
        sdk(&self.url)
    }
}

fn sdk(url: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(500)).build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .endpoint_url(url)
        .http_client(config::http_client(config::Trust::Nobody))
        .timeout_config(timeouts)
        .retry_config(config::again().with_initial_backoff(Duration::from_millis(1)))
        .build()
}

/// Reads one request and does what is to be done; returns a connection that has to stay open.
fn serve(stream: TcpStream, does: &Does, heard: &Mutex<Vec<String>>) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    heard.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
    match does {
        Does::Cut => None,
        Does::Hang => Some(stream),
        Does::Answer(status, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let mut stream = stream;
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(body.as_bytes()).ok()?;
            None
        }
    }
}

fn xml_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    )
}

fn json_error(code: &str, message: &str) -> String {
    format!(r#"{{"__type":"{code}","message":"{message}"}}"#)
}

fn rule() -> RuleRef {
    RuleRef { arn: RuleArn::new("arn:rule"), place: RulePlace::Rule }
}

fn actions() -> Vec<Action> {
    let groups = vec![(TargetGroupArn::new("arn:blue"), 950), (TargetGroupArn::new("arn:green"), 50)];
    vec![Action::Forward { order: None, groups, stickiness: None }]
}

fn service() -> ServiceArn {
    ServiceArn::new("arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-green")
}

fn revision() -> TaskDefinitionArn {
    TaskDefinitionArn::new("checkout:2")
}

const MODIFIED: &str = "<ModifyRuleResponse><ModifyRuleResult><Rules/></ModifyRuleResult></ModifyRuleResponse>";

#[tokio::test]
async fn a_write_of_a_rule_ends_in_one_of_three_ways_and_is_tried_once() {
    let applied = |outcome: &Outcome| matches!(outcome, Outcome::Applied);
    let unknown = |outcome: &Outcome| matches!(outcome, Outcome::Unknown { .. });
    let later = |outcome: &Outcome| matches!(outcome, Outcome::NotApplied { fault: Fault::Transient { .. } });
    let gone = |outcome: &Outcome| {
        matches!(outcome, Outcome::NotApplied { fault: Fault::Permanent { reason: Obstacle::NotFound, .. } })
    };
    let denied = |outcome: &Outcome| {
        matches!(outcome, Outcome::NotApplied { fault: Fault::Permanent { reason: Obstacle::AccessDenied, .. } })
    };
    let answer = |status, body: String| Does::Answer(status, body);
    let cases: [(&str, Does, Expected<'_>); 8] = [
        ("yes", answer(200, MODIFIED.into()), &applied),
        ("throttled", answer(400, xml_error("Throttling", "Rate exceeded")), &later),
        ("denied", answer(403, xml_error("AccessDenied", "not authorized")), &denied),
        ("gone", answer(400, xml_error("RuleNotFound", "One or more rules not found")), &gone),
        ("broken", answer(500, xml_error("InternalFailure", "oops")), &unknown),
        ("nonsense", answer(200, "<<<".into()), &unknown),
        ("cut", Does::Cut, &unknown),
        ("late", Does::Hang, &unknown),
    ];
    for (name, does, expected) in cases {
        let peer = Peer::that(vec![does]);
        let outcome = LoadBalancers::new(&peer.sdk()).write(&rule(), &actions()).await;
        assert!(expected(&outcome), "{name}: {outcome:?}");
        assert_eq!(peer.heard(), 1, "{name}: a write is tried once");
    }
}

#[tokio::test]
async fn a_write_that_meets_nobody_is_unknown() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let outcome = Services::new(&sdk(&closed)).scale(&service(), 2).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_service_is_updated_by_absolute_numbers_and_its_refusals_are_typed() {
    let peer = Peer::answers(200, "{}");
    let services = Services::new(&peer.sdk());
    assert_eq!(services.deploy(&service(), &revision(), 3).await, Outcome::Applied);
    assert_eq!(services.scale(&service(), 4).await, Outcome::Applied);
    let heard = peer.heard.lock().unwrap().clone();
    let name = format!(r#""service":"{}""#, service());
    assert!(heard[0].contains(r#""taskDefinition":"checkout:2""#) && heard[0].contains(r#""desiredCount":3"#));
    assert!(heard[1].contains(&name) && heard[1].contains(r#""desiredCount":4"#), "{}", heard[1]);
    assert!(!heard[1].contains("taskDefinition"), "a count alone: {}", heard[1]);

    let refusals = [
        ("ThrottlingException", 400, None),
        ("ServerException", 500, None),
        ("AccessDeniedException", 400, Some(Obstacle::AccessDenied)),
        ("ServiceNotFoundException", 400, Some(Obstacle::NotFound)),
        ("ClusterNotFoundException", 400, Some(Obstacle::NotFound)),
        ("InvalidParameterException", 400, Some(Obstacle::Invalid)),
    ];
    for (code, status, obstacle) in refusals {
        let peer = Peer::answers(status, json_error(code, "said so"));
        let outcome = Services::new(&peer.sdk()).scale(&service(), 2).await;
        let as_expected = match (&outcome, obstacle) {
            (Outcome::Unknown { .. }, None) => status == 500,
            (Outcome::NotApplied { fault: Fault::Transient { .. } }, None) => status == 400,
            (Outcome::NotApplied { fault: Fault::Permanent { reason, .. } }, Some(expected)) => *reason == expected,
            _ => false,
        };
        assert!(as_expected, "{code}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_read_is_tried_again_and_then_says_why() {
    let health = "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions><member>\
                  <TargetHealth><State>healthy</State></TargetHealth></member></TargetHealthDescriptions>\
                  </DescribeTargetHealthResult></DescribeTargetHealthResponse>";
    let busy = Does::Answer(503, xml_error("ServiceUnavailable", "later"));
    let peer = Peer::that(vec![busy.clone(), Does::Cut, Does::Answer(200, health.into())]);
    let group = TargetGroupArn::new("arn:green");
    assert_eq!(LoadBalancers::new(&peer.sdk()).health(&group).await.unwrap().healthy, 1);

    let peer = Peer::that(vec![busy]);
    let fault = LoadBalancers::new(&peer.sdk()).health(&group).await.unwrap_err();
    assert_eq!((fault, peer.heard()), (Fault::transient("ServiceUnavailable: later"), 3));
}

#[tokio::test]
async fn a_revision_that_ecs_does_not_have_is_absent_and_not_a_fault() {
    let peer = Peer::answers(400, json_error("ClientException", "Unable to describe task definition."));
    assert_eq!(Services::new(&peer.sdk()).revision("checkout:9").await, Ok(None));
    let peer = Peer::answers(400, json_error("ClientException", "Something else."));
    let fault = Services::new(&peer.sdk()).revision("checkout:9").await.unwrap_err();
    assert!(matches!(fault, Fault::Permanent { reason: Obstacle::Invalid, .. }), "{fault:?}");
}

#[tokio::test]
async fn a_rule_that_is_gone_is_a_permanent_fault() {
    let none = "<DescribeListenersResponse><DescribeListenersResult><Listeners/></DescribeListenersResult>\
                </DescribeListenersResponse>";
    let listener = RuleRef { arn: RuleArn::new("arn:listener"), place: RulePlace::DefaultAction };
    let fault = LoadBalancers::new(&Peer::answers(200, none).sdk()).rules(&[listener]).await.unwrap_err();
    assert_eq!(fault, Fault::permanent(Obstacle::NotFound, "arn:listener is gone"));
}

fn entry(rollout: &crate::rollout::Rollout) -> AuditEntry {
    AuditEntry {
        rollout: rollout.id.clone(),
        sequence: 2,
        previous: "before".into(),
        now: test_support::at(0).at,
        by: "controller".into(),
        inputs: vec![],
        outcome: "looked".into(),
        effects: vec![],
    }
}

/// The record as a table would show it, with this head.
fn stored(rollout: &crate::rollout::Rollout, head: &str) -> String {
    let state = serde_json::to_string(&serde_json::to_string(rollout).unwrap()).unwrap();
    format!(
        r#"{{"Item":{{"pk":{{"S":"ROLLOUT#{}"}},"state":{{"S":{state}}},"schema":{{"N":"{}"}},"version":{{"N":"2"}},
        "head":{{"S":"{head}"}}}}}}"#,
        rollout.id, rollout.schema
    )
}

#[tokio::test]
async fn a_commit_without_an_answer_is_found_by_its_head() {
    let rollout = test_support::begin(vec![]);
    let entry = entry(&rollout);
    let commit = || Commit { rollout: &rollout, entry: &entry, inbox: None, ends: false };
    let table = |peer: &Peer| Table::new(&peer.sdk(), "tidegate".into(), FunctionClock::wall());

    let peer = Peer::that(vec![Does::Cut, Does::Answer(200, stored(&rollout, &entry.hash()))]);
    assert_eq!(table(&peer).commit(commit()).await, Ok(entry.hash()));
    assert_eq!(peer.heard(), 2, "one transaction, one read");

    let peer = Peer::that(vec![Does::Hang, Does::Answer(200, stored(&rollout, "another"))]);
    let refused = table(&peer).commit(commit()).await.unwrap_err();
    assert!(matches!(refused, CommitRefused::Fault(Fault::Transient { .. })), "{refused:?}");

    let cancelled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"cancelled",
        "CancellationReasons":[{"Code":"ConditionalCheckFailed","Item":{"head":{"S":"another"}}},{"Code":"None"}]}"#;
    assert_eq!(table(&Peer::answers(400, cancelled)).commit(commit()).await, Err(CommitRefused::Stale));
    let ours = cancelled.replace("another", &entry.hash());
    assert_eq!(table(&Peer::answers(400, ours)).commit(commit()).await, Ok(entry.hash()));
}

#[tokio::test]
async fn a_batch_that_the_table_cuts_short_is_a_fault_and_not_an_absence() {
    let left_out = r#"{"Responses":{"tidegate":[]},"UnprocessedKeys":{"tidegate":{"Keys":[{"pk":{"S":"x"}}]}}}"#;
    let peer = Peer::answers(200, left_out);
    let table = Table::new(&peer.sdk(), "tidegate".into(), FunctionClock::wall());
    let fault = table.by_services(&[&service()]).await.unwrap_err();
    assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_message_goes_to_the_queue_that_the_function_has_and_to_no_other() {
    let peer = Peer::answers(200, r#"{"MessageId":"m","MD5OfMessageBody":"x"}"#);
    let queues = Queues::new(&peer.sdk()).with(Queue::WakeUps, format!("{}/1/wakeups", peer.url));
    let message = Message::WakeUp { rollout: RolloutId::new("checkout-1"), generation: 7 };
    assert_eq!(queues.send(Queue::WakeUps, &message, SignedDuration::from_secs(60)).await, Ok(()));
    let heard = peer.heard.lock().unwrap().clone();
    assert!(heard[0].contains(r#""DelaySeconds":60"#) && heard[0].contains("/1/wakeups"), "{}", heard[0]);
    let fault = queues.send(Queue::Analysis, &message, SignedDuration::ZERO).await.unwrap_err();
    assert!(matches!(fault, Fault::Permanent { reason: Obstacle::AccessDenied, .. }), "{fault:?}");
}

#[tokio::test]
async fn an_event_that_the_bus_refuses_beside_http_200_is_a_fault() {
    let announcement = Announcement {
        rollout: RolloutId::new("checkout-1"),
        what: Transition::RolloutStarted,
        message: "checkout begins".into(),
        at: test_support::at(0).at,
    };
    let refused = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"oops"}]}"#;
    let peer = Peer::answers(200, refused);
    let fault = Bus::new(&peer.sdk(), "tidegate".into()).announce(&[announcement]).await.unwrap_err();
    assert_eq!(fault, Fault::transient("1 of 1 events were not put: InternalFailure: oops"));
    let heard = peer.heard.lock().unwrap().clone();
    assert!(heard[0].contains(r#""DetailType":"RolloutStarted""#) && heard[0].contains(r#""Source":"tidegate""#));
}
