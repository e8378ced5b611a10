//! What CodeDeploy says of deployments: recognised, and not followed yet.

use serde::Deserialize;

use super::envelope::Envelope;
use super::{Arrival, ParseError, Reason};

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Deployment {
    state: Option<String>,
    deployment_id: Option<String>,
}

/// Reads any event of `aws.codedeploy`.
pub(super) fn ignored(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let deployment: Deployment = event.detail()?;
    let id = deployment.deployment_id.as_deref().unwrap_or("a deployment");
    let state = deployment.state.as_deref().unwrap_or("unknown");
    let what = format!("{id} is {state}; no rollout backend follows CodeDeploy deployments yet: not implemented");
    Ok(event.ignored(Reason::CodeDeploy, what))
}
