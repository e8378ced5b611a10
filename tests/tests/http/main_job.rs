//! One run of everything that the functions do, and what its transcript shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sandbox::chronicle::Transition;
use sandbox::demo::{SPEC, Summary, Wanted};
use sandbox::platform::template::Template;
use sandbox::platform::transcript::{Caller, Entry, Invocation, InvocationEnd, Moment, Outcome, Transcript};
use tests::stack::{ROUTED, SHORT, Stack};
use tidegate::api::{Answer, Ask, Order, Told};
use tidegate::machine::event::Verb;
use tidegate::rollout::Track;

/// Task events of somebody else while no rollout is active.
const FOREIGN_EVENTS: u32 = 40;

/// Task events of our own in the middle of a rollout.
const STORM: u32 = 200;

/// What goes out together on the way home: the commit, and each rule of this estate.
const TOGETHER: [&str; 3] =
    ["dynamodb:TransactWriteItems", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyListener"];

/// What the run left behind. The stack itself is gone: others may start theirs.
pub struct Record {
    pub template: Template,
    pub entries: Vec<Entry>,
    pub invocations: Vec<Invocation>,
    /// The two rollouts of the demo.
    summary: Summary,
    bad: Vec<Transition>,
    idle: (Moment, Moment),
    storm: (Moment, Moment),
    /// The alarm function's invocation by an event that no queue carries.
    alarm_alone: String,
    aborted_by_person: Transition,
    aborted_by_alarm: Transition,
    viewer_promotes: (u16, String),
    viewer_looks: u16,
    stranger: u16,
    user_errors: u64,
}

pub static RECORD: LazyLock<Record> = LazyLock::new(record);

impl Record {
    /// The transcript again, for questions to it.
    pub fn transcript(&self) -> Transcript {
        let transcript = Transcript::default();
        self.entries.iter().cloned().for_each(|entry| transcript.record(entry));
        self.invocations.iter().cloned().for_each(|invocation| transcript.record_invocation(invocation));
        transcript
    }
}

fn record() -> Record {
    let stack = Stack::start();
    let idle = idle(&stack);
    let good = stack.begin(SPEC, 0.0);
    stack.until_weight(&good, "20");
    let storm = storm(&stack);
    look_around(&stack, good.as_str());
    let promote = Order::Verb { rollout: good.clone(), verb: Verb::Promote, expected_step: None };
    let viewer_promotes =
        stack.post("command", "viewer", &tidegate::api::CommandRequest { key: "viewer".to_owned(), order: promote });
    let viewer_looks = stack.post("query", "viewer", &Ask::List { finished: false }).0;
    let stranger = stack.post("query", "nobody", &Ask::List { finished: false }).0;
    stack.until_ended(&good);
    let bad = stack.begin(SPEC, 0.2);
    stack.until_ended(&bad);
    let summary = Summary::of(&stack.sandbox, &[(good, Wanted::Promoted), (bad.clone(), Wanted::Home)], None);
    // A person's abort, by the command function, with a header route open.
    let third = stack.begin(ROUTED, 0.0);
    stack.until_weight(&third, "20");
    let answer = stack.order(Order::Verb { rollout: third.clone(), verb: Verb::Abort, expected_step: None });
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    let aborted_by_person = stack.until_ended(&third);
    // An alarm's event that reaches the alarm function alone: nobody is faster.
    let fourth = stack.begin(SHORT, 0.0);
    stack.until_weight(&fourth, "20");
    // The commit goes out beside the writes, and they beside each other: held back one behind the other, they all come.
    let [commit, rule, listener] = TOGETHER;
    assert!(stack.sandbox.hold_until_done("alarm", commit, &[rule, listener]));
    assert!(stack.sandbox.hold_until_done("alarm", rule, &[listener]));
    let alarm = stack.alarm_event("checkout-5xx-rate").to_string();
    let platform = stack.sandbox.platform();
    let function = platform.template.function("alarm").expect("there is an alarm function").id.clone();
    let host = platform.lambda.host(&function).expect("it has a host").clone();
    let invoked = stack.block_on(host.invoke(platform, alarm.into(), "an alarm's event"));
    assert_eq!(invoked.end, InvocationEnd::Succeeded, "{:?}", stack.sandbox.log("alarm"));
    let aborted_by_alarm = stack.until_ended(&fourth);
    stack.pass(60);
    let record = Record {
        template: stack.sandbox.platform().template.clone(),
        entries: stack.sandbox.transcript().entries(),
        invocations: stack.sandbox.transcript().invocations(),
        summary,
        bad: stack.transitions(&bad),
        idle,
        storm,
        alarm_alone: invoked.id,
        aborted_by_person,
        aborted_by_alarm,
        viewer_promotes,
        viewer_looks,
        stranger,
        user_errors: stack.sandbox.world().user_errors().total(),
    };
    stack.end();
    record
}

/// Three minutes without a rollout, with events of another service.
fn idle(stack: &Stack) -> (Moment, Moment) {
    let from = stack.moment();
    for number in 0..FOREIGN_EVENTS {
        stack.sandbox.put_event(&stack.task_event("somebody-else", number));
    }
    stack.pass(180);
    (from, stack.moment())
}

fn storm(stack: &Stack) -> (Moment, Moment) {
    let from = stack.moment();
    for number in 0..STORM {
        stack.sandbox.put_event(&stack.task_event("checkout-green", number));
    }
    stack.pass(60);
    (from, stack.moment())
}

/// Every question that there is.
fn look_around(stack: &Stack, rollout: &str) {
    let id = tidegate::ids::RolloutId::new(rollout);
    let questions = [
        Ask::Get { rollout: rollout.to_owned() },
        Ask::List { finished: false },
        Ask::List { finished: true },
        Ask::History { rollout: id, from: 1 },
        Ask::Plan { spec: SPEC.to_owned(), task_definition: Some("checkout:1".to_owned()), track: Track::ByWindow },
        Ask::Init { cluster: "production".to_owned(), service: "checkout-blue".to_owned() },
    ];
    for question in questions {
        let told = stack.ask(&question);
        let unanswered = matches!(told, Told::NotFound { .. });
        assert!(!unanswered, "{question:?}: {told:?}");
    }
}

#[test]
fn the_good_one_is_promoted_the_bad_one_goes_home_and_no_user_sees_an_error_of_ours() {
    let record = &*RECORD;
    assert_eq!(record.summary.failures(), Vec::<String>::new(), "{:#?}", record.summary);
    assert_eq!(record.user_errors, 0);
    let weights: Vec<&str> = record.summary.rollouts[0].steps.iter().map(|step| step.weight.as_str()).collect();
    for weight in ["5", "20", "50", "100"] {
        assert!(weights.contains(&weight), "{weights:?}");
    }
    let bad = &record.summary.rollouts[1];
    assert!(bad.reason.as_deref().is_some_and(|reason| reason.contains("checkout-blue-5xx-rate")), "{bad:?}");
    assert!(bad.alarm_to_home.is_some(), "{bad:?}");
}

#[test]
fn a_person_and_an_alarm_alone_send_it_home_too() {
    let record = &*RECORD;
    assert_eq!((record.aborted_by_person.phase, record.aborted_by_person.weight.as_str()), ("Degraded", "0"));
    assert_eq!((record.aborted_by_alarm.phase, record.aborted_by_alarm.weight.as_str()), ("Degraded", "0"));
    let calls = |name: &str| record.entries.iter().filter(|e| e.name() == name && e.outcome == Outcome::Ok).count();
    let (made, deleted) = (calls("elasticloadbalancing:CreateRule"), calls("elasticloadbalancing:DeleteRule"));
    assert_eq!((made, deleted), (2, 2), "one header rule beside each managed one, and none is left");
}

#[test]
fn from_the_alarm_to_weights_home_at_most_three_calls_are_made_one_after_the_other() {
    let record = &*RECORD;
    let transcript = record.transcript();
    let alarm_at = record.bad.iter().find_map(|transition| transition.alarm_at).expect("an alarm sent it home");
    let writes = |e: &&Entry| e.name() == "elasticloadbalancing:ModifyRule" && e.started.at >= alarm_at;
    let by_the_real_alarm = record.entries.iter().find(writes).and_then(|entry| entry.invocation.clone());
    for invocation in [by_the_real_alarm.expect("somebody wrote home"), record.alarm_alone.clone()] {
        for write in &TOGETHER[1..] {
            let before = transcript.chain_before(&invocation, write).expect("both rules are written");
            let before = before.iter().map(Entry::name).filter(|name| !TOGETHER.contains(&name.as_str()));
            let before: Vec<String> = before.collect();
            assert!(before.len() <= 2, "find and load, then write; before {write} there were {before:?}");
        }
    }
    let alone = transcript.of_invocation(&record.alarm_alone);
    let first = |name: &str| alone.iter().find(|entry| entry.name() == name).expect("all three go out");
    let [commit, rule, listener] = TOGETHER.map(first);
    assert!(
        listener.ended.wall <= rule.started.wall && rule.ended.wall <= commit.started.wall,
        "none of the three waits for another: {alone:#?}"
    );
}

#[test]
fn without_a_rollout_nothing_is_asked_but_the_table() {
    let record = &*RECORD;
    let (from, to) = record.idle;
    let within = |entry: &&Entry| {
        matches!(entry.caller, Caller::Function(_)) && entry.started.wall >= from.wall && entry.started.wall < to.wall
    };
    let idle: Vec<&Entry> = record.entries.iter().filter(within).collect();
    let others: BTreeSet<String> = idle.iter().filter(|e| e.service != "dynamodb").map(|e| e.name()).collect();
    assert_eq!(others, BTreeSet::new());
    let mut reads: BTreeMap<&str, usize> = BTreeMap::new();
    idle.iter().filter_map(|entry| entry.invocation.as_deref()).for_each(|id| *reads.entry(id).or_default() += 1);
    assert!(reads.values().all(|count| *count <= 1), "at most one read per batch: {reads:?}");
    let sweeps = idle.iter().filter(|e| e.caller == Caller::Function("SweepFunction".to_owned()));
    assert!((2..=4).contains(&sweeps.count()), "one query per minute in three minutes");
    let controller = Caller::Function("ControllerFunction".to_owned());
    assert!(idle.iter().any(|entry| entry.caller == controller), "the events of others were looked up");
}

/// A look describes services, two groups, rules, listeners and alarms: six calls. Events of one batch are one look, and
/// there is at most one look per five seconds and rollout; the storm's minute has twelve, and the sweep's and the
/// timers' own looks are among them.
const DESCRIBES_PER_MINUTE_MAX: usize = 6 * 13;

#[test]
fn a_storm_of_task_events_makes_a_bounded_number_of_describe_calls() {
    let record = &*RECORD;
    let (from, to) = record.storm;
    let describes = |e: &&Entry| {
        e.operation.starts_with("Describe")
            && e.caller == Caller::Function("ControllerFunction".to_owned())
            && e.started.wall >= from.wall
            && e.started.wall < to.wall
    };
    let describes = record.entries.iter().filter(describes).count();
    assert!(describes <= DESCRIBES_PER_MINUTE_MAX, "{describes} Describe calls for {STORM} events");
}

#[test]
fn a_viewer_looks_and_cannot_promote_and_a_stranger_does_neither() {
    let record = &*RECORD;
    assert_eq!(record.viewer_looks, 200);
    assert_eq!(record.viewer_promotes.0, 403, "{}", record.viewer_promotes.1);
    assert_eq!(record.stranger, 403);
    let by_viewer = |e: &&Entry| e.caller == Caller::Person("viewer".to_owned()) && e.outcome != Outcome::Ok;
    assert_eq!(record.entries.iter().filter(by_viewer).count(), 1);
}
