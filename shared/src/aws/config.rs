//! The installation: what a function reads from its environment, once, with everything that is missing said at once.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

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
        if self.variables.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|ignore| ignore != "false") {
            return Some(format!("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS makes {ENDPOINT} void"));
        }
        let mut endpoints = self.variables.iter().filter(|(name, _)| name.starts_with(ENDPOINT));
        endpoints.find(|(_, url)| !is_loopback(url)).map(|(name, url)| format!("{name} is {url}, not loopback"))
    }
}

/// Loads the SDK's configuration: region, credentials and endpoint as the SDK finds them, our time-outs, and
/// attempts for reads. Clients that write take one attempt; see [`once`].
pub async fn sdk() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts).retry_config(again()).load().await
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
