//! Words of Argo Rollouts that are not in the format: what each one meant, and the nearest thing that works.

use super::tree::{Entry, Value};
use super::walk::{Wrong, did_you_mean, listed, nearest, shown, wrong};
use crate::spec::Mistake;

/// Which mapping a field stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The document.
    Document,
    /// `metadata`
    Metadata,
    /// `spec`
    Spec,
    /// `workload`
    Workload,
    /// `strategy`
    Strategy,
    /// `strategy.canary`
    Canary,
    /// `strategy.blueGreen`
    BlueGreen,
    /// One of `steps`.
    Step,
    /// `setHeaderRoute`, and the entries of its `match`.
    HeaderRoute,
    /// `headerValue`
    HeaderValue,
    /// `setCanaryScale`
    CanaryScale,
    /// The `analysis` of a step.
    Analysis,
    /// One of `metrics`.
    Metric,
    /// `provider`
    Provider,
    /// `provider.cloudWatch`
    CloudWatch,
    /// A mapping that Argo does not have.
    Ours,
}

/// Returns the mistake of a field that the format does not have in this place.
pub fn unknown(scope: Scope, entry: &Entry, names: &[&'static str]) -> Wrong {
    let key = shown(&entry.key);
    if entry.key == "<<" {
        let hint = "write the fields out; an alias can stand for a whole value";
        return wrong(Mistake::NotSupported, "merge keys are not read", hint);
    }
    if let Some((kind, problem, hint)) = of_argo(scope, &entry.key) {
        let inner = match &entry.node.value {
            Value::Map(entries) if entry.key == "trafficRouting" => entries.first(),
            Value::Map(_) | Value::List(_) | Value::Scalar { .. } => None,
        };
        let name = inner.map_or_else(|| key.clone(), |inner| format!("{key}.{}", shown(&inner.key)));
        let verdict = match kind {
            Mistake::NotImplemented => "not implemented",
            _ => "not supported",
        };
        return wrong(kind, format!("`{name}` is {verdict}: {problem}"), hint);
    }
    let problem = format!("unknown field `{key}`");
    let hint = match nearest(&entry.key, names) {
        Some(name) => did_you_mean(name),
        None if names.is_empty() => "leave it out: nothing can stand here".to_owned(),
        None => format!("known here: {}", listed(names)),
    };
    wrong(Mistake::UnknownField, problem, hint)
}

type Known = (Mistake, &'static str, &'static str);

fn of_argo(scope: Scope, key: &str) -> Option<Known> {
    match scope {
        Scope::Metadata => of_metadata(key),
        Scope::Spec => of_spec(key),
        Scope::Workload => of_workload(key),
        Scope::Strategy => of_strategy(key),
        Scope::Canary => of_canary(key),
        Scope::BlueGreen => of_blue_green(key),
        Scope::Step => of_step(key),
        Scope::HeaderRoute | Scope::HeaderValue => of_header_route(key),
        Scope::Analysis => of_analysis(key),
        Scope::Metric => of_metric(key),
        Scope::Provider | Scope::CloudWatch => of_provider(key),
        Scope::Document | Scope::CanaryScale | Scope::Ours => None,
    }
}

fn unsupported(problem: &'static str, hint: &'static str) -> Option<Known> {
    Some((Mistake::NotSupported, problem, hint))
}

fn later(problem: &'static str, hint: &'static str) -> Option<Known> {
    Some((Mistake::NotImplemented, problem, hint))
}

fn of_metadata(key: &str) -> Option<Known> {
    match key {
        "namespace" => unsupported("ECS has no namespaces", "name the cluster in `spec.workload.twinServices.cluster`"),
        "labels" | "annotations" => {
            unsupported("a rollout has a name and nothing else", "tag the ECS services instead")
        }
        _ => None,
    }
}

fn of_spec(key: &str) -> Option<Known> {
    match key {
        "replicas" => unsupported(
            "the stable service's desired count is the full count",
            "set the desired count on the ECS service, or the canary's by the step `setCanaryScale`",
        ),
        "template" | "workloadRef" | "selector" => {
            unsupported("what runs is an ECS task definition", "register one and name it in `taskDefinition`")
        }
        "minReadySeconds" => unsupported(
            "the target group's health check says when a task is ready",
            "raise the target group's healthy threshold or interval, or write a `pause` step",
        ),
        "group" => {
            later("a rollout knows nothing of others' services", "start the next one when `status --wait` says 0")
        }
        "revisionHistoryLimit" => unsupported("ECS keeps every revision", "start a rollout with the earlier revision"),
        "paused" => unsupported("a spec does not pause; a person does", "use `tidegate pause` and `tidegate resume`"),
        "hooks" => later(
            "calling functions before, after and on abort",
            "let a rule on the template's own bus call them: every transition is an event there",
        ),
        "restartAt" => unsupported("tasks are restarted by ECS", "use `aws ecs update-service --force-new-deployment`"),
        "analysis" => unsupported(
            "it belongs to the strategy",
            "write it in `spec.strategy.canary.analysis`, with the names of `metrics`",
        ),
        _ => None,
    }
}

fn of_workload(key: &str) -> Option<Known> {
    match key {
        "taskSets" | "rolling" | "ecsNative" | "codeDeploy" => {
            later("this workload", "use `twinServices`: two ECS services, each with its own target group")
        }
        _ => None,
    }
}

fn of_strategy(key: &str) -> Option<Known> {
    match key {
        "rolling" | "rollingUpdate" => later("this strategy", "write a `canary`; without a load balancer let ECS roll"),
        "linear" => later("this strategy", "write a `canary` with one `setWeight` for each step"),
        _ => None,
    }
}

fn of_canary(key: &str) -> Option<Known> {
    match key {
        "trafficRouting" => unsupported(
            "traffic moves on the listener rules that name both target groups, found at start",
            "drop it; `tidegate plan` lists the rules",
        ),
        "canaryService" | "stableService" | "pingPong" => unsupported(
            "the twins swap their roles at each promotion",
            "name both in `spec.workload.twinServices.services`",
        ),
        "maxSurge" | "maxUnavailable" | "minPodsPerReplicaSet" => unsupported(
            "a canary is a service of its own, so the stable side loses no task to it",
            "use the step `setCanaryScale` to give the canary more or fewer tasks",
        ),
        "dynamicStableScale" => later(
            "the stable side keeps all its tasks until clean-up, so that all traffic can go home at once",
            "drop it",
        ),
        "maxTrafficWeight" => unsupported("weights are per cent, in steps of 0.1", "write weights of 0 to 100"),
        "replicaProgressThreshold" => {
            unsupported("a weight is raised when enough targets are healthy for it", "drop it")
        }
        "scaleDownDelayRevisionLimit" => unsupported("there are two services, so at most one waits", "drop it"),
        "canaryMetadata" | "stableMetadata" | "antiAffinity" => {
            unsupported("ECS tasks get no labels from a rollout", "write tags or placement constraints on the service")
        }
        _ => None,
    }
}

fn of_blue_green(key: &str) -> Option<Known> {
    match key {
        "activeService" => unsupported(
            "traffic moves on the listener rules that name both target groups, found at start",
            "drop it; `tidegate plan` lists the rules",
        ),
        "previewService" => unsupported(
            "the preview is a test listener that forwards to both target groups",
            "write `preview: {port: 9443}`",
        ),
        "maxUnavailable" => unsupported("the old side keeps its tasks until the new one has all traffic", "drop it"),
        "scaleDownDelayRevisionLimit" => unsupported("there are two services, so at most one waits", "drop it"),
        "previewMetadata" | "activeMetadata" | "antiAffinity" => {
            unsupported("ECS tasks get no labels from a rollout", "write tags or placement constraints on the service")
        }
        _ => None,
    }
}

fn of_step(key: &str) -> Option<Known> {
    match key {
        "setMirrorRoute" => unsupported(
            "an Application Load Balancer cannot mirror requests",
            "send a small share instead: `setWeight: 0.1`",
        ),
        "hook" => later(
            "calling a function",
            "write `pause: {}`, and let the function's work end with `tidegate promote` or `tidegate abort`",
        ),
        "experiment" => later("side-by-side experiments", "write `setWeight`, then `analysis`"),
        "plugin" => later("step plugins", "write `pause: {}`, and let the plugin's work end with `tidegate promote`"),
        _ => None,
    }
}

fn of_header_route(key: &str) -> Option<Known> {
    match key {
        "regex" => later("regular expressions", "write `exact`, `prefix`, or `values: [a, b]`"),
        _ => None,
    }
}

fn of_analysis(key: &str) -> Option<Known> {
    match key {
        "templates" | "clusterScope" => {
            unsupported("metrics stand in the spec itself", "write them in `spec.metrics`, and name them in `metrics`")
        }
        "args" => unsupported("metrics take no arguments: they measure the canary's target group", "drop it"),
        "dryRun" | "measurementRetention" | "analysisRunMetadata" | "startingStep" => later("this option", "drop it"),
        _ => None,
    }
}

fn of_metric(key: &str) -> Option<Known> {
    match key {
        "successCondition" | "failureCondition" => {
            unsupported("conditions are typed", "write `threshold: {atMost: 0.01}` or `threshold: {atLeast: …}`")
        }
        "consecutiveSuccessLimit" => later("this limit", "use `count`: so many good measurements are enough"),
        _ => None,
    }
}

fn of_provider(key: &str) -> Option<Known> {
    match key {
        "prometheus" | "datadog" | "newRelic" | "wavefront" | "kayenta" | "web" | "job" | "graphite" | "influxdb"
        | "skywalking" | "plugin" => later("this provider", "publish the number to CloudWatch, and use `cloudWatch`"),
        "metricDataQueries" => later(
            "CloudWatch metric maths",
            "use `errorRate: {}`, `responseTime: {statistic: p99}` or `metric: {namespace, metricName, statistic}`",
        ),
        _ => None,
    }
}
