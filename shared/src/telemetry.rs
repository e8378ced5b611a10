//! What operators see: JSON logs, and metrics as lines of CloudWatch's embedded metric format among them.
//!
//! Metrics go through `tracing` like every log line, so that only a process that has a subscriber prints them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::rollout::{AbortReason, Phase, Rollout};

/// Namespace of our metrics.
pub const NAMESPACE: &str = "Tidegate";

/// The target of events whose message is one line of embedded metric format.
pub const METRIC_TARGET: &str = "tidegate::metric";

/// Something to be counted or drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// The canary's share, in per cent, as it is asked for.
    CanaryWeight {
        /// The spec's name.
        rollout: String,
        /// In per cent.
        percent: f64,
    },
    /// A rollout goes home.
    Aborted {
        /// The spec's name.
        rollout: String,
        /// Kind of reason: `Alarm`, `Analysis`, …
        because: &'static str,
    },
    /// A step is done.
    StepDone {
        /// The spec's name.
        rollout: String,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// Arrivals that were none of our business.
    Ignored {
        /// The short name of the reason.
        reason: &'static str,
        /// How many.
        count: u64,
    },
    /// A commit that another version had overtaken.
    Overtaken,
    /// Time between what happened and what was decided about it, in seconds.
    DecisionLag {
        /// In seconds.
        seconds: f64,
    },
}

/// Returns what a commit changed that is worth a metric; `before` is `None` where the rollout began.
pub fn changes(before: Option<&Rollout>, after: &Rollout, now: Timestamp) -> Vec<Metric> {
    let name = || after.spec.name.clone();
    let mut metrics = Vec::new();
    if before.is_none_or(|before| before.commanded != after.commanded) {
        metrics.push(Metric::CanaryWeight { rollout: name(), percent: f64::from(after.commanded.canary()) / 10.0 });
    }
    let aborting = |rollout: &Rollout| matches!(rollout.phase, Phase::Aborting { .. } | Phase::Degraded { .. });
    if let Phase::Aborting { reason, .. } | Phase::Degraded { reason } = &after.phase
        && !before.is_some_and(aborting)
    {
        metrics.push(Metric::Aborted { rollout: name(), because: because(reason) });
    }
    if let Some(before) = before.filter(|before| before.cursor < after.cursor)
        && let Some(entered) = before.entered.last()
    {
        metrics.push(Metric::StepDone { rollout: name(), seconds: now.duration_since(*entered).as_secs_f64() });
    }
    metrics
}

/// Puts a metric into the log.
pub fn record(metric: &Metric, now: Timestamp) {
    tracing::info!(target: METRIC_TARGET, "{}", line(metric, now));
}

/// Returns a metric as one line of embedded metric format. Each dimension is a metric to be paid for: the rollout's
/// name is one, its id never.
fn line(metric: &Metric, now: Timestamp) -> String {
    let (name, unit, value, dimension): (&str, &str, Value, Option<(&str, &str)>) = match metric {
        Metric::CanaryWeight { rollout, percent } => {
            ("CanaryWeight", "Percent", json!(percent), Some(("Rollout", rollout)))
        }
        Metric::Aborted { because, .. } => ("Aborted", "Count", json!(1), Some(("Because", because))),
        Metric::StepDone { rollout, seconds } => ("StepLatency", "Seconds", json!(seconds), Some(("Rollout", rollout))),
        Metric::Ignored { reason, count } => ("Ignored", "Count", json!(count), Some(("Reason", reason))),
        Metric::Overtaken => ("Overtaken", "Count", json!(1), None),
        Metric::DecisionLag { seconds } => ("DecisionLag", "Seconds", json!(seconds), None),
    };
    let dimensions: Vec<&str> = dimension.iter().map(|(name, _)| *name).collect();
    let mut fields = Map::new();
    fields.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [dimensions],
                "Metrics": [{ "Name": name, "Unit": unit }],
            }],
        }),
    );
    fields.insert(name.to_owned(), value);
    if let Some((name, value)) = dimension {
        fields.insert(name.to_owned(), json!(value));
    }
    if let Metric::Aborted { rollout, .. } = metric {
        fields.insert("Rollout".to_owned(), json!(rollout));
    }
    Value::Object(fields).to_string()
}

fn because(reason: &AbortReason) -> &'static str {
    match reason {
        AbortReason::Alarm { .. } => "Alarm",
        AbortReason::Analysis { .. } => "Analysis",
        AbortReason::Person { .. } => "Person",
        AbortReason::Superseded { .. } => "Superseded",
        AbortReason::Blocked { .. } => "Blocked",
        AbortReason::Unhealthy { .. } => "Unhealthy",
        AbortReason::Gone { .. } => "Gone",
        AbortReason::PauseTimeout { .. } => "PauseTimeout",
        AbortReason::CrashLoop { .. } => "CrashLoop",
        AbortReason::Capacity { .. } => "Capacity",
        AbortReason::ProgressDeadline { .. } => "ProgressDeadline",
    }
}

/// Sends logs as JSON lines, and metrics as lines of their own, to standard output: where Lambda reads them.
#[cfg(feature = "aws")]
pub fn init() {
    use std::io::Write;

    use tracing_subscriber::filter::{LevelFilter, filter_fn};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
    use tracing_subscriber::util::SubscriberInitExt;

    /// Prints the message alone: embedded metric format is a line of JSON by itself.
    struct Lines;

    struct Message(String);

    impl tracing::field::Visit for Message {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            // A log that cannot be written has nowhere to say so.
            let _ = writeln!(std::io::stdout().lock(), "{}", message.0);
        }
    }

    let is_metric = |metadata: &tracing::Metadata<'_>| metadata.target() == METRIC_TARGET;
    let metrics = Lines.with_filter(filter_fn(is_metric));
    let logs =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    let logs = logs.with_filter(filter_fn(move |metadata| !is_metric(metadata))).with_filter(LevelFilter::INFO);
    // A second subscriber in one process (a test) leaves the first in place.
    let _ = tracing_subscriber::registry().with(metrics).with(logs).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_one_line_that_cloudwatch_reads() {
        let at: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        let metric = Metric::CanaryWeight { rollout: "checkout".into(), percent: 12.5 };
        let printed = line(&metric, at);
        assert!(!printed.contains('\n'));
        let read: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(read["CanaryWeight"], 12.5);
        assert_eq!(read["Rollout"], "checkout");
        assert_eq!(read["_aws"]["Timestamp"], at.as_millisecond());
        let set = &read["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(set["Dimensions"], json!([["Rollout"]]));
        assert_eq!(set["Metrics"], json!([{ "Name": "CanaryWeight", "Unit": "Percent" }]));
    }

    #[test]
    fn an_abort_is_counted_by_its_reason_and_says_whose_it_is() {
        let metric = Metric::Aborted { rollout: "checkout".into(), because: "Alarm" };
        let read: Value = serde_json::from_str(&line(&metric, Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(read["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Because"]]));
        assert_eq!((&read["Because"], &read["Rollout"]), (&json!("Alarm"), &json!("checkout")));
    }
}
