//! The calls on services: create, update, delete, describe, list.

use serde_json::json;

use super::{
    CreateService, Deployment, DeploymentConfiguration, DescribeServices, Failure, Service, ServiceEvent,
    ServiceLoadBalancer, ServiceState, Steady, UpdateService,
};
use crate::world::World;
use crate::world::errors::{ApiError, ApiFamily, ApiResult};
use crate::world::ids::{self, last_part};

/// DescribeServices takes this many names.
const DESCRIBE_SERVICES_MAX: usize = 10;
/// DescribeServices tells this many events of a service.
const SERVICE_EVENTS_MAX: usize = 100;

impl World {
    pub fn create_service(&mut self, input: CreateService) -> ApiResult<Service> {
        self.call(ApiFamily::Ecs, "CreateService")?;
        let cluster = self.cluster_name(input.cluster.as_deref())?;
        let arn = self.config.account.service(&cluster, &input.service_name);
        if let Some(existing) = self.services.get(&arn).filter(|s| s.view.status != "INACTIVE") {
            if input.client_token.is_some() && existing.client_token == input.client_token {
                return self.service_view(&arn).ok_or_else(ApiError::service_not_found);
            }
            return Err(ApiError::invalid_parameter("Creation of service was not idempotent."));
        }
        let task_definition = self.deployable(input.task_definition.as_deref().unwrap_or_default())?;
        self.check_target_groups(&input.load_balancers)?;
        check_percents(input.deployment_configuration.as_ref())?;
        if input.load_balancers.is_empty() && input.health_check_grace_period_seconds.is_some() {
            return Err(ApiError::invalid_parameter(
                "Health check grace period is only valid for services configured to use load balancers",
            ));
        }
        let view = self.new_service_view(&arn, &cluster, task_definition, &input);
        let state = ServiceState {
            view,
            cluster,
            client_token: input.client_token,
            next_pass: None,
            steady: Steady::Moving,
            steady_generation: 0,
            failures_in_a_row: 0,
            backoff_until: None,
            impaired_announced: false,
            last_completed: None,
        };
        self.services.insert(arn.clone(), state);
        self.begin_deployment(&arn, None);
        self.service_view(&arn).ok_or_else(ApiError::service_not_found)
    }

    fn new_service_view(&self, arn: &str, cluster: &str, task_definition: String, input: &CreateService) -> Service {
        Service {
            service_arn: arn.to_owned(),
            service_name: input.service_name.clone(),
            cluster_arn: self.config.account.cluster(cluster),
            load_balancers: input.load_balancers.clone(),
            service_registries: Vec::new(),
            status: "ACTIVE".to_owned(),
            desired_count: input.desired_count.unwrap_or(0),
            running_count: 0,
            pending_count: 0,
            launch_type: input.launch_type.clone().unwrap_or_else(|| "FARGATE".to_owned()),
            platform_version: input.platform_version.clone().unwrap_or_else(|| "LATEST".to_owned()),
            platform_family: "Linux".to_owned(),
            task_definition,
            deployment_configuration: input.deployment_configuration.clone().unwrap_or_default(),
            deployments: Vec::new(),
            events: Vec::new(),
            created_at: self.now,
            placement_constraints: Vec::new(),
            placement_strategy: Vec::new(),
            network_configuration: input.network_configuration.clone(),
            health_check_grace_period_seconds: input.health_check_grace_period_seconds,
            scheduling_strategy: input.scheduling_strategy.clone().unwrap_or_else(|| "REPLICA".to_owned()),
            deployment_controller: input.deployment_controller.clone().unwrap_or_else(|| json!({"type": "ECS"})),
            enable_execute_command: input.enable_execute_command.unwrap_or(false),
            enable_ecs_managed_tags: false,
            propagate_tags: "NONE".to_owned(),
            tags: input.tags.clone(),
        }
    }

    /// Changes what is given. A new revision, network, platform or load balancer list, or force, starts a
    /// deployment; a count or a configuration alone does not.
    pub fn update_service(&mut self, input: UpdateService) -> ApiResult<Service> {
        self.call(ApiFamily::Ecs, "UpdateService")?;
        let arn = self.existing_service(input.cluster.as_deref(), &input.service)?;
        let status = self.services.get(&arn).map(|s| s.view.status.clone());
        if status.as_deref() != Some("ACTIVE") {
            return Err(ApiError::service_not_active());
        }
        let task_definition = input.task_definition.as_deref().map(|name| self.deployable(name)).transpose()?;
        if let Some(load_balancers) = &input.load_balancers {
            self.check_target_groups(load_balancers)?;
        }
        check_percents(input.deployment_configuration.as_ref())?;
        let state = self.services.get_mut(&arn).ok_or_else(ApiError::service_not_found)?;
        let view = &mut state.view;
        let deploys = input.force_new_deployment
            | replace(&mut view.task_definition, task_definition)
            | replace(&mut view.load_balancers, input.load_balancers)
            | replace(&mut view.platform_version, input.platform_version)
            | replace(&mut view.network_configuration, input.network_configuration.map(Some));
        replace(&mut view.deployment_configuration, input.deployment_configuration);
        replace(&mut view.enable_execute_command, input.enable_execute_command);
        replace(&mut view.health_check_grace_period_seconds, input.health_check_grace_period_seconds.map(Some));
        let rescaled = replace(&mut view.desired_count, input.desired_count);
        if deploys {
            self.begin_deployment(&arn, None);
        } else if rescaled {
            self.rescale(&arn);
        }
        self.service_view(&arn).ok_or_else(ApiError::service_not_found)
    }

    /// Deletes a service; with tasks wanted, only by force. It drains, then is INACTIVE.
    pub fn delete_service(&mut self, cluster: Option<&str>, service: &str, force: bool) -> ApiResult<Service> {
        self.call(ApiFamily::Ecs, "DeleteService")?;
        let arn = self.existing_service(cluster, service)?;
        let state = self.services.get_mut(&arn).ok_or_else(ApiError::service_not_found)?;
        if state.view.desired_count > 0 && !force {
            return Err(ApiError::invalid_parameter("The service cannot be stopped while it is scaled above 0."));
        }
        state.view.status = "DRAINING".to_owned();
        state.view.desired_count = 0;
        self.rescale(&arn);
        self.service_view(&arn).ok_or_else(ApiError::service_not_found)
    }

    pub fn describe_services(&mut self, cluster: Option<&str>, services: &[String]) -> ApiResult<DescribeServices> {
        self.call(ApiFamily::Ecs, "DescribeServices")?;
        let cluster = self.cluster_name(cluster)?;
        if services.is_empty() {
            return Err(ApiError::invalid_parameter("Services cannot be empty."));
        }
        if services.len() > DESCRIBE_SERVICES_MAX {
            return Err(ApiError::invalid_parameter("Services cannot have more than 10 elements."));
        }
        let arns: Vec<String> = services.iter().map(|s| self.config.account.service(&cluster, last_part(s))).collect();
        let mut answer = DescribeServices { services: Vec::new(), failures: Vec::new() };
        let stale = self.faults.stale_services.use_up().cloned();
        for arn in arns {
            let view = match &stale {
                Some(picture) => picture.get(&arn).cloned(),
                None => self.service_view(&arn),
            };
            match view {
                Some(view) => answer.services.push(self.service_as_taken(view)),
                None => answer.failures.push(Failure { arn, reason: "MISSING".to_owned() }),
            }
        }
        Ok(answer)
    }

    /// Lists the ARNs of a cluster's services that are not INACTIVE.
    pub fn list_services(&mut self, cluster: Option<&str>) -> ApiResult<Vec<String>> {
        self.call(ApiFamily::Ecs, "ListServices")?;
        let cluster = self.cluster_name(cluster)?;
        let listed = self.services.values().filter(|s| s.cluster == cluster && s.view.status != "INACTIVE");
        Ok(listed.map(|s| s.view.service_arn.clone()).collect())
    }

    fn existing_service(&self, cluster: Option<&str>, service: &str) -> ApiResult<String> {
        let cluster = self.cluster_name(cluster)?;
        let arn = self.config.account.service(&cluster, last_part(service));
        if self.services.contains_key(&arn) { Ok(arn) } else { Err(ApiError::service_not_found()) }
    }

    /// Returns the ARN of a revision that may be deployed.
    fn deployable(&self, name: &str) -> ApiResult<String> {
        let revision = self.revision(name).ok_or_else(|| ApiError::client("TaskDefinition not found."))?;
        if revision.view.status == "ACTIVE" {
            Ok(revision.view.task_definition_arn.clone())
        } else {
            Err(ApiError::client("TaskDefinition is inactive"))
        }
    }

    /// AWS refuses a service whose target group no load balancer uses.
    fn check_target_groups(&self, load_balancers: &[ServiceLoadBalancer]) -> ApiResult<()> {
        for arn in load_balancers.iter().filter_map(|lb| lb.target_group_arn.as_deref()) {
            if !self.target_groups.contains_key(arn) {
                return Err(ApiError::invalid_parameter(format!(
                    "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role being passed has the proper permissions. (target group {arn} not found)"
                )));
            }
            if self.load_balancers_of_group(arn).is_empty() {
                return Err(ApiError::invalid_parameter(format!(
                    "The target group with targetGroupArn {arn} does not have an associated load balancer."
                )));
            }
        }
        Ok(())
    }

    /// Returns the service with its counts as they are at this instant.
    pub(in crate::world) fn service_view(&self, arn: &str) -> Option<Service> {
        let state = self.services.get(arn)?;
        let mut view = state.view.clone();
        for deployment in &mut view.deployments {
            let (pending, running) = self.counts(arn, Some(&deployment.id));
            deployment.pending_count = pending;
            deployment.running_count = running;
        }
        (view.pending_count, view.running_count) = self.counts(arn, None);
        Some(view)
    }

    /// Returns pending and running tasks of a service, or of one of its deployments.
    pub(in crate::world) fn counts(&self, service: &str, deployment: Option<&str>) -> (u32, u32) {
        let mut counts = (0, 0);
        for task in self.tasks.values().filter(|t| t.service == service) {
            if deployment.is_none_or(|id| id == task.view.started_by) {
                counts.0 += u32::from(task.counts_as_pending());
                counts.1 += u32::from(task.counts_as_running());
            }
        }
        counts
    }

    /// Makes a new PRIMARY deployment of what the service is; `reason` differs when the circuit breaker does it.
    pub(in crate::world) fn begin_deployment(&mut self, arn: &str, reason: Option<String>) {
        let id = ids::deployment_id(&mut self.chance.names);
        let now = self.now;
        let Some(state) = self.services.get_mut(arn) else {
            return;
        };
        let view = &mut state.view;
        for deployment in &mut view.deployments {
            deployment.status = "ACTIVE".to_owned();
            deployment.desired_count = 0;
            deployment.updated_at = now;
        }
        let reason = reason.unwrap_or_else(|| format!("ECS deployment {id} in progress."));
        let deployment = Deployment {
            id: id.clone(),
            status: "PRIMARY".to_owned(),
            task_definition: view.task_definition.clone(),
            desired_count: view.desired_count,
            pending_count: 0,
            running_count: 0,
            failed_tasks: 0,
            created_at: now,
            updated_at: now,
            launch_type: view.launch_type.clone(),
            platform_version: "1.4.0".to_owned(),
            platform_family: "Linux".to_owned(),
            network_configuration: view.network_configuration.clone(),
            rollout_state: "IN_PROGRESS".to_owned(),
            rollout_state_reason: reason.clone(),
        };
        view.deployments.insert(0, deployment);
        state.failures_in_a_row = 0;
        state.backoff_until = None;
        state.impaired_announced = false;
        self.emit_deployment(arn, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", &id, &reason, now);
        self.service_moves(arn);
    }

    fn rescale(&mut self, arn: &str) {
        let now = self.now;
        let Some(state) = self.services.get_mut(arn) else {
            return;
        };
        let desired = state.view.desired_count;
        if let Some(primary) = state.primary_mut() {
            primary.desired_count = desired;
            primary.updated_at = now;
        }
        self.service_moves(arn);
    }

    /// Adds a line to the service's events, newest first.
    pub(in crate::world) fn tell(&mut self, arn: &str, text: &str) {
        let id = ids::uuid(&mut self.chance.names);
        let created_at = self.now;
        let Some(state) = self.services.get_mut(arn) else {
            return;
        };
        let message = format!("(service {}) {text}", state.view.service_name);
        state.view.events.insert(0, ServiceEvent { id, created_at, message });
        state.view.events.truncate(SERVICE_EVENTS_MAX);
    }
}

/// Puts a given value in place; returns whether that changed anything.
fn replace<T: PartialEq>(place: &mut T, given: Option<T>) -> bool {
    match given {
        Some(given) if *place != given => {
            *place = given;
            true
        }
        Some(_) | None => false,
    }
}

fn check_percents(configuration: Option<&DeploymentConfiguration>) -> ApiResult<()> {
    match configuration {
        Some(c) if c.maximum_percent < 100 => {
            Err(ApiError::invalid_parameter("maximumPercent must be greater than or equal to 100."))
        }
        Some(c) if c.maximum_percent <= c.minimum_healthy_percent && c.minimum_healthy_percent >= 100 => {
            Err(ApiError::invalid_parameter(
                "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
