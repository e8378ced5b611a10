//! Application Auto Scaling, in awsJson 1.1.

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Paging;
use super::{Refusal, required, shape};
use crate::platform::iam::Call;
use crate::world::{Account, World};

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum Operation {
    DeregisterScalableTarget,
    DescribeScalableTargets,
    RegisterScalableTarget,
}

const INVALID: &str = "ValidationException";

const PAGES: Paging =
    Paging { size: "MaxResults", token: "NextToken", default: 50, refused_as: "InvalidNextTokenException" };

/// Returns what IAM is asked, by the service authorization reference. The id of a
/// scalable target says nothing about its service, so the sandbox asks for any.
pub(super) fn calls(operation: Operation, account: &Account) -> Vec<Call> {
    const SERVICE: &str = "application-autoscaling";
    let target = || account.arn(SERVICE, "scalable-target/*");
    match operation {
        Operation::DescribeScalableTargets => vec![Call::on_anything(SERVICE, "DescribeScalableTargets")],
        Operation::RegisterScalableTarget => vec![Call::new(SERVICE, "RegisterScalableTarget", [target()])],
        Operation::DeregisterScalableTarget => vec![Call::new(SERVICE, "DeregisterScalableTarget", [target()])],
    }
}

/// Performs the operation and returns its output's members.
pub(super) fn perform(operation: Operation, input: &Value, world: &mut World) -> Result<Value, Refusal> {
    Ok(match operation {
        Operation::DescribeScalableTargets => {
            let targets = world.describe_scalable_targets(&shape(input, INVALID)?)?;
            let (targets, next) = PAGES.page(input, targets)?;
            json!({ "ScalableTargets": targets, "NextToken": next })
        }
        Operation::RegisterScalableTarget => {
            json!({ "ScalableTargetARN": world.register_scalable_target(&shape(input, INVALID)?)? })
        }
        Operation::DeregisterScalableTarget => {
            world.deregister_scalable_target(required(input, "ResourceId", INVALID)?)?;
            json!({})
        }
    })
}
