//! Journal entries, one line each: what came in, what the machine said of it, what went out.

use tidegate::audit::AuditEntry;
use tidegate::fault::Outcome;
use tidegate::machine::effect::{Effect, Write};
use tidegate::machine::event::{Event, Successor, TaskChange};
use tidegate::observation::AlarmState;

use super::line::{Line, Tone};
use super::time::{clock, date};

/// Returns one line of `history`.
pub fn entry(entry: &AuditEntry) -> Line {
    let mut line = Line::of(format!("{:>4}  {}  ", entry.sequence, date(entry.now)))
        .tone(format!("{:<10}", entry.by), Tone::Faint)
        .plain(format!("  {}", inputs(entry)))
        .tone(" → ", Tone::Faint)
        .tone(&entry.outcome, Tone::Strong);
    let effects: Vec<String> = entry.effects.iter().map(effect).collect();
    if !effects.is_empty() {
        line = line.tone(" → ", Tone::Faint).plain(effects.join(", "));
    }
    line
}

/// Returns one line of the live view's events: the effects are on the screen already.
pub fn event(entry: &AuditEntry) -> Line {
    Line::of(format!("  {}  {}", clock(entry.now), inputs(entry))).tone(" → ", Tone::Faint).plain(&entry.outcome)
}

fn inputs(entry: &AuditEntry) -> String {
    if entry.inputs.is_empty() {
        return "begun".to_owned();
    }
    entry.inputs.iter().map(input).collect::<Vec<_>>().join(", ")
}

fn input(event: &Event) -> String {
    match event {
        Event::Tick => "tick".to_owned(),
        Event::WakeUp { .. } => "wake-up".to_owned(),
        Event::Knock { what } => what.clone(),
        Event::Unplaced { reason, .. } => format!("no place for a task: {reason}"),
        Event::Task(task) => task_change(task),
        Event::Alarm(change) => format!("alarm {} {}", change.alarm.name(), alarm_state(change.state)),
        Event::Observed(observation) => format!("observed #{}", observation.generation),
        Event::Performed { token, outcome } => format!("write #{token} {}", answered(outcome)),
        Event::Measured(measured) => format!("measured {} metrics", measured.readings.len()),
        Event::Command(command) => format!("{} by {}", command.verb, command.by),
        Event::Successor(said) => match &**said {
            Successor::Asked { request, .. } => format!("start by {}", request.by),
            Successor::Answered { key } => format!("answer of start {key}"),
        },
    }
}

fn task_change(task: &TaskChange) -> String {
    let id = task.task.as_str().rsplit('/').next().unwrap_or_default();
    let id: String = id.chars().take(8).collect();
    match &task.stopped_reason {
        Some(why) => format!("task {id} {} ({why})", task.last_status),
        None => format!("task {id} {}", task.last_status),
    }
}

fn alarm_state(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData => "INSUFFICIENT_DATA",
    }
}

fn answered(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::NotApplied { fault } => format!("not applied: {fault}"),
        Outcome::Unknown { why } => format!("unanswered: {why}"),
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Observe { generation } => format!("observe #{generation}"),
        Effect::Perform { token, write } => format!("{} #{token}", written(write)),
        Effect::Measure(request) => format!("measure {} metrics", request.queries.len()),
        Effect::WakeAt { at, .. } => format!("wake at {}", clock(*at)),
        Effect::Announce(announcement) => format!("announce {:?}", announcement.what),
    }
}

fn written(write: &Write) -> String {
    match write {
        Write::SetWeights { canary, rules } => format!("setWeight {canary} on {}", counted(rules.len(), "rule")),
        Write::GoHome { rules } => format!("go home on {}", counted(rules.len(), "rule")),
        Write::Preview { rules } => format!("show the canary on {}", counted(rules.len(), "preview rule")),
        Write::CreateRoutes { routes } => format!("create {}", counted(routes.len(), "header rule")),
        Write::OpenRoutes { rules } => format!("send {} to the canary", counted(rules.len(), "header rule")),
        Write::DeleteRoutes { routes, .. } => format!("delete {}", counted(routes.len(), "header rule")),
        Write::Deploy { service, revision, tasks } => {
            format!("deploy {} on {} with {}", revision.short(), service.name(), counted(*tasks as usize, "task"))
        }
        Write::Scale { service, tasks, .. } => {
            format!("scale {} to {}", service.name(), counted(*tasks as usize, "task"))
        }
    }
}

fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
