//! Refusals of the modelled services, in AWS's own codes and texts.

use thiserror::Error;

/// A refusal as AWS would send it: the code clients switch on, its text, and the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's error code, for example `ServiceNotFoundException` (ECS) or `RuleNotFound` (ELB).
    pub code: &'static str,
    pub message: String,
    pub http_status: u16,
}

pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), http_status: 400 }
    }

    pub fn client(message: impl Into<String>) -> ApiError {
        ApiError::new("ClientException", message)
    }

    pub fn invalid_parameter(message: impl Into<String>) -> ApiError {
        ApiError::new("InvalidParameterException", message)
    }

    pub fn cluster_not_found() -> ApiError {
        ApiError::new("ClusterNotFoundException", "Cluster not found.")
    }

    pub fn service_not_found() -> ApiError {
        ApiError::new("ServiceNotFoundException", "Service not found.")
    }

    /// What UpdateService says of a service that was deleted but is still listed.
    pub fn service_not_active() -> ApiError {
        ApiError::new("ServiceNotActiveException", "Service was not ACTIVE.")
    }

    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationError", message)
    }

    pub fn load_balancer_not_found() -> ApiError {
        ApiError::new("LoadBalancerNotFound", "One or more load balancers not found")
    }

    pub fn listener_not_found() -> ApiError {
        ApiError::new("ListenerNotFound", "One or more listeners not found")
    }

    pub fn rule_not_found() -> ApiError {
        ApiError::new("RuleNotFound", "One or more rules not found")
    }

    pub fn target_group_not_found() -> ApiError {
        ApiError::new("TargetGroupNotFound", "One or more target groups not found")
    }

    pub fn alarm_not_found() -> ApiError {
        ApiError { code: "ResourceNotFound", message: "Unknown alarm".to_owned(), http_status: 404 }
    }

    /// Each service has its own name for the same thing.
    pub fn throttled(service: ApiFamily) -> ApiError {
        let code = match service {
            ApiFamily::Ecs | ApiFamily::AutoScaling => "ThrottlingException",
            ApiFamily::Elb | ApiFamily::CloudWatch => "Throttling",
        };
        ApiError::new(code, "Rate exceeded")
    }
}

/// The modelled AWS services that answer calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiFamily {
    Ecs,
    Elb,
    CloudWatch,
    AutoScaling,
}
