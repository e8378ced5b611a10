//! The platform around the World, with a function that speaks the Runtime API: who is woken, who is refused, what is lost.

use std::path::Path;
use std::time::Duration;

use sandbox::platform::lambda::{Invoked, Strike};
use sandbox::platform::transcript::{Caller, InvocationEnd, Outcome};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Wall time after which something that should happen is given up.
const PATIENCE: Duration = Duration::from_secs(30);

fn options(rate: u32) -> Options {
    let probe = Path::new(env!("CARGO_BIN_EXE_sandbox-probe"));
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/template.yaml");
    Options { rate, ..Options::new(template, probe.parent().unwrap()) }
}

async fn start(rate: u32) -> Sandbox {
    Sandbox::start(options(rate)).await.unwrap()
}

async fn invoke(sandbox: &Sandbox, event: Value) -> Invoked {
    let host = sandbox.platform().lambda.host("Probe").unwrap().clone();
    host.invoke(sandbox.platform(), event.to_string().into(), "test").await
}

fn json_of(invoked: &Invoked) -> Value {
    serde_json::from_slice(&invoked.payload).unwrap()
}

/// Waits until `found` finds something.
async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = found() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

fn queue(sandbox: &Sandbox, id: &str) -> String {
    sandbox.platform().template.queues.iter().find(|q| q.id == id).unwrap().arn.clone()
}

async fn send(sandbox: &Sandbox, body: &str) {
    let platform = sandbox.platform();
    let outgoing = sandbox::platform::queue::Outgoing { body: body.into(), ..Default::default() };
    platform.queues.send(&queue(sandbox, "Work"), platform.uuid(), outgoing);
}

/// One HTTP request to the sandbox; the status and the body.
async fn http(url: &str, authorization: &str, target: Option<&str>, body: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').map_or((rest, String::from("/")), |(a, p)| (a, format!("/{p}")));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let target = target.map(|target| format!("x-amz-target: {target}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: {authorization}\r\n{target}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_answers_fails_crashes_and_runs_out_of_time() {
    let sandbox = start(60).await;
    let echoed = invoke(&sandbox, json!({"do": "echo", "n": 7})).await;
    assert_eq!((echoed.end.clone(), json_of(&echoed)["n"].as_i64()), (InvocationEnd::Succeeded, Some(7)));
    let failed = invoke(&sandbox, json!({"do": "fail"})).await;
    assert_eq!(failed.end, InvocationEnd::Failed("Asked: to fail".into()));
    let host = sandbox.platform().lambda.host("Probe").unwrap();
    assert_eq!(host.processes_started(), 1, "a function error keeps the process");
    assert_eq!(invoke(&sandbox, json!({"do": "exit"})).await.end, InvocationEnd::Crashed);
    assert_eq!(invoke(&sandbox, json!({"do": "echo"})).await.end, InvocationEnd::Succeeded);
    assert_eq!(host.processes_started(), 2, "a crash costs a process");
    assert_eq!(invoke(&sandbox, json!({"do": "sleep"})).await.end, InvocationEnd::TimedOut);
    assert_eq!(invoke(&sandbox, json!({"do": "echo"})).await.end, InvocationEnd::Succeeded);
    assert_eq!(host.processes_started(), 3, "so does a timeout");
    assert!(sandbox.log("sandbox-probe")[0].starts_with("probe starts, clock 2026-01-05T09:00:00Z,"));
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_ends_an_invocation_in_the_middle_and_is_counted() {
    let sandbox = start(60).await;
    let (invoked, killed) = tokio::join!(invoke(&sandbox, json!({"do": "sleep"})), async {
        loop {
            if let Some(id) = sandbox.kill("Probe").await {
                return id;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((invoked.end, invoked.id), (InvocationEnd::Crashed, killed));
    assert_eq!(sandbox.kills(), 1);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_write_and_its_answer_leaves_the_write() {
    let sandbox = start(60).await;
    let table = sandbox.platform().template.tables[0].name.clone();
    let put = |key: &str| {
        let body = json!({"TableName": table, "Item": {"pk": {"S": key}}});
        json!({"do": "call", "target": "DynamoDB_20120810.PutItem", "body": body})
    };
    sandbox.kill_at("Probe", "dynamodb:PutItem", Strike::After);
    assert_eq!(invoke(&sandbox, put("after")).await.end, InvocationEnd::Crashed);
    sandbox.kill_at("Probe", "dynamodb:PutItem", Strike::Before);
    assert_eq!(invoke(&sandbox, put("before")).await.end, InvocationEnd::Crashed);
    let scan = serde_json::from_value(json!({"TableName": table})).unwrap();
    let items = serde_json::to_value(sandbox.tables().database().scan(scan).unwrap()).unwrap();
    assert_eq!(items["Items"], json!([{"pk": {"S": "after"}}]));
    assert_eq!(sandbox.kills(), 2);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_function_goes_through_its_role() {
    let sandbox = start(60).await;
    let call = |target: &str, body: Value| json!({"do": "call", "target": target, "body": body});
    let table = sandbox.platform().template.tables[0].name.clone();
    let item = json!({"TableName": table, "Key": {"pk": {"S": "1"}}});
    let allowed = invoke(&sandbox, call("DynamoDB_20120810.GetItem", item.clone())).await;
    assert_eq!(json_of(&allowed)["status"], "200");
    let denied = json_of(&invoke(&sandbox, call("DynamoDB_20120810.DeleteItem", item)).await);
    assert_eq!(denied["status"], "400");
    let answer: Value = serde_json::from_str(denied["answer"].as_str().unwrap()).unwrap();
    assert_eq!(answer["__type"], "AccessDeniedException");
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "User: arn:aws:sts::123456789012:assumed-role/tidegate-ProbeRole/tidegate-Probe is not authorized to \
             perform: dynamodb:DeleteItem on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/tidegate-Table"
        ),
        "{message}"
    );
    let entry = sandbox.transcript().of_invocation(&allowed.id).remove(0);
    assert_eq!((entry.name().as_str(), entry.outcome), ("dynamodb:GetItem", Outcome::Ok));
    assert_eq!(entry.calls[0].context["dynamodb:LeadingKeys"], ["1"]);
    let role = sandbox.platform().role_of(sandbox.platform().template.function("Probe").unwrap()).unwrap();
    let lost = sandbox.transcript().first_denied("Probe", &role.without_action("dynamodb:GetItem")).unwrap();
    assert_eq!(lost.entry.invocation.as_deref(), Some(allowed.id.as_str()));
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_taken_away_is_denied_at_that_call() {
    let without = vec![("Probe".to_owned(), "dynamodb:GetItem".to_owned())];
    let sandbox = Sandbox::start(Options { without, ..options(60) }).await.unwrap();
    let table = sandbox.platform().template.tables[0].name.clone();
    let body = json!({"TableName": table, "Key": {"pk": {"S": "1"}}});
    let call = json!({"do": "call", "target": "DynamoDB_20120810.GetItem", "body": body});
    assert_eq!(json_of(&invoke(&sandbox, call).await)["status"], "400");
    sandbox.shutdown().await;
    let without = vec![("Probe".to_owned(), "dynamodb:Scan".to_owned())];
    let error = Sandbox::start(Options { without, ..options(60) }).await.err().unwrap();
    assert!(error.to_string().contains("dynamodb:Scan"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_keeps_what_failed_and_poison_ends_in_the_dead_letter_queue() {
    let sandbox = start(60).await;
    for body in ["echo 1", "poison", "echo 2"] {
        send(&sandbox, body).await;
    }
    let dead = queue(&sandbox, "Dead");
    let aside = eventually("redrive", || sandbox.platform().queues.peek(&dead).pop()).await;
    assert_eq!(aside.body, "poison");
    assert!(sandbox.platform().queues.peek(&queue(&sandbox, "Work")).is_empty());
    let polled = Caller::PlatformFor("Probe".into());
    assert!(sandbox.transcript().counts()[&(polled, "sqs:ReceiveMessage".to_owned())] >= 1);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_delivers_only_where_the_queue_lets_it() {
    let sandbox = start(60).await;
    let put = |source: &str, detail_type: &str| {
        let entry =
            json!({"Source": source, "DetailType": detail_type, "Detail": "{}", "EventBusName": "announcements"});
        json!({"do": "call", "target": "AWSEvents.PutEvents", "body": {"Entries": [entry]}})
    };
    for detail_type in ["Announced", "Unheard"] {
        assert_eq!(json_of(&invoke(&sandbox, put("probe", detail_type)).await)["status"], "200");
    }
    assert_eq!(json_of(&invoke(&sandbox, put("forged", "Announced")).await)["status"], "400");
    let heard = queue(&sandbox, "Heard");
    let message = eventually("delivery", || sandbox.platform().queues.peek(&heard).pop()).await;
    let event: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("probe"), &json!("Announced")));
    let dead = queue(&sandbox, "Dead");
    let aside = eventually("refusal", || sandbox.platform().queues.peek(&dead).pop()).await;
    assert_eq!(aside.attributes["ERROR_CODE"].string_value.as_deref(), Some("NO_PERMISSIONS"));
    assert_eq!(sandbox.platform().queues.peek(&heard).len(), 1);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asynchronous_event_is_tried_three_times_and_put_aside() {
    let sandbox = start(600).await;
    sandbox.put_event(&json!({"source": "aws.cloudwatch", "do": "fail"}));
    let dead = queue(&sandbox, "Dead");
    let aside = eventually("putting aside", || sandbox.platform().queues.peek(&dead).pop()).await;
    assert_eq!(aside.attributes["ErrorMessage"].string_value.as_deref(), Some("Asked: to fail"));
    let tries: Vec<_> = sandbox.transcript().invocations().into_iter().filter(|i| i.cause == "Alarms").collect();
    assert_eq!(tries.len(), 3);
    let waits: Vec<i64> = tries.windows(2).map(|w| w[1].started.at.duration_since(w[0].ended.at).as_secs()).collect();
    assert!(waits[0] >= 60 && waits[1] >= 120, "one and two minutes of domain time: {waits:?}");
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_fires_by_domain_time() {
    let sandbox = start(3600).await;
    let fired = |i: &sandbox::platform::transcript::Invocation| i.cause == "Minutely";
    eventually("the second hour", || {
        (sandbox.transcript().invocations().iter().filter(|i| fired(i)).count() >= 2).then_some(())
    })
    .await;
    let first = sandbox.transcript().invocations().into_iter().find(fired).unwrap();
    assert!(first.started.at.duration_since(sandbox.platform().clock.t0()).as_secs() >= 3600);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_url_lets_the_operator_in_and_nobody_else() {
    let sandbox = start(60).await;
    let url = sandbox.function_url("Probe").unwrap();
    let (status, body) = http(&format!("{url}start?x=1"), "Sandbox operator", None, "hello").await;
    assert_eq!(status, 200);
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["rawPath"], "/start");
    assert_eq!(event["queryStringParameters"]["x"], "1");
    assert_eq!(event["body"], "hello");
    let caller = &event["requestContext"]["authorizer"]["iam"]["userArn"];
    assert_eq!(caller, "arn:aws:iam::123456789012:user/operator");
    for stranger in ["Sandbox viewer", "Sandbox nobody", "none"] {
        assert_eq!(http(&url, stranger, None, "hello").await.0, 403, "{stranger}");
    }
    let signed = "AWS4-HMAC-SHA256 Credential=AKIASANDBOXOPERATOR/20260105/eu-west-1/lambda/aws4_request, Signature=0";
    assert_eq!(http(&url, signed, None, "hello").await.0, 200);
    assert_eq!(http(&url, signed, None, r#"{"do":"fail"}"#).await.0, 502);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_unknown_and_what_is_unknown_is_refused_at_the_door() {
    let sandbox = start(60).await;
    let put = Some("DynamoDB_20120810.PutItem");
    let (status, body) = http(sandbox.url(), "none", put, "{}").await;
    assert!(status == 403 && body.contains("UnrecognizedClientException"), "{status} {body}");
    let (status, body) = http(sandbox.url(), "Sandbox admin", Some("DynamoDB_20120810.CreateBackup"), "{}").await;
    assert!(status >= 400 && body.contains("dynamodb:CreateBackup"), "{status} {body}");
    assert_eq!(http(sandbox.url(), "Sandbox admin", None, "hello").await.0, 400);
    let send = json!({"QueueUrl": format!("{}/123456789012/tidegate-Heard", sandbox.url()), "MessageBody": "hi"});
    let (status, body) = http(sandbox.url(), "Sandbox admin", Some("AmazonSQS.SendMessage"), &send.to_string()).await;
    assert!(status == 200 && body.contains("49f68a5c8493ec2c0bf489821c21fc3b"), "{status} {body}");
    sandbox.shutdown().await;
}
