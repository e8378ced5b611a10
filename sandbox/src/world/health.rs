//! Target health: registration, checks by interval and threshold, draining, and ECS's reaction to an unhealthy target.
//!
//! Checks are not simulated one by one: what a check finds changes only when the task changes, so the
//! instant of the deciding check is computed and planned.

use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::elb::{Health, TargetDescription, TargetState};
use super::tasks::{App, StopCause, TaskState};
use super::time::Due;

/// What a health check of a target finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Passes,
    WrongCode,
    NoAnswer,
}

impl Finding {
    fn health(self) -> Health {
        match self {
            Finding::Passes => Health::Healthy,
            Finding::WrongCode => Health::WrongCode,
            Finding::NoAnswer => Health::NoAnswer,
        }
    }
}

impl World {
    /// ECS puts a task into its target groups.
    pub(super) fn register_task(&mut self, task: &str) {
        let Some(state) = self.tasks.get(task) else {
            return;
        };
        let (address, groups, service) = (state.address.clone(), state.target_groups.clone(), state.service.clone());
        for (group, port) in groups {
            self.register_target(&group, &address, port);
            self.tell(&service, &format!("registered 1 targets in (target-group {group})"));
        }
    }

    pub(super) fn register_target(&mut self, group: &str, address: &str, port: u16) {
        self.flow_until(self.now);
        let used = !self.load_balancers_of_group(group).is_empty();
        let Some(state) = self.target_groups.get_mut(group) else {
            return;
        };
        let interval = Duration::from_secs(u64::from(state.view.health_check_interval_seconds));
        let first_check = self.now + interval.mul_f64(self.chance.elb.unit());
        let generation = state.targets.get(&key(address, port)).map_or(0, |t| t.generation + 1);
        let target = TargetState {
            target: TargetDescription { id: address.to_owned(), port: Some(port), availability_zone: None },
            health: if used { Health::Initial } else { Health::Unused },
            generation,
            first_check,
            in_flight: None,
        };
        state.targets.insert(key(address, port), target);
        self.plan_verdict(group, &key(address, port));
    }

    /// Takes a target out: no new requests, those in flight may end within the deregistration delay.
    pub(super) fn begin_drain(&mut self, group: &str, address: &str, port: u16) {
        self.flow_until(self.now);
        let delay = self.deregistration_delay(group);
        let in_flight = self.draw_in_flight(group, address, port);
        let now = self.now;
        let Some(state) = self.target_groups.get_mut(group) else {
            return;
        };
        let Some(target) = state.targets.get_mut(&key(address, port)) else {
            return;
        };
        if target.health == Health::Draining {
            return;
        }
        target.health = Health::Draining;
        target.generation += 1;
        target.in_flight = Some((now, in_flight));
        let generation = target.generation;
        self.queue
            .plan(now + delay, Due::TargetDrained { group: group.to_owned(), target: key(address, port), generation });
    }

    /// The deregistration delay is over: what is still in flight is cut, the target leaves the group.
    pub(super) fn target_drained(&mut self, group: &str, target: &str, generation: u32) {
        let Some(state) = self.target_groups.get_mut(group) else {
            return;
        };
        if state.targets.get(target).is_none_or(|t| t.generation != generation) {
            return;
        }
        let removed = state.targets.remove(target);
        if let Some((began, residuals)) = removed.and_then(|t| t.in_flight) {
            let waited = self.now.duration_since(began).as_secs_f64();
            let cut = residuals.iter().filter(|residual| **residual > waited).count() as u64;
            self.count_cut(group, cut);
        }
    }

    /// A rule was written: groups that came onto a rule begin their checks, others end them.
    pub(super) fn group_use_changed(&mut self) {
        let groups: Vec<String> = self.target_groups.keys().cloned().collect();
        for group in groups {
            let used = !self.load_balancers_of_group(&group).is_empty();
            let Some(state) = self.target_groups.get_mut(&group) else {
                continue;
            };
            let mut begun = Vec::new();
            for (key, target) in &mut state.targets {
                if used && target.health == Health::Unused {
                    target.health = Health::Initial;
                    target.first_check = self.now;
                    begun.push(key.clone());
                } else if !used && target.health != Health::Unused && target.health != Health::Draining {
                    target.health = Health::Unused;
                    target.generation += 1;
                }
            }
            for key in begun {
                self.plan_verdict(&group, &key);
            }
        }
    }

    /// What a check finds in this task's targets may differ: replans their verdicts.
    pub(super) fn health_of_task_changed(&mut self, task: &str) {
        let Some(state) = self.tasks.get(task) else {
            return;
        };
        let (address, groups) = (state.address.clone(), state.target_groups.clone());
        for (group, port) in groups {
            self.plan_verdict(&group, &key(&address, port));
        }
    }

    pub(super) fn health_of_revision_changed(&mut self, task_definition: &str) {
        let of_revision = self.tasks.values().filter(|t| t.view.task_definition_arn == task_definition);
        let tasks: Vec<String> = of_revision.map(|t| t.view.task_arn.clone()).collect();
        for task in tasks {
            self.health_of_task_changed(&task);
        }
    }

    fn plan_verdict(&mut self, group: &str, target: &str) {
        let finding = self.finding(group, target);
        let now = self.now;
        let Some(state) = self.target_groups.get_mut(group) else {
            return;
        };
        let (view, Some(target_state)) = (&state.view, state.targets.get_mut(target)) else {
            return;
        };
        target_state.generation += 1;
        let threshold = match (target_state.health, finding) {
            (Health::Draining | Health::Unused, _) => return,
            (Health::Healthy, Finding::Passes) => return,
            (_, Finding::Passes) => view.healthy_threshold_count,
            (_, Finding::WrongCode | Finding::NoAnswer) => view.unhealthy_threshold_count,
        };
        let interval = f64::from(view.health_check_interval_seconds.max(1));
        let since_first = now.duration_since(target_state.first_check).as_secs_f64();
        let checks_before = (since_first / interval).floor().max(-1.0) + 1.0;
        let deciding = (checks_before + f64::from(threshold.max(1)) - 1.0) * interval;
        let at = target_state.first_check + Duration::from_secs_f64(deciding);
        let generation = target_state.generation;
        let due = Due::TargetVerdict { group: group.to_owned(), target: target.to_owned(), generation };
        self.queue.plan(at.max(now), due);
    }

    pub(super) fn target_verdict(&mut self, group: &str, target: &str, generation: u32) {
        let finding = self.finding(group, target);
        let Some(state) = self.target_groups.get_mut(group) else {
            return;
        };
        let Some(target_state) = state.targets.get_mut(target).filter(|t| t.generation == generation) else {
            return;
        };
        target_state.health = finding.health();
        let address = target_state.target.id.clone();
        let Some(task) = self.task_at(&address).map(|t| t.view.task_arn.clone()) else {
            return;
        };
        match finding {
            Finding::Passes => self.task_healthy(&task),
            Finding::WrongCode | Finding::NoAnswer => self.task_unhealthy(&task, group, target, generation),
        }
    }

    fn task_healthy(&mut self, task: &str) {
        let Some(state) = self.tasks.get_mut(task) else {
            return;
        };
        let first = !state.ever_healthy;
        state.ever_healthy = true;
        let (service, deployment) = (state.service.clone(), state.view.started_by.clone());
        if first {
            self.deployment_task_healthy(&service, &deployment);
        }
        self.plan_pass(&service);
    }

    /// ECS stops a running task with an unhealthy target once the grace period is over.
    fn task_unhealthy(&mut self, task: &str, group: &str, target: &str, generation: u32) {
        let Some(since) = self.running_since(task) else {
            let again = self.now + Duration::from_secs(1);
            self.queue
                .plan(again, Due::TargetVerdict { group: group.to_owned(), target: target.to_owned(), generation });
            return;
        };
        let service = self.tasks.get(task).map(|t| t.service.clone()).unwrap_or_default();
        let grace = self.services.get(&service).and_then(|s| s.view.health_check_grace_period_seconds).unwrap_or(0);
        let grace_ends: Timestamp = since + Duration::from_secs(u64::from(grace));
        if self.now < grace_ends {
            self.queue.plan(
                grace_ends,
                Due::TargetVerdict { group: group.to_owned(), target: target.to_owned(), generation },
            );
            return;
        }
        let name = self.tasks.get(task).map(|t| super::last_part(&t.view.task_arn).to_owned()).unwrap_or_default();
        self.tell(
            &service,
            &format!(
                "(task {name}) (port {}) is unhealthy in (target-group {group}) due to (reason Health checks failed).",
                target.rsplit(':').next().unwrap_or_default()
            ),
        );
        self.task_failed(task);
        let reason = format!("Task failed ELB health checks in (target-group {group})");
        self.begin_stop(task, &StopCause { code: "ServiceSchedulerInitiated", reason });
    }

    fn finding(&self, group: &str, target: &str) -> Finding {
        let address = self.target_groups.get(group).and_then(|g| g.targets.get(target)).map(|t| &t.target.id);
        let Some(task) = address.and_then(|address| self.task_at(address)) else {
            return Finding::NoAnswer;
        };
        match task.app {
            App::Starting | App::Stopped | App::Crashed => Finding::NoAnswer,
            App::Answers => match self.behaviour_of(&task.view.task_arn).fails_health_checks {
                true => Finding::WrongCode,
                false => Finding::Passes,
            },
        }
    }

    /// Returns the task that owns an address.
    pub(super) fn task_at(&self, address: &str) -> Option<&TaskState> {
        self.tasks.values().find(|t| t.address == address)
    }

    /// Returns whether all of a task's targets are healthy (true without a load balancer).
    pub(super) fn targets_healthy(&self, task: &TaskState) -> bool {
        task.target_groups.iter().all(|(group, port)| {
            let targets = self.target_groups.get(group).map(|g| &g.targets);
            targets.and_then(|t| t.get(&key(&task.address, *port))).is_some_and(|t| t.health == Health::Healthy)
        })
    }
}

/// A target is known by its address and port.
pub(super) fn key(address: &str, port: u16) -> String {
    format!("{address}:{port}")
}
