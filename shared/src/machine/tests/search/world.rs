//! The small world: what it consists of, what may happen next, and what comes of it.

use jiff::{SignedDuration, Timestamp};

use super::{check, per_cent};
use crate::fault::{Fault, Outcome};
use crate::machine::Now;
use crate::machine::effect::{Effect, Write};
use crate::machine::event::{Command, Event, Verb};
use crate::machine::step;
use crate::observation::{Health, Observation, Read};
use crate::plan::Step;
use crate::rollout::Rollout;
use crate::test_support::{at, begin, look, revision, seconds};
use crate::weight::Weight;

/// Processes at work at once.
const PROCESSES_MAX: usize = 2;
/// Stable's tasks.
const STABLE: u32 = 4;
/// A call may take so long: a performer with less left of its lease does not begin.
const OPERATION: SignedDuration = SignedDuration::from_secs(10);
/// How often the sweep runs.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);

/// How often each kind of ill may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ill {
    pub duplicates: u8,
    pub crashes: u8,
    pub edits: u8,
    pub aborts: u8,
    /// Calls of which nobody learns whether they were applied, or that the network delivers twice.
    pub time_outs: u8,
}

/// Everything there is at one moment.
#[derive(Debug, Clone)]
pub struct Place {
    pub now: Timestamp,
    pub stored: Rollout,
    pub live: Live,
    pub mail: Vec<Mail>,
    pub processes: Vec<Process>,
    pub left: Ill,
    /// Whether somebody else ever had a hand on it.
    pub was_edited: bool,
}

/// What AWS has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The canary's share on the one rule.
    pub weight: Weight,
    pub canary_tasks: u32,
    pub deployed: bool,
    pub stable_tasks: u32,
    /// Whether somebody else wrote the weight last.
    pub edited: bool,
}

/// A message under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    WakeUp { at: Timestamp, generation: u64 },
    Abort,
}

/// An invocation: what it holds in its head, all of which is lost when it dies.
#[derive(Debug, Clone)]
pub struct Process {
    /// What woke it, delivered again if it dies.
    pub cause: Option<Mail>,
    pub stage: Stage,
}

#[derive(Debug, Clone)]
pub enum Stage {
    /// It has events to fold.
    Folding(Vec<Event>),
    /// It performs effects, in order; the answers so far are not folded yet.
    Performing { effects: Vec<Effect>, answers: Vec<Event> },
    /// It checked that the lever is its own, and pulls.
    Pulling { token: u64, write: Write, effects: Vec<Effect>, answers: Vec<Event> },
}

/// What may happen next. Numbers are positions in the mail or among the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// For the report of a breach that needs no act.
    Nothing,
    Deliver(usize),
    DeliverTwice(usize),
    Sweep,
    Proceed(usize),
    Crash(usize),
    /// It wrote home, and died before that was durable.
    CrashHavingWrittenHome(usize),
    /// The call is applied, and no answer comes.
    TimeOutApplied(usize),
    /// The call is lost, and no answer comes.
    TimeOutLost(usize),
    /// The call is applied twice, and answered.
    ProceedTwice(usize),
    Edit,
    SayAbort,
    Wait,
}

impl Place {
    pub fn first(left: Ill) -> Self {
        let steps = vec![
            Step::Deploy { tasks: 2 },
            Step::SetWeight { canary: per_cent(50), needs: 1 },
            Step::SetWeight { canary: per_cent(100), needs: 2 },
            Step::Bake { duration: seconds(60) },
            Step::Promote,
            Step::CleanUp { delay: seconds(0) },
        ];
        let live = Live { weight: Weight::ZERO, canary_tasks: 0, deployed: false, stable_tasks: STABLE, edited: false };
        Self { now: at(0).at, stored: begin(steps), live, mail: vec![], processes: vec![], left, was_edited: false }
    }

    fn time(&self) -> Now {
        Now { at: self.now, rate: 1 }
    }

    /// What may happen now.
    pub fn acts(&self) -> Vec<Act> {
        let mut acts = vec![];
        let room = self.processes.len() < PROCESSES_MAX;
        for (index, mail) in self.mail.iter().enumerate() {
            if room && self.is_due(mail) {
                acts.push(Act::Deliver(index));
                if self.left.duplicates > 0 {
                    acts.push(Act::DeliverTwice(index));
                }
            }
        }
        // Beside others at work, a sweep is one knock more than there need be.
        let idle = self.processes.is_empty();
        if room && !self.stored.is_finished() && (idle && self.calm() == Some(Act::Sweep) || self.left.duplicates > 0) {
            acts.push(Act::Sweep);
        }
        for (index, process) in self.processes.iter().enumerate() {
            acts.push(Act::Proceed(index));
            if self.left.crashes > 0 {
                acts.push(Act::Crash(index));
                if let Stage::Folding(events) = &process.stage
                    && self.writes_home(events).is_some()
                {
                    acts.push(Act::CrashHavingWrittenHome(index));
                }
            }
        }
        let pulling = |process: &Process| matches!(process.stage, Stage::Pulling { .. });
        for (index, _) in self.processes.iter().enumerate().filter(|(_, process)| pulling(process)) {
            if self.left.time_outs > 0 {
                acts.extend([Act::TimeOutApplied(index), Act::TimeOutLost(index), Act::ProceedTwice(index)]);
            }
        }
        if self.left.edits > 0 && !self.stored.is_finished() {
            acts.push(Act::Edit);
        }
        if self.left.aborts > 0 && !self.stored.is_finished() {
            acts.push(Act::SayAbort);
        }
        // Work takes no time and mail is not late, unless somebody freezes them. A call that has begun ends within its time-out, which is
        // shorter than any wait.
        if !self.processes.iter().any(pulling)
            && !self.stored.is_finished()
            && (self.is_quiet() || self.left.crashes > 0)
        {
            acts.push(Act::Wait);
        }
        acts
    }

    /// What happens next if nobody means ill: work is finished, mail is delivered, time passes. `None` at the end.
    pub fn calm(&self) -> Option<Act> {
        if !self.processes.is_empty() {
            return Some(Act::Proceed(0));
        }
        if let Some(index) = self.mail.iter().position(|mail| self.is_due(mail)) {
            return Some(Act::Deliver(index));
        }
        let report = crate::machine::report(&self.stored, self.time());
        if self.stored.is_finished() || report.needs_person {
            return None;
        }
        Some(match crate::machine::next_wake_up(&self.stored) {
            // A chain that was lost is made up for by the sweep.
            Some(due) if due <= self.now => Act::Sweep,
            Some(_) | None => Act::Wait,
        })
    }

    /// Whether there is nothing to do but to let time pass.
    fn is_quiet(&self) -> bool {
        self.calm() == Some(Act::Wait)
    }

    fn is_due(&self, mail: &Mail) -> bool {
        match mail {
            Mail::WakeUp { at, .. } => *at <= self.now,
            Mail::Abort => true,
        }
    }

    /// What comes of an act; a breach of what must hold is an error.
    pub fn after(&self, act: Act) -> Result<Self, String> {
        let mut place = self.clone();
        match act {
            Act::Nothing => {}
            Act::Deliver(index) => {
                let mail = place.mail.remove(index);
                place.wake(mail);
            }
            Act::DeliverTwice(index) => {
                place.left.duplicates -= 1;
                place.wake(self.mail[index].clone());
            }
            Act::Sweep => {
                if self.calm() != Some(Act::Sweep) {
                    place.left.duplicates -= 1;
                }
                place.processes.push(Process { cause: None, stage: Stage::Folding(vec![Event::Tick]) });
            }
            Act::Proceed(index) => place.proceed(index)?,
            Act::Crash(index) => {
                place.left.crashes -= 1;
                place.die(index);
            }
            Act::CrashHavingWrittenHome(index) => {
                place.left.crashes -= 1;
                if let Stage::Folding(events) = &self.processes[index].stage
                    && let Some(write) = self.writes_home(events)
                {
                    place.pull(&write)?;
                }
                place.die(index);
            }
            Act::TimeOutApplied(index) => {
                place.left.time_outs -= 1;
                if let Stage::Pulling { write, .. } = &self.processes[index].stage {
                    place.pull(write)?;
                }
                place.answer(index, Outcome::Unknown { why: "timed out".into() });
            }
            Act::TimeOutLost(index) => {
                place.left.time_outs -= 1;
                place.answer(index, Outcome::Unknown { why: "timed out".into() });
            }
            Act::ProceedTwice(index) => {
                place.left.time_outs -= 1;
                if let Stage::Pulling { write, .. } = &self.processes[index].stage {
                    place.pull(write)?;
                }
                place.proceed(index)?;
            }
            Act::Edit => {
                place.left.edits -= 1;
                place.live.weight = per_cent(30);
                place.live.edited = true;
                place.was_edited = true;
            }
            Act::SayAbort => {
                place.left.aborts -= 1;
                place.mail.push(Mail::Abort);
            }
            Act::Wait => {
                if !self.is_quiet() {
                    place.left.crashes -= 1;
                }
                place.wait();
            }
        }
        Ok(place)
    }

    fn wake(&mut self, mail: Mail) {
        let event = match &mail {
            Mail::WakeUp { generation, .. } => Event::WakeUp { generation: *generation },
            Mail::Abort => Event::Command(Command { verb: Verb::Abort, expected_step: None, by: "arn:me".into() }),
        };
        self.processes.push(Process { cause: Some(mail), stage: Stage::Folding(vec![event]) });
    }

    fn die(&mut self, index: usize) {
        let process = self.processes.remove(index);
        self.mail.extend(process.cause);
    }

    /// To the next message, the next thing that the record waits for, or the next sweep.
    fn wait(&mut self) {
        let mail = self.mail.iter().filter_map(|mail| match mail {
            Mail::WakeUp { at, .. } => Some(*at),
            Mail::Abort => None,
        });
        let due = mail.chain(crate::machine::next_wake_up(&self.stored)).filter(|at| *at > self.now).min();
        self.now = due.unwrap_or(self.now + SWEEP).min(self.now + SWEEP);
    }

    /// Ends the call that a process is at with this answer.
    fn answer(&mut self, index: usize, outcome: Outcome) {
        let process = &mut self.processes[index];
        if let Stage::Pulling { token, effects, answers, .. } = &mut process.stage {
            let (token, effects, mut answers) = (*token, std::mem::take(effects), std::mem::take(answers));
            answers.push(Event::Performed { token, outcome });
            process.stage = Stage::Performing { effects, answers };
        }
    }

    fn proceed(&mut self, index: usize) -> Result<(), String> {
        let Process { cause, stage } = self.processes.remove(index);
        let next = match stage {
            Stage::Folding(events) => self.fold(events)?,
            Stage::Performing { effects, answers } => self.perform(effects, answers)?,
            Stage::Pulling { token, write, effects, mut answers } => {
                self.pull(&write)?;
                answers.push(Event::Performed { token, outcome: Outcome::Applied });
                Some(Stage::Performing { effects, answers })
            }
        };
        if let Some(stage) = next {
            self.processes.insert(index.min(self.processes.len()), Process { cause, stage });
        }
        Ok(())
    }

    /// Loads, steps and commits: a commit that meets a newer version loads again, so the three are one.
    fn fold(&mut self, events: Vec<Event>) -> Result<Option<Stage>, String> {
        let after = step(self.stored.clone(), events, self.time());
        after.rollout.assert_valid()?;
        check::committed(&self.stored, &after.rollout)?;
        self.stored = after.rollout;
        let effects: Vec<Effect> =
            after.effects.into_iter().filter(|effect| !matches!(effect, Effect::Announce(_))).collect();
        Ok((!effects.is_empty()).then_some(Stage::Performing { effects, answers: vec![] }))
    }

    /// The write home that folding these events would send out with its commit.
    fn writes_home(&self, events: &[Event]) -> Option<Write> {
        let after = step(self.stored.clone(), events.to_vec(), self.time());
        after.effects.into_iter().find_map(|effect| match effect {
            Effect::Perform { write: write @ Write::GoHome { .. }, .. } => Some(write),
            Effect::Perform { .. }
            | Effect::Observe { .. }
            | Effect::Measure(_)
            | Effect::WakeAt { .. }
            | Effect::Announce(_) => None,
        })
    }

    fn perform(&mut self, mut effects: Vec<Effect>, mut answers: Vec<Event>) -> Result<Option<Stage>, String> {
        if effects.is_empty() {
            return Ok((!answers.is_empty()).then_some(Stage::Folding(answers)));
        }
        match effects.remove(0) {
            Effect::Observe { generation } => answers.push(Event::Observed(Box::new(self.observe(generation)))),
            Effect::WakeAt { at, generation } => self.mail.push(Mail::WakeUp { at, generation }),
            // The way home asks nobody.
            Effect::Perform { token, write: write @ Write::GoHome { .. } } => {
                return Ok(Some(Stage::Pulling { token, write, effects, answers }));
            }
            Effect::Perform { token, write } => match self.may(token, &write) {
                Ok(()) if self.live.edited && matches!(write, Write::SetWeights { .. }) => {
                    return Err("what somebody else wrote is overwritten on the way forward".to_owned());
                }
                Ok(()) => return Ok(Some(Stage::Pulling { token, write, effects, answers })),
                Err(why) => {
                    let outcome = Outcome::NotApplied { fault: Fault::conflict(why) };
                    answers.push(Event::Performed { token, outcome });
                }
            },
            Effect::Measure(_) | Effect::Announce(_) => return Err("the plan measures nothing".to_owned()),
        }
        Ok(Some(Stage::Performing { effects, answers }))
    }

    /// What the performer reads again just before it pulls.
    fn may(&self, token: u64, write: &Write) -> Result<(), &'static str> {
        let in_flight = self.stored.in_flight.as_ref().filter(|flight| flight.token == token);
        if in_flight.is_none_or(|flight| self.now + OPERATION >= flight.expires_at) {
            return Err("another write took the place of this one");
        }
        match write {
            Write::SetWeights { rules, .. } | Write::Preview { rules } | Write::OpenRoutes { rules } => {
                let live = crate::test_support::rule(self.live.weight).actions;
                let expected = rules.iter().all(|rule| rule.only_if.as_ref().is_none_or(|only| *only == live));
                expected.then_some(()).ok_or("the rule is not as it was")
            }
            Write::Scale { unless_weighted: Some(weighted), .. } => {
                let of_canary = weighted.group == self.stored.baseline.canary.group;
                let idle = if of_canary { Weight::ZERO } else { Weight::FULL };
                (self.live.weight == idle).then_some(()).ok_or("it still has weight")
            }
            Write::CreateRoutes { .. } | Write::DeleteRoutes { .. } => Ok(()),
            Write::Scale { unless_weighted: None, .. } | Write::Deploy { .. } | Write::GoHome { .. } => Ok(()),
        }
    }

    /// Changes the world.
    fn pull(&mut self, write: &Write) -> Result<(), String> {
        check::pulled(self, write)?;
        match write {
            Write::SetWeights { canary, .. } => (self.live.weight, self.live.edited) = (*canary, false),
            Write::GoHome { .. } => (self.live.weight, self.live.edited) = (Weight::ZERO, false),
            Write::Deploy { tasks, .. } => (self.live.canary_tasks, self.live.deployed) = (*tasks, true),
            Write::Scale { service, tasks, .. } if *service == self.stored.baseline.canary.service => {
                self.live.canary_tasks = *tasks;
            }
            Write::Scale { tasks, .. } => self.live.stable_tasks = *tasks,
            Write::Preview { .. }
            | Write::CreateRoutes { .. }
            | Write::OpenRoutes { .. }
            | Write::DeleteRoutes { .. } => return Err("the plan has neither preview nor header routes".to_owned()),
        }
        Ok(())
    }

    fn observe(&self, generation: u64) -> Observation {
        let mut seen = look(&self.stored, self.live.canary_tasks, self.live.weight, self.time());
        seen.generation = generation;
        if let Read::Is(canary) = &mut seen.canary
            && !self.live.deployed
        {
            canary.task_definition = revision(1);
        }
        if let Read::Is(stable) = &mut seen.stable {
            stable.desired = self.live.stable_tasks;
        }
        seen.stable_health = Read::Is(Health { healthy: self.live.stable_tasks, ..Health::default() });
        seen
    }
}
