//! From a resource's resolved properties to its type; a property that nobody reads is refused.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::intrinsics::Resolver;
use super::names::bus_name;
use super::properties::Properties;
use super::resources::*;
use super::{Template, TemplateText};
use crate::platform::LoadError;
use crate::platform::iam::{self, Call, Policy, Principal, Role};
use crate::platform::patterns::Pattern;

/// The types that the sandbox runs, or keeps as data.
const SUPPORTED: [&str; 19] = [
    "AWS::Serverless::Function",
    "AWS::IAM::Role",
    "AWS::IAM::ManagedPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::Events::EventBus",
    "AWS::Events::EventBusPolicy",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::KMS::Key",
    "AWS::KMS::Alias",
];

/// One resource whose properties are plain JSON.
pub struct Resource<'a> {
    id: &'a str,
    kind: &'a str,
    properties: Properties,
    entry: &'a Value,
    resolver: &'a Resolver<'a>,
}

impl<'a> Resource<'a> {
    /// Resolves a resource; `None` if its condition does not hold.
    pub fn new(
        id: &'a str,
        entry: &'a Value,
        source: &'a TemplateText,
        resolver: &'a Resolver<'a>,
    ) -> Result<Option<Self>, LoadError> {
        let kind = entry.get("Type").and_then(Value::as_str).unwrap_or("no type");
        let place = format!("{id} ({kind})");
        if !SUPPORTED.contains(&kind) {
            let problem = format!("the sandbox does not run this type; it runs {}", SUPPORTED.join(", "));
            return Err(LoadError::new(place, problem));
        }
        if let Some(condition) = entry.get("Condition").and_then(Value::as_str)
            && !resolver.condition(condition, &place)?
        {
            return Ok(None);
        }
        let own = entry.get("Properties").cloned().unwrap_or_else(|| json!({}));
        let merged = match (kind, &own) {
            ("AWS::Serverless::Function", Value::Object(own)) => Value::Object(merge(&source.globals, own)),
            _ => own,
        };
        let Some(Value::Object(fields)) = resolver.resolve(&merged, &place)? else {
            return Err(LoadError::new(place, "`Properties` is an object"));
        };
        let properties = Properties::new(place, fields);
        Ok(Some(Self { id, kind, properties, entry, resolver }))
    }

    /// Whether it only says something about a resource that must be read before.
    pub fn is_about_another(&self) -> bool {
        matches!(
            self.kind,
            "AWS::SQS::QueuePolicy"
                | "AWS::Events::EventBusPolicy"
                | "AWS::Lambda::EventInvokeConfig"
                | "AWS::Lambda::Url"
        )
    }

    pub fn read_into(mut self, template: &mut Template) -> Result<(), LoadError> {
        match self.kind {
            "AWS::Serverless::Function" => template.functions.push(self.function()?),
            "AWS::IAM::Role" => {
                let role = self.role()?;
                template.roles.insert(role.arn.clone(), role);
            }
            "AWS::IAM::ManagedPolicy" => template.managed_policies.push(self.managed_policy()?),
            "AWS::SQS::Queue" => template.queues.push(self.queue()?),
            "AWS::SQS::QueuePolicy" => self.queue_policy(template)?,
            "AWS::DynamoDB::Table" => template.tables.push(self.table()?),
            "AWS::Events::Rule" => template.rules.push(self.rule()?),
            "AWS::Events::EventBus" => template.buses.push(self.bus()?),
            "AWS::Events::EventBusPolicy" => self.bus_policy(template)?,
            "AWS::Lambda::EventSourceMapping" => template.mappings.push(self.mapping()?),
            "AWS::Lambda::EventInvokeConfig" => self.event_invoke_config(template)?,
            "AWS::Lambda::Permission" => template.permissions.push(self.permission()?),
            "AWS::Lambda::Url" => self.url(template)?,
            "AWS::Logs::LogGroup" => {
                template.log_groups.push(self.reference()?);
                self.properties.ignore(&["LogGroupName", "RetentionInDays", "KmsKeyId", "Tags", "LogGroupClass"]);
            }
            // Alarms on the controller itself, dashboards and keys: data.
            _ => {
                let keys: Vec<String> = self.properties.names().map(str::to_owned).collect();
                let mut all = Map::new();
                for key in keys {
                    if let Some(value) = self.properties.value(&key) {
                        all.insert(key, value);
                    }
                }
                template.data.insert(self.id.to_owned(), Value::Object(all));
            }
        }
        self.properties.finish()
    }

    fn reference(&self) -> Result<String, LoadError> {
        self.resolved(&json!({ "Ref": self.id }))
    }

    fn attribute(&self, attribute: &str) -> Result<String, LoadError> {
        self.resolved(&json!({ "Fn::GetAtt": [self.id, attribute] }))
    }

    fn resolved(&self, value: &Value) -> Result<String, LoadError> {
        match self.resolver.resolve(value, self.properties.place())? {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.properties.error("has no name")),
        }
    }

    fn function(&mut self) -> Result<Function, LoadError> {
        let (name, arn) = (self.reference()?, self.attribute("Arn")?);
        let binary = self
            .entry
            .pointer("/Metadata/BuildProperties/Binary")
            .and_then(Value::as_str)
            .ok_or_else(|| self.properties.error("needs `Metadata.BuildProperties.Binary`, the binary to run"))?
            .to_owned();
        let p = &mut self.properties;
        p.ignore(&[
            "FunctionName",
            "Architectures",
            "CodeUri",
            "Description",
            "Handler",
            "Runtime",
            "Tags",
            "KmsKeyArn",
        ]);
        let timeout = Duration::from_secs(p.number("Timeout")?.unwrap_or(3).into());
        let memory_mb = p.number("MemorySize")?.unwrap_or(128);
        let reserved_concurrency = p.number("ReservedConcurrentExecutions")?;
        let role = p.required_text("Role")?;
        let traced = p.text("Tracing")?.as_deref() == Some("Active");
        let environment = match p.part("Environment")? {
            None => Default::default(),
            Some(mut part) => {
                let variables = part.text_map("Variables")?;
                part.finish()?;
                variables
            }
        };
        let mut log_group = format!("/aws/lambda/{name}");
        if let Some(mut part) = p.part("LoggingConfig")? {
            part.ignore(&["LogFormat", "ApplicationLogLevel", "SystemLogLevel"]);
            log_group = part.text("LogGroup")?.unwrap_or(log_group);
            part.finish()?;
        }
        let mut dead_letter = None;
        if let Some(mut part) = p.part("DeadLetterQueue")? {
            if part.required_text("Type")? != "SQS" {
                return Err(part.error("only `Type: SQS` is supported"));
            }
            dead_letter = Some(part.required_text("TargetArn")?);
            part.finish()?;
        }
        let mut invoke = Asynchronous::default();
        if let Some(part) = p.part("EventInvokeConfig")? {
            invoke = Asynchronous::read(part)?;
        }
        let mut url = None;
        if let Some(part) = p.part("FunctionUrlConfig")? {
            url = Some(url_auth(part)?);
        }
        Ok(Function {
            id: self.id.to_owned(),
            name,
            arn,
            binary,
            role,
            timeout,
            memory_mb,
            reserved_concurrency,
            environment,
            log_group,
            traced,
            dead_letter,
            on_failure: invoke.on_failure,
            retries: invoke.retries,
            event_age_max: invoke.event_age_max,
            url,
        })
    }

    fn role(&mut self) -> Result<Role, LoadError> {
        let (name, arn) = (self.reference()?, self.attribute("Arn")?);
        let p = &mut self.properties;
        p.ignore(&["RoleName", "Description", "Path", "Tags", "MaxSessionDuration"]);
        let trust = p.value("AssumeRolePolicyDocument").unwrap_or(Value::Null);
        let trust = Policy::trust(&trust, &format!("{}.AssumeRolePolicyDocument", p.place()))?;
        let assume = Call::on_anything("sts", "AssumeRole");
        let lambda = Principal::Service("lambda.amazonaws.com".into());
        if !iam::evaluate(&[trust], &assume, &lambda).is_allowed() {
            return Err(p.error("lambda.amazonaws.com may not assume it"));
        }
        let mut policies = Vec::new();
        for mut inline in p.parts("Policies")? {
            let place = format!("{}, policy {}", p.place(), inline.required_text("PolicyName")?);
            policies.push(Policy::identity(&inline.value("PolicyDocument").unwrap_or(Value::Null), &place)?);
            inline.finish()?;
        }
        Ok(Role { id: self.id.to_owned(), name, arn, policies })
    }

    fn managed_policy(&mut self) -> Result<ManagedPolicy, LoadError> {
        let arn = self.reference()?;
        let p = &mut self.properties;
        p.ignore(&["ManagedPolicyName", "Description", "Path"]);
        let policy = Policy::identity(&p.value("PolicyDocument").unwrap_or(Value::Null), p.place())?;
        Ok(ManagedPolicy { id: self.id.to_owned(), arn, policy, roles: p.texts("Roles")? })
    }

    fn queue(&mut self) -> Result<Queue, LoadError> {
        let (name, arn, url) = (self.attribute("QueueName")?, self.attribute("Arn")?, self.reference()?);
        let p = &mut self.properties;
        p.ignore(&["QueueName", "SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "Tags"]);
        if p.value("FifoQueue").is_some() {
            return Err(p.error("FIFO queues are not supported"));
        }
        let seconds = |value: Option<u32>, default: u32| SignedDuration::from_secs(value.unwrap_or(default).into());
        let redrive = match p.part("RedrivePolicy")? {
            None => None,
            Some(mut part) => {
                let redrive = Redrive {
                    to: part.required_text("deadLetterTargetArn")?,
                    receives_max: part
                        .number("maxReceiveCount")?
                        .ok_or_else(|| part.error("needs `maxReceiveCount`"))?,
                };
                part.finish()?;
                Some(redrive)
            }
        };
        Ok(Queue {
            id: self.id.to_owned(),
            name,
            arn,
            url,
            visibility: Duration::from_secs(p.number("VisibilityTimeout")?.unwrap_or(30).into()),
            retention: seconds(p.number("MessageRetentionPeriod")?, 345_600),
            delay: seconds(p.number("DelaySeconds")?, 0),
            redrive,
            policies: Vec::new(),
        })
    }

    fn queue_policy(&mut self, template: &mut Template) -> Result<(), LoadError> {
        let p = &mut self.properties;
        let policy = Policy::resource(&p.value("PolicyDocument").unwrap_or(Value::Null), p.place())?;
        for url in p.texts("Queues")? {
            let Some(queue) = template.queues.iter_mut().find(|q| q.url == url) else {
                return Err(p.error(format!("`{url}` is no queue of this template")));
            };
            queue.policies.push(policy.clone());
        }
        Ok(())
    }

    fn table(&mut self) -> Result<Table, LoadError> {
        let (name, arn) = (self.reference()?, self.attribute("Arn")?);
        let p = &mut self.properties;
        p.ignore(&[
            "TableName",
            "PointInTimeRecoverySpecification",
            "DeletionProtectionEnabled",
            "SSESpecification",
            "ContributorInsightsSpecification",
            "Tags",
        ]);
        let mut definition = Map::from_iter([("TableName".to_owned(), Value::String(name.clone()))]);
        for key in
            ["AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"]
        {
            if let Some(value) = p.value(key) {
                definition.insert(key.to_owned(), value);
            }
        }
        let mut expires_by = None;
        if let Some(mut part) = p.part("TimeToLiveSpecification")? {
            let attribute = part.required_text("AttributeName")?;
            expires_by = part.flag("Enabled")?.unwrap_or(false).then_some(attribute);
            part.finish()?;
        }
        Ok(Table { id: self.id.to_owned(), name, arn, definition: Value::Object(definition), expires_by })
    }

    fn rule(&mut self) -> Result<Rule, LoadError> {
        let reference = self.reference()?;
        let name = reference.rsplit_once('|').map_or(reference.clone(), |(_, name)| name.to_owned());
        let arn = self.attribute("Arn")?;
        let p = &mut self.properties;
        p.ignore(&["Name", "Description", "Tags"]);
        let bus = p.text("EventBusName")?.map_or(DEFAULT_BUS.to_owned(), |bus| bus_name(&bus).to_owned());
        let place = p.place().to_owned();
        let trigger = match (p.value("EventPattern"), p.text("ScheduleExpression")?) {
            (Some(pattern), None) => Trigger::Pattern(Pattern::new(&pattern, &place)?),
            (None, Some(schedule)) => Trigger::Every(every(&schedule).ok_or_else(|| {
                LoadError::new(
                    &place,
                    format!("`{schedule}` is not `rate(N minutes)`, `rate(N hours)` or `rate(N days)`"),
                )
            })?),
            (Some(_), Some(_)) | (None, None) => {
                return Err(LoadError::new(place, "needs either an `EventPattern` or a `ScheduleExpression`"));
            }
        };
        let enabled = match p.text("State")?.as_deref() {
            None | Some("ENABLED") => true,
            Some("DISABLED") => false,
            Some(other) => return Err(p.error(format!("`State` is ENABLED or DISABLED, not `{other}`"))),
        };
        let mut targets = Vec::new();
        for mut part in p.parts("Targets")? {
            // A delivery inside one process never fails for long; what is refused goes to the DLQ at once.
            part.ignore(&["RetryPolicy"]);
            let dead_letter = match part.part("DeadLetterConfig")? {
                None => None,
                Some(mut config) => {
                    let arn = config.required_text("Arn")?;
                    config.finish()?;
                    Some(arn)
                }
            };
            targets.push(Target {
                id: part.required_text("Id")?,
                arn: part.required_text("Arn")?,
                dead_letter,
                input: part.text("Input")?,
            });
            part.finish()?;
        }
        Ok(Rule { id: self.id.to_owned(), name, arn, bus, trigger, enabled, targets })
    }

    fn bus(&mut self) -> Result<Bus, LoadError> {
        let (name, arn) = (self.reference()?, self.attribute("Arn")?);
        self.properties.ignore(&["Name", "Description", "Tags", "KmsKeyIdentifier"]);
        Ok(Bus { id: self.id.to_owned(), name, arn, policies: Vec::new() })
    }

    fn bus_policy(&mut self, template: &mut Template) -> Result<(), LoadError> {
        let p = &mut self.properties;
        let name = p.text("EventBusName")?.unwrap_or_else(|| DEFAULT_BUS.to_owned());
        let sid = p.required_text("StatementId")?;
        let Some(Value::Object(mut statement)) = p.value("Statement") else {
            return Err(p.error("needs a `Statement`"));
        };
        statement.insert("Sid".to_owned(), Value::String(sid));
        let policy = Policy::resource(&json!({ "Statement": statement }), p.place())?;
        let Some(bus) = template.buses.iter_mut().find(|b| b.name == bus_name(&name)) else {
            return Err(p.error(format!("`{name}` is no bus of this template")));
        };
        bus.policies.push(policy);
        Ok(())
    }

    fn mapping(&mut self) -> Result<Mapping, LoadError> {
        let p = &mut self.properties;
        p.ignore(&["Tags"]);
        let mut concurrency_max = UNBOUNDED_POLLERS;
        if let Some(mut part) = p.part("ScalingConfig")? {
            concurrency_max = part.number("MaximumConcurrency")?.map_or(concurrency_max, |n| n as usize);
            if concurrency_max < 2 {
                return Err(part.error("AWS takes a `MaximumConcurrency` of 2 to 1000"));
            }
            part.finish()?;
        }
        let responses = p.texts("FunctionResponseTypes")?;
        Ok(Mapping {
            id: self.id.to_owned(),
            function: p.required_text("FunctionName")?,
            queue: p.required_text("EventSourceArn")?,
            batch_size: p.number("BatchSize")?.unwrap_or(10) as usize,
            window: SignedDuration::from_secs(p.number("MaximumBatchingWindowInSeconds")?.unwrap_or(0).into()),
            concurrency_max,
            reports_item_failures: responses.iter().any(|one| one == "ReportBatchItemFailures"),
            enabled: p.flag("Enabled")?.unwrap_or(true),
        })
    }

    fn event_invoke_config(&mut self, template: &mut Template) -> Result<(), LoadError> {
        let p = &mut self.properties;
        p.ignore(&["Qualifier"]);
        let target = p.required_text("FunctionName")?;
        let rest = std::mem::replace(p, Properties::new(p.place(), Map::new()));
        let invoke = Asynchronous::read(rest)?;
        let Some(function) = template.functions.iter_mut().find(|f| f.name == target || f.arn == target) else {
            return Err(self.properties.error(format!("`{target}` is no function of this template")));
        };
        function.retries = invoke.retries;
        function.event_age_max = invoke.event_age_max;
        function.on_failure = invoke.on_failure;
        Ok(())
    }

    fn permission(&mut self) -> Result<Permission, LoadError> {
        let p = &mut self.properties;
        Ok(Permission {
            id: self.id.to_owned(),
            function: p.required_text("FunctionName")?,
            action: p.required_text("Action")?,
            principal: p.required_text("Principal")?,
            source_arn: p.text("SourceArn")?,
        })
    }

    fn url(&mut self, template: &mut Template) -> Result<(), LoadError> {
        let target = self.properties.required_text("TargetFunctionArn")?;
        let rest = std::mem::replace(&mut self.properties, Properties::new(self.id, Map::new()));
        let auth = url_auth(rest)?;
        let Some(function) = template.functions.iter_mut().find(|f| f.name == target || f.arn == target) else {
            return Err(self.properties.error(format!("`{target}` is no function of this template")));
        };
        function.url = Some(auth);
        Ok(())
    }
}

/// Concurrent invocations that a mapping without a bound begins with, as AWS's pollers do.
const UNBOUNDED_POLLERS: usize = 5;

/// How a function is invoked asynchronously.
struct Asynchronous {
    retries: u32,
    event_age_max: SignedDuration,
    on_failure: Option<String>,
}

impl Default for Asynchronous {
    fn default() -> Self {
        Self { retries: 2, event_age_max: SignedDuration::from_hours(6), on_failure: None }
    }
}

impl Asynchronous {
    fn read(mut p: Properties) -> Result<Self, LoadError> {
        let mut out = Self::default();
        p.ignore(&["FunctionName", "Qualifier"]);
        if let Some(retries) = p.number("MaximumRetryAttempts")? {
            out.retries = retries;
        }
        if let Some(seconds) = p.number("MaximumEventAgeInSeconds")? {
            out.event_age_max = SignedDuration::from_secs(seconds.into());
        }
        if let Some(mut destinations) = p.part("DestinationConfig")? {
            if let Some(mut failure) = destinations.part("OnFailure")? {
                failure.ignore(&["Type"]);
                out.on_failure = Some(failure.required_text("Destination")?);
                failure.finish()?;
            }
            destinations.finish()?;
        }
        p.finish()?;
        Ok(out)
    }
}

fn url_auth(mut p: Properties) -> Result<UrlAuth, LoadError> {
    p.ignore(&["InvokeMode", "TargetFunctionArn"]);
    if p.required_text("AuthType")? != "AWS_IAM" {
        return Err(p.error("only `AuthType: AWS_IAM` is supported"));
    }
    p.finish()?;
    Ok(UrlAuth::AwsIam)
}

/// SAM's merge of Globals into a function: maps by key, lists one after the
/// other, and otherwise the function's own value.
fn merge(globals: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut out = globals.clone();
    for (key, value) in own {
        let merged = match (out.get(key), value) {
            (Some(Value::Object(global)), Value::Object(own)) => Value::Object(merge(global, own)),
            (Some(Value::Array(global)), Value::Array(own)) => {
                Value::Array(global.iter().chain(own).cloned().collect())
            }
            _ => value.clone(),
        };
        out.insert(key.clone(), merged);
    }
    out
}

/// Reads `rate(1 minute)`.
fn every(schedule: &str) -> Option<SignedDuration> {
    let (count, unit) = schedule.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let count: i64 = count.parse().ok().filter(|count| *count > 0)?;
    match unit {
        "minute" | "minutes" => Some(SignedDuration::from_mins(count)),
        "hour" | "hours" => Some(SignedDuration::from_hours(count)),
        "day" | "days" => Some(SignedDuration::from_hours(count * 24)),
        _ => None,
    }
}
