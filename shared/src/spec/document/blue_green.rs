//! The written form of `strategy.blueGreen`.

use schemars::JsonSchema;
use serde::Serialize;

use super::from::counted;
use super::{Analysis, limits, scale_down_seconds};
use crate::spec::{AutoPromotion, BlueGreenSpec};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlueGreen {
    /// Where the new revision can be met before the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Preview", default)]
    preview: Option<Preview>,
    /// Tasks until the switch is near; the stable side's full count where it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", default, range(min = *limits::REPLICAS.start(), max = *limits::REPLICAS.end()))]
    preview_replica_count: Option<u32>,
    /// Judged before the switch, on the preview's traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Analysis", default)]
    pre_promotion_analysis: Option<Analysis>,
    /// Whether the switch waits for nobody; `false` waits for `promote`.
    #[schemars(default = "yes")]
    auto_promotion_enabled: bool,
    /// Seconds before the switch, which `promote` cuts short.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", default, range(min = *limits::AUTO_PROMOTION_SECONDS.start(), max = *limits::AUTO_PROMOTION_SECONDS.end()))]
    auto_promotion_seconds: Option<u32>,
    /// Judged after the switch, the way home open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Analysis", default)]
    post_promotion_analysis: Option<Analysis>,
    /// After the switch, how long the old side runs on, the way home open.
    #[schemars(default = "switched_seconds", range(min = *limits::SCALE_DOWN_SECONDS.start(), max = *limits::SCALE_DOWN_SECONDS.end()))]
    scale_down_delay_seconds: u32,
    /// After an abort, how long the canary keeps its tasks.
    #[schemars(default = "scale_down_seconds", range(min = *limits::SCALE_DOWN_SECONDS.start(), max = *limits::SCALE_DOWN_SECONDS.end()))]
    abort_scale_down_delay_seconds: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Preview {
    /// The port of the test listener: what forwards to the twins there is the preview, all else is production.
    #[schemars(range(min = *limits::PORT.start(), max = *limits::PORT.end()))]
    port: u32,
}

impl From<&BlueGreenSpec> for BlueGreen {
    fn from(spec: &BlueGreenSpec) -> Self {
        let analysis = |metrics: &Vec<String>| (!metrics.is_empty()).then(|| Analysis { metrics: metrics.clone() });
        let (auto_promotion_enabled, auto_promotion_seconds) = match spec.auto_promotion {
            AutoPromotion::AtOnce => (true, None),
            AutoPromotion::After(duration) => (true, Some(counted(duration.as_secs()))),
            AutoPromotion::Never => (false, None),
        };
        Self {
            preview: spec.preview.map(|preview| Preview { port: preview.port.into() }),
            preview_replica_count: spec.preview_tasks,
            pre_promotion_analysis: analysis(&spec.pre_promotion),
            auto_promotion_enabled,
            auto_promotion_seconds,
            post_promotion_analysis: analysis(&spec.post_promotion),
            scale_down_delay_seconds: counted(spec.scale_down_delay.as_secs()),
            abort_scale_down_delay_seconds: counted(spec.abort_scale_down_delay.as_secs()),
        }
    }
}

fn yes() -> bool {
    true
}

fn switched_seconds() -> u32 {
    limits::SWITCHED_SECONDS_DEFAULT
}
