//! Application Auto Scaling in awsJson 1.1.

use serde_json::{Value, json as tree};

use super::{json, world};

const SERVICE: &str = "application-autoscaling";

#[test]
fn a_target_is_registered_suspended_described_and_deregistered() {
    let mut world = world();
    let mut call = |action: &str, body: &str| json(&mut world, SERVICE, action, body);
    let (status, answer) = call(
        "RegisterScalableTarget",
        r#"{"ServiceNamespace":"ecs","ResourceId":"service/shop/checkout","ScalableDimension":"ecs:service:DesiredCount","MinCapacity":2,"MaxCapacity":10}"#,
    );
    assert_eq!(status, 200, "{answer}");
    let arn = answer["ScalableTargetARN"].clone();
    assert_eq!(arn, "arn:aws:application-autoscaling:eu-central-1:012345678901:scalable-target/1");
    let suspend = r#"{"ServiceNamespace":"ecs","ResourceId":"service/shop/checkout","ScalableDimension":"ecs:service:DesiredCount","SuspendedState":{"DynamicScalingInSuspended":true}}"#;
    assert_eq!(call("RegisterScalableTarget", suspend).0, 200);

    let describe = r#"{"ServiceNamespace": "ecs", "ResourceIds": ["service/shop/checkout"]}"#;
    let (_, answer) = call("DescribeScalableTargets", describe);
    let target = &answer["ScalableTargets"][0];
    assert_eq!((&target["ScalableTargetARN"], &target["MaxCapacity"]), (&arn, &tree!(10)));
    assert_eq!(target["CreationTime"], tree!(1_795_352_400.0));
    assert_eq!(
        target["SuspendedState"],
        tree!({"DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false})
    );

    let this = r#"{"ServiceNamespace":"ecs","ResourceId":"service/shop/checkout","ScalableDimension":"ecs:service:DesiredCount"}"#;
    assert_eq!(call("DeregisterScalableTarget", this), (200, tree!({})));
    assert_eq!(call("DescribeScalableTargets", describe), (200, tree!({"ScalableTargets": []})));
    let (status, error) = call("DeregisterScalableTarget", this);
    assert_eq!((status, &error["__type"]), (400, &Value::from("ObjectNotFoundException")));
    let (status, error) = call("DeregisterScalableTarget", "{}");
    assert_eq!((status, &error["message"]), (400, &Value::from("ResourceId is required")));
}
