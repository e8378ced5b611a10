//! Answers of AWS, typed by who can do something about them.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::fault::{Fault, Obstacle, Outcome};

/// What is left of an SDK error once its types are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    how: How,
    why: String,
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    /// It never left this process.
    NotSent,
    /// The service said no, by this code and HTTP status.
    Answered { code: String, status: u16 },
    /// It left, or may have left, and no answer came that could be read.
    NoAnswer,
}

/// Codes by which services say "later". ECS, ELB, DynamoDB, SQS, CloudWatch and the newer ones each have their own.
const THROTTLED: [&str; 12] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "LimitExceededFault",
    "SlowDown",
    "PriorRequestNotComplete",
];

/// Codes by which services say that the role, or who holds it, may not.
const DENIED: [&str; 11] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "UnauthorizedOperation",
    "NotAuthorized",
    "NotAuthorizedForSourceException",
    "OptInRequired",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "IncompleteSignature",
    "SignatureDoesNotMatch",
];

/// Codes of credentials that ran out: the next ones are on their way.
const STALE_CREDENTIALS: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed"];

/// Codes of things that are gone.
const GONE: [&str; 13] = [
    "ServiceNotFoundException",
    "ServiceNotActiveException",
    "ClusterNotFoundException",
    "RuleNotFound",
    "RuleNotFoundException",
    "ListenerNotFound",
    "ListenerNotFoundException",
    "TargetGroupNotFound",
    "TargetGroupNotFoundException",
    "LoadBalancerNotFound",
    "ResourceNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

/// Codes of quotas that are used up.
const LIMIT: [&str; 6] = [
    "TooManyRules",
    "LimitExceededException",
    "LimitExceeded",
    "TooManyTargets",
    "TooManyActions",
    "TooManyUniqueTargetGroupsPerLoadBalancer",
];

/// Codes of lost races.
const CONFLICT: [&str; 6] = [
    "PriorityInUse",
    "ConditionalCheckFailedException",
    "TransactionConflictException",
    "ConflictException",
    "ResourceInUse",
    "ResourceInUseException",
];

/// What ECS and ELB write in the message, whatever the code says.
const RATE_EXCEEDED: &str = "Rate exceeded";

impl Failure {
    /// Reads an SDK error.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error {
            SdkError::ConstructionFailure(_) => Self { how: How::NotSent, why: chain(error) },
            SdkError::DispatchFailure(failure) if failure.is_user() => Self { how: How::NotSent, why: chain(error) },
            // The SDK calls a success that it cannot read an error of the service.
            SdkError::ServiceError(answer) if answer.raw().status().is_success() => {
                Self { how: How::NoAnswer, why: format!("an answer that cannot be read: {}", chain(error)) }
            }
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let code = answer.err().code().unwrap_or("").to_owned();
                let said = answer.err().message().unwrap_or("no message");
                let why = if code.is_empty() { format!("HTTP {status}: {said}") } else { format!("{code}: {said}") };
                Self { how: How::Answered { code, status }, why }
            }
            // The rest, and whatever kind the SDK adds, is a call whose effect is not known.
            _ => Self { how: How::NoAnswer, why: chain(error) },
        }
    }

    /// Whether the service answered with this code.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(&self.how, How::Answered { code, .. } if code == wanted)
    }

    /// Returns the service's own words.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Returns what a failed read means.
    pub fn fault(self) -> Fault {
        match &self.how {
            How::NotSent | How::NoAnswer => Fault::transient(self.why),
            How::Answered { code, status } => refused(code, *status, &self.why),
        }
    }

    /// Returns what a failed write means.
    pub fn outcome(self) -> Outcome {
        match &self.how {
            How::NotSent => Outcome::NotApplied { fault: Fault::transient(self.why) },
            How::NoAnswer => Outcome::Unknown { why: self.why },
            How::Answered { code, status } if *status >= 500 && !throttled(code, &self.why) => {
                Outcome::Unknown { why: self.why }
            }
            How::Answered { code, status } => Outcome::NotApplied { fault: refused(code, *status, &self.why) },
        }
    }
}

/// Turns the error of a read into a fault.
#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` takes
pub fn fault<E>(error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Failure::of(&error).fault()
}

/// Turns the answer to a write into its outcome.
pub fn outcome<T, E>(answer: Result<T, SdkError<E, HttpResponse>>) -> Outcome
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    answer.map_or_else(|error| Failure::of(&error).outcome(), |_| Outcome::Applied)
}

/// The service said no. What it says for reasons that we do not know by name is refused as invalid: a person reads
/// the words.
fn refused(code: &str, status: u16, why: &str) -> Fault {
    let one_of = |codes: &[&str]| codes.contains(&code);
    if throttled(code, why) || one_of(&STALE_CREDENTIALS) {
        Fault::transient(why)
    } else if one_of(&CONFLICT) {
        Fault::conflict(why)
    } else if one_of(&DENIED) {
        Fault::permanent(Obstacle::AccessDenied, why)
    } else if one_of(&GONE) {
        Fault::permanent(Obstacle::NotFound, why)
    } else if one_of(&LIMIT) {
        Fault::permanent(Obstacle::Limit, why)
    } else if status >= 500 || status == 429 {
        Fault::transient(why)
    } else if status == 403 {
        Fault::permanent(Obstacle::AccessDenied, why)
    } else {
        Fault::permanent(Obstacle::Invalid, why)
    }
}

fn throttled(code: &str, why: &str) -> bool {
    THROTTLED.contains(&code) || why.contains(RATE_EXCEEDED)
}

/// Joins an error and its causes into one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str, status: u16, message: &str) -> Failure {
        Failure { how: How::Answered { code: code.to_owned(), status }, why: format!("{code}: {message}") }
    }

    #[derive(Debug, PartialEq)]
    enum Kind {
        Transient,
        Conflict,
        Permanent(Obstacle),
    }

    fn kind(fault: &Fault) -> Kind {
        match fault {
            Fault::Transient { .. } => Kind::Transient,
            Fault::Conflict { .. } => Kind::Conflict,
            Fault::Permanent { reason, .. } => Kind::Permanent(*reason),
        }
    }

    #[test]
    fn a_code_decides_who_can_do_something() {
        use Kind::{Conflict, Permanent, Transient};
        use Obstacle::{AccessDenied, Invalid, Limit, NotFound};
        let cases = [
            ("ThrottlingException", 400, "slow down", Transient),
            ("Throttling", 400, "Rate exceeded", Transient),
            ("RequestLimitExceeded", 503, "Request limit exceeded.", Transient),
            ("ClientException", 400, "Rate exceeded", Transient),
            ("ProvisionedThroughputExceededException", 400, "the table", Transient),
            ("ExpiredTokenException", 403, "the token is expired", Transient),
            ("ServerException", 500, "internal", Transient),
            ("ServiceUnavailable", 503, "later", Transient),
            ("ConditionalCheckFailedException", 400, "the conditional request failed", Conflict),
            ("AccessDenied", 403, "not authorized to perform elasticloadbalancing:ModifyRule", Permanent(AccessDenied)),
            ("AccessDeniedException", 400, "not authorized to perform ecs:UpdateService", Permanent(AccessDenied)),
            ("Forbidden", 403, "by a proxy", Permanent(AccessDenied)),
            ("ServiceNotFoundException", 400, "Service not found.", Permanent(NotFound)),
            ("ServiceNotActiveException", 400, "Service was not ACTIVE.", Permanent(NotFound)),
            ("ClusterNotFoundException", 400, "Cluster not found.", Permanent(NotFound)),
            ("RuleNotFound", 400, "One or more rules not found", Permanent(NotFound)),
            ("ListenerNotFound", 400, "One or more listeners not found", Permanent(NotFound)),
            ("TargetGroupNotFound", 400, "One or more target groups not found", Permanent(NotFound)),
            ("TooManyTargets", 400, "the limit", Permanent(Limit)),
            ("InvalidParameterException", 400, "The task definition is inactive", Permanent(Invalid)),
            ("ClientException", 400, "Unable to describe task definition.", Permanent(Invalid)),
            ("ValidationError", 400, "weight", Permanent(Invalid)),
            ("SomethingNew", 400, "what AWS adds", Permanent(Invalid)),
        ];
        for (code, status, message, expected) in cases {
            let fault = answered(code, status, message).fault();
            assert_eq!(kind(&fault), expected, "{code}");
            assert!(fault.to_string().contains(message), "{fault} keeps the service's words");
        }
    }

    #[test]
    fn a_write_without_a_readable_answer_is_unknown_and_a_refused_one_is_not_applied() {
        let unknown = |failure: Failure| matches!(failure.outcome(), Outcome::Unknown { .. });
        assert!(unknown(Failure { how: How::NoAnswer, why: "timeout".into() }));
        assert!(unknown(answered("ServerException", 500, "internal")));
        assert!(!unknown(answered("RequestLimitExceeded", 503, "throttled before it was looked at")));
        assert!(!unknown(answered("AccessDenied", 403, "no")));
        assert!(!unknown(Failure { how: How::NotSent, why: "no region".into() }));
    }
}
