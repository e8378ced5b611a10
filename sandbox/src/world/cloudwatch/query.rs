//! GetMetricData: periods, statistics and metric math over what can be read now.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::math::{self, Operand};
use super::store::Values;
use super::{GetMetricData, MetricDataQuery, MetricDataResult, MetricDataResults, MetricStat};
use crate::world::World;
use crate::world::errors::{ApiError, ApiFamily, ApiResult};

/// GetMetricData takes at most this many queries.
const QUERIES_MAX: usize = 500;

/// A value per period, by the period's start in epoch seconds.
pub(in crate::world) type Series = BTreeMap<i64, f64>;

impl World {
    pub fn get_metric_data(&mut self, input: &GetMetricData) -> ApiResult<MetricDataResults> {
        self.call(ApiFamily::CloudWatch, "GetMetricData")?;
        if input.start_time >= input.end_time {
            return Err(ApiError::validation("The parameter StartTime must be less than the parameter EndTime."));
        }
        let queries = &input.metric_data_queries;
        if queries.is_empty() || queries.len() > QUERIES_MAX {
            return Err(ApiError::validation(format!(
                "The parameter MetricDataQueries must have between 1 and {QUERIES_MAX} members."
            )));
        }
        let start = input.start_time.as_second().div_euclid(60) * 60;
        let end = whole_second_up(input.end_time);
        let evaluated = self.evaluate_queries(queries, start, end)?;
        let is_partial = self.metrics.partial_answers > 0;
        self.metrics.partial_answers = self.metrics.partial_answers.saturating_sub(1);
        let descending = input.scan_by.as_deref() != Some("TimestampAscending");
        let returned = queries.iter().filter(|q| q.return_data.unwrap_or(true));
        let results = returned.map(|query| {
            let series = evaluated.get(&query.id).cloned().unwrap_or_default();
            let mut points: Vec<(i64, f64)> = series.into_iter().collect();
            if is_partial {
                points.truncate(points.len() / 2);
            }
            if descending {
                points.reverse();
            }
            MetricDataResult {
                id: query.id.clone(),
                label: query.label.clone().unwrap_or_else(|| default_label(query)),
                timestamps: points.iter().map(|(at, _)| *at).collect(),
                values: points.iter().map(|(_, value)| *value).collect(),
                status_code: if is_partial { "PartialData" } else { "Complete" }.to_owned(),
            }
        });
        Ok(MetricDataResults { metric_data_results: results.collect() })
    }

    /// Evaluates queries over [start, end) as far as data can be read now; answers a series by query id.
    pub(in crate::world) fn evaluate_queries(
        &self,
        queries: &[MetricDataQuery],
        start: i64,
        end: i64,
    ) -> ApiResult<BTreeMap<String, Series>> {
        let mut evaluated: BTreeMap<String, Series> = BTreeMap::new();
        let mut period = None;
        for query in queries {
            check_id(&query.id, queries)?;
            if let Some(stat) = &query.metric_stat {
                check_period(stat.period)?;
                period = Some(period.unwrap_or(stat.period).max(stat.period));
                evaluated.insert(query.id.clone(), self.statistic(stat, start, end)?);
            }
        }
        let period = i64::from(period.unwrap_or(60));
        // Expressions may name each other; each round solves those whose operands are known.
        let mut open: Vec<&MetricDataQuery> = queries.iter().filter(|q| q.expression.is_some()).collect();
        while !open.is_empty() {
            let before = open.len();
            let mut still_open = Vec::new();
            for query in open {
                let text = query.expression.as_deref().unwrap_or_default();
                let expression = math::parse(text).map_err(|why| expression_error(&query.id, &why))?;
                if expression.names().iter().all(|name| evaluated.contains_key(*name)) {
                    let grid: Vec<i64> = periods(start, end.min(self.now.as_second()), period).collect();
                    let value =
                        expression.evaluate(&evaluated, &grid).map_err(|why| expression_error(&query.id, &why))?;
                    let series = match value {
                        Operand::Series(series) => series,
                        Operand::Scalar(value) => grid.iter().map(|at| (*at, value)).collect(),
                    };
                    evaluated.insert(query.id.clone(), series);
                } else {
                    still_open.push(query);
                }
            }
            if still_open.len() == before {
                return Err(expression_error(&still_open[0].id, "it names an id that no query has"));
            }
            open = still_open;
        }
        if let Some(query) = queries.iter().find(|q| !evaluated.contains_key(&q.id)) {
            let message = format!("The query '{}' must have either MetricStat or Expression.", query.id);
            return Err(ApiError::validation(message));
        }
        Ok(evaluated)
    }

    fn statistic(&self, stat: &MetricStat, start: i64, end: i64) -> ApiResult<Series> {
        let statistic = Statistic::parse(&stat.stat).ok_or_else(|| {
            ApiError::validation(format!("The value {} for parameter Stat is not supported.", stat.stat))
        })?;
        let period = i64::from(stat.period);
        let mut by_period: BTreeMap<i64, Values> = BTreeMap::new();
        for (second, values) in self.metrics.read(&stat.metric, start, end, self.now) {
            by_period.entry(second.div_euclid(period) * period).or_default().merge(&values);
        }
        let known = by_period.iter().filter_map(|(at, values)| Some((*at, statistic.of(values)?)));
        Ok(known.collect())
    }
}

fn whole_second_up(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

/// Returns the starts of the periods that begin in [start, end).
fn periods(start: i64, end: i64, period: i64) -> impl Iterator<Item = i64> {
    let first = -(-start).div_euclid(period) * period;
    (0..).map(move |n| first + n * period).take_while(move |at| *at < end)
}

fn check_id(id: &str, queries: &[MetricDataQuery]) -> ApiResult<()> {
    let lower = id.starts_with(|c: char| c.is_ascii_lowercase());
    if !lower || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(ApiError::validation(format!("The value {id} for parameter Id is invalid.")));
    }
    if queries.iter().filter(|q| q.id == id).count() > 1 {
        return Err(ApiError::validation(format!("The id {id} is used by more than one query.")));
    }
    Ok(())
}

fn check_period(period: u32) -> ApiResult<()> {
    if matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period.is_multiple_of(60)) {
        Ok(())
    } else {
        Err(ApiError::validation("Period must be 1, 5, 10, 20, 30 or a multiple of 60"))
    }
}

fn expression_error(id: &str, why: &str) -> ApiError {
    ApiError::validation(format!("Error in expression '{id}': {why}"))
}

fn default_label(query: &MetricDataQuery) -> String {
    match &query.metric_stat {
        Some(stat) => stat.metric.metric_name.clone(),
        None => query.id.clone(),
    }
}

/// A statistic over the values of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
    SampleCount,
    /// The value below or at which this share of the values lies.
    Percentile(f64),
    /// How many values lie in (from, to].
    TrimmedCount(f64, f64),
    /// Which percentage of the values lies in (from, to].
    PercentileRank(f64, f64),
}

impl Statistic {
    fn parse(text: &str) -> Option<Statistic> {
        match text {
            "Sum" => return Some(Statistic::Sum),
            "Average" => return Some(Statistic::Average),
            "Minimum" => return Some(Statistic::Minimum),
            "Maximum" => return Some(Statistic::Maximum),
            "SampleCount" => return Some(Statistic::SampleCount),
            _ => {}
        }
        if let Some(percent) = text.strip_prefix('p') {
            let percent = percent.parse::<f64>().ok().filter(|p| (0.0..=100.0).contains(p))?;
            return Some(Statistic::Percentile(percent / 100.0));
        }
        let (name, rest) = text.split_once('(')?;
        let (from, to) = rest.strip_suffix(')')?.split_once(':')?;
        let bound = |text: &str, open: f64| {
            if text.is_empty() { Some(open) } else { text.parse().ok() }
        };
        let (from, to) = (bound(from, f64::NEG_INFINITY)?, bound(to, f64::INFINITY)?);
        match name {
            "TC" => Some(Statistic::TrimmedCount(from, to)),
            "PR" => Some(Statistic::PercentileRank(from, to)),
            _ => None,
        }
    }

    fn of(self, values: &Values) -> Option<f64> {
        if values.count <= 0.0 {
            return None;
        }
        let within = |from: f64, to: f64| -> f64 {
            values.sorted().filter(|(value, _)| *value > from && *value <= to).map(|(_, times)| times).sum()
        };
        match self {
            Statistic::Sum => Some(values.sum),
            Statistic::Average => Some(values.sum / values.count),
            Statistic::Minimum => values.sorted().next().map(|(value, _)| value),
            Statistic::Maximum => values.sorted().next_back().map(|(value, _)| value),
            Statistic::SampleCount => Some(values.count),
            Statistic::Percentile(share) => {
                let mut left = share * values.count;
                let mut reached = None;
                for (value, times) in values.sorted() {
                    reached = Some(value);
                    left -= times;
                    if left <= 0.0 {
                        break;
                    }
                }
                reached
            }
            Statistic::TrimmedCount(from, to) => Some(within(from, to)),
            Statistic::PercentileRank(from, to) => Some(100.0 * within(from, to) / values.count),
        }
    }
}
