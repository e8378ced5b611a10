//! The in-process door: the World behind the ports, virtual time, and the platform's deliveries, all on one thread.
//!
//! Nothing here waits: a run of an hour takes milliseconds, and the same seed gives the same run.

mod life;
mod ports;
mod routes;
mod store;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tidegate::api::{Answer, CommandRequest, Told};
use tidegate::driver::{self, Driver, Failed, Reach};
use tidegate::events::sqs::Record;
use tidegate::events::{Home, Message};
use tidegate::machine::effect::Announcement;
use tidegate::ports::{Clock, Queue};

use crate::chronicle;
use crate::world::World;
use life::Life;
pub use store::Keeping;
use store::Memory;

/// How long a function's invocation may take.
const INVOCATION: SignedDuration = SignedDuration::from_secs(30);
/// From an event's emission to the queue's consumer.
const DELIVERY: SignedDuration = SignedDuration::from_millis(300);
/// After it died, a process's batch is delivered again.
const VISIBILITY: SignedDuration = SignedDuration::from_secs(180);
/// After it died, an event that went straight to a function is delivered again.
const ASYNCHRONOUS_RETRY: SignedDuration = SignedDuration::from_secs(60);
/// How often the sweep runs.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);

/// The World with a controller in it.
pub struct InProcess {
    world: Mutex<World>,
    memory: Mutex<Memory>,
    mail: Mutex<Mail>,
    heard: Mutex<Vec<Announcement>>,
    life: Life,
    home: Home,
    /// Whether the sweep runs.
    pub sweeps: bool,
    /// Whether events arrive; without them and without the sweep, timers alone have to do.
    pub hears_events: bool,
}

/// Messages under way, by the time when they arrive and the order in which they were sent.
#[derive(Default)]
struct Mail {
    sent: u64,
    due: BTreeMap<(Timestamp, u64), (Destination, String)>,
    next_sweep: Option<Timestamp>,
}

#[derive(Clone, Copy)]
enum Destination {
    Controller,
    Analysis,
    Alarm,
}

impl InProcess {
    /// Puts a controller into a World that has been furnished.
    pub fn new(world: World) -> Self {
        let account = &world.config().account;
        let home = Home { account: account.id.clone(), region: account.region.clone() };
        Self {
            world: Mutex::new(world),
            memory: Mutex::default(),
            mail: Mutex::default(),
            heard: Mutex::default(),
            life: Life::default(),
            home,
            sweeps: true,
            hears_events: true,
        }
    }

    /// Keeps what is durable in another way; for a new one, before anything is stored.
    pub fn keeping(self, keeping: Keeping) -> Self {
        self.memory().keeping = keeping;
        self
    }

    /// Returns the World, for a test's own hand on it.
    ///
    /// # Panics
    /// If another thread panicked with it.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("one thread")
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("one thread")
    }

    /// Kills the controller once, right after so many more calls of the ports: the last one is carried out, and its
    /// answer is lost. What it had not finished is delivered again.
    pub fn kill_after(&self, calls: u32) {
        self.life.ends_after(calls);
    }

    /// Returns how many calls the ports have had.
    pub fn calls(&self) -> u32 {
        self.life.calls()
    }

    /// Returns what was announced since the last time, oldest first.
    ///
    /// # Panics
    /// If another thread panicked with it.
    pub fn take_heard(&self) -> Vec<Announcement> {
        std::mem::take(&mut *self.heard.lock().expect("one thread"))
    }

    /// Tells the World of a durable abort. No call takes time here, so none is allowed for.
    fn made_durable(&self, rollout: &tidegate::rollout::Rollout) {
        let mut world = self.world();
        let now = world.now();
        chronicle::tell(&mut world, rollout, now);
    }

    fn hear(&self, announcements: &[Announcement]) {
        self.heard.lock().expect("one thread").extend_from_slice(announcements);
    }

    fn put(&self, queue: Queue, body: String, delay: SignedDuration) {
        let destination = match queue {
            Queue::Commands | Queue::WakeUps => Destination::Controller,
            Queue::Analysis => Destination::Analysis,
        };
        self.post(destination, body, delay);
    }

    fn post(&self, destination: Destination, body: String, delay: SignedDuration) {
        let at = self.world().now() + delay;
        let mut mail = self.mail.lock().expect("one thread");
        mail.sent += 1;
        let order = mail.sent;
        mail.due.insert((at, order), (destination, body));
    }

    /// Carries out an operator's command, as the command function does.
    ///
    /// # Panics
    /// If a port fails: in process they do not, unless a test makes them.
    pub fn command(&self, request: &CommandRequest, by: &str) -> Answer {
        let driver = self.driver("command", Reach::WeightsHome);
        self.life.aside(|| at_once(driver::command(&driver, request, by))).expect("the ports answer")
    }

    /// Answers a question, as the query function does.
    ///
    /// # Panics
    /// If a port fails.
    pub fn ask(&self, ask: &tidegate::api::Ask) -> Told {
        self.life.aside(|| at_once(driver::ask(self, ask))).expect("the ports answer")
    }

    /// Puts a message into the controller's queue, as a redrive does.
    pub fn arrive(&self, message: &Message) {
        self.post(Destination::Controller, message.body(), DELIVERY);
    }

    /// Lets time pass: events, messages, sweeps, each in its turn.
    pub fn run_until(&self, end: Timestamp) {
        loop {
            self.collect_events();
            let next = self.next_due(end);
            self.world().advance_to(next);
            self.collect_events();
            self.deliver();
            if self.world().now() >= end && self.nothing_due(end) {
                return;
            }
        }
    }

    /// Lets so much time pass.
    pub fn run_for(&self, span: SignedDuration) {
        let end = self.world().now() + span;
        self.run_until(end);
    }

    fn next_due(&self, end: Timestamp) -> Timestamp {
        let now = self.world().now();
        let mut mail = self.mail.lock().expect("one thread");
        let sweep = *mail.next_sweep.get_or_insert(now + SWEEP);
        let message = mail.due.keys().next().map_or(end, |(at, _)| *at);
        let event = self.world().next_event_at().unwrap_or(end);
        end.min(sweep).min(message).min(event).max(now)
    }

    fn nothing_due(&self, end: Timestamp) -> bool {
        self.mail.lock().expect("one thread").due.keys().next().is_none_or(|(at, _)| *at > end)
    }

    /// Every event goes to the controller's queue; an alarm's goes straight to the alarm function, too.
    fn collect_events(&self) {
        let events = self.world().take_events();
        for event in events.into_iter().filter(|_| self.hears_events) {
            let body = event.json.to_string();
            if event.json["detail-type"] == "CloudWatch Alarm State Change" {
                self.post(Destination::Alarm, body.clone(), DELIVERY);
            }
            self.post(Destination::Controller, body, DELIVERY);
        }
    }

    fn deliver(&self) {
        let now = self.world().now();
        self.sweep(now);
        let mut arrived = Vec::new();
        {
            let mut mail = self.mail.lock().expect("one thread");
            while let Some(entry) = mail.due.first_entry().filter(|entry| entry.key().0 <= now) {
                arrived.push(entry.remove());
            }
        }
        let (mut controller, mut analysis) = (Vec::new(), Vec::new());
        for (index, (destination, body)) in arrived.into_iter().enumerate() {
            let record = Record { id: index.to_string(), body, receives: Some(1) };
            match destination {
                Destination::Controller => controller.push(record),
                Destination::Analysis => analysis.push(record),
                Destination::Alarm => self.ring(&record.body),
            }
        }
        if !controller.is_empty() {
            let driver = self.driver("controller", Reach::Everything);
            let batch = at_once(driver::batch(&driver, &self.home, controller.clone()));
            self.again(Destination::Controller, &controller, &batch.failed);
        }
        if !analysis.is_empty() {
            let batch = at_once(driver::measure(self, &self.home, analysis.clone()));
            self.again(Destination::Analysis, &analysis, &batch.failed);
        }
    }

    /// What failed because the process died is delivered again: one process after another, none dies twice.
    fn again(&self, destination: Destination, records: &[Record], failed: &[Failed]) {
        let died = self.life.is_over();
        assert!(failed.is_empty() || died, "nothing died, and yet these failed: {failed:?}");
        self.life.begins_anew();
        // A process that dies answers nothing: its whole batch comes again.
        for record in records.iter().filter(|_| died) {
            self.post(destination, record.body.clone(), VISIBILITY);
        }
    }

    fn ring(&self, body: &str) {
        let driver = self.driver("alarm", Reach::WeightsHome);
        let rung = at_once(driver::alarm(&driver, &self.home, body));
        assert!(rung.is_ok() || self.life.is_over(), "nothing died, and yet the alarm failed: {rung:?}");
        if self.life.is_over() {
            self.life.begins_anew();
            self.post(Destination::Alarm, body.to_owned(), ASYNCHRONOUS_RETRY);
        }
    }

    fn sweep(&self, now: Timestamp) {
        {
            let mut mail = self.mail.lock().expect("one thread");
            if mail.next_sweep.is_none_or(|at| at > now) {
                return;
            }
            mail.next_sweep = Some(now + SWEEP);
        }
        if self.sweeps {
            let swept = at_once(driver::sweep(self));
            assert!(swept.is_ok() || self.life.is_over(), "nothing died, and yet the sweep failed: {swept:?}");
            self.life.begins_anew();
        }
    }

    fn driver(&self, by: &'static str, reach: Reach) -> Driver<'_, Self> {
        Driver { ports: self, by, reach, until: self.now().at + INVOCATION }
    }
}

/// The ports answer at once, so every future is ready when it is first asked.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the in-process ports never wait")
}
