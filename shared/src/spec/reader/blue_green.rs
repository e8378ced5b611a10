//! Reading `strategy.blueGreen`.

use jiff::SignedDuration;

use super::argo::Scope;
use super::metric::Metrics;
use super::strategy::judged;
use super::walk::{At, Fields, Walk, wrong};
use crate::spec::{AutoPromotion, BlueGreenSpec, MetricSource, Mistake, PreviewSpec, limits};

const BLUE_GREEN: [&str; 8] = [
    "preview",
    "previewReplicaCount",
    "prePromotionAnalysis",
    "autoPromotionEnabled",
    "autoPromotionSeconds",
    "postPromotionAnalysis",
    "scaleDownDelaySeconds",
    "abortScaleDownDelaySeconds",
];

/// Reads a blue/green strategy; both analyses may name these metrics.
pub fn blue_green(walk: &mut Walk, at: &At<'_>, metrics: &Metrics<'_>) -> Option<BlueGreenSpec> {
    let fields = walk.fields(at, Scope::BlueGreen, &BLUE_GREEN)?;
    let preview = match fields.get("preview") {
        None => Some(None),
        Some(at) => preview(walk, &at).map(Some),
    };
    let preview_tasks = match fields.get("previewReplicaCount") {
        None => Some(None),
        Some(at) => walk.whole(&at, limits::REPLICAS, "so many tasks until the switch is near").map(Some),
    };
    let mut analysis = |name| match fields.get(name) {
        None => Some(Vec::new()),
        Some(at) => judged(walk, &at, metrics),
    };
    let (pre_promotion, post_promotion) = (analysis("prePromotionAnalysis"), analysis("postPromotionAnalysis"));
    if let Some(at) = fields.get("prePromotionAnalysis").filter(|_| fields.get("preview").is_none())
        && pre_promotion.as_ref().is_some_and(|names| names.iter().any(|name| of_the_group(metrics, name)))
    {
        let problem = "`prePromotionAnalysis` stands before any traffic: there is no preview, so nothing is measured";
        let hint = "add `preview: {port: …}` and send it requests, or judge after the switch: `postPromotionAnalysis`";
        walk.note_at(at.name, &at.path, wrong(Mistake::Contradiction, problem, hint));
    }
    let auto_promotion = auto_promotion(walk, &fields);
    let mut delay = |name, default| {
        fields
            .get(name)
            .map_or(Some(default), |at| walk.whole(&at, limits::SCALE_DOWN_SECONDS, "seconds; targets drain besides"))
    };
    let scale_down = delay("scaleDownDelaySeconds", limits::SWITCHED_SECONDS_DEFAULT);
    let abort_scale_down = delay("abortScaleDownDelaySeconds", limits::SCALE_DOWN_SECONDS_DEFAULT);
    Some(BlueGreenSpec {
        preview: preview?,
        preview_tasks: preview_tasks?,
        pre_promotion: pre_promotion?,
        auto_promotion: auto_promotion?,
        post_promotion: post_promotion?,
        scale_down_delay: SignedDuration::from_secs(scale_down?.into()),
        abort_scale_down_delay: SignedDuration::from_secs(abort_scale_down?.into()),
    })
}

fn preview(walk: &mut Walk, at: &At<'_>) -> Option<PreviewSpec> {
    let fields = walk.fields(at, Scope::Ours, &["port"])?;
    let port = fields.required(walk, "port", "port: 9443")?;
    let port = walk.whole(&port, limits::PORT, "the port of the test listener, not that of the users")?;
    u16::try_from(port).ok().map(|port| PreviewSpec { port })
}

/// Whether a metric measures requests that the canary's targets answered.
fn of_the_group(metrics: &Metrics<'_>, name: &str) -> bool {
    let specs = metrics.specs.as_deref().unwrap_or_default();
    specs.iter().filter(|metric| metric.name == name).any(|metric| match metric.source {
        MetricSource::ErrorRate | MetricSource::ResponseTime { .. } => true,
        MetricSource::CloudWatch { .. } => false,
    })
}

fn auto_promotion(walk: &mut Walk, fields: &Fields<'_>) -> Option<AutoPromotion> {
    let enabled = match fields.get("autoPromotionEnabled") {
        None => Some(true),
        Some(at) => walk.truth(&at),
    };
    let seconds = match fields.get("autoPromotionSeconds") {
        None => Some(None),
        Some(at) => walk.whole(&at, limits::AUTO_PROMOTION_SECONDS, "seconds until the switch").map(Some),
    };
    match (enabled?, seconds?) {
        (false, Some(_)) => {
            let problem = "`autoPromotionSeconds` has no meaning while `autoPromotionEnabled` is false";
            let hint = "drop the seconds to wait for `promote`, or drop `autoPromotionEnabled` to switch after them";
            let at = fields.get("autoPromotionSeconds")?;
            walk.note_at(at.name, &at.path, wrong(Mistake::Contradiction, problem, hint));
            None
        }
        (false, None) => Some(AutoPromotion::Never),
        (true, None) => Some(AutoPromotion::AtOnce),
        (true, Some(seconds)) => Some(AutoPromotion::After(SignedDuration::from_secs(seconds.into()))),
    }
}
