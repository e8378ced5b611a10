//! People and other machines: who break things by hand, who say verbs at any time, and who put things right in the end.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tidegate::machine::event::Verb;
use tidegate::observation::{RulePlace, RuleRef};
use tidegate::rollout::CanaryAsk;
use tidegate::weight::Weight;

use super::crew::POISON;
use super::faults::Fault;
use super::mail::{Class, Destination};
use super::scene::Scene;
use super::stage::{Stage, at_once};
use crate::world::{Action, Behaviour, ListTasks, ModifyListener, ModifyRule, Rng, SetAlarmState, UpdateService};

/// Between two deeds of people.
const EVERY_MILLIS: u64 = 60_000;
/// No event arrives for so long at most.
const BUS_DOWN_MILLIS: u64 = 1_800_000;

/// What goes through the door.
#[derive(Debug)]
pub enum Said {
    /// A verb, for a step that may be over.
    Verb(Verb, Option<usize>),
    /// Another revision.
    Start,
}

/// Returns how long people keep quiet.
pub fn quiet(stage: &Stage) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(stage.dice().order.below(EVERY_MILLIS)).unwrap_or(0))
}

/// Does what the dice say; what goes through the door is returned.
pub fn act(stage: &Stage, scene: &Scene) -> Vec<Said> {
    if let Some(mut chance) = stage.strikes(Fault::RuleEdited) {
        edit_weights(stage, &mut chance);
    }
    if let Some(mut chance) = stage.strikes(Fault::ServiceEdited) {
        let green = chance.chance(0.5);
        let tasks = 1 + u32::try_from(chance.below(6)).unwrap_or(0);
        change_service(stage, green, None, tasks);
    }
    if let Some(mut chance) = stage.strikes(Fault::ForeignDeployment) {
        let tasks = 1 + u32::try_from(chance.below(4)).unwrap_or(0);
        change_service(stage, chance.chance(0.7), Some(&scene.third), tasks);
    }
    if let Some(mut chance) = stage.strikes(Fault::Autoscaled) {
        let tasks = 1 + u32::try_from(chance.below(8)).unwrap_or(0);
        change_service(stage, false, None, tasks);
    }
    if let Some(mut chance) = stage.strikes(Fault::Reclaim) {
        take_a_task(stage, &mut chance);
    }
    if let Some(mut chance) = stage.strikes(Fault::AlarmFlap) {
        set_alarm(stage, ["ALARM", "OK", "INSUFFICIENT_DATA"][pick(&mut chance, 3)]);
    }
    if stage.strikes(Fault::AlarmDeleted).is_some() {
        let name = stage.parts.alarm_name.clone();
        // It may be gone already.
        let _gone = stage.inner.world().delete_alarms(&[name]);
    }
    if stage.strikes(Fault::NoTraffic).is_some() {
        stage.inner.world().set_traffic(stage.parts.traffic, 0.0);
    } else if stage.mask().has(Fault::NoTraffic) {
        stage.inner.world().set_traffic(stage.parts.traffic, scene.requests_per_second);
    }
    if let Some(mut chance) = stage.strikes(Fault::StableDegrades) {
        stage.somebody_acts();
        let behaviour = Behaviour { error_share: chance.unit(), ..Behaviour::default() };
        let revision = stage.parts.task_definition_arn.clone();
        stage.inner.world().set_behaviour(&revision, behaviour).expect("the revision is there");
    }
    if let Some(mut chance) = stage.strikes(Fault::BusDown) {
        let away = i64::try_from(chance.below(BUS_DOWN_MILLIS)).unwrap_or(0);
        let until = stage.time() + SignedDuration::from_millis(away);
        *stage.bus_down_until.lock().expect("one thread") = Some(until);
    }
    if let Some(mut chance) = stage.strikes(Fault::Poison) {
        poison(stage, &mut chance);
    }
    let mut said = Vec::new();
    if stage.strikes(Fault::NewRevision).is_some() {
        said.push(Said::Start);
    }
    if let Some(mut chance) = stage.strikes(Fault::Order) {
        let verbs =
            [Verb::Abort, Verb::Pause, Verb::Resume, Verb::Resume, Verb::Promote, Verb::Promote, Verb::PromoteFull];
        let verb = verbs[pick(&mut chance, verbs.len())];
        let step = chance.chance(0.3).then(|| pick(&mut chance, 6));
        let times = if chance.chance(0.3) { 2 } else { 1 };
        said.extend((0..times).map(|_| Said::Verb(verb, step)));
    }
    said
}

/// Puts everything as the controller last asked for it.
pub fn put_right(stage: &Stage) {
    let Some(rollout) = stage.watch().latest.clone() else { return };
    let weight = if rollout.promoted_at.is_some() { Weight::FULL } else { rollout.commanded };
    let (stable, canary) = weight.on_the_wire();
    let groups = [
        (rollout.baseline.stable.group.as_str(), u32::from(stable)),
        (rollout.baseline.canary.group.as_str(), u32::from(canary)),
    ];
    for rule in rollout.baseline.rules.iter().map(|rule| &rule.rule) {
        write_weights(stage, &groups, rule.place == RulePlace::Rule);
    }
    stage.watch().forgets_edits();
    stage.see_rules();
    let side = &rollout.baseline.stable;
    if rollout.promoted_at.is_none() {
        update(stage, side.service.name(), Some(side.revision.as_str()), side.tasks);
    }
    if let CanaryAsk::Tasks { tasks, .. } = rollout.asked_of_canary {
        let revision = rollout.baseline.revision.as_str();
        update(stage, rollout.baseline.canary.service.name(), Some(revision), tasks);
    }
    calm_down(stage);
}

/// Sets the alarm to OK, if it is there, and lets the old revision be well again.
pub fn calm_down(stage: &Stage) {
    set_alarm(stage, "OK");
    let revision = stage.parts.task_definition_arn.clone();
    if stage.mask().has(Fault::StableDegrades) {
        let well = Behaviour { latency: Duration::from_millis(50), ..Behaviour::default() };
        stage.inner.world().set_behaviour(&revision, well).expect("the revision is there");
    }
}

/// Sets the alarm.
pub fn set_alarm(stage: &Stage, state: &str) {
    let set = SetAlarmState {
        alarm_name: stage.parts.alarm_name.clone(),
        state_value: state.to_owned(),
        state_reason: "by hand".to_owned(),
        state_reason_data: None,
    };
    // It may have been deleted.
    let _gone = stage.inner.world().set_alarm_state(set);
}

/// Whether the alarm is in ALARM.
pub fn rings(stage: &Stage) -> bool {
    let name = stage.parts.alarm_name.as_str();
    let found = at_once(tidegate::ports::MetricProvider::alarms(&stage.inner, &[name])).unwrap_or_default();
    found.values().any(|(_, state)| *state == tidegate::observation::AlarmState::Alarm)
}

fn pick(chance: &mut Rng, of: usize) -> usize {
    usize::try_from(chance.below(of as u64)).unwrap_or(0)
}

fn edit_weights(stage: &Stage, chance: &mut Rng) {
    let (on_blue, on_green) = [(1, 0), (0, 1), (700, 300), (500, 500), (999, 1)][pick(chance, 5)];
    let (blue, green) = (stage.parts.blue.target_group_arn.clone(), stage.parts.green.target_group_arn.clone());
    stage.somebody_acts();
    let rule = write_weights(stage, &[(&blue, on_blue), (&green, on_green)], chance.chance(0.5));
    let now = stage.time();
    let actions = at_once(tidegate::ports::TrafficRouter::rules(&stage.inner, std::slice::from_ref(&rule)));
    if let Some(seen) = actions.unwrap_or_default().pop() {
        stage.watch().edits(rule, seen.actions, now);
    }
    stage.see_rules();
}

fn write_weights(stage: &Stage, groups: &[(&str, u32)], users: bool) -> RuleRef {
    let actions = vec![Action::forward(groups)];
    let mut world = stage.inner.world();
    let (arn, place) = if users {
        let rule_arn = stage.parts.rule_arn.clone();
        let write = ModifyRule { rule_arn: rule_arn.clone(), actions, ..ModifyRule::default() };
        world.modify_rule(write).expect("the rule is there");
        (rule_arn, RulePlace::Rule)
    } else {
        let listener_arn = stage.parts.plain_listener_arn.clone();
        let write = ModifyListener {
            listener_arn: listener_arn.clone(),
            default_actions: actions,
            ..ModifyListener::default()
        };
        world.modify_listener(write).expect("the listener is there");
        (listener_arn, RulePlace::DefaultAction)
    };
    RuleRef { arn: tidegate::ids::RuleArn::new(arn), place }
}

fn change_service(stage: &Stage, green: bool, revision: Option<&str>, tasks: u32) {
    stage.somebody_acts();
    let service = if green { &stage.parts.green } else { &stage.parts.blue }.service_name.clone();
    update(stage, &service, revision, tasks);
}

/// Gives a service a revision and a count, as a person does.
pub fn update(stage: &Stage, service: &str, revision: Option<&str>, tasks: u32) {
    let update = UpdateService {
        cluster: Some(stage.parts.cluster.clone()),
        service: service.to_owned(),
        task_definition: revision.map(str::to_owned),
        desired_count: Some(tasks),
        ..UpdateService::default()
    };
    stage.inner.world().update_service(update).expect("the service is there");
}

fn take_a_task(stage: &Stage, chance: &mut Rng) {
    stage.somebody_acts();
    let cluster = stage.parts.cluster.clone();
    let service = if chance.chance(0.5) { &stage.parts.green } else { &stage.parts.blue }.service_name.clone();
    let asked = ListTasks { cluster: Some(cluster.clone()), service_name: Some(service), ..ListTasks::default() };
    let mut world = stage.inner.world();
    let tasks = world.list_tasks(&asked).expect("the service is there");
    if let Some(task) = tasks.first() {
        world.stop_task(Some(&cluster), task, Some("Your Spot Task was interrupted.")).expect("the task is there");
    }
}

/// A field and a kind of event that nobody has told us of.
pub const SOMETHING_NEW: &str = "omethingNew";

/// What a word in an event must never become: part of what is stored.
pub const SECRET: &str = "pl4nted-s3cret";

fn poison(stage: &Stage, chance: &mut Rng) {
    let account = stage.inner.world().config().account.clone();
    let now = stage.time();
    let event = |account: &str, kind: &str, detail: serde_json::Value| {
        json!({
            "version": "0", "id": "00000000-0000-0000-0000-000000000000", "detail-type": kind, "source": "aws.ecs",
            "account": account, "time": now.to_string(), "region": stage.inner.world().config().account.region,
            "resources": ["arn:aws:ecs:eu-west-1:999999999999:service/other/thing"], "detail": detail,
        })
        .to_string()
    };
    let group = format!("service:{}", stage.parts.green.service_name);
    let task = |service: &str, version: u64| {
        let arn = account.cluster(&stage.parts.cluster);
        json!({
            "clusterArn": arn, "group": service, "taskArn": account.task(&stage.parts.cluster, "0123456789abcdef"),
            "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "version": version, "startedBy": "ecs-svc/1",
            "somethingNew": { "deep": [1, 2, 3] },
            "overrides": { "containerOverrides": [{ "name": "app", "environment": [
                { "name": "PASSWORD", "value": SECRET }] }] },
        })
    };
    let body = match chance.below(6) {
        0 => format!("{POISON} {}", chance.draw()),
        1 => format!("{POISON} \u{fffd}\u{0}}}"),
        2 => event("999999999999", "ECS Task State Change", task(&group, 1)),
        3 => event(&account.id, "ECS SomethingNew", json!({ "x": 1 })),
        4 => event(&account.id, "ECS Task State Change", task("service:somebody-else", 3)),
        _ => event(&account.id, "ECS Task State Change", task(&group, 1)),
    };
    stage.post(Class::Again, Destination::Controller, &body, SignedDuration::from_millis(300));
}
