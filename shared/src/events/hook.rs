//! Calls of hooks by ECS and CodeDeploy: recognised and reported. Answering them is not implemented: no backend
//! that needs an answer exists yet, and a hook that answers nothing makes its caller roll back.

use serde::Deserialize;

use super::envelope::Envelope;
use super::text::read;
use super::{Arrival, Ignored, ParseError, Reason};

const ECS_NATIVE: &str = "no rollout backend gates deployments of ECS itself yet (`ecsNative`): not implemented";
const CODE_DEPLOY: &str = "no rollout backend gates CodeDeploy deployments yet (`codeDeploy`): not implemented";

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Lifecycle {
    lifecycle_stage: Option<String>,
    execution_id: Option<String>,
    resource_arn: Option<String>,
}

/// Reads a call of a lifecycle hook by ECS.
pub(super) fn lifecycle(body: &str) -> Result<Arrival, ParseError> {
    let hook: Lifecycle = read(body, "a call of an ECS lifecycle hook")?;
    let stage = hook.lifecycle_stage.as_deref().unwrap_or("a stage without a name");
    let execution = hook.execution_id.as_deref().unwrap_or("without an id");
    let deployment = hook.resource_arn.as_deref().unwrap_or("a deployment without a name");
    let what = format!("{stage} of {deployment}, execution {execution}; {ECS_NATIVE}");
    Ok(Arrival::Ignored(Ignored::new(Reason::Hook, what)))
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct CodeDeploy {
    deployment_id: Option<String>,
}

/// Reads a call of a hook by CodeDeploy.
pub(super) fn code_deploy(body: &str) -> Result<Arrival, ParseError> {
    let hook: CodeDeploy = read(body, "a call of a CodeDeploy hook")?;
    let deployment = hook.deployment_id.as_deref().unwrap_or("a deployment without a name");
    Ok(Arrival::Ignored(Ignored::new(Reason::Hook, format!("a hook of {deployment}; {CODE_DEPLOY}"))))
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Paused {
    event_name: Option<String>,
    hook_id: Option<String>,
    lifecycle_stage: Option<String>,
}

/// Reads `ECS Hook State Change`: a deployment of ECS itself waits for somebody.
pub(super) fn state_change(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let hook: Paused = event.detail()?;
    let name = hook.event_name.as_deref().unwrap_or("changed");
    let id = hook.hook_id.as_deref().unwrap_or("a hook");
    let stage = hook.lifecycle_stage.as_deref().unwrap_or("an unknown stage");
    Ok(event.ignored(Reason::Hook, format!("{id} at {stage}: {name}; {ECS_NATIVE}")))
}
