//! A seeded adversary on the in-process door: it repeats, reorders, loses and holds up deliveries, refuses calls, kills
//! and freezes processes between any two calls, and edits what the controller holds; then it is calm, and the rollout
//! has to end. What must hold is checked at every commit, at every pull of a lever, and in the end.

mod crew;
mod mail;
mod mask;
mod people;
mod stage;
mod watch;

use jiff::{SignedDuration, Timestamp};
use sandbox::inprocess::InProcess;
use sandbox::world::{Behaviour, Estate, Rng, World};
use tidegate::api::{Answer, CommandRequest, Order};
use tidegate::audit;
use tidegate::events::Home;
use tidegate::ids::RolloutId;
use tidegate::machine::event::Verb;
use tidegate::machine::{self, Now, report::Report};
use tidegate::ports::RolloutStore;
use tidegate::rollout::{PauseReason, Phase, Rollout, Track};
use tidegate::weight::Weight;

use self::crew::Crew;
use self::mail::{Class, Destination};
pub use self::mask::Mask;
use self::stage::{Stage, at_once};

/// How often the sweep runs.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);
/// From an event's emission to the queue's consumer.
const DELIVERY: SignedDuration = SignedDuration::from_millis(300);
/// How long the adversary acts at most.
const STORM: SignedDuration = SignedDuration::from_mins(25);
/// In calm, a rollout ends within this time, or says which person it waits for.
const CALM: SignedDuration = SignedDuration::from_hours(2);
/// How often in calm a person is asked before they give up and send it home.
const RESUMES_MAX: u32 = 4;

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// `Healthy` or `Degraded`.
    pub phase: String,
    /// What went wrong on the way.
    pub mask: Mask,
    /// Pauses for drift.
    pub drifts: u32,
    /// Commits.
    pub commits: usize,
}

/// Runs one seed; a breach is told with everything that is needed to see it again.
pub fn rehearse(seed: u64) -> Result<Ending, String> {
    let mut chance = Rng::new(seed);
    let mask = Mask::draw(&mut chance);
    let scene = Scene::set(seed, &mut chance);
    let stage = Stage::new(scene.sandbox, scene.parts, chance);
    let account = stage.inner.world().config().account.clone();
    let home = Home { account: account.id, region: account.region };
    let mut play = Play { crew: Crew::new(&stage, &home), stage: &stage, next_sweep: stage.time() + SWEEP };
    let told = |what: Vec<String>| format!("seed {seed}: {what:#?}\n{mask:?}\n{}", scene.what);
    let rollout = play.start(&scene.spec, &scene.revision).map_err(|why| told(vec![why]))?;
    play.storm(&rollout, mask);
    let report = play.calm(&rollout);
    play.at_the_end(&rollout, mask, &report, scene.revision_is_sound);
    let watch = stage.watch();
    if !watch.broken.is_empty() {
        return Err(told(watch.broken.clone()));
    }
    let journal = at_once(stage.inner.journal(&rollout, 0, u32::MAX)).expect("the journal is there");
    Ok(Ending { phase: report.phase, mask, drifts: watch.drifts, commits: journal.len() })
}

/// What is rolled out, and where.
struct Scene {
    sandbox: InProcess,
    parts: sandbox::world::EstateParts,
    spec: String,
    revision: String,
    revision_is_sound: bool,
    what: String,
}

impl Scene {
    fn set(seed: u64, chance: &mut Rng) -> Self {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
        let mut world = World::new(seed, start);
        let tasks = [1, 2, 4][usize::try_from(chance.below(3)).unwrap_or(0)];
        let delay = [0, 5, 30, 60][usize::try_from(chance.below(4)).unwrap_or(0)];
        let estate = Estate::of("checkout").tasks(tasks).requests_per_second(20.0).deregistration_delay(delay);
        let parts = estate.build(&mut world).expect("the estate is made");
        let usual = Behaviour::default;
        let seconds = std::time::Duration::from_secs;
        let (behaviour, name) = match chance.below(10) {
            0 => (Behaviour::failing(0.3), "failing"),
            1 => (Behaviour { crash_at_start: true, ..usual() }, "crashing at start"),
            2 => (Behaviour { crash_after: Some(seconds(100)), ..usual() }, "crashing after 100 s"),
            3 => (Behaviour { fails_health_checks: true, ..usual() }, "failing health checks"),
            _ => (usual(), "sound"),
        };
        let revision = estate.register_revision(&mut world, "next", behaviour).expect("the revision is registered");
        let steps = STEPS[usize::try_from(chance.below(STEPS.len() as u64)).unwrap_or(0)];
        let scale_down = [0, 30][usize::try_from(chance.below(2)).unwrap_or(0)];
        let spec = SPEC.replace("STEPS", steps).replace("DELAY", &scale_down.to_string());
        let what = format!("{tasks} tasks, delay {delay} s, scale-down {scale_down} s, {name} revision, steps {steps}");
        let sandbox = InProcess::new(world);
        Self { sandbox, parts, spec, revision, revision_is_sound: name == "sound" || name == "failing", what }
    }
}

const STEPS: [&str; 5] = [
    "[{ setWeight: 20 }, { pause: { duration: 60s } }, { setWeight: 100 }]",
    "[{ setWeight: 0.1 }, { setWeight: 50 }, { analysis: { metrics: [http-5xx-rate] } }]",
    "[{ setWeight: 5 }, { pause: {} }, { pause: {} }, { setWeight: 40 }]",
    "[{ setCanaryScale: { replicas: 4 } }, { setWeight: 30 }, { analysis: { metrics: [http-5xx-rate] } }]",
    "[{ pause: { duration: 30s } }, { setWeight: 100 }]",
];

const SPEC: &str = "
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
      count: 1
      minimumSamples: 20
      noData: inconclusive
  strategy:
    canary:
      steps: STEPS
      bakeTimeInMinutes: 1
      scaleDownDelaySeconds: DELAY
      abortScaleDownDelaySeconds: DELAY
";

struct Play<'a> {
    crew: Crew<'a>,
    stage: &'a Stage,
    next_sweep: Timestamp,
}

impl Play<'_> {
    fn start(&mut self, spec: &str, revision: &str) -> Result<RolloutId, String> {
        let order =
            Order::Start { spec: spec.to_owned(), task_definition: Some(revision.to_owned()), track: Track::ByWindow };
        self.crew.say(CommandRequest { key: "start".to_owned(), order });
        self.run_for(SignedDuration::from_secs(15));
        match at_once(RolloutStore::answer(&self.stage.inner, "start")) {
            Ok(Some(Answer::Started { rollout })) => Ok(rollout),
            other => Err(format!("the rollout begins, got {other:?}")),
        }
    }

    fn storm(&mut self, rollout: &RolloutId, mask: Mask) {
        *self.stage.mask.lock().expect("one thread") = mask;
        let end = self.stage.time() + STORM;
        let mut said = 0;
        while self.stage.time() < end && !self.is_finished() {
            let until = (self.stage.time() + people::quiet(self.stage)).min(end);
            self.run_until(until);
            if let Some(verb) = people::act(self.stage) {
                said += 1;
                self.order(rollout, verb, format!("verb-{said}"));
            }
        }
    }

    fn order(&mut self, rollout: &RolloutId, verb: Verb, key: String) {
        let order = Order::Verb { rollout: rollout.clone(), verb, expected_step: None };
        let request = CommandRequest { key, order };
        if self.stage.happens(self.stage.mask().repeats, 0.3) {
            self.crew.say(request.clone());
        }
        self.crew.say(request);
    }

    /// Nothing goes wrong any more; whoever is waited for does what the report says.
    fn calm(&mut self, rollout: &RolloutId) -> Report {
        *self.stage.mask.lock().expect("one thread") = Mask::default();
        people::calm_the_alarm(self.stage);
        let end = self.stage.time() + CALM;
        let mut asked = 0;
        while self.stage.time() < end && !self.is_finished() {
            self.run_for(SignedDuration::from_mins(3));
            let record = self.record();
            if !machine::report(&record, self.now()).needs_person || self.is_finished() {
                continue;
            }
            asked += 1;
            people::put_right(self.stage);
            let verb = match &record.phase {
                Phase::Paused { .. } if asked > RESUMES_MAX && record.promoted_at.is_none() => Verb::Abort,
                Phase::Paused { reason: PauseReason::Step { .. }, .. } => Verb::Promote,
                Phase::Paused { .. } => Verb::Resume,
                Phase::Aborting { .. } | Phase::Progressing | Phase::Healthy | Phase::Degraded { .. } => Verb::Abort,
            };
            self.order(rollout, verb, format!("calm-{asked}"));
        }
        // What is still under way arrives after the end, and changes nothing.
        self.run_for(SignedDuration::from_mins(10));
        machine::report(&self.record(), self.now())
    }

    fn at_the_end(&self, rollout: &RolloutId, mask: Mask, report: &Report, revision_is_sound: bool) {
        let record = self.record();
        let live = self.stage.live_rules();
        let (stable, canary) = (&record.baseline.stable.group, &record.baseline.canary.group);
        let shares: Vec<_> = live.iter().filter_map(|rule| machine::share(rule, stable, canary).ok()).collect();
        let errors = self.stage.inner.world().user_errors();
        let journal = at_once(self.stage.inner.journal(rollout, 0, u32::MAX)).expect("the journal is there");
        let services = [&record.baseline.stable.service, &record.baseline.canary.service];
        let locks = at_once(self.stage.inner.by_services(&services)).expect("the table is there");
        let mut watch = self.stage.watch();
        watch.check(record.is_finished(), || format!("it does not end: {report:#?}"));
        let whole = if matches!(record.phase, Phase::Healthy) { Weight::FULL } else { Weight::ZERO };
        if !mask.edits_weights && record.is_finished() {
            watch.check(shares.iter().all(|share| *share == whole), || format!("{}: {shares:?}", report.phase));
        }
        watch.check(locks.is_empty() || !record.is_finished(), || format!("locks are left: {locks:?}"));
        watch.check(audit::verify(&journal).is_ok(), || format!("{:?}", audit::verify(&journal)));
        if !mask.people_break_things() && revision_is_sound {
            let mut ours = errors;
            if mask.holds_up_the_way_home() {
                ours.canary_after_abort = 0;
            }
            watch.check(ours.total() == 0, || format!("user errors: {errors:?}"));
        }
        let nobody_was_there = !mask.edits_weights && !mask.updates_services && !mask.deletes_alarms;
        let drifts = watch.drifts;
        watch.check(drifts == 0 || !nobody_was_there, || "nobody was there, and yet it paused for drift".to_owned());
        if !mask.breaks_table && !mask.breaks_queues && !mask.kills && !mask.repeats && !mask.freezes && !mask.hurries {
            let twice: Vec<u64> = watch.armed.iter().filter(|(_, sent)| **sent > 1).map(|(at, _)| *at).collect();
            watch.check(twice.is_empty(), || format!("armed twice: {twice:?}"));
        }
    }

    fn is_finished(&self) -> bool {
        self.stage.watch().latest.as_ref().is_some_and(Rollout::is_finished)
    }

    fn record(&self) -> Rollout {
        self.stage.watch().latest.clone().expect("the rollout has begun")
    }

    fn now(&self) -> Now {
        Now { at: self.stage.time(), rate: 1 }
    }

    fn run_for(&mut self, span: SignedDuration) {
        self.run_until(self.stage.time() + span);
    }

    /// Lets time pass: a little with every call, and to the next thing that happens where nobody is at work.
    fn run_until(&mut self, end: Timestamp) {
        while self.stage.time() < end {
            self.collect_events();
            let late = self.stage.apply_late();
            let now = self.stage.time();
            if now >= self.next_sweep {
                self.next_sweep = now + SWEEP;
                self.crew.sweep();
            }
            self.crew.take();
            if self.stage.happens(self.stage.mask().reads_stale, 0.1) {
                self.stage.take_picture();
            }
            let next = if self.crew.step() {
                let millis = i64::try_from(self.stage.chance().below(120)).unwrap_or(0);
                now + SignedDuration::from_millis(millis)
            } else {
                let world = self.stage.inner.world().next_event_at();
                let mail = self.stage.mail().next_at().filter(|_| self.crew.rests());
                let due = [late, world, mail, self.crew.next_at(), Some(self.next_sweep), Some(end)];
                due.into_iter().flatten().min().unwrap_or(end).max(now + SignedDuration::from_millis(1))
            };
            self.stage.inner.world().advance_to(next);
        }
    }

    fn collect_events(&self) {
        let events = self.stage.inner.world().take_events();
        for event in events {
            let body = event.json.to_string();
            if event.json["detail-type"] == "CloudWatch Alarm State Change" {
                self.stage.post(Class::Event, Destination::Alarm, &body, DELIVERY);
            }
            self.stage.post(Class::Event, Destination::Controller, &body, DELIVERY);
        }
    }
}
