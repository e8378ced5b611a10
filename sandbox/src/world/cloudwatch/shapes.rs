//! CloudWatch's requests and answers, by AWS's own names (PascalCase on the wire; times are epoch seconds).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::world::wire::{epoch, epoch_option, lenient};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metric {
    pub namespace: String,
    pub metric_name: String,
    pub dimensions: Vec<Dimension>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricStat {
    pub metric: Metric,
    /// Seconds.
    #[serde(deserialize_with = "required_lenient")]
    pub period: u32,
    /// Sum, Average, Minimum, Maximum, SampleCount, pNN, TC(a:b) or PR(a:b).
    pub stat: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

fn required_lenient<'de, D: serde::Deserializer<'de>>(input: D) -> Result<u32, D::Error> {
    Ok(lenient(input)?.unwrap_or(0))
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricDataQuery {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_stat: Option<MetricStat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// True unless said otherwise.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub return_data: Option<bool>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetMetricData {
    pub metric_data_queries: Vec<MetricDataQuery>,
    /// Inclusive.
    #[serde(with = "epoch")]
    pub start_time: Timestamp,
    /// Exclusive.
    #[serde(with = "epoch")]
    pub end_time: Timestamp,
    /// TimestampDescending unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDataResult {
    pub id: String,
    pub label: String,
    /// Epoch seconds of each period's start.
    pub timestamps: Vec<i64>,
    pub values: Vec<f64>,
    /// Complete or PartialData.
    pub status_code: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDataResults {
    pub metric_data_results: Vec<MetricDataResult>,
}

/// One point of PutMetricData: a value, or values with counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricDatum {
    pub metric_name: String,
    pub dimensions: Vec<Dimension>,
    /// Now, if absent.
    #[serde(with = "epoch_option")]
    pub timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    pub value: Option<f64>,
    pub values: Vec<f64>,
    pub counts: Vec<f64>,
}

/// PutMetricAlarm's input, and the configuration half of what DescribeAlarms answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutMetricAlarm {
    pub alarm_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_description: Option<String>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub actions_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_statistic: Option<String>,
    pub dimensions: Vec<Dimension>,
    /// Seconds; at least 60 here.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
    /// N of "M of N".
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub evaluation_periods: Option<u32>,
    /// M of "M of N"; N if absent.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub datapoints_to_alarm: Option<u32>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    pub comparison_operator: String,
    /// missing (the default), notBreaching, breaching or ignore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treat_missing_data: Option<String>,
    /// Metric math instead of one metric; exactly one returns data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricDataQuery>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricAlarm {
    pub alarm_arn: String,
    #[serde(flatten)]
    pub configuration: PutMetricAlarm,
    #[serde(with = "epoch")]
    pub alarm_configuration_updated_timestamp: Timestamp,
    /// OK, ALARM or INSUFFICIENT_DATA.
    pub state_value: String,
    pub state_reason: String,
    /// A JSON document as text; absent until the first evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason_data: Option<String>,
    #[serde(with = "epoch")]
    pub state_updated_timestamp: Timestamp,
    #[serde(with = "epoch")]
    pub state_transitioned_timestamp: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAlarms {
    pub alarm_names: Vec<String>,
    pub alarm_name_prefix: Option<String>,
    pub state_value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetAlarmState {
    pub alarm_name: String,
    pub state_value: String,
    pub state_reason: String,
    pub state_reason_data: Option<String>,
}
