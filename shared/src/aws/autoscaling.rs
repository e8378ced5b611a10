//! Application Auto Scaling: who else changes a desired count.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};

use crate::aws::classify::fault;
use crate::fault::Fault;
use crate::ids::ServiceArn;
use crate::observation::Scaling;

/// The client.
#[derive(Debug, Clone)]
pub struct Scalers {
    client: Client,
}

impl Scalers {
    /// Makes the client.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Reads which of these services have a scalable target for their desired count.
    pub async fn scaling(&self, services: &[&ServiceArn]) -> Result<BTreeMap<ServiceArn, Scaling>, Fault> {
        let by_resource: BTreeMap<String, &ServiceArn> =
            services.iter().filter_map(|service| Some((resource_id(service)?, *service))).collect();
        let mut found = BTreeMap::new();
        let mut page = self
            .client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .set_resource_ids(Some(by_resource.keys().cloned().collect()))
            .into_paginator()
            .send();
        while let Some(targets) = page.next().await {
            for target in targets.map_err(fault)?.scalable_targets() {
                if let Some(service) = by_resource.get(target.resource_id()) {
                    found.insert((*service).clone(), state(target.suspended_state()));
                }
            }
        }
        Ok(found)
    }
}

/// `service/shop/checkout-blue`; a service without a cluster in its ARN cannot have a scalable target.
fn resource_id(service: &ServiceArn) -> Option<String> {
    Some(format!("service/{}/{}", service.cluster()?, service.name()))
}

/// A target counts as suspended only where all three kinds of scaling are.
fn state(suspended: Option<&SuspendedState>) -> Scaling {
    let all = suspended.is_some_and(|state| {
        let kinds = [
            state.dynamic_scaling_in_suspended(),
            state.dynamic_scaling_out_suspended(),
            state.scheduled_scaling_suspended(),
        ];
        kinds.iter().all(|kind| *kind == Some(true))
    });
    if all { Scaling::Suspended } else { Scaling::Active }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_is_suspended_only_as_a_whole() {
        let all = SuspendedState::builder()
            .dynamic_scaling_in_suspended(true)
            .dynamic_scaling_out_suspended(true)
            .scheduled_scaling_suspended(true);
        assert_eq!(state(Some(&all.clone().build())), Scaling::Suspended);
        assert_eq!(state(Some(&all.scheduled_scaling_suspended(false).build())), Scaling::Active);
        assert_eq!(state(None), Scaling::Active);
    }
}
