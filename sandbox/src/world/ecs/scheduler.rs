//! The service scheduler: what it starts and stops within the percents, when it is steady, and the circuit breaker.

use std::time::Duration;

use super::Steady;
use crate::world::World;
use crate::world::tasks::StopCause;
use crate::world::time::Due;

/// The circuit breaker's threshold: half the desired count, within these bounds.
const BREAKER_BOUNDS: (u32, u32) = (3, 200);
/// After this many failures in a row starts are spaced out, and the service says so.
const FAILURES_BEFORE_BACKOFF: u32 = 3;
/// Starts of a failing service are never further apart than this.
const BACKOFF_MAX: Duration = Duration::from_secs(15 * 60);

/// What the scheduler may do: tasks to stop and how many to start.
struct Moves {
    stop: Vec<String>,
    start: u32,
}

/// One wanted task as the scheduler sees it.
struct Seen {
    arn: String,
    is_primary: bool,
    is_healthy: bool,
    is_running: bool,
}

impl World {
    /// Something about the service changed: whatever was steady is not.
    pub(in crate::world) fn service_moves(&mut self, service: &str) {
        if let Some(state) = self.services.get_mut(service) {
            state.steady = Steady::Moving;
            state.steady_generation += 1;
        }
        self.plan_pass(service);
    }

    /// Lets the scheduler look at the service soon; one look is planned at a time.
    pub(in crate::world) fn plan_pass(&mut self, service: &str) {
        let (from, to) = self.config.scheduler_delay;
        let Some(state) = self.services.get_mut(service).filter(|s| s.next_pass.is_none()) else {
            return;
        };
        let at = self.now + self.chance.ecs.between(from, to);
        state.next_pass = Some(at);
        self.queue.plan(at, Due::SchedulerPass { service: service.to_owned() });
    }

    pub(in crate::world) fn scheduler_pass(&mut self, service: &str) {
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        state.next_pass = None;
        if state.view.status == "INACTIVE" {
            return;
        }
        let seen = self.seen_tasks(service);
        let moves = self.moves(service, &seen);
        self.stop_for_scaling(service, &moves.stop);
        self.start_tasks(service, moves.start);
        self.drop_drained_deployments(service);
        self.settle(service);
    }

    fn seen_tasks(&self, service: &str) -> Vec<Seen> {
        let primary = self.services.get(service).and_then(|s| s.primary()).map(|d| d.id.clone());
        let mut tasks: Vec<_> = self.tasks.values().filter(|t| t.service == service && t.is_wanted()).collect();
        tasks.sort_by_key(|t| (t.view.created_at, t.address.clone()));
        let see = |t: &&crate::world::tasks::TaskState| Seen {
            arn: t.view.task_arn.clone(),
            is_primary: Some(&t.view.started_by) == primary.as_ref(),
            is_healthy: t.view.last_status == "RUNNING" && self.targets_healthy(t),
            is_running: t.view.last_status == "RUNNING",
        };
        tasks.iter().map(see).collect()
    }

    fn moves(&self, service: &str, seen: &[Seen]) -> Moves {
        let nothing = Moves { stop: Vec::new(), start: 0 };
        let Some(state) = self.services.get(service) else {
            return nothing;
        };
        let Some(primary) = state.primary() else {
            return nothing;
        };
        let desired = state.view.desired_count;
        let percents = &state.view.deployment_configuration;
        let upper = (u64::from(desired) * u64::from(percents.maximum_percent) / 100) as u32;
        let lower = (u64::from(desired) * u64::from(percents.minimum_healthy_percent)).div_ceil(100) as u32;
        let healthy = seen.iter().filter(|t| t.is_healthy).count() as u32;
        let mut stop = Vec::new();
        // Of the old deployments: what is not healthy goes at once, healthy ones down to the minimum.
        let mut spare = healthy.saturating_sub(lower);
        for old in seen.iter().filter(|t| !t.is_primary) {
            if !old.is_healthy {
                stop.push(old.arn.clone());
            } else if spare > 0 {
                spare -= 1;
                stop.push(old.arn.clone());
            }
        }
        let of_primary: Vec<&Seen> = seen.iter().filter(|t| t.is_primary).collect();
        let excess = of_primary.len().saturating_sub(desired as usize);
        let not_running = of_primary.iter().rev().filter(|t| !t.is_running);
        let newest_first = not_running.chain(of_primary.iter().rev().filter(|t| t.is_running));
        stop.extend(newest_first.take(excess).map(|t| t.arn.clone()));
        let remaining = (seen.len() - stop.len()) as u32;
        let missing = desired.saturating_sub(of_primary.len() as u32);
        let blocked = primary.rollout_state == "FAILED";
        let start = if blocked { 0 } else { missing.min(upper.saturating_sub(remaining)) };
        Moves { stop, start }
    }

    fn stop_for_scaling(&mut self, service: &str, tasks: &[String]) {
        for task in tasks {
            let Some(deployment) = self.tasks.get(task).map(|t| t.view.started_by.clone()) else {
                continue;
            };
            let reason = format!("Scaling activity initiated by (deployment {deployment})");
            self.begin_stop(task, &StopCause { code: "ServiceSchedulerInitiated", reason });
        }
        if !tasks.is_empty() {
            self.tell(service, &format!("has stopped {} running tasks: {}.", tasks.len(), named(tasks)));
            let behind = self.services.get(service).is_some_and(|s| !s.view.load_balancers.is_empty());
            if behind {
                self.tell(service, &format!("has begun draining connections on {} tasks.", tasks.len()));
            }
        }
    }

    fn start_tasks(&mut self, service: &str, count: u32) {
        let now = self.now;
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        if let Some(until) = state.backoff_until.filter(|until| *until > now && count > 0) {
            if state.next_pass.is_none_or(|at| at > until) {
                state.next_pass = Some(until);
                self.queue.plan(until, Due::SchedulerPass { service: service.to_owned() });
            }
            return;
        }
        let started: Vec<String> = (0..count).filter_map(|_| self.start_task(service)).collect();
        if !started.is_empty() {
            self.tell(service, &format!("has started {} tasks: {}.", started.len(), named(&started)));
            self.emit_capacity_provider_steady(service);
        }
    }

    /// A deployment that is not primary leaves the list with its last running task.
    fn drop_drained_deployments(&mut self, service: &str) {
        let Some(state) = self.services.get(service) else {
            return;
        };
        let old = state.view.deployments.iter().filter(|d| d.status == "ACTIVE").map(|d| d.id.clone());
        let drained: Vec<String> = old.filter(|id| self.counts(service, Some(id)) == (0, 0)).collect();
        if let Some(state) = self.services.get_mut(service) {
            state.view.deployments.retain(|d| !drained.contains(&d.id));
        }
    }

    fn settle(&mut self, service: &str) {
        let seen = self.seen_tasks(service);
        let (pending, running) = self.counts(service, None);
        let now = self.now;
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        let desired = state.view.desired_count;
        let healthy = seen.iter().filter(|t| t.is_primary && t.is_healthy).count() as u32;
        let at_rest = state.view.deployments.len() == 1 && pending == 0 && running == desired && healthy == desired;
        if !at_rest {
            if state.steady != Steady::Moving {
                state.steady = Steady::Moving;
                state.steady_generation += 1;
            }
            return;
        }
        if state.view.status == "DRAINING" {
            state.view.status = "INACTIVE".to_owned();
            state.view.deployments.clear();
            return;
        }
        if state.steady != Steady::Moving || state.primary().is_some_and(|d| d.rollout_state == "FAILED") {
            return;
        }
        state.steady = Steady::Settling { since: now };
        state.failures_in_a_row = 0;
        state.backoff_until = None;
        if let Some(primary) = state.primary_mut() {
            primary.updated_at = now;
        }
        let generation = state.steady_generation;
        let (from, to) = self.config.steady_state_delay;
        let at = now + self.chance.ecs.between(from, to);
        self.queue.plan(at, Due::SteadyState { service: service.to_owned(), generation });
    }

    /// Says that the service is steady, and its deployment completed; in either order, as AWS does.
    pub(in crate::world) fn steady_state(&mut self, service: &str, generation: u32) {
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        if state.steady_generation != generation || state.steady == Steady::Moving {
            return;
        }
        let since = match state.steady {
            Steady::Settling { since } => Some(since),
            Steady::Moving | Steady::Said => None,
        };
        state.steady = Steady::Said;
        let completing = state.primary_mut().filter(|d| d.rollout_state == "IN_PROGRESS").map(|primary| {
            primary.rollout_state = "COMPLETED".to_owned();
            primary.rollout_state_reason = format!("ECS deployment {} completed.", primary.id);
            (primary.task_definition.clone(), primary.id.clone(), primary.rollout_state_reason.clone())
        });
        if let Some((task_definition, id, _)) = &completing {
            state.last_completed = Some((task_definition.clone(), id.clone()));
        }
        let completed_first = self.chance.ecs.chance(0.5);
        if !completed_first {
            self.emit_service_action(service, "INFO", "SERVICE_STEADY_STATE");
        }
        if let (Some((_, id, reason)), Some(since)) = (completing, since) {
            self.tell(service, &format!("(deployment {id}) deployment completed."));
            self.emit_deployment(service, "INFO", "SERVICE_DEPLOYMENT_COMPLETED", &id, &reason, since);
        }
        if completed_first {
            self.emit_service_action(service, "INFO", "SERVICE_STEADY_STATE");
        }
        if since.is_some() {
            self.emit_capacity_provider_steady(service);
        }
        self.tell(service, "has reached a steady state.");
        let again = self.now + self.config.steady_state_repeat;
        self.queue.plan(again, Due::SteadyState { service: service.to_owned(), generation });
    }

    /// A task of a deployment failed before it was ever healthy.
    pub(in crate::world) fn deployment_task_failed(&mut self, service: &str, deployment: &str) {
        let now = self.now;
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        let breaker = state.view.deployment_configuration.deployment_circuit_breaker.clone();
        let threshold = state.view.desired_count.div_ceil(2).clamp(BREAKER_BOUNDS.0, BREAKER_BOUNDS.1);
        let Some(primary) = state.primary_mut().filter(|d| d.id == deployment) else {
            return;
        };
        primary.failed_tasks += 1;
        let trips = breaker.enable && primary.rollout_state == "IN_PROGRESS" && primary.failed_tasks >= threshold;
        state.failures_in_a_row += 1;
        let beyond = state.failures_in_a_row.checked_sub(FAILURES_BEFORE_BACKOFF);
        if let Some(beyond) = beyond {
            let wait = Duration::from_secs(10).saturating_mul(1 << beyond.min(10)).min(BACKOFF_MAX);
            state.backoff_until = Some(now + wait);
        }
        let announces = beyond.is_some() && !state.impaired_announced;
        state.impaired_announced |= announces;
        if announces {
            self.emit_service_action(service, "WARN", "SERVICE_TASK_START_IMPAIRED");
            self.tell(service, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.");
        }
        if trips {
            self.trip_breaker(service, breaker.rollback);
        }
    }

    fn trip_breaker(&mut self, service: &str, rollback: bool) {
        let reason = "ECS deployment circuit breaker: tasks failed to start.";
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        let back_to = state.last_completed.clone().filter(|_| rollback);
        let Some(primary) = state.primary_mut() else {
            return;
        };
        primary.rollout_state = "FAILED".to_owned();
        primary.rollout_state_reason = reason.to_owned();
        let (id, updated_at) = (primary.id.clone(), primary.updated_at);
        self.emit_deployment(service, "ERROR", "SERVICE_DEPLOYMENT_FAILED", &id, reason, updated_at);
        self.tell(service, &format!("(deployment {id}) deployment failed: tasks failed to start."));
        if let Some((task_definition, completed)) = back_to {
            if let Some(state) = self.services.get_mut(service) {
                state.view.task_definition = task_definition;
            }
            let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {completed}.");
            self.begin_deployment(service, Some(reason));
        }
    }

    /// A task of the service became healthy for the first time.
    pub(in crate::world) fn deployment_task_healthy(&mut self, service: &str, deployment: &str) {
        let Some(state) = self.services.get_mut(service) else {
            return;
        };
        let Some(primary) = state.primary_mut().filter(|d| d.id == deployment) else {
            return;
        };
        primary.failed_tasks = 0;
        state.failures_in_a_row = 0;
        state.backoff_until = None;
    }
}

fn named(tasks: &[String]) -> String {
    let names = tasks.iter().map(|t| format!("(task {})", crate::world::ids::last_part(t)));
    names.collect::<Vec<_>>().join(" ")
}
