//! Tasks: through every lastStatus, with network interface, targets, version, and the calls that read or stop them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::ecs::{
    Attachment, Behaviour, Container, DescribeTasks, Failure, ListTasks, NameValue, NetworkInterface, Task,
    container_name,
};
use super::errors::{ApiError, ApiFamily, ApiResult};
use super::ids::{self, last_part};
use super::time::Due;

/// DescribeTasks still finds a stopped task this long.
const STOPPED_TASK_MEMORY: Duration = Duration::from_secs(3600);
/// From the exit of a container by itself until ECS takes its target out.
const CRASH_TO_DEREGISTRATION: Duration = Duration::from_secs(2);

pub(super) struct TaskState {
    pub(super) view: Task,
    /// The service's ARN.
    pub(super) service: String,
    pub(super) address: String,
    pub(super) target_groups: Vec<(String, u16)>,
    /// Grows when the task's path changes; planned steps of an older path are void.
    generation: u32,
    /// Some tasks tell PENDING twice.
    tells_pending_twice: bool,
    /// From creation to RUNNING, in three parts.
    start_takes: Duration,
    pub(super) app: App,
    pub(super) ever_healthy: bool,
    failure_counted: bool,
    load_balancer_attachment: String,
}

/// What the application in a task does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum App {
    Starting,
    Answers,
    /// Its container was stopped.
    Stopped,
    /// Its container exited by itself.
    Crashed,
}

/// Why a task is stopped, in AWS's words.
pub(super) struct StopCause {
    pub(super) code: &'static str,
    pub(super) reason: String,
}

impl TaskState {
    pub(super) fn is_wanted(&self) -> bool {
        self.view.desired_status == "RUNNING"
    }

    /// A task counts as running until its container has ended, draining included.
    pub(super) fn counts_as_running(&self) -> bool {
        matches!(self.view.last_status.as_str(), "RUNNING" | "DEACTIVATING" | "STOPPING")
    }

    pub(super) fn counts_as_pending(&self) -> bool {
        self.is_wanted() && matches!(self.view.last_status.as_str(), "PROVISIONING" | "PENDING" | "ACTIVATING")
    }

    /// Returns the `elb` attachment that only events show.
    pub(super) fn load_balancer_attachment(&self) -> Option<Attachment> {
        let crashed = self.view.stop_code.as_deref() == Some("EssentialContainerExited");
        let status = match self.view.last_status.as_str() {
            "PROVISIONING" | "PENDING" | "ACTIVATING" => "PRECREATED",
            "RUNNING" | "DEACTIVATING" => "ATTACHED",
            "DEPROVISIONING" if crashed => "ATTACHED",
            _ => "DELETED",
        };
        (!self.target_groups.is_empty()).then(|| Attachment {
            id: self.load_balancer_attachment.clone(),
            kind: "elb".to_owned(),
            status: status.to_owned(),
            details: Vec::new(),
        })
    }
}

impl World {
    pub fn describe_tasks(&mut self, cluster: Option<&str>, tasks: &[String]) -> ApiResult<DescribeTasks> {
        self.call(ApiFamily::Ecs, "DescribeTasks")?;
        let cluster = self.cluster_name(cluster)?;
        if tasks.is_empty() {
            return Err(ApiError::invalid_parameter("Tasks cannot be empty."));
        }
        if tasks.len() > 100 {
            return Err(ApiError::invalid_parameter("Tasks cannot have more than 100 elements."));
        }
        let mut answer = DescribeTasks { tasks: Vec::new(), failures: Vec::new() };
        for task in tasks {
            let arn = self.config.account.task(&cluster, last_part(task));
            match self.tasks.get(&arn) {
                Some(state) => answer.tasks.push(state.view.clone()),
                None => answer.failures.push(Failure { arn, reason: "MISSING".to_owned() }),
            }
        }
        Ok(answer)
    }

    /// Lists task ARNs; those wanted RUNNING unless asked for STOPPED.
    pub fn list_tasks(&mut self, input: &ListTasks) -> ApiResult<Vec<String>> {
        self.call(ApiFamily::Ecs, "ListTasks")?;
        let cluster = self.cluster_name(input.cluster.as_deref())?;
        let service = input.service_name.as_deref().map(|s| self.config.account.service(&cluster, last_part(s)));
        if service.as_ref().is_some_and(|arn| !self.services.contains_key(arn)) {
            return Err(ApiError::service_not_found());
        }
        let desired = input.desired_status.as_deref().unwrap_or("RUNNING");
        let cluster_arn = self.config.account.cluster(&cluster);
        let family_of = |t: &TaskState| last_part(&t.view.task_definition_arn).split(':').next().map(str::to_owned);
        let wanted = |t: &&TaskState| {
            t.view.cluster_arn == cluster_arn
                && t.view.desired_status == desired
                && service.as_ref().is_none_or(|arn| *arn == t.service)
                && input.started_by.as_ref().is_none_or(|id| *id == t.view.started_by)
                && (input.family.is_none() || family_of(t) == input.family)
        };
        Ok(self.tasks.values().filter(wanted).map(|t| t.view.task_arn.clone()).collect())
    }

    /// Stops a task as a person would; its service starts another.
    pub fn stop_task(&mut self, cluster: Option<&str>, task: &str, reason: Option<&str>) -> ApiResult<Task> {
        self.call(ApiFamily::Ecs, "StopTask")?;
        let cluster = self.cluster_name(cluster)?;
        let arn = self.config.account.task(&cluster, last_part(task));
        if !self.tasks.contains_key(&arn) {
            return Err(ApiError::invalid_parameter("The referenced task was not found."));
        }
        let reason = reason.unwrap_or("Task stopped by user").to_owned();
        self.begin_stop(&arn, &StopCause { code: "UserInitiated", reason });
        self.tasks.get(&arn).map(|t| t.view.clone()).ok_or_else(ApiError::service_not_found)
    }

    /// Starts one task of the service's primary deployment; answers its ARN.
    pub(super) fn start_task(&mut self, service: &str) -> Option<String> {
        let state = self.services.get(service)?;
        let primary = state.primary()?;
        let (cluster, deployment) = (state.cluster.clone(), primary.id.clone());
        let group = format!("service:{}", state.view.service_name);
        let (target_groups, execute) = (state.target_groups(), state.view.enable_execute_command);
        let definition = self.revision(&primary.task_definition)?.view.clone();
        let id = ids::hex(&mut self.chance.names, 32);
        let arn = self.config.account.task(&cluster, &id);
        let zones = &self.config.account.zones;
        let zone = zones[self.tasks.len() % zones.len()].clone();
        let address = self.new_address();
        let interface = self.new_interface();
        let containers = self.new_containers(&arn, &definition.registered.container_definitions);
        let names: Vec<Value> = containers.iter().map(|c| json!({ "name": c.name })).collect();
        let view = Task {
            task_arn: arn.clone(),
            cluster_arn: self.config.account.cluster(&cluster),
            task_definition_arn: definition.task_definition_arn,
            group,
            started_by: deployment,
            version: 1,
            last_status: "PROVISIONING".to_owned(),
            desired_status: "RUNNING".to_owned(),
            availability_zone: zone,
            attachments: vec![interface],
            attributes: vec![NameValue { name: "ecs.cpu-architecture".to_owned(), value: "arm64".to_owned() }],
            containers,
            launch_type: "FARGATE".to_owned(),
            platform_version: "1.4.0".to_owned(),
            platform_family: "Linux".to_owned(),
            cpu: definition.registered.cpu.unwrap_or_else(|| "256".to_owned()),
            memory: definition.registered.memory.unwrap_or_else(|| "512".to_owned()),
            enable_execute_command: execute,
            health_status: "UNKNOWN".to_owned(),
            overrides: json!({ "containerOverrides": names }),
            ephemeral_storage: json!({ "sizeInGiB": 20 }),
            connectivity: None,
            connectivity_at: None,
            created_at: self.now,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            stopping_at: None,
            execution_stopped_at: None,
            stopped_at: None,
            stop_code: None,
            stopped_reason: None,
        };
        let median = self.config.task_start_median.as_secs_f64();
        let start = self.chance.ecs.log_normal(median, self.config.task_start_sigma).clamp(1.0, 1800.0);
        let state = TaskState {
            view,
            service: service.to_owned(),
            address,
            target_groups,
            generation: 0,
            tells_pending_twice: self.chance.ecs.chance(0.33),
            start_takes: Duration::from_secs_f64(start),
            app: App::Starting,
            ever_healthy: false,
            failure_counted: false,
            load_balancer_attachment: ids::uuid(&mut self.chance.names),
        };
        let first = state.start_takes.mul_f64(0.3);
        self.tasks.insert(arn.clone(), state);
        self.emit_task(&arn);
        self.plan_step(&arn, first);
        Some(arn)
    }

    fn new_address(&mut self) -> String {
        self.addresses_given += 1;
        let n = self.addresses_given;
        format!("10.0.{}.{}", n / 250 % 250, n % 250 + 4)
    }

    fn new_interface(&mut self) -> Attachment {
        Attachment {
            id: ids::uuid(&mut self.chance.names),
            kind: "ElasticNetworkInterface".to_owned(),
            status: "PRECREATED".to_owned(),
            details: vec![NameValue {
                name: "subnetId".to_owned(),
                value: format!("subnet-{}", ids::hex(&mut self.chance.names, 17)),
            }],
        }
    }

    fn new_containers(&mut self, task: &str, definitions: &[Value]) -> Vec<Container> {
        let prefix = task.replacen(":task/", ":container/", 1);
        let of = |definition: &Value, names: &mut super::rng::Rng| Container {
            container_arn: format!("{prefix}/{}", ids::uuid(names)),
            task_arn: task.to_owned(),
            name: container_name(definition).to_owned(),
            image: definition.get("image").and_then(Value::as_str).unwrap_or_default().to_owned(),
            image_digest: None,
            runtime_id: None,
            last_status: "PENDING".to_owned(),
            exit_code: None,
            network_interfaces: Vec::new(),
            health_status: "UNKNOWN".to_owned(),
            cpu: definition.get("cpu").map_or_else(|| "0".to_owned(), ToString::to_string),
        };
        definitions.iter().map(|d| of(d, &mut self.chance.names)).collect()
    }

    fn plan_step(&mut self, task: &str, after: Duration) {
        if let Some(state) = self.tasks.get(task) {
            let generation = state.generation;
            self.queue.plan(self.now + after, Due::TaskStep { task: task.to_owned(), generation });
        }
    }

    /// Moves a task to its next status.
    pub(super) fn task_step(&mut self, task: &str, generation: u32) {
        let Some(state) = self.tasks.get_mut(task).filter(|t| t.generation == generation) else {
            return;
        };
        let takes = state.start_takes;
        match state.view.last_status.as_str() {
            "PROVISIONING" => {
                self.interface_attached(task);
                self.enter(task, "PENDING");
                self.plan_step(task, takes.mul_f64(0.1));
            }
            "PENDING" if state.tells_pending_twice => {
                state.tells_pending_twice = false;
                self.enter(task, "PENDING");
                self.plan_step(task, takes.mul_f64(0.2));
            }
            "PENDING" => {
                state.view.pull_started_at = Some(self.now - takes.mul_f64(0.1));
                state.view.pull_stopped_at = Some(self.now);
                let without_load_balancer = state.target_groups.is_empty();
                self.container_runs(task);
                if without_load_balancer {
                    self.task_runs(task);
                } else {
                    self.enter(task, "ACTIVATING");
                    self.register_task(task);
                    self.plan_step(task, takes.mul_f64(0.3));
                }
            }
            "ACTIVATING" => self.task_runs(task),
            "DEACTIVATING" => {
                self.enter(task, "STOPPING");
                let (from, to) = self.config.container_stop;
                let takes = self.chance.ecs.between(from, to);
                self.plan_step(task, takes);
            }
            "STOPPING" => {
                self.container_ends(task, App::Stopped, 0);
                self.deprovision(task);
            }
            "DEPROVISIONING" => self.task_stopped(task),
            _ => {}
        }
    }

    /// Sets a status, counts the change, tells everybody.
    fn enter(&mut self, task: &str, status: &str) {
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        state.view.last_status = status.to_owned();
        state.view.version += 1;
        let service = state.service.clone();
        self.emit_task(task);
        self.plan_pass(&service);
    }

    fn interface_attached(&mut self, task: &str) {
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        let names = &mut self.chance.names;
        let address = state.address.clone();
        let detail = |name: &str, value: String| NameValue { name: name.to_owned(), value };
        let dns = format!("ip-{}.{}.compute.internal", address.replace('.', "-"), self.config.account.region);
        let Some(interface) = state.view.attachments.first_mut() else {
            return;
        };
        interface.status = "ATTACHED".to_owned();
        interface.details.extend([
            detail("networkInterfaceId", format!("eni-{}", ids::hex(names, 17))),
            detail("macAddress", ids::mac_address(names)),
            detail("privateDnsName", dns),
            detail("privateIPv4Address", address.clone()),
        ]);
        let attachment_id = interface.id.clone();
        for container in &mut state.view.containers {
            container.network_interfaces =
                vec![NetworkInterface { attachment_id: attachment_id.clone(), private_ipv4_address: address.clone() }];
        }
    }

    fn container_runs(&mut self, task: &str) {
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        let names = &mut self.chance.names;
        let id = last_part(task).to_owned();
        for container in &mut state.view.containers {
            container.last_status = "RUNNING".to_owned();
            container.runtime_id = Some(format!("{id}-{:010}", names.below(10_000_000_000)));
            container.image_digest = Some(format!("sha256:{}", ids::hex(names, 64)));
        }
        let startup = self.behaviour_of(task).startup;
        self.queue.plan(self.now + startup, Due::AppReady { task: task.to_owned() });
    }

    fn task_runs(&mut self, task: &str) {
        let now = self.now;
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        state.view.started_at = Some(now);
        state.view.connectivity = Some("CONNECTED".to_owned());
        state.view.connectivity_at = Some(now);
        self.enter(task, "RUNNING");
        let behaviour = self.behaviour_of(task);
        let crash = if behaviour.crash_at_start { Some(Duration::from_secs(5)) } else { behaviour.crash_after };
        if let Some(after) = crash {
            self.queue.plan(now + after, Due::TaskCrash { task: task.to_owned() });
        }
        self.health_of_task_changed(task);
    }

    pub(super) fn app_ready(&mut self, task: &str) {
        let Some(state) = self.tasks.get_mut(task).filter(|t| t.app == App::Starting) else {
            return;
        };
        state.app = App::Answers;
        self.health_of_task_changed(task);
    }

    /// The container of a running task exits by itself.
    pub(super) fn task_crash(&mut self, task: &str) {
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        if !state.is_wanted() || state.view.last_status != "RUNNING" {
            return;
        }
        self.cut_in_flight(task, App::Crashed);
        let cause =
            StopCause { code: "EssentialContainerExited", reason: "Essential container in task exited".to_owned() };
        self.mark_stopping(task, &cause);
        self.container_ends(task, App::Crashed, 1);
        self.deprovision(task);
        self.queue.plan(self.now + CRASH_TO_DEREGISTRATION, Due::TaskDeregister { task: task.to_owned() });
        self.task_failed(task);
    }

    pub(super) fn task_deregister(&mut self, task: &str) {
        let Some(state) = self.tasks.get(task) else {
            return;
        };
        let (address, groups) = (state.address.clone(), state.target_groups.clone());
        for (group, port) in groups {
            self.begin_drain(&group, &address, port);
        }
    }

    /// Begins to stop a task: behind a load balancer it drains first.
    pub(super) fn begin_stop(&mut self, task: &str, cause: &StopCause) {
        let Some(state) = self.tasks.get(task).filter(|t| t.is_wanted()) else {
            return;
        };
        let (status, groups) = (state.view.last_status.clone(), state.target_groups.clone());
        self.flow_until(self.now);
        self.mark_stopping(task, cause);
        match status.as_str() {
            "ACTIVATING" | "RUNNING" if !groups.is_empty() => {
                self.task_deregister(task);
                let delays = groups.iter().map(|(group, _)| self.deregistration_delay(group));
                let longest = delays.max().unwrap_or(Duration::ZERO);
                self.enter(task, "DEACTIVATING");
                self.plan_step(task, longest);
            }
            "ACTIVATING" | "RUNNING" => {
                self.enter(task, "STOPPING");
                let (from, to) = self.config.container_stop;
                let takes = self.chance.ecs.between(from, to);
                self.plan_step(task, takes);
            }
            _ => self.deprovision(task),
        }
    }

    fn mark_stopping(&mut self, task: &str, cause: &StopCause) {
        let now = self.now;
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        state.generation += 1;
        state.view.desired_status = "STOPPED".to_owned();
        state.view.stop_code = Some(cause.code.to_owned());
        state.view.stopped_reason = Some(cause.reason.clone());
        state.view.stopping_at = Some(now);
    }

    fn container_ends(&mut self, task: &str, app: App, exit_code: i32) {
        self.cut_in_flight(task, app);
        let now = self.now;
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        state.app = app;
        state.view.execution_stopped_at = Some(now);
        for container in &mut state.view.containers {
            container.last_status = "STOPPED".to_owned();
            container.exit_code = Some(exit_code);
        }
        self.health_of_task_changed(task);
    }

    fn deprovision(&mut self, task: &str) {
        self.enter(task, "DEPROVISIONING");
        let (from, to) = self.config.deprovisioning;
        let takes = self.chance.ecs.between(from, to);
        self.plan_step(task, takes);
    }

    fn task_stopped(&mut self, task: &str) {
        let now = self.now;
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        state.view.stopped_at = Some(now);
        for attachment in &mut state.view.attachments {
            attachment.status = "DELETED".to_owned();
        }
        for container in &mut state.view.containers {
            container.last_status = "STOPPED".to_owned();
        }
        self.enter(task, "STOPPED");
        self.queue.plan(now + STOPPED_TASK_MEMORY, Due::TaskForgotten { task: task.to_owned() });
    }

    pub(super) fn forget_task(&mut self, task: &str) {
        self.tasks.remove(task);
    }

    /// Counts a task that never became healthy as a failure of its deployment, once.
    pub(super) fn task_failed(&mut self, task: &str) {
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        if state.ever_healthy || state.failure_counted {
            return;
        }
        state.failure_counted = true;
        let (service, deployment) = (state.service.clone(), state.view.started_by.clone());
        self.deployment_task_failed(&service, &deployment);
    }

    pub(super) fn behaviour_of(&self, task: &str) -> Behaviour {
        let revision = self.tasks.get(task).and_then(|t| self.revision(&t.view.task_definition_arn));
        revision.map(|r| r.behaviour.clone()).unwrap_or_default()
    }

    pub(super) fn running_since(&self, task: &str) -> Option<Timestamp> {
        self.tasks.get(task).and_then(|t| t.view.started_at)
    }
}
