//! People: who break things by hand, who say verbs at any time, and who put things right in the end.

use jiff::SignedDuration;
use sandbox::world::{Action, ListTasks, ModifyListener, ModifyRule, SetAlarmState, UpdateService};
use tidegate::machine::event::Verb;
use tidegate::rollout::CanaryAsk;
use tidegate::weight::Weight;

use super::stage::Stage;

/// Between two deeds of people.
const EVERY_MILLIS: u64 = 90_000;

/// Returns how long people keep quiet.
pub fn quiet(stage: &Stage) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(stage.chance().below(EVERY_MILLIS)).unwrap_or(0))
}

/// Does one thing that the mask allows; a verb is returned, for it goes through the door.
pub fn act(stage: &Stage) -> Option<Verb> {
    let mask = stage.mask();
    let deeds = [
        mask.edits_weights,
        mask.updates_services,
        mask.stops_tasks,
        mask.rings,
        mask.deletes_alarms,
        mask.orders,
        mask.orders,
    ];
    let allowed: Vec<usize> = (0..deeds.len()).filter(|deed| deeds[*deed]).collect();
    if allowed.is_empty() {
        return None;
    }
    let deed = allowed[pick(stage, allowed.len())];
    match deed {
        0 => edit_weights(stage),
        1 => update_service(stage),
        2 => stop_a_task(stage),
        3 => ring(stage),
        4 => {
            let name = stage.parts.alarm_name.clone();
            // It may be gone already.
            let _gone = stage.inner.world().delete_alarms(&[name]);
        }
        _ => return Some([Verb::Abort, Verb::Pause, Verb::Resume, Verb::Resume, Verb::Promote][pick(stage, 5)]),
    }
    None
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
    write_weights(stage, &groups, true);
    write_weights(stage, &groups, false);
    let side = &rollout.baseline.stable;
    if rollout.promoted_at.is_none() {
        update(stage, side.service.name(), Some(side.revision.as_str()), side.tasks);
    }
    if let CanaryAsk::Tasks { tasks, .. } = rollout.asked_of_canary {
        let revision = rollout.baseline.revision.as_str();
        update(stage, rollout.baseline.canary.service.name(), Some(revision), tasks);
    }
    calm_the_alarm(stage);
}

/// Sets the alarm to OK, if it is there.
pub fn calm_the_alarm(stage: &Stage) {
    set_alarm(stage, "OK");
}

fn pick(stage: &Stage, of: usize) -> usize {
    usize::try_from(stage.chance().below(of as u64)).unwrap_or(0)
}

fn edit_weights(stage: &Stage) {
    let (on_blue, on_green) = [(1, 0), (0, 1), (700, 300), (500, 500), (999, 1)][pick(stage, 5)];
    let (blue, green) = (stage.parts.blue.target_group_arn.clone(), stage.parts.green.target_group_arn.clone());
    let users = pick(stage, 2) == 0;
    write_weights(stage, &[(&blue, on_blue), (&green, on_green)], users);
    let now = stage.time();
    stage.watch().edited_at = Some(now);
}

fn write_weights(stage: &Stage, groups: &[(&str, u32)], users: bool) {
    let actions = vec![Action::forward(groups)];
    let mut world = stage.inner.world();
    if users {
        let rule_arn = stage.parts.rule_arn.clone();
        world.modify_rule(ModifyRule { rule_arn, actions, ..ModifyRule::default() }).expect("the rule is there");
    } else {
        let listener_arn = stage.parts.plain_listener_arn.clone();
        let write = ModifyListener { listener_arn, default_actions: actions, ..ModifyListener::default() };
        world.modify_listener(write).expect("the listener is there");
    }
}

fn update_service(stage: &Stage) {
    let green = pick(stage, 2) == 0;
    let service = if green { &stage.parts.green } else { &stage.parts.blue }.service_name.clone();
    let tasks = 1 + u32::try_from(pick(stage, 6)).unwrap_or(0);
    let revision = stage.parts.task_definition_arn.clone();
    let other_revision = green && pick(stage, 2) == 0;
    update(stage, &service, other_revision.then_some(revision.as_str()), tasks);
}

fn update(stage: &Stage, service: &str, revision: Option<&str>, tasks: u32) {
    let update = UpdateService {
        cluster: Some(stage.parts.cluster.clone()),
        service: service.to_owned(),
        task_definition: revision.map(str::to_owned),
        desired_count: Some(tasks),
        ..UpdateService::default()
    };
    stage.inner.world().update_service(update).expect("the service is there");
}

fn stop_a_task(stage: &Stage) {
    let cluster = stage.parts.cluster.clone();
    let service = if pick(stage, 2) == 0 { &stage.parts.green } else { &stage.parts.blue }.service_name.clone();
    let asked = ListTasks { cluster: Some(cluster.clone()), service_name: Some(service), ..ListTasks::default() };
    let mut world = stage.inner.world();
    let tasks = world.list_tasks(&asked).expect("the service is there");
    if let Some(task) = tasks.first() {
        world.stop_task(Some(&cluster), task, Some("by hand")).expect("the task is there");
    }
}

fn ring(stage: &Stage) {
    set_alarm(stage, ["ALARM", "OK", "INSUFFICIENT_DATA"][pick(stage, 3)]);
}

fn set_alarm(stage: &Stage, state: &str) {
    let set = SetAlarmState {
        alarm_name: stage.parts.alarm_name.clone(),
        state_value: state.to_owned(),
        state_reason: "by hand".to_owned(),
        state_reason_data: None,
    };
    // It may have been deleted.
    let _gone = stage.inner.world().set_alarm_state(set);
}
