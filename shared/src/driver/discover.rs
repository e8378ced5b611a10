//! What is there at start: both services, their groups, every rule that names them, alarms, scaling, the revision.

use std::collections::BTreeMap;

use futures_util::future::{join, join3};

use crate::fault::Fault;
use crate::ids::{ServiceArn, TargetGroupArn};
use crate::observation::{Estate, Scaling};
use crate::ports::{Clock, MetricProvider, TrafficRouter, Workload};
use crate::spec::{RolloutSpec, WorkloadSpec};

/// Reads the estate of a spec. Reads only; nothing moves.
pub async fn discover<P>(ports: &P, spec: &RolloutSpec) -> Result<Estate, Fault>
where
    P: Workload + TrafficRouter + MetricProvider + Clock + Sync,
{
    let as_of = ports.now().at;
    let WorkloadSpec::TwinServices { cluster, services } = &spec.workload;
    let names = [services[0].as_str(), services[1].as_str()];
    let alarm_names: Vec<&str> = spec.alarms.iter().map(String::as_str).collect();
    let (found, alarms, revision) = join3(
        ports.services(cluster, &names),
        async { if alarm_names.is_empty() { Ok(BTreeMap::new()) } else { ports.alarms(&alarm_names).await } },
        async {
            match &spec.task_definition {
                Some(name) => ports.revision(name).await,
                None => Ok(None),
            }
        },
    )
    .await;
    let mut found = found?.into_iter();
    let services = [found.next().flatten(), found.next().flatten()];
    let mut groups: Vec<&TargetGroupArn> =
        services.iter().flatten().flat_map(|service| &service.target_groups).collect();
    groups.sort();
    groups.dedup();
    let arns: Vec<&ServiceArn> = services.iter().flatten().map(|service| &service.arn).collect();
    let (scalable, (groups_seen, rules)) = join(scaling(ports, &arns), async {
        if groups.is_empty() {
            return (Ok(BTreeMap::new()), Ok(Vec::new()));
        }
        join(ports.groups(&groups), ports.rules_naming(&groups)).await
    })
    .await;
    Ok(Estate {
        as_of,
        groups: groups_seen?,
        rules: rules?,
        alarms: alarms?,
        scalable: scalable?,
        revision: revision?,
        services,
    })
}

async fn scaling<P: Workload>(ports: &P, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, Fault> {
    if services.is_empty() { Ok(BTreeMap::new()) } else { ports.scaling(services).await }
}
