//! Reading `metrics`.

use jiff::SignedDuration;

use super::argo::Scope;
use super::tree::Value;
use super::walk::{At, Fields, Walk, join, wrong};
use crate::spec::{MetricSource, MetricSpec, Mistake, NoDataPolicy, StrategySpec, Threshold, limits};

/// What `metrics` says, as far as it can be read.
pub struct Metrics<'n> {
    /// Every name that is defined, with its place, even where the rest of the metric is wrong.
    names: Vec<(String, At<'n>)>,
    /// All of them, where all can be read.
    pub specs: Option<Vec<MetricSpec>>,
    /// Whether any name could not be read: then nothing can be said of a name that is missing.
    nameless: bool,
}

impl Metrics<'_> {
    /// What a spec without `metrics` has.
    pub fn none() -> Self {
        Self { names: Vec::new(), specs: Some(Vec::new()), nameless: false }
    }

    /// Returns the defined names.
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Whether a reference to this name may stand.
    pub fn may_define(&self, name: &str) -> bool {
        self.nameless || self.names.iter().any(|(defined, _)| defined == name)
    }

    /// Warns of metrics that no analysis step names.
    pub fn warn_of_unused(&self, walk: &mut Walk, strategy: &StrategySpec) {
        for (name, at) in &self.names {
            if strategy.judged().all(|judged| judged != name) {
                let problem = format!("no analysis step judges the metric `{name}`");
                let hint = format!("write the step `analysis: {{metrics: [{name}]}}`, or drop the metric");
                walk.warn(at, wrong(Mistake::Reference, problem, hint));
            }
        }
    }
}

/// Reads the list of metrics.
pub fn metrics<'n>(walk: &mut Walk, at: &At<'n>) -> Metrics<'n> {
    let Some(items) = walk.list(at, limits::METRICS_MAX) else {
        return Metrics { specs: None, nameless: true, ..Metrics::none() };
    };
    let mut metrics = Metrics::none();
    for item in &items {
        let Some(fields) = walk.fields(item, Scope::Metric, &METRIC) else {
            metrics = Metrics { specs: None, nameless: true, ..metrics };
            continue;
        };
        let name = name(walk, &fields);
        let spec = metric(walk, &fields, name.as_ref().map(|(name, _)| name.clone()));
        match name {
            None => metrics.nameless = true,
            Some((name, at)) if metrics.names.iter().any(|(earlier, _)| *earlier == name) => {
                let problem = format!("a second metric is called `{name}`");
                walk.note(&at, wrong(Mistake::Reference, problem, "give each metric its own name"));
            }
            Some(named) => metrics.names.push(named),
        }
        metrics.specs = metrics.specs.zip(spec).map(|(specs, spec)| [specs, vec![spec]].concat());
    }
    metrics
}

const METRIC: [&str; 11] = [
    "name",
    "provider",
    "threshold",
    "interval",
    "initialDelay",
    "count",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "minimumSamples",
    "noData",
];

fn name<'n>(walk: &mut Walk, fields: &Fields<'n>) -> Option<(String, At<'n>)> {
    let at = fields.required(walk, "name", "name: http-5xx-rate")?;
    let name = walk.name(&at, limits::is_name, "a metric's name", limits::NAME_HINT)?;
    Some((name, at))
}

fn metric(walk: &mut Walk, fields: &Fields<'_>, name: Option<String>) -> Option<MetricSpec> {
    let provider = fields.required(walk, "provider", "provider: {cloudWatch: {errorRate: {}}}");
    let source = provider.and_then(|at| provider_source(walk, &at));
    let threshold = fields.required(walk, "threshold", "threshold: {atMost: 0.01}");
    let threshold = threshold.and_then(|at| threshold_of(walk, &at, source.as_ref()));
    let interval = fields.get("interval").map_or(Some(limits::INTERVAL_DEFAULT), |at| interval(walk, &at));
    let delay = fields.get("initialDelay");
    let delay = delay.map_or(Some(SignedDuration::ZERO), |at| {
        walk.duration(&at, &limits::INITIAL_DELAY, "from the verified weight to the first window")
    });
    let count = fields.get("count").map_or(Some(limits::COUNT_DEFAULT), |at| {
        walk.whole(&at, limits::COUNT, "so many good measurements are enough; none would judge nothing")
    });
    let mut limit = |name, default| {
        let hint = "more than this many are too many; 0 allows none";
        fields.get(name).map_or(Some(default), |at| walk.whole(&at, limits::LIMIT, hint))
    };
    let failure_limit = limit("failureLimit", limits::FAILURE_LIMIT_DEFAULT);
    let inconclusive_limit = limit("inconclusiveLimit", limits::INCONCLUSIVE_LIMIT_DEFAULT);
    let consecutive_error_limit = limit("consecutiveErrorLimit", limits::CONSECUTIVE_ERROR_LIMIT_DEFAULT);
    let samples = fields.required(walk, "minimumSamples", "minimumSamples: 50").and_then(|at| {
        walk.whole(&at, limits::MINIMUM_SAMPLES, "the least canary requests in a window for its value to count")
    });
    let no_data = fields.required(walk, "noData", "noData: inconclusive").and_then(|at| no_data(walk, &at));
    Some(MetricSpec {
        name: name?,
        source: source?,
        threshold: threshold?,
        interval: interval?,
        initial_delay: delay?,
        count: count?,
        failure_limit: failure_limit?,
        inconclusive_limit: inconclusive_limit?,
        consecutive_error_limit: consecutive_error_limit?,
        minimum_samples: samples?.into(),
        no_data: no_data?,
    })
}

fn provider_source(walk: &mut Walk, at: &At<'_>) -> Option<MetricSource> {
    let (_, at) = walk.one_of(at, Scope::Provider, &["cloudWatch"])?;
    let (kind, at) = walk.one_of(&at, Scope::CloudWatch, &["errorRate", "responseTime", "metric"])?;
    match kind {
        "errorRate" => walk.fields(&at, Scope::Ours, &[]).map(|_| MetricSource::ErrorRate),
        "responseTime" => {
            let fields = walk.fields(&at, Scope::Ours, &["statistic"])?;
            let statistic = fields.required(walk, "statistic", "statistic: p99")?;
            let hint = "write `Average`, or a percentile such as `p99` or `p99.9`";
            let statistic =
                walk.name(&statistic, limits::is_latency_statistic, "a statistic of response times", hint)?;
            Some(MetricSource::ResponseTime { statistic })
        }
        _ => any_metric(walk, &at),
    }
}

fn any_metric(walk: &mut Walk, at: &At<'_>) -> Option<MetricSource> {
    let fields = walk.fields(at, Scope::Ours, &["namespace", "metricName", "dimensions", "statistic"])?;
    let namespace = fields.required(walk, "namespace", "namespace: Shop/Checkout").and_then(|at| walk.text(&at));
    let metric_name = fields.required(walk, "metricName", "metricName: OrdersLost").and_then(|at| walk.text(&at));
    let dimensions = fields.get("dimensions").map_or_else(|| Some(Vec::new()), |at| dimensions(walk, &at));
    let statistic = fields.required(walk, "statistic", "statistic: Sum").and_then(|at| {
        let hint = "write `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p99`";
        walk.name(&at, limits::is_statistic, "a statistic", hint)
    });
    Some(MetricSource::CloudWatch {
        namespace: namespace?,
        metric_name: metric_name?,
        dimensions: dimensions?,
        statistic: statistic?,
    })
}

fn dimensions(walk: &mut Walk, at: &At<'_>) -> Option<Vec<(String, String)>> {
    let Value::Map(entries) = &at.node.value else {
        // The same words as for every other mapping.
        walk.fields(at, Scope::Ours, &["Name"]);
        return None;
    };
    if entries.len() > limits::DIMENSIONS_MAX {
        let problem = format!("`dimensions` has {} entries; CloudWatch has at most 30", entries.len());
        walk.note(at, wrong(Mistake::OutOfRange, problem, "name those that the metric has"));
        return None;
    }
    let mut dimensions: Option<Vec<(String, String)>> = Some(Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        let path = join(&at.path, &entry.key);
        if entries[..index].iter().any(|earlier| earlier.key == entry.key) {
            let problem = format!("the dimension `{}` stands twice", entry.key);
            walk.note_at(entry.place, &path, wrong(Mistake::DuplicateKey, problem, "keep one of the two"));
        }
        let hidden = entry.key.chars().any(char::is_control);
        if hidden || entry.key.is_empty() || entry.key.chars().count() > limits::TEXT_MAX {
            let problem = "a dimension's name must have 1 to 1024 characters that can be seen";
            walk.note_at(
                entry.place,
                &path,
                wrong(Mistake::OutOfRange, problem, "give the name as CloudWatch shows it"),
            );
        }
        let value = walk.text(&at.child(&entry.key, entry));
        dimensions = dimensions.zip(value).map(|(mut all, value)| {
            all.push((entry.key.clone(), value));
            all
        });
    }
    dimensions
}

fn threshold_of(walk: &mut Walk, at: &At<'_>, source: Option<&MetricSource>) -> Option<Threshold> {
    let (kind, at) = walk.one_of(at, Scope::Ours, &["atMost", "atLeast"])?;
    let hint = "an error rate of 1 % is 0.01; response times are in seconds";
    let limit = walk.number(&at, hint)?;
    let share = matches!(source, Some(MetricSource::ErrorRate));
    if share && !(0.0..=1.0).contains(&limit) {
        let problem = format!("`{kind}` is {limit}; an error rate is a share, 0 to 1");
        walk.note(&at, wrong(Mistake::Contradiction, problem, "1 % is 0.01"));
        return None;
    }
    if kind == "atLeast" {
        if share {
            let problem = "this threshold is good while errors are many";
            walk.warn(&at, wrong(Mistake::Contradiction, problem, "write `atMost`"));
        }
        Some(Threshold::AtLeast(limit))
    } else {
        Some(Threshold::AtMost(limit))
    }
}

fn interval(walk: &mut Walk, at: &At<'_>) -> Option<SignedDuration> {
    let hint = "the load balancer publishes once a minute: write `1m`, `2m`, …";
    let interval = walk.duration(at, &limits::INTERVAL, hint)?;
    if interval.as_secs() % 60 != 0 {
        let problem = format!("`interval` is {interval:#}; it must be whole minutes");
        walk.note(at, wrong(Mistake::TooFine, problem, hint));
        return None;
    }
    Some(interval)
}

fn no_data(walk: &mut Walk, at: &At<'_>) -> Option<NoDataPolicy> {
    walk.word(at, &[("inconclusive", NoDataPolicy::Inconclusive), ("failed", NoDataPolicy::Failed)])
}
