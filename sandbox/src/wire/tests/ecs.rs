//! ECS in awsJson 1.1.

use std::time::Duration;

use serde_json::{Value, json as tree};

use super::{json, world};
use crate::world::World;

fn ok(world: &mut World, action: &str, body: &str) -> Value {
    let (status, answer) = json(world, "ecs", action, body);
    assert_eq!(status, 200, "{action}: {answer}");
    answer
}

fn refused(world: &mut World, action: &str, body: &str) -> String {
    let (status, answer) = json(world, "ecs", action, body);
    assert_eq!(status, 400, "{action}: {answer}");
    answer["__type"].as_str().unwrap().to_owned()
}

/// A service of two tasks without a load balancer, running.
fn with_a_service() -> World {
    let mut world = world();
    ok(&mut world, "CreateCluster", r#"{"clusterName":"shop"}"#);
    ok(
        &mut world,
        "RegisterTaskDefinition",
        r#"{"family":"web","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512",
            "containerDefinitions":[{"name":"app","image":"web:1","portMappings":[{"containerPort":8080}],"logConfiguration":{"logDriver":"awslogs"}}],
            "tags":[{"key":"team","value":"shop"}]}"#,
    );
    ok(
        &mut world,
        "CreateService",
        r#"{"cluster":"shop","serviceName":"checkout","taskDefinition":"web:1","desiredCount":2,"launchType":"FARGATE",
            "networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-1"],"assignPublicIp":"DISABLED"}},
            "tags":[{"key":"team","value":"shop"}]}"#,
    );
    let later = world.now() + Duration::from_secs(600);
    world.advance_to(later);
    world
}

#[test]
fn clusters_are_described_with_what_is_missing() {
    let mut world = world();
    let answer = ok(&mut world, "CreateCluster", r#"{"clusterName":"shop"}"#);
    assert_eq!(answer["cluster"]["clusterArn"], "arn:aws:ecs:eu-central-1:012345678901:cluster/shop");
    assert_eq!(answer["cluster"]["status"], "ACTIVE");
    let answer = ok(&mut world, "DescribeClusters", r#"{"clusters":["shop","bank"]}"#);
    assert_eq!(answer["clusters"][0]["clusterName"], "shop");
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}

#[test]
fn a_task_definition_comes_back_as_it_was_registered() {
    let mut world = with_a_service();
    let answer = ok(&mut world, "DescribeTaskDefinition", r#"{"taskDefinition":"web"}"#);
    let definition = &answer["taskDefinition"];
    assert_eq!(definition["taskDefinitionArn"], "arn:aws:ecs:eu-central-1:012345678901:task-definition/web:1");
    assert_eq!(definition["containerDefinitions"][0]["logConfiguration"], tree!({"logDriver": "awslogs"}));
    assert_eq!(definition["registeredAt"], tree!(1_795_352_400.0));
    assert_eq!(definition["cpu"], "256");
    assert_eq!((&answer["tags"], &definition["tags"]), (&Value::Null, &Value::Null));
    let answer = ok(&mut world, "DescribeTaskDefinition", r#"{"taskDefinition":"web:1","include":["TAGS"]}"#);
    assert_eq!(answer["tags"], tree!([{"key": "team", "value": "shop"}]));
    let arns = ok(&mut world, "ListTaskDefinitions", r#"{"familyPrefix":"web"}"#);
    assert_eq!(arns, tree!({"taskDefinitionArns": ["arn:aws:ecs:eu-central-1:012345678901:task-definition/web:1"]}));
    let answer = ok(&mut world, "DeregisterTaskDefinition", r#"{"taskDefinition":"web:1"}"#);
    assert_eq!(answer["taskDefinition"]["status"], "INACTIVE");
    assert_eq!(refused(&mut world, "DescribeTaskDefinition", r#"{"taskDefinition":"bank"}"#), "ClientException");
}

#[test]
fn a_service_is_updated_and_described() {
    let mut world = with_a_service();
    let answer = ok(&mut world, "DescribeServices", r#"{"cluster":"shop","services":["checkout","gone"]}"#);
    let service = &answer["services"][0];
    assert_eq!(service["serviceArn"], "arn:aws:ecs:eu-central-1:012345678901:service/shop/checkout");
    assert_eq!((&service["desiredCount"], &service["runningCount"]), (&tree!(2), &tree!(2)));
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["createdAt"], tree!(1_795_352_400.0));
    assert_eq!(service["tags"], Value::Null);
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    let tagged = ok(&mut world, "DescribeServices", r#"{"cluster":"shop","services":["checkout"],"include":["TAGS"]}"#);
    assert_eq!(tagged["services"][0]["tags"], tree!([{"key": "team", "value": "shop"}]));

    let answer = ok(&mut world, "UpdateService", r#"{"cluster": "shop", "service": "checkout", "desiredCount": 4}"#);
    assert_eq!(answer["service"]["desiredCount"], 4);
    assert_eq!(answer["service"]["taskDefinition"], "arn:aws:ecs:eu-central-1:012345678901:task-definition/web:1");
    assert_eq!(
        refused(&mut world, "UpdateService", r#"{"cluster":"shop","service":"gone"}"#),
        "ServiceNotFoundException"
    );
    assert_eq!(refused(&mut world, "UpdateService", r#"{"cluster":"bank","service":"a"}"#), "ClusterNotFoundException");
    let wrong = r#"{"cluster":"shop","service":"checkout","desiredCount":"four"}"#;
    assert_eq!(refused(&mut world, "UpdateService", wrong), "SerializationException");
}

#[test]
fn services_and_tasks_are_listed_in_pages() {
    let mut world = with_a_service();
    let services = ok(&mut world, "ListServices", r#"{"cluster":"shop"}"#);
    assert_eq!(services, tree!({"serviceArns": ["arn:aws:ecs:eu-central-1:012345678901:service/shop/checkout"]}));
    let first = ok(&mut world, "ListTasks", r#"{"cluster":"shop","serviceName":"checkout","maxResults":1}"#);
    assert_eq!(first["nextToken"], "1");
    let second =
        ok(&mut world, "ListTasks", r#"{"cluster":"shop","serviceName":"checkout","maxResults":1,"nextToken":"1"}"#);
    assert_eq!(second["nextToken"], Value::Null);
    assert_ne!(first["taskArns"][0], second["taskArns"][0]);
    assert_eq!(refused(&mut world, "ListTasks", r#"{"cluster":"shop","nextToken":"x"}"#), "InvalidParameterException");
}

#[test]
fn a_task_is_described_and_stopped() {
    let mut world = with_a_service();
    let listed = ok(&mut world, "ListTasks", r#"{"cluster":"shop","serviceName":"checkout"}"#);
    let arn = listed["taskArns"][0].as_str().unwrap().to_owned();
    let answer = ok(&mut world, "DescribeTasks", &tree!({"cluster": "shop", "tasks": [arn]}).to_string());
    let task = &answer["tasks"][0];
    assert_eq!((&task["taskArn"], &task["lastStatus"]), (&tree!(arn), &tree!("RUNNING")));
    assert_eq!(task["group"], "service:checkout");
    assert_eq!(task["containers"][0]["image"], "web:1");
    let answer = ok(&mut world, "StopTask", &tree!({"cluster": "shop", "task": arn, "reason": "drill"}).to_string());
    assert_eq!(answer["task"]["desiredStatus"], "STOPPED");
    assert_eq!(answer["task"]["stoppedReason"], "drill");
    assert_eq!(refused(&mut world, "StopTask", r#"{"cluster":"shop"}"#), "InvalidParameterException");
}

#[test]
fn a_service_that_is_deleted_drains() {
    let mut world = with_a_service();
    assert_eq!(
        refused(&mut world, "DeleteService", r#"{"cluster":"shop","service":"checkout"}"#),
        "InvalidParameterException"
    );
    let answer = ok(&mut world, "DeleteService", r#"{"cluster":"shop","service":"checkout","force":true}"#);
    assert_eq!(answer["service"]["status"], "DRAINING");
}
