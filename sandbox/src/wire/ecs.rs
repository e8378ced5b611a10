//! ECS, in awsJson 1.1.

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Paging;
use super::{Refusal, required, shape, text, texts};
use crate::platform::iam::Call;
use crate::world::{Account, World, last_part};

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum Operation {
    CreateCluster,
    CreateService,
    DeleteService,
    DeregisterTaskDefinition,
    DescribeClusters,
    DescribeServices,
    DescribeTaskDefinition,
    DescribeTasks,
    ListServices,
    ListTaskDefinitions,
    ListTasks,
    RegisterTaskDefinition,
    StopTask,
    UpdateService,
}

const INVALID: &str = "InvalidParameterException";

const SERVICES: Paging = Paging { size: "maxResults", token: "nextToken", default: 10, refused_as: INVALID };
const TASKS: Paging = Paging { size: "maxResults", token: "nextToken", default: 100, refused_as: INVALID };

/// Returns what IAM is asked, by the service authorization reference.
pub(super) fn calls(operation: Operation, input: &Value, account: &Account) -> Vec<Call> {
    let cluster = last_part(text(input, "cluster").unwrap_or("default"));
    let on = |action: &str, resources: Vec<String>| {
        vec![Call::new("ecs", action, resources).with("ecs:cluster", [account.cluster(cluster)])]
    };
    let service = |name: &str| arn_or(name, || account.service(cluster, name));
    let task = |id: &str| arn_or(id, || account.task(cluster, id));
    match operation {
        Operation::CreateCluster => {
            let name = text(input, "clusterName").unwrap_or("default");
            vec![Call::new("ecs", "CreateCluster", [account.cluster(name)])]
        }
        Operation::DescribeClusters => {
            let mut names = texts(input, "clusters");
            if names.is_empty() {
                names.push("default".to_owned());
            }
            let arns = names.iter().map(|name| arn_or(name, || account.cluster(name)));
            vec![Call::new("ecs", "DescribeClusters", arns)]
        }
        Operation::RegisterTaskDefinition => register_task_definition(input, account),
        Operation::DescribeTaskDefinition => vec![Call::on_anything("ecs", "DescribeTaskDefinition")],
        Operation::DeregisterTaskDefinition => vec![Call::on_anything("ecs", "DeregisterTaskDefinition")],
        Operation::ListTaskDefinitions => vec![Call::on_anything("ecs", "ListTaskDefinitions")],
        Operation::CreateService => on("CreateService", vec![service(text(input, "serviceName").unwrap_or("*"))]),
        Operation::UpdateService => on("UpdateService", vec![service(text(input, "service").unwrap_or("*"))]),
        Operation::DeleteService => on("DeleteService", vec![service(text(input, "service").unwrap_or("*"))]),
        Operation::DescribeServices => {
            on("DescribeServices", or_any(texts(input, "services").iter().map(|s| service(s)).collect()))
        }
        Operation::ListServices => on("ListServices", vec!["*".to_owned()]),
        Operation::ListTasks => on("ListTasks", vec!["*".to_owned()]),
        Operation::DescribeTasks => {
            on("DescribeTasks", or_any(texts(input, "tasks").iter().map(|t| task(t)).collect()))
        }
        Operation::StopTask => on("StopTask", vec![task(text(input, "task").unwrap_or("*"))]),
    }
}

/// Performs the operation and returns its output's members.
pub(super) fn perform(operation: Operation, input: &Value, world: &mut World) -> Result<Value, Refusal> {
    let cluster = text(input, "cluster");
    Ok(match operation {
        Operation::CreateCluster => {
            let name = text(input, "clusterName").unwrap_or("default");
            json!({ "cluster": world.create_cluster(name)? })
        }
        Operation::DescribeClusters => json!(world.describe_clusters(&texts(input, "clusters"))?),
        Operation::RegisterTaskDefinition => {
            let registered = world.register_task_definition(shape(input, "SerializationException")?)?;
            with_tags_apart(json!(registered), true)
        }
        Operation::DescribeTaskDefinition => {
            let name = required(input, "taskDefinition", INVALID)?;
            with_tags_apart(json!(world.describe_task_definition(name)?), wants_tags(input))
        }
        Operation::DeregisterTaskDefinition => {
            let name = required(input, "taskDefinition", INVALID)?;
            with_tags_apart(json!(world.deregister_task_definition(name)?), false)
        }
        Operation::ListTaskDefinitions => {
            let arns = world.list_task_definitions(text(input, "familyPrefix"), text(input, "status"))?;
            let (arns, next) = TASKS.page(input, arns)?;
            json!({ "taskDefinitionArns": arns, "nextToken": next })
        }
        Operation::CreateService => {
            json!({ "service": world.create_service(shape(input, "SerializationException")?)? })
        }
        Operation::UpdateService => {
            json!({ "service": world.update_service(shape(input, "SerializationException")?)? })
        }
        Operation::DeleteService => {
            let force = input["force"].as_bool().unwrap_or(false);
            json!({ "service": world.delete_service(cluster, required(input, "service", INVALID)?, force)? })
        }
        Operation::DescribeServices => {
            let mut described = world.describe_services(cluster, &texts(input, "services"))?;
            if !wants_tags(input) {
                described.services.iter_mut().for_each(|service| service.tags.clear());
            }
            json!(described)
        }
        Operation::ListServices => {
            let (arns, next) = SERVICES.page(input, world.list_services(cluster)?)?;
            json!({ "serviceArns": arns, "nextToken": next })
        }
        Operation::ListTasks => {
            let arns = world.list_tasks(&shape(input, "SerializationException")?)?;
            let (arns, next) = TASKS.page(input, arns)?;
            json!({ "taskArns": arns, "nextToken": next })
        }
        Operation::DescribeTasks => json!(world.describe_tasks(cluster, &texts(input, "tasks"))?),
        Operation::StopTask => {
            let task = required(input, "task", INVALID)?;
            json!({ "task": world.stop_task(cluster, task, text(input, "reason"))? })
        }
    })
}

/// Registering hands roles to tasks, which IAM lets only those do who may pass them.
fn register_task_definition(input: &Value, account: &Account) -> Vec<Call> {
    let family = text(input, "family").unwrap_or("*");
    let mut calls =
        vec![Call::new("ecs", "RegisterTaskDefinition", [account.arn("ecs", &format!("task-definition/{family}:*"))])];
    for role in ["executionRoleArn", "taskRoleArn"].iter().filter_map(|member| text(input, member)) {
        let arn = arn_or(role, || format!("arn:aws:iam::{}:role/{role}", account.id));
        let call = Call::new("iam", "PassRole", [arn]);
        calls.push(call.with("iam:PassedToService", ["ecs-tasks.amazonaws.com".to_owned()]));
    }
    calls
}

/// ECS tells the tags of a task definition beside it, and only to those who ask.
fn with_tags_apart(mut definition: Value, wanted: bool) -> Value {
    let tags = definition.as_object_mut().and_then(|members| members.remove("tags"));
    match tags.filter(|_| wanted) {
        Some(tags) => json!({ "taskDefinition": definition, "tags": tags }),
        None => json!({ "taskDefinition": definition }),
    }
}

fn wants_tags(input: &Value) -> bool {
    texts(input, "include").iter().any(|what| what == "TAGS")
}

fn arn_or(arn_or_name: &str, arn: impl FnOnce() -> String) -> String {
    if arn_or_name.starts_with("arn:") { arn_or_name.to_owned() } else { arn() }
}

/// A call that names nothing asks for everything.
fn or_any(resources: Vec<String>) -> Vec<String> {
    if resources.is_empty() { vec!["*".to_owned()] } else { resources }
}
