//! Messages under way, and what happens to them there.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::dice::Dice;
use super::faults::Fault;

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
    /// A start: it is not this simulator's to lose.
    Start,
    /// A delivery that failed, or something that is made up: it comes as it is.
    Again,
}

/// The most that a message is held up.
const HELD_UP_MILLIS: u64 = 4_000;
/// One in so many of those is held up for long.
const FOR_LONG: u64 = 8;
/// The most that a message is held up for long: it may come after the end.
const LONG_MILLIS: u64 = 2 * 3_600_000;
/// A copy comes so much later at most.
const COPY_MILLIS: u64 = 120_000;
/// A timer that comes early does so by this at most.
const EARLY_MILLIS: u64 = 60_000;

/// Messages by the time when they arrive and the order in which they were sent.
#[derive(Debug, Default)]
pub struct Mail {
    sent: u64,
    due: BTreeMap<(Timestamp, u64), (Destination, String)>,
    /// Some that were delivered, to be delivered again long after.
    pub kept: Vec<(Destination, String)>,
}

impl Mail {
    /// Takes a message in, loses it, repeats it, holds it up.
    pub fn post(&mut self, class: Class, to: Destination, body: &str, at: Timestamp, now: Timestamp, dice: &mut Dice) {
        let mut strikes = |fault| dice.strikes(fault, now);
        let mut at = at;
        match class {
            Class::Start | Class::Again => {}
            Class::Event => {
                if strikes(Fault::LostEvent).is_some() {
                    return;
                }
                if let Some(mut chance) = strikes(Fault::DoubledEvent) {
                    for _ in 0..=chance.below(4) {
                        let later = chance.below(COPY_MILLIS);
                        self.put(to, body, at + millis(later));
                    }
                }
                if let Some(mut chance) = strikes(Fault::LateEvent) {
                    at += held_up(&mut chance);
                }
                if to == Destination::Alarm && strikes(Fault::AsyncRetry).is_some() {
                    self.put(to, body, at + SignedDuration::from_mins(1));
                    self.put(to, body, at + SignedDuration::from_mins(3));
                }
            }
            Class::Message => {
                if strikes(Fault::LostMessage).is_some() {
                    return;
                }
                if let Some(mut chance) = strikes(Fault::LateEvent) {
                    at += held_up(&mut chance);
                }
            }
            Class::WakeUp => {
                if strikes(Fault::LostTimer).is_some() {
                    return;
                }
                if let Some(mut chance) = strikes(Fault::DoubledTimer) {
                    let later = chance.below(COPY_MILLIS);
                    self.put(to, body, at + millis(later));
                }
                if let Some(mut chance) = strikes(Fault::LateTimer) {
                    at += held_up(&mut chance);
                }
                if let Some(mut chance) = strikes(Fault::EarlyTimer) {
                    at = (at - millis(chance.below(EARLY_MILLIS))).max(now);
                }
            }
        }
        self.put(to, body, at);
    }

    fn put(&mut self, to: Destination, body: &str, at: Timestamp) {
        self.sent += 1;
        if self.sent.is_multiple_of(13) && self.kept.len() < 8 && to != Destination::Analysis {
            self.kept.push((to, body.to_owned()));
        }
        self.due.insert((at, self.sent), (to, body.to_owned()));
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

fn held_up(chance: &mut crate::world::Rng) -> SignedDuration {
    let most = if chance.below(FOR_LONG) == 0 { LONG_MILLIS } else { HELD_UP_MILLIS };
    millis(chance.below(most))
}

fn millis(millis: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0))
}
