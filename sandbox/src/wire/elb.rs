//! ELBv2, in the query protocol.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::page::Paging;
use super::{Refusal, required, shape, text};
use crate::platform::iam::Call;
use crate::world::{Account, Attribute, TargetDescription, World};

/// The namespace of ELBv2's answers.
pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum Operation {
    CreateListener,
    CreateLoadBalancer,
    CreateRule,
    CreateTargetGroup,
    DeleteRule,
    DeregisterTargets,
    DescribeListeners,
    DescribeLoadBalancers,
    DescribeRules,
    DescribeTargetGroupAttributes,
    DescribeTargetGroups,
    DescribeTargetHealth,
    ModifyListener,
    ModifyRule,
    ModifyTargetGroupAttributes,
    RegisterTargets,
}

const INVALID: &str = "ValidationError";

const PAGES: Paging = Paging { size: "PageSize", token: "Marker", default: 400, refused_as: INVALID };

/// Returns what IAM is asked, by the service authorization reference. The id at
/// the end of an ARN does not exist yet when its thing is created.
pub(super) fn calls(operation: Operation, input: &Value, account: &Account) -> Vec<Call> {
    const SERVICE: &str = "elasticloadbalancing";
    let on = |action: &str, arn: String| vec![Call::new(SERVICE, action, [arn])];
    let given = |member: &str| text(input, member).unwrap_or("*").to_owned();
    let any = |action: &str| vec![Call::on_anything(SERVICE, action)];
    match operation {
        Operation::CreateLoadBalancer => {
            let kind = if text(input, "Type") == Some("network") { "net" } else { "app" };
            on("CreateLoadBalancer", account.elb(&format!("loadbalancer/{kind}/{}/*", given("Name"))))
        }
        Operation::CreateTargetGroup => {
            on("CreateTargetGroup", account.elb(&format!("targetgroup/{}/*", given("Name"))))
        }
        Operation::CreateListener => on("CreateListener", given("LoadBalancerArn")),
        Operation::CreateRule => {
            let mut calls = on("CreateRule", given("ListenerArn"));
            // Tags are asked for apart, on a rule that does not exist yet.
            if !input["Tags"].is_null() {
                let rule = given("ListenerArn").replacen(":listener/", ":listener-rule/", 1) + "/*";
                let tags = Call::new(SERVICE, "AddTags", [rule]);
                calls.push(tags.with("elasticloadbalancing:CreateAction", ["CreateRule".to_owned()]));
            }
            calls
        }
        Operation::DeleteRule => on("DeleteRule", given("RuleArn")),
        Operation::ModifyListener => on("ModifyListener", given("ListenerArn")),
        Operation::ModifyRule => on("ModifyRule", given("RuleArn")),
        Operation::ModifyTargetGroupAttributes => on("ModifyTargetGroupAttributes", given("TargetGroupArn")),
        Operation::RegisterTargets => on("RegisterTargets", given("TargetGroupArn")),
        Operation::DeregisterTargets => on("DeregisterTargets", given("TargetGroupArn")),
        Operation::DescribeListeners => any("DescribeListeners"),
        Operation::DescribeLoadBalancers => any("DescribeLoadBalancers"),
        Operation::DescribeRules => any("DescribeRules"),
        Operation::DescribeTargetGroupAttributes => any("DescribeTargetGroupAttributes"),
        Operation::DescribeTargetGroups => any("DescribeTargetGroups"),
        Operation::DescribeTargetHealth => any("DescribeTargetHealth"),
    }
}

/// Performs the operation and returns its output's members.
pub(super) fn perform(operation: Operation, input: &Value, world: &mut World) -> Result<Value, Refusal> {
    let group = |input: &Value| required(input, "TargetGroupArn", INVALID).map(str::to_owned);
    Ok(match operation {
        Operation::CreateLoadBalancer => {
            let kind = text(input, "Type").unwrap_or("application");
            json!({ "LoadBalancers": [world.create_load_balancer(required(input, "Name", INVALID)?, kind)?] })
        }
        Operation::DescribeLoadBalancers => {
            let found = world.describe_load_balancers(&shape(input, INVALID)?)?;
            page(input, "LoadBalancers", found)?
        }
        Operation::CreateListener => json!({ "Listeners": [world.create_listener(shape(input, INVALID)?)?] }),
        Operation::ModifyListener => json!({ "Listeners": [world.modify_listener(shape(input, INVALID)?)?] }),
        Operation::DescribeListeners => {
            let found = world.describe_listeners(&shape(input, INVALID)?)?;
            page(input, "Listeners", found)?
        }
        Operation::CreateRule => json!({ "Rules": [world.create_rule(shape(input, INVALID)?)?] }),
        Operation::DeleteRule => {
            world.delete_rule(required(input, "RuleArn", INVALID)?)?;
            json!({})
        }
        Operation::ModifyRule => json!({ "Rules": [world.modify_rule(shape(input, INVALID)?)?] }),
        Operation::DescribeRules => {
            let found = world.describe_rules(&shape(input, INVALID)?)?;
            page(input, "Rules", found)?
        }
        Operation::CreateTargetGroup => json!({ "TargetGroups": [world.create_target_group(shape(input, INVALID)?)?] }),
        Operation::DescribeTargetGroups => {
            let found = world.describe_target_groups(&shape(input, INVALID)?)?;
            page(input, "TargetGroups", found)?
        }
        Operation::DescribeTargetGroupAttributes => {
            json!({ "Attributes": world.describe_target_group_attributes(&group(input)?)? })
        }
        Operation::ModifyTargetGroupAttributes => {
            let given: Vec<Attribute> = list(input, "Attributes")?;
            json!({ "Attributes": world.modify_target_group_attributes(&group(input)?, &given)? })
        }
        Operation::RegisterTargets => {
            world.register_targets(&group(input)?, &targets(input)?)?;
            json!({})
        }
        Operation::DeregisterTargets => {
            world.deregister_targets(&group(input)?, &targets(input)?)?;
            json!({})
        }
        Operation::DescribeTargetHealth => {
            let health = world.describe_target_health(&group(input)?, &targets(input)?)?;
            json!({ "TargetHealthDescriptions": health })
        }
    })
}

fn page<T: Serialize>(input: &Value, member: &str, found: Vec<T>) -> Result<Value, Refusal> {
    let (page, next) = PAGES.page(input, found)?;
    Ok(json!({ member: page, "NextMarker": next }))
}

fn targets(input: &Value) -> Result<Vec<TargetDescription>, Refusal> {
    list(input, "Targets")
}

/// Reads a list member; an absent one is empty.
fn list<T: DeserializeOwned>(input: &Value, member: &str) -> Result<Vec<T>, Refusal> {
    match &input[member] {
        Value::Null => Ok(Vec::new()),
        given => shape(given, INVALID),
    }
}
