//! Controllers that make a mistake, for proof that the account of user errors sees it.
//!
//! The mistake is made at the World's calls, where both doors meet, because the shipped code must carry no switch for
//! doing wrong. To the account it is the same: a controller knows it by answers alone and moves it by calls alone. One
//! that does not wait for healthy targets calls as one that is told too early that they are there, and one that scales
//! in too early makes one call more, which is made here, at the instant at which it would. What then becomes of the
//! users is left to the same traffic, nodes and drains as ever.

use std::fmt;
use std::str::FromStr;

use super::World;
use super::ecs::{Service, UpdateService};
use super::elb::{Action, Attribute, DEREGISTRATION_DELAY, TargetDescription, TargetHealth, TargetHealthDescription};
use super::errors::ApiResult;

/// A mistake that a controller can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// It takes the tasks that it asked for for tasks that run and are healthy, and gives them users.
    WeightBeforeHealth,
    /// With the write that takes a side's last weight it takes the side's tasks, and lets nothing drain.
    ScaleInBeforeDrain,
    /// It takes a weight that reads 0 for one that every node follows, and takes the side's tasks on reading it.
    NoSettling,
}

/// A sabotage that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no sabotage `{0}`: there are weight-before-health, scale-in-before-drain, no-settling")]
pub struct UnknownSabotage(String);

impl Sabotage {
    pub const ALL: [Sabotage; 3] = [Sabotage::WeightBeforeHealth, Sabotage::ScaleInBeforeDrain, Sabotage::NoSettling];
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sabotage::WeightBeforeHealth => "weight-before-health",
            Sabotage::ScaleInBeforeDrain => "scale-in-before-drain",
            Sabotage::NoSettling => "no-settling",
        })
    }
}

impl FromStr for Sabotage {
    type Err = UnknownSabotage;

    fn from_str(text: &str) -> Result<Sabotage, UnknownSabotage> {
        let named = Sabotage::ALL.into_iter().find(|sabotage| sabotage.to_string() == text);
        named.ok_or_else(|| UnknownSabotage(text.to_owned()))
    }
}

impl World {
    /// What the controller makes of a service that it reads.
    pub(super) fn service_as_taken(&self, mut service: Service) -> Service {
        if self.config.sabotage == Some(Sabotage::WeightBeforeHealth) {
            service.running_count = service.desired_count;
            service.pending_count = 0;
            service.deployments.retain(|deployment| deployment.status == "PRIMARY");
        }
        service
    }

    /// What the controller makes of a group's targets.
    pub(super) fn health_as_taken(
        &self,
        group: &str,
        mut targets: Vec<TargetHealthDescription>,
    ) -> Vec<TargetHealthDescription> {
        if self.config.sabotage != Some(Sabotage::WeightBeforeHealth) {
            return targets;
        }
        let healthy = || TargetHealth { state: "healthy".to_owned(), reason: None, description: None };
        for target in targets.iter_mut().filter(|target| target.target_health.state != "draining") {
            target.target_health = healthy();
        }
        let there = targets.iter().filter(|target| target.target_health.state == "healthy").count();
        let wanted = self.service_behind(group).map_or(0, |service| service.desired_count as usize);
        targets.extend((there..wanted).map(|n| TargetHealthDescription {
            target: TargetDescription { id: format!("not-there-yet-{n}"), port: None, availability_zone: None },
            health_check_port: "80".to_owned(),
            target_health: healthy(),
        }));
        targets
    }

    /// A rule was written that had these actions before.
    pub(super) fn rule_written(&mut self, before: &[Action]) -> ApiResult<()> {
        let mut left = Vec::new();
        for group in weighted(before) {
            if self.rules.values().all(|rule| !weighted(&rule.view.actions).contains(&group)) {
                left.push(group);
            }
        }
        match self.config.sabotage {
            Some(Sabotage::ScaleInBeforeDrain) => {
                for group in left {
                    let none = Attribute { key: DEREGISTRATION_DELAY.to_owned(), value: "0".to_owned() };
                    self.modify_target_group_attributes(&group, &[none])?;
                    self.take_tasks(&group)?;
                }
            }
            Some(Sabotage::NoSettling) => self.left_unread.extend(left),
            Some(Sabotage::WeightBeforeHealth) | None => {}
        }
        Ok(())
    }

    /// Rules were read: what lost its last weight before reads 0 now.
    pub(super) fn rules_read(&mut self) -> ApiResult<()> {
        for group in std::mem::take(&mut self.left_unread) {
            self.take_tasks(&group)?;
        }
        Ok(())
    }

    fn take_tasks(&mut self, group: &str) -> ApiResult<()> {
        let Some(service) = self.service_behind(group) else {
            return Ok(());
        };
        self.update_service(UpdateService {
            cluster: Some(service.cluster_arn.clone()),
            service: service.service_name.clone(),
            desired_count: Some(0),
            ..UpdateService::default()
        })?;
        Ok(())
    }

    fn service_behind(&self, group: &str) -> Option<&Service> {
        let behind = |service: &&Service| {
            service.load_balancers.iter().any(|entry| entry.target_group_arn.as_deref() == Some(group))
        };
        self.services.values().map(|state| &state.view).find(behind)
    }
}

/// The groups that get users by these actions.
fn weighted(actions: &[Action]) -> Vec<String> {
    let forwards = actions.iter().filter_map(|action| action.forward_config.as_ref());
    let tuples = forwards.flat_map(|forward| &forward.target_groups).filter(|tuple| tuple.weight.unwrap_or(0) > 0);
    tuples.map(|tuple| tuple.target_group_arn.clone()).collect()
}
