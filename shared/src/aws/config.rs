//! The installation: what a function reads from its environment, once, with everything that is missing said at once.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecs::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};

use crate::aws::clock::FunctionClock;

const TABLE: &str = "TIDEGATE_TABLE";
const COMMAND_QUEUE: &str = "TIDEGATE_COMMAND_QUEUE_URL";
const WAKEUP_QUEUE: &str = "TIDEGATE_WAKEUP_QUEUE_URL";
const ANALYSIS_QUEUE: &str = "TIDEGATE_ANALYSIS_QUEUE_URL";
const BUS: &str = "TIDEGATE_BUS";
const REGION: &str = "AWS_REGION";
const CLOCK: &str = "TIDEGATE_CLOCK";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// A connection within the region takes milliseconds; one that takes longer goes to a host that is not there.
const CONNECT: Duration = Duration::from_secs(1);
/// The slowest of our calls answers well within a second when it answers at all.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Two attempts and their pauses; every function's timeout leaves room for it.
const OPERATION: Duration = Duration::from_secs(8);
/// Reads are repeated this often in all; what still fails then is the machine's to repeat.
const READ_ATTEMPTS: u32 = 3;

/// Somebody waits for an abort: the SDK's own first pause of up to a second is too long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The environment of this process as it was at its start. Nothing else reads it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    problems: Vec<String>,
}

/// What is wrong with the environment: everything, not the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the function's environment is not complete: {}; template.yaml sets these variables", .0.join("; "))]
pub struct Incomplete(pub Vec<String>);

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        Self::of(std::env::vars_os().filter_map(|(name, value)| {
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { return None };
            Some((name, value))
        }))
    }

    /// Takes an environment as given.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), problems: Vec::new() }
    }

    /// Takes the name of the table.
    pub fn table(&mut self) -> String {
        self.required(TABLE)
    }

    /// Takes the URL of the command queue.
    pub fn command_queue(&mut self) -> String {
        self.required(COMMAND_QUEUE)
    }

    /// Takes the URL of the wake-up queue.
    pub fn wakeup_queue(&mut self) -> String {
        self.required(WAKEUP_QUEUE)
    }

    /// Takes the URL of the analysis queue.
    pub fn analysis_queue(&mut self) -> String {
        self.required(ANALYSIS_QUEUE)
    }

    /// Takes the name of the bus.
    pub fn bus(&mut self) -> String {
        self.required(BUS)
    }

    /// Takes the region that the function runs in.
    pub fn region(&mut self) -> String {
        self.required(REGION)
    }

    /// Takes what the SDK's clients are made of: the region, the credentials that Lambda puts into the environment, an
    /// endpoint where there is one, our time-outs, and attempts for reads. Clients that write take one attempt; see
    /// [`once`].
    ///
    /// The SDK's own search (profiles, web identities, containers, instances) would find nothing else in a function,
    /// and is a good part of the SDK.
    pub fn sdk(&mut self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region()))
            .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
            .timeout_config(timeouts)
            .retry_config(again());
        let endpoint = self.variables.get(ENDPOINT).filter(|url| !url.is_empty()).cloned();
        let trust = Trust::of(endpoint.as_deref());
        sdk.set_endpoint_url(endpoint);
        sdk.http_client(http_client(trust)).build()
    }

    /// Takes the clock: the time of day, or a sandbox's, and that only where no call can leave this machine.
    pub fn clock(&mut self) -> FunctionClock {
        let Some(text) = self.variables.get(CLOCK).filter(|text| !text.is_empty()) else {
            return FunctionClock::wall();
        };
        let clock = text.parse();
        if let Some(stray) = self.endpoint_off_this_machine() {
            self.problems.push(format!(
                "{CLOCK} is a sandbox's clock, and {stray}: a function with a bent clock must not reach AWS"
            ));
        }
        clock.unwrap_or_else(|why| {
            self.problems.push(format!("{CLOCK}: {why}"));
            FunctionClock::wall()
        })
    }

    /// Says all that is missing or wrong, if anything is.
    pub fn complete(&self) -> Result<(), Incomplete> {
        if self.problems.is_empty() { Ok(()) } else { Err(Incomplete(self.problems.clone())) }
    }

    fn required(&mut self, name: &str) -> String {
        let value = self.variables.get(name).filter(|value| !value.is_empty());
        value.cloned().unwrap_or_else(|| {
            self.problems.push(format!("{name} is missing"));
            String::new()
        })
    }

    /// Returns why calls could leave this machine: no endpoint for all services, or one that is not loopback.
    fn endpoint_off_this_machine(&self) -> Option<String> {
        if !self.variables.contains_key(ENDPOINT) {
            return Some(format!("{ENDPOINT} is missing"));
        }
        let mut endpoints = self.variables.iter().filter(|(name, _)| name.starts_with(ENDPOINT));
        endpoints.find(|(_, url)| !is_loopback(url)).map(|(name, url)| format!("{name} is {url}, not loopback"))
    }
}

/// Who vouches for the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Whom the system trusts, read once.
    System,
    /// Nobody: a sandbox on loopback speaks plain HTTP, and there is nothing to be read for it.
    Nobody,
}

impl Trust {
    /// Returns whom an endpoint needs; `None` is each service's own.
    fn of(endpoint: Option<&str>) -> Self {
        if endpoint.is_some_and(|url| url.starts_with("http://")) { Self::Nobody } else { Self::System }
    }
}

/// Makes the HTTP client that all clients share: as the SDK's own default, with proxies as the environment names them,
/// but for where its cryptography comes from.
///
/// One connector for both kinds of endpoint: a second one for plain HTTP would be compiled all the way down.
pub fn http_client(trust: Trust) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let roots = match trust {
            Trust::System => TrustStore::default(),
            Trust::Nobody => TrustStore::empty(),
        };
        let tls = TlsContext::builder().with_trust_store(roots).build().expect("no certificate of ours is in it");
        let mut connector = Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

/// The retry policy of calls that change nothing, or that may be repeated.
pub fn again() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(READ_ATTEMPTS).with_initial_backoff(FIRST_PAUSE)
}

/// The retry policy of calls that change something: none. The machine looks before it tries again.
pub fn once() -> RetryConfig {
    RetryConfig::disabled()
}

fn is_loopback(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(six),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    const SANDBOX: &str = "2026-01-05T09:00:00Z,2026-11-22T13:17:00Z,60";

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let mut environment = environment(&[(BUS, "tidegate"), (WAKEUP_QUEUE, "")]);
        assert_eq!(environment.bus(), "tidegate");
        environment.table();
        environment.wakeup_queue();
        environment.clock();
        let said = environment.complete().unwrap_err().to_string();
        assert!(said.contains("TIDEGATE_TABLE is missing; TIDEGATE_WAKEUP_QUEUE_URL is missing"), "{said}");
    }

    #[test]
    fn the_clients_are_made_of_the_environment_and_of_our_limits() {
        let sdk = environment(&[(REGION, "eu-west-1"), (ENDPOINT, "http://127.0.0.1:4566")]).sdk();
        assert_eq!(sdk.region().map(Region::as_ref), Some("eu-west-1"));
        assert_eq!(sdk.endpoint_url(), Some("http://127.0.0.1:4566"));
        assert_eq!(sdk.timeout_config().and_then(TimeoutConfig::operation_attempt_timeout), Some(ATTEMPT));
        assert_eq!(sdk.retry_config().map(RetryConfig::max_attempts), Some(READ_ATTEMPTS));
        assert!(sdk.credentials_provider().is_some() && sdk.http_client().is_some());

        let in_lambda = environment(&[(REGION, "eu-west-1"), (ENDPOINT, "")]).sdk();
        assert_eq!(in_lambda.endpoint_url(), None, "each service has its own");
        let trusted = [None, Some("https://localhost:1"), Some("http://127.0.0.1:1")].map(Trust::of);
        assert_eq!(trusted, [Trust::System, Trust::System, Trust::Nobody]);

        let mut nowhere = environment(&[]);
        nowhere.sdk();
        assert_eq!(nowhere.complete(), Err(Incomplete(vec!["AWS_REGION is missing".to_owned()])));
    }

    #[test]
    fn a_bent_clock_starts_only_where_every_endpoint_is_loopback() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[], true),
            (&[(CLOCK, SANDBOX)], false),
            (&[(CLOCK, SANDBOX), (ENDPOINT, "http://127.0.0.1:4566")], true),
            (&[(CLOCK, SANDBOX), (ENDPOINT, "http://[::1]:4566/")], true),
            (&[(CLOCK, SANDBOX), (ENDPOINT, "http://localhost:4566")], true),
            (&[(CLOCK, SANDBOX), (ENDPOINT, "https://ecs.eu-west-1.amazonaws.com")], false),
            (&[(CLOCK, SANDBOX), (ENDPOINT, "http://127.0.0.1@evil.example")], false),
            (
                &[(CLOCK, SANDBOX), (ENDPOINT, "http://127.0.0.1:1"), ("AWS_ENDPOINT_URL_ECS", "https://ecs.example")],
                false,
            ),
            (&[(CLOCK, "soon"), (ENDPOINT, "http://127.0.0.1:1")], false),
        ];
        for (variables, starts) in cases {
            let mut environment = environment(variables);
            environment.clock();
            assert_eq!(environment.complete().is_ok(), starts, "{variables:?}");
        }
    }
}
