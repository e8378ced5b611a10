//! EventBridge's envelope: who says it, about whom, and which file reads the detail.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::text::{read, unreadable};
use super::{Arrival, Home, Ignored, ParseError, Reason, SOURCE, cloudwatch, codedeploy, ecr, ecs, hook, rollouts};

/// An EventBridge event with its detail unread.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    pub(super) id: Option<String>,
    #[serde(rename = "detail-type")]
    pub(super) detail_type: String,
    pub(super) source: String,
    pub(super) account: String,
    pub(super) region: Option<String>,
    pub(super) time: Option<String>,
    pub(super) resources: Vec<String>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn of(body: &'a str) -> Result<Self, ParseError> {
        serde_json::from_str(body).map_err(|error| unreadable(&error, "an EventBridge event"))
    }

    /// Reads the detail, or the empty one where there is none.
    pub(super) fn detail<T: DeserializeOwned>(&self) -> Result<T, ParseError> {
        let detail = self.detail.map_or("{}", RawValue::get);
        read(detail, format_args!("the detail of `{}`", self.detail_type))
    }

    pub(super) fn ignored(&self, reason: Reason, what: impl std::fmt::Display) -> Arrival {
        Arrival::Ignored(Ignored::new(reason, format!("`{}`: {what}", self.detail_type)))
    }
}

/// Reads an EventBridge event.
///
/// Which source may say what is part of the match: nobody can put an event with a source `aws.…` on a bus.
/// `Rollout Requested` comes from whomever the bus's policy lets in, other accounts too, so its account is not
/// compared with ours.
pub(super) fn arrival(body: &str, home: &Home) -> Result<Arrival, ParseError> {
    let event = Envelope::of(body)?;
    let (source, kind) = (event.source.as_str(), event.detail_type.as_str());
    if kind == rollouts::ROLLOUT_REQUESTED && !source.starts_with("aws.") {
        return rollouts::requested(&event);
    }
    if source == SOURCE {
        return Ok(event.ignored(Reason::Announcement, "our own"));
    }
    if let Some(foreign) = foreign(&event, home) {
        return Ok(foreign);
    }
    match (source, kind) {
        ("aws.ecs", "ECS Task State Change") => ecs::task(&event),
        ("aws.ecs", "ECS Deployment State Change" | "ECS Service Action") => ecs::service(&event),
        ("aws.ecs", "ECS Hook State Change") => hook::state_change(&event),
        ("aws.ecs", "ECS Container Instance State Change") => {
            Ok(event.ignored(Reason::ContainerInstance, "its tasks speak for themselves"))
        }
        ("aws.cloudwatch", "CloudWatch Alarm State Change") => cloudwatch::state_change(&event),
        ("aws.cloudwatch", "CloudWatch Alarm Contributor State Change") => {
            Ok(event.ignored(Reason::AlarmContributor, "the alarm's own event says it"))
        }
        ("aws.cloudwatch", "CloudWatch Alarm Configuration Change") => {
            Ok(event.ignored(Reason::AlarmConfiguration, "the alarm's state is read at every look"))
        }
        ("aws.codedeploy", _) => codedeploy::ignored(&event),
        ("aws.ecr", _) => ecr::ignored(&event),
        ("aws.events" | "aws.scheduler", "Scheduled Event") => Ok(event.ignored(Reason::Schedule, "a tick")),
        (_, "AWS API Call via CloudTrail" | "AWS Service Event via CloudTrail") => {
            let call: ApiCall = event.detail()?;
            Ok(call.ignored())
        }
        ("aws.ecs" | "aws.cloudwatch" | "aws.events", _) => {
            Ok(event.ignored(Reason::UnknownDetailType, format_args!("no kind of `{source}` that is known here")))
        }
        _ => Ok(event.ignored(Reason::UnknownSource, format_args!("`{source}` is not followed"))),
    }
}

/// Tells an event about elsewhere. Without an account it is about nobody; without a Region, the account decides.
fn foreign(event: &Envelope<'_>, home: &Home) -> Option<Arrival> {
    elsewhere(&event.account, event.region.as_deref(), home).map(|(reason, what)| event.ignored(reason, what))
}

/// Compares an account and a Region with home.
pub(super) fn elsewhere(account: &str, region: Option<&str>, home: &Home) -> Option<(Reason, String)> {
    if account != home.account {
        return Some((Reason::ForeignAccount, format!("about account `{account}`, not `{}`", home.account)));
    }
    let region = region.filter(|region| *region != home.region)?;
    Some((Reason::ForeignRegion, format!("about Region `{region}`, not `{}`", home.region)))
}

/// The `detail` of an event by CloudTrail, which is the record itself.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ApiCall {
    event_source: String,
    event_name: String,
}

impl ApiCall {
    fn ignored(&self) -> Arrival {
        let what = format!(
            "`{}` of {}: recorded late and not surely, so looks see it first",
            self.event_name, self.event_source
        );
        Arrival::Ignored(Ignored::new(Reason::ApiCall, what))
    }
}

/// Reads a CloudTrail record without an envelope.
pub(super) fn api_call(body: &str) -> Result<Arrival, ParseError> {
    Ok(read::<ApiCall>(body, "a CloudTrail record")?.ignored())
}
