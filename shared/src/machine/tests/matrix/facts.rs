//! Everything that can happen, one of each kind that makes a difference.

use super::super::Bench;
use crate::analysis::{Found, Measured, Reading};
use crate::fault::{self, Fault, Obstacle};
use crate::ids::{AlarmArn, TaskArn};
use crate::machine::event::{AlarmChange, Command, Event, Successor, TaskChange, Verb};
use crate::observation::{AlarmState, Health, Observation, Read};
use crate::rollout::{Manner, StartRequest, StepState};
use crate::spec::OnNewRevision;
use crate::test_support::{alarm, look, rule, seconds};
use crate::weight::Weight;

/// One kind of thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Tick,
    WakeUp,
    WakeUpOld,
    Knock,
    Unplaced,
    TaskRuns,
    TaskOfStable,
    AlarmRings,
    AlarmCalms,
    AlarmForeign,
    LookWell,
    LookOld,
    LookUnknown,
    LookNoTargets,
    LookEdited,
    LookAlarm,
    WriteApplied,
    WriteUnknown,
    WriteThrottled,
    WriteRefused,
    WriteOld,
    MeasuredGood,
    MeasuredBad,
    MeasuredNothing,
    MeasuredOld,
    Promote,
    PromoteStale,
    PromoteFull,
    Pause,
    Resume,
    Abort,
    Asked,
}

impl Fact {
    pub const FIRST: Self = Self::Tick;

    /// The next row. A new kind of event has to be named in `kinds` to compile, and here to be one.
    fn next(self) -> Option<Self> {
        Some(match self {
            Self::Tick => Self::WakeUp,
            Self::WakeUp => Self::WakeUpOld,
            Self::WakeUpOld => Self::Knock,
            Self::Knock => Self::Unplaced,
            Self::Unplaced => Self::TaskRuns,
            Self::TaskRuns => Self::TaskOfStable,
            Self::TaskOfStable => Self::AlarmRings,
            Self::AlarmRings => Self::AlarmCalms,
            Self::AlarmCalms => Self::AlarmForeign,
            Self::AlarmForeign => Self::LookWell,
            Self::LookWell => Self::LookOld,
            Self::LookOld => Self::LookUnknown,
            Self::LookUnknown => Self::LookNoTargets,
            Self::LookNoTargets => Self::LookEdited,
            Self::LookEdited => Self::LookAlarm,
            Self::LookAlarm => Self::WriteApplied,
            Self::WriteApplied => Self::WriteUnknown,
            Self::WriteUnknown => Self::WriteThrottled,
            Self::WriteThrottled => Self::WriteRefused,
            Self::WriteRefused => Self::WriteOld,
            Self::WriteOld => Self::MeasuredGood,
            Self::MeasuredGood => Self::MeasuredBad,
            Self::MeasuredBad => Self::MeasuredNothing,
            Self::MeasuredNothing => Self::MeasuredOld,
            Self::MeasuredOld => Self::Promote,
            Self::Promote => Self::PromoteStale,
            Self::PromoteStale => Self::PromoteFull,
            Self::PromoteFull => Self::Pause,
            Self::Pause => Self::Resume,
            Self::Resume => Self::Abort,
            Self::Abort => Self::Asked,
            Self::Asked => return None,
        })
    }

    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::FIRST), |fact| fact.next())
    }

    /// Whether it is about something that is over.
    pub fn is_old(self) -> bool {
        let old = [Self::WakeUpOld, Self::AlarmForeign, Self::LookOld, Self::WriteOld, Self::MeasuredOld];
        old.contains(&self) || self == Self::PromoteStale
    }

    /// Whether it sends a rollout home from wherever it is.
    pub fn calls_home(self) -> bool {
        matches!(self, Self::AlarmRings | Self::Abort)
    }

    /// As the documents name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tick => "tick of the sweep",
            Self::WakeUp => "timer",
            Self::WakeUpOld => "timer of an older chain",
            Self::Knock => "event about the services",
            Self::Unplaced => "no place for a task of the canary",
            Self::TaskRuns => "task of the canary changed",
            Self::TaskOfStable => "task of the stable side changed",
            Self::AlarmRings => "alarm goes to ALARM",
            Self::AlarmCalms => "alarm goes to OK",
            Self::AlarmForeign => "alarm that is not watched",
            Self::LookWell => "look: all is well",
            Self::LookOld => "look from before the last write",
            Self::LookUnknown => "look: nothing could be read",
            Self::LookNoTargets => "look: the canary has no healthy target",
            Self::LookEdited => "look: somebody edited a weight",
            Self::LookAlarm => "look: alarm in ALARM",
            Self::WriteApplied => "write answered: done",
            Self::WriteUnknown => "write answered: unknown whether done",
            Self::WriteThrottled => "write answered: throttled",
            Self::WriteRefused => "write answered: denied",
            Self::WriteOld => "answer to an older write",
            Self::MeasuredGood => "measured: good",
            Self::MeasuredBad => "measured: bad",
            Self::MeasuredNothing => "measured: no data",
            Self::MeasuredOld => "answer to an older question",
            Self::Promote => "`promote`",
            Self::PromoteStale => "`promote` of another step",
            Self::PromoteFull => "`promote --full`",
            Self::Pause => "`pause`",
            Self::Resume => "`resume`",
            Self::Abort => "`abort`",
            Self::Asked => "another `start`, with `onNewRevision: supersede`",
        }
    }
}

/// Every kind of event has its rows.
fn kinds(event: &Event) -> &'static [Fact] {
    match event {
        Event::Tick => &[Fact::Tick],
        Event::WakeUp { .. } => &[Fact::WakeUp, Fact::WakeUpOld],
        Event::Knock { .. } => &[Fact::Knock],
        Event::Unplaced { .. } => &[Fact::Unplaced],
        Event::Task(_) => &[Fact::TaskRuns, Fact::TaskOfStable],
        Event::Alarm(_) => &[Fact::AlarmRings, Fact::AlarmCalms, Fact::AlarmForeign],
        Event::Observed(_) => {
            &[Fact::LookWell, Fact::LookOld, Fact::LookUnknown, Fact::LookNoTargets, Fact::LookEdited, Fact::LookAlarm]
        }
        Event::Performed { .. } => {
            &[Fact::WriteApplied, Fact::WriteUnknown, Fact::WriteThrottled, Fact::WriteRefused, Fact::WriteOld]
        }
        Event::Measured(_) => &[Fact::MeasuredGood, Fact::MeasuredBad, Fact::MeasuredNothing, Fact::MeasuredOld],
        Event::Successor(_) => &[Fact::Asked],
        Event::Command(command) => match command.verb {
            Verb::Promote => &[Fact::Promote, Fact::PromoteStale],
            Verb::PromoteFull => &[Fact::PromoteFull],
            Verb::Pause => &[Fact::Pause],
            Verb::Resume => &[Fact::Resume],
            Verb::Abort => &[Fact::Abort],
        },
    }
}

/// Makes it for a bench; `None` where nothing was asked that this could answer.
pub fn make(fact: Fact, bench: &mut Bench) -> Option<Event> {
    let event = made(fact, bench)?;
    assert!(kinds(&event).contains(&fact), "{fact:?} is a row of its own event");
    Some(event)
}

fn made(fact: Fact, bench: &mut Bench) -> Option<Event> {
    let generation = bench.rollout.timer.generation;
    let refusal = || fault::Outcome::NotApplied { fault: Fault::permanent(Obstacle::AccessDenied, "no") };
    let throttled = || fault::Outcome::NotApplied { fault: Fault::transient("Rate exceeded") };
    Some(match fact {
        Fact::Tick => Event::Tick,
        Fact::WakeUp => Event::WakeUp { generation },
        Fact::WakeUpOld => Event::WakeUp { generation: generation.wrapping_sub(1) },
        Fact::Knock => Event::Knock { what: "ECS Service Action".into() },
        Fact::Unplaced => Event::Unplaced {
            service: bench.rollout.baseline.canary.service.clone(),
            reason: "RESOURCE:FARGATE".into(),
        },
        Fact::TaskRuns => task(bench, false),
        Fact::TaskOfStable => task(bench, true),
        Fact::AlarmRings => ring(bench, alarm(), AlarmState::Alarm),
        Fact::AlarmCalms => ring(bench, alarm(), AlarmState::Ok),
        Fact::AlarmForeign => ring(bench, AlarmArn::new("arn:another"), AlarmState::Alarm),
        Fact::LookWell => looked(bench, |_| {}),
        Fact::LookOld => {
            let mut seen = look(&bench.rollout, bench.tasks, bench.weight, bench.now());
            seen.generation = bench.rollout.answered;
            Event::Observed(Box::new(seen))
        }
        Fact::LookUnknown => looked(bench, |seen| {
            let fault = || Fault::transient("Rate exceeded");
            (seen.stable, seen.canary) = (Read::Unknown(fault()), Read::Unknown(fault()));
            (seen.stable_health, seen.canary_health) = (Read::Unknown(fault()), Read::Unknown(fault()));
            (seen.rules, seen.alarms) = (Read::Unknown(fault()), Read::Unknown(fault()));
        }),
        Fact::LookNoTargets => looked(bench, |seen| seen.canary_health = Read::Is(Health::default())),
        Fact::LookEdited => looked(bench, |seen| {
            seen.rules = Read::Is(vec![rule(Weight::per_mille(333).expect("a share"))]);
        }),
        Fact::LookAlarm => looked(bench, |seen| {
            if let Read::Is(alarms) = &mut seen.alarms {
                alarms.insert("checkout-5xx".into(), AlarmState::Alarm);
            }
        }),
        Fact::WriteApplied => answered(bench, fault::Outcome::Applied)?,
        Fact::WriteUnknown => answered(bench, fault::Outcome::Unknown { why: "timed out".into() })?,
        Fact::WriteThrottled => answered(bench, throttled())?,
        Fact::WriteRefused => answered(bench, refusal())?,
        Fact::WriteOld => Event::Performed { token: 0, outcome: fault::Outcome::Applied },
        Fact::MeasuredGood => measured(bench, Found::Value { value: 0.0, samples: 100 })?,
        Fact::MeasuredBad => measured(bench, Found::Value { value: 0.5, samples: 100 })?,
        Fact::MeasuredNothing => measured(bench, Found::NoData)?,
        Fact::MeasuredOld => Event::Measured(Measured { run: u64::MAX, generation: 0, readings: vec![] }),
        Fact::Promote => said(bench, Verb::Promote, 0),
        Fact::PromoteStale => said(bench, Verb::Promote, 1),
        Fact::PromoteFull => said(bench, Verb::PromoteFull, 0),
        Fact::Pause => said(bench, Verb::Pause, 0),
        Fact::Resume => said(bench, Verb::Resume, 0),
        Fact::Abort => said(bench, Verb::Abort, 0),
        Fact::Asked => asked(bench),
    })
}

fn task(bench: &Bench, of_stable: bool) -> Event {
    let baseline = &bench.rollout.baseline;
    let side = if of_stable { &baseline.stable } else { &baseline.canary };
    Event::Task(TaskChange {
        task: TaskArn::new("task-1"),
        service: side.service.clone(),
        version: 1,
        started_by: None,
        last_status: "RUNNING".into(),
        desired_status: "RUNNING".into(),
        stop_code: None,
        stopped_reason: None,
        containers: vec![],
    })
}

fn ring(bench: &Bench, alarm: AlarmArn, state: AlarmState) -> Event {
    Event::Alarm(AlarmChange { alarm, state, at: bench.now().at })
}

/// The answer to a look that is asked for now.
fn looked(bench: &Bench, bend: impl Fn(&mut Observation)) -> Event {
    let mut seen = look(&bench.rollout, bench.tasks, bench.weight, bench.now());
    seen.generation = bench.rollout.generation + 1;
    bend(&mut seen);
    Event::Observed(Box::new(seen))
}

/// The answer to the write in the air.
fn answered(bench: &Bench, outcome: fault::Outcome) -> Option<Event> {
    let token = bench.rollout.in_flight.as_ref()?.token;
    Some(Event::Performed { token, outcome })
}

/// The answer to the question that the analysis asks next.
fn measured(bench: &mut Bench, found: Found) -> Option<Event> {
    let StepState::Judging { run } = &mut bench.rollout.step else { return None };
    let from = run.tallies.first()?.next_from;
    let reading = Reading { metric: "errors".into(), from, to: from + seconds(60), found };
    let generation = 7;
    run.asked = Some(generation);
    Some(Event::Measured(Measured { run: run.run, generation, readings: vec![reading] }))
}

fn said(bench: &Bench, verb: Verb, ahead: usize) -> Event {
    let expected_step = Some(bench.rollout.cursor + ahead);
    Event::Command(Command { verb, expected_step, by: "arn:me".into() })
}

fn asked(bench: &mut Bench) -> Event {
    bench.rollout.spec.others.on_new_revision = OnNewRevision::Supersede;
    let request = StartRequest {
        key: "key".into(),
        spec: String::new(),
        task_definition: None,
        by: "arn:me".into(),
        asked_at: bench.now().at,
        manner: Manner::default(),
    };
    Event::Successor(Box::new(Successor::Asked { request, revision: "task-definition/checkout:3".into() }))
}
