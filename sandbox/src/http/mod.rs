//! The AWS door: one loopback listener that speaks for every service, under each caller's own rights.

pub mod aws;
pub mod dynamodb;
mod events;
mod sqs;
mod url;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use jiff::SignedDuration;
use tokio::net::TcpListener;

use crate::chronicle::{self, Chronicle};
use crate::platform::Platform;
use crate::platform::drive::Drive;
use crate::platform::iam::{Call, Decision, Policy, Principal, evaluate};
use crate::platform::lambda::{Host, Strike};
use crate::platform::people::{Person, named_in};
use crate::platform::transcript::{Caller, Entry, Outcome};
use crate::wire;
use crate::world;
use aws::{AwsReply, AwsRequest, JsonVersion, Protocol};
use dynamodb::Tables;

/// The largest request that any of the services takes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the sandbox tells the template's outputs, which in AWS `aws cloudformation describe-stacks` does.
const OUTPUTS_PATH: &str = "/sandbox/outputs";

/// What stands behind the door.
pub struct Door {
    pub platform: Arc<Platform>,
    pub drive: Arc<Drive>,
    pub tables: Tables,
    /// What became durable, and when.
    pub chronicle: Chronicle,
    /// The account as the World knows it.
    pub account: world::Account,
}

/// Answers requests until the task is dropped.
pub async fn serve(listener: TcpListener, door: Arc<Door>) {
    let routes = Router::new().fallback(enter).with_state(door);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!("the door is closed: {error}");
    }
}

/// Who calls, as far as the request's signature says.
enum Identity<'a> {
    Function { host: &'a Arc<Host>, access_key: String, invocation: Option<String> },
    Person(&'a Person),
}

impl Identity<'_> {
    /// As AWS names it in a refusal.
    fn arn(&self, platform: &Platform) -> String {
        match self {
            Self::Function { host, .. } => {
                let role = host.function.role.rsplit('/').next().unwrap_or_default();
                let session = format!("assumed-role/{role}/{}", host.function.name);
                platform.template.account.global_arn("sts", &session)
            }
            Self::Person(person) => person.arn.clone(),
        }
    }

    /// What policies call it.
    fn principal(&self) -> Principal {
        match self {
            Self::Function { host, .. } => Principal::Aws(host.function.role.clone()),
            Self::Person(person) => Principal::Aws(person.arn.clone()),
        }
    }

    fn policies<'a>(&'a self, platform: &'a Platform) -> &'a [Policy] {
        match self {
            Self::Function { host, .. } => {
                platform.role_of(&host.function).map(|role| role.policies.as_slice()).unwrap_or_default()
            }
            Self::Person(person) => &person.policies,
        }
    }

    fn caller(&self) -> Caller {
        match self {
            Self::Function { host, .. } => Caller::Function(host.function.id.clone()),
            Self::Person(person) => Caller::Person(person.name.clone()),
        }
    }

    fn invocation(&self) -> Option<String> {
        match self {
            Self::Function { invocation, .. } => invocation.clone(),
            Self::Person(_) => None,
        }
    }
}

async fn enter(State(door): State<Arc<Door>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
    };
    if parts.method == Method::GET && parts.uri.path() == OUTPUTS_PATH {
        return outputs(&door.platform);
    }
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let scope = Scope::of(authorization);
    if parts.uri.path().starts_with(url::PREFIX) {
        let request = url::UrlRequest {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            body: &body,
            person: person(&door.platform, authorization, scope.as_ref()),
        };
        return url::call(&door.platform, request).await;
    }
    let Some(request) = identify(&parts, body, scope.as_ref(), door.platform.uuid()) else {
        let hint = "this is no AWS request: neither X-Amz-Target, nor a form with Action, nor a Smithy RPC v2 path";
        return plain(StatusCode::BAD_REQUEST, hint);
    };
    let identity = match scope.as_ref().and_then(|scope| door.platform.lambda.caller(&scope.access_key)) {
        Some((host, invocation)) => {
            let access_key = scope.map(|scope| scope.access_key).unwrap_or_default();
            Identity::Function { host, access_key, invocation }
        }
        None => match person(&door.platform, authorization, scope.as_ref()) {
            Some(person) => Identity::Person(person),
            None => {
                let message = "The security token included in the request is invalid.";
                return send(request.error(403, "UnrecognizedClientException", message));
            }
        },
    };
    send(door.perform(&request, &identity).await)
}

impl Door {
    /// Asks IAM, performs, and writes the transcript; kills the caller's
    /// process on either side of the call if a kill waits for it.
    async fn perform(&self, request: &AwsRequest, identity: &Identity<'_>) -> AwsReply {
        let name = format!("{}:{}", request.service, request.action);
        if self.struck(identity, &name, Strike::Before).await {
            return request.error(500, "InternalFailure", "the caller is gone");
        }
        let started = self.platform.moment();
        let (calls, allowed) = match self.authorize(request) {
            Ok(calls) => {
                let calls: Vec<Call> = calls.into_iter().map(|call| self.in_context(call, identity)).collect();
                let denied = calls.iter().find_map(|call| self.denied(request, call, identity));
                (calls, denied.map_or(Ok(()), |message| Err(request.access_denied(&message))))
            }
            Err(reply) => (Vec::new(), Err(reply)),
        };
        let denied_text = |reply: &AwsReply| String::from_utf8_lossy(&reply.body).into_owned();
        let reply = match allowed {
            Ok(()) => self.answer(request, identity).await,
            Err(reply) => reply,
        };
        let outcome = match reply.error.as_deref() {
            None => Outcome::Ok,
            Some(code) if code.starts_with("AccessDenied") => Outcome::Denied(denied_text(&reply)),
            Some(code) => Outcome::Error(code.to_owned()),
        };
        self.platform.transcript.record(Entry {
            started,
            ended: self.platform.moment(),
            caller: identity.caller(),
            invocation: identity.invocation(),
            service: request.service.clone(),
            operation: request.action.clone(),
            calls,
            outcome,
        });
        if self.struck(identity, &name, Strike::After).await {
            return request.error(500, "InternalFailure", "the caller is gone");
        }
        reply
    }

    fn authorize(&self, request: &AwsRequest) -> Result<Vec<Call>, AwsReply> {
        match request.service.as_str() {
            "dynamodb" => self.tables.authorize(request),
            "sqs" => sqs::authorize(&self.platform, request),
            "events" => events::authorize(&self.platform, request),
            _ => {
                let calls = wire::authorize(request, &self.account)?;
                Ok(calls.into_iter().map(|call| self.with_tags(call)).collect())
            }
        }
    }

    /// The tags of what a call would delete.
    fn with_tags(&self, call: Call) -> Call {
        if call.name() != "elasticloadbalancing:DeleteRule" {
            return call;
        }
        let rules = call.resources.clone();
        let tags = self
            .drive
            .with(&self.platform, |world| rules.iter().flat_map(|rule| world.tags_of_rule(rule)).collect::<Vec<_>>());
        tags.into_iter().fold(call, |call, tag| call.with(&format!("aws:ResourceTag/{}", tag.key), [tag.value]))
    }

    async fn answer(&self, request: &AwsRequest, identity: &Identity<'_>) -> AwsReply {
        match request.service.as_str() {
            "dynamodb" => self.store(request),
            "sqs" => sqs::answer(&self.platform, request, &identity.arn(&self.platform)).await,
            "events" => events::answer(&self.platform, request),
            _ => self.drive.with(&self.platform, |world| wire::answer(request, world)),
        }
    }

    /// Lets the table answer, and tells of the rollouts that it stored. The World stands still meanwhile: whatever
    /// happens in it happens before or after the write.
    fn store(&self, request: &AwsRequest) -> AwsReply {
        let rollouts = chronicle::stored_by(&request.action, &request.body);
        if rollouts.is_empty() {
            return self.tables.answer(request);
        }
        self.drive.with(&self.platform, |world| {
            let reply = self.tables.answer(request);
            if reply.error.is_none() {
                let clock = &self.platform.clock;
                let allowance = chronicle::TRANSPORT.saturating_mul(clock.rate());
                let allowance = SignedDuration::try_from(allowance).unwrap_or(SignedDuration::MAX);
                self.chronicle.written(&rollouts, self.platform.moment(), allowance, world);
            }
            reply
        })
    }

    /// The keys that AWS fills for every call.
    fn in_context(&self, call: Call, identity: &Identity<'_>) -> Call {
        let arn = match identity {
            Identity::Function { host, .. } => host.function.role.clone(),
            Identity::Person(person) => person.arn.clone(),
        };
        call.with("aws:PrincipalArn", [arn])
            .with("aws:PrincipalAccount", [self.platform.template.account.id.clone()])
            .with("aws:SecureTransport", ["true".to_owned()])
    }

    /// IAM's sentence if the call is denied. Inside one account either the
    /// caller's policies or the resource's must allow, and neither may deny.
    fn denied(&self, request: &AwsRequest, call: &Call, identity: &Identity<'_>) -> Option<String> {
        let of_resource: &[Policy] = match request.service.as_str() {
            "events" => events::resource_policies(&self.platform, call),
            "sqs" => call
                .resources
                .first()
                .and_then(|arn| self.platform.queues.definition(arn))
                .map(|queue| queue.policies.as_slice())
                .unwrap_or_default(),
            _ => &[],
        };
        let mut policies = identity.policies(&self.platform).to_vec();
        policies.extend_from_slice(of_resource);
        match evaluate(&policies, call, &identity.principal()) {
            Decision::Allowed => None,
            Decision::Denied { why } => Some(format!("User: {} {why}", identity.arn(&self.platform))),
        }
    }

    async fn struck(&self, identity: &Identity<'_>, name: &str, when: Strike) -> bool {
        match identity {
            Identity::Function { host, access_key, invocation } => {
                let of_invocation = |id: &String| self.platform.transcript.of_invocation(id);
                let done = |call: &str| {
                    invocation.as_ref().is_some_and(|id| of_invocation(id).iter().any(|entry| entry.name() == call))
                };
                self.platform.lambda.strike(host, access_key, name, when, done).await
            }
            Identity::Person(_) => false,
        }
    }
}

/// The credential scope of a signature. The signature itself is not checked:
/// the door is on loopback, and nobody has a secret to keep.
struct Scope {
    access_key: String,
    service: String,
}

impl Scope {
    fn of(authorization: &str) -> Option<Self> {
        let (_, credential) = authorization.split_once("Credential=")?;
        let mut parts = credential.split([',', ' ']).next()?.split('/');
        let access_key = parts.next()?.to_owned();
        // The date and the region stand between the key and the service.
        let service = parts.nth(2)?.to_owned();
        Some(Self { access_key, service })
    }
}

fn person<'a>(platform: &'a Platform, authorization: &str, scope: Option<&Scope>) -> Option<&'a Person> {
    let named = named_in(authorization);
    platform.people.iter().find(|person| match (named, scope) {
        (Some(name), _) => person.name == name,
        (None, Some(scope)) => person.access_key == scope.access_key,
        (None, None) => false,
    })
}

/// Finds out what a request is, in whichever protocol.
fn identify(parts: &Parts, body: Bytes, scope: Option<&Scope>, request_id: String) -> Option<AwsRequest> {
    let (service, action, protocol) = if let Some(target) = text(&parts.headers, "x-amz-target") {
        let (api, action) = target.rsplit_once('.')?;
        let (service, version) = json_service(api, scope);
        (service, action.to_owned(), Protocol::Json { version })
    } else if let Some(path) = parts.uri.path().strip_prefix("/service/") {
        let (api, action) = path.split_once("/operation/")?;
        (json_service(api, scope).0, action.to_owned(), Protocol::RpcV2Cbor)
    } else {
        let form = std::str::from_utf8(&body).ok()?;
        let action = form.split('&').find_map(|pair| pair.strip_prefix("Action="))?.to_owned();
        let service = match scope?.service.as_str() {
            "monitoring" => "cloudwatch",
            other => other,
        };
        (service.to_owned(), action, Protocol::Query)
    };
    Some(AwsRequest { service, action, protocol, request_id, headers: parts.headers.clone(), body })
}

/// The IAM prefix behind an API's name on the wire.
fn json_service(api: &str, scope: Option<&Scope>) -> (String, JsonVersion) {
    let (service, version) = match api {
        "DynamoDB_20120810" => ("dynamodb", JsonVersion::V1_0),
        "AmazonSQS" => ("sqs", JsonVersion::V1_0),
        "AWSEvents" => ("events", JsonVersion::V1_1),
        "AmazonEC2ContainerServiceV20141113" => ("ecs", JsonVersion::V1_1),
        "AnyScaleFrontendService" => ("application-autoscaling", JsonVersion::V1_1),
        "GraniteServiceVersion20100801" => ("cloudwatch", JsonVersion::V1_0),
        other => (scope.map_or(other, |scope| scope.service.as_str()), JsonVersion::V1_1),
    };
    (service.to_owned(), version)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn send(reply: AwsReply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status).header(header::CONTENT_TYPE, reply.content_type);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(reply.body)).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "bad header"))
}

fn outputs(platform: &Platform) -> Response<Body> {
    let body = serde_json::to_vec(&platform.template.outputs).unwrap_or_default();
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body)).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "bad header"))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIASANDBOXADMIN/20260105/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0";

    fn identified(builder: axum::http::request::Builder, body: &'static str) -> Option<(String, String, Protocol)> {
        let (parts, ()) = builder.header("authorization", SIGNED).body(()).unwrap().into_parts();
        let scope = Scope::of(SIGNED);
        let request = identify(&parts, Bytes::from(body), scope.as_ref(), "id".into())?;
        Some((request.service, request.action, request.protocol))
    }

    #[test]
    fn a_request_is_known_by_its_target_its_path_or_its_form() {
        let json = |version| Protocol::Json { version };
        let target = |target: &str| identified(Request::builder().header("x-amz-target", target), "{}");
        let expected = |service: &str, action: &str, protocol| Some((service.to_owned(), action.to_owned(), protocol));
        assert_eq!(target("DynamoDB_20120810.PutItem"), expected("dynamodb", "PutItem", json(JsonVersion::V1_0)));
        assert_eq!(
            target("AmazonEC2ContainerServiceV20141113.DescribeServices"),
            expected("ecs", "DescribeServices", json(JsonVersion::V1_1))
        );
        let path = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
        assert_eq!(
            identified(Request::builder().uri(path), ""),
            expected("cloudwatch", "GetMetricData", Protocol::RpcV2Cbor)
        );
        assert_eq!(
            identified(Request::builder(), "Action=DescribeAlarms&Version=2010-08-01"),
            expected("cloudwatch", "DescribeAlarms", Protocol::Query)
        );
        assert_eq!(identified(Request::builder(), "hello"), None);
    }
}
