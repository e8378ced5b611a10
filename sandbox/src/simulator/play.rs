//! One run: the scene, the start, the storm, the calm, and what has to hold at the end.

use jiff::{SignedDuration, Timestamp};
use tidegate::api::{Answer, CommandRequest, Order};
use tidegate::audit;
use tidegate::events::Home;
use tidegate::ids::RolloutId;
use tidegate::machine::event::Verb;
use tidegate::machine::report::Report;
use tidegate::machine::{self, Now};
use tidegate::ports::RolloutStore;
use tidegate::rollout::{Homeward, PauseReason, Phase, Rollout, Track};
use tidegate::weight::Weight;

use super::checks::Check;
use super::crew::Crew;
use super::dice::{Dice, mix};
use super::faults::{Fault, Mask};
use super::mail::{Class, Destination};
use super::people::{self, Said};
use super::scene::{Quality, Scene};
use super::stage::{Stage, at_once};
use super::{Finished, Script};
use crate::world::Rng;

/// How often the sweep runs.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);
/// From an event's emission to the queue's consumer.
const DELIVERY: SignedDuration = SignedDuration::from_millis(300);
/// How long the storm lasts at most.
const STORM: SignedDuration = SignedDuration::from_mins(25);
/// In calm, a rollout ends within this time, or says which person it waits for.
const CALM: SignedDuration = SignedDuration::from_hours(3);
/// How often in calm a person is asked before they give up and send it home.
const RESUMES_MAX: u32 = 4;
/// How long an abort takes in calm until the weights are home.
const HOME_WITHIN: SignedDuration = SignedDuration::from_secs(120);
/// What is still under way arrives within this time after the end.
const AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A service says that its deployment is complete within this time.
const DEPLOYS: SignedDuration = SignedDuration::from_mins(20);
/// Calls of the ports in an hour, and commits, at most.
const CALLS_AN_HOUR: f64 = 30_000.0;
const COMMITS_AN_HOUR: f64 = 4_000.0;

/// Runs a script.
pub fn run(script: &Script) -> Finished {
    let seed = script.seed;
    let mask = script.mask.clone().unwrap_or_else(|| Mask::draw(&mut Rng::new(mix(seed, u64::MAX, 2))));
    let mut dice = Dice::new(seed, mask, script.strikes.clone());
    let (scene, sandbox) = Scene::set(seed, &mut dice);
    let mask = dice.mask().clone();
    let stage = Stage::new(sandbox, scene.parts.clone(), dice);
    let began = stage.time();
    let account = stage.inner.world().config().account.clone();
    let home = Home { account: account.id, region: account.region };
    prepare(&stage, &scene, &mask, seed, script.tells);
    let crew = Crew::new(&stage, &home);
    let mut play =
        Play { crew, stage: &stage, scene: &scene, seed, began, next_sweep: began + SWEEP, said: 0, gave_up: false };
    let begun = play.refused_starts();
    let phase = match begun.map_or_else(|| play.start("start", &scene.revision), Ok) {
        Err(why) => {
            let now = stage.time();
            stage.watch().ledger.check(Check::L1, now, false, || why);
            "Unknown".to_owned()
        }
        Ok(rollout) => {
            play.storm(&rollout);
            let report = play.calm();
            // Another revision may have begun when this one had ended.
            let last = play.record().id;
            play.at_the_end(&last, &mask, &report);
            play.afterwards(&last);
            report.phase
        }
    };
    drop(play);
    let seconds = stage.time().duration_since(began).as_secs();
    let struck = std::mem::take(&mut stage.dice().struck);
    let mut watch = stage.watch();
    Finished {
        story: watch.story.take().unwrap_or_default(),
        seed,
        phase,
        scene: scene.what.clone(),
        mask,
        struck,
        met: watch.ledger.met,
        breaches: watch.ledger.breaches.clone(),
        commits: watch.commits,
        digest: watch.digest,
        seconds,
    }
}

fn prepare(stage: &Stage, scene: &Scene, mask: &Mask, seed: u64, tells: bool) {
    let mut watch = stage.watch();
    watch.story = tells.then(Vec::new);
    watch.repeats_steps = seed.is_multiple_of(4);
    watch.revision_stays = matches!(scene.quality, Quality::Sound | Quality::Failing);
    watch.people = mask.any(Fault::is_of_people) || mask.has(Fault::AlarmDeleted);
    watch.blinded = mask.any(Fault::holds_up_the_way_home) || mask.has(Fault::BusDown) || mask.has(Fault::StaleService);
}

struct Play<'a> {
    crew: Crew<'a>,
    stage: &'a Stage,
    scene: &'a Scene,
    seed: u64,
    began: Timestamp,
    next_sweep: Timestamp,
    said: u32,
    gave_up: bool,
}

impl Play<'_> {
    fn start(&mut self, key: &str, revision: &str) -> Result<RolloutId, String> {
        let spec = self.scene.spec.to_owned();
        let order = Order::Start { spec, task_definition: Some(revision.to_owned()), track: Track::ByWindow };
        self.crew.say(CommandRequest { key: key.to_owned(), order });
        self.run_for(SignedDuration::from_secs(15));
        match at_once(RolloutStore::answer(&self.stage.inner, key)) {
            Ok(Some(Answer::Started { rollout })) => Ok(rollout),
            other => Err(format!("the rollout begins, got {other:?}")),
        }
    }

    /// In some seeds, a start comes at a time at which nothing may begin. What began all the same is returned.
    fn refused_starts(&mut self) -> Option<RolloutId> {
        let revision = self.scene.revision.clone();
        if self.seed % 16 == 3 {
            people::set_alarm(self.stage, "ALARM");
            let begun = self.start("in-alarm", &revision);
            let now = self.stage.time();
            // Its own evaluation may have set it to OK meanwhile.
            if people::rings(self.stage) {
                self.stage.watch().ledger.check(Check::A3, now, begun.is_err(), || format!("{begun:?}"));
            }
            if let Ok(rollout) = begun {
                return Some(rollout);
            }
            people::set_alarm(self.stage, "OK");
        }
        if self.seed % 16 == 5 && !self.stage.mask().has(Fault::SlowStart) {
            let blue = self.stage.parts.blue.service_name.clone();
            let desired =
                at_once(tidegate::ports::Workload::services(&self.stage.inner, &self.stage.parts.cluster, &[&blue]));
            let tasks = desired.ok().and_then(|seen| seen.into_iter().next().flatten()).map_or(1, |seen| seen.desired);
            people::update(self.stage, &blue, Some(&self.scene.third.clone()), tasks);
            self.run_for(SignedDuration::from_secs(2));
            let begun = self.start("while-deploying", &revision);
            let now = self.stage.time();
            self.stage.watch().ledger.check(Check::H3, now, begun.is_err(), || format!("{begun:?}"));
            if let Ok(rollout) = begun {
                return Some(rollout);
            }
            self.run_for(DEPLOYS);
        }
        None
    }

    fn storm(&mut self, rollout: &RolloutId) {
        self.stage.dice().storm(true);
        let end = self.stage.time() + STORM;
        while self.stage.time() < end && !self.is_finished() {
            let until = (self.stage.time() + people::quiet(self.stage)).min(end);
            self.run_until(until);
            self.stage.look_around();
            for said in people::act(self.stage, self.scene) {
                self.said += 1;
                let key = format!("said-{}", self.said);
                let order = match said {
                    Said::Verb(verb, expected_step) => Order::Verb { rollout: rollout.clone(), verb, expected_step },
                    Said::Start => Order::Start {
                        spec: self.scene.spec.to_owned(),
                        task_definition: Some(self.scene.third.clone()),
                        track: Track::ByWindow,
                    },
                };
                self.crew.say(CommandRequest { key, order });
            }
        }
        self.stage.dice().storm(false);
        *self.stage.bus_down_until.lock().expect("one thread") = None;
        self.stage.table_is_back();
        self.stage.inner.world().set_traffic(self.stage.parts.traffic, self.scene.requests_per_second);
    }

    fn order(&mut self, rollout: &RolloutId, verb: Verb, key: &str) {
        let order = Order::Verb { rollout: rollout.clone(), verb, expected_step: None };
        self.crew.say(CommandRequest { key: key.to_owned(), order });
    }

    /// Nothing goes wrong any more; whoever is waited for does what the report says.
    fn calm(&mut self) -> Report {
        people::calm_down(self.stage);
        self.run_for(SignedDuration::from_secs(60));
        if self.seed % 4 == 1 {
            self.abort_in_calm();
        }
        let end = self.stage.time() + CALM;
        let mut asked = 0;
        while self.stage.time() < end && !self.is_finished() {
            self.run_for(SignedDuration::from_mins(3));
            self.stage.look_around();
            let record = self.record();
            if !machine::report(&record, self.now()).needs_person || self.is_finished() {
                continue;
            }
            asked += 1;
            people::put_right(self.stage);
            let verb = match &record.phase {
                Phase::Paused { .. } if asked > RESUMES_MAX && record.promoted_at.is_none() => {
                    self.gave_up = true;
                    Verb::Abort
                }
                Phase::Paused { reason: PauseReason::Step { .. }, .. } => Verb::Promote,
                Phase::Paused { .. } => Verb::Resume,
                Phase::Aborting { .. } | Phase::Progressing | Phase::Healthy | Phase::Degraded { .. } => Verb::Abort,
            };
            self.order(&record.id, verb, &format!("calm-{asked}"));
        }
        machine::report(&self.record(), self.now())
    }

    /// Once calls succeed, an abort is walked to the end at once.
    fn abort_in_calm(&mut self) {
        let record = self.record();
        if self.is_finished() || record.promoted_at.is_some() || matches!(record.phase, Phase::Aborting { .. }) {
            return;
        }
        self.gave_up = true;
        self.order(&record.id, Verb::Abort, "abort-in-calm");
        self.run_for(HOME_WITHIN);
        let answer = at_once(RolloutStore::answer(&self.stage.inner, "abort-in-calm")).ok().flatten();
        let (later, now) = (self.record(), self.stage.time());
        if later.id != record.id || (later.is_finished() && later.promoted_at.is_some()) {
            return;
        }
        let record = later;
        let refused = matches!(answer, Some(Answer::Refused { .. }) | None) && record.promoted_at.is_none();
        let mut watch = self.stage.watch();
        watch.ledger.check(Check::R2, now, !refused, || format!("{answer:?}"));
        let held = matches!(record.phase, Phase::Aborting { home: Homeward::Held { .. }, .. });
        if record.promoted_at.is_none() && !held {
            let home = watch.is_home();
            watch.ledger.check(Check::R1, now, home, || format!("{:?}", record.phase));
        }
    }

    fn at_the_end(&mut self, rollout: &RolloutId, mask: &Mask, report: &Report) {
        self.stage.look_around();
        let (record, now) = (self.record(), self.stage.time());
        let live = self.stage.live_rules();
        let (stable, canary) = (&record.baseline.stable.group, &record.baseline.canary.group);
        let shares: Vec<_> = live.iter().filter_map(|rule| machine::share(rule, stable, canary).ok()).collect();
        let journal = at_once(self.stage.inner.journal(rollout, 0, u32::MAX)).expect("the journal is there");
        let services = [&record.baseline.stable.service, &record.baseline.canary.service];
        let locks = at_once(self.stage.inner.by_services(&services)).expect("the table is there");
        let quality = self.scene.quality;
        let gave_up = self.gave_up;
        let mut watch = self.stage.watch();
        let hours = SignedDuration::as_secs_f64(&now.duration_since(self.began)) / 3600.0;
        let (calls, commits, ours) = (watch.calls as f64 / hours, watch.commits as f64 / hours, watch.ours);
        let ledger = &mut watch.ledger;
        ledger.check(Check::L1, now, record.is_finished(), || format!("it does not end: {report:#?}"));
        let promoted = matches!(record.phase, Phase::Healthy);
        let whole = if promoted { Weight::FULL } else { Weight::ZERO };
        if !mask.has(Fault::RuleEdited) && record.is_finished() {
            let all = shares.iter().all(|share| *share == whole);
            ledger.check(Check::R8, now, all, || format!("{}: {shares:?}", report.phase));
        }
        ledger.check(Check::C7, now, locks.is_empty() || !record.is_finished(), || format!("{locks:?} are left"));
        if !journal.is_empty() {
            let verified = audit::verify(&journal);
            ledger.check(Check::S10, now, verified.is_ok(), || format!("{verified:?}"));
            let stored = serde_json::to_string(&(&record, &journal)).expect("it was stored");
            ledger.check(Check::H7, now, !stored.contains(people::SECRET), || "a secret was stored".to_owned());
        }
        ledger.check(Check::L5, now, calls < CALLS_AN_HOUR, || format!("{calls:.0} calls an hour"));
        ledger.check(Check::L6, now, commits < COMMITS_AN_HOUR, || format!("{commits:.0} commits an hour"));
        let mut seen = ours;
        if mask.any(Fault::holds_up_the_way_home) {
            seen.canary_after_abort = 0;
        }
        if matches!(quality, Quality::Sound | Quality::Failing) {
            ledger.check(Check::Users, now, seen.total() == 0, || format!("{seen:?}"));
        }
        let people = mask.any(Fault::is_of_people);
        let by_delivery = mask.kinds().all(Fault::is_of_delivery);
        match quality {
            Quality::Sound if by_delivery && !gave_up => {
                ledger.check(Check::S4, now, promoted, || format!("nothing was wrong, and yet {}", report.message));
            }
            Quality::Hopeless if !people => {
                ledger.check(Check::S4, now, !promoted, || "what was never healthy was promoted".to_owned());
            }
            Quality::Failing if self.scene.judges() && !people && !mask.has(Fault::Order) => {
                ledger.check(Check::S4, now, !promoted, || "what fails was promoted".to_owned());
            }
            Quality::Sound | Quality::Hopeless | Quality::Failing | Quality::Fading => {}
        }
        let single = [
            Fault::TableError,
            Fault::TableDown,
            Fault::QueueError,
            Fault::Kill,
            Fault::Redelivery,
            Fault::Freeze,
            Fault::Hurry,
        ];
        if !single.into_iter().any(|fault| mask.has(fault)) {
            let twice: Vec<u64> = watch.armed.iter().filter(|(_, sent)| **sent > 1).map(|(at, _)| *at).collect();
            watch.ledger.check(Check::L2, now, twice.is_empty(), || format!("armed twice: {twice:?}"));
        }
    }

    /// What is under way, what is delivered again and what is said after the end changes nothing; and the next one
    /// can begin.
    fn afterwards(&mut self, rollout: &RolloutId) {
        let before = self.record();
        if !before.is_finished() {
            return;
        }
        let rules = self.stage.live_rules();
        let kept = std::mem::take(&mut self.stage.mail().kept);
        for (to, body) in &kept {
            self.stage.post(Class::Again, *to, body, DELIVERY);
        }
        let verbs = [Verb::Promote, Verb::Abort, Verb::Resume, Verb::Pause];
        for (index, verb) in verbs.into_iter().enumerate() {
            self.order(rollout, verb, &format!("after-{index}"));
        }
        self.run_for(AFTER);
        let (after, now) = (self.record(), self.stage.time());
        // Another revision that was asked for during the storm may have begun.
        if after.id != before.id {
            return;
        }
        let same = before == after;
        let answers: Vec<_> = (0..verbs.len())
            .map(|index| at_once(RolloutStore::answer(&self.stage.inner, &format!("after-{index}"))).ok().flatten())
            .collect();
        {
            let moved = self.stage.live_rules() != rules;
            let mut watch = self.stage.watch();
            watch.ledger.check(Check::R5, now, !moved, || "a rule changed after the end".to_owned());
            let done = answers.iter().any(|answer| matches!(answer, Some(Answer::Done { .. }) | None));
            watch.ledger.check(Check::R7, now, same && !done, || format!("{answers:?}"));
            watch.ledger.check(Check::E4, now, same, || "the record changed after the end".to_owned());
        }
        if self.seed % 8 == 1 {
            self.next_one();
        }
    }

    fn next_one(&mut self) {
        people::calm_down(self.stage);
        self.run_for(DEPLOYS);
        let key = "next";
        let third = self.scene.third.clone();
        let begun = self.start(key, &third);
        let answer = at_once(RolloutStore::answer(&self.stage.inner, key)).ok().flatten();
        let busy = matches!(&answer, Some(Answer::Refused { refusals }) if refusals.iter().any(|r| r.why.contains("active rollout")));
        let now = self.stage.time();
        self.stage.watch().ledger.check(Check::L9, now, begun.is_ok() || !busy, || format!("{answer:?}"));
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
        let pictures = [Fault::StaleService, Fault::StaleRule, Fault::StaleHealth];
        let mask = self.stage.mask();
        let pictures = pictures.into_iter().any(|fault| mask.has(fault));
        while self.stage.time() < end {
            self.collect_events();
            let late = self.stage.apply_late();
            let now = self.stage.time();
            if now >= self.next_sweep {
                self.next_sweep = now + SWEEP;
                self.crew.sweep();
            }
            self.crew.take();
            if pictures && self.stage.dice().order.chance(0.1) {
                self.stage.take_picture();
            }
            let next = if self.crew.step() {
                let millis = i64::try_from(self.stage.dice().order.below(120)).unwrap_or(0);
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
