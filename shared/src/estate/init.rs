//! A second service like the first, and a spec for the pair: what `init` prints.

use jiff::SignedDuration;
use serde::Serialize;

use super::{rules, twins};
use crate::fault::Refusal;
use crate::ids::TargetGroupArn;
use crate::observation::{Blueprint, RuleSeen, ServiceSeen};
use crate::spec::{
    self, CanarySpec, CanaryStep, MetricSource, MetricSpec, NoDataPolicy, Others, Policies, RolloutSpec, StrategySpec,
    Threshold, WorkloadSpec,
};
use crate::weight::Weight;

/// What `init` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// A spec for the pair, as YAML.
    pub spec: String,
    /// The second service, as JSON for `aws ecs create-service --cli-input-json`.
    pub service: String,
}

/// Stands where only the user knows the value; AWS refuses it by name.
const SECOND_GROUP: &str = "REPLACE-WITH-THE-ARN-OF-THE-SECOND-TARGET-GROUP";

/// Returns a spec, and the definition of the second service, for a service that has no twin yet. `rules` are those
/// that name its target group.
pub fn init(service: &ServiceSeen, blueprint: &Blueprint, rules: &[RuleSeen]) -> Result<Init, Vec<Refusal>> {
    let name = service.arn.name();
    let mut refusals = Vec::new();
    twins::ownership(name, service, &mut refusals);
    let group = twins::only_group(name, service, &mut refusals);
    if blueprint.container.is_none() {
        let why = format!("no container of the service `{name}` is behind a load balancer");
        refusals.push(Refusal::new(why, "give the service a load balancer with one target group"));
    }
    let (Some(group), Some((container, port)), true) = (group, &blueprint.container, refusals.is_empty()) else {
        return Err(refusals);
    };
    let second = rules::idle_group_beside(group, rules);
    let twin = twin_name(name);
    let definition = Definition::new(service, blueprint, &twin, second, (container, *port));
    // The AWS CLI's own input: this is the one JSON text that a person edits.
    let json = serde_json::to_string_pretty(&definition);
    let json = json.map_err(|error| vec![Refusal::new(error.to_string(), "report it: a definition is plain data")])?;
    let guide = guide(group, second, rules);
    Ok(Init { spec: guide + &spec::print(&first_spec(service, &twin)), service: json + "\n" })
}

/// Says in comments what has to be there before the first start.
fn guide(group: &TargetGroupArn, second: Option<&TargetGroupArn>, rules: &[RuleSeen]) -> String {
    let mut lines = vec!["Before the first start:".to_owned()];
    match second {
        Some(second) => lines.push(format!("1. The target group {} is there, at weight 0.", second.name())),
        None => {
            lines
                .push(format!("1. Create a second target group with the settings of {}, and forward to", group.name()));
            lines.push("   it at weight 0, beside the first one at weight 1, in each of these rules:".to_owned());
            lines.extend(rules.iter().map(|rule| format!("   - {}", rule.label)));
            if rules.is_empty() {
                lines.push("   (none names the group: let a listener rule forward to it first)".to_owned());
            }
        }
    }
    lines.push("2. Create the second service from its definition. It stays at 0 tasks until a rollout.".to_owned());
    lines.push("3. Suspend auto scaling of both while a rollout runs.".to_owned());
    lines.push("4. Name CloudWatch alarms in `alarms`: any in ALARM sends a rollout home.".to_owned());
    lines.iter().map(|line| format!("# {line}\n")).collect()
}

fn first_spec(service: &ServiceSeen, twin: &str) -> RolloutSpec {
    let name = service.arn.name();
    let judged = "http-5xx-rate".to_owned();
    let steps = [50, 200, 500].into_iter().filter_map(|share| Weight::per_mille(share).ok());
    let steps = steps
        .flat_map(|weight| [CanaryStep::SetWeight(weight), CanaryStep::Analysis { metrics: vec![judged.clone()] }]);
    let delay = SignedDuration::from_secs(30);
    RolloutSpec {
        name: base_name(name).chars().take(64).collect(),
        workload: WorkloadSpec::TwinServices {
            cluster: service.arn.cluster().unwrap_or("default").to_owned(),
            services: [name.to_owned(), twin.to_owned()],
        },
        task_definition: None,
        alarms: Vec::new(),
        metrics: vec![MetricSpec {
            name: judged.clone(),
            source: MetricSource::ErrorRate,
            threshold: Threshold::AtMost(0.01),
            interval: SignedDuration::from_mins(1),
            initial_delay: SignedDuration::ZERO,
            count: 2,
            failure_limit: 0,
            inconclusive_limit: 3,
            consecutive_error_limit: 4,
            minimum_samples: 50,
            no_data: NoDataPolicy::Inconclusive,
        }],
        strategy: StrategySpec::Canary(CanarySpec {
            steps: steps.collect(),
            bake: SignedDuration::from_mins(5),
            scale_down_delay: delay,
            abort_scale_down_delay: delay,
            analysis: None,
        }),
        progress_deadline: SignedDuration::from_mins(10),
        others: Others::default(),
        policies: Policies::default(),
    }
}

/// Pairs of endings by which people tell twins apart.
const ENDINGS: [(&str, &str); 4] = [("-blue", "-green"), ("-a", "-b"), ("-1", "-2"), ("-one", "-two")];

fn twin_name(name: &str) -> String {
    for (one, other) in ENDINGS {
        for (mine, theirs) in [(one, other), (other, one)] {
            if let Some(base) = name.strip_suffix(mine) {
                return format!("{base}{theirs}");
            }
        }
    }
    format!("{name}-twin")
}

fn base_name(name: &str) -> &str {
    let endings = ENDINGS.iter().flat_map(|(one, other)| [one, other]);
    endings.filter_map(|ending| name.strip_suffix(ending)).find(|base| !base.is_empty()).unwrap_or(name)
}

/// CreateService's request, as far as a twin needs it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition<'a> {
    cluster: &'a str,
    service_name: &'a str,
    task_definition: &'a str,
    desired_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capacity_provider_strategy: Vec<Provider<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_version: Option<&'a str>,
    load_balancers: [LoadBalancer<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check_grace_period_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_configuration: Option<Network<'a>>,
    deployment_controller: Controller,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_configuration: Option<Deployment>,
    #[serde(rename = "enableExecuteCommand")]
    execute_command: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    propagate_tags: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Provider<'a> {
    capacity_provider: &'a str,
    base: u32,
    weight: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoadBalancer<'a> {
    target_group_arn: &'a str,
    container_name: &'a str,
    container_port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Network<'a> {
    awsvpc_configuration: Awsvpc<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Awsvpc<'a> {
    subnets: &'a [String],
    security_groups: &'a [String],
    assign_public_ip: &'static str,
}

#[derive(Serialize)]
struct Controller {
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    minimum_healthy_percent: u32,
    maximum_percent: u32,
}

impl<'a> Definition<'a> {
    fn new(
        service: &'a ServiceSeen,
        blueprint: &'a Blueprint,
        twin: &'a str,
        second: Option<&'a TargetGroupArn>,
        (container, port): (&'a str, u16),
    ) -> Self {
        let provider = |(name, base, weight): &'a (String, u32, u32)| Provider {
            capacity_provider: name,
            base: *base,
            weight: *weight,
        };
        let percents = |(minimum, maximum)| Deployment { minimum_healthy_percent: minimum, maximum_percent: maximum };
        let network = Network {
            awsvpc_configuration: Awsvpc {
                subnets: &blueprint.subnets,
                security_groups: &blueprint.security_groups,
                assign_public_ip: if blueprint.public_ip { "ENABLED" } else { "DISABLED" },
            },
        };
        Self {
            cluster: service.arn.cluster().unwrap_or("default"),
            service_name: twin,
            task_definition: service.task_definition.short(),
            desired_count: 0,
            launch_type: blueprint.launch_type.as_deref(),
            capacity_provider_strategy: blueprint.capacity_providers.iter().map(provider).collect(),
            platform_version: blueprint.platform_version.as_deref(),
            load_balancers: [LoadBalancer {
                target_group_arn: second.map_or(SECOND_GROUP, TargetGroupArn::as_str),
                container_name: container,
                container_port: port,
            }],
            health_check_grace_period_seconds: blueprint.grace_seconds,
            network_configuration: (!blueprint.subnets.is_empty()).then_some(network),
            deployment_controller: Controller { r#type: "ECS" },
            deployment_configuration: blueprint.deployment_percents.map(percents),
            execute_command: blueprint.execute_command,
            propagate_tags: blueprint.propagate_tags.as_deref(),
        }
    }
}
