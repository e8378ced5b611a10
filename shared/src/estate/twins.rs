//! The two services, each by itself: is this one that weights alone decide about, and that only we change?

use crate::fault::Refusal;
use crate::ids::TargetGroupArn;
use crate::observation::{Bypass, DeploymentController, Estate, Health, Scaling, ServiceSeen};
use crate::rollout::Side;

/// One of the twins, with everything that a side of a rollout has.
pub struct Twin<'e> {
    /// The service's name, as the spec says it.
    pub name: &'e str,
    /// The service.
    pub seen: &'e ServiceSeen,
    /// The side that it would be.
    pub side: Side,
    /// Its targets.
    pub health: Health,
}

/// Reads both twins, and notes every reason against either.
pub fn twins<'e>(
    cluster: &str,
    names: &'e [String; 2],
    estate: &'e Estate,
    refusals: &mut Vec<Refusal>,
) -> [Option<Twin<'e>>; 2] {
    let mut twin = |index: usize| {
        let name = names[index].as_str();
        let Some(seen) = &estate.services[index] else {
            let hint = "check cluster and region; `tidegate init` prints the definition of a second service";
            refusals.push(Refusal::new(format!("ECS knows no service `{name}` in the cluster `{cluster}`"), hint));
            return None;
        };
        lifecycle(name, seen, refusals);
        ownership(name, seen, refusals);
        if estate.scalable.get(&seen.arn) == Some(&Scaling::Active) {
            refusals.push(scaling(name, seen));
        }
        side(name, seen, estate, refusals)
    };
    let twins = [twin(0), twin(1)];
    if let [Some(one), Some(other)] = &twins {
        pair(one, other, refusals);
    }
    twins
}

/// Whether the service is there, and nobody is changing it.
fn lifecycle(name: &str, seen: &ServiceSeen, refusals: &mut Vec<Refusal>) {
    if seen.status != "ACTIVE" {
        let hint = "create it again: `tidegate init` prints the definition of a second service";
        refusals.push(Refusal::new(format!("the service `{name}` is {}, not ACTIVE", seen.status), hint));
        return;
    }
    let moving = |state: &Option<String>| state.as_deref() == Some("IN_PROGRESS");
    let busy = seen.deployments.iter().find(|deployment| moving(&deployment.rollout_state));
    if let Some(deployment) = busy.or_else(|| seen.deployments.get(1)) {
        let why = format!(
            "the service `{name}` has a deployment in progress, {} of `{}`",
            deployment.id,
            deployment.task_definition.short()
        );
        let hint = "wait until it has completed, or stop it with `aws ecs stop-service-deployment`";
        refusals.push(Refusal::new(why, hint));
    }
}

/// Whether the load balancer's weights alone decide about the service's traffic, and we alone about its tasks.
pub fn ownership(name: &str, seen: &ServiceSeen, refusals: &mut Vec<Refusal>) {
    let controller = match &seen.controller {
        DeploymentController::EcsRolling => None,
        DeploymentController::EcsNative(strategy) => Some((
            format!("ECS's own strategy {strategy}"),
            "set its deploymentConfiguration.strategy to ROLLING; the workload `ecsNative` is not implemented",
        )),
        DeploymentController::CodeDeploy => Some((
            "CodeDeploy".to_owned(),
            "set its deploymentController to ECS; the workload `codeDeploy` is not implemented",
        )),
        DeploymentController::External => Some((
            "task sets (EXTERNAL)".to_owned(),
            "create it again with the ECS deployment controller; the workload `taskSets` is not implemented",
        )),
    };
    if let Some((controller, hint)) = controller {
        refusals.push(Refusal::new(format!("the service `{name}` is deployed by {controller}"), hint));
    }
    if seen.daemon {
        let why = format!("the service `{name}` is a DAEMON: its count is that of its instances");
        refusals.push(Refusal::new(why, "use the scheduling strategy REPLICA"));
    }
    let bypass = match seen.bypass {
        None => None,
        Some(Bypass::ServiceConnect) => {
            Some(("a Service Connect server", "take it out of Service Connect as a server"))
        }
        Some(Bypass::CloudMap) => Some(("registered in Cloud Map", "take its service registries off")),
    };
    if let Some((what, hint)) = bypass {
        let why = format!("the service `{name}` is {what}: such traffic does not ask the load balancer's weights");
        refusals.push(Refusal::new(why, hint));
    }
}

fn scaling(name: &str, seen: &ServiceSeen) -> Refusal {
    let why = format!("the service `{name}` has an active scalable target: its count would change under the rollout");
    let resource = format!("service/{}/{}", seen.arn.cluster().unwrap_or("default"), seen.arn.name());
    let hint = format!(
        "suspend it: aws application-autoscaling register-scalable-target --service-namespace ecs \
         --scalable-dimension ecs:service:DesiredCount --resource-id {resource} --suspended-state \
         DynamicScalingInSuspended=true,DynamicScalingOutSuspended=true,ScheduledScalingSuspended=true"
    );
    Refusal::new(why, hint)
}

/// Returns the service's one target group.
pub fn only_group<'e>(name: &str, seen: &'e ServiceSeen, refusals: &mut Vec<Refusal>) -> Option<&'e TargetGroupArn> {
    match &seen.target_groups[..] {
        [group] => Some(group),
        [] => {
            let why = format!("the service `{name}` has no target group");
            refusals.push(Refusal::new(why, "give it a load balancer with one target group of its own"));
            None
        }
        [_, _, ..] => {
            let groups: Vec<&str> = seen.target_groups.iter().map(TargetGroupArn::name).collect();
            let why = format!("the service `{name}` has {} target groups: {}", groups.len(), groups.join(", "));
            refusals.push(Refusal::new(why, "give it one: traffic through the others would not ask for weights"));
            None
        }
    }
}

/// Reads the side that the service would be; without its one target group there is none.
fn side<'e>(name: &'e str, seen: &'e ServiceSeen, estate: &'e Estate, refusals: &mut Vec<Refusal>) -> Option<Twin<'e>> {
    let group = only_group(name, seen, refusals)?;
    let Some(found) = estate.groups.get(group) else {
        let why = format!("the target group `{}` of the service `{name}` does not exist", group.name());
        refusals.push(Refusal::new(why, "give the service a target group that is there"));
        return None;
    };
    let Some(load_balancer) = &found.load_balancer else {
        let why = format!("the target group `{}` of the service `{name}` is on no load balancer", group.name());
        let hint = "forward to it at weight 0 in every rule that forwards to its twin's group: only then is it \
                    health-checked";
        refusals.push(Refusal::new(why, hint));
        return None;
    };
    let side = Side {
        service: seen.arn.clone(),
        group: group.clone(),
        load_balancer: load_balancer.clone(),
        revision: seen.task_definition.clone(),
        tasks: seen.desired,
        deregistration_delay: found.deregistration_delay,
    };
    Some(Twin { name, seen, side, health: found.health })
}

fn pair(one: &Twin<'_>, other: &Twin<'_>, refusals: &mut Vec<Refusal>) {
    if one.side.group == other.side.group {
        let why = format!("both services are behind the target group `{}`", one.side.group.name());
        refusals.push(Refusal::new(why, "give each its own: weights lie between target groups"));
    } else if one.side.load_balancer != other.side.load_balancer {
        let why = format!(
            "the target groups are on two load balancers, {} and {}",
            one.side.load_balancer, other.side.load_balancer
        );
        refusals.push(Refusal::new(why, "put both on one: weights lie between the groups of one rule"));
    }
}
