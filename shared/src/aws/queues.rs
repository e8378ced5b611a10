//! SQS: messages to ourselves, now or later.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use jiff::SignedDuration;

use crate::aws::classify::fault;
use crate::events::Message;
use crate::fault::{Fault, Obstacle};
use crate::ports::{Queue, WakeUps};

/// SQS delays a message by at most this.
const LONGEST_DELAY_SECONDS: i64 = 900;

/// The queues that this function may send to.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    commands: Option<String>,
    wakeups: Option<String>,
    analysis: Option<String>,
}

impl Queues {
    /// Makes the client, with no queue yet.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk), commands: None, wakeups: None, analysis: None }
    }

    /// Adds a queue by its URL.
    #[must_use]
    pub fn with(mut self, queue: Queue, url: String) -> Self {
        match queue {
            Queue::Commands => self.commands = Some(url),
            Queue::WakeUps => self.wakeups = Some(url),
            Queue::Analysis => self.analysis = Some(url),
        }
        self
    }

    fn url(&self, queue: Queue) -> Result<&str, Fault> {
        let (url, name) = match queue {
            Queue::Commands => (&self.commands, "command"),
            Queue::WakeUps => (&self.wakeups, "wake-up"),
            Queue::Analysis => (&self.analysis, "analysis"),
        };
        url.as_deref().ok_or_else(|| {
            let why = format!("this function sends nothing to the {name} queue: template.yaml gives it no URL");
            Fault::permanent(Obstacle::AccessDenied, why)
        })
    }
}

impl WakeUps for Queues {
    async fn send(&self, queue: Queue, message: &Message, delay: SignedDuration) -> Result<(), Fault> {
        let url = self.url(queue)?;
        let body = serde_json::to_string(message)
            .map_err(|why| Fault::permanent(Obstacle::Invalid, format!("a message does not serialize: {why}")))?;
        let call = self.client.send_message().queue_url(url).message_body(body).delay_seconds(whole_seconds(delay));
        call.send().await.map(|_| ()).map_err(fault)
    }
}

/// Rounds up: a message that comes early finds nothing to do.
fn whole_seconds(delay: SignedDuration) -> i32 {
    let started = i64::from(delay.subsec_nanos() > 0);
    let seconds = delay.as_secs().saturating_add(started).clamp(0, LONGEST_DELAY_SECONDS);
    i32::try_from(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_stays_within_what_sqs_takes() {
        let seconds = [(-5, 0), (0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (899_001, 900), (5_000_000, 900)];
        for (milliseconds, expected) in seconds {
            assert_eq!(whole_seconds(SignedDuration::from_millis(milliseconds)), expected, "{milliseconds} ms");
        }
    }
}
