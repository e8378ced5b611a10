//! A small stack, and what is refused.

use jiff::SignedDuration;

use super::*;
use crate::platform::iam::Call;

const STACK: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Reserved: { Type: Number, Default: 15 }
  Services: { Type: String, Default: "*" }
  Requesters: { Type: CommaDelimitedList, Default: "" }
Conditions:
  Reserves: !Not [!Equals [!Ref Reserved, 0]]
  Named: !And [!Condition Reserves, !Not [!Equals [!Join ["", !Ref Requesters], ""]]]
Globals:
  Function:
    Runtime: provided.al2023
    Tracing: Active
    Environment: { Variables: { SHARED: "1" } }
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      Role: !GetAtt WorkerRole.Arn
      Timeout: 20
      ReservedConcurrentExecutions: !If [Reserves, !Ref Reserved, !Ref AWS::NoValue]
      FunctionUrlConfig: { AuthType: AWS_IAM }
      LoggingConfig: { LogGroup: !Ref Logs }
      Environment: { Variables: { QUEUE: !Ref Queue, BUS: !Ref Bus } }
  WorkerRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: { Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: ecs:UpdateService
                Resource: !Sub arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:service/${Services}
  Caller:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: [!Ref WorkerRole]
      PolicyDocument:
        Statement: { Effect: Allow, Action: lambda:InvokeFunctionUrl, Resource: !GetAtt Worker.Arn }
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: !Sub "/aws/lambda/${AWS::StackName}/worker" }
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 120
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
  Dead:
    Type: AWS::SQS::Queue
  QueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement:
          Effect: Allow
          Principal: { Service: events.amazonaws.com }
          Action: sqs:SendMessage
          Resource: !GetAtt Queue.Arn
          Condition: { ArnEquals: { aws:SourceArn: !GetAtt Rule.Arn } }
  Bus:
    Type: AWS::Events::EventBus
    Properties: { Name: !Ref AWS::StackName }
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: { detail-type: [Rollout Requested] }
      Targets: [{ Id: q, Arn: !GetAtt Queue.Arn, DeadLetterConfig: { Arn: !GetAtt Dead.Arn } }]
  Sweep:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 minute)
      Targets: [{ Id: f, Arn: !GetAtt Worker.Arn }]
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Worker
      Action: lambda:InvokeFunction
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Sweep.Arn
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Worker
      EventSourceArn: !GetAtt Queue.Arn
      BatchSize: 5
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: { MaximumConcurrency: 5 }
Outputs:
  Url: { Value: !GetAtt WorkerUrl.FunctionUrl }
  Absent: { Condition: Named, Value: x }
"#;

fn load(text: &str, overrides: &[(&str, &str)]) -> Result<Template, LoadError> {
    let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Template::load(text, &Account::sandbox("http://127.0.0.1:4566"), &overrides)
}

#[test]
fn names_and_arns_are_what_aws_would_give() {
    let template = load(STACK, &[]).unwrap();
    let worker = template.function("worker").unwrap();
    assert_eq!(worker.arn, "arn:aws:lambda:eu-west-1:123456789012:function:tidegate-Worker");
    assert_eq!(worker.reserved_concurrency, Some(15));
    assert_eq!(worker.log_group, "/aws/lambda/tidegate/worker");
    assert!(worker.traced);
    assert_eq!(worker.environment["SHARED"], "1");
    assert_eq!(worker.environment["QUEUE"], "http://127.0.0.1:4566/123456789012/tidegate-Queue");
    assert_eq!(worker.environment["BUS"], "tidegate");
    let rule = template.rules.iter().find(|r| r.id == "Rule").unwrap();
    assert_eq!(rule.arn, "arn:aws:events:eu-west-1:123456789012:rule/tidegate/tidegate-Rule");
    assert_eq!(rule.bus, "tidegate");
    let sweep = template.rules.iter().find(|r| r.id == "Sweep").unwrap();
    assert!(matches!(sweep.trigger, Trigger::Every(every) if every == SignedDuration::from_mins(1)));
    assert!(template.permits(worker, "events.amazonaws.com", &sweep.arn));
    assert!(!template.permits(worker, "events.amazonaws.com", &rule.arn));
    assert_eq!(template.outputs["Url"], "http://127.0.0.1:4566/lambda-url/tidegate-Worker/");
    assert!(!template.outputs.contains_key("Absent"));
}

#[test]
fn roles_hold_their_inline_and_their_attached_policies() {
    let template = load(STACK, &[("Services", "shop/*"), ("Reserved", "0")]).unwrap();
    let worker = template.function("Worker").unwrap();
    assert_eq!(worker.reserved_concurrency, None);
    let role = template.role_of(worker).unwrap();
    assert_eq!(role.granted_actions(), ["ecs:UpdateService", "lambda:InvokeFunctionUrl"]);
    let update = |service: &str| {
        Call::new("ecs", "UpdateService", [format!("arn:aws:ecs:eu-west-1:123456789012:service/{service}")])
    };
    assert!(role.evaluate(&update("shop/checkout")).is_allowed());
    assert!(!role.evaluate(&update("bank/checkout")).is_allowed());
}

#[test]
fn what_cannot_be_run_is_refused_with_its_place() {
    for (from, to, place, word) in [
        ("AWS::Logs::LogGroup", "AWS::SNS::Topic", "Logs (AWS::SNS::Topic)", "does not run this type"),
        ("Timeout: 20", "Timeout: 20\n      Layers: [x]", "Worker", "`Layers`"),
        ("!GetAtt WorkerRole.Arn", "!GetAtt WorkerRole.Name", "Worker", "no attribute `Name`"),
        ("!Ref Bus }", "!Ref Buss }", "Worker", "`Buss`"),
        ("rate(1 minute)", "cron(0 * * * ? *)", "Sweep", "cron"),
        ("VisibilityTimeout: 120", "VisibilityTimeout: 10", "Mapping", "VisibilityTimeout"),
        ("MaximumConcurrency: 5", "MaximumConcurrency: 16", "Mapping", "above what is reserved"),
        ("lambda.amazonaws.com", "ecs.amazonaws.com", "WorkerRole", "may not assume"),
        ("AuthType: AWS_IAM", "AuthType: NONE", "Worker", "AWS_IAM"),
        ("Default: 15", "Default: 15, AllowedValues: [0]", "Parameters.Reserved", "AllowedValues"),
        ("[Rollout Requested]", "[{ cidr: 10.0.0.0/8 }]", "Rule", "cidr"),
        ("Action: ecs:UpdateService", "NotAction: ecs:UpdateService", "WorkerRole", "NotAction"),
    ] {
        let text = STACK.replace(from, to);
        assert_ne!(text, STACK, "{from} is in the stack");
        let error = load(&text, &[]).unwrap_err();
        assert!(error.place.contains(place) && error.problem.contains(word), "{from} → {to}: {error}");
    }
}
