//! What kind of thing a JSON object is, by the keys that only it has.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ParseError;
use super::text::read;

/// The shapes in which an event, or something near to one, comes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One of our own messages.
    Message,
    /// An EventBridge event.
    Envelope,
    /// An alarm whose action is a Lambda function.
    AlarmAction,
    /// An alarm whose action is an SNS topic.
    AlarmNotice,
    /// An SNS notification, whose `Message` is something else.
    Notification,
    /// ECS calls a lifecycle hook.
    LifecycleHook,
    /// CodeDeploy calls a hook.
    CodeDeployHook,
    /// A CloudTrail record.
    ApiCall,
    /// Several records: a batch of SQS, SNS or CloudTrail, or what the AWS CLI prints of a queue or a log group.
    Records,
    /// The `detail` of an event alone; of which `detail-type`.
    Detail(&'static str),
}

type Key = Option<IgnoredAny>;

/// The keys that tell shapes apart; what they hold is read by whoever knows the shape.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Keys {
    tidegate: Key,
    #[serde(rename = "detail-type")]
    detail_type: Key,
    alarm_data: Key,
    #[serde(rename = "NewStateValue")]
    new_state_value: Key,
    #[serde(rename = "Records")]
    records: Key,
    #[serde(rename = "Messages")]
    messages: Key,
    events: Key,
    #[serde(rename = "Message")]
    message: Key,
    #[serde(rename = "TopicArn")]
    topic_arn: Key,
    execution_id: Key,
    lifecycle_stage: Key,
    resource_arn: Key,
    #[serde(rename = "DeploymentId")]
    deployment_id: Key,
    #[serde(rename = "LifecycleEventHookExecutionId")]
    hook_execution_id: Key,
    event_version: Key,
    event_source: Key,
    event_name: Key,
    task_arn: Key,
    last_status: Key,
    hook_id: Key,
    #[serde(rename = "deploymentId")]
    ecs_deployment_id: Key,
    cluster_arn: Key,
    alarm_name: Key,
    alarm_contributor: Key,
    state: Key,
    deployment_group: Key,
    container_instance_arn: Key,
    agent_connected: Key,
    #[serde(rename = "repository-name")]
    repository_name: Key,
    #[serde(rename = "image-digest")]
    image_digest: Key,
}

impl Shape {
    /// Tells the shape of a body.
    pub(super) fn of(body: &str) -> Result<Self, ParseError> {
        let keys: Keys = if body.trim_start().starts_with('{') {
            read(body, "an event")?
        } else {
            let IgnoredAny = read(body, "an event")?;
            return Err(ParseError::new(
                "a list, text, number or `null` where an event was expected",
                "an event is a JSON object",
            ));
        };
        keys.shape().ok_or_else(|| {
            ParseError::new(
                "a JSON object that is no event: it has neither `detail-type` nor any other key to know it by",
                "an EventBridge event has `source`, `detail-type` and `detail`",
            )
        })
    }
}

impl Shape {
    /// Returns what people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Message => "message of Tidegate",
            Self::Envelope => "EventBridge event",
            Self::AlarmAction => "alarm action",
            Self::AlarmNotice => "alarm's SNS message",
            Self::Notification => "SNS notification",
            Self::LifecycleHook => "call of an ECS lifecycle hook",
            Self::CodeDeployHook => "call of a CodeDeploy hook",
            Self::ApiCall => "CloudTrail record",
            Self::Records => "batch of records",
            Self::Detail(detail_type) => detail_type,
        }
    }
}

impl Keys {
    /// The keys of one shape at a time, those of wrappings first.
    fn shape(&self) -> Option<Shape> {
        let all = |keys: &[&Key]| keys.iter().all(|key| key.is_some());
        let table: [(&[&Key], Shape); 21] = [
            (&[&self.tidegate], Shape::Message),
            (&[&self.detail_type], Shape::Envelope),
            (&[&self.alarm_data], Shape::AlarmAction),
            (&[&self.new_state_value], Shape::AlarmNotice),
            (&[&self.records], Shape::Records),
            (&[&self.messages], Shape::Records),
            (&[&self.events], Shape::Records),
            (&[&self.message, &self.topic_arn], Shape::Notification),
            (&[&self.execution_id, &self.lifecycle_stage], Shape::LifecycleHook),
            (&[&self.execution_id, &self.resource_arn], Shape::LifecycleHook),
            (&[&self.deployment_id, &self.hook_execution_id], Shape::CodeDeployHook),
            (&[&self.event_version, &self.event_source, &self.event_name], Shape::ApiCall),
            (&[&self.task_arn, &self.last_status], Shape::Detail("ECS Task State Change")),
            (&[&self.hook_id, &self.lifecycle_stage], Shape::Detail("ECS Hook State Change")),
            (&[&self.event_name, &self.ecs_deployment_id], Shape::Detail("ECS Deployment State Change")),
            (&[&self.event_name, &self.cluster_arn], Shape::Detail("ECS Service Action")),
            (
                &[&self.container_instance_arn, &self.agent_connected],
                Shape::Detail("ECS Container Instance State Change"),
            ),
            (&[&self.alarm_contributor, &self.state], Shape::Detail("CloudWatch Alarm Contributor State Change")),
            (&[&self.alarm_name, &self.state], Shape::Detail("CloudWatch Alarm State Change")),
            (&[&self.deployment_group, &self.state], Shape::Detail("CodeDeploy Deployment State-change Notification")),
            (&[&self.repository_name, &self.image_digest], Shape::Detail("ECR Image Action")),
        ];
        table.into_iter().find_map(|(keys, shape)| all(keys).then_some(shape))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    message: String,
}

/// Returns what an SNS notification carries.
pub(super) fn notification(body: &str) -> Result<String, ParseError> {
    Ok(read::<Notification>(body, "an SNS notification")?.message)
}
