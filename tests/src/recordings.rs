//! Our own recordings in `events/`: what the sandbox's World says in one short, seeded story, and what it does not
//! model yet, written after AWS's documentation.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sandbox::world::{Action, Behaviour, Estate, EstateParts, ModifyRule, UpdateService, World};
use serde_json::{Value, json};
use tidegate::analysis::{MeasureRequest, Query};
use tidegate::events::{Message, ROLLOUT_REQUESTED, StartRequest};
use tidegate::ids::{AlarmArn, RolloutId};
use tidegate::machine::event::{AlarmChange, Event};
use tidegate::observation::AlarmState;
use tidegate::rollout::Manner;
use tidegate::spec::MetricSource;

use crate::source::repository;

/// One seed means one story.
const SEED: u64 = 1;

/// The Sunday morning on which the story begins.
const START: &str = "2026-11-22T09:00:00Z";

/// How long the story may take until each of its events has come.
const PATIENCE: SignedDuration = SignedDuration::from_mins(60);

/// Recordings by name, without `.json`.
pub type Recordings = BTreeMap<String, Value>;

/// Returns the recordings as they lie in `events/`.
///
/// # Panics
/// If one cannot be read.
pub fn stored() -> Recordings {
    crate::corpus::files(&repository().join("events"), "json")
        .into_iter()
        .map(|(name, text)| {
            let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("events/{name}: {error}"));
            (name.trim_end_matches(".json").to_owned(), value)
        })
        .collect()
}

/// Records everything anew.
///
/// # Panics
/// If the World does not tell the story that the recordings need.
pub fn record() -> Recordings {
    let mut story = Story::begin();
    story.good_canary();
    story.bad_weights();
    story.crashing_canary();
    let mut recordings = story.recordings;
    recordings.extend(not_modelled(&story.parts));
    recordings.extend(our_own(&story.parts));
    recordings
}

/// Writes recordings into `events/`.
///
/// # Panics
/// If a file cannot be written.
pub fn store(recordings: &Recordings) {
    for (name, value) in recordings {
        let path = repository().join("events").join(format!("{name}.json"));
        let text = format!("{value:#}\n");
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

struct Story {
    world: World,
    estate: Estate,
    parts: EstateParts,
    /// What the World has said since the last thing that was done to it.
    heard: Vec<Value>,
    recordings: Recordings,
}

impl Story {
    fn begin() -> Self {
        let start = START.parse().expect("a time");
        let mut world = World::new(SEED, start);
        let estate = Estate::of("checkout").cluster("shop");
        let parts = estate.build(&mut world).expect("an estate");
        Self { world, estate, parts, heard: Vec::new(), recordings: Recordings::new() }
    }

    /// The canary comes up: a deployment from its beginning to steady state.
    fn good_canary(&mut self) {
        let revision = self.revision("2.0.0", Behaviour::failing(0.3));
        self.deploy(Some(revision), 2);
        self.keep("ecs.deployment-in-progress", |event| named(event, "SERVICE_DEPLOYMENT_IN_PROGRESS"));
        self.keep("ecs.task-running", |event| event["detail"]["lastStatus"] == "RUNNING");
        self.keep("ecs.deployment-completed", |event| named(event, "SERVICE_DEPLOYMENT_COMPLETED"));
        self.keep("ecs.service-steady-state", |event| named(event, "SERVICE_STEADY_STATE"));
    }

    /// The canary gets traffic and answers 5xx; weights go home, and its tasks go.
    fn bad_weights(&mut self) {
        self.weights(80, 20);
        self.keep("cloudwatch.alarm", |event| event["detail"]["state"]["value"] == "ALARM");
        self.weights(1, 0);
        self.keep("cloudwatch.ok", |event| {
            event["detail"]["state"]["value"] == "OK" && event["detail"]["previousState"]["value"] == "ALARM"
        });
        self.deploy(None, 0);
        self.keep("ecs.task-stopped", |event| event["detail"]["lastStatus"] == "STOPPED");
    }

    /// A revision that cannot start, until the circuit breaker gives up.
    fn crashing_canary(&mut self) {
        let revision = self.revision("3.0.0", Behaviour { crash_at_start: true, ..Behaviour::default() });
        self.deploy(Some(revision), 1);
        self.keep("ecs.task-crashed", |event| event["detail"]["stopCode"] == "EssentialContainerExited");
        self.keep("ecs.deployment-failed", |event| named(event, "SERVICE_DEPLOYMENT_FAILED"));
    }

    fn revision(&mut self, tag: &str, behaviour: Behaviour) -> String {
        self.estate.register_revision(&mut self.world, tag, behaviour).expect("a revision")
    }

    fn deploy(&mut self, task_definition: Option<String>, tasks: u32) {
        let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false}});
        let update = UpdateService {
            cluster: Some(self.parts.cluster.clone()),
            service: self.parts.green.service_name.clone(),
            deployment_configuration: task_definition
                .is_some()
                .then(|| serde_json::from_value(breaker).expect("a breaker")),
            task_definition,
            desired_count: Some(tasks),
            ..UpdateService::default()
        };
        self.heard.clear();
        self.world.update_service(update).expect("an update");
    }

    fn weights(&mut self, blue: u32, green: u32) {
        let [blue_group, green_group] = [&self.parts.blue, &self.parts.green].map(|twin| twin.target_group_arn.clone());
        let actions = vec![Action::forward(&[(&blue_group, blue), (&green_group, green)])];
        let rule_arn = self.parts.rule_arn.clone();
        self.heard.clear();
        self.world.modify_rule(ModifyRule { rule_arn, actions, ..ModifyRule::default() }).expect("a rule");
    }

    /// Lets time pass until the World has said such a thing since the last action, and keeps the first.
    fn keep(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) {
        let give_up = self.world.now() + PATIENCE;
        while !self.heard.iter().any(&wanted) {
            assert!(self.world.now() < give_up, "the World said nothing within {PATIENCE:#} that is `{name}`");
            let next = self.world.now() + Duration::from_secs(1);
            self.world.advance_to(next);
            self.heard.extend(self.world.take_events().into_iter().map(|event| event.json));
        }
        let first = self.heard.iter().find(|event| wanted(event)).cloned();
        self.recordings.extend(first.map(|event| (name.to_owned(), event)));
    }
}

fn named(event: &Value, name: &str) -> bool {
    event["detail"]["eventName"] == name
}

/// What reaches our functions and the World does not model.
fn not_modelled(parts: &EstateParts) -> Recordings {
    let arn = parts.blue.service_arn.as_str();
    let (region, account) = place(arn);
    let envelope = |number: u32, source: &str, detail_type: &str, resources: Value, detail: Value| {
        json!({
            "version": "0",
            "id": format!("5d6a2bd0-3c1e-4f0a-9b7d-{number:012}"),
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": "2026-11-22T10:00:00Z",
            "region": region,
            "resources": resources,
            "detail": detail,
        })
    };
    let application = format!("arn:aws:codedeploy:{region}:{account}:application:checkout");
    let group = format!("arn:aws:codedeploy:{region}:{account}:deploymentgroup:checkout/green");
    let deployment = json!({
        "application": "checkout", "deploymentGroup": "green", "deploymentId": "d-ABCDEF123",
        "instanceGroupId": "0a1b2c3d-0000-4000-8000-000000000000", "region": region, "state": "START",
    });
    let kind = "CodeDeploy Deployment State-change Notification";
    let rule = format!("arn:aws:events:{region}:{account}:rule/tidegate-sweep");
    let spec = json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "checkout"},
        "spec": {
            "workload": {"twinServices": {"cluster": "shop", "services": ["checkout-blue", "checkout-green"]}},
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "5m"}}]}},
        },
    });
    let request = json!({"spec": spec, "taskDefinition": "checkout:2", "key": "build-4711"});
    Recordings::from([
        (
            "codedeploy.deployment-start".to_owned(),
            envelope(1, "aws.codedeploy", kind, json!([application, group]), deployment),
        ),
        ("events.schedule".to_owned(), envelope(2, "aws.events", "Scheduled Event", json!([rule]), json!({}))),
        ("tidegate.rollout-requested".to_owned(), envelope(3, "ci.shop", ROLLOUT_REQUESTED, json!([]), request)),
    ])
}

/// What we send to ourselves. The next version of the code reads what this one sent.
fn our_own(parts: &EstateParts) -> Recordings {
    let rollout = RolloutId::new("checkout-01KAN3W2M0000000000000000A");
    let at: Timestamp = START.parse().expect("a time");
    let (region, account) = place(&parts.blue.service_arn);
    let alarm = AlarmArn::new(format!("arn:aws:cloudwatch:{region}:{account}:alarm:{}", parts.alarm_name));
    let query = Query {
        metric: "http-5xx-rate".to_owned(),
        source: MetricSource::ErrorRate,
        load_balancer: "app/checkout/50dc6c495c0c9188".to_owned(),
        target_group: "targetgroup/checkout-green/73e2d6bc24d8a067".to_owned(),
        from: at,
        to: at + Duration::from_secs(300),
    };
    let start = StartRequest {
        key: "build-4711".to_owned(),
        spec: "metadata: {name: checkout}\n".to_owned(),
        task_definition: Some("checkout:2".to_owned()),
        by: format!("arn:aws:iam::{account}:user/ana"),
        asked_at: at,
        manner: Manner::default(),
    };
    let handed_on = Event::Alarm(AlarmChange { alarm, state: AlarmState::Alarm, at });
    let messages = [
        ("tidegate.wake-up", Message::WakeUp { rollout: rollout.clone(), generation: 12 }),
        ("tidegate.handed-on", Message::Event { rollout: rollout.clone(), event: handed_on }),
        ("tidegate.start", Message::Start(start)),
        ("tidegate.measure", Message::Measure(MeasureRequest { rollout, run: 1, generation: 7, queries: vec![query] })),
    ];
    let read = |message: Message| serde_json::from_str(&message.body()).expect("a message is JSON");
    messages.into_iter().map(|(name, message)| (name.to_owned(), read(message))).collect()
}

/// Region and account of an ARN.
fn place(arn: &str) -> (&str, &str) {
    let mut parts = arn.split(':').skip(3);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}
