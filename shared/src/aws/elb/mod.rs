//! Elastic Load Balancing: rules and default actions, read and written whole, and the health of target groups.

mod actions;
mod label;
mod routes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    self as aws, Listener, ProtocolEnum, TargetGroup, TargetHealthDescription, TargetHealthStateEnum,
};
use futures_util::future::{try_join, try_join_all};
use jiff::SignedDuration;

use crate::aws::classify::{fault, outcome};
use crate::aws::config::once;
use crate::fault::{Fault, Obstacle, Outcome};
use crate::ids::{RolloutId, RuleArn, TargetGroupArn};
use crate::observation::{Action, GroupSeen, Health, RouteAt, RouteSeen, RulePlace, RuleRef, RuleSeen};
use crate::ports::TrafficRouter;

const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

/// What AWS gives a target group that names no delay.
const DEFAULT_DEREGISTRATION_DELAY: SignedDuration = SignedDuration::from_secs(300);

/// The clients of Elastic Load Balancing.
#[derive(Debug, Clone)]
pub struct LoadBalancers {
    reads: Client,
    writes: Client,
    /// Listeners by ARN, as people know them. Names only: they save a call per look, and decide nothing.
    names: Arc<Mutex<BTreeMap<String, String>>>,
}

impl LoadBalancers {
    /// Makes the clients.
    pub fn new(sdk: &SdkConfig) -> Self {
        let writes = aws_sdk_elasticloadbalancingv2::config::Builder::from(sdk).retry_config(once()).build();
        Self { reads: Client::new(sdk), writes: Client::from_conf(writes), names: Arc::default() }
    }

    async fn target_groups(&self, groups: &[&TargetGroupArn]) -> Result<Vec<TargetGroup>, Fault> {
        let arns = groups.iter().map(|group| group.as_str().to_owned()).collect();
        let answer = self.reads.describe_target_groups().set_target_group_arns(Some(arns)).send().await;
        Ok(answer.map_err(fault)?.target_groups.unwrap_or_default())
    }

    async fn deregistration_delay(&self, group: &TargetGroupArn) -> Result<SignedDuration, Fault> {
        let call = self.reads.describe_target_group_attributes().target_group_arn(group.as_str());
        let answer = call.send().await.map_err(fault)?;
        let delay = answer.attributes().iter().find(|attribute| attribute.key() == Some(DEREGISTRATION_DELAY));
        match delay.and_then(|delay| delay.value()) {
            None => Ok(DEFAULT_DEREGISTRATION_DELAY),
            Some(seconds) => seconds.parse().map(SignedDuration::from_secs).map_err(|_| {
                Fault::transient(format!("DescribeTargetGroupAttributes says {DEREGISTRATION_DELAY} is {seconds:?}"))
            }),
        }
    }

    async fn listeners_of(&self, load_balancer: &str) -> Result<Vec<Listener>, Fault> {
        let mut pages = self.reads.describe_listeners().load_balancer_arn(load_balancer).into_paginator().send();
        let mut listeners = Vec::new();
        while let Some(page) = pages.next().await {
            listeners.extend(page.map_err(fault)?.listeners.unwrap_or_default());
        }
        self.remember(&listeners);
        Ok(listeners)
    }

    async fn listeners(&self, arns: Vec<String>) -> Result<Vec<Listener>, Fault> {
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.reads.describe_listeners().set_listener_arns(Some(arns)).send().await.map_err(fault)?;
        let listeners = answer.listeners.unwrap_or_default();
        self.remember(&listeners);
        Ok(listeners)
    }

    /// Reads a listener's rules; the default one among them is the listener's own default action, read there.
    async fn rules_of(&self, listener: &str) -> Result<Vec<aws::Rule>, Fault> {
        let mut pages = self.reads.describe_rules().listener_arn(listener).into_paginator().send();
        let mut rules = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(fault)?.rules.unwrap_or_default();
            rules.extend(page.into_iter().filter(|rule| rule.is_default() != Some(true)));
        }
        Ok(rules)
    }

    async fn rules_by_arn(&self, arns: Vec<String>) -> Result<Vec<aws::Rule>, Fault> {
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.reads.describe_rules().set_rule_arns(Some(arns)).send().await.map_err(fault)?;
        Ok(answer.rules.unwrap_or_default())
    }

    fn remember(&self, listeners: &[Listener]) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .extend(listeners.iter().filter_map(|seen| Some((seen.listener_arn()?.to_owned(), label::listener(seen)))));
    }

    fn name(&self, listener: &str) -> Option<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).get(listener).cloned()
    }

    /// Finds what names one of `groups` on one listener: its default action, and its rules. And counts all its rules.
    async fn on_listener(
        &self,
        listener: &Listener,
        groups: &[&TargetGroupArn],
    ) -> Result<(Vec<RuleSeen>, usize), Fault> {
        let arn =
            listener.listener_arn().ok_or_else(|| Fault::transient("DescribeListeners answered without an ARN"))?;
        let named = label::listener(listener);
        let mut found = Vec::new();
        // Only an application load balancer has rules.
        let rules = match listener.protocol() {
            Some(ProtocolEnum::Http | ProtocolEnum::Https) => self.rules_of(arn).await?,
            Some(_) | None => Vec::new(),
        };
        let port = listener.port().and_then(|port| u16::try_from(port).ok());
        let site = |rule: Option<&aws::Rule>| port.map(|port| routes::site(rule, port, &rules));
        if names_one(listener.default_actions(), groups) {
            let seen = default_action(arn, listener.default_actions(), &named)?;
            found.push(RuleSeen { site: site(None), ..seen });
        }
        for rule in rules.iter().filter(|rule| names_one(rule.actions(), groups)) {
            found.push(RuleSeen { site: site(Some(rule)), ..rule_seen(rule, &named)? });
        }
        Ok((found, rules.len()))
    }
}

impl TrafficRouter for LoadBalancers {
    async fn groups(&self, groups: &[&TargetGroupArn]) -> Result<BTreeMap<TargetGroupArn, GroupSeen>, Fault> {
        if groups.is_empty() {
            return Ok(BTreeMap::new());
        }
        let each =
            try_join_all(groups.iter().map(|group| try_join(self.deregistration_delay(group), self.health(group))));
        let (described, each) = try_join(self.target_groups(groups), each).await?;
        let seen = groups.iter().zip(each).map(|(group, (deregistration_delay, health))| {
            let described = described.iter().find(|it| it.target_group_arn() == Some(group.as_str()));
            let load_balancer = described.and_then(|it| it.load_balancer_arns().first()).map(|arn| dimension(arn));
            ((*group).clone(), GroupSeen { load_balancer, health, deregistration_delay })
        });
        Ok(seen.collect())
    }

    async fn rules_naming(&self, groups: &[&TargetGroupArn]) -> Result<Vec<RuleSeen>, Fault> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let described = self.target_groups(groups).await?;
        let mut balancers: Vec<&str> =
            described.iter().flat_map(TargetGroup::load_balancer_arns).map(String::as_str).collect();
        balancers.sort_unstable();
        balancers.dedup();
        let listeners = try_join_all(balancers.iter().map(|balancer| self.listeners_of(balancer))).await?.concat();
        let found = try_join_all(listeners.iter().map(|listener| self.on_listener(listener, groups))).await?;
        let (found, counts): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        // The twins' groups are on one load balancer, or no rollout begins.
        let rules = u32::try_from(counts.iter().sum::<usize>()).unwrap_or(u32::MAX);
        let mut found = found.concat();
        found.iter_mut().filter_map(|rule| rule.site.as_mut()).for_each(|site| site.rules = rules);
        Ok(found)
    }

    async fn rules(&self, rules: &[RuleRef]) -> Result<Vec<RuleSeen>, Fault> {
        let of = |place| rules.iter().filter(move |rule| rule.place == place);
        let wanted: Vec<String> = of(RulePlace::Rule).map(|rule| rule.arn.as_str().to_owned()).collect();
        let mut listeners: Vec<String> =
            of(RulePlace::DefaultAction).map(|rule| rule.arn.as_str().to_owned()).collect();
        listeners.extend(wanted.iter().map(|rule| listener_of(rule)).filter(|arn| self.name(arn).is_none()));
        listeners.sort_unstable();
        listeners.dedup();
        let (read, listeners) = try_join(self.rules_by_arn(wanted), self.listeners(listeners)).await?;
        rules.iter().map(|rule| self.pick(rule, &read, &listeners)).collect()
    }

    async fn routes(&self, wanted: &[RouteAt]) -> Result<Vec<RouteSeen>, Fault> {
        let mut listeners: Vec<String> = wanted.iter().map(routes::listener).collect();
        listeners.sort_unstable();
        listeners.dedup();
        let read = try_join_all(listeners.iter().map(|listener| self.rules_of(listener))).await?;
        let seen = wanted.iter().map(|at| {
            let listener = routes::listener(at);
            let rules = listeners.iter().position(|known| *known == listener).and_then(|index| read.get(index));
            let named = self.name(&listener).unwrap_or(listener);
            Ok(match rules.and_then(|rules| routes::at_place(at, rules)) {
                None => RouteSeen::Absent,
                Some((rule, true)) => RouteSeen::Ours(rule_seen(rule, &named)?),
                Some((rule, false)) => RouteSeen::Taken { by: label::rule(&named, rule.conditions()) },
            })
        });
        seen.collect()
    }

    async fn create_route(&self, at: &RouteAt, actions: &[Action], rollout: &RolloutId) -> Outcome {
        let not_applied = |fault| Outcome::NotApplied { fault };
        let beside = match at.beside.place {
            RulePlace::Rule => match self.rules_by_arn(vec![at.beside.arn.as_str().to_owned()]).await {
                Ok(rules) => rules.into_iter().next(),
                Err(fault) => return not_applied(fault),
            },
            RulePlace::DefaultAction => None,
        };
        let invalid = |why: String| not_applied(Fault::permanent(Obstacle::Invalid, why));
        let actions = match actions::write(actions) {
            Ok(actions) => actions,
            Err(why) => return invalid(why.to_string()),
        };
        let Ok(priority) = i32::try_from(at.priority) else {
            return invalid(format!("{} is no priority", at.priority));
        };
        let shared = beside.as_ref().map(aws::Rule::conditions).unwrap_or_default();
        let call = self
            .writes
            .create_rule()
            .listener_arn(routes::listener(at))
            .priority(priority)
            .tags(routes::tag(rollout.as_str()));
        let call = call.set_conditions(Some(routes::conditions(shared, &at.matches))).set_actions(Some(actions));
        outcome(call.set_transforms(beside.as_ref().and_then(routes::transforms)).send().await)
    }

    async fn delete_route(&self, rule: &RuleRef) -> Outcome {
        outcome(self.writes.delete_rule().rule_arn(rule.arn.as_str()).send().await)
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Health, Fault> {
        let call = self.reads.describe_target_health().target_group_arn(group.as_str());
        let answer = call.send().await.map_err(fault)?;
        Ok(counted(answer.target_health_descriptions()))
    }

    async fn write(&self, rule: &RuleRef, actions: &[Action]) -> Outcome {
        let actions = match actions::write(actions) {
            Ok(actions) => Some(actions),
            Err(why) => return Outcome::NotApplied { fault: Fault::permanent(Obstacle::Invalid, why.to_string()) },
        };
        let arn = rule.arn.as_str();
        match rule.place {
            RulePlace::Rule => outcome(self.writes.modify_rule().rule_arn(arn).set_actions(actions).send().await),
            RulePlace::DefaultAction => {
                outcome(self.writes.modify_listener().listener_arn(arn).set_default_actions(actions).send().await)
            }
        }
    }
}

impl LoadBalancers {
    fn pick(&self, rule: &RuleRef, rules: &[aws::Rule], listeners: &[Listener]) -> Result<RuleSeen, Fault> {
        let arn = rule.arn.as_str();
        let gone = || Fault::permanent(Obstacle::NotFound, format!("{arn} is gone"));
        match rule.place {
            RulePlace::Rule => {
                let read = rules.iter().find(|read| read.rule_arn() == Some(arn)).ok_or_else(gone)?;
                let listener = listener_of(arn);
                rule_seen(read, &self.name(&listener).unwrap_or(listener))
            }
            RulePlace::DefaultAction => {
                let read = listeners.iter().find(|read| read.listener_arn() == Some(arn)).ok_or_else(gone)?;
                default_action(arn, read.default_actions(), &label::listener(read))
            }
        }
    }
}

fn rule_seen(rule: &aws::Rule, listener: &str) -> Result<RuleSeen, Fault> {
    let arn = rule.rule_arn().ok_or_else(|| Fault::transient("DescribeRules answered without an ARN"))?;
    let place = RuleRef { arn: RuleArn::new(arn), place: RulePlace::Rule };
    whole(place, label::rule(listener, rule.conditions()), rule.actions())
}

fn default_action(arn: &str, actions: &[aws::Action], listener: &str) -> Result<RuleSeen, Fault> {
    let place = RuleRef { arn: RuleArn::new(arn), place: RulePlace::DefaultAction };
    whole(place, label::default_action(listener), actions)
}

fn whole(rule: RuleRef, label: String, actions: &[aws::Action]) -> Result<RuleSeen, Fault> {
    match actions::read(actions) {
        Ok(actions) => Ok(RuleSeen { rule, label, actions, site: None }),
        Err(why) => Err(Fault::permanent(Obstacle::Invalid, format!("{label}: {why}"))),
    }
}

fn names_one(actions: &[aws::Action], groups: &[&TargetGroupArn]) -> bool {
    let one = |arn: Option<&str>| arn.is_some_and(|arn| groups.iter().any(|group| group.as_str() == arn));
    actions.iter().any(|action| {
        let configured = action.forward_config().map_or(&[][..], |config| config.target_groups());
        one(action.target_group_arn()) || configured.iter().any(|tuple| one(tuple.target_group_arn()))
    })
}

fn counted(targets: &[TargetHealthDescription]) -> Health {
    let mut health = Health::default();
    for target in targets {
        let count = match target.target_health().and_then(|health| health.state()) {
            Some(TargetHealthStateEnum::Healthy) => &mut health.healthy,
            Some(TargetHealthStateEnum::Unhealthy | TargetHealthStateEnum::UnhealthyDraining) => &mut health.unhealthy,
            Some(TargetHealthStateEnum::Initial) => &mut health.initial,
            Some(TargetHealthStateEnum::Draining) => &mut health.draining,
            Some(TargetHealthStateEnum::Unused) => &mut health.unused,
            // Whatever AWS adds is not healthy.
            Some(_) | None => &mut health.unavailable,
        };
        *count += 1;
    }
    health
}

/// CloudWatch's dimension value of a load balancer: `app/name/id`.
fn dimension(arn: &str) -> String {
    arn.split_once(":loadbalancer/").map_or(arn, |(_, name)| name).to_owned()
}

/// The ARN of the listener that a rule is on: `…:listener-rule/app/shop/1/2/3` is on `…:listener/app/shop/1/2`.
fn listener_of(rule: &str) -> String {
    let listener = rule.rsplit_once('/').map_or(rule, |(listener, _)| listener);
    listener.replacen(":listener-rule/", ":listener/", 1)
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealth;

    use super::*;

    #[test]
    fn arns_lead_to_dimension_and_listener() {
        let at = "arn:aws:elasticloadbalancing:eu-west-1:012345678901";
        assert_eq!(dimension(&format!("{at}:loadbalancer/app/shop/1")), "app/shop/1");
        assert_eq!(listener_of(&format!("{at}:listener-rule/app/shop/1/2/3")), format!("{at}:listener/app/shop/1/2"));
    }

    #[test]
    fn only_healthy_counts_as_healthy() {
        let target = |state: &str| {
            TargetHealthDescription::builder()
                .target_health(TargetHealth::builder().state(state.into()).build())
                .build()
        };
        let states =
            ["healthy", "unhealthy", "unhealthy.draining", "initial", "draining", "unused", "unavailable", "newer"];
        let mut targets: Vec<_> = states.into_iter().map(target).collect();
        targets.push(TargetHealthDescription::builder().build());
        let expected = Health { healthy: 1, unhealthy: 2, initial: 1, draining: 1, unused: 1, unavailable: 3 };
        assert_eq!(counted(&targets), expected);
    }
}
