//! What CloudWatch says of alarms: one fact in three shapes.

use jiff::Timestamp;
use serde::Deserialize;

use super::envelope::{Envelope, elsewhere};
use super::text::read;
use super::{Arrival, Home, Ignored, ParseError, Reason};
use crate::ids::AlarmArn;
use crate::machine::event::AlarmChange;
use crate::observation::AlarmState;

#[derive(Deserialize, Default)]
#[serde(default)]
struct State {
    value: Option<String>,
    timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Detail {
    state: State,
}

/// Reads `CloudWatch Alarm State Change`.
pub(super) fn state_change(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let detail: Detail = event.detail()?;
    Fact {
        alarm: event.resources.first().map(String::as_str),
        state: detail.state.value.as_deref(),
        times: [detail.state.timestamp.as_deref(), event.time.as_deref()],
    }
    .arrival()
}

/// What an alarm sends to a Lambda function that is its action.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Action {
    alarm_arn: Option<String>,
    account_id: String,
    region: Option<String>,
    time: Option<String>,
    alarm_data: Detail,
}

/// Reads an alarm action.
pub(super) fn action(body: &str, home: &Home) -> Result<Arrival, ParseError> {
    let action: Action = read(body, "an alarm action")?;
    if let Some((reason, what)) = elsewhere(&action.account_id, action.region.as_deref(), home) {
        return Ok(Arrival::Ignored(Ignored::new(reason, format!("an alarm action {what}"))));
    }
    let state = &action.alarm_data.state;
    Fact {
        alarm: action.alarm_arn.as_deref(),
        state: state.value.as_deref(),
        times: [state.timestamp.as_deref(), action.time.as_deref()],
    }
    .arrival()
}

/// What an alarm sends to an SNS topic. `Region` there is a name for people ("EU (Ireland)"): the ARN's is used.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Notice {
    alarm_arn: Option<String>,
    #[serde(rename = "AWSAccountId")]
    account: String,
    new_state_value: Option<String>,
    state_change_time: Option<String>,
}

/// Reads an alarm's SNS message.
pub(super) fn notice(body: &str, home: &Home) -> Result<Arrival, ParseError> {
    let notice: Notice = read(body, "an alarm's SNS message")?;
    let region = notice.alarm_arn.as_deref().and_then(|arn| arn.split(':').nth(3));
    if let Some((reason, what)) = elsewhere(&notice.account, region, home) {
        return Ok(Arrival::Ignored(Ignored::new(reason, format!("an alarm's SNS message {what}"))));
    }
    Fact {
        alarm: notice.alarm_arn.as_deref(),
        state: notice.new_state_value.as_deref(),
        times: [notice.state_change_time.as_deref(), None],
    }
    .arrival()
}

/// What all three shapes say.
struct Fact<'a> {
    alarm: Option<&'a str>,
    state: Option<&'a str>,
    /// The time of the change, then the time of its telling.
    times: [Option<&'a str>; 2],
}

impl Fact<'_> {
    fn arrival(&self) -> Result<Arrival, ParseError> {
        let alarm = AlarmArn::new(self.alarm.ok_or_else(|| {
            ParseError::new("an alarm without its ARN", "CloudWatch names it in `resources`: look at who sends this")
        })?);
        let Some(state) = self.state.and_then(known_state) else {
            let said = self.state.unwrap_or("nothing");
            let what = format!("alarm `{}` says `{said}`, which is no state that is known here", alarm.name());
            return Ok(Arrival::Ignored(Ignored::new(Reason::UnknownAlarmState, what)));
        };
        let at = self.times.into_iter().flatten().find_map(|time| time.parse::<Timestamp>().ok()).ok_or_else(|| {
            ParseError::new(
                format!("alarm `{}` changed at no time that can be read", alarm.name()),
                "times are as in 2026-11-22T13:00:00.000+0000",
            )
        })?;
        Ok(Arrival::Alarm(AlarmChange { alarm, state, at }))
    }
}

fn known_state(value: &str) -> Option<AlarmState> {
    match value {
        "OK" => Some(AlarmState::Ok),
        "ALARM" => Some(AlarmState::Alarm),
        "INSUFFICIENT_DATA" => Some(AlarmState::InsufficientData),
        _ => None,
    }
}
