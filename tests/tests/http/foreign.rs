//! What a function's key cannot do: every write that its role grants, tried on what is not managed, by real requests.

use serde_json::{Value, json};
use tests::stack::Stack;
use tidegate::api::Ask;

/// One request as a client would send it, without the client.
struct Request {
    service: &'static str,
    body: Body,
}

enum Body {
    /// `X-Amz-Target`, and JSON.
    Json(&'static str, Value),
    /// A form, as ELBv2 reads it.
    Form(String),
}

/// The actions that change nothing of a customer's; the platform's own, under the function's role, among them.
const NO_WRITES: [&str; 9] = [
    ":Get",
    ":BatchGet",
    ":Describe",
    ":List",
    ":Query",
    "sqs:ReceiveMessage",
    "dynamodb:ConditionCheckItem",
    "logs:",
    "xray:",
];

/// The write, on a stranger's resource; `None` for an action that this test has no request for.
fn on_a_stranger(action: &str, stack: &Stack) -> Option<Request> {
    let account = &stack.sandbox.platform().template.account;
    let load_balancer = |kind: &str| {
        let id = "app/foreign/1234567890123456/1234567890123456";
        account.arn("elasticloadbalancing", &format!("{kind}/{id}"))
    };
    let queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/foreign";
    let forward = "Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn=x";
    let form = |action: &str, of: &str, arn: String| {
        let arn = arn.replace(':', "%3A").replace('/', "%2F");
        let defaults = if of == "ListenerArn" { forward.replace("Actions", "DefaultActions") } else { forward.into() };
        Body::Form(format!("Action={action}&Version=2015-12-01&{of}={arn}&{defaults}"))
    };
    let item = json!({ "pk": { "S": "x" }, "sk": { "S": "x" } });
    let (service, body) = match action {
        "ecs:UpdateService" => {
            let input = json!({ "cluster": "production", "service": "foreign", "desiredCount": 0 });
            ("ecs", Body::Json("AmazonEC2ContainerServiceV20141113.UpdateService", input))
        }
        "elasticloadbalancing:ModifyRule" => (
            "elasticloadbalancing",
            form("ModifyRule", "RuleArn", load_balancer("listener-rule") + "/1234567890123456"),
        ),
        "elasticloadbalancing:CreateRule" => {
            ("elasticloadbalancing", form("CreateRule", "ListenerArn", load_balancer("listener")))
        }
        // Nobody asks for tags alone: they are asked for beside the rule that is made with them.
        "elasticloadbalancing:AddTags" => {
            let Body::Form(create) = form("CreateRule", "ListenerArn", load_balancer("listener")) else { return None };
            ("elasticloadbalancing", Body::Form(create + "&Tags.member.1.Key=tidegate%3Arollout&Tags.member.1.Value=x"))
        }
        "elasticloadbalancing:DeleteRule" => (
            "elasticloadbalancing",
            form("DeleteRule", "RuleArn", load_balancer("listener-rule") + "/1234567890123456"),
        ),
        "elasticloadbalancing:ModifyListener" => {
            ("elasticloadbalancing", form("ModifyListener", "ListenerArn", load_balancer("listener")))
        }
        "dynamodb:PutItem" => {
            ("dynamodb", Body::Json("DynamoDB_20120810.PutItem", json!({ "TableName": "foreign", "Item": item })))
        }
        "dynamodb:UpdateItem" => {
            ("dynamodb", Body::Json("DynamoDB_20120810.UpdateItem", json!({ "TableName": "foreign", "Key": item })))
        }
        "dynamodb:DeleteItem" => {
            ("dynamodb", Body::Json("DynamoDB_20120810.DeleteItem", json!({ "TableName": "foreign", "Key": item })))
        }
        "sqs:SendMessage" => {
            ("sqs", Body::Json("AmazonSQS.SendMessage", json!({ "QueueUrl": queue, "MessageBody": "x" })))
        }
        "sqs:DeleteMessage" => {
            ("sqs", Body::Json("AmazonSQS.DeleteMessage", json!({ "QueueUrl": queue, "ReceiptHandle": "x" })))
        }
        "events:PutEvents" => {
            let entry = json!({ "EventBusName": "default", "Source": "tidegate", "DetailType": "x", "Detail": "{}" });
            ("events", Body::Json("AWSEvents.PutEvents", json!({ "Entries": [entry] })))
        }
        _ => return None,
    };
    Some(Request { service, body })
}

/// Sends it under an access key; the status and the answer.
fn send(stack: &Stack, access_key: &str, request: Request) -> (u16, String) {
    let Request { service, body } = request;
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20260105/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let post = agent.post(stack.sandbox.url()).header("authorization", signed);
    let mut answer = match body {
        Body::Json(target, input) => {
            let post = post.header("x-amz-target", target).header("content-type", "application/x-amz-json-1.1");
            post.send(input.to_string())
        }
        Body::Form(form) => post.header("content-type", "application/x-www-form-urlencoded").send(form),
    }
    .unwrap_or_else(|error| panic!("{service} does not answer: {error}"));
    let text = answer.body_mut().read_to_string().expect("an answer is text");
    (answer.status().as_u16(), text)
}

/// Has each function run once, so that it has a process with a key.
fn wake_all(stack: &Stack) {
    let empty = json!({ "Records": [] });
    let alarm = stack.alarm_event("checkout-5xx-rate");
    for host in stack.sandbox.platform().lambda.hosts() {
        let payload = match host.function.binary.as_str() {
            "command" | "query" => continue,
            "alarm" => &alarm,
            _ => &empty,
        };
        stack.block_on(host.clone().invoke(stack.sandbox.platform(), payload.to_string().into(), "a test"));
    }
    let ask = Ask::Answer { key: "nothing".to_owned() };
    for function in ["command", "query"] {
        stack.post(function, "operator", &ask);
    }
}

#[test]
fn every_write_that_a_role_grants_is_denied_on_what_is_not_managed() {
    let stack = Stack::start();
    wake_all(&stack);
    let template = &stack.sandbox.platform().template;
    let mut tried = 0;
    for function in &template.functions {
        let key = format!("ASIA{}0001", function.binary.to_uppercase());
        let role = template.role_of(function).expect("a function has a role");
        let writes = role.granted_actions().into_iter().filter(|a| !NO_WRITES.iter().any(|read| a.contains(read)));
        for action in writes {
            let Some(request) = on_a_stranger(&action, &stack) else {
                panic!("{} may {action}, and this test has no request for it: add one", function.binary)
            };
            let (status, text) = send(&stack, &key, request);
            let denied = (400..=403).contains(&status) && text.contains("AccessDenied");
            assert!(denied, "{} {action} on a stranger's resource: {status} {text}", function.binary);
            tried += 1;
        }
    }
    assert!(tried >= 10, "only {tried} writes were tried");
    // The same key, on what is managed: it is the resource that is denied, not the key.
    let own = json!({ "cluster": "production", "service": "checkout-blue" });
    let body = Body::Json("AmazonEC2ContainerServiceV20141113.UpdateService", own);
    let (status, text) = send(&stack, "ASIACONTROLLER0001", Request { service: "ecs", body });
    assert_eq!(status, 200, "{text}");
    stack.end();
}
