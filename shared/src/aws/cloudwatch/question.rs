//! One question to CloudWatch, and how its minutes make one value per window.
//!
//! Every query asks by the minute, because windows begin at any minute and CloudWatch cuts longer periods where it
//! likes. Sums, counts, averages and extremes of minutes make exactly those of their window. A percentile does not:
//! the highest minute's stands for its window, which it is never below.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use jiff::Timestamp;

use super::minutes::Series;
use crate::analysis::{Found, Query};
use crate::spec::MetricSource;

/// ELB publishes once a minute; a shorter period shows nothing more.
const PERIOD_SECONDS: i32 = 60;

const ELB: &str = "AWS/ApplicationELB";
const REQUESTS: &str = "RequestCount";
const ERRORS: &str = "HTTPCode_Target_5XX_Count";
const LATENCY: &str = "TargetResponseTime";

/// All queries of a request, for one call.
#[derive(Debug)]
pub struct Question<'a> {
    asked: &'a [Query],
    /// The earliest start.
    pub from: Timestamp,
    /// The latest end.
    pub to: Timestamp,
}

impl<'a> Question<'a> {
    /// Puts queries together; `None` where there are none.
    pub fn of(asked: &'a [Query]) -> Option<Self> {
        let from = asked.iter().map(|query| query.from).min()?;
        let to = asked.iter().map(|query| query.to).max()?;
        Some(Self { asked, from, to })
    }

    /// Returns the queries for GetMetricData: the requests of every canary, once, and each metric's statistics.
    pub fn queries(&self) -> Vec<MetricDataQuery> {
        let mut canaries = BTreeSet::new();
        let mut queries = Vec::new();
        for (n, query) in self.asked.iter().enumerate() {
            if canaries.insert((&query.load_balancer, &query.target_group)) {
                queries.push(of_canary(requests_id(self.canary(query)), query, REQUESTS, "Sum"));
            }
            let id = |statistic: usize| value_id(n, statistic);
            match &query.source {
                MetricSource::ErrorRate => queries.push(of_canary(id(0), query, ERRORS, "Sum")),
                MetricSource::ResponseTime { statistic } => {
                    let parts = parts(statistic).into_iter().enumerate();
                    queries.extend(parts.map(|(part, statistic)| of_canary(id(part), query, LATENCY, statistic)));
                }
                MetricSource::CloudWatch { namespace, metric_name, dimensions, statistic } => {
                    let dimensions = dimensions.iter().map(|(name, value)| dimension(name, value)).collect();
                    let metric = Metric::builder().namespace(namespace).metric_name(metric_name);
                    let metric = metric.set_dimensions(Some(dimensions)).build();
                    let parts = parts(statistic).into_iter().enumerate();
                    queries.extend(parts.map(|(part, statistic)| by_minute(id(part), metric.clone(), statistic)));
                }
            }
        }
        queries
    }

    /// Makes the `n`th query's value out of the minutes of its window.
    pub fn found(&self, n: usize, series: &BTreeMap<String, Series>) -> Found {
        let query = &self.asked[n];
        let window = query.from.as_second()..query.to.as_second();
        let minutes = |id: String| -> Vec<f64> {
            let series = series.get(&id).map(|series| &series.minutes);
            series.into_iter().flatten().filter(|(at, _)| window.contains(at)).map(|(_, value)| *value).collect()
        };
        let requests = minutes(requests_id(self.canary(query)));
        let samples = requests.iter().sum::<f64>();
        let value = match &query.source {
            MetricSource::ErrorRate => error_rate(&requests, &minutes(value_id(n, 0))),
            MetricSource::ResponseTime { statistic } | MetricSource::CloudWatch { statistic, .. } => {
                over_window(statistic, &minutes(value_id(n, 0)), &minutes(value_id(n, 1)))
            }
        };
        match value {
            None => Found::NoData,
            Some(value) if value.is_finite() && samples.is_finite() => Found::Value { value, samples: samples as u64 },
            Some(value) => Found::Error { why: format!("CloudWatch answers {value} for {}", query.metric) },
        }
    }

    /// Returns the number of a query's canary: that of the first query with the same one.
    fn canary(&self, query: &Query) -> usize {
        let same =
            |other: &Query| (&other.load_balancer, &other.target_group) == (&query.load_balancer, &query.target_group);
        self.asked.iter().position(same).unwrap_or_default()
    }
}

/// The share of requests answered with 5xx. An error count that is absent is 0 only where requests are counted;
/// errors without requests are no rate at all.
fn error_rate(requests: &[f64], errors: &[f64]) -> Option<f64> {
    let requests = requests.iter().sum::<f64>();
    (requests > 0.0).then(|| errors.iter().sum::<f64>() / requests)
}

/// Returns the statistics to ask for by the minute, of which [`over_window`] makes the wanted one.
fn parts(statistic: &str) -> Vec<&str> {
    if statistic == "Average" { vec!["Sum", "SampleCount"] } else { vec![statistic] }
}

fn over_window(statistic: &str, minutes: &[f64], counts: &[f64]) -> Option<f64> {
    let total = |values: &[f64]| values.iter().sum::<f64>();
    if minutes.is_empty() {
        return None;
    }
    match statistic {
        "Sum" | "SampleCount" => Some(total(minutes)),
        "Average" => (total(counts) > 0.0).then(|| total(minutes) / total(counts)),
        "Minimum" => minutes.iter().copied().reduce(f64::min),
        // `Maximum`, and percentiles.
        _ => minutes.iter().copied().reduce(f64::max),
    }
}

fn requests_id(canary: usize) -> String {
    format!("requests{canary}")
}

fn value_id(query: usize, statistic: usize) -> String {
    format!("value{query}_{statistic}")
}

fn of_canary(id: String, query: &Query, metric: &str, statistic: &str) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace(ELB)
        .metric_name(metric)
        .dimensions(dimension("TargetGroup", &query.target_group))
        .dimensions(dimension("LoadBalancer", &query.load_balancer));
    by_minute(id, metric.build(), statistic)
}

/// Without a unit: CloudWatch answers nothing at all where a unit does not match.
fn by_minute(id: String, metric: Metric, statistic: &str) -> MetricDataQuery {
    let stat = MetricStat::builder().metric(metric).period(PERIOD_SECONDS).stat(statistic).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(source: MetricSource, from: i64, to: i64) -> Query {
        Query {
            metric: "m".into(),
            source,
            load_balancer: "app/shop/1".into(),
            target_group: "targetgroup/green/2".into(),
            from: Timestamp::from_second(from).unwrap(),
            to: Timestamp::from_second(to).unwrap(),
        }
    }

    fn answers(answers: &[(&str, &[(i64, f64)])]) -> BTreeMap<String, Series> {
        let series = |points: &[(i64, f64)]| {
            let mut series = Series::default();
            series.minutes.extend(points.iter().copied());
            series
        };
        answers.iter().map(|(id, points)| ((*id).to_owned(), series(points))).collect()
    }

    fn found(source: MetricSource, said: &[(&str, &[(i64, f64)])]) -> Found {
        let asked = [query(source, 60, 180)];
        Question::of(&asked).unwrap().found(0, &answers(said))
    }

    fn value(value: f64, samples: u64) -> Found {
        Found::Value { value, samples }
    }

    #[test]
    fn an_error_rate_counts_absence_as_zero_only_where_there_are_requests() {
        let rate = |requests: &[(i64, f64)], errors: &[(i64, f64)]| {
            found(MetricSource::ErrorRate, &[("requests0", requests), ("value0_0", errors)])
        };
        assert_eq!(rate(&[(60, 80.0), (120, 20.0)], &[(120, 5.0)]), value(0.05, 100));
        assert_eq!(rate(&[(60, 100.0)], &[]), value(0.0, 100));
        assert_eq!(rate(&[], &[]), Found::NoData);
        assert_eq!(rate(&[(60, 0.0)], &[]), Found::NoData);
        assert_eq!(rate(&[], &[(60, 5.0)]), Found::NoData);
    }

    #[test]
    fn a_window_takes_its_start_and_not_its_end() {
        let outside = [(0, 9.0), (60, 1.0), (120, 2.0), (180, 9.0)];
        assert_eq!(found(MetricSource::ErrorRate, &[("requests0", &outside)]), value(0.0, 3));
    }

    #[test]
    fn minutes_make_the_statistic_of_their_window() {
        let of = |statistic: &str, minutes: &[(i64, f64)], counts: &[(i64, f64)]| {
            let source = MetricSource::ResponseTime { statistic: statistic.into() };
            found(source, &[("requests0", &[(60, 10.0)]), ("value0_0", minutes), ("value0_1", counts)])
        };
        let two = [(60, 1.0), (120, 3.0)];
        assert_eq!(of("Sum", &two, &[]), value(4.0, 10));
        assert_eq!(of("Minimum", &two, &[]), value(1.0, 10));
        assert_eq!(of("Maximum", &two, &[]), value(3.0, 10));
        assert_eq!(of("p99", &two, &[]), value(3.0, 10));
        assert_eq!(of("Average", &two, &[(60, 1.0), (120, 7.0)]), value(0.5, 10));
        assert_eq!(of("p99", &[], &[]), Found::NoData);
        assert!(matches!(of("p99", &[(60, f64::NAN)], &[]), Found::Error { .. }));
    }

    #[test]
    fn all_queries_of_a_request_go_into_one_call_without_a_unit() {
        let custom = MetricSource::CloudWatch {
            namespace: "Shop/Checkout".into(),
            metric_name: "OrdersLost".into(),
            dimensions: vec![("Service".into(), "checkout".into())],
            statistic: "Sum".into(),
        };
        let average = MetricSource::ResponseTime { statistic: "Average".into() };
        let asked = [query(MetricSource::ErrorRate, 120, 180), query(average, 60, 180), query(custom, 120, 240)];
        let question = Question::of(&asked).unwrap();
        assert_eq!((question.from.as_second(), question.to.as_second()), (60, 240));
        let queries = question.queries();
        let ids: Vec<_> = queries.iter().map(|query| query.id().unwrap()).collect();
        assert_eq!(ids, ["requests0", "value0_0", "value1_0", "value1_1", "value2_0"]);
        for query in &queries {
            let stat = query.metric_stat().unwrap();
            assert_eq!((stat.period(), stat.unit()), (Some(60), None));
        }
    }
}
