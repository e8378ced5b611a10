//! The way to the controller: one question or order goes out as JSON, one answer comes back.

mod place;
#[cfg(feature = "aws")]
mod signing;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate::api::{Answer, Ask, CommandRequest, Told};

pub use place::{Flags, Place};

use crate::exit::Exit;
use crate::failure::Failure;

/// A Function URL's function has at most this long in the template; a longer silence is no answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Once more after a lost answer: questions change nothing, and an order's key makes it be carried out once.
const ATTEMPTS: u32 = 2;

/// Between two attempts.
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);

/// The largest answer of a Function URL.
const ANSWER_BYTES_MAX: u64 = 6 * 1024 * 1024;

/// What a verb talks to.
pub struct Link {
    place: Place,
    agent: ureq::Agent,
    #[cfg(feature = "aws")]
    signer: Option<signing::Signer>,
}

/// Which of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Command,
    Query,
}

/// How a request proves who sends it.
enum Proof {
    /// The sandbox believes what it is told.
    Header(&'static str, String),
    /// Signature Version 4.
    #[cfg(feature = "aws")]
    Signed(Vec<(String, String)>),
}

/// What one attempt came to.
enum Attempt<T> {
    Answered(T),
    /// Nothing came back, or a gateway's error: it may be tried again.
    Lost(String),
    Failed(Failure),
}

impl Link {
    /// Prepares the way to `place`; nothing is sent yet.
    pub fn to(place: Place) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            place,
            agent: config.into(),
            #[cfg(feature = "aws")]
            signer: None,
        }
    }

    /// Asks the `query` function.
    pub fn ask(&mut self, ask: &Ask) -> Result<Told, Failure> {
        self.exchange(Door::Query, ask)
    }

    /// Sends an order to the `command` function.
    pub fn order(&mut self, request: &CommandRequest) -> Result<Answer, Failure> {
        self.exchange(Door::Command, request)
    }

    fn exchange<Q: Serialize, A: DeserializeOwned>(&mut self, door: Door, question: &Q) -> Result<A, Failure> {
        let url = self.place.url(door)?;
        let body = serde_json::to_vec(question)
            .map_err(|error| Failure::new(Exit::Unexpected, format!("cannot write the request: {error}"), REPORT_IT))?;
        let mut lost = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(PAUSE_BETWEEN_ATTEMPTS);
            }
            match self.attempt(&url, &body)? {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Lost(why) => lost = why,
                Attempt::Failed(failure) => return Err(failure),
            }
        }
        Err(Failure::new(Exit::Unreachable, format!("no answer from {url}: {lost}"), self.place.hint(&url)))
    }

    fn attempt<A: DeserializeOwned>(&mut self, url: &str, body: &[u8]) -> Result<Attempt<A>, Failure> {
        let mut request = self.agent.post(url).header("content-type", "application/json");
        match self.proof(url, body)? {
            // A proxy of this network cannot reach a sandbox on this machine.
            Proof::Header(name, value) => request = request.config().proxy(None).build().header(name, value),
            #[cfg(feature = "aws")]
            Proof::Signed(headers) => {
                for (name, value) in headers {
                    request = request.header(name, value);
                }
            }
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Lost(error.to_string())),
        };
        let status = response.status().as_u16();
        let text = match response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string() {
            Ok(text) => text,
            Err(error) => return Ok(Attempt::Lost(error.to_string())),
        };
        Ok(read_answer(status, &text, url))
    }

    #[cfg(feature = "aws")]
    fn proof(&mut self, url: &str, body: &[u8]) -> Result<Proof, Failure> {
        if let Some(principal) = self.place.unsigned_principal(url) {
            return Ok(Proof::Header("authorization", format!("Sandbox {principal}")));
        }
        let now = std::time::SystemTime::now();
        let signer = match self.signer.take().filter(|signer| signer.is_fresh(now)) {
            Some(fresh) => fresh,
            None => signing::Signer::from_environment()?,
        };
        Ok(Proof::Signed(self.signer.insert(signer).sign(url, body, now)?))
    }

    #[cfg(not(feature = "aws"))]
    fn proof(&mut self, url: &str, _body: &[u8]) -> Result<Proof, Failure> {
        let principal = self.place.unsigned_principal(url).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("this `tidegate` cannot sign requests to {url}"),
                "build it with `cargo build -p tidegate-cli --features aws`, or talk to a sandbox (`--sandbox`)",
            )
        })?;
        Ok(Proof::Header("authorization", format!("Sandbox {principal}")))
    }
}

const REPORT_IT: &str = "this is a mistake in `tidegate`: please report it with the command that you gave";

/// Reads what came back. An answer that can be read counts whatever the status is: a refusal is an answer, too.
fn read_answer<A: DeserializeOwned>(status: u16, text: &str, url: &str) -> Attempt<A> {
    let unreadable = match serde_json::from_str(text) {
        Ok(answer) => return Attempt::Answered(answer),
        Err(error) => error,
    };
    let excerpt: String = text.chars().take(200).collect();
    match status {
        401 | 403 => Attempt::Failed(Failure::new(
            Exit::Refused,
            format!("{url} denies the request ({status}): {excerpt}"),
            "the caller needs both lambda:InvokeFunctionUrl and lambda:InvokeFunction: attach the caller policy that \
             the stack exports (one for `command`, one for `query`), and check with `aws sts get-caller-identity` who \
             you are",
        )),
        429 | 500..=599 => Attempt::Lost(format!("{status} {excerpt}")),
        404 => Attempt::Failed(Failure::new(
            Exit::Unreachable,
            format!("nothing answers at {url} (404)"),
            "compare the URL with the stack's outputs",
        )),
        200..=299 => Attempt::Failed(Failure::new(
            Exit::Unexpected,
            format!("{url} answered something that cannot be read: {unreadable}: {excerpt}"),
            "is the controller of another version? `tidegate version` prints this one's",
        )),
        _ => Attempt::Failed(Failure::new(
            Exit::Unexpected,
            format!("{url} answered {status}: {excerpt}"),
            "compare the URL with the stack's outputs, and the controller's version with `tidegate version`",
        )),
    }
}
