//! Why the canary's tasks stop, and when that is a loop.

use jiff::SignedDuration;

use super::event::TaskChange;
use super::{Now, shortage};
use crate::rollout::{AbortReason, CanaryAsk, Crash, Rollout};

/// Stops for one reason are a loop only so near to one another: a rollout may take weeks.
const LOOP_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// So many different causes are remembered, the newest.
const CAUSES_MAX: usize = 4;
/// A cause is kept so far.
const KEPT: usize = 160;

/// Why a task stopped, as far as it matters for the rollout.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// By itself, or because it did not work: the cause, the same for every task that has it.
    Crash(String),
    /// There is no room for it, in ECS's words.
    NoRoom(String),
    /// Somebody wanted it so, or it is not known why.
    Wanted,
}

/// Says why a task stopped.
pub fn stop(change: &TaskChange) -> Stop {
    let reason = change.stopped_reason.as_deref().unwrap_or_default();
    let of_container = change.containers.iter().find_map(|container| container.reason.as_deref());
    match change.stop_code.as_deref() {
        Some("SpotInterruption" | "TerminationNotice") => Stop::NoRoom(reason.to_owned()),
        Some("TaskFailedToStart") if shortage::says(reason) => Stop::NoRoom(reason.to_owned()),
        Some("TaskFailedToStart") => Stop::Crash(named(of_container.unwrap_or(reason))),
        Some("EssentialContainerExited") => Stop::Crash(exited(change, of_container)),
        // The scheduler stops tasks that it scales in, and those that are not healthy.
        Some("ServiceSchedulerInitiated") if reason.contains("failed ELB health checks") => {
            Stop::Crash("failed the load balancer's health checks".to_owned())
        }
        Some("ServiceSchedulerInitiated") if reason.contains("failed container health checks") => {
            Stop::Crash("failed its container's health checks".to_owned())
        }
        Some(_) | None => Stop::Wanted,
    }
}

/// Counts a stopped task of the canary. Returns why the rollout goes home, once as many stopped for one reason as the
/// spec allows.
pub fn note(rollout: &mut Rollout, change: &TaskChange, cause: String, now: Now) -> Option<AbortReason> {
    let enough = usize::try_from(rollout.spec.policies.crash_loop_tasks).unwrap_or(usize::MAX);
    if enough == 0 || rollout.promoted_at.is_some() || rollout.asked_of_canary == CanaryAsk::Nothing {
        return None;
    }
    let crashes = &mut rollout.waits.crashes;
    for crash in &mut *crashes {
        crash.tasks.retain(|(_, heard)| now.at < *heard + LOOP_WITHIN);
    }
    crashes.retain(|crash| !crash.tasks.is_empty() || crash.cause == cause);
    if !crashes.iter().any(|crash| crash.cause == cause) {
        if crashes.len() >= CAUSES_MAX {
            crashes.remove(0);
        }
        crashes.push(Crash { cause: cause.clone(), tasks: Vec::new() });
    }
    let crash = crashes.iter_mut().find(|crash| crash.cause == cause)?;
    if crash.tasks.iter().all(|(task, _)| *task != change.task) {
        crash.tasks.push((change.task.clone(), now.at));
    }
    let tasks = crash.tasks.len();
    (tasks >= enough).then(|| AbortReason::CrashLoop { cause, tasks: u32::try_from(tasks).unwrap_or(u32::MAX) })
}

/// What became of an essential container.
fn exited(change: &TaskChange, of_container: Option<&str>) -> String {
    if let Some(reason) = of_container {
        return named(reason);
    }
    let failed = change.containers.iter().filter_map(|container| container.exit_code);
    match failed.max_by_key(|code| *code != 0) {
        // What the kernel says when memory is used up, where ECS does not.
        Some(137) => "exit code 137: it was killed, mostly for its memory".to_owned(),
        Some(code) => format!("exit code {code}"),
        None => named(change.stopped_reason.as_deref().unwrap_or("an essential container exited")),
    }
}

/// Gives ECS's sentence the name that people look for, without what differs from task to task.
fn named(sentence: &str) -> String {
    let kind = if sentence.contains("OutOfMemory") {
        "out of memory: "
    } else if sentence.contains("CannotPullContainer") || sentence.contains("CannotPullImage") {
        "the image cannot be pulled: "
    } else if sentence.contains("secret") || sentence.contains("ssm") {
        "a secret cannot be read: "
    } else {
        ""
    };
    let told: String = format!("{kind}{}", alike(sentence)).chars().take(KEPT).collect();
    if told.is_empty() { "no reason given".to_owned() } else { told }
}

/// Replaces ids, addresses and counts by a mark: six characters or more with a digit among them, or digits alone.
fn alike(sentence: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for char in sentence.chars().chain(std::iter::once('\n')) {
        if char.is_alphanumeric() {
            word.push(char);
            continue;
        }
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let id = digits > 0 && (word.chars().count() >= 6 || digits == word.len());
        out.push_str(if id { "#" } else { &word });
        word.clear();
        if char != '\n' {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ServiceArn, TaskArn};
    use crate::machine::event::ContainerStop;

    fn stopped(code: &str, reason: &str, exit_code: Option<i32>, of_container: Option<&str>) -> Stop {
        stop(&TaskChange {
            task: TaskArn::new("t"),
            service: ServiceArn::new("s"),
            version: 3,
            started_by: None,
            last_status: "STOPPED".into(),
            desired_status: "STOPPED".into(),
            stop_code: Some(code.into()),
            stopped_reason: Some(reason.into()),
            containers: vec![ContainerStop { exit_code, reason: of_container.map(str::to_owned) }],
        })
    }

    #[test]
    fn a_stop_has_the_name_that_people_look_for() {
        let crash = |cause: &str| Stop::Crash(cause.to_owned());
        let exited = "Essential container in task exited";
        assert_eq!(stopped("EssentialContainerExited", exited, Some(1), None), crash("exit code 1"));
        let oom = "OutOfMemoryError: Container killed due to memory usage";
        let said = "out of memory: OutOfMemoryError: Container killed due to memory usage";
        assert_eq!(stopped("EssentialContainerExited", exited, Some(137), Some(oom)), crash(said));
        let pull = "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref";
        let said = format!("the image cannot be pulled: {}", pull.replace('5', "#"));
        assert_eq!(stopped("TaskFailedToStart", pull, None, None), crash(&said));
        let secret = "ResourceInitializationError: unable to pull secrets or registry auth: request id: 6c1c9c0e-77";
        let Stop::Crash(said) = stopped("TaskFailedToStart", secret, None, None) else { panic!() };
        assert!(said.starts_with("a secret cannot be read: Resource") && !said.contains("6c1c"), "{said}");
        let unhealthy = "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)";
        assert!(matches!(stopped("ServiceSchedulerInitiated", unhealthy, None, None), Stop::Crash(_)));
    }

    #[test]
    fn what_somebody_wanted_is_no_crash_and_what_found_no_room_is_none_either() {
        let scaled = "Scaling activity initiated by (deployment ecs-svc/123)";
        assert_eq!(stopped("ServiceSchedulerInitiated", scaled, Some(143), None), Stop::Wanted);
        assert_eq!(stopped("UserInitiated", "by hand", Some(1), None), Stop::Wanted);
        assert_eq!(stopped("SomethingNew", "?", Some(1), None), Stop::Wanted);
        let full = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
        assert_eq!(stopped("TaskFailedToStart", full, None, None), Stop::NoRoom(full.into()));
        let spot = "Your Spot Task was interrupted.";
        assert_eq!(stopped("SpotInterruption", spot, None, None), Stop::NoRoom(spot.into()));
    }

    #[test]
    fn the_same_cause_is_the_same_text_for_every_task() {
        let one = alike("task 0a1b2c3d4e of i-0abc12345 at 10.0.3.17: exit in web-blue");
        assert_eq!(one, alike("task 99ffab0011 of i-9abc99999 at 10.0.41.2: exit in web-blue"));
        assert_eq!(one, "task # of i-# at #.#.#.#: exit in web-blue");
    }
}
