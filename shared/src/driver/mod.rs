//! The workshop: load, step, commit, perform, and the answers back in as events.
//!
//! No path changes a rollout but `step` and `commit`, and none changes traffic or capacity but `perform`.

mod again;
mod discover;
mod door;
mod operator;
mod perform;
mod routes;
mod start;

use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};

pub use door::{Batch, Failed, alarm, batch, measure, sweep};
pub use operator::{ask, command};

use crate::api::{Answer, Refusal};
use crate::audit::AuditEntry;
use crate::events::Message;
use crate::fault::Fault;
use crate::ids::RolloutId;
use crate::machine::effect::{Effect, Write};
use crate::machine::event::{Event, Successor};
use crate::machine::{self, Outcome};
use crate::ports::{
    Announcer, Clock, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, WakeUps,
    Workload,
};
use crate::telemetry::{self, Metric};

/// Eight answers are enough for any step; more means that we argue with ourselves.
const TURNS_MAX: usize = 8;
/// Somebody else commits this often in a row only under attack; then redelivery tries again.
const CONFLICTS_MAX: usize = 8;
/// In transport time: no effect is begun with less than this left.
const LAST_CALL: SignedDuration = SignedDuration::from_secs(3);
/// In transport time: longer than any operation's time-out, so that a write begun within its lease ends within it.
const OPERATION: SignedDuration = SignedDuration::from_secs(10);

/// Everything that a rollout is driven through.
pub trait World: Workload + TrafficRouter + MetricProvider + RolloutStore + WakeUps + Announcer + Clock + Sync {}

impl<P> World for P where
    P: Workload + TrafficRouter + MetricProvider + RolloutStore + WakeUps + Announcer + Clock + Sync
{
}

/// Which effects a function performs itself; the others are handed on to the command queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything: the controller.
    Everything,
    /// Weights home, and nothing else: the alarm function, and a person's abort.
    WeightsHome,
}

/// One invocation of a function.
#[derive(Debug)]
pub struct Driver<'a, P> {
    /// The world.
    pub ports: &'a P,
    /// The function's name, for the journal.
    pub by: &'static str,
    /// What it may do itself.
    pub reach: Reach,
    /// In domain time: when the invocation ends.
    pub until: Timestamp,
}

/// What became of the events that a rollout was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// There is no such rollout.
    Unknown,
    /// The command had been carried out before.
    Repeated,
    /// One outcome per event.
    Taken(Vec<Outcome>),
}

/// An operator's command on its way: its idempotency key, kept with the commit that carries it out.
type Inbox<'a> = Option<&'a str>;

impl<P: World> Driver<'_, P> {
    /// Gives a rollout its events, and performs what follows until nothing does, or time is up.
    pub async fn give(&self, id: &RolloutId, events: Vec<Event>, inbox: Inbox<'_>) -> Result<Given, Fault> {
        let Some(mut stored) = self.ports.load(id).await? else { return Ok(Given::Unknown) };
        let asked = events.first().cloned();
        let mut inputs = events;
        let mut inbox = inbox;
        let mut given = None;
        let mut unsent = None;
        let (mut turns, mut conflicts) = (0, 0);
        loop {
            if turns == TURNS_MAX {
                tracing::warn!(rollout.id = %id, "Turns are used up; answers go on through the queue");
                self.hand_on_events(id, inputs).await?;
                break;
            }
            let now = self.ports.now();
            let step = machine::step(stored.rollout.clone(), inputs.clone(), now);
            if given.is_none() {
                given = Some(step.outcomes.clone());
            }
            let idle = step.rollout == stored.rollout && step.effects.is_empty();
            if idle && (step.rollout.is_finished() || !somebody_asked(&inputs)) {
                break;
            }
            let effects = self.safe(&step, id);
            let entry = AuditEntry {
                rollout: id.clone(),
                sequence: stored.version + 1,
                previous: stored.head.clone(),
                now: now.at,
                by: self.by.to_owned(),
                inputs: inputs.clone(),
                outcome: sentence(&step.outcomes),
                effects: effects.clone(),
            };
            let answer = inbox.and_then(|key| Some((key, answer(id, inputs.first(), step.outcomes.first()?))));
            let commit = Commit {
                rollout: &step.rollout,
                entry: &entry,
                inbox: answer.as_ref().map(|(key, answer)| (*key, answer)),
                ends: step.rollout.is_finished() && !stored.rollout.is_finished(),
            };
            // The way home goes out with the commit, not after it.
            let (committed, home) = join(self.ports.commit(commit), self.write_home(&effects)).await;
            match committed {
                Ok(head) => {
                    inbox = None;
                    for metric in telemetry::changes(Some(&stored.rollout), &step.rollout, now.at) {
                        telemetry::record(&metric, now.at);
                    }
                    stored = Stored { rollout: step.rollout, version: entry.sequence, head };
                }
                Err(CommitRefused::Repeated) => return Ok(Given::Repeated),
                Err(CommitRefused::Stale) => {
                    telemetry::record(&Metric::Overtaken, now.at);
                    conflicts += 1;
                    if conflicts > CONFLICTS_MAX && inbox.is_some() {
                        return Err(Fault::conflict(format!("{id}: others commit faster")));
                    }
                    if conflicts > CONFLICTS_MAX {
                        self.hand_on_events(id, inputs).await?;
                        break;
                    }
                    let Some(newer) = self.ports.load(id).await? else { return Ok(Given::Unknown) };
                    stored = newer;
                    // The events are judged again, by the state that stands.
                    given = None;
                    continue;
                }
                Err(busy @ CommitRefused::Busy { .. }) => return Err(Fault::conflict(busy.to_string())),
                Err(CommitRefused::Fault(fault)) => return Err(fault),
            }
            let performed = self.perform(&stored, effects).await;
            unsent = unsent.or(performed.unsent);
            inputs = home.into_iter().chain(performed.answers).collect();
            if inputs.is_empty() {
                break;
            }
            turns += 1;
        }
        // Whoever waited for its end is asked for until there is an answer, at every knock.
        if stored.rollout.is_finished()
            && let Some(next) = &stored.rollout.wishes.next
        {
            self.ports.send(Queue::Commands, &Message::Start(next.clone()), SignedDuration::ZERO).await?;
        }
        // What could not be sent is made up for by redelivery, once the answers are safe.
        if let Some(fault) = unsent {
            return Err(fault);
        }
        if let Some(key) = inbox
            && let Some(outcome) = given.as_ref().and_then(|outcomes| outcomes.first())
        {
            self.ports.record(key, &answer(id, asked.as_ref(), outcome)).await?;
        }
        Ok(Given::Taken(given.unwrap_or_default()))
    }

    /// A record that breaks its invariants does nothing any more, but for going home.
    fn safe(&self, step: &machine::Step, id: &RolloutId) -> Vec<Effect> {
        match step.rollout.assert_valid() {
            Ok(()) => step.effects.clone(),
            Err(broken) => {
                tracing::error!(rollout.id = %id, broken, "An invariant is broken: forward effects are frozen");
                let homeward = |effect: &&Effect| match effect {
                    Effect::Perform { write: Write::GoHome { .. }, .. } | Effect::Announce(_) => true,
                    Effect::WakeAt { .. } | Effect::Observe { .. } => true,
                    Effect::Perform { .. } | Effect::Measure(_) => false,
                };
                step.effects.iter().filter(homeward).cloned().collect()
            }
        }
    }

    /// Whether there is time to begin another effect.
    fn in_time(&self) -> bool {
        let now = self.ports.now();
        now.at + now.transport(LAST_CALL) < self.until
    }

    /// An answer that this invocation cannot fold any more must not be lost: a write without its answer holds the
    /// lever until its lease ends. A look is not handed on: it would be old, and the next one is cheap.
    async fn hand_on_events(&self, id: &RolloutId, events: Vec<Event>) -> Result<(), Fault> {
        for event in events.into_iter().filter(|event| !matches!(event, Event::Observed(_))) {
            let message = Message::Event { rollout: id.clone(), event };
            self.ports.send(Queue::Commands, &message, SignedDuration::ZERO).await?;
        }
        Ok(())
    }

    async fn hand_on(&self, id: &RolloutId, effects: Vec<Effect>) -> Result<(), Fault> {
        let message = Message::Effects { rollout: id.clone(), effects };
        let queue = match self.reach {
            Reach::WeightsHome => Queue::Commands,
            // Out of time: what is left goes behind what is urgent.
            Reach::Everything => Queue::WakeUps,
        };
        self.ports.send(queue, &message, SignedDuration::ZERO).await
    }
}

/// What a person asked for is in the journal whatever became of it.
fn somebody_asked(inputs: &[Event]) -> bool {
    inputs.iter().any(|input| match input {
        Event::Command(_) | Event::Successor(_) => true,
        Event::Tick
        | Event::WakeUp { .. }
        | Event::Knock { .. }
        | Event::Unplaced { .. }
        | Event::Task(_)
        | Event::Alarm(_)
        | Event::Observed(_)
        | Event::Performed { .. }
        | Event::Measured(_) => false,
    })
}

fn sentence(outcomes: &[Outcome]) -> String {
    let said = outcomes.iter().map(|outcome| match outcome {
        Outcome::Applied(what) | Outcome::NoOp(what) => what.clone(),
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
    });
    said.collect::<Vec<_>>().join("; ")
}

/// What an operator is answered.
fn answer(id: &RolloutId, asked: Option<&Event>, outcome: &Outcome) -> Answer {
    let kept = asked.and_then(|event| match event {
        Event::Successor(said) => match &**said {
            Successor::Asked { request, .. } => Some(request.key_after()),
            Successor::Answered { .. } => None,
        },
        Event::Tick
        | Event::WakeUp { .. }
        | Event::Knock { .. }
        | Event::Unplaced { .. }
        | Event::Task(_)
        | Event::Alarm(_)
        | Event::Observed(_)
        | Event::Performed { .. }
        | Event::Measured(_)
        | Event::Command(_) => None,
    });
    match outcome {
        Outcome::Applied(message) => match kept {
            Some(key) => Answer::Queued { behind: id.clone(), key },
            None => Answer::Done { rollout: id.clone(), message: message.clone() },
        },
        Outcome::NoOp(message) => Answer::NoOp { message: message.clone() },
        Outcome::Refused(refusal) => Answer::Refused { refusals: vec![refusal.clone()] },
    }
}

/// One refusal of a start for each thing that is wrong with a spec.
fn refuse(why: impl Into<String>, hint: impl Into<String>) -> Answer {
    Answer::Refused { refusals: vec![Refusal::new(why, hint)] }
}
