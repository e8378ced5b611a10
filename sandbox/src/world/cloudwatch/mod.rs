//! CloudWatch metrics: what the load balancer publishes by the minute and late, custom points, and GetMetricData.

mod math;
mod query;
mod shapes;
mod store;
#[cfg(test)]
mod tests;

pub use shapes::{
    DescribeAlarms, Dimension, GetMetricData, Metric, MetricAlarm, MetricDataQuery, MetricDataResult,
    MetricDataResults, MetricDatum, MetricStat, PutMetricAlarm, SetAlarmState,
};
pub(super) use store::{MetricStore, Values};
