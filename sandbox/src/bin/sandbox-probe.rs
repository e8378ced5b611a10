//! A function of a few lines that speaks the Lambda Runtime API, for the platform's own tests.
//!
//! Its event says what it does: `{"do": "echo"}` answers with the event; `fail`
//! answers with an error; `exit` dies; `sleep` never answers; `call` sends
//! `target` and `body` to the door under its own access key and answers with
//! what came back. Records of a batch are done one by one; those that are not
//! `echo` are reported as failed.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    println!("probe starts, clock {}", std::env::var("TIDEGATE_CLOCK")?);
    loop {
        let (head, body) = http(&api, "GET", "/2018-06-01/runtime/invocation/next", &[], "")?;
        let id = header(&head, "lambda-runtime-aws-request-id").ok_or("no request id")?;
        let event: Value = serde_json::from_str(&body)?;
        let (kind, answer) = match event.get("Records").and_then(Value::as_array) {
            Some(records) => ("response", batch(records)),
            None => act(&event)?,
        };
        let path = format!("/2018-06-01/runtime/invocation/{id}/{kind}");
        http(&api, "POST", &path, &[], &answer.to_string())?;
    }
}

fn batch(records: &[Value]) -> Value {
    let failed = |record: &&Value| !record["body"].as_str().is_some_and(|body| body.contains("echo"));
    let failures: Vec<Value> =
        records.iter().filter(failed).map(|record| json!({ "itemIdentifier": record["messageId"] })).collect();
    json!({ "batchItemFailures": failures })
}

fn act(event: &Value) -> Result<(&'static str, Value), Failure> {
    // A Function URL carries the event in its body, and the caller beside it.
    let inner = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
    let what = inner.as_ref().unwrap_or(event);
    match what["do"].as_str() {
        Some("fail") => Ok(("error", json!({ "errorType": "Asked", "errorMessage": "to fail" }))),
        Some("exit") => std::process::exit(1),
        Some("sleep") => loop {
            std::thread::park();
        },
        Some("call") => {
            let endpoint = std::env::var("AWS_ENDPOINT_URL")?;
            let key = std::env::var("AWS_ACCESS_KEY_ID")?;
            let signature = format!("AWS4-HMAC-SHA256 Credential={key}/20260105/eu-west-1/x/aws4_request, Signature=0");
            let target = what["target"].as_str().unwrap_or_default();
            let headers = [("authorization", signature.as_str()), ("x-amz-target", target)];
            let address = endpoint.trim_start_matches("http://");
            let (head, body) = http(address, "POST", "/", &headers, &what["body"].to_string())?;
            let status = head.split_whitespace().nth(1).unwrap_or_default();
            Ok(("response", json!({ "status": status, "answer": body })))
        }
        Some(_) | None => Ok(("response", event.clone())),
    }
}

fn http(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(String, String), Failure> {
    let mut stream = TcpStream::connect(address)?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    write!(stream, "{request}content-length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no end of the headers")?;
    Ok((head.to_owned(), body.to_owned()))
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
