//! The wire protocols of ECS, ELBv2, CloudWatch and Application Auto Scaling over the World.

use crate::http::aws::{AwsReply, AwsRequest};
use crate::platform::iam;
use crate::world::{Account, World};

/// The calls that IAM must allow before `request` may touch the World: one per
/// action, each with every resource it names and the condition keys that AWS fills.
///
/// # Errors
/// A request that cannot be read, or one that the sandbox does not implement, is
/// answered right away.
pub fn authorize(request: &AwsRequest, _account: &Account) -> Result<Vec<iam::Call>, AwsReply> {
    Err(request.not_implemented())
}

/// Performs a request that IAM has allowed.
pub fn answer(request: &AwsRequest, _world: &mut World) -> AwsReply {
    request.not_implemented()
}
