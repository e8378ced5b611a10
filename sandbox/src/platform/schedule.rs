//! Rules that fire by the clock: `rate(1 minute)` of domain time.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use super::template::Rule;
use super::{Platform, bus};

/// Fires a rule every `period` until the task is dropped, the first time one period after the start.
pub async fn run(platform: Arc<Platform>, rule: Rule, period: SignedDuration) {
    let mut due = platform.clock.t0();
    loop {
        due += period;
        platform.clock.sleep_until(due).await;
        let event =
            bus::envelope(&platform, "aws.events", "Scheduled Event", std::slice::from_ref(&rule.arn), &json!({}));
        bus::fire(&platform, &rule, &event);
    }
}
