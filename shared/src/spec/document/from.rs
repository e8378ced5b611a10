//! A spec as its document, all defaults written out.

use super::policy;
use super::scalars::{Dimensions, Duration, Percent, Yes};
use super::{
    Analysis, AnyMetric, ApiVersion, Background, Canary, CloudWatch, Kind, Limit, Metadata, Metric, NoData, Nothing,
    OnTimeout, Pause, Provider, ResponseTime, RolloutDocument, Scale, Spec, Step, Strategy, Twins, Workload,
};
use crate::spec::{
    CanaryScale, CanarySpec, CanaryStep, MetricSource, MetricSpec, NoDataPolicy, RolloutSpec, StrategySpec, Threshold,
    WorkloadSpec,
};

impl From<&RolloutSpec> for RolloutDocument {
    fn from(spec: &RolloutSpec) -> Self {
        let WorkloadSpec::TwinServices { cluster, services } = &spec.workload;
        Self {
            api_version: ApiVersion::V1Alpha1,
            kind: Kind::Rollout,
            metadata: Metadata { name: spec.name.clone() },
            spec: Spec {
                workload: Workload::TwinServices(Twins { cluster: cluster.clone(), services: services.clone() }),
                task_definition: spec.task_definition.clone(),
                alarms: spec.alarms.clone(),
                progress_deadline_seconds: counted(spec.progress_deadline.as_secs()),
                progress_deadline_abort: spec.policies.deadline_aborts,
                crash_loop: policy::crash_loop(&spec.policies),
                freeze_windows: policy::freezes(&spec.policies),
                on_freeze: policy::on_freeze(&spec.policies),
                metrics: spec.metrics.iter().map(Metric::from).collect(),
                strategy: match &spec.strategy {
                    StrategySpec::Canary(canary) => Strategy::Canary(canary.into()),
                    StrategySpec::BlueGreen(blue_green) => Strategy::BlueGreen(blue_green.into()),
                },
                rollback_window: spec.others.rollback_window.as_ref().map(Into::into),
                on_new_revision: spec.others.on_new_revision.into(),
            },
        }
    }
}

impl From<&CanarySpec> for Canary {
    fn from(canary: &CanarySpec) -> Self {
        Self {
            steps: canary.steps.iter().map(Step::from).collect(),
            analysis: canary.analysis.as_ref().map(|analysis| Background {
                metrics: analysis.metrics.clone(),
                starting_step: analysis.starting_step,
            }),
            bake_time_in_minutes: counted(canary.bake.as_mins()),
            scale_down_delay_seconds: counted(canary.scale_down_delay.as_secs()),
            abort_scale_down_delay_seconds: counted(canary.abort_scale_down_delay.as_secs()),
        }
    }
}

impl From<&CanaryStep> for Step {
    fn from(step: &CanaryStep) -> Self {
        match step {
            CanaryStep::SetWeight(weight) => Self::SetWeight(Percent(*weight)),
            CanaryStep::SetCanaryScale(scale) => Self::SetCanaryScale(match scale {
                CanaryScale::Replicas(tasks) => Scale::Replicas(*tasks),
                CanaryScale::Percent(percent) => Scale::Weight(*percent),
                CanaryScale::MatchTrafficWeight => Scale::MatchTrafficWeight(Yes),
            }),
            CanaryStep::Pause { duration, limit } => Self::Pause(Pause {
                duration: duration.map(Duration),
                timeout: limit.map(|limit| Duration(limit.timeout)),
                on_timeout: limit.map(|limit| match limit.on_timeout {
                    crate::spec::OnTimeout::Abort => OnTimeout::Abort,
                    crate::spec::OnTimeout::Promote => OnTimeout::Promote,
                }),
            }),
            CanaryStep::SetHeaderRoute(route) => Self::SetHeaderRoute(route.into()),
            CanaryStep::Analysis { metrics } => Self::Analysis(Analysis { metrics: metrics.clone() }),
        }
    }
}

impl From<&MetricSpec> for Metric {
    fn from(metric: &MetricSpec) -> Self {
        let source = match &metric.source {
            MetricSource::ErrorRate => CloudWatch::ErrorRate(Nothing {}),
            MetricSource::ResponseTime { statistic } => {
                CloudWatch::ResponseTime(ResponseTime { statistic: statistic.clone() })
            }
            MetricSource::CloudWatch { namespace, metric_name, dimensions, statistic } => {
                CloudWatch::Metric(AnyMetric {
                    namespace: namespace.clone(),
                    metric_name: metric_name.clone(),
                    dimensions: Dimensions(dimensions.clone()),
                    statistic: statistic.clone(),
                })
            }
        };
        Self {
            name: metric.name.clone(),
            provider: Provider::CloudWatch(source),
            threshold: match metric.threshold {
                Threshold::AtMost(limit) => Limit::AtMost(limit),
                Threshold::AtLeast(limit) => Limit::AtLeast(limit),
            },
            interval: Duration(metric.interval),
            initial_delay: Duration(metric.initial_delay),
            count: metric.count,
            failure_limit: metric.failure_limit,
            inconclusive_limit: metric.inconclusive_limit,
            consecutive_error_limit: metric.consecutive_error_limit,
            minimum_samples: metric.minimum_samples,
            no_data: match metric.no_data {
                NoDataPolicy::Inconclusive => NoData::Inconclusive,
                NoDataPolicy::Failed => NoData::Failed,
            },
        }
    }
}

/// A count that the reader has bounded.
pub fn counted(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
