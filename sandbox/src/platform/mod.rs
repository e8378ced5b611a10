//! What AWS runs around the World: functions, queues, buses, rules, roles, as template.yaml says.

pub mod bus;
pub mod calibration;
pub mod clock;
pub mod drive;
pub mod iam;
pub mod lambda;
pub mod patterns;
pub mod people;
pub mod queue;
pub mod schedule;
pub mod template;
pub mod transcript;

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use clock::VirtualClock;
use iam::{Call, Decision, Role};
use lambda::Lambda;
use people::Person;
use queue::Queues;
use template::{Function, Template, Trigger};
use transcript::{Caller, Entry, Moment, Outcome, Transcript};

/// Something in template.yaml that this sandbox cannot run, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {place}: {problem}")]
pub struct LoadError {
    /// The logical id, its type, and the property.
    pub place: String,
    pub problem: String,
}

impl LoadError {
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// The running stack.
pub struct Platform {
    pub template: Template,
    pub clock: VirtualClock,
    pub transcript: Transcript,
    pub queues: Queues,
    pub lambda: Lambda,
    /// Who may come in from outside.
    pub people: Vec<Person>,
    dice: Mutex<fastrand::Rng>,
    /// Where the background runs: whoever looks at the sandbox may stand on a thread of their own.
    runtime: Handle,
    /// Everything that runs in the background; dropped with the platform.
    tasks: Mutex<JoinSet<()>>,
}

impl Platform {
    /// Sets the stack up on the runtime that this is called on; nothing moves before [`Platform::start`].
    pub fn new(template: Template, clock: VirtualClock, functions_dir: &Path, seed: u64) -> Self {
        Self {
            queues: Queues::new(clock.clone(), &template.queues),
            lambda: Lambda::new(&template.functions, functions_dir),
            people: people::of(&template),
            transcript: Transcript::default(),
            dice: Mutex::new(fastrand::Rng::with_seed(seed)),
            runtime: Handle::current(),
            tasks: Mutex::default(),
            template,
            clock,
        }
    }

    /// Starts the mappings and the schedules.
    pub fn start(self: &Arc<Self>) {
        for mapping in self.template.mappings.iter().filter(|mapping| mapping.enabled) {
            self.spawn(lambda::mapping::run(self.clone(), mapping.clone()));
        }
        for rule in self.template.rules.iter().filter(|rule| rule.enabled) {
            match rule.trigger {
                Trigger::Every(period) => self.spawn(schedule::run(self.clone(), rule.clone(), period)),
                Trigger::Pattern(_) => {}
            }
        }
    }

    /// Ends everything in the background; function processes die with what waits for them.
    pub fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Runs something in the background of this platform.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished tasks are forgotten as new ones come.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }

    /// This moment on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.clock.elapsed(), at: self.clock.now() }
    }

    /// Rolls the seeded dice.
    pub fn dice<T>(&self, roll: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        roll(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A seeded UUID.
    pub fn uuid(&self) -> String {
        let bits = self.dice(|dice| dice.u128(..));
        let (a, b, c) = (bits >> 96, (bits >> 80) & 0xffff, (bits >> 68) & 0xfff);
        let (d, e) = ((bits >> 56) & 0xfff, bits & 0xffff_ffff_ffff);
        format!("{a:08x}-{b:04x}-4{c:03x}-8{d:03x}-{e:012x}")
    }

    /// The role that a function runs under.
    pub fn role_of(&self, function: &Function) -> Option<&Role> {
        self.template.role_of(function)
    }

    /// Makes one of the platform's own calls under a function's role, and
    /// returns whether it was allowed. The call itself is the caller's to do.
    pub fn call_for(&self, function: &Function, operation: &str, call: &Call, invocation: Option<&str>) -> bool {
        let decision = self.role_of(function).map(|role| role.evaluate(call));
        let outcome = match &decision {
            Some(Decision::Allowed) => Outcome::Ok,
            Some(Decision::Denied { why }) => Outcome::Denied(format!("{} {why}", function.role)),
            None => Outcome::Denied(format!("{} has no role", function.id)),
        };
        let allowed = outcome == Outcome::Ok;
        let moment = self.moment();
        self.transcript.record(Entry {
            started: moment,
            ended: moment,
            caller: Caller::PlatformFor(function.id.clone()),
            invocation: invocation.map(str::to_owned),
            service: call.service.clone(),
            operation: operation.to_owned(),
            calls: vec![call.clone()],
            outcome,
        });
        allowed
    }
}
