//! Messages under way, and what happens to them there.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sandbox::world::Rng;

use super::mask::Mask;

/// Who gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The controller's queues.
    Controller,
    /// The analysis queue.
    Analysis,
    /// The alarm function.
    Alarm,
}

/// What a message is, for what may happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An event of AWS.
    Event,
    /// A delayed message.
    WakeUp,
    /// Anything else on our own queues.
    Message,
    /// A start: it is not this adversary's to lose.
    Start,
    /// A delivery that failed: it comes as it is.
    Again,
}

/// Messages by the time when they arrive and the order in which they were sent.
#[derive(Debug, Default)]
pub struct Mail {
    sent: u64,
    due: BTreeMap<(Timestamp, u64), (Destination, String)>,
}

impl Mail {
    /// Takes a message in, loses it, repeats it, holds it up.
    pub fn post(&mut self, class: Class, to: Destination, body: &str, at: Timestamp, mask: Mask, chance: &mut Rng) {
        let lost = match class {
            Class::Event => 0.15,
            Class::WakeUp => 0.1,
            Class::Message => 0.05,
            Class::Start | Class::Again => 0.0,
        };
        if mask.loses && chance.chance(lost) {
            return;
        }
        let copies = if mask.repeats && chance.chance(0.2) { 1 + chance.below(3) } else { 1 };
        for copy in 0..copies {
            let more = if copy > 0 { 120_000 } else { 4_000 };
            let late = (mask.delays && chance.chance(0.3)) || copy > 0;
            let held_up = if late { i64::try_from(chance.below(more)).unwrap_or(0) } else { 0 };
            self.sent += 1;
            self.due.insert((at + SignedDuration::from_millis(held_up), self.sent), (to, body.to_owned()));
        }
    }

    /// Takes what has arrived, oldest first.
    pub fn arrived(&mut self, now: Timestamp) -> Vec<(Destination, String)> {
        let mut arrived = Vec::new();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            arrived.push(entry.remove());
        }
        arrived
    }

    /// When the next message arrives.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }
}
