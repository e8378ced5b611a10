//! CloudWatch, in Smithy RPC v2 with CBOR and in awsJson 1.0.

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Paging;
use super::{Refusal, required, shape, text, texts};
use crate::platform::iam::Call;
use crate::world::{Account, MetricDatum, World};

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum Operation {
    DeleteAlarms,
    DescribeAlarms,
    GetMetricData,
    PutMetricAlarm,
    PutMetricData,
    SetAlarmState,
}

const SERVICE: &str = "cloudwatch";
const INVALID: &str = "InvalidParameterValue";
const MISSING: &str = "MissingParameter";

const ALARMS: Paging = Paging { size: "MaxRecords", token: "NextToken", default: 50, refused_as: "InvalidNextToken" };

/// Returns what IAM is asked, by the service authorization reference.
pub(super) fn calls(operation: Operation, input: &Value, account: &Account) -> Vec<Call> {
    let alarm = |action: &str| {
        let name = text(input, "AlarmName").unwrap_or("*");
        vec![Call::new(SERVICE, action, [account.alarm(name)])]
    };
    let alarms = |action: &str| {
        let mut names = texts(input, "AlarmNames");
        if names.is_empty() {
            names.push("*".to_owned());
        }
        vec![Call::new(SERVICE, action, names.iter().map(|name| account.alarm(name)))]
    };
    match operation {
        Operation::DeleteAlarms => alarms("DeleteAlarms"),
        Operation::DescribeAlarms => alarms("DescribeAlarms"),
        Operation::PutMetricAlarm => alarm("PutMetricAlarm"),
        Operation::SetAlarmState => alarm("SetAlarmState"),
        Operation::GetMetricData => vec![Call::on_anything(SERVICE, "GetMetricData")],
        Operation::PutMetricData => {
            let namespace = text(input, "Namespace").unwrap_or_default().to_owned();
            vec![Call::on_anything(SERVICE, "PutMetricData").with("cloudwatch:namespace", [namespace])]
        }
    }
}

/// Whether a member of an answer is a time: epoch seconds, or a list of them.
pub(super) fn is_time(member: &str) -> bool {
    member.ends_with("Timestamp") || member == "Timestamps"
}

/// Performs the operation and returns its output's members.
pub(super) fn perform(operation: Operation, input: &Value, world: &mut World) -> Result<Value, Refusal> {
    Ok(match operation {
        Operation::GetMetricData => json!(world.get_metric_data(&shape(input, INVALID)?)?),
        Operation::PutMetricData => {
            let data: Vec<MetricDatum> = shape(&input["MetricData"], INVALID)?;
            world.put_metric_data(required(input, "Namespace", MISSING)?, &data)?;
            json!({})
        }
        Operation::DescribeAlarms => describe_alarms(input, world)?,
        Operation::PutMetricAlarm => {
            world.put_metric_alarm(shape(input, INVALID)?)?;
            json!({})
        }
        Operation::SetAlarmState => {
            world.set_alarm_state(shape(input, INVALID)?)?;
            json!({})
        }
        Operation::DeleteAlarms => {
            world.delete_alarms(&texts(input, "AlarmNames"))?;
            json!({})
        }
    })
}

/// The sandbox has metric alarms alone, so a question for other types finds nothing.
fn describe_alarms(input: &Value, world: &mut World) -> Result<Value, Refusal> {
    let types = texts(input, "AlarmTypes");
    let mut alarms = world.describe_alarms(&shape(input, INVALID)?)?;
    if !types.is_empty() && !types.iter().any(|wanted| wanted == "MetricAlarm") {
        alarms.clear();
    }
    let (alarms, next) = ALARMS.page(input, alarms)?;
    Ok(json!({ "MetricAlarms": alarms, "CompositeAlarms": [], "NextToken": next }))
}
