//! The ports of the in-process World, with every call a place where something goes wrong or somebody else acts.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};

use jiff::{SignedDuration, Timestamp};
use sandbox::inprocess::InProcess;
use sandbox::world::{EstateParts, Rng};
use tidegate::analysis::{MeasureRequest, Reading};
use tidegate::api::{Answer, Listed};
use tidegate::audit::AuditEntry;
use tidegate::events::Message;
use tidegate::fault::{Fault, Obstacle, Outcome};
use tidegate::ids::{AlarmArn, RolloutId, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use tidegate::machine::effect::Announcement;
use tidegate::machine::{self, Now};
use tidegate::observation::{
    Action, AlarmState, Blueprint, GroupSeen, Health, RevisionSeen, RouteAt, RouteSeen, RuleRef, RuleSeen, Scaling,
    ServiceSeen,
};
use tidegate::ports::{
    Announcer, Clock, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, Unfinished,
    WakeUps, Workload,
};
use tidegate::rollout::Promotion;

use super::mail::{Class, Destination, Mail};
use super::mask::Mask;
use super::watch::Watch;

/// A stale answer is at most this old.
const STALEST: SignedDuration = SignedDuration::from_secs(10);
/// A write that timed out is applied at most so much later: less than the driver's own allowance for an operation.
const LATEST_MILLIS: u64 = 8000;

/// A World with a controller, and somebody who means ill.
pub struct Stage {
    /// The World and the durable memory.
    pub inner: InProcess,
    /// What the World consists of.
    pub parts: EstateParts,
    /// What goes wrong.
    pub mask: Mutex<Mask>,
    chance: Mutex<Rng>,
    mail: Mutex<Mail>,
    late: Mutex<Vec<(Timestamp, Lever)>>,
    watch: Mutex<Watch>,
    picture: Mutex<Option<Picture>>,
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
    pub fn new(inner: InProcess, parts: EstateParts, chance: Rng) -> Self {
        Self {
            inner,
            parts,
            mask: Mutex::default(),
            chance: Mutex::new(chance),
            mail: Mutex::default(),
            late: Mutex::default(),
            watch: Mutex::default(),
            picture: Mutex::default(),
        }
    }

    /// What goes wrong now.
    pub fn mask(&self) -> Mask {
        *lock(&self.mask)
    }

    /// The messages under way.
    pub fn mail(&self) -> MutexGuard<'_, Mail> {
        lock(&self.mail)
    }

    /// What has been found.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }

    /// The one source of chance.
    pub fn chance(&self) -> MutexGuard<'_, Rng> {
        lock(&self.chance)
    }

    /// Whether it happens now.
    pub fn happens(&self, kind: bool, probability: f64) -> bool {
        kind && self.chance().chance(probability)
    }

    /// The time.
    pub fn time(&self) -> Timestamp {
        self.inner.world().now()
    }

    /// Sends a message with whatever happens to it on its way.
    pub fn post(&self, class: Class, destination: Destination, body: &str, delay: SignedDuration) {
        let (now, mask) = (self.time(), self.mask());
        let mut chance = self.chance();
        self.mail().post(class, destination, body, now + delay, mask, &mut chance);
    }

    /// Applies the writes that timed out and are due, and tells when the next one is.
    pub fn apply_late(&self) -> Option<Timestamp> {
        let now = self.time();
        loop {
            let due = {
                let mut late = lock(&self.late);
                late.iter().position(|(at, _)| *at <= now).map(|index| late.remove(index))
            };
            let Some((_, lever)) = due else { break };
            self.pull(&lever);
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
        let health = |group: &TargetGroupArn| at_once(TrafficRouter::health(&self.inner, group)).unwrap_or_default();
        let health = sides.into_iter().map(|side| (side.group.clone(), health(&side.group))).collect();
        *lock(&self.picture) = Some(Picture { at: now, services, rules, health });
    }

    /// The managed rules as they are.
    pub fn live_rules(&self) -> Vec<RuleSeen> {
        let Some(rollout) = self.watch().latest.clone() else { return Vec::new() };
        let rules: Vec<RuleRef> = rollout.baseline.rules.iter().map(|rule| rule.rule.clone()).collect();
        at_once(TrafficRouter::rules(&self.inner, &rules)).unwrap_or_default()
    }

    fn stale<T>(&self, read: impl FnOnce(&Picture) -> Option<T>) -> Option<T> {
        if !self.happens(self.mask().reads_stale, 0.25) {
            return None;
        }
        let now = self.time();
        lock(&self.picture).as_ref().filter(|picture| now < picture.at + STALEST).and_then(read)
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        breath().await;
        if self.happens(self.mask().throttles_reads, 0.1) {
            return Err(Fault::transient("Rate exceeded"));
        }
        let answer = read.await;
        breath().await;
        answer
    }

    async fn table<T>(&self, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        breath().await;
        if self.happens(self.mask().breaks_table, 0.03) {
            return Err(Fault::transient("the table does not answer"));
        }
        let answer = call.await;
        breath().await;
        answer
    }

    async fn lever(&self, lever: Lever) -> Outcome {
        breath().await;
        let mask = self.mask();
        let outcome = if self.happens(mask.throttles_writes, 0.2) {
            Outcome::NotApplied { fault: Fault::transient("Rate exceeded") }
        } else if self.happens(mask.denies, 0.05) {
            Outcome::NotApplied { fault: Fault::permanent(Obstacle::AccessDenied, "not authorized") }
        } else if self.happens(mask.times_out, 0.2) {
            let unknown = Outcome::Unknown { why: "timed out".to_owned() };
            let fate = self.chance().below(3);
            if fate == 1 {
                self.pull_later(&lever);
            } else if fate == 2 {
                self.pull(&lever);
            }
            unknown
        } else {
            self.pull(&lever)
        };
        breath().await;
        outcome
    }

    fn pull_later(&self, lever: &Lever) {
        let millis = i64::try_from(lock(&self.chance).below(LATEST_MILLIS)).unwrap_or(0);
        let at = self.time() + SignedDuration::from_millis(millis);
        lock(&self.late).push((at, lever.clone()));
    }

    /// The controller's hand on the world, watched.
    fn pull(&self, lever: &Lever) -> Outcome {
        let (now, rules) = (self.time(), self.live_rules());
        match lever {
            Lever::Rule(rule, actions) => {
                let latest = self.watch().latest.clone();
                if let Some(rollout) = latest {
                    let pair = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
                    let share = |seen: &RuleSeen| machine::share(seen, pair.0, pair.1).ok();
                    let live = rules.iter().find(|seen| seen.rule == *rule);
                    let written = RuleSeen {
                        rule: rule.clone(),
                        label: "written".to_owned(),
                        actions: actions.clone(),
                        site: None,
                    };
                    if let (Some(written), Some(live)) = (share(&written), live.and_then(share)) {
                        self.watch().weighs(written, live, now);
                    }
                }
                at_once(TrafficRouter::write(&self.inner, rule, actions))
            }
            Lever::Deploy(service, revision, tasks) => {
                self.watch_shrink(service, *tasks, &rules, now);
                at_once(Workload::deploy(&self.inner, service, revision, *tasks))
            }
            Lever::Scale(service, tasks) => {
                self.watch_shrink(service, *tasks, &rules, now);
                at_once(Workload::scale(&self.inner, service, *tasks))
            }
        }
    }

    fn watch_shrink(&self, service: &ServiceArn, tasks: u32, rules: &[RuleSeen], now: Timestamp) {
        let seen = at_once(Workload::services(&self.inner, &self.parts.cluster, &[service.name()]));
        let from = seen.ok().and_then(|seen| seen.into_iter().next().flatten()).map_or(0, |seen| seen.desired);
        self.watch().shrinks(service.as_str(), from, tasks, rules, now);
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
    async fn services(&self, cluster: &str, names: &[&str]) -> Result<Vec<Option<ServiceSeen>>, Fault> {
        if let Some(stale) = self
            .stale(|picture| names.iter().map(|name| picture.services.get(*name).cloned()).collect::<Option<Vec<_>>>())
        {
            breath().await;
            return Ok(stale);
        }
        self.read(Workload::services(&self.inner, cluster, names)).await
    }

    async fn blueprint(&self, cluster: &str, service: &str) -> Result<Option<Blueprint>, Fault> {
        self.read(self.inner.blueprint(cluster, service)).await
    }

    async fn revision(&self, name: &str) -> Result<Option<RevisionSeen>, Fault> {
        self.read(self.inner.revision(name)).await
    }

    async fn scaling(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, Fault> {
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
    async fn groups(&self, groups: &[&TargetGroupArn]) -> Result<BTreeMap<TargetGroupArn, GroupSeen>, Fault> {
        self.read(self.inner.groups(groups)).await
    }

    async fn rules_naming(&self, groups: &[&TargetGroupArn]) -> Result<Vec<RuleSeen>, Fault> {
        self.read(self.inner.rules_naming(groups)).await
    }

    async fn rules(&self, rules: &[RuleRef]) -> Result<Vec<RuleSeen>, Fault> {
        if let Some(stale) =
            self.stale(|picture| rules.iter().map(|rule| picture.rules.get(rule).cloned()).collect::<Option<Vec<_>>>())
        {
            breath().await;
            return Ok(stale);
        }
        self.read(TrafficRouter::rules(&self.inner, rules)).await
    }

    async fn routes(&self, routes: &[RouteAt]) -> Result<Vec<RouteSeen>, Fault> {
        self.read(TrafficRouter::routes(&self.inner, routes)).await
    }

    async fn create_route(&self, at: &RouteAt, actions: &[Action], rollout: &RolloutId) -> Outcome {
        breath().await;
        TrafficRouter::create_route(&self.inner, at, actions, rollout).await
    }

    async fn delete_route(&self, rule: &RuleRef) -> Outcome {
        breath().await;
        TrafficRouter::delete_route(&self.inner, rule).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Health, Fault> {
        if let Some(stale) = self.stale(|picture| picture.health.get(group).copied()) {
            breath().await;
            return Ok(stale);
        }
        self.read(TrafficRouter::health(&self.inner, group)).await
    }

    async fn write(&self, rule: &RuleRef, actions: &[Action]) -> Outcome {
        self.lever(Lever::Rule(rule.clone(), actions.to_vec())).await
    }
}

impl MetricProvider for Stage {
    async fn alarms(&self, names: &[&str]) -> Result<BTreeMap<String, (AlarmArn, AlarmState)>, Fault> {
        self.read(self.inner.alarms(names)).await
    }

    async fn measure(&self, request: &MeasureRequest) -> Vec<Reading> {
        breath().await;
        self.inner.measure(request).await
    }
}

impl RolloutStore for Stage {
    async fn load(&self, id: &RolloutId) -> Result<Option<Stored>, Fault> {
        self.table(self.inner.load(id)).await
    }

    async fn by_services(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, RolloutId>, Fault> {
        self.table(self.inner.by_services(services)).await
    }

    async fn by_alarm(&self, alarm: &AlarmArn) -> Result<Vec<RolloutId>, Fault> {
        self.table(self.inner.by_alarm(alarm)).await
    }

    async fn promotions(&self, service: &ServiceArn, limit: u32) -> Result<Vec<Promotion>, Fault> {
        self.table(self.inner.promotions(service, limit)).await
    }

    async fn unfinished(&self) -> Result<Vec<Unfinished>, Fault> {
        self.table(self.inner.unfinished()).await
    }

    async fn begin(&self, commit: Commit<'_>) -> Result<(), CommitRefused> {
        breath().await;
        let rollout = commit.rollout.clone();
        self.inner.begin(commit).await?;
        self.watch().committed(&rollout, self.time());
        breath().await;
        Ok(())
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<String, CommitRefused> {
        breath().await;
        let fault = || CommitRefused::Fault(Fault::transient("the table does not answer"));
        if self.happens(self.mask().breaks_table, 0.03) {
            return Err(fault());
        }
        let rollout = commit.rollout.clone();
        let head = self.inner.commit(commit).await?;
        let now = self.time();
        self.watch().committed(&rollout, now);
        if self.happens(self.mask().breaks_table, 0.03) {
            return Err(fault());
        }
        breath().await;
        Ok(head)
    }

    async fn record(&self, key: &str, answer: &Answer) -> Result<(), Fault> {
        self.table(self.inner.record(key, answer)).await
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Fault> {
        self.table(self.inner.answer(key)).await
    }

    async fn journal(&self, id: &RolloutId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, Fault> {
        self.inner.journal(id, from, limit).await
    }

    async fn list(&self, finished: bool, limit: u32) -> Result<Vec<Listed>, Fault> {
        self.inner.list(finished, limit).await
    }
}

impl WakeUps for Stage {
    async fn send(&self, queue: Queue, message: &Message, delay: SignedDuration) -> Result<(), Fault> {
        breath().await;
        let broken = self.happens(self.mask().breaks_queues, 0.05);
        if broken && self.chance().chance(0.5) {
            return Err(Fault::transient("the queue does not answer"));
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
        if broken {
            return Err(Fault::transient("the queue did not say whether it took it"));
        }
        Ok(())
    }
}

impl Announcer for Stage {
    async fn announce(&self, announcements: &[Announcement]) -> Result<(), Fault> {
        breath().await;
        if self.happens(self.mask().breaks_queues, 0.2) {
            return Err(Fault::transient("the bus does not answer"));
        }
        self.inner.announce(announcements).await
    }
}

impl Clock for Stage {
    fn now(&self) -> Now {
        Now { at: self.time(), rate: 1 }
    }
}
