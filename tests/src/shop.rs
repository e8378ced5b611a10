//! The estate that most tests use: `checkout`, twin services behind two rules, in a World with a controller in it.

use jiff::{SignedDuration, Timestamp};
use sandbox::inprocess::InProcess;
use sandbox::world::{Behaviour, Config, Estate, EstateParts, SetAlarmState, World};
use tidegate::api::{Answer, Ask, CommandRequest, Order, Told};
use tidegate::ids::RolloutId;
use tidegate::machine::event::Verb;
use tidegate::machine::report::Report;
use tidegate::rollout::Track;

/// The spec of the main job: 5 → 20 → 50 → 100 % with an analysis at each step.
pub const SPEC: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate]
  metrics:
    - name: http-5xx-rate
      provider: { cloudWatch: { errorRate: {} } }
      threshold: { atMost: 0.01 }
      count: 2
      minimumSamples: 50
      noData: inconclusive
  strategy:
    canary:
      steps:
        - setWeight: 5
        - analysis: { metrics: [http-5xx-rate] }
        - setWeight: 20
        - analysis: { metrics: [http-5xx-rate] }
        - setWeight: 50
        - analysis: { metrics: [http-5xx-rate] }
        - setWeight: 100
        - analysis: { metrics: [http-5xx-rate] }
      bakeTimeInMinutes: 2
      scaleDownDelaySeconds: 30
      abortScaleDownDelaySeconds: 30
";

/// A short spec: 20 → 100 %, with nothing to wait for in between.
pub const SHORT: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate]
  strategy:
    canary:
      steps:
        - setWeight: 20
        - pause: { duration: 90s }
        - setWeight: 100
      bakeTimeInMinutes: 1
      scaleDownDelaySeconds: 30
      abortScaleDownDelaySeconds: 30
";

/// `checkout` with four tasks, and a controller.
pub struct Shop {
    /// The controller and its World.
    pub sandbox: InProcess,
    /// What the estate consists of.
    pub parts: EstateParts,
    estate: Estate,
    keys: std::cell::Cell<u32>,
}

impl Shop {
    /// Furnishes a World. The same seed gives the same run.
    ///
    /// # Panics
    /// If the estate cannot be made.
    pub fn open(seed: u64) -> Self {
        Self::open_in(seed, Config::default(), 30)
    }

    /// Furnishes a World that behaves otherwise, with targets that drain for so many seconds.
    ///
    /// # Panics
    /// If the estate cannot be made.
    pub fn open_in(seed: u64, config: Config, deregistration_delay: u32) -> Self {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
        let mut world = World::with_config(seed, start, config);
        let estate = Estate::of("checkout").tasks(4).requests_per_second(100.0);
        let estate = estate.deregistration_delay(deregistration_delay);
        let parts = estate.build(&mut world).expect("the estate is made");
        Self { sandbox: InProcess::new(world), parts, estate, keys: std::cell::Cell::new(0) }
    }

    /// Registers a revision of which this share of responses are 5xx; returns its ARN.
    ///
    /// # Panics
    /// If it cannot be registered.
    pub fn revision(&self, error_share: f64) -> String {
        self.behaving(if error_share > 0.0 { Behaviour::failing(error_share) } else { Behaviour::default() })
    }

    /// Registers a revision that behaves like this; returns its ARN.
    ///
    /// # Panics
    /// If it cannot be registered.
    pub fn behaving(&self, behaviour: Behaviour) -> String {
        let mut world = self.sandbox.world();
        self.estate.register_revision(&mut world, "next", behaviour).expect("the revision is registered")
    }

    /// Sends a command with a key of its own.
    pub fn order(&self, order: Order) -> (String, Answer) {
        self.keys.set(self.keys.get() + 1);
        let key = format!("key-{}", self.keys.get());
        let request = CommandRequest { key: key.clone(), order };
        (key, self.sandbox.command(&request, "arn:aws:iam::123456789012:user/dev"))
    }

    /// Starts a rollout of a revision, and waits for its answer.
    pub fn start(&self, spec: &str, revision: &str) -> Answer {
        let (key, answer) = self.order(Order::Start {
            spec: spec.to_owned(),
            task_definition: Some(revision.to_owned()),
            track: Track::ByWindow,
        });
        if answer != Answer::Accepted {
            return answer;
        }
        self.sandbox.run_for(SignedDuration::from_secs(10));
        match self.sandbox.ask(&Ask::Answer { key }) {
            Told::Answer { answer: Some(answer) } => answer,
            other => panic!("a start has an answer, got {other:?}"),
        }
    }

    /// Starts a rollout that must begin.
    ///
    /// # Panics
    /// If it is refused.
    pub fn begin(&self, revision: &str) -> RolloutId {
        self.begin_with(SPEC, revision)
    }

    /// Starts a rollout of another spec, which must begin.
    ///
    /// # Panics
    /// If it is refused.
    pub fn begin_with(&self, spec: &str, revision: &str) -> RolloutId {
        match self.start(spec, revision) {
            Answer::Started { rollout } => rollout,
            other => panic!("the rollout begins, got {other:?}"),
        }
    }

    /// Sends an order that begins a rollout, and waits for its answer.
    ///
    /// # Panics
    /// If there is none.
    pub fn asked(&self, order: Order) -> Answer {
        let (key, answer) = self.order(order);
        if answer != Answer::Accepted {
            return answer;
        }
        self.sandbox.run_for(SignedDuration::from_secs(10));
        match self.sandbox.ask(&Ask::Answer { key }) {
            Told::Answer { answer: Some(answer) } => answer,
            other => panic!("an order has an answer, got {other:?}"),
        }
    }

    /// Sends a verb.
    pub fn verb(&self, rollout: &RolloutId, verb: Verb) -> Answer {
        self.order(Order::Verb { rollout: rollout.clone(), verb, expected_step: None }).1
    }

    /// Reports a rollout.
    ///
    /// # Panics
    /// If there is none.
    pub fn report(&self, rollout: &RolloutId) -> Report {
        match self.sandbox.ask(&Ask::Get { rollout: rollout.to_string() }) {
            Told::Rollout { report } => *report,
            other => panic!("{rollout} is known, got {other:?}"),
        }
    }

    /// Lets time pass until the rollout has ended, or so many minutes are over.
    pub fn until_ended(&self, rollout: &RolloutId, minutes: i64) -> Report {
        for _ in 0..minutes * 12 {
            let report = self.report(rollout);
            if report.ended_at.is_some() {
                return report;
            }
            self.sandbox.run_for(SignedDuration::from_secs(5));
        }
        self.report(rollout)
    }

    /// Returns the errors that users saw because of the controller.
    pub fn user_errors(&self) -> u64 {
        self.sandbox.world().user_errors().total()
    }
}

/// Somebody sets an alarm to ALARM.
pub fn red(alarm: &str) -> SetAlarmState {
    SetAlarmState {
        alarm_name: alarm.to_owned(),
        state_value: "ALARM".to_owned(),
        state_reason: "a test".to_owned(),
        state_reason_data: None,
    }
}
