//! Names of things as newtypes: an ARN of a rule is never mistaken for that of a target group.
//!
//! A record holds the same few names many times, and is cloned with every step: a clone of a name shares its text.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
        pub struct $type(#[schemars(with = "String")] Arc<str>);

        impl $type {
            /// Wraps a name as it was given.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into().into())
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::new)
            }
        }
    };
}

name!(
    /// One rollout: the service's name and a ULID, `checkout-01K…`; sorts by time within a service.
    RolloutId
);
name!(
    /// ARN of an ECS service, always with its cluster part.
    ServiceArn
);
name!(
    /// ARN of a task definition revision, `…:task-definition/family:revision`.
    TaskDefinitionArn
);
name!(
    /// ARN of a task.
    TaskArn
);
name!(
    /// ARN of a target group.
    TargetGroupArn
);
name!(
    /// ARN of a listener rule, or of a listener where its default action is meant.
    RuleArn
);
name!(
    /// ARN of a CloudWatch alarm.
    AlarmArn
);

impl ServiceArn {
    /// Returns the service's own name, the last part of the ARN.
    pub fn name(&self) -> &str {
        last_part(&self.0)
    }

    /// Returns the cluster's name, where the ARN has one.
    pub fn cluster(&self) -> Option<&str> {
        let mut parts = self.0.rsplit('/');
        parts.next();
        let cluster = parts.next()?;
        (!cluster.contains(':')).then_some(cluster)
    }

    /// Builds the ARN that ECS gives to `service` in the cluster of `cluster_arn`.
    pub fn in_cluster(cluster_arn: &str, service: &str) -> Option<Self> {
        let (prefix, cluster) = cluster_arn.split_once(":cluster/")?;
        Some(Self::new(format!("{prefix}:service/{cluster}/{service}")))
    }
}

impl TaskDefinitionArn {
    /// Returns `family:revision`.
    pub fn short(&self) -> &str {
        last_part(&self.0)
    }
}

impl TargetGroupArn {
    /// Returns CloudWatch's dimension value, `targetgroup/name/id`.
    pub fn dimension(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or(&self.0)
    }

    /// Returns the target group's name.
    pub fn name(&self) -> &str {
        self.dimension().split('/').nth(1).unwrap_or(&self.0)
    }
}

impl AlarmArn {
    /// Returns the alarm's name: everything after `:alarm:`, colons included.
    pub fn name(&self) -> &str {
        self.0.split_once(":alarm:").map_or(&self.0, |(_, name)| name)
    }
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_out_of_arns() {
        let service = ServiceArn::new("arn:aws:ecs:eu-west-1:012345678901:service/shop/checkout-blue");
        assert_eq!((service.cluster(), service.name()), (Some("shop"), "checkout-blue"));
        assert_eq!(ServiceArn::new("arn:aws:ecs:eu-west-1:012345678901:service/old").cluster(), None);
        let group = TargetGroupArn::new("arn:aws:elasticloadbalancing:eu-west-1:012345678901:targetgroup/blue/0a1b");
        assert_eq!((group.dimension(), group.name()), ("targetgroup/blue/0a1b", "blue"));
        assert_eq!(AlarmArn::new("arn:aws:cloudwatch:eu-west-1:012345678901:alarm:a:b").name(), "a:b");
    }

    #[test]
    fn a_service_arn_is_built_from_its_cluster() {
        let built = ServiceArn::in_cluster("arn:aws:ecs:eu-west-1:012345678901:cluster/shop", "web");
        assert_eq!(built.unwrap().as_str(), "arn:aws:ecs:eu-west-1:012345678901:service/shop/web");
        assert_eq!(ServiceArn::in_cluster("shop", "web"), None);
    }
}
