//! CloudWatch: the state of alarms, and one GetMetricData call per question.

mod minutes;
mod question;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};

use crate::analysis::{Found, MeasureRequest, Reading};
use crate::aws::classify::fault;
use crate::fault::Fault;
use crate::ids::AlarmArn;
use crate::observation::AlarmState;
use crate::ports::MetricProvider;
use minutes::{Answered, Series};
use question::Question;

/// DescribeAlarms takes so many names.
const ALARMS_PER_CALL: usize = 100;

/// A question that CloudWatch answers in part is asked once more; twice in part is an error.
const ASKED_AT_MOST: u32 = 2;

/// A window has so few minutes that one page is enough; more means that CloudWatch turns in a circle.
const PAGES_AT_MOST: u32 = 10;

/// The client of CloudWatch.
#[derive(Debug, Clone)]
pub struct Metrics {
    client: Client,
}

impl Metrics {
    /// Makes the client.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Asks until the answer is whole; says why where it never is.
    async fn ask(&self, question: &Question<'_>) -> Result<BTreeMap<String, Series>, String> {
        let mut last = String::new();
        for _ in 0..ASKED_AT_MOST {
            match self.ask_once(question).await? {
                Answered::Whole(series) => return Ok(series),
                Answered::InPart(why) => last = why,
            }
        }
        Err(last)
    }

    async fn ask_once(&self, question: &Question<'_>) -> Result<Answered, String> {
        let call = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(question.queries()))
            .start_time(DateTime::from_secs(question.from.as_second()))
            .end_time(DateTime::from_secs(question.to.as_second()));
        let mut series = BTreeMap::new();
        let mut next = None;
        for _ in 0..PAGES_AT_MOST {
            let page = call.clone().set_next_token(next).send().await;
            let page = page.map_err(|error| fault(error).to_string())?;
            if let Some(why) = minutes::complaint(page.messages()) {
                return Err(why);
            }
            minutes::gather(&mut series, page.metric_data_results())?;
            next = page.next_token;
            if next.is_none() {
                return Ok(minutes::answered(series));
            }
        }
        Err(format!("GetMetricData has more than {PAGES_AT_MOST} pages for one question"))
    }
}

impl MetricProvider for Metrics {
    async fn alarms(&self, names: &[&str]) -> Result<BTreeMap<String, (AlarmArn, AlarmState)>, Fault> {
        let mut found = BTreeMap::new();
        for some in names.chunks(ALARMS_PER_CALL) {
            let names = some.iter().map(|name| (*name).to_owned()).collect();
            let call = self.client.describe_alarms().set_alarm_names(Some(names));
            let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let answer = call.send().await.map_err(fault)?;
            let metric = answer.metric_alarms().iter().map(|it| (it.alarm_name(), it.alarm_arn(), it.state_value()));
            let composite =
                answer.composite_alarms().iter().map(|it| (it.alarm_name(), it.alarm_arn(), it.state_value()));
            for alarm in metric.chain(composite) {
                let (Some(name), Some(arn), Some(state)) = alarm else {
                    return Err(Fault::transient("DescribeAlarms answered without a name, an ARN or a state"));
                };
                found.insert(name.to_owned(), (AlarmArn::new(arn), alarm_state(state)));
            }
        }
        Ok(found)
    }

    async fn measure(&self, request: &MeasureRequest) -> Vec<Reading> {
        let reading = |found: &dyn Fn(usize) -> Found| -> Vec<Reading> {
            let numbered = request.queries.iter().enumerate();
            numbered
                .map(|(n, q)| Reading { metric: q.metric.clone(), from: q.from, to: q.to, found: found(n) })
                .collect()
        };
        let Some(question) = Question::of(&request.queries) else { return Vec::new() };
        match self.ask(&question).await {
            Ok(series) => reading(&|n| question.found(n, &series)),
            Err(why) => reading(&|_| Found::Error { why: why.clone() }),
        }
    }
}

/// A state that AWS adds is not OK.
fn alarm_state(state: &StateValue) -> AlarmState {
    match state {
        StateValue::Ok => AlarmState::Ok,
        StateValue::Alarm => AlarmState::Alarm,
        _ => AlarmState::InsufficientData,
    }
}
