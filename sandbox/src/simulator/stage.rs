//! The ports of the in-process World, with every call a place where something goes wrong or somebody else acts.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};

use jiff::{SignedDuration, Timestamp};
use tidegate::analysis::{Found, MeasureRequest, Reading};
use tidegate::api::{Answer, Listed};
use tidegate::audit::AuditEntry;
use tidegate::events::Message;
use tidegate::fault::{Fault as PortFault, Obstacle, Outcome};
use tidegate::ids::{AlarmArn, RolloutId, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use tidegate::machine::Now;
use tidegate::machine::effect::Announcement;
use tidegate::observation::{
    Action, AlarmState, Blueprint, GroupSeen, Health, RevisionSeen, RouteAt, RouteSeen, RuleRef, RuleSeen, Scaling,
    ServiceSeen,
};
use tidegate::ports::{
    Announcer, Clock, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, Unfinished,
    WakeUps, Workload,
};
use tidegate::rollout::Promotion;

use super::checks::Check;
use super::dice::Dice;
use super::faults::{Fault, Mask};
use super::mail::{Class, Destination, Mail};
use super::watch::Watch;
use crate::inprocess::InProcess;
use crate::world::{EstateParts, Rng};

/// A stale answer is at most this old.
const STALEST: SignedDuration = SignedDuration::from_secs(10);
/// A write that timed out is applied at most so much later: less than the driver's own allowance for an operation.
const LATEST_MILLIS: u64 = 8000;
/// The table is away for at most so long.
const TABLE_AWAY_MILLIS: u64 = 300_000;

/// A World with a controller, and somebody who means ill.
pub struct Stage {
    /// The World and the durable memory.
    pub inner: InProcess,
    /// What the World consists of.
    pub parts: EstateParts,
    dice: Mutex<Dice>,
    mail: Mutex<Mail>,
    late: Mutex<Vec<(Timestamp, Lever)>>,
    watch: Mutex<Watch>,
    picture: Mutex<Option<Picture>>,
    /// The invocation that goes on now, and what its clock is wrong by.
    current: Mutex<Option<(u64, SignedDuration)>>,
    table_away_until: Mutex<Option<Timestamp>>,
    /// No event arrives before.
    pub bus_down_until: Mutex<Option<Timestamp>>,
}

/// A change of the world.
#[derive(Debug, Clone)]
enum Lever {
    Deploy(ServiceArn, TaskDefinitionArn, u32),
    Scale(ServiceArn, u32),
    Rule(RuleRef, Vec<Action>),
}

/// How things stood a moment ago.
struct Picture {
    at: Timestamp,
    services: BTreeMap<String, Option<ServiceSeen>>,
    rules: BTreeMap<RuleRef, RuleSeen>,
    health: BTreeMap<TargetGroupArn, Health>,
}

impl Stage {
    /// Puts an adversary between a controller and its World.
    pub fn new(inner: InProcess, parts: EstateParts, dice: Dice) -> Self {
        Self {
            inner,
            parts,
            dice: Mutex::new(dice),
            mail: Mutex::default(),
            late: Mutex::default(),
            watch: Mutex::default(),
            picture: Mutex::default(),
            current: Mutex::default(),
            table_away_until: Mutex::default(),
            bus_down_until: Mutex::default(),
        }
    }

    /// What can go wrong.
    pub fn mask(&self) -> Mask {
        self.dice().mask().clone()
    }

    /// The dice.
    pub fn dice(&self) -> MutexGuard<'_, Dice> {
        lock(&self.dice)
    }

    /// The messages under way.
    pub fn mail(&self) -> MutexGuard<'_, Mail> {
        lock(&self.mail)
    }

    /// What has been found.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }

    /// Which invocation goes on now.
    pub fn goes_on(&self, invocation: Option<(u64, SignedDuration)>) {
        *lock(&self.current) = invocation;
    }

    fn invocation(&self) -> Option<u64> {
        lock(&self.current).map(|(number, _)| number)
    }

    /// Takes an opportunity of a fault.
    pub fn strikes(&self, fault: Fault) -> Option<Rng> {
        let now = self.time();
        self.dice().strikes(fault, now)
    }

    /// Whether calls may fail, so that a failed record says nothing.
    pub fn is_stormy(&self) -> bool {
        self.dice().mask().any(Fault::holds_up_the_way_home)
    }

    /// The table answers again.
    pub fn table_is_back(&self) {
        *lock(&self.table_away_until) = None;
    }

    /// The time.
    pub fn time(&self) -> Timestamp {
        self.inner.world().now()
    }

    /// Sends a message with whatever happens to it on its way.
    pub fn post(&self, class: Class, destination: Destination, body: &str, delay: SignedDuration) {
        let now = self.time();
        let away = lock(&self.bus_down_until).filter(|until| class == Class::Event && now < *until);
        let at = away.unwrap_or(now).max(now + delay);
        let mut dice = self.dice();
        self.mail().post(class, destination, body, at, now, &mut dice);
    }

    /// Applies the writes that timed out and are due, and tells when the next one is.
    pub fn apply_late(&self) -> Option<Timestamp> {
        if lock(&self.late).is_empty() {
            return None;
        }
        let now = self.time();
        loop {
            let due = {
                let mut late = lock(&self.late);
                late.iter().position(|(at, _)| *at <= now).map(|index| late.remove(index))
            };
            let Some((_, lever)) = due else { break };
            self.pull(&lever, None);
        }
        lock(&self.late).iter().map(|(at, _)| *at).min()
    }

    /// Keeps how things stand, for stale answers, until they are as stale as answers get.
    pub fn take_picture(&self) {
        let now = self.time();
        if lock(&self.picture).as_ref().is_some_and(|picture| now < picture.at + STALEST) {
            return;
        }
        let Some(rollout) = self.watch().latest.clone() else { return };
        let sides = [&rollout.baseline.stable, &rollout.baseline.canary];
        let names = sides.map(|side| side.service.name());
        let seen = at_once(Workload::services(&self.inner, &self.parts.cluster, &names)).unwrap_or_default();
        let services = names.iter().map(|name| (*name).to_owned()).zip(seen).collect();
        let rules = self.live_rules().into_iter().map(|rule| (rule.rule.clone(), rule)).collect();
        let health = sides.into_iter().map(|side| (side.group.clone(), self.true_health(&side.group))).collect();
        *lock(&self.picture) = Some(Picture { at: now, services, rules, health });
    }

    /// The managed rules as they are.
    pub fn live_rules(&self) -> Vec<RuleSeen> {
        let rules: Vec<RuleRef> = match &self.watch().latest {
            Some(rollout) => rollout.baseline.rules.iter().map(|rule| rule.rule.clone()).collect(),
            None => return Vec::new(),
        };
        at_once(TrafficRouter::rules(&self.inner, &rules)).unwrap_or_default()
    }

    fn true_health(&self, group: &TargetGroupArn) -> Health {
        at_once(TrafficRouter::health(&self.inner, group)).unwrap_or_default()
    }

    /// Looks at users and rules, for the watch.
    pub fn look_around(&self) {
        let errors = self.inner.world().user_errors();
        let now = self.time();
        self.watch().looks_at_users(errors, now);
    }

    /// Somebody else acts: what users saw until now is not theirs.
    pub fn somebody_acts(&self) {
        self.look_around();
        let now = self.time();
        self.watch().deed(now);
    }

    /// Takes in how the rules are now.
    pub fn see_rules(&self) {
        let rules = self.live_rules();
        let now = self.time();
        let mut watch = self.watch();
        if let Some(rollout) = watch.latest.clone() {
            watch.see_rules(&rollout, &rules, now);
        }
    }

    fn stale<T>(&self, fault: Fault, read: impl FnOnce(&Picture) -> Option<T>) -> Option<T> {
        self.strikes(fault)?;
        let now = self.time();
        lock(&self.picture).as_ref().filter(|picture| now < picture.at + STALEST).and_then(read)
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, PortFault>>) -> Result<T, PortFault> {
        self.breath().await;
        if self.strikes(Fault::ThrottledRead).is_some() {
            return Err(PortFault::transient("Rate exceeded"));
        }
        if self.strikes(Fault::Reset).is_some() {
            return Err(PortFault::transient("connection reset"));
        }
        let answer = read.await;
        self.breath().await;
        answer
    }

    async fn table<T>(&self, call: impl Future<Output = Result<T, PortFault>>) -> Result<T, PortFault> {
        self.breath().await;
        self.table_answers()?;
        let answer = call.await;
        self.breath().await;
        answer
    }

    fn table_answers(&self) -> Result<(), PortFault> {
        let now = self.time();
        if let Some(mut chance) = self.strikes(Fault::TableDown) {
            let away = i64::try_from(chance.below(TABLE_AWAY_MILLIS)).unwrap_or(0);
            *lock(&self.table_away_until) = Some(now + SignedDuration::from_millis(away));
        }
        let away = lock(&self.table_away_until).is_some_and(|until| now < until);
        if away || self.strikes(Fault::TableError).is_some() {
            return Err(PortFault::transient("the table does not answer"));
        }
        Ok(())
    }

    async fn lever(&self, lever: Lever) -> Outcome {
        self.breath().await;
        let invocation = self.invocation();
        let outcome = if self.strikes(Fault::ThrottledWrite).is_some() {
            Outcome::NotApplied { fault: PortFault::transient("Rate exceeded") }
        } else if self.strikes(Fault::Denied).is_some() {
            Outcome::NotApplied { fault: PortFault::permanent(Obstacle::AccessDenied, "not authorized") }
        } else if let Some(mut chance) = self.strikes(Fault::Reset) {
            if chance.chance(0.5) {
                self.pull(&lever, invocation);
            }
            Outcome::Unknown { why: "connection reset".to_owned() }
        } else if let Some(mut chance) = self.strikes(Fault::TimeOut) {
            match chance.below(3) {
                0 => {}
                1 => self.pull_later(&lever, &mut chance),
                _ => {
                    self.pull(&lever, invocation);
                }
            }
            Outcome::Unknown { why: "timed out".to_owned() }
        } else {
            self.pull(&lever, invocation)
        };
        self.breath().await;
        outcome
    }

    fn pull_later(&self, lever: &Lever, chance: &mut Rng) {
        let millis = i64::try_from(chance.below(LATEST_MILLIS)).unwrap_or(0);
        let at = self.time() + SignedDuration::from_millis(millis);
        lock(&self.late).push((at, lever.clone()));
    }

    /// The controller's hand on the world, watched.
    fn pull(&self, lever: &Lever, invocation: Option<u64>) -> Outcome {
        let now = self.time();
        self.watch().tell(now, || format!("    writes {lever:?}"));
        match lever {
            Lever::Rule(rule, actions) => {
                self.look_around();
                self.see_rules();
                let group = self.watch().latest.as_ref().map(|rollout| rollout.baseline.canary.group.clone());
                let healthy = group.map_or(0, |group| self.true_health(&group).healthy);
                self.watch().writes_rule(invocation, rule, actions, healthy, now);
                let outcome = at_once(TrafficRouter::write(&self.inner, rule, actions));
                self.see_rules();
                outcome
            }
            Lever::Deploy(service, revision, tasks) => {
                self.watch_service(invocation, service, Some(revision), *tasks, now);
                at_once(Workload::deploy(&self.inner, service, revision, *tasks))
            }
            Lever::Scale(service, tasks) => {
                self.watch_service(invocation, service, None, *tasks, now);
                at_once(Workload::scale(&self.inner, service, *tasks))
            }
        }
    }

    fn watch_service(
        &self,
        invocation: Option<u64>,
        service: &ServiceArn,
        revision: Option<&TaskDefinitionArn>,
        tasks: u32,
        now: Timestamp,
    ) {
        self.look_around();
        self.see_rules();
        let seen = at_once(Workload::services(&self.inner, &self.parts.cluster, &[service.name()]));
        let from = seen.ok().and_then(|seen| seen.into_iter().next().flatten()).map_or(0, |seen| seen.desired);
        self.watch().writes_service(invocation, service, revision, from, tasks, now);
    }

    /// A moment in which others act; one for each call and one for each answer.
    fn breath(&self) -> impl Future<Output = ()> + Send + use<> {
        self.watch().calls += 1;
        breath()
    }
}

/// A moment in which others act.
fn breath() -> impl Future<Output = ()> + Send {
    struct Breath(bool);
    impl Future for Breath {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            if self.0 {
                return Poll::Ready(());
            }
            self.0 = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Breath(false)
}

/// The ports of the World answer at once.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the in-process ports never wait"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("one thread")
}

impl Workload for Stage {
    async fn services(&self, cluster: &str, names: &[&str]) -> Result<Vec<Option<ServiceSeen>>, PortFault> {
        if let Some(stale) = self.stale(Fault::StaleService, |picture| {
            names.iter().map(|name| picture.services.get(*name).cloned()).collect::<Option<Vec<_>>>()
        }) {
            self.breath().await;
            return Ok(stale);
        }
        self.read(Workload::services(&self.inner, cluster, names)).await
    }

    async fn blueprint(&self, cluster: &str, service: &str) -> Result<Option<Blueprint>, PortFault> {
        self.read(self.inner.blueprint(cluster, service)).await
    }

    async fn revision(&self, name: &str) -> Result<Option<RevisionSeen>, PortFault> {
        self.read(self.inner.revision(name)).await
    }

    async fn scaling(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, PortFault> {
        self.read(self.inner.scaling(services)).await
    }

    async fn deploy(&self, service: &ServiceArn, revision: &TaskDefinitionArn, tasks: u32) -> Outcome {
        self.lever(Lever::Deploy(service.clone(), revision.clone(), tasks)).await
    }

    async fn scale(&self, service: &ServiceArn, tasks: u32) -> Outcome {
        self.lever(Lever::Scale(service.clone(), tasks)).await
    }
}

impl TrafficRouter for Stage {
    async fn groups(&self, groups: &[&TargetGroupArn]) -> Result<BTreeMap<TargetGroupArn, GroupSeen>, PortFault> {
        self.read(self.inner.groups(groups)).await
    }

    async fn rules_naming(&self, groups: &[&TargetGroupArn]) -> Result<Vec<RuleSeen>, PortFault> {
        self.read(self.inner.rules_naming(groups)).await
    }

    async fn rules(&self, rules: &[RuleRef]) -> Result<Vec<RuleSeen>, PortFault> {
        if let Some(stale) = self.stale(Fault::StaleRule, |picture| {
            rules.iter().map(|rule| picture.rules.get(rule).cloned()).collect::<Option<Vec<_>>>()
        }) {
            self.breath().await;
            return Ok(stale);
        }
        self.read(TrafficRouter::rules(&self.inner, rules)).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Health, PortFault> {
        let stale = self.stale(Fault::StaleHealth, |picture| picture.health.get(group).copied());
        let answer = match stale {
            Some(stale) => {
                self.breath().await;
                Ok(stale)
            }
            None => self.read(TrafficRouter::health(&self.inner, group)).await,
        };
        if let Ok(health) = &answer {
            let now = self.time();
            self.watch().answers_health(group, health.healthy, now);
        }
        answer
    }

    async fn routes(&self, routes: &[RouteAt]) -> Result<Vec<RouteSeen>, PortFault> {
        self.read(TrafficRouter::routes(&self.inner, routes)).await
    }

    async fn create_route(&self, at: &RouteAt, actions: &[Action], rollout: &RolloutId) -> Outcome {
        self.breath().await;
        TrafficRouter::create_route(&self.inner, at, actions, rollout).await
    }

    async fn delete_route(&self, rule: &RuleRef) -> Outcome {
        self.breath().await;
        TrafficRouter::delete_route(&self.inner, rule).await
    }

    async fn write(&self, rule: &RuleRef, actions: &[Action]) -> Outcome {
        self.lever(Lever::Rule(rule.clone(), actions.to_vec())).await
    }
}

impl MetricProvider for Stage {
    async fn alarms(&self, names: &[&str]) -> Result<BTreeMap<String, (AlarmArn, AlarmState)>, PortFault> {
        self.read(self.inner.alarms(names)).await
    }

    async fn measure(&self, request: &MeasureRequest) -> Vec<Reading> {
        self.breath().await;
        let mut readings = self.inner.measure(request).await;
        for reading in &mut readings {
            if let Some(mut chance) = self.strikes(Fault::NoMetrics) {
                reading.found = match chance.below(3) {
                    0 => Found::Error { why: "CloudWatch does not answer".to_owned() },
                    1 => Found::NoData,
                    _ => Found::Value { value: f64::NAN, samples: 1000 },
                };
            }
        }
        readings
    }
}

impl RolloutStore for Stage {
    async fn load(&self, id: &RolloutId) -> Result<Option<Stored>, PortFault> {
        let loaded = self.table(self.inner.load(id)).await?;
        if let Some(invocation) = self.invocation() {
            let in_flight = loaded.as_ref().and_then(|stored| stored.rollout.in_flight.clone());
            self.watch().loads(invocation, in_flight);
        }
        Ok(loaded)
    }

    async fn by_services(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, RolloutId>, PortFault> {
        self.table(self.inner.by_services(services)).await
    }

    async fn by_alarm(&self, alarm: &AlarmArn) -> Result<Vec<RolloutId>, PortFault> {
        self.table(self.inner.by_alarm(alarm)).await
    }

    async fn unfinished(&self) -> Result<Vec<Unfinished>, PortFault> {
        self.table(self.inner.unfinished()).await
    }

    async fn begin(&self, commit: Commit<'_>) -> Result<(), CommitRefused> {
        self.breath().await;
        let rollout = commit.rollout.clone();
        self.inner.begin(commit).await?;
        let rules = rollout.baseline.rules.iter().map(|rule| rule.rule.clone()).collect::<Vec<_>>();
        let rules = at_once(TrafficRouter::rules(&self.inner, &rules)).unwrap_or_default();
        // What users saw before is none of its doing.
        self.look_around();
        let now = self.time();
        self.watch().begun(&rollout, &rules, now);
        self.breath().await;
        Ok(())
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<String, CommitRefused> {
        self.breath().await;
        self.table_answers()?;
        let (rollout, entry) = (commit.rollout.clone(), commit.entry.clone());
        let head = self.inner.commit(commit).await?;
        let now = self.time();
        self.watch().committed(&rollout, &entry, now);
        if self.strikes(Fault::TableError).is_some() {
            return Err(CommitRefused::Fault(PortFault::transient("the table did not say whether it took it")));
        }
        self.breath().await;
        Ok(head)
    }

    async fn promotions(&self, service: &ServiceArn, limit: u32) -> Result<Vec<Promotion>, PortFault> {
        self.table(self.inner.promotions(service, limit)).await
    }

    async fn record(&self, key: &str, answer: &Answer) -> Result<(), PortFault> {
        self.table(self.inner.record(key, answer)).await
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, PortFault> {
        self.table(self.inner.answer(key)).await
    }

    async fn journal(&self, id: &RolloutId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, PortFault> {
        self.inner.journal(id, from, limit).await
    }

    async fn list(&self, finished: bool, limit: u32) -> Result<Vec<Listed>, PortFault> {
        self.inner.list(finished, limit).await
    }
}

impl WakeUps for Stage {
    async fn send(&self, queue: Queue, message: &Message, delay: SignedDuration) -> Result<(), PortFault> {
        self.breath().await;
        let broken = self.strikes(Fault::QueueError);
        let answered = broken.is_none();
        if let Some(mut chance) = broken
            && chance.chance(0.5)
        {
            return Err(PortFault::transient("the queue does not answer"));
        }
        let class = match message {
            Message::Start(_) => Class::Start,
            Message::WakeUp { .. } => Class::WakeUp,
            Message::Event { .. } | Message::Effects { .. } | Message::Measure(_) => Class::Message,
        };
        if let Message::WakeUp { generation, .. } = message {
            self.watch().arms(*generation);
        }
        let destination = match queue {
            Queue::Commands | Queue::WakeUps => Destination::Controller,
            Queue::Analysis => Destination::Analysis,
        };
        self.post(class, destination, &message.body(), delay.max(SignedDuration::ZERO));
        if answered { Ok(()) } else { Err(PortFault::transient("the queue did not say whether it took it")) }
    }
}

impl Announcer for Stage {
    async fn announce(&self, announcements: &[Announcement]) -> Result<(), PortFault> {
        self.breath().await;
        if self.strikes(Fault::SinkDown).is_some() {
            let now = self.time();
            self.watch().ledger.check(Check::H8, now, true, String::new);
            return Err(PortFault::transient("the bus does not answer"));
        }
        self.inner.announce(announcements).await
    }
}

impl Clock for Stage {
    fn now(&self) -> Now {
        let wrong = lock(&self.current).map_or(SignedDuration::ZERO, |(_, wrong)| wrong);
        Now { at: self.time() + wrong, rate: 1 }
    }
}
