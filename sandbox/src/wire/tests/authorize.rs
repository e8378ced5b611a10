//! What IAM is asked for each operation.

use super::{JSON, authorize, request};
use crate::http::aws::Protocol;
use crate::world::Account;

const QUERY: Protocol = Protocol::Query;
const CBOR: Protocol = Protocol::RpcV2Cbor;

/// One line per call: action, resources, context.
fn asked(service: &str, action: &str, protocol: Protocol, body: &str) -> Vec<String> {
    let calls = authorize(&request(service, action, protocol, body.as_bytes()), &Account::default()).unwrap();
    let line = |call: &crate::platform::iam::Call| {
        let context: Vec<String> =
            call.context.iter().map(|(key, values)| format!(" {key}={}", values.join(","))).collect();
        format!("{} {}{}", call.name(), call.resources.join(" "), context.concat())
            .replace("arn:aws:ecs:eu-central-1:012345678901", "ECS")
            .replace("arn:aws:elasticloadbalancing:eu-central-1:012345678901", "ELB")
            .replace("arn:aws:cloudwatch:eu-central-1:012345678901", "CW")
    };
    calls.iter().map(line).collect()
}

#[test]
fn ecs_names_services_tasks_and_their_cluster() {
    let cases = [
        (
            "UpdateService",
            r#"{"cluster":"shop","service":"checkout"}"#,
            "ecs:UpdateService ECS:service/shop/checkout ecs:cluster=ECS:cluster/shop",
        ),
        (
            "UpdateService",
            r#"{"cluster":"arn:aws:ecs:eu-central-1:012345678901:cluster/shop","service":"arn:aws:ecs:eu-central-1:012345678901:service/shop/checkout"}"#,
            "ecs:UpdateService ECS:service/shop/checkout ecs:cluster=ECS:cluster/shop",
        ),
        (
            "DescribeServices",
            r#"{"cluster":"shop","services":["a","b"]}"#,
            "ecs:DescribeServices ECS:service/shop/a ECS:service/shop/b ecs:cluster=ECS:cluster/shop",
        ),
        (
            "CreateService",
            r#"{"serviceName":"a"}"#,
            "ecs:CreateService ECS:service/default/a ecs:cluster=ECS:cluster/default",
        ),
        (
            "DeleteService",
            r#"{"service":"a"}"#,
            "ecs:DeleteService ECS:service/default/a ecs:cluster=ECS:cluster/default",
        ),
        ("ListServices", r#"{"cluster":"shop"}"#, "ecs:ListServices * ecs:cluster=ECS:cluster/shop"),
        ("ListTasks", r#"{"cluster":"shop"}"#, "ecs:ListTasks * ecs:cluster=ECS:cluster/shop"),
        (
            "DescribeTasks",
            r#"{"cluster":"shop","tasks":["1"]}"#,
            "ecs:DescribeTasks ECS:task/shop/1 ecs:cluster=ECS:cluster/shop",
        ),
        ("StopTask", r#"{"cluster":"shop","task":"1"}"#, "ecs:StopTask ECS:task/shop/1 ecs:cluster=ECS:cluster/shop"),
        ("DescribeTaskDefinition", r#"{"taskDefinition":"web:1"}"#, "ecs:DescribeTaskDefinition *"),
        ("DeregisterTaskDefinition", r#"{"taskDefinition":"web:1"}"#, "ecs:DeregisterTaskDefinition *"),
        ("ListTaskDefinitions", "{}", "ecs:ListTaskDefinitions *"),
        ("CreateCluster", r#"{"clusterName":"shop"}"#, "ecs:CreateCluster ECS:cluster/shop"),
        ("DescribeClusters", r#"{"clusters":["shop"]}"#, "ecs:DescribeClusters ECS:cluster/shop"),
        ("DescribeClusters", "{}", "ecs:DescribeClusters ECS:cluster/default"),
    ];
    for (action, body, call) in cases {
        assert_eq!(asked("ecs", action, JSON, body), [call], "{action} {body}");
    }
}

#[test]
fn registering_a_task_definition_passes_its_roles() {
    let body = r#"{"family":"web","executionRoleArn":"arn:aws:iam::012345678901:role/pull","taskRoleArn":"app"}"#;
    assert_eq!(
        asked("ecs", "RegisterTaskDefinition", JSON, body),
        [
            "ecs:RegisterTaskDefinition ECS:task-definition/web:*",
            "iam:PassRole arn:aws:iam::012345678901:role/pull iam:PassedToService=ecs-tasks.amazonaws.com",
            "iam:PassRole arn:aws:iam::012345678901:role/app iam:PassedToService=ecs-tasks.amazonaws.com",
        ]
    );
}

#[test]
fn elb_names_what_is_written_and_nothing_that_is_read() {
    let cases = [
        ("ModifyRule", "RuleArn=r", "r"),
        ("ModifyListener", "ListenerArn=l", "l"),
        ("CreateRule", "ListenerArn=l", "l"),
        ("CreateListener", "LoadBalancerArn=lb", "lb"),
        ("CreateLoadBalancer", "Name=web", "ELB:loadbalancer/app/web/*"),
        ("CreateLoadBalancer", "Name=web&Type=network", "ELB:loadbalancer/net/web/*"),
        ("CreateTargetGroup", "Name=web", "ELB:targetgroup/web/*"),
        ("ModifyTargetGroupAttributes", "TargetGroupArn=tg", "tg"),
        ("RegisterTargets", "TargetGroupArn=tg", "tg"),
        ("DeregisterTargets", "TargetGroupArn=tg", "tg"),
        ("DescribeRules", "RuleArns.member.1=r", "*"),
        ("DescribeListeners", "ListenerArns.member.1=l", "*"),
        ("DescribeLoadBalancers", "", "*"),
        ("DescribeTargetGroups", "", "*"),
        ("DescribeTargetGroupAttributes", "TargetGroupArn=tg", "*"),
        ("DescribeTargetHealth", "TargetGroupArn=tg", "*"),
    ];
    for (action, form, resource) in cases {
        let body = format!("Action={action}&Version=2015-12-01&{form}");
        let call = format!("elasticloadbalancing:{action} {resource}");
        assert_eq!(asked("elasticloadbalancing", action, QUERY, &body), [call]);
    }
}

#[test]
fn cloudwatch_names_alarms_and_scaling_names_its_targets() {
    let cases = [
        ("DescribeAlarms", r#"{"AlarmNames":["a","b"]}"#, "cloudwatch:DescribeAlarms CW:alarm:a CW:alarm:b"),
        ("DescribeAlarms", "{}", "cloudwatch:DescribeAlarms CW:alarm:*"),
        ("PutMetricAlarm", r#"{"AlarmName":"a"}"#, "cloudwatch:PutMetricAlarm CW:alarm:a"),
        ("SetAlarmState", r#"{"AlarmName":"a"}"#, "cloudwatch:SetAlarmState CW:alarm:a"),
        ("DeleteAlarms", r#"{"AlarmNames":["a"]}"#, "cloudwatch:DeleteAlarms CW:alarm:a"),
        ("GetMetricData", "{}", "cloudwatch:GetMetricData *"),
        ("PutMetricData", r#"{"Namespace":"Shop"}"#, "cloudwatch:PutMetricData * cloudwatch:namespace=Shop"),
    ];
    for (action, body, call) in cases {
        assert_eq!(asked("cloudwatch", action, JSON, body), [call], "{action} {body}");
    }
    let zero = "\u{0}";
    let refused = authorize(&request("cloudwatch", "DescribeAlarms", CBOR, zero.as_bytes()), &Account::default());
    assert_eq!(refused.unwrap_err().error.as_deref(), Some("SerializationException"));

    let scaling = |action: &str| asked("application-autoscaling", action, JSON, r#"{"ServiceNamespace":"ecs"}"#);
    let target = "arn:aws:application-autoscaling:eu-central-1:012345678901:scalable-target/*";
    assert_eq!(scaling("DescribeScalableTargets"), ["application-autoscaling:DescribeScalableTargets *"]);
    assert_eq!(scaling("RegisterScalableTarget"), [format!("application-autoscaling:RegisterScalableTarget {target}")]);
    assert_eq!(
        scaling("DeregisterScalableTarget"),
        [format!("application-autoscaling:DeregisterScalableTarget {target}")]
    );
}
