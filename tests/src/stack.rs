//! The whole stack over HTTP: the sandbox with the real function binaries, `checkout` in it, and people who call.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sandbox::chronicle::Transition;
use sandbox::demo;
use sandbox::functions::{Bench, checkout};
use sandbox::platform::queue::Outgoing;
use sandbox::platform::transcript::{Caller, Entry, Moment};
use sandbox::{Options, Sandbox};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidegate::api::{Answer, Ask, CommandRequest, Order, Told};
use tidegate::ids::RolloutId;
use tidegate::rollout::Track;
use tokio::runtime::Runtime;

/// Virtual seconds per wall second that the tests ask for.
pub const RATE: u32 = 40;

/// Wall time after which something that should happen is given up: far more than it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A spec that is over in four virtual minutes: 20 %, a moment, 100 %.
pub const SHORT: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate, checkout-blue-5xx-rate]
  strategy:
    canary:
      steps:
        - setWeight: 20
        - pause: { duration: 20s }
        - setWeight: 100
      scaleDownDelaySeconds: 10
      abortScaleDownDelaySeconds: 10
";

/// The same, with testers who meet the canary first.
pub const ROUTED: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate, checkout-blue-5xx-rate]
  strategy:
    canary:
      steps:
        - setHeaderRoute: { name: testers, match: [{ headerName: x-beta, headerValue: { exact: \"1\" } }] }
        - setWeight: 20
        - pause: { duration: 20s }
        - setWeight: 100
      scaleDownDelaySeconds: 10
      abortScaleDownDelaySeconds: 10
";

/// The functions' folder; built once per test program.
static FUNCTIONS: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = std::env::current_exe().expect("a test knows its program");
    let bench = Bench::of(&program).expect("a test stands in a target folder");
    bench.build(std::env::var_os("CARGO")).unwrap_or_else(|error| panic!("{error}"))
});

/// Two cores carry one sandbox at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A running stack.
pub struct Stack {
    /// The sandbox.
    pub sandbox: Sandbox,
    runtime: Runtime,
    agent: ureq::Agent,
    keys: AtomicU64,
    /// Held until the end.
    _turn: MutexGuard<'static, ()>,
}

impl Stack {
    /// Starts it with every function's role as the template says.
    pub fn start() -> Self {
        Self::without(&[])
    }

    /// Starts it with these actions taken away from these functions' roles.
    ///
    /// # Panics
    /// If it does not start.
    pub fn without(actions: &[(&str, &str)]) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let template = checkout().expect("a test runs in a checkout").join("template.yaml");
        let options = Options {
            rate: RATE,
            estates: vec![demo::estate()],
            parameters: [("ManagedServices", "production/checkout-*"), ("ManagedLoadBalancers", "app/checkout/*")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            without: actions.iter().map(|(f, a)| ((*f).to_owned(), (*a).to_owned())).collect(),
            ..Options::new(template, FUNCTIONS.as_path())
        };
        let runtime = Runtime::new().expect("a runtime starts");
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap_or_else(|error| panic!("{error}"));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { sandbox, runtime, agent, keys: AtomicU64::new(0), _turn: turn }
    }

    /// Runs something on the stack's runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Posts to a Function URL as a person; the status and the body.
    ///
    /// # Panics
    /// If nothing comes back.
    pub fn post(&self, function: &str, person: &str, body: &impl Serialize) -> (u16, String) {
        let url = self.sandbox.function_url(function).expect("the function has a URL");
        let request = self.agent.post(&url).header("authorization", format!("Sandbox {person}"));
        let mut response =
            request.send_json(body).unwrap_or_else(|error| panic!("{function} does not answer: {error}"));
        let text = response.body_mut().read_to_string().expect("an answer is text");
        (response.status().as_u16(), text)
    }

    fn exchange<T: DeserializeOwned>(&self, function: &str, body: &impl Serialize) -> T {
        // A function that was killed is called again, as the CLI does.
        let mut last = String::new();
        for _ in 0..3 {
            let (status, text) = self.post(function, "operator", body);
            if let Ok(answer) = serde_json::from_str(&text) {
                return answer;
            }
            last = format!("{status} {text}");
        }
        panic!("{function} answered {last}");
    }

    /// Sends an order with a key of its own, and waits until it is carried out.
    pub fn order(&self, order: Order) -> Answer {
        let key = format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed));
        match self.exchange("command", &CommandRequest { key: key.clone(), order }) {
            Answer::Accepted => {
                self.until("the order is carried out", || match self.ask(&Ask::Answer { key: key.clone() }) {
                    Told::Answer { answer } => answer.filter(|answer| *answer != Answer::Accepted),
                    other => panic!("asked for an answer, told {other:?}"),
                })
            }
            answer => answer,
        }
    }

    /// Asks the query function.
    pub fn ask(&self, ask: &Ask) -> Told {
        self.exchange("query", ask)
    }

    /// Registers a revision of which this share of responses are 5xx; returns its ARN.
    ///
    /// # Panics
    /// If it cannot be registered.
    pub fn revision(&self, error_share: f64) -> String {
        demo::register(&self.sandbox, "next", error_share).expect("the revision is registered")
    }

    /// Begins a rollout, once the alarms of the one before are calm again.
    ///
    /// # Panics
    /// If it is refused.
    pub fn begin(&self, spec: &str, error_share: f64) -> RolloutId {
        let alarms = self.sandbox.estates().iter().flat_map(demo::alarms).collect::<Vec<_>>();
        self.until("the alarms are calm", || {
            let world = self.sandbox.world();
            alarms.iter().all(|alarm| world.alarm_since(alarm).is_none()).then_some(())
        });
        let task_definition = Some(self.revision(error_share));
        match self.order(Order::Start { spec: spec.to_owned(), task_definition, track: Track::ByWindow }) {
            Answer::Started { rollout } => rollout,
            other => panic!("the rollout begins, got {other:?}"),
        }
    }

    /// Waits until `found` finds something.
    ///
    /// # Panics
    /// If it does not happen, or the World does not keep up.
    pub fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            if let Some(why) = self.sandbox.overloaded() {
                panic!("{why}");
            }
            assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}; last {:#?}", self.last_words());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn last_words(&self) -> (Option<Transition>, Vec<String>) {
        let log = self.sandbox.log("controller");
        (self.sandbox.chronicle().last(), log[log.len().saturating_sub(20)..].to_vec())
    }

    /// Waits until a rollout reaches this phase.
    pub fn until_phase(&self, rollout: &RolloutId, phase: &str) -> Transition {
        self.until(&format!("{rollout} is {phase}"), || {
            self.transitions(rollout).into_iter().find(|transition| transition.phase == phase)
        })
    }

    /// Waits until a rollout's canary has this share, in per cent.
    pub fn until_weight(&self, rollout: &RolloutId, weight: &str) -> Transition {
        self.until(&format!("{rollout} has weight {weight}"), || {
            self.transitions(rollout).into_iter().find(|transition| transition.weight == weight)
        })
    }

    /// Waits until a rollout has ended.
    pub fn until_ended(&self, rollout: &RolloutId) -> Transition {
        self.until(&format!("{rollout} has ended"), || {
            let ended = |transition: &Transition| matches!(transition.phase, "Healthy" | "Degraded");
            self.transitions(rollout).into_iter().find(ended)
        })
    }

    /// What was committed of a rollout.
    pub fn transitions(&self, rollout: &RolloutId) -> Vec<Transition> {
        self.sandbox.chronicle().transitions().into_iter().filter(|t| t.rollout == *rollout).collect()
    }

    /// Lets so many virtual seconds pass.
    pub fn pass(&self, seconds: i64) {
        let clock = &self.sandbox.platform().clock;
        let until = clock.now() + jiff::SignedDuration::from_secs(seconds);
        self.block_on(clock.sleep_until(until));
    }

    /// This moment.
    pub fn moment(&self) -> Moment {
        self.sandbox.platform().moment()
    }

    /// What functions' own code asked of AWS between two moments.
    pub fn calls(&self, from: Moment, to: Moment) -> Vec<Entry> {
        let mut entries = self.sandbox.transcript().entries();
        entries.retain(|entry| {
            matches!(entry.caller, Caller::Function(_))
                && entry.started.wall >= from.wall
                && entry.started.wall < to.wall
        });
        entries
    }

    /// The ARN of a queue by its logical id.
    ///
    /// # Panics
    /// If the template has none.
    pub fn queue(&self, id: &str) -> String {
        let queues = &self.sandbox.platform().template.queues;
        queues.iter().find(|queue| queue.id == id).expect("the template has the queue").arn.clone()
    }

    /// Puts a message into a queue.
    pub fn send(&self, queue: &str, body: &str) {
        let platform = self.sandbox.platform();
        let outgoing = Outgoing { body: body.to_owned(), ..Outgoing::default() };
        platform.queues.send(&self.queue(queue), platform.uuid(), outgoing);
    }

    /// An event of a task of this service, as ECS sends it.
    pub fn task_event(&self, service: &str, number: u32) -> Value {
        let account = &self.sandbox.platform().template.account;
        let (region, id) = (&account.region, &account.id);
        let task = format!("arn:aws:ecs:{region}:{id}:task/production/{:032x}", u128::from(number) + 0xabcd);
        json!({
            "version": "0",
            "id": self.sandbox.platform().uuid(),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": id,
            "time": self.sandbox.now().to_string(),
            "region": region,
            "resources": [task],
            "detail": {
                "clusterArn": format!("arn:aws:ecs:{region}:{id}:cluster/production"),
                "taskArn": task,
                "group": format!("service:{service}"),
                "startedBy": "ecs-svc/1234567890123456789",
                "lastStatus": "RUNNING",
                "desiredStatus": "RUNNING",
                "launchType": "FARGATE",
                "version": 4,
            },
        })
    }

    /// An event of an alarm that goes off, as CloudWatch sends it.
    pub fn alarm_event(&self, alarm: &str) -> Value {
        let account = &self.sandbox.platform().template.account;
        let arn = account.arn("cloudwatch", &format!("alarm:{alarm}"));
        let now = self.sandbox.now().to_string();
        let state = |value: &str| json!({ "value": value, "reason": "a test says so", "timestamp": now });
        json!({
            "version": "0",
            "id": self.sandbox.platform().uuid(),
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": account.id,
            "time": now,
            "region": account.region,
            "resources": [arn],
            "detail": {
                "alarmName": alarm,
                "state": state("ALARM"),
                "previousState": state("OK"),
                "configuration": { "metrics": [] },
            },
        })
    }

    /// Ends it.
    pub fn end(self) {
        let Self { sandbox, runtime, .. } = self;
        runtime.block_on(sandbox.shutdown());
    }
}
