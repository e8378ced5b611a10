//! Load balancers, listeners and rules: whole-list writes, AWS's refusals, and the way of a write to the nodes.

use serde_json::Value;

use super::{
    Action, AvailabilityZone, CreateListener, CreateRule, DescribeListeners, DescribeLoadBalancers, DescribeRules,
    ForwardConfig, Listener, LoadBalancer, LoadBalancerState, ModifyListener, ModifyRule, Routing, Rule, RuleCondition,
    RuleState, Tag, TargetGroupStickinessConfig, TargetGroupTuple,
};
use crate::world::World;
use crate::world::errors::{ApiError, ApiFamily, ApiResult};
use crate::world::ids;
use crate::world::time::Due;

/// ALB refuses weights above this.
pub const WEIGHT_MAX: u32 = 999;
/// Rules of one load balancer, default actions not counted, unless AWS was asked for more.
const RULES_MAX: usize = 100;
/// A forward names at most this many groups.
const GROUPS_MAX: usize = 5;

impl World {
    /// Makes a load balancer; `kind` is `application` or `network` (whose traffic is not modelled).
    pub fn create_load_balancer(&mut self, name: &str, kind: &str) -> ApiResult<LoadBalancer> {
        self.call(ApiFamily::Elb, "CreateLoadBalancer")?;
        if self.load_balancers.values().any(|lb| lb.load_balancer_name == name) {
            let message = format!("A load balancer with the same name '{name}' exists, but with different settings");
            return Err(ApiError::new("DuplicateLoadBalancerName", message));
        }
        let prefix = match kind {
            "application" => "app",
            "network" => "net",
            other => {
                return Err(ApiError::validation(format!("Invalid load balancer type '{other}'")));
            }
        };
        let names = &mut self.chance.names;
        let account = &self.config.account;
        let arn = account.elb(&format!("loadbalancer/{prefix}/{name}/{}", ids::hex(names, 16)));
        let zone = |zone: &String, names: &mut crate::world::Rng| AvailabilityZone {
            zone_name: zone.clone(),
            subnet_id: format!("subnet-{}", ids::hex(names, 17)),
        };
        let view = LoadBalancer {
            load_balancer_arn: arn.clone(),
            dns_name: format!("{name}-{}.{}.elb.amazonaws.com", names.below(1_000_000_000), account.region),
            load_balancer_name: name.to_owned(),
            scheme: "internet-facing".to_owned(),
            vpc_id: "vpc-0a1b2c3d4e5f60718".to_owned(),
            state: LoadBalancerState { code: "active".to_owned() },
            kind: kind.to_owned(),
            availability_zones: account.zones.iter().map(|z| zone(z, names)).collect(),
            security_groups: vec![format!("sg-{}", ids::hex(names, 17))],
            ip_address_type: "ipv4".to_owned(),
            created_time: self.now,
        };
        self.load_balancers.insert(arn, view.clone());
        Ok(view)
    }

    pub fn describe_load_balancers(&mut self, input: &DescribeLoadBalancers) -> ApiResult<Vec<LoadBalancer>> {
        self.call(ApiFamily::Elb, "DescribeLoadBalancers")?;
        let asked = |lb: &&LoadBalancer| {
            (input.load_balancer_arns.is_empty() || input.load_balancer_arns.contains(&lb.load_balancer_arn))
                && (input.names.is_empty() || input.names.contains(&lb.load_balancer_name))
        };
        let found: Vec<LoadBalancer> = self.load_balancers.values().filter(asked).cloned().collect();
        if found.len() < input.load_balancer_arns.len().max(input.names.len()) {
            return Err(ApiError::load_balancer_not_found());
        }
        Ok(found)
    }

    pub fn create_listener(&mut self, input: CreateListener) -> ApiResult<Listener> {
        self.call(ApiFamily::Elb, "CreateListener")?;
        if !self.load_balancers.contains_key(&input.load_balancer_arn) {
            return Err(ApiError::load_balancer_not_found());
        }
        let actions = self.checked_actions(&input.load_balancer_arn, &[], input.default_actions)?;
        let tail = input.load_balancer_arn.rsplit(":loadbalancer/").next().unwrap_or_default();
        let id = ids::hex(&mut self.chance.names, 16);
        let arn = self.config.account.elb(&format!("listener/{tail}/{id}"));
        let listener = Listener {
            listener_arn: arn.clone(),
            load_balancer_arn: input.load_balancer_arn,
            port: input.port.unwrap_or(80),
            protocol: input.protocol.unwrap_or_else(|| "HTTP".to_owned()),
            certificates: input.certificates,
            ssl_policy: input.ssl_policy,
            default_actions: actions.clone(),
        };
        self.listeners.insert(arn.clone(), listener.clone());
        self.new_rule(&arn, "default", Vec::new(), actions);
        Ok(listener)
    }

    pub fn describe_listeners(&mut self, input: &DescribeListeners) -> ApiResult<Vec<Listener>> {
        self.call(ApiFamily::Elb, "DescribeListeners")?;
        self.rules_read()?;
        if let Some(arn) = &input.load_balancer_arn
            && !self.load_balancers.contains_key(arn)
        {
            return Err(ApiError::load_balancer_not_found());
        }
        let asked = |l: &&Listener| {
            input.load_balancer_arn.as_ref().is_none_or(|arn| *arn == l.load_balancer_arn)
                && (input.listener_arns.is_empty() || input.listener_arns.contains(&l.listener_arn))
        };
        let found: Vec<Listener> = self.listeners.values().filter(asked).cloned().collect();
        if found.len() < input.listener_arns.len() {
            return Err(ApiError::listener_not_found());
        }
        Ok(found)
    }

    /// Makes a rule; its nodes follow it at once.
    pub fn create_rule(&mut self, input: CreateRule) -> ApiResult<Rule> {
        self.call(ApiFamily::Elb, "CreateRule")?;
        let listener = self.listeners.get(&input.listener_arn).ok_or_else(ApiError::listener_not_found)?;
        let load_balancer = listener.load_balancer_arn.clone();
        let priority = input.priority.ok_or_else(|| ApiError::validation("A priority must be specified"))?.to_string();
        let taken = |r: &RuleState| r.listener == input.listener_arn && r.view.priority == priority;
        if self.rules.values().any(taken) {
            return Err(ApiError::new("PriorityInUse", format!("Priority '{priority}' is currently in use")));
        }
        if input.conditions.is_empty() {
            return Err(ApiError::validation("A condition must be specified"));
        }
        self.room_for_a_rule(&load_balancer)?;
        let actions = self.checked_actions(&load_balancer, &[], input.actions)?;
        let rule = self.new_rule(&input.listener_arn, &priority, input.conditions, actions);
        if let Some(state) = self.rules.get_mut(&rule.rule_arn) {
            state.tags = input.tags;
        }
        Ok(rule)
    }

    fn room_for_a_rule(&self, load_balancer: &str) -> ApiResult<()> {
        let of_it = |r: &&RuleState| {
            !r.view.is_default && self.listeners.get(&r.listener).is_some_and(|l| l.load_balancer_arn == load_balancer)
        };
        if self.rules.values().filter(of_it).count() < RULES_MAX {
            return Ok(());
        }
        let message = "The maximum number of rules for this load balancer has been reached";
        Err(ApiError::new("TooManyRules", message))
    }

    /// Takes a rule away; its nodes follow at once.
    pub fn delete_rule(&mut self, arn: &str) -> ApiResult<()> {
        self.call(ApiFamily::Elb, "DeleteRule")?;
        let state = self.rules.get(arn).ok_or_else(ApiError::rule_not_found)?;
        if state.view.is_default {
            return Err(ApiError::new("OperationNotPermitted", format!("Default rule '{arn}' cannot be deleted")));
        }
        self.flow_until(self.now);
        self.rules.remove(arn);
        self.group_use_changed();
        Ok(())
    }

    /// The tags of a rule, for IAM.
    pub fn tags_of_rule(&self, arn: &str) -> Vec<Tag> {
        self.rules.get(arn).map(|rule| rule.tags.clone()).unwrap_or_default()
    }

    fn new_rule(
        &mut self,
        listener: &str,
        priority: &str,
        conditions: Vec<RuleCondition>,
        actions: Vec<Action>,
    ) -> Rule {
        self.flow_until(self.now);
        let tail = listener.rsplit(":listener/").next().unwrap_or_default();
        let id = ids::hex(&mut self.chance.names, 16);
        let arn = self.config.account.elb(&format!("listener-rule/{tail}/{id}"));
        let view = Rule {
            rule_arn: arn.clone(),
            priority: priority.to_owned(),
            conditions: conditions.clone(),
            actions: actions.clone(),
            is_default: priority == "default",
        };
        let routing = Routing { generation: 0, conditions, actions };
        let state = RuleState {
            view: view.clone(),
            listener: listener.to_owned(),
            tags: Vec::new(),
            generation: 0,
            on_the_way: std::collections::BTreeMap::new(),
            nodes: vec![routing; self.config.account.zones.len()],
        };
        self.rules.insert(arn, state);
        self.group_use_changed();
        view
    }

    /// Describes rules by ARN or by listener, by priority, the default last.
    pub fn describe_rules(&mut self, input: &DescribeRules) -> ApiResult<Vec<Rule>> {
        self.call(ApiFamily::Elb, "DescribeRules")?;
        self.rules_read()?;
        if let Some(arn) = &input.listener_arn
            && !self.listeners.contains_key(arn)
        {
            return Err(ApiError::listener_not_found());
        }
        if input.listener_arn.is_none() && input.rule_arns.is_empty() {
            return Err(ApiError::validation("You must specify either listener ARN or rule ARNs"));
        }
        let asked = |r: &&RuleState| match &input.listener_arn {
            Some(listener) => r.listener == *listener,
            None => input.rule_arns.contains(&r.view.rule_arn),
        };
        let mut found: Vec<Rule> = self.rules.values().filter(asked).map(|r| r.view.clone()).collect();
        if input.listener_arn.is_none() && found.len() < input.rule_arns.len() {
            return Err(ApiError::rule_not_found());
        }
        if let Some(picture) = self.faults.stale_rules.use_up() {
            for rule in &mut found {
                if let Some(earlier) = picture.get(&rule.rule_arn) {
                    rule.clone_from(earlier);
                }
            }
        }
        found.sort_by_key(|r| r.priority.parse().unwrap_or(u32::MAX));
        Ok(found)
    }

    /// Replaces the given lists whole. The answer shows the new rule at once; the nodes follow one by one.
    pub fn modify_rule(&mut self, input: ModifyRule) -> ApiResult<Rule> {
        self.call(ApiFamily::Elb, "ModifyRule")?;
        let state = self.rules.get(&input.rule_arn).ok_or_else(ApiError::rule_not_found)?;
        if state.view.is_default {
            let message = format!("Default rule '{}' cannot be modified", input.rule_arn);
            return Err(ApiError::new("OperationNotPermitted", message));
        }
        let load_balancer = self.load_balancer_of_listener(&state.listener)?;
        let earlier = state.view.actions.clone();
        let actions = match input.actions.is_empty() {
            true => earlier,
            false => self.checked_actions(&load_balancer, &earlier, input.actions)?,
        };
        self.write_rule(&input.rule_arn, input.conditions, actions)
    }

    /// Replaces what is given; default actions replace the whole list of the default rule.
    pub fn modify_listener(&mut self, input: ModifyListener) -> ApiResult<Listener> {
        self.call(ApiFamily::Elb, "ModifyListener")?;
        let listener = self.listeners.get(&input.listener_arn).ok_or_else(ApiError::listener_not_found)?;
        let (load_balancer, earlier) = (listener.load_balancer_arn.clone(), listener.default_actions.clone());
        if !input.default_actions.is_empty() {
            let actions = self.checked_actions(&load_balancer, &earlier, input.default_actions)?;
            let default = self.rules.values().find(|r| r.listener == input.listener_arn && r.view.is_default);
            if let Some(rule) = default.map(|r| r.view.rule_arn.clone()) {
                self.write_rule(&rule, Vec::new(), actions.clone())?;
            }
            if let Some(listener) = self.listeners.get_mut(&input.listener_arn) {
                listener.default_actions = actions;
            }
        }
        let listener = self.listeners.get_mut(&input.listener_arn).ok_or_else(ApiError::listener_not_found)?;
        listener.port = input.port.unwrap_or(listener.port);
        listener.protocol = input.protocol.unwrap_or_else(|| listener.protocol.clone());
        listener.ssl_policy = input.ssl_policy.or_else(|| listener.ssl_policy.clone());
        if !input.certificates.is_empty() {
            listener.certificates = input.certificates;
        }
        Ok(listener.clone())
    }

    /// Shows a write at once and sends it on its way to each node.
    fn write_rule(&mut self, arn: &str, conditions: Vec<RuleCondition>, actions: Vec<Action>) -> ApiResult<Rule> {
        let (mean, cap) = (self.config.propagation_mean, self.config.propagation_cap);
        let state = self.rules.get_mut(arn).ok_or_else(ApiError::rule_not_found)?;
        state.generation += 1;
        if !conditions.is_empty() {
            state.view.conditions = conditions;
        }
        let before = std::mem::replace(&mut state.view.actions, actions);
        let generation = state.generation;
        let routing =
            Routing { generation, conditions: state.view.conditions.clone(), actions: state.view.actions.clone() };
        state.on_the_way.insert(generation, routing);
        let view = state.view.clone();
        for node in 0..state.nodes.len() {
            let at = self.now + self.chance.elb.exponential(mean, cap);
            self.queue.plan(at, Due::RuleReaches { rule: arn.to_owned(), node, generation });
        }
        self.group_use_changed();
        self.rule_written(&before)?;
        Ok(view)
    }

    /// A node takes over a write, unless it already follows a later one.
    pub(in crate::world) fn rule_reaches(&mut self, rule: &str, node: usize, generation: u32) {
        let Some(state) = self.rules.get_mut(rule) else {
            return;
        };
        if let Some(routing) = state.on_the_way.get(&generation)
            && let Some(place) = state.nodes.get_mut(node)
            && place.generation < generation
        {
            *place = routing.clone();
        }
        let oldest = state.nodes.iter().map(|n| n.generation).min().unwrap_or(generation);
        state.on_the_way.retain(|generation, _| *generation > oldest);
    }

    fn load_balancer_of_listener(&self, listener: &str) -> ApiResult<String> {
        let found = self.listeners.get(listener).map(|l| l.load_balancer_arn.clone());
        found.ok_or_else(ApiError::listener_not_found)
    }

    /// Checks an action list as AWS does and returns it as AWS will describe it.
    fn checked_actions(&self, load_balancer: &str, earlier: &[Action], actions: Vec<Action>) -> ApiResult<Vec<Action>> {
        let last = actions.last().map(|a| a.kind.as_str());
        if !matches!(last, Some("forward" | "redirect" | "fixed-response")) {
            return Err(ApiError::new(
                "InvalidLoadBalancerAction",
                "The last action must be one of the following types: [forward, fixed-response, redirect]",
            ));
        }
        let had_secret = earlier.iter().any(|a| a.kind == "authenticate-oidc");
        let several = actions.len() > 1;
        let mut checked = Vec::with_capacity(actions.len());
        for (index, action) in actions.into_iter().enumerate() {
            let mut action = match action.kind.as_str() {
                "forward" => self.checked_forward(load_balancer, action)?,
                "authenticate-oidc" => checked_secret(action, had_secret)?,
                "redirect" | "fixed-response" | "authenticate-cognito" | "jwt-validation" => action,
                other => {
                    return Err(ApiError::validation(format!("Invalid action type '{other}'")));
                }
            };
            if several && action.order.is_none() {
                action.order = Some(index as u32 + 1);
            }
            checked.push(action);
        }
        checked.sort_by_key(|a| a.order.unwrap_or(0));
        Ok(checked)
    }

    fn checked_forward(&self, load_balancer: &str, action: Action) -> ApiResult<Action> {
        let config = match (action.forward_config, &action.target_group_arn) {
            (Some(config), _) if !config.target_groups.is_empty() => config,
            (_, Some(arn)) => ForwardConfig {
                target_groups: vec![TargetGroupTuple { target_group_arn: arn.clone(), weight: Some(1) }],
                target_group_stickiness_config: None,
            },
            _ => return Err(ApiError::validation("A target group ARN must be specified")),
        };
        let mut groups = config.target_groups;
        if groups.len() > GROUPS_MAX {
            return Err(ApiError::new(
                "TooManyTargetGroups",
                format!("The maximum number of target groups per action is {GROUPS_MAX}"),
            ));
        }
        let alone = groups.len() == 1;
        for tuple in &mut groups {
            if !self.target_groups.contains_key(&tuple.target_group_arn) {
                return Err(ApiError::target_group_not_found());
            }
            let users = self.load_balancers_of_group(&tuple.target_group_arn);
            if users.iter().any(|user| user != load_balancer) {
                return Err(ApiError::new(
                    "TargetGroupAssociationLimit",
                    "The following target groups cannot be associated with more than one load balancer",
                ));
            }
            match tuple.weight {
                None if alone => tuple.weight = Some(1),
                None => {
                    return Err(ApiError::validation("A weight must be specified for each target group"));
                }
                Some(weight) if weight > WEIGHT_MAX => {
                    let message = format!("Weight '{weight}' must be between 0 and {WEIGHT_MAX} inclusive");
                    return Err(ApiError::validation(message));
                }
                Some(_) => {}
            }
        }
        let stickiness = config.target_group_stickiness_config;
        if let Some(seconds) = stickiness.as_ref().and_then(|s| s.duration_seconds)
            && !(1..=604_800).contains(&seconds)
        {
            return Err(ApiError::validation("Stickiness duration must be between 1 and 604800 seconds"));
        }
        let target_group_arn = alone.then(|| groups[0].target_group_arn.clone());
        let off = TargetGroupStickinessConfig { enabled: Some(false), duration_seconds: None };
        let stickiness = Some(stickiness.unwrap_or(off));
        let forward_config = ForwardConfig { target_groups: groups, target_group_stickiness_config: stickiness };
        Ok(Action { target_group_arn, forward_config: Some(forward_config), ..action })
    }

    /// Returns the load balancers whose rules name a group, as the API sees it.
    pub(in crate::world) fn load_balancers_of_group(&self, group: &str) -> Vec<String> {
        let names = |action: &Action| {
            let config = action.forward_config.as_ref();
            config.is_some_and(|c| c.target_groups.iter().any(|t| t.target_group_arn == group))
        };
        let rules = self.rules.values().filter(|r| r.view.actions.iter().any(names));
        let mut found: Vec<String> =
            rules.filter_map(|r| self.listeners.get(&r.listener).map(|l| l.load_balancer_arn.clone())).collect();
        found.sort();
        found.dedup();
        found
    }
}

/// ELB never shows the client secret: a write must bring it, or say that the existing one is used.
fn checked_secret(mut action: Action, had_secret: bool) -> ApiResult<Action> {
    let Some(Value::Object(config)) = action.opaque.get_mut("AuthenticateOidcConfig") else {
        return Err(ApiError::validation("An authenticate-oidc action must have an AuthenticateOidcConfig"));
    };
    let uses_existing = match config.remove("UseExistingClientSecret") {
        Some(Value::Bool(flag)) => flag,
        Some(Value::String(text)) => text == "true",
        Some(_) | None => false,
    };
    let brings = config.remove("ClientSecret").is_some();
    if brings || (uses_existing && had_secret) {
        Ok(action)
    } else {
        Err(ApiError::validation("A client secret must be specified for the authenticate-oidc action"))
    }
}
