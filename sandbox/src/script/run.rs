//! Runs a scenario: `checkout` with four tasks, a controller, and the demo's spec.

use jiff::{SignedDuration, Timestamp};
use tidegate::api::{Answer, Ask, CommandRequest, Order, Told};
use tidegate::ids::RolloutId;
use tidegate::machine::effect::Announcement;
use tidegate::machine::report::Report;
use tidegate::rollout::Track;

use super::{Expectation, Instruction, Script};
use crate::inprocess::InProcess;
use crate::world::{Behaviour, Estate, SetAlarmState, World};

/// The spec that a script rolls out by.
const SPEC: &str = include_str!("../demo/checkout.yaml");
/// When every scenario begins.
const BEGINNING: &str = "2026-01-05T09:00:00Z";
/// `settle` gives up after this.
const PATIENCE: SignedDuration = SignedDuration::from_hours(2);
/// How long the answer to a start may take.
const ANSWER: SignedDuration = SignedDuration::from_secs(10);

/// A scenario that went as told.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// How much virtual time passed.
    pub took: SignedDuration,
    /// How many expectations held.
    pub held: usize,
}

/// A line that did not go as told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub struct Failed {
    /// From 1.
    pub line: usize,
    /// What the script says.
    pub expected: String,
    /// What is.
    pub found: String,
}

/// Where a scenario is.
struct Stage {
    estate: Estate,
    controller: InProcess,
    revision: Option<String>,
    rollout: Option<RolloutId>,
    last: Option<Answer>,
    keys: u32,
}

/// Runs a script; `hear` is told every transition as it happens.
pub fn run(script: &Script, seed: u64, mut hear: impl FnMut(&Announcement)) -> Result<Ran, Failed> {
    let mut stage = Stage::furnished(seed);
    let began = stage.controller.world().now();
    let mut held = 0;
    for (line, instruction) in &script.lines {
        let told = stage.play(instruction);
        stage.controller.take_heard().iter().for_each(&mut hear);
        told.map_err(|(expected, found)| Failed { line: *line, expected, found })?;
        held += usize::from(matches!(instruction, Instruction::Expect(_)));
    }
    let took = stage.controller.world().now().duration_since(began);
    Ok(Ran { took, held })
}

type Played = Result<(), (String, String)>;

impl Stage {
    fn furnished(seed: u64) -> Self {
        let beginning: Timestamp = BEGINNING.parse().expect("a time");
        let mut world = World::new(seed, beginning);
        let estate =
            Estate::of("checkout").tasks(4).requests_per_second(100.0).deregistration_delay(30).alarms_on_both();
        estate.build(&mut world).expect("the usual estate can be made");
        let controller = InProcess::new(world);
        Self { estate, controller, revision: None, rollout: None, last: None, keys: 0 }
    }

    fn play(&mut self, instruction: &Instruction) -> Played {
        match instruction {
            Instruction::Revision { error_share } => {
                let behaviour = Behaviour::failing(*error_share);
                let registered = self.estate.register_revision(&mut self.controller.world(), "next", behaviour);
                self.revision = Some(registered.map_err(|error| unexpected("a revision", &error))?);
                Ok(())
            }
            Instruction::Start => self.start(),
            Instruction::Advance(span) => {
                self.controller.run_for(*span);
                Ok(())
            }
            Instruction::Settle => self.settle(),
            Instruction::Alarm { name, state } => {
                let set = SetAlarmState {
                    alarm_name: name.clone(),
                    state_value: state.clone(),
                    state_reason: "the scenario".to_owned(),
                    state_reason_data: None,
                };
                self.controller.world().set_alarm_state(set).map_err(|error| unexpected("an alarm", &error))
            }
            Instruction::Verb(verb) => {
                let rollout = self.id()?;
                let order = Order::Verb { rollout, verb: *verb, expected_step: None };
                self.last = Some(self.order(order).1);
                Ok(())
            }
            Instruction::Kill { calls } => {
                self.controller.kill_after(*calls);
                Ok(())
            }
            Instruction::Expect(expectation) => self.expect(expectation),
        }
    }

    fn start(&mut self) -> Played {
        let task_definition = self.revision.clone();
        let (key, answer) = self.order(Order::Start { spec: SPEC.to_owned(), task_definition, track: Track::ByWindow });
        self.controller.run_for(ANSWER);
        let answer = match self.controller.ask(&Ask::Answer { key }) {
            Told::Answer { answer: Some(answer) } => answer,
            Told::Answer { answer: None }
            | Told::Rollout { .. }
            | Told::Rollouts { .. }
            | Told::Journal { .. }
            | Told::Plan { .. }
            | Told::Init { .. }
            | Told::NotFound { .. }
            | Told::Refused { .. } => answer,
        };
        if let Answer::Started { rollout } = &answer {
            self.rollout = Some(rollout.clone());
        }
        self.last = Some(answer);
        Ok(())
    }

    fn settle(&mut self) -> Played {
        let end = self.controller.world().now() + PATIENCE;
        loop {
            let report = self.report()?;
            if report.ended_at.is_some() || report.needs_person {
                return Ok(());
            }
            if self.controller.world().now() >= end {
                return Err(("it to settle within 2h".to_owned(), state_of(&report)));
            }
            self.controller.run_for(SignedDuration::from_secs(5));
        }
    }

    fn expect(&self, expectation: &Expectation) -> Played {
        let check = |holds: bool, expected: String, found: String| if holds { Ok(()) } else { Err((expected, found)) };
        match expectation {
            Expectation::Phase(phase) => {
                let report = self.report()?;
                check(report.phase == *phase, format!("phase {phase}"), state_of(&report))
            }
            Expectation::Weight(weight) => {
                let report = self.report()?;
                let holds = report.actual_weight.as_deref() == Some(weight);
                let found = report.actual_weight.as_deref().unwrap_or("unknown");
                check(holds, format!("weight {weight}"), format!("weight {found}; {}", state_of(&report)))
            }
            Expectation::Step(step) => {
                let report = self.report()?;
                let found = report.steps.get(report.step).map(|step| step.step.clone()).unwrap_or_default();
                check(found == *step, format!("step {step}"), format!("step {found}; {}", state_of(&report)))
            }
            Expectation::UserErrors(count) => {
                let errors = self.controller.world().user_errors();
                check(errors.total() == *count, format!("{count} user errors"), format!("{errors:?}"))
            }
            Expectation::Refused => {
                let refused = matches!(self.last, Some(Answer::Refused { .. }));
                check(refused, "the last command to be refused".to_owned(), format!("{:?}", self.last))
            }
        }
    }

    fn order(&mut self, order: Order) -> (String, Answer) {
        self.keys += 1;
        let key = format!("line-{}", self.keys);
        let request = CommandRequest { key: key.clone(), order };
        (key, self.controller.command(&request, "arn:aws:iam::123456789012:user/operator"))
    }

    fn id(&self) -> Result<RolloutId, (String, String)> {
        let none = || ("a rollout".to_owned(), format!("none; the last answer was {:?}", self.last));
        self.rollout.clone().ok_or_else(none)
    }

    fn report(&self) -> Result<Report, (String, String)> {
        let rollout = self.id()?;
        match self.controller.ask(&Ask::Get { rollout: rollout.to_string() }) {
            Told::Rollout { report } => Ok(*report),
            other @ (Told::Answer { .. }
            | Told::Rollouts { .. }
            | Told::Journal { .. }
            | Told::Plan { .. }
            | Told::Init { .. }
            | Told::NotFound { .. }
            | Told::Refused { .. }) => Err((format!("a report of {rollout}"), format!("{other:?}"))),
        }
    }
}

fn state_of(report: &Report) -> String {
    format!("phase {} ({})", report.phase, report.message)
}

fn unexpected(what: &str, error: &crate::world::ApiError) -> (String, String) {
    (what.to_owned(), error.to_string())
}
