//! Signature Version 4 for Function URLs, with whatever credentials the AWS tools on this machine use.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::exit::Exit;
use crate::failure::Failure;

/// The service that Function URLs are signed for.
const SERVICE: &str = "lambda";

/// Credentials are found anew when they are valid for less than this: a wait may outlast them.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Credentials, and a region for URLs that do not name theirs.
pub struct Signer {
    credentials: Credentials,
    region: Option<String>,
}

impl Signer {
    /// Finds credentials as the AWS CLI does: environment, profile, SSO, a helper program, the host's role.
    pub fn from_environment() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| no_credentials(&error.to_string()))?;
        runtime.block_on(async {
            let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
            let provider = config.credentials_provider().ok_or_else(|| no_credentials("no provider"))?;
            let credentials =
                provider.provide_credentials().await.map_err(|error| no_credentials(&with_causes(&error)))?;
            Ok(Self { credentials, region: config.region().map(ToString::to_string) })
        })
    }

    /// Whether the credentials are valid long enough for another request.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_none_or(|expiry| expiry > now + RENEW_BEFORE)
    }

    /// Returns the headers that prove who sends `body` to `url`.
    pub fn sign(&self, url: &str, body: &[u8], now: SystemTime) -> Result<Vec<(String, String)>, Failure> {
        let region = region_of(url).or(self.region.as_deref()).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("{url} does not say its region"),
                "set AWS_REGION, or give the Function URL itself: https://ID.lambda-url.REGION.on.aws/",
            )
        })?;
        let unsigned =
            |error: String| Failure::new(Exit::Unexpected, format!("cannot sign: {error}"), super::REPORT_IT);
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?
            .into();
        let headers = std::iter::once(("content-type", "application/json"));
        let request = SignableRequest::new("POST", url, headers, SignableBody::Bytes(body))
            .map_err(|error| unsigned(with_causes(&error)))?;
        let (instructions, _) = sign(request, &parameters).map_err(|error| unsigned(with_causes(&error)))?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Returns the region in `https://ID.lambda-url.REGION.on.aws/`.
fn region_of(url: &str) -> Option<&str> {
    let host = url.strip_prefix("https://")?.split(['/', ':', '?']).next()?;
    let (_, rest) = host.split_once(".lambda-url.")?;
    let region = rest.strip_suffix(".on.aws").or_else(|| rest.strip_suffix(".on.amazonwebservices.com.cn"))?;
    (!region.is_empty()).then_some(region)
}

fn no_credentials(why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        format!("no AWS credentials: {why}"),
        "`aws sso login`, or set AWS_PROFILE; `aws sts get-caller-identity` shows whether it works",
    )
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What botocore's SigV4Auth gives for the same request, credentials and time.
    const BOTOCORE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/lambda/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, \
        Signature=2bfcbffc3f5e6dbacdb48cac06f42ba04073f16c52c0c83955726cd853134dd9";

    fn signer(token: Option<&str>) -> Signer {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token.map(str::to_owned),
            None,
            "test",
        );
        Signer { credentials, region: None }
    }

    #[test]
    fn a_fixed_request_has_the_signature_that_an_independent_signer_gives_it() {
        let url = "https://abc123.lambda-url.eu-west-1.on.aws/";
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let headers = signer(None).sign(url, br#"{"ask":"list","finished":false}"#, now).unwrap();
        let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(of("x-amz-date"), Some("20150830T123600Z"));
        assert_eq!(of("authorization"), Some(BOTOCORE));
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let url = "https://abc123.lambda-url.eu-west-1.on.aws/";
        let headers = signer(Some("token")).sign(url, b"{}", SystemTime::UNIX_EPOCH).unwrap();
        let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(of("x-amz-security-token"), Some("token"));
        assert!(of("authorization").unwrap().contains("x-amz-security-token"));
    }

    #[test]
    fn credentials_are_renewed_before_they_expire() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let valid_for = |seconds| {
            let expiry = Some(now + Duration::from_secs(seconds));
            Signer { credentials: Credentials::new("a", "b", None, expiry, "test"), region: None }
        };
        assert!(signer(None).is_fresh(now), "without an end");
        assert!(valid_for(301).is_fresh(now));
        assert!(!valid_for(300).is_fresh(now));
    }

    #[test]
    fn the_region_is_read_from_the_url_and_asked_for_elsewhere() {
        assert_eq!(region_of("https://abc.lambda-url.eu-west-1.on.aws/"), Some("eu-west-1"));
        assert_eq!(region_of("https://tidegate.example.com/"), None);
        let failure = signer(None).sign("https://tidegate.example.com/", b"{}", SystemTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }
}
