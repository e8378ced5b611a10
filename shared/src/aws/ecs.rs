//! ECS: the twin services as DescribeServices shows them, and UpdateService, tried once.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    AssignPublicIp, Deployment, DeploymentController as Controller, DeploymentControllerType, DeploymentStrategy,
    SchedulingStrategy, Service,
};

use crate::aws::autoscaling::Scalers;
use crate::aws::classify::{Failure, fault, outcome};
use crate::aws::config::once;
use crate::fault::{Fault, Obstacle, Outcome};
use crate::ids::{ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::observation::{Blueprint, Bypass, DeploymentController, DeploymentSeen, RevisionSeen, Scaling, ServiceSeen};
use crate::ports::Workload;

/// DescribeServices takes so many.
const SERVICES_PER_CALL: usize = 10;

/// What ECS says of a task definition that it does not have; the code, `ClientException`, says no more.
const NO_SUCH_REVISION: &str = "Unable to describe task definition";

/// The clients of ECS and of who scales its services.
#[derive(Debug, Clone)]
pub struct Services {
    reads: Client,
    writes: Client,
    scalers: Scalers,
}

impl Services {
    /// Makes the clients.
    pub fn new(sdk: &SdkConfig) -> Self {
        let writes = aws_sdk_ecs::config::Builder::from(sdk).retry_config(once()).build();
        Self { reads: Client::new(sdk), writes: Client::from_conf(writes), scalers: Scalers::new(sdk) }
    }
}

impl Services {
    /// Describes services of one cluster, as far as there are such.
    async fn describe(&self, cluster: &str, names: &[&str]) -> Result<Vec<Service>, Fault> {
        let mut found = Vec::new();
        for some in names.chunks(SERVICES_PER_CALL) {
            let call = self.reads.describe_services().cluster(cluster);
            let answer = some.iter().fold(call, |call, name| call.services(*name)).send().await.map_err(fault)?;
            if let Some(failure) = answer.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
                let (what, why) = (failure.arn().unwrap_or("a service"), failure.reason().unwrap_or("no reason"));
                return Err(Fault::transient(format!("DescribeServices of {what}: {why}")));
            }
            found.extend(answer.services.unwrap_or_default());
        }
        Ok(found)
    }
}

impl Workload for Services {
    async fn services(&self, cluster: &str, names: &[&str]) -> Result<Vec<Option<ServiceSeen>>, Fault> {
        let described = self.describe(cluster, names).await?;
        let seen = described.iter().map(|service| seen(service).map(|seen| (seen.arn.name().to_owned(), seen)));
        let found: BTreeMap<String, ServiceSeen> = seen.collect::<Result<_, _>>()?;
        Ok(names.iter().map(|name| found.get(last_part(name)).cloned()).collect())
    }

    async fn blueprint(&self, cluster: &str, service: &str) -> Result<Option<Blueprint>, Fault> {
        Ok(self.describe(cluster, &[service]).await?.first().map(blueprint))
    }

    async fn revision(&self, name: &str) -> Result<Option<RevisionSeen>, Fault> {
        let answer = match self.reads.describe_task_definition().task_definition(name).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = Failure::of(&error);
                let unknown = failure.is("ClientException") && failure.why().contains(NO_SUCH_REVISION);
                return if unknown { Ok(None) } else { Err(failure.fault()) };
            }
        };
        let found = answer.task_definition();
        let seen = found.and_then(|found| {
            let arn = TaskDefinitionArn::new(found.task_definition_arn()?);
            Some(RevisionSeen { arn, active: found.status()?.as_str() == "ACTIVE" })
        });
        seen.map(Some).ok_or_else(|| unreadable("DescribeTaskDefinition", "an ARN and a status"))
    }

    async fn scaling(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, Fault> {
        self.scalers.scaling(services).await
    }

    async fn deploy(&self, service: &ServiceArn, revision: &TaskDefinitionArn, tasks: u32) -> Outcome {
        let Some(tasks) = count(tasks) else { return too_many(tasks) };
        let call = self.writes.update_service().set_cluster(service.cluster().map(str::to_owned));
        let call = call.service(service.as_str()).task_definition(revision.as_str()).desired_count(tasks);
        outcome(call.send().await)
    }

    async fn scale(&self, service: &ServiceArn, tasks: u32) -> Outcome {
        let Some(tasks) = count(tasks) else { return too_many(tasks) };
        let call = self.writes.update_service().set_cluster(service.cluster().map(str::to_owned));
        outcome(call.service(service.as_str()).desired_count(tasks).send().await)
    }
}

fn count(tasks: u32) -> Option<i32> {
    i32::try_from(tasks).ok()
}

fn too_many(tasks: u32) -> Outcome {
    let fault = Fault::permanent(Obstacle::Invalid, format!("{tasks} tasks are more than ECS can count"));
    Outcome::NotApplied { fault }
}

/// An answer that lacks what the API's description promises.
fn unreadable(call: &str, what: &str) -> Fault {
    Fault::transient(format!("{call} answered without {what}"))
}

fn seen(service: &Service) -> Result<ServiceSeen, Fault> {
    let promised = |what: &str| unreadable("DescribeServices", what);
    Ok(ServiceSeen {
        arn: ServiceArn::new(service.service_arn().ok_or_else(|| promised("an ARN"))?),
        status: service.status().ok_or_else(|| promised("a status"))?.to_owned(),
        desired: natural(service.desired_count()),
        running: natural(service.running_count()),
        pending: natural(service.pending_count()),
        // A service of task sets has none of its own, and is refused for its controller.
        task_definition: TaskDefinitionArn::new(service.task_definition().unwrap_or_default()),
        deployments: service.deployments().iter().map(deployment).collect(),
        target_groups: service
            .load_balancers()
            .iter()
            .filter_map(|lb| lb.target_group_arn())
            .map(TargetGroupArn::new)
            .collect(),
        controller: controller(service),
        bypass: bypass(service),
        daemon: service.scheduling_strategy() == Some(&SchedulingStrategy::Daemon),
    })
}

fn deployment(deployment: &Deployment) -> DeploymentSeen {
    DeploymentSeen {
        id: deployment.id().unwrap_or_default().to_owned(),
        status: deployment.status().unwrap_or_default().to_owned(),
        task_definition: TaskDefinitionArn::new(deployment.task_definition().unwrap_or_default()),
        rollout_state: deployment.rollout_state().map(|state| state.as_str().to_owned()),
        failed: natural(deployment.failed_tasks()),
    }
}

/// Reads who deploys the service. Absent means ECS, and ECS means rolling unless a strategy of its own is named.
fn controller(service: &Service) -> DeploymentController {
    match service.deployment_controller().map(Controller::r#type) {
        Some(DeploymentControllerType::CodeDeploy) => DeploymentController::CodeDeploy,
        Some(DeploymentControllerType::External) => DeploymentController::External,
        Some(DeploymentControllerType::Ecs) | None => {
            match service.deployment_configuration().and_then(|configuration| configuration.strategy()) {
                None | Some(DeploymentStrategy::Rolling) => DeploymentController::EcsRolling,
                Some(native) => DeploymentController::EcsNative(native.as_str().to_owned()),
            }
        }
        // A controller that AWS adds deploys in a way that we do not know: by somebody else.
        Some(_) => DeploymentController::External,
    }
}

/// Reads what would let traffic past the load balancer's weights. A Service Connect client is no such thing: only a
/// service that others connect to is.
fn bypass(service: &Service) -> Option<Bypass> {
    let connected = |deployment: &Deployment| {
        let connect = deployment.service_connect_configuration();
        connect.is_some_and(|connect| connect.enabled() && !connect.services().is_empty())
    };
    if service.deployments().iter().any(connected) {
        Some(Bypass::ServiceConnect)
    } else if service.service_registries().is_empty() {
        None
    } else {
        Some(Bypass::CloudMap)
    }
}

fn blueprint(service: &Service) -> Blueprint {
    let network = service.network_configuration().and_then(|network| network.awsvpc_configuration());
    let behind = service.load_balancers().iter().find_map(|entry| {
        let port = u16::try_from(entry.container_port()?).ok()?;
        Some((entry.container_name()?.to_owned(), port))
    });
    let percents = service.deployment_configuration().and_then(|configuration| {
        Some((natural(configuration.minimum_healthy_percent()?), natural(configuration.maximum_percent()?)))
    });
    let providers = service.capacity_provider_strategy().iter();
    Blueprint {
        launch_type: service.launch_type().map(|kind| kind.as_str().to_owned()),
        capacity_providers: providers
            .map(|item| (item.capacity_provider().to_owned(), natural(item.base()), natural(item.weight())))
            .collect(),
        platform_version: service.platform_version().map(str::to_owned),
        subnets: network.map_or_else(Vec::new, |network| network.subnets().to_vec()),
        security_groups: network.map_or_else(Vec::new, |network| network.security_groups().to_vec()),
        public_ip: network.and_then(|network| network.assign_public_ip()) == Some(&AssignPublicIp::Enabled),
        container: behind,
        grace_seconds: service.health_check_grace_period_seconds().map(natural),
        deployment_percents: percents,
        execute_command: service.enable_execute_command(),
        propagate_tags: service.propagate_tags().map(|from| from.as_str().to_owned()),
    }
}

fn natural(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{
        DeploymentConfiguration, LoadBalancer, ServiceConnectConfiguration, ServiceConnectService, ServiceRegistry,
    };

    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-blue";

    fn service() -> aws_sdk_ecs::types::builders::ServiceBuilder {
        Service::builder().service_arn(ARN).status("ACTIVE").desired_count(4).running_count(3).pending_count(1)
    }

    #[test]
    fn a_service_is_read_with_its_groups_and_deployments() {
        let deployment =
            Deployment::builder().id("ecs-svc/1").status("PRIMARY").task_definition("web:42").failed_tasks(2);
        let group = LoadBalancer::builder().target_group_arn("arn:tg/blue");
        let seen = seen(&service().deployments(deployment.build()).load_balancers(group.build()).build()).unwrap();
        assert_eq!((seen.desired, seen.running, seen.pending, seen.daemon), (4, 3, 1, false));
        assert_eq!(seen.target_groups, [TargetGroupArn::new("arn:tg/blue")]);
        assert_eq!(seen.deployments[0].failed, 2);
        assert_eq!((seen.controller, seen.bypass), (DeploymentController::EcsRolling, None));
    }

    #[test]
    fn who_deploys_is_read_from_controller_and_strategy() {
        let by = |kind| Controller::builder().r#type(kind).build().unwrap();
        let native = DeploymentConfiguration::builder().strategy(DeploymentStrategy::Canary).build();
        let cases = [
            (service().build(), DeploymentController::EcsRolling),
            (service().deployment_configuration(native).build(), DeploymentController::EcsNative("CANARY".into())),
            (
                service().deployment_controller(by(DeploymentControllerType::CodeDeploy)).build(),
                DeploymentController::CodeDeploy,
            ),
            (
                service().deployment_controller(by(DeploymentControllerType::External)).build(),
                DeploymentController::External,
            ),
            (service().deployment_controller(by("NEWER".into())).build(), DeploymentController::External),
        ];
        for (service, expected) in cases {
            assert_eq!(controller(&service), expected);
        }
    }

    #[test]
    fn only_a_service_connect_server_or_a_registered_service_bypasses() {
        let connect = |served: bool| {
            let configuration = ServiceConnectConfiguration::builder().enabled(true);
            let serving = ServiceConnectService::builder().port_name("web").build().unwrap();
            let configuration = if served { configuration.services(serving) } else { configuration };
            let deployment = Deployment::builder().service_connect_configuration(configuration.build()).build();
            service().deployments(deployment).build()
        };
        assert_eq!(bypass(&connect(true)), Some(Bypass::ServiceConnect));
        assert_eq!(bypass(&connect(false)), None);
        let registered = service().service_registries(ServiceRegistry::builder().build()).build();
        assert_eq!(bypass(&registered), Some(Bypass::CloudMap));
    }
}
