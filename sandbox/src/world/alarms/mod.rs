//! Metric alarms: M of N, missing data, the longer evaluation range, and their state change events.

mod evaluation;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::cloudwatch::{
    DescribeAlarms, Metric, MetricAlarm, MetricDataQuery, MetricStat, PutMetricAlarm, SetAlarmState,
};
use super::errors::{ApiError, ApiFamily, ApiResult};
use super::time::Due;
use evaluation::{Comparison, MissingData};

pub(super) struct AlarmState {
    pub(super) view: MetricAlarm,
    /// Grows when the alarm is put again; evaluations planned for an older one are void.
    generation: u32,
}

impl World {
    /// Makes or replaces an alarm; it begins in INSUFFICIENT_DATA, a replaced one keeps its state.
    pub fn put_metric_alarm(&mut self, input: PutMetricAlarm) -> ApiResult<()> {
        self.call(ApiFamily::CloudWatch, "PutMetricAlarm")?;
        check(&input)?;
        let queries = queries_of(&input);
        self.evaluate_queries(&queries, 0, 60)?;
        let name = input.alarm_name.clone();
        let now = self.now;
        let earlier = self.alarms.remove(&name);
        let generation = earlier.as_ref().map_or(0, |a| a.generation + 1);
        let view = match earlier {
            Some(earlier) => {
                MetricAlarm { configuration: input, alarm_configuration_updated_timestamp: now, ..earlier.view }
            }
            None => MetricAlarm {
                alarm_arn: self.config.account.alarm(&name),
                configuration: input,
                alarm_configuration_updated_timestamp: now,
                state_value: "INSUFFICIENT_DATA".to_owned(),
                state_reason: "Unchecked: Initial alarm creation".to_owned(),
                state_reason_data: None,
                state_updated_timestamp: now,
                state_transitioned_timestamp: now,
            },
        };
        self.alarms.insert(name.clone(), AlarmState { view, generation });
        let phase = self.chance.metrics.between(Duration::from_secs(1), Duration::from_secs(59));
        self.queue.plan(now + phase, Due::AlarmEvaluation { alarm: name, generation });
        Ok(())
    }

    pub fn describe_alarms(&mut self, input: &DescribeAlarms) -> ApiResult<Vec<MetricAlarm>> {
        self.call(ApiFamily::CloudWatch, "DescribeAlarms")?;
        let asked = |view: &&MetricAlarm| {
            let name = &view.configuration.alarm_name;
            (input.alarm_names.is_empty() || input.alarm_names.contains(name))
                && input.alarm_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
                && input.state_value.as_ref().is_none_or(|state| *state == view.state_value)
        };
        Ok(self.alarms.values().map(|a| &a.view).filter(asked).cloned().collect())
    }

    /// Returns since when an alarm is in ALARM: for whoever watches the World, who asks no API.
    pub fn alarm_since(&self, name: &str) -> Option<Timestamp> {
        let view = self.alarms.get(name).map(|alarm| &alarm.view)?;
        (view.state_value == "ALARM").then_some(view.state_transitioned_timestamp)
    }

    /// Sets a state until the next evaluation finds otherwise.
    pub fn set_alarm_state(&mut self, input: SetAlarmState) -> ApiResult<()> {
        self.call(ApiFamily::CloudWatch, "SetAlarmState")?;
        if !self.alarms.contains_key(&input.alarm_name) {
            return Err(ApiError::alarm_not_found());
        }
        if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&input.state_value.as_str()) {
            return Err(ApiError::validation(format!(
                "The value {} for parameter StateValue is invalid.",
                input.state_value
            )));
        }
        self.enter_state(&input.alarm_name, &input.state_value, input.state_reason, input.state_reason_data);
        Ok(())
    }

    /// Deletes alarms; with an unknown name among them, none.
    pub fn delete_alarms(&mut self, names: &[String]) -> ApiResult<()> {
        self.call(ApiFamily::CloudWatch, "DeleteAlarms")?;
        if names.iter().any(|name| !self.alarms.contains_key(name)) {
            return Err(ApiError::alarm_not_found());
        }
        for name in names {
            self.alarms.remove(name);
        }
        Ok(())
    }

    pub(super) fn evaluate_alarm(&mut self, alarm: &str, generation: u32) {
        let Some(state) = self.alarms.get(alarm).filter(|a| a.generation == generation) else {
            return;
        };
        let configuration = state.view.configuration.clone();
        let current = state.view.state_value.clone();
        let again = self.now + Duration::from_secs(60);
        self.queue.plan(again, Due::AlarmEvaluation { alarm: alarm.to_owned(), generation });
        let Some(comparison) = Comparison::parse(&configuration.comparison_operator) else {
            return;
        };
        let period = i64::from(period_of(&configuration));
        let wanted = configuration.evaluation_periods.unwrap_or(1) as usize;
        let range = evaluation::range(wanted) as i64;
        let end = self.now.as_second().div_euclid(period) * period;
        let start = end - range * period;
        let queries = queries_of(&configuration);
        let Ok(evaluated) = self.evaluate_queries(&queries, start, end) else {
            return;
        };
        let returned = queries.iter().find(|q| q.return_data.unwrap_or(true));
        let series = returned.and_then(|q| evaluated.get(&q.id)).cloned().unwrap_or_default();
        let points: Vec<Option<f64>> = (0..range).map(|n| series.get(&(start + n * period)).copied()).collect();
        let judged = evaluation::judge(&evaluation::Question {
            points: &points,
            wanted,
            to_alarm: configuration.datapoints_to_alarm.map_or(wanted, |m| m as usize),
            comparison,
            threshold: configuration.threshold.unwrap_or(0.0),
            missing: MissingData::parse(configuration.treat_missing_data.as_deref()),
        });
        let Some(state_value) = judged.state.filter(|state| *state != current) else {
            return;
        };
        let used: Vec<(i64, f64)> = series.iter().rev().take(wanted).map(|(at, value)| (*at, *value)).collect();
        let reason = evaluation::reason(&configuration, state_value, &used, judged.filled, comparison);
        let data = reason_data(&configuration, self.now, &used);
        self.enter_state(alarm, state_value, reason, Some(data));
    }

    fn enter_state(&mut self, alarm: &str, value: &str, reason: String, reason_data: Option<String>) {
        let now = self.now;
        let Some(state) = self.alarms.get_mut(alarm) else {
            return;
        };
        let view = &mut state.view;
        let previous = state_detail(view);
        let transition = view.state_value != value;
        view.state_value = value.to_owned();
        view.state_reason = reason;
        view.state_reason_data = reason_data;
        view.state_updated_timestamp = now;
        if !transition {
            return;
        }
        view.state_transitioned_timestamp = now;
        let detail = json!({
            "alarmName": view.configuration.alarm_name,
            "configuration": configuration_detail(&view.configuration),
            "previousState": previous,
            "state": state_detail(view),
        });
        let arn = view.alarm_arn.clone();
        self.emit("aws.cloudwatch", "CloudWatch Alarm State Change", &arn, &detail);
    }
}

fn check(input: &PutMetricAlarm) -> ApiResult<()> {
    let needs = |what: &str| Err(ApiError::validation(format!("The parameter {what} must be specified.")));
    if input.alarm_name.is_empty() {
        return needs("AlarmName");
    }
    if input.evaluation_periods.unwrap_or(0) == 0 {
        return needs("EvaluationPeriods");
    }
    if input.threshold.is_none() {
        return needs("Threshold");
    }
    if Comparison::parse(&input.comparison_operator).is_none() {
        let message =
            format!("The value {} for parameter ComparisonOperator is not supported.", input.comparison_operator);
        return Err(ApiError::validation(message));
    }
    if input.datapoints_to_alarm.is_some_and(|m| m == 0 || Some(m) > input.evaluation_periods) {
        return Err(ApiError::validation("DatapointsToAlarm must be between 1 and EvaluationPeriods."));
    }
    if period_of(input) < 60 {
        return Err(ApiError::validation("the sandbox evaluates alarms with periods of 60 seconds and more"));
    }
    if input.metrics.is_empty() {
        if input.metric_name.is_none() || input.namespace.is_none() {
            return needs("MetricName");
        }
        return Ok(());
    }
    if input.metrics.iter().filter(|q| q.return_data.unwrap_or(true)).count() != 1 {
        return Err(ApiError::validation("Exactly one element of the metrics list should return data."));
    }
    Ok(())
}

fn period_of(alarm: &PutMetricAlarm) -> u32 {
    let of_metrics = alarm.metrics.iter().filter_map(|q| q.metric_stat.as_ref().map(|s| s.period)).max();
    alarm.period.or(of_metrics).unwrap_or(60)
}

/// Returns the alarm's metric as queries, whichever way it was given.
fn queries_of(alarm: &PutMetricAlarm) -> Vec<MetricDataQuery> {
    if !alarm.metrics.is_empty() {
        return alarm.metrics.clone();
    }
    let statistic = alarm.statistic.clone().or_else(|| alarm.extended_statistic.clone());
    let metric_stat = MetricStat {
        metric: Metric {
            namespace: alarm.namespace.clone().unwrap_or_default(),
            metric_name: alarm.metric_name.clone().unwrap_or_default(),
            dimensions: alarm.dimensions.clone(),
        },
        period: period_of(alarm),
        stat: statistic.unwrap_or_else(|| "Average".to_owned()),
        unit: None,
    };
    vec![MetricDataQuery { id: "m1".to_owned(), metric_stat: Some(metric_stat), ..MetricDataQuery::default() }]
}

/// Returns an instant as alarm events write it.
fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn reason_data(alarm: &PutMetricAlarm, now: Timestamp, used: &[(i64, f64)]) -> String {
    let at = |second: i64| Timestamp::from_second(second).map(stamp).unwrap_or_default();
    let mut data = json!({
        "version": "1.0",
        "queryDate": stamp(now),
        "period": period_of(alarm),
        "recentDatapoints": used.iter().rev().map(|(_, value)| value).collect::<Vec<_>>(),
        "threshold": alarm.threshold,
    });
    if let Value::Object(fields) = &mut data {
        if let Some((oldest, _)) = used.last() {
            fields.insert("startDate".to_owned(), Value::String(at(*oldest)));
            let evaluated = used.iter().map(|(second, value)| json!({ "timestamp": at(*second), "value": value }));
            fields.insert("evaluatedDatapoints".to_owned(), evaluated.collect());
        }
        if let Some(statistic) = &alarm.statistic {
            fields.insert("statistic".to_owned(), Value::String(statistic.clone()));
        }
    }
    data.to_string()
}

fn state_detail(view: &MetricAlarm) -> Value {
    let mut state = json!({
        "value": view.state_value,
        "reason": view.state_reason,
        "timestamp": stamp(view.state_updated_timestamp),
    });
    if let (Value::Object(fields), Some(data)) = (&mut state, &view.state_reason_data) {
        fields.insert("reasonData".to_owned(), Value::String(data.clone()));
    }
    state
}

fn configuration_detail(alarm: &PutMetricAlarm) -> Value {
    let metrics = queries_of(alarm).into_iter().map(|query| {
        let mut entry = json!({ "id": query.id, "returnData": query.return_data.unwrap_or(true) });
        let Value::Object(fields) = &mut entry else { return entry };
        if let Some(expression) = query.expression {
            fields.insert("expression".to_owned(), Value::String(expression));
        }
        if let Some(label) = query.label {
            fields.insert("label".to_owned(), Value::String(label));
        }
        if let Some(stat) = query.metric_stat {
            let dimensions = stat.metric.dimensions.iter().map(|d| (d.name.clone(), json!(d.value)));
            let dimensions: serde_json::Map<String, Value> = dimensions.collect();
            let metric = json!({
                "dimensions": dimensions, "name": stat.metric.metric_name, "namespace": stat.metric.namespace,
            });
            let stat = json!({ "metric": metric, "period": stat.period, "stat": stat.stat });
            fields.insert("metricStat".to_owned(), stat);
        }
        entry
    });
    let mut configuration = json!({ "metrics": metrics.collect::<Vec<_>>() });
    if let (Value::Object(fields), Some(description)) = (&mut configuration, &alarm.alarm_description) {
        fields.insert("description".to_owned(), Value::String(description.clone()));
    }
    configuration
}
