//! What AWS calls a resource: `Ref`, `Fn::GetAtt` and ARNs by type.

use super::Account;

/// A resource under its physical name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Physical {
    /// The logical id.
    pub id: String,
    /// The CloudFormation type.
    pub kind: String,
    pub name: String,
    /// The bus of a rule; `None` for the default bus.
    pub bus: Option<String>,
}

/// The property that names a resource of this type, where it has one.
pub fn name_property(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::Serverless::Function" => Some("FunctionName"),
        "AWS::IAM::Role" => Some("RoleName"),
        "AWS::IAM::ManagedPolicy" => Some("ManagedPolicyName"),
        "AWS::SQS::Queue" => Some("QueueName"),
        "AWS::DynamoDB::Table" => Some("TableName"),
        "AWS::Events::Rule" | "AWS::Events::EventBus" => Some("Name"),
        "AWS::Logs::LogGroup" => Some("LogGroupName"),
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => Some("AlarmName"),
        "AWS::CloudWatch::Dashboard" => Some("DashboardName"),
        "AWS::KMS::Alias" => Some("AliasName"),
        "AWS::Lambda::Url" => Some("TargetFunctionArn"),
        _ => None,
    }
}

/// What `Ref` gives.
pub fn reference(physical: &Physical, account: &Account) -> String {
    match physical.kind.as_str() {
        "AWS::SQS::Queue" => account.queue_url(&physical.name),
        "AWS::IAM::ManagedPolicy" | "AWS::Lambda::Url" => {
            attribute(physical, "Arn", account).unwrap_or_else(|| physical.name.clone())
        }
        "AWS::Events::Rule" => match &physical.bus {
            Some(bus) => format!("{}|{}", bus_name(bus), physical.name),
            None => physical.name.clone(),
        },
        _ => physical.name.clone(),
    }
}

/// What `Fn::GetAtt` gives; `None` for an attribute that the type does not have.
pub fn attribute(physical: &Physical, attribute: &str, account: &Account) -> Option<String> {
    let name = &physical.name;
    let arn = |service: &str, rest: String| Some(account.arn(service, &rest));
    match (physical.kind.as_str(), attribute) {
        ("AWS::Serverless::Function", "Arn") => arn("lambda", format!("function:{name}")),
        ("AWS::IAM::Role", "Arn") => Some(account.global_arn("iam", &format!("role/{name}"))),
        ("AWS::IAM::ManagedPolicy", "Arn" | "PolicyArn") => Some(account.global_arn("iam", &format!("policy/{name}"))),
        ("AWS::SQS::Queue", "Arn") => arn("sqs", name.clone()),
        ("AWS::SQS::Queue", "QueueName") | ("AWS::Events::EventBus", "Name") => Some(name.clone()),
        ("AWS::SQS::Queue", "QueueUrl") => Some(account.queue_url(name)),
        ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{name}")),
        ("AWS::Events::Rule", "Arn") => match &physical.bus {
            Some(bus) => arn("events", format!("rule/{}/{name}", bus_name(bus))),
            None => arn("events", format!("rule/{name}")),
        },
        ("AWS::Events::EventBus", "Arn") => arn("events", format!("event-bus/{name}")),
        ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{name}:*")),
        ("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm", "Arn") => {
            arn("cloudwatch", format!("alarm:{name}"))
        }
        ("AWS::KMS::Key", "Arn") => arn("kms", format!("key/{name}")),
        ("AWS::KMS::Key", "KeyId") => Some(name.clone()),
        ("AWS::Lambda::Url", "FunctionUrl") => Some(account.function_url(url_function(name))),
        ("AWS::Lambda::Url", "FunctionArn" | "Arn") => arn("lambda", format!("function:{}", url_function(name))),
        _ => None,
    }
}

/// The function's name in what `TargetFunctionArn` holds: a name or an ARN.
fn url_function(target: &str) -> &str {
    target.rsplit_once(":function:").map_or(target, |(_, name)| name)
}

/// A bus's name in what `EventBusName` holds: a name or an ARN.
pub fn bus_name(bus: &str) -> &str {
    bus.rsplit_once("event-bus/").map_or(bus, |(_, name)| name)
}
