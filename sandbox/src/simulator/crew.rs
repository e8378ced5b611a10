//! Invocations that run at the same time: polled in any order, killed at any call, frozen, delivered again.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use tidegate::api::{Answer, CommandRequest};
use tidegate::driver::{self, Batch, Driver, Reach};
use tidegate::events::Home;
use tidegate::events::sqs::Record;
use tidegate::fault::Fault;

use super::checks::Check;
use super::faults::Fault as Trouble;
use super::mail::{Class, Destination};
use super::people;
use super::stage::Stage;

/// How long an invocation may take; then the platform ends it.
const INVOCATION: SignedDuration = SignedDuration::from_secs(30);
/// The same where there is hardly any: the driver begins nothing in the last three seconds of it.
const HURRIED: SignedDuration = SignedDuration::from_secs(4);
/// What a dead consumer had is delivered again after this time.
const VISIBILITY: SignedDuration = SignedDuration::from_secs(180);
/// An asynchronous invocation that failed is tried again after this time.
const ASYNCHRONOUS_RETRY: SignedDuration = SignedDuration::from_secs(60);
/// A person, or the CLI, tries again after this time.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// At most so many at the same time.
const CROWD: usize = 3;
/// A clock is wrong by this at most.
const SKEW_MILLIS: u64 = 5_000;
/// An invocation freezes for this at most: with more its own time-out ends it.
const FROZEN_MILLIS: u64 = 25_000;

/// What begins so is no event at all.
pub const POISON: &str = "{\"poison\":";

/// What an invocation was given.
#[derive(Debug, Clone)]
enum Task {
    Batch(Vec<String>),
    Analysis(Vec<String>),
    Alarm(String),
    Sweep,
    Command(CommandRequest),
}

enum Ended {
    Batch(Batch),
    Alarm(bool),
    Sweep,
    Command(Result<Answer, Fault>),
}

struct Invocation<'a> {
    task: Task,
    future: Pin<Box<dyn Future<Output = Ended> + 'a>>,
    until: Timestamp,
    frozen_until: Option<Timestamp>,
    number: u64,
    /// What its clock is wrong by.
    wrong: SignedDuration,
}

/// The invocations under way.
pub struct Crew<'a> {
    stage: &'a Stage,
    home: &'a Home,
    running: Vec<Invocation<'a>>,
    begun: u64,
    /// Commands to be said, and when.
    said: Vec<(Timestamp, CommandRequest)>,
    /// The answers to commands by key.
    pub answers: Vec<(String, Answer)>,
}

impl<'a> Crew<'a> {
    /// Nobody is at work.
    pub fn new(stage: &'a Stage, home: &'a Home) -> Self {
        Self { stage, home, running: Vec::new(), begun: 0, said: Vec::new(), answers: Vec::new() }
    }

    /// Whether nobody is at work.
    pub fn rests(&self) -> bool {
        self.running.is_empty()
    }

    /// Says a command now.
    pub fn say(&mut self, request: CommandRequest) {
        let now = self.stage.time();
        self.said.push((now, request));
    }

    /// When somebody next does something that is not on the way as a message.
    pub fn next_at(&self) -> Option<Timestamp> {
        let thawed = self.running.iter().filter_map(|invocation| invocation.frozen_until);
        self.said.iter().map(|(at, _)| *at).chain(thawed).min()
    }

    /// Takes what has arrived, where there is somebody to take it.
    pub fn take(&mut self) {
        let now = self.stage.time();
        for index in (0..self.said.len()).rev() {
            if self.said[index].0 <= now {
                let (_, request) = self.said.remove(index);
                self.begin(Task::Command(request));
            }
        }
        if self.running.len() >= CROWD {
            return;
        }
        let arrived = self.stage.mail().arrived(now);
        let (mut controller, mut analysis) = (Vec::new(), Vec::new());
        for (destination, body) in arrived {
            match destination {
                Destination::Controller => controller.push(body),
                Destination::Analysis => analysis.push(body),
                Destination::Alarm => self.begin(Task::Alarm(body)),
            }
        }
        if controller.len() > 1 && self.stage.strikes(Trouble::TwoAtOnce).is_some() {
            let half = controller.split_off(controller.len() / 2);
            self.begin(Task::Batch(half));
        }
        if !controller.is_empty() && self.stage.strikes(Trouble::Redelivery).is_some() {
            self.begin(Task::Batch(controller.clone()));
        }
        if !controller.is_empty() {
            self.begin(Task::Batch(controller));
        }
        if !analysis.is_empty() {
            self.begin(Task::Analysis(analysis));
        }
    }

    /// The sweep's turn.
    pub fn sweep(&mut self) {
        self.begin(Task::Sweep);
    }

    fn begin(&mut self, task: Task) {
        let (stage, home) = (self.stage, self.home);
        let hurried = stage.strikes(Trouble::Hurry).is_some();
        let until = stage.time() + if hurried { HURRIED } else { INVOCATION };
        let skewed = stage.strikes(Trouble::Skew).map_or(0, |mut chance| chance.below(2 * SKEW_MILLIS));
        let wrong = i64::try_from(skewed).unwrap_or(0) - if skewed > 0 { SKEW_MILLIS.cast_signed() } else { 0 };
        let wrong = SignedDuration::from_millis(wrong);
        let stage_now = stage.time();
        self.begun += 1;
        let number = self.begun;
        let driver = move |by, reach| Driver { ports: stage, by, reach, until };
        let given = task.clone();
        let future: Pin<Box<dyn Future<Output = Ended> + 'a>> = match given {
            Task::Batch(bodies) => Box::pin(async move {
                let driver = driver("controller", Reach::Everything);
                Ended::Batch(driver::batch(&driver, home, records(bodies)).await)
            }),
            Task::Analysis(bodies) => {
                Box::pin(async move { Ended::Batch(driver::measure(stage, home, records(bodies)).await) })
            }
            Task::Alarm(body) => Box::pin(async move {
                let driver = driver("alarm", Reach::WeightsHome);
                Ended::Alarm(driver::alarm(&driver, home, &body).await.is_ok())
            }),
            Task::Sweep => Box::pin(async move {
                // The next one comes in a minute, whatever became of this one.
                let _swept = driver::sweep(stage).await;
                Ended::Sweep
            }),
            Task::Command(request) => Box::pin(async move {
                let driver = driver("command", Reach::WeightsHome);
                Ended::Command(driver::command(&driver, &request, "arn:aws:iam::123456789012:user/dev").await)
            }),
        };
        stage.watch().tell(stage_now, || format!("    #{number} {task:.120?}"));
        self.running.push(Invocation { task, future, until, frozen_until: None, number, wrong });
    }

    /// Lets one of them go on by one call. False if none can.
    pub fn step(&mut self) -> bool {
        let (stage, now) = (self.stage, self.stage.time());
        for invocation in &mut self.running {
            invocation.frozen_until = invocation.frozen_until.filter(|until| *until > now);
        }
        let awake: Vec<usize> =
            (0..self.running.len()).filter(|index| self.running[*index].frozen_until.is_none()).collect();
        if awake.is_empty() {
            return false;
        }
        let index = if awake.len() == 1 {
            awake[0]
        } else {
            awake[usize::try_from(stage.dice().order.below(awake.len() as u64)).unwrap_or(0)]
        };
        if now >= self.running[index].until || stage.strikes(Trouble::Kill).is_some() {
            let dead = self.running.remove(index);
            self.again(dead.task);
            return true;
        }
        if let Some(mut chance) = stage.strikes(Trouble::Freeze) {
            let millis = i64::try_from(chance.below(FROZEN_MILLIS)).unwrap_or(0);
            self.running[index].frozen_until = Some(now + SignedDuration::from_millis(millis));
            return true;
        }
        let mut context = Context::from_waker(Waker::noop());
        stage.goes_on(Some((self.running[index].number, self.running[index].wrong)));
        let polled = self.running[index].future.as_mut().poll(&mut context);
        stage.goes_on(None);
        if let Poll::Ready(ended) = polled {
            let done = self.running.remove(index);
            self.ended(done.task, ended);
        }
        true
    }

    fn ended(&mut self, task: Task, ended: Ended) {
        match (ended, task) {
            (Ended::Batch(batch), Task::Batch(bodies)) => self.failed(&batch, &bodies, Destination::Controller),
            (Ended::Batch(batch), Task::Analysis(bodies)) => self.failed(&batch, &bodies, Destination::Analysis),
            (Ended::Command(Ok(answer)), Task::Command(request)) => self.answers.push((request.key, answer)),
            (Ended::Alarm(false) | Ended::Command(Err(_)), task) => self.again(task),
            (Ended::Alarm(true) | Ended::Sweep | Ended::Batch(_) | Ended::Command(Ok(_)), _) => {}
        }
    }

    fn failed(&self, batch: &Batch, bodies: &[String], destination: Destination) {
        let now = self.stage.time();
        for (index, body) in bodies.iter().enumerate().filter(|(_, body)| body.starts_with(POISON)) {
            let alone = batch.failed.iter().any(|failed| failed.id == index.to_string());
            self.stage.watch().ledger.check(Check::E1, now, alone, || format!("{body} was taken"));
        }
        for (index, _) in bodies.iter().enumerate().filter(|(_, body)| body.contains(people::SOMETHING_NEW)) {
            let failed = batch.failed.iter().find(|failed| failed.id == index.to_string());
            let for_itself = failed.is_some_and(|failed| !failed.why.contains("does not answer"));
            let why = || format!("{:?}", failed.map(|failed| &failed.why));
            self.stage.watch().ledger.check(Check::E3, now, !for_itself || self.stage.is_stormy(), why);
        }
        for failed in &batch.failed {
            let index: usize = failed.id.parse().expect("ids are indices");
            // After a few times it is a dead letter.
            if bodies[index].starts_with(POISON) {
                continue;
            }
            self.stage.post(Class::Again, destination, &bodies[index], VISIBILITY);
        }
    }

    /// What a dead invocation had comes again.
    fn again(&mut self, task: Task) {
        let stage = self.stage;
        match task {
            Task::Batch(bodies) => {
                bodies.iter().for_each(|body| stage.post(Class::Again, Destination::Controller, body, VISIBILITY));
            }
            Task::Analysis(bodies) => {
                bodies.iter().for_each(|body| stage.post(Class::Again, Destination::Analysis, body, VISIBILITY));
            }
            Task::Alarm(body) => stage.post(Class::Again, Destination::Alarm, &body, ASYNCHRONOUS_RETRY),
            Task::Sweep => {}
            Task::Command(request) => self.said.push((stage.time() + PATIENCE, request)),
        }
    }
}

fn records(bodies: Vec<String>) -> Vec<Record> {
    let record = |(index, body): (usize, String)| Record { id: index.to_string(), body, receives: Some(1) };
    bodies.into_iter().enumerate().map(record).collect()
}
