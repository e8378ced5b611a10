//! Reading `strategy`: each step by itself, and each against those before it.

use jiff::SignedDuration;

use super::argo::Scope;
use super::blue_green::blue_green;
use super::distinct;
use super::header_route::header_route;
use super::metric::Metrics;
use super::tree::Value;
use super::walk::{At, Fields, Walk, did_you_mean, is_true, listed, nearest, wrong};
use crate::spec::{
    BackgroundAnalysis, CanaryScale, CanarySpec, CanaryStep, Mistake, OnTimeout, PauseLimit, StrategySpec, limits,
};
use crate::weight::Weight;

/// Reads the strategy; analysis steps may name these metrics.
pub fn strategy(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<StrategySpec> {
    let (kind, at) = walk.one_of(at, Scope::Strategy, &["canary", "blueGreen"])?;
    match kind {
        "canary" => canary(walk, &at, metrics).map(StrategySpec::Canary),
        _ => blue_green(walk, &at, metrics).map(StrategySpec::BlueGreen),
    }
}

fn canary(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<CanarySpec> {
    let names = ["steps", "analysis", "bakeTimeInMinutes", "scaleDownDelaySeconds", "abortScaleDownDelaySeconds"];
    let fields = walk.fields(at, Scope::Canary, &names)?;
    let steps = fields.required(walk, "steps", "steps: [{setWeight: 20}, {pause: {}}]");
    let steps = steps.and_then(|at| steps_of(walk, &at, metrics));
    let analysis = match fields.get("analysis") {
        None => Some(None),
        Some(at) => background(walk, &at, steps.as_ref().map(Vec::len), metrics).map(Some),
    };
    let bake = fields.get("bakeTimeInMinutes").map_or(Some(limits::BAKE_MINUTES_DEFAULT), |at| {
        walk.whole(&at, limits::BAKE_MINUTES, "minutes at 100 % before promotion, the way home open")
    });
    let mut delay = |name| {
        fields.get(name).map_or(Some(limits::SCALE_DOWN_SECONDS_DEFAULT), |at| {
            walk.whole(&at, limits::SCALE_DOWN_SECONDS, "seconds; targets drain besides")
        })
    };
    let scale_down = delay("scaleDownDelaySeconds");
    let abort_scale_down = delay("abortScaleDownDelaySeconds");
    if let Some(at) = fields.get("abortScaleDownDelaySeconds").filter(|_| abort_scale_down == Some(0)) {
        let problem = "0 removes the canary as soon as it has drained; in Argo Rollouts 0 means never";
        walk.warn(&at, wrong(Mistake::Contradiction, problem, "write the seconds for which you want to look at it"));
    }
    Some(CanarySpec {
        steps: steps?,
        bake: SignedDuration::from_mins(bake?.into()),
        scale_down_delay: SignedDuration::from_secs(scale_down?.into()),
        abort_scale_down_delay: SignedDuration::from_secs(abort_scale_down?.into()),
        analysis: analysis?,
    })
}

/// Reads the analysis beside the steps, of which there are so many.
fn background(walk: &mut Walk, at: &At<'_>, steps: Option<usize>, metrics: &Metrics<'_>) -> Option<BackgroundAnalysis> {
    let fields = walk.fields(at, Scope::Analysis, &["metrics", "startingStep"])?;
    let judged = fields.required(walk, "metrics", "metrics: [http-5xx-rate]");
    let judged = judged.and_then(|at| judged_metrics(walk, &at, metrics));
    let starting_step = match fields.get("startingStep") {
        None => 0,
        Some(at) => {
            let step = walk.whole(&at, limits::STARTING_STEP, "the index of a step; the first is 0")?;
            if steps.is_some_and(|steps| usize::try_from(step).is_ok_and(|step| step >= steps)) {
                let problem = format!("there is no step {step}: the first is 0");
                walk.note(&at, wrong(Mistake::Reference, problem, "name a step of `steps` by its index"));
                return None;
            }
            step
        }
    };
    Some(BackgroundAnalysis { metrics: judged?, starting_step })
}

fn judged_metrics(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<Vec<String>> {
    let items = walk.list(at, limits::METRICS_MAX)?;
    if items.is_empty() {
        let hint = "name at least one of `spec.metrics`";
        walk.note(at, wrong(Mistake::OutOfRange, "`metrics` is empty: nothing would be judged", hint));
        return None;
    }
    distinct(walk, &items, |walk, item| metric_name(walk, item, metrics))
}

fn steps_of(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<Vec<CanaryStep>> {
    let items = walk.list(at, limits::STEPS_MAX)?;
    if items.is_empty() {
        let hint = "write at least one step: `- setWeight: 20`, or `- setWeight: 100` for all at once";
        walk.note(at, wrong(Mistake::OutOfRange, "`steps` is empty", hint));
        return None;
    }
    let mut climb = Climb { weight: None, unread: false, scale: None, routes: Vec::new() };
    let mut steps = Some(Vec::with_capacity(items.len()));
    for item in &items {
        let step = climb.step(walk, item, metrics);
        steps = steps.zip(step).map(|(mut steps, step)| {
            steps.push(step);
            steps
        });
    }
    steps
}

const STEP: [&str; 5] = ["setWeight", "setCanaryScale", "pause", "setHeaderRoute", "analysis"];

/// How far the steps have climbed.
struct Climb {
    /// The highest weight so far.
    weight: Option<Weight>,
    /// Whether a weight could not be read, so that traffic is not known.
    unread: bool,
    /// The scale in force, in per cent of the stable side, and the line that set it.
    scale: Option<(u32, usize)>,
    /// The names of the header routes so far.
    routes: Vec<String>,
}

impl Climb {
    fn step(&mut self, walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<CanaryStep> {
        let Some((kind, at)) = walk.one_of(at, Scope::Step, &STEP) else {
            self.unread = true;
            return None;
        };
        match kind {
            "setWeight" => self.set_weight(walk, &at),
            "setCanaryScale" => self.set_scale(walk, &at),
            "pause" => pause(walk, &at),
            "setHeaderRoute" => self.set_header_route(walk, &at),
            _ => self.analysis(walk, &at, metrics),
        }
    }

    fn set_weight(&mut self, walk: &mut Walk, at: &At<'_>) -> Option<CanaryStep> {
        let Some(weight) = weight(walk, at) else {
            self.unread = true;
            return None;
        };
        let before = self.weight;
        self.weight = before.max(Some(weight));
        if before == Some(Weight::FULL) {
            note_after_full(walk, at, "setWeight");
            return None;
        }
        if let Some(before) = before.filter(|before| weight < *before) {
            let problem = format!("weights go down: {weight} % after {before} %");
            let hint = "order the weights upwards; going home is the controller's part, at an alarm or by `abort`";
            walk.note(at, wrong(Mistake::Contradiction, problem, hint));
            return None;
        }
        if before == Some(weight) {
            let problem = format!("`setWeight: {weight}` repeats the weight before it");
            walk.warn(at, wrong(Mistake::Contradiction, problem, "drop it"));
        }
        if let Some((percent, line)) = self.scale
            && weight != Weight::FULL
            && u32::from(weight.canary()) > percent * 10
        {
            let problem = format!(
                "{weight} % of the traffic would fall on {percent} % of the tasks: `setCanaryScale` on line {line}"
            );
            let hint = "before this step, write `setCanaryScale: {matchTrafficWeight: true}` or a larger scale";
            walk.note(at, wrong(Mistake::Contradiction, problem, hint));
            return None;
        }
        Some(CanaryStep::SetWeight(weight))
    }

    fn set_scale(&mut self, walk: &mut Walk, at: &At<'_>) -> Option<CanaryStep> {
        let (kind, value) = walk.one_of(at, Scope::CanaryScale, &["replicas", "weight", "matchTrafficWeight"])?;
        let scale = match kind {
            "replicas" => {
                let hint = "so many tasks, one at least";
                CanaryScale::Replicas(walk.whole(&value, limits::REPLICAS, hint)?)
            }
            "weight" => {
                let hint = "per cent of the stable side's tasks, as a whole number";
                CanaryScale::Percent(walk.whole(&value, limits::SCALE_PERCENT, hint)?)
            }
            _ if is_true(value.node) => CanaryScale::MatchTrafficWeight,
            _ => {
                let problem = "`matchTrafficWeight` can only be `true`";
                let hint = "write `true`, or give `replicas` or `weight` instead";
                walk.note(&value, wrong(Mistake::WrongType, problem, hint));
                return None;
            }
        };
        if self.weight == Some(Weight::FULL) {
            note_after_full(walk, at, "setCanaryScale");
            return None;
        }
        self.scale = match scale {
            CanaryScale::Percent(percent) => Some((percent, at.node.place.line)),
            CanaryScale::Replicas(_) | CanaryScale::MatchTrafficWeight => None,
        };
        Some(CanaryStep::SetCanaryScale(scale))
    }

    fn set_header_route(&mut self, walk: &mut Walk, at: &At<'_>) -> Option<CanaryStep> {
        let route = header_route(walk, at);
        if self.weight == Some(Weight::FULL) {
            note_after_full(walk, at, "setHeaderRoute");
            return None;
        }
        let Some(route) = route else {
            self.unread = true;
            return None;
        };
        if self.routes.contains(&route.name) {
            let problem = format!("a second header route is called `{}`", route.name);
            walk.note(at, wrong(Mistake::Reference, problem, "give each route its own name"));
            return None;
        }
        self.routes.push(route.name.clone());
        Some(CanaryStep::SetHeaderRoute(route))
    }

    fn analysis(&self, walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<CanaryStep> {
        let routed = !self.routes.is_empty();
        let traffic = self.unread || routed || self.weight.is_some_and(|weight| weight > Weight::ZERO);
        if !traffic {
            let problem = "`analysis` stands before any traffic: the canary has nothing to measure";
            walk.note(
                at,
                wrong(Mistake::Contradiction, problem, "write a `setWeight` above 0, or a `setHeaderRoute`, before it"),
            );
        }
        let judged = judged(walk, at, metrics)?;
        traffic.then_some(CanaryStep::Analysis { metrics: judged })
    }
}

/// Reads which metrics an analysis judges.
pub fn judged(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<Vec<String>> {
    let fields = walk.fields(at, Scope::Analysis, &["metrics"])?;
    let names = fields.required(walk, "metrics", "metrics: [http-5xx-rate]")?;
    judged_metrics(walk, &names, metrics)
}

fn metric_name(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<String> {
    let name = walk.text(at)?;
    if metrics.may_define(&name) {
        return Some(name);
    }
    let defined = metrics.names();
    let hint = match nearest(&name, &defined) {
        Some(near) => did_you_mean(near),
        None if defined.is_empty() => "define it in `spec.metrics`".to_owned(),
        None => format!("`spec.metrics` defines {}", listed(&defined)),
    };
    walk.note(at, wrong(Mistake::Reference, format!("no metric is called `{}`", super::walk::shown(&name)), hint));
    None
}

fn note_after_full(walk: &mut Walk, at: &At<'_>, what: &str) {
    let problem = format!("`{what}` stands after 100 %");
    let hint = "100 % is the last weight: after it only `pause`, `analysis` and the bake have a meaning";
    walk.note(at, wrong(Mistake::Contradiction, problem, hint));
}

fn weight(walk: &mut Walk, at: &At<'_>) -> Option<Weight> {
    let hint = "per cent as a number without a sign: `5`, `12.5`";
    let percent = walk.number(at, hint)?;
    if !(0.0..=100.0).contains(&percent) {
        let problem = format!("`setWeight` is {percent}; it must be 0 to 100");
        walk.note(at, wrong(Mistake::OutOfRange, problem, hint));
        return None;
    }
    let weight = nearest_weight(percent)?;
    if (f64::from(weight.canary()) / 10.0 - percent).abs() > 1e-9 {
        let problem = format!("`setWeight` is {percent}; weights have steps of 0.1 %");
        let least = if weight == Weight::ZERO { "0.1".to_owned() } else { weight.to_string() };
        walk.note(at, wrong(Mistake::TooFine, problem, format!("write {least}")));
        return None;
    }
    Some(weight)
}

/// Returns the weight next to a share of 0 to 100 per cent.
fn nearest_weight(percent: f64) -> Option<Weight> {
    let share: u16 = format!("{:.0}", percent * 10.0).parse().ok()?;
    Weight::per_mille(share).ok()
}

fn pause(walk: &mut Walk, at: &At<'_>) -> Option<CanaryStep> {
    if !matches!(at.node.value, Value::Map(_)) {
        let hint = "write `pause: {}` to wait until promoted, or `pause: {duration: 5m}`";
        walk.note(at, wrong(Mistake::WrongType, "`pause` must be a mapping", hint));
        return None;
    }
    let fields = walk.fields(at, Scope::Ours, &["duration", "timeout", "onTimeout"])?;
    let duration = match fields.get("duration") {
        None => None,
        Some(at) => {
            Some(walk.duration(&at, &limits::PAUSE, "drop the step, or write `pause: {}` to wait until promoted")?)
        }
    };
    let limit = pause_limit(walk, &fields)?;
    if let (Some(_), Some(_), Some(at)) = (duration, limit, fields.get("timeout")) {
        let problem = "a pause with a `duration` ends by itself, so `timeout` has nothing to limit";
        let hint = "write `duration` to wait for a time, or `timeout` to wait for `promote` so long at most";
        walk.note(&at, wrong(Mistake::Contradiction, problem, hint));
        return None;
    }
    Some(CanaryStep::Pause { duration, limit })
}

fn pause_limit(walk: &mut Walk, fields: &Fields<'_>) -> Option<Option<PauseLimit>> {
    let timeout = match fields.get("timeout") {
        None => None,
        Some(at) => {
            Some(walk.duration(&at, &limits::PAUSE_TIMEOUT, "give people a minute at least to say `promote`")?)
        }
    };
    let on_timeout = match fields.get("onTimeout") {
        None => OnTimeout::Abort,
        Some(at) => {
            let then = walk.word(&at, &[("abort", OnTimeout::Abort), ("promote", OnTimeout::Promote)])?;
            if timeout.is_none() {
                let problem = "`onTimeout` says what happens after a `timeout`, and there is none";
                walk.note(&at, wrong(Mistake::Contradiction, problem, "add `timeout: 2h`, or drop `onTimeout`"));
                return None;
            }
            then
        }
    };
    Some(timeout.map(|timeout| PauseLimit { timeout, on_timeout }))
}
