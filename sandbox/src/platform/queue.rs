//! SQS standard queues: delay in domain time, visibility in transport time, redrive after too many receives.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::clock::VirtualClock;
use super::template::Queue;

/// All queues of the stack, by ARN.
#[derive(Debug)]
pub struct Queues {
    clock: VirtualClock,
    queues: BTreeMap<String, QueueState>,
}

#[derive(Debug)]
struct QueueState {
    definition: Queue,
    messages: Mutex<Vec<Message>>,
    /// Something was sent, or became visible out of turn.
    changed: Notify,
}

/// A message attribute, as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    pub data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Base64, as the JSON protocol carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// What is sent.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub body: String,
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// In place of the queue's own delay.
    pub delay: Option<SignedDuration>,
    /// The sender's unique id.
    pub sender: String,
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub attributes: BTreeMap<String, MessageAttribute>,
    pub sender: String,
    /// Virtual time.
    pub sent_at: Timestamp,
    /// Virtual time.
    pub due_at: Timestamp,
    /// Virtual time.
    pub first_received_at: Option<Timestamp>,
    pub receives: u32,
    /// The handle of the last receive.
    pub receipt: String,
    /// Wall time until which the last receive hides it.
    hidden_until: Option<Instant>,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    pub visible: usize,
    pub delayed: usize,
    pub in_flight: usize,
}

impl Queues {
    pub fn new(clock: VirtualClock, definitions: &[Queue]) -> Self {
        let state = |definition: &Queue| QueueState {
            definition: definition.clone(),
            messages: Mutex::default(),
            changed: Notify::new(),
        };
        Self { clock, queues: definitions.iter().map(|d| (d.arn.clone(), state(d))).collect() }
    }

    /// The definition of a queue.
    pub fn definition(&self, arn: &str) -> Option<&Queue> {
        self.queues.get(arn).map(|state| &state.definition)
    }

    /// All queues, as the template defines them.
    pub fn definitions(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values().map(|state| &state.definition)
    }

    /// Puts a message into a queue and returns its id; `None` if there is no such queue.
    pub fn send(&self, arn: &str, id: String, outgoing: Outgoing) -> Option<String> {
        let state = self.queues.get(arn)?;
        let now = self.clock.now();
        let delay = outgoing.delay.unwrap_or(state.definition.delay);
        let message = Message {
            id: id.clone(),
            body: outgoing.body,
            attributes: outgoing.attributes,
            sender: outgoing.sender,
            sent_at: now,
            due_at: now + delay,
            first_received_at: None,
            receives: 0,
            receipt: String::new(),
            hidden_until: None,
        };
        state.lock().push(message);
        state.changed.notify_waiters();
        Some(id)
    }

    /// Receives up to `max` messages and hides them for `visibility`, or as long
    /// as the queue says. A message that was received too often goes to the
    /// dead-letter queue in place of being received.
    pub fn receive(&self, arn: &str, max: usize, visibility: Option<Duration>) -> Vec<Message> {
        let Some(state) = self.queues.get(arn) else {
            return Vec::new();
        };
        let (now, wall) = (self.clock.now(), Instant::now());
        let hide = visibility.unwrap_or(state.definition.visibility);
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        {
            let mut messages = state.lock();
            messages.retain(|m| now.duration_since(m.sent_at) < state.definition.retention);
            let mut index = 0;
            while index < messages.len() && received.len() < max {
                let message = &mut messages[index];
                if !message.is_visible(now, wall) {
                    index += 1;
                    continue;
                }
                let exhausted = state.definition.redrive.as_ref().filter(|r| message.receives >= r.receives_max);
                if let Some(redrive) = exhausted {
                    dead.push((redrive.to.clone(), messages.remove(index)));
                    continue;
                }
                message.receives += 1;
                message.first_received_at.get_or_insert(now);
                message.receipt = format!("{}#{}", message.id, message.receives);
                message.hidden_until = Some(wall + hide);
                received.push(message.clone());
                index += 1;
            }
        }
        for (to, message) in dead {
            self.put_aside(&to, message);
        }
        received
    }

    /// Deletes the message of a receipt; a receipt of an earlier receive counts too, as in AWS.
    pub fn delete(&self, arn: &str, receipt: &str) {
        if let Some(state) = self.queues.get(arn) {
            state.lock().retain(|m| Some(m.id.as_str()) != receipt.split('#').next());
        }
    }

    /// Hides a received message for `visibility` from now; `false` if it is not in flight.
    pub fn change_visibility(&self, arn: &str, receipt: &str, visibility: Duration) -> bool {
        let Some(state) = self.queues.get(arn) else {
            return false;
        };
        let wall = Instant::now();
        let mut messages = state.lock();
        let in_flight = |m: &&mut Message| m.receipt == receipt && m.hidden_until.is_some_and(|until| until > wall);
        let found = messages.iter_mut().find(in_flight);
        let changed = found.map(|message| message.hidden_until = Some(wall + visibility)).is_some();
        drop(messages);
        state.changed.notify_waiters();
        changed
    }

    /// Waits until a message can be received.
    pub async fn ready(&self, arn: &str) {
        let Some(state) = self.queues.get(arn) else {
            return std::future::pending().await;
        };
        loop {
            let changed = state.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match state.next_visible(&self.clock) {
                Some(at) if at <= Instant::now() => return,
                Some(at) => {
                    tokio::select! {
                        () = &mut changed => {}
                        () = tokio::time::sleep_until(at.into()) => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    pub fn depth(&self, arn: &str) -> Depth {
        let (now, wall) = (self.clock.now(), Instant::now());
        let mut depth = Depth::default();
        if let Some(state) = self.queues.get(arn) {
            for message in state.lock().iter() {
                if message.is_visible(now, wall) {
                    depth.visible += 1;
                } else if message.due_at > now {
                    depth.delayed += 1;
                } else {
                    depth.in_flight += 1;
                }
            }
        }
        depth
    }

    /// Lets every visibility timeout of a queue end now: whoever tests redelivery need not wait for minutes of wall time.
    pub fn hurry(&self, arn: &str) {
        if let Some(state) = self.queues.get(arn) {
            state.lock().iter_mut().for_each(|message| message.hidden_until = None);
            state.changed.notify_waiters();
        }
    }

    /// Everything in a queue, as a test or a person may look at it; nothing is received.
    pub fn peek(&self, arn: &str) -> Vec<Message> {
        self.queues.get(arn).map(|state| state.lock().clone()).unwrap_or_default()
    }

    fn put_aside(&self, to: &str, message: Message) {
        if let Some(state) = self.queues.get(to) {
            state.lock().push(Message { hidden_until: None, receipt: String::new(), ..message });
            state.changed.notify_waiters();
        }
    }
}

impl QueueState {
    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall moment at which the next message can be received.
    fn next_visible(&self, clock: &VirtualClock) -> Option<Instant> {
        let moment = |m: &Message| {
            let due = clock.instant_of(m.due_at);
            m.hidden_until.map_or(due, |hidden| hidden.max(due))
        };
        self.lock().iter().map(moment).min()
    }
}

impl Message {
    fn is_visible(&self, now: Timestamp, wall: Instant) -> bool {
        self.due_at <= now && self.hidden_until.is_none_or(|until| until <= wall)
    }
}

/// SQS's check sum of a body, in hexadecimal.
pub fn md5_of(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}

#[cfg(test)]
mod tests {
    use super::super::template::Redrive;
    use super::*;

    fn queue(name: &str, visibility: Duration, redrive: Option<Redrive>) -> Queue {
        Queue {
            id: name.into(),
            name: name.into(),
            arn: name.into(),
            url: name.into(),
            visibility,
            retention: SignedDuration::from_hours(24),
            delay: SignedDuration::ZERO,
            redrive,
            policies: Vec::new(),
        }
    }

    fn queues(rate: u32, visibility: Duration) -> Queues {
        let redrive = Redrive { to: "dead".into(), receives_max: 2 };
        let clock = VirtualClock::start("2026-01-05T09:00:00Z".parse().unwrap(), rate);
        Queues::new(clock, &[queue("q", visibility, Some(redrive)), queue("dead", visibility, None)])
    }

    fn body(text: &str) -> Outgoing {
        Outgoing { body: text.into(), ..Outgoing::default() }
    }

    #[test]
    fn a_received_message_is_hidden_until_it_is_deleted() {
        let queues = queues(1, Duration::from_secs(60));
        queues.send("q", "1".into(), body("a"));
        let received = queues.receive("q", 10, None);
        assert_eq!(received.len(), 1);
        assert_eq!(queues.receive("q", 10, None).len(), 0);
        assert_eq!(queues.depth("q"), Depth { in_flight: 1, ..Depth::default() });
        queues.delete("q", &received[0].receipt);
        assert_eq!(queues.depth("q"), Depth::default());
    }

    #[test]
    fn a_message_that_comes_back_too_often_is_put_aside() {
        let queues = queues(1, Duration::ZERO);
        queues.send("q", "1".into(), body("poison"));
        assert_eq!(queues.receive("q", 1, None)[0].receives, 1);
        assert_eq!(queues.receive("q", 1, None)[0].receives, 2);
        assert!(queues.receive("q", 1, None).is_empty());
        assert_eq!(queues.peek("dead")[0].body, "poison");
        assert!(queues.peek("q").is_empty());
    }

    #[tokio::test]
    async fn a_delay_is_domain_time() {
        let queues = queues(1000, Duration::from_secs(60));
        queues.send("q", "1".into(), Outgoing { delay: Some(SignedDuration::from_secs(100)), ..body("later") });
        assert_eq!(queues.depth("q").delayed, 1);
        let before = Instant::now();
        queues.ready("q").await;
        assert_eq!(queues.receive("q", 1, None).len(), 1);
        assert!(before.elapsed() < Duration::from_secs(50), "100 s of domain time are 0.1 s here");
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_a_send() {
        let queues = std::sync::Arc::new(queues(1, Duration::from_secs(60)));
        let waiting = tokio::spawn({
            let queues = queues.clone();
            async move { queues.ready("q").await }
        });
        tokio::task::yield_now().await;
        queues.send("q", "1".into(), body("a"));
        waiting.await.unwrap();
    }
}
