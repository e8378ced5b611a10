//! Effects become calls, and calls become answers.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all, join3, join4};
use jiff::SignedDuration;

use super::{Driver, OPERATION, Reach, World};
use crate::events::Message;
use crate::fault::{Fault, Obstacle, Outcome};
use crate::ids::{RolloutId, TargetGroupArn};
use crate::machine::effect::{Announcement, Effect, RuleWrite, Weighted, Write};
use crate::machine::event::Event;
use crate::mistake::{Mistake, made};
use crate::observation::{Action, AlarmState, Observation, Read, RuleRef, RuleSeen, ServiceSeen};
use crate::ports::{Queue, Stored};
use crate::rollout::Rollout;
use crate::spec::WorkloadSpec;

/// What came of performing.
pub(super) struct Performed {
    /// The answers, to be folded.
    pub(super) answers: Vec<Event>,
    /// Why a message was not sent, if one was not.
    pub(super) unsent: Option<Fault>,
}

impl<P: World> Driver<'_, P> {
    /// Performs the effects of a committed step, but for the way home, which went out with the commit. Hands on
    /// what this function may not do, and what there is no time for. A message that cannot be sent loses no answer.
    pub(super) async fn perform(&self, stored: &Stored, effects: Vec<Effect>) -> Performed {
        let id = &stored.rollout.id;
        let (mut answers, mut others, mut told, mut sent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Announce(announcement) => told.push(announcement),
                Effect::Perform { write: Write::GoHome { .. }, .. } => {}
                effect if self.reach == Reach::WeightsHome || !self.in_time() => others.push(effect),
                Effect::Observe { generation } => {
                    answers.push(Event::Observed(Box::new(self.observe(&stored.rollout, generation).await)));
                }
                Effect::Perform { token, write } => {
                    let outcome = self.write(id, token, &write).await;
                    answers.push(Event::Performed { token, outcome });
                }
                Effect::Measure(request) => {
                    let message = Message::Measure(request);
                    sent.push(self.ports.send(Queue::Analysis, &message, SignedDuration::ZERO).await);
                }
                Effect::WakeAt { at, generation } => sent.push(self.wake_at(id, at, generation).await),
            }
        }
        if !others.is_empty() {
            sent.push(self.hand_on(id, others).await);
        }
        self.announce(&told).await;
        Performed { answers, unsent: sent.into_iter().find_map(Result::err) }
    }

    /// Performs effects that another function handed on. A newer state makes them moot; their answers say so.
    pub(super) async fn perform_handed_on(&self, id: &RolloutId, effects: Vec<Effect>) -> Result<(), Fault> {
        let Some(stored) = self.ports.load(id).await? else { return Ok(()) };
        // The way home is never handed on: it goes out with its commit, so an old message cannot bring it back.
        let performed = self.perform(&stored, effects).await;
        if !performed.answers.is_empty() {
            self.give(id, performed.answers, None).await?;
        }
        performed.unsent.map_or(Ok(()), Err)
    }

    async fn wake_at(&self, id: &RolloutId, at: jiff::Timestamp, generation: u64) -> Result<(), Fault> {
        let delay = at.duration_since(self.ports.now().at).max(SignedDuration::ZERO);
        let message = Message::WakeUp { rollout: id.clone(), generation };
        self.ports.send(Queue::WakeUps, &message, delay).await
    }

    /// A bus that fails never changes a rollout.
    pub(super) async fn announce(&self, told: &[Announcement]) {
        if told.is_empty() {
            return;
        }
        for announcement in told {
            tracing::info!(rollout.id = %announcement.rollout, what = ?announcement.what, "{}", announcement.message);
        }
        if let Err(fault) = self.ports.announce(told).await {
            tracing::warn!(%fault, "Announcements were not put on the bus");
        }
    }

    /// Describes everything that a rollout touches, all at once.
    async fn observe(&self, rollout: &Rollout, generation: u64) -> Observation {
        let as_of = self.ports.now().at;
        let baseline = &rollout.baseline;
        let WorkloadSpec::TwinServices { cluster, .. } = &rollout.spec.workload;
        let names = [baseline.stable.service.name(), baseline.canary.service.name()];
        let refs = |rules: &[RuleSeen]| -> Vec<RuleRef> { rules.iter().map(|rule| rule.rule.clone()).collect() };
        let (rules, preview) = (refs(&baseline.rules), refs(&baseline.preview));
        let ((services, rules, preview, routes), (stable_health, canary_health, alarms)) = join(
            join4(
                self.ports.services(cluster, &names),
                self.rules_left(&rules),
                async { if preview.is_empty() { Ok(Vec::new()) } else { self.ports.rules(&preview).await } },
                self.routes(&baseline.routes),
            ),
            join3(
                self.ports.health(&baseline.stable.group),
                self.ports.health(&baseline.canary.group),
                self.alarms(&rollout.spec.alarms),
            ),
        )
        .await;
        let [stable, canary] = both(services, names);
        Observation {
            generation,
            as_of,
            stable,
            canary,
            stable_health: stable_health.into(),
            canary_health: canary_health.into(),
            rules: rules.into(),
            preview: preview.into(),
            routes: routes.into(),
            alarms: alarms.into(),
        }
    }

    /// Reads the rules, as far as they are there: one that was deleted must not hide the others.
    async fn rules_left(&self, asked: &[RuleRef]) -> Result<Vec<RuleSeen>, Fault> {
        let gone = |fault: &Fault| matches!(fault, Fault::Permanent { reason: Obstacle::NotFound, .. });
        match self.ports.rules(asked).await {
            Err(fault) if gone(&fault) => {
                let each = join_all(asked.iter().map(|rule| self.ports.rules(std::slice::from_ref(rule)))).await;
                let left = each.into_iter().filter(|read| !read.as_ref().is_err_and(gone));
                Ok(left.collect::<Result<Vec<_>, _>>()?.concat())
            }
            answer => answer,
        }
    }

    async fn alarms(&self, names: &[String]) -> Result<BTreeMap<String, AlarmState>, Fault> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let alarms = self.ports.alarms(&names).await?;
        Ok(alarms.into_iter().map(|(name, (_, state))| (name, state)).collect())
    }

    /// Writes the baseline on every rule at once. Needs no read before, and no commit.
    pub(super) async fn write_home(&self, effects: &[Effect]) -> Option<Event> {
        let (token, rules) = effects.iter().find_map(|effect| match effect {
            Effect::Perform { token, write: Write::GoHome { rules } } => Some((*token, rules)),
            Effect::Perform { .. }
            | Effect::Observe { .. }
            | Effect::Measure(_)
            | Effect::WakeAt { .. }
            | Effect::Announce(_) => None,
        })?;
        Some(Event::Performed { token, outcome: self.write_rules(rules).await })
    }

    /// Changes the world, once the token is known to stand and the precondition to hold.
    async fn write(&self, id: &RolloutId, token: u64, write: &Write) -> Outcome {
        if let Err(outcome) = self.still_ours(id, token).await {
            return outcome;
        }
        match write {
            Write::SetWeights { rules, .. } | Write::Preview { rules } | Write::OpenRoutes { rules } => {
                match self.as_expected(rules).await {
                    Ok(()) => self.write_rules(rules).await,
                    Err(fault) => Outcome::NotApplied { fault },
                }
            }
            Write::GoHome { rules } => self.write_rules(rules).await,
            Write::CreateRoutes { routes } => self.create_routes(id, routes).await,
            Write::DeleteRoutes { routes, unless_weighted } => {
                self.delete_routes(routes, unless_weighted.as_ref()).await
            }
            Write::Deploy { service, revision, tasks } => self.ports.deploy(service, revision, *tasks).await,
            Write::Scale { service, tasks, unless_weighted } => {
                let precondition = match unless_weighted {
                    Some(weighted) => self.without_weight(weighted).await,
                    None => Ok(()),
                };
                match precondition {
                    Ok(()) => self.ports.scale(service, *tasks).await,
                    Err(fault) => Outcome::NotApplied { fault },
                }
            }
        }
    }

    /// The token, not the version: every folded task event moves that.
    async fn still_ours(&self, id: &RolloutId, token: u64) -> Result<(), Outcome> {
        if made(Mistake::TokenUnchecked) {
            return Ok(());
        }
        let not_applied = |fault| Outcome::NotApplied { fault };
        let stored = self.ports.load(id).await.map_err(not_applied)?;
        let now = self.ports.now();
        let in_flight = stored.and_then(|stored| stored.rollout.in_flight).filter(|flight| flight.token == token);
        match in_flight {
            Some(in_flight) if now.at + now.transport(OPERATION) < in_flight.expires_at => Ok(()),
            Some(_) => Err(not_applied(Fault::conflict("too late: the lease of this write has ended"))),
            None => Err(not_applied(Fault::conflict("another write took the place of this one"))),
        }
    }

    async fn as_expected(&self, writes: &[RuleWrite]) -> Result<(), Fault> {
        if made(Mistake::OverwritesBlindly) {
            return Ok(());
        }
        let asked: Vec<RuleRef> = writes.iter().map(|write| write.rule.clone()).collect();
        let found = self.ports.rules(&asked).await?;
        for write in writes {
            let Some(rule) = found.iter().find(|rule| rule.rule == write.rule) else {
                return Err(Fault::conflict(format!("{} is gone", write.rule.arn)));
            };
            if write.only_if.as_ref().is_some_and(|expected| *expected != rule.actions) {
                return Err(Fault::conflict(format!("{} is not as it was when this was decided", rule.label)));
            }
        }
        Ok(())
    }

    async fn without_weight(&self, weighted: &Weighted) -> Result<(), Fault> {
        // Not the managed rules alone: somebody may have made another one since the start.
        let rules = self.ports.rules_naming(&[&weighted.group]).await?;
        let loaded = rules.iter().find(|rule| rule.actions.iter().any(|action| weight_of(action, &weighted.group) > 0));
        match loaded {
            Some(rule) => Err(Fault::conflict(format!("{} still has weight on {}", weighted.group.name(), rule.label))),
            None => Ok(()),
        }
    }

    /// All rules at once.
    async fn write_rules(&self, writes: &[RuleWrite]) -> Outcome {
        worst(join_all(writes.iter().map(|write| self.ports.write(&write.rule, &write.actions))).await)
    }
}

/// One unknown makes the whole unknown, one refused makes it refused.
pub(super) fn worst(answers: Vec<Outcome>) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Applied => 0,
        Outcome::NotApplied { fault: Fault::Transient { .. } | Fault::Conflict { .. } } => 1,
        Outcome::NotApplied { fault: Fault::Permanent { .. } } => 2,
        Outcome::Unknown { .. } => 3,
    };
    answers.into_iter().max_by_key(rank).unwrap_or(Outcome::Applied)
}

/// Returns a group's weight in an action.
pub(super) fn weight_of(action: &Action, group: &TargetGroupArn) -> u32 {
    match action {
        Action::Forward { groups, .. } => groups.iter().filter(|(named, _)| named == group).map(|(_, w)| *w).sum(),
        Action::Other { .. } => 0,
    }
}

/// Splits the answer about two services; one that is gone is a permanent fault, not an absence to act on.
fn both(answer: Result<Vec<Option<ServiceSeen>>, Fault>, names: [&str; 2]) -> [Read<ServiceSeen>; 2] {
    let mut services = match answer {
        Ok(services) => services.into_iter(),
        Err(fault) => return [Read::Unknown(fault.clone()), Read::Unknown(fault)],
    };
    names.map(|name| match services.next().flatten() {
        Some(service) => Read::Is(service),
        None => Read::Unknown(Fault::permanent(Obstacle::NotFound, format!("service {name}"))),
    })
}
