//! Calls of the operator through a Function URL: who calls comes from the signature, what is wanted from the body.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::text::{bounded, read};
use super::{ParseError, printable};
use crate::api::{Ask, CommandRequest};

/// A signed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The caller's ARN, as IAM verified it.
    pub caller: String,
    body: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    body: Option<String>,
    is_base64_encoded: bool,
    request_context: Context,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Context {
    authorizer: Option<Authorizer>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Authorizer {
    iam: Option<Iam>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Iam {
    user_arn: Option<String>,
}

/// Reads what Lambda hands over for a call of a Function URL.
///
/// # Errors
/// Not such a call, or one whose caller IAM did not verify.
pub fn call(payload: &str) -> Result<Call, ParseError> {
    bounded(payload)?;
    let wire: Wire = read(payload, "a Function URL's call")?;
    let iam = wire.request_context.authorizer.and_then(|authorizer| authorizer.iam);
    let Some(caller) = iam.and_then(|iam| iam.user_arn).filter(|arn| !arn.is_empty()) else {
        return Err(ParseError::new(
            "a call without a verified caller",
            "the Function URL needs AuthType AWS_IAM, and the call a signature",
        ));
    };
    if wire.is_base64_encoded {
        return Err(ParseError::new("the body is not text", "send it with `content-type: application/json`"));
    }
    Ok(Call { caller: printable(&caller), body: wire.body.unwrap_or_default() })
}

impl Call {
    /// Reads the body as a mutating verb.
    ///
    /// # Errors
    /// It is none.
    pub fn command(&self) -> Result<CommandRequest, ParseError> {
        self.read("a command")
    }

    /// Reads the body as a question.
    ///
    /// # Errors
    /// It is none.
    pub fn ask(&self) -> Result<Ask, ParseError> {
        self.read("a question")
    }

    fn read<T: DeserializeOwned>(&self, expected: &str) -> Result<T, ParseError> {
        bounded(&self.body)?;
        read(&self.body, expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Order;
    use crate::ids::RolloutId;
    use crate::machine::event::Verb;

    const SIGNED: &str = r#"{"version":"2.0","rawPath":"/","requestContext":{"authorizer":{"iam":
        {"userArn":"arn:aws:iam::012345678901:user/ana","userId":"AIDA"}}},"isBase64Encoded":false,
        "body":"{\"key\":\"k1\",\"order\":{\"order\":\"verb\",\"rollout\":\"shop-01\",\"verb\":\"abort\",\"expected_step\":null}}"}"#;

    #[test]
    fn a_signed_call_carries_its_caller_and_its_command() {
        let call = call(SIGNED).unwrap();
        assert_eq!(call.caller, "arn:aws:iam::012345678901:user/ana");
        let command = call.command().unwrap();
        let wanted = Order::Verb { rollout: RolloutId::new("shop-01"), verb: Verb::Abort, expected_step: None };
        assert_eq!((command.key.as_str(), command.order), ("k1", wanted));
        assert!(call.ask().unwrap_err().what.starts_with("not a question"));
    }

    #[test]
    fn an_unsigned_or_binary_call_is_refused() {
        let unsigned = SIGNED.replace("userArn", "cognito");
        assert_eq!(call(&unsigned).unwrap_err().what, "a call without a verified caller");
        let binary = SIGNED.replace(r#""isBase64Encoded":false"#, r#""isBase64Encoded":true"#);
        assert_eq!(call(&binary).unwrap_err().what, "the body is not text");
    }
}
