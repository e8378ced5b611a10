//! Function URLs with AWS_IAM: who calls is in the request's context, never in the body.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Method, Response, StatusCode, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::platform::Platform;
use crate::platform::iam::{Call, Decision, Principal, evaluate};
use crate::platform::people::Person;
use crate::platform::template::{Function, UrlAuth};
use crate::platform::transcript::{Caller, Entry, InvocationEnd, Outcome};

/// Where every Function URL begins, before the function's name.
pub const PREFIX: &str = "/lambda-url/";

/// A request to a Function URL.
pub struct UrlRequest<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a axum::http::HeaderMap,
    pub body: &'a Bytes,
    /// Who signed it; `None` for anybody.
    pub person: Option<&'a Person>,
}

/// Checks the caller, invokes the function and turns its answer into HTTP.
pub async fn call(platform: &Arc<Platform>, request: UrlRequest<'_>) -> Response<Body> {
    let path = request.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (name, path) = path.split_once('/').unwrap_or((path, ""));
    let Some(function) = platform.template.function(name).filter(|f| f.url == Some(UrlAuth::AwsIam)) else {
        return message(StatusCode::NOT_FOUND, "there is no such Function URL");
    };
    let Some(person) = request.person.filter(|person| may_call(platform, function, person)) else {
        return message(
            StatusCode::FORBIDDEN,
            "Forbidden. For troubleshooting Function URL authorization issues, \
            see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
        );
    };
    let Some(host) = platform.lambda.host(&function.id) else {
        return message(StatusCode::BAD_GATEWAY, "Internal Server Error");
    };
    let event = payload(platform, &request, person, &format!("/{path}"), function);
    let invoked = host.invoke(platform, Bytes::from(event.to_string()), "Function URL").await;
    match invoked.end {
        InvocationEnd::Succeeded => http_answer(&invoked.payload, &invoked.id),
        InvocationEnd::Failed(_) | InvocationEnd::Crashed | InvocationEnd::TimedOut => {
            message(StatusCode::BAD_GATEWAY, "Internal Server Error")
        }
    }
}

/// A URL asks for two actions; both are recorded.
fn may_call(platform: &Platform, function: &Function, person: &Person) -> bool {
    let calls = ["InvokeFunctionUrl", "InvokeFunction"].map(|action| {
        Call::new("lambda", action, [function.arn.clone()])
            .with("lambda:FunctionUrlAuthType", ["AWS_IAM".to_owned()])
            .with("lambda:InvokedViaFunctionUrl", ["true".to_owned()])
            .with("aws:PrincipalArn", [person.arn.clone()])
    });
    let principal = Principal::Aws(person.arn.clone());
    let denied = calls.iter().find_map(|call| match evaluate(&person.policies, call, &principal) {
        Decision::Allowed => None,
        Decision::Denied { why } => Some(why),
    });
    let moment = platform.moment();
    platform.transcript.record(Entry {
        started: moment,
        ended: moment,
        caller: Caller::Person(person.name.clone()),
        invocation: None,
        service: "lambda".to_owned(),
        operation: "InvokeFunctionUrl".to_owned(),
        calls: calls.to_vec(),
        outcome: denied.as_ref().map_or(Outcome::Ok, |why| Outcome::Denied(format!("User: {} {why}", person.arn))),
    });
    denied.is_none()
}

/// The event of payload format 2.0.
fn payload(platform: &Platform, request: &UrlRequest<'_>, person: &Person, path: &str, function: &Function) -> Value {
    let mut headers = Map::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != header::AUTHORIZATION) {
        headers.insert(name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes())));
    }
    let query = request.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": platform.template.account.id,
            "apiId": function.name,
            "authentication": null,
            "authorizer": { "iam": {
                "accessKey": person.access_key,
                "accountId": platform.template.account.id,
                "callerId": person.name,
                "cognitoIdentity": null,
                "principalOrgId": null,
                "userArn": person.arn,
                "userId": person.name,
            }},
            "domainName": "127.0.0.1",
            "domainPrefix": function.name,
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": request.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default(),
            },
            "requestId": platform.uuid(),
            "routeKey": "$default",
            "stage": "$default",
            "time": platform.clock.now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": platform.clock.now().as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !request.body.is_empty() {
        match std::str::from_utf8(request.body) {
            Ok(text) => event["body"] = Value::from(text),
            Err(_) => {
                event["body"] = Value::from(STANDARD.encode(request.body));
                event["isBase64Encoded"] = Value::Bool(true);
            }
        }
    }
    event
}

/// A key given twice has its values joined by a comma, as AWS does.
fn query_parameters(query: &str) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (percent_decoded(key), percent_decoded(value));
        match all.get_mut(&key) {
            Some(Value::String(so_far)) => so_far.push_str(&format!(",{value}")),
            Some(_) | None => {
                all.insert(key, Value::String(value));
            }
        }
    }
    Value::Object(all)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code =
            after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        rest = match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                &after[2..]
            }
            (b'+', _) => {
                bytes.push(b' ');
                after
            }
            (other, _) => {
                bytes.push(*other);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A function answers with a status and a body, or with any JSON, which is the body.
fn http_answer(payload: &[u8], request_id: &str) -> Response<Body> {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    let mut response = Response::builder().header("x-amzn-requestid", request_id);
    let Some(status) = answer.get("statusCode").and_then(Value::as_u64) else {
        let whole = Body::from(payload.to_vec());
        return response.header(header::CONTENT_TYPE, "application/json").body(whole).unwrap_or_else(|_| bad_gateway());
    };
    response = response.status(u16::try_from(status).unwrap_or(502));
    let headers = answer.get("headers").and_then(Value::as_object);
    for (name, value) in headers.into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = if answer.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        STANDARD.decode(body).unwrap_or_default()
    } else {
        body.as_bytes().to_vec()
    };
    response.body(Body::from(body)).unwrap_or_else(|_| bad_gateway())
}

fn bad_gateway() -> Response<Body> {
    message(StatusCode::BAD_GATEWAY, "Internal Server Error")
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(json!({ "Message": text }).to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_decoded_and_joined() {
        assert_eq!(query_parameters("a=1&b=x%20y&a=2&c"), json!({"a": "1,2", "b": "x y", "c": ""}));
    }

    #[test]
    fn an_answer_without_a_status_is_the_body() {
        let response = http_answer(br#"{"ok":true}"#, "id");
        assert_eq!(response.status(), StatusCode::OK);
        let response = http_answer(br#"{"statusCode":409,"headers":{"x-why":"stale"},"body":"no"}"#, "id");
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()["x-why"], "stale");
    }
}
