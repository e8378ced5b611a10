//! What the user writes for a blue/green rollout: everything beside the old revision first, then one switch.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Blue/green: the new revision stands beside the old one, is looked at through a preview, and gets all traffic in
/// one weight step, behind the gate. The old side runs on until `scale_down_delay` is over, and the way home is open
/// as long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreenSpec {
    /// The listener on which the new revision can be met before the switch; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewSpec>,
    /// Tasks until the switch is near; `None` is the stable side's full count (`previewReplicaCount`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_tasks: Option<u32>,
    /// Names of `metrics` that are judged before the switch, on the preview's traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_promotion: Vec<String>,
    /// What stands before the switch.
    pub auto_promotion: AutoPromotion,
    /// Names of `metrics` that are judged after the switch, the way home open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_promotion: Vec<String>,
    /// How long the old side runs on after the switch, the way home open (`scaleDownDelaySeconds`).
    pub scale_down_delay: SignedDuration,
    /// After an abort, how long the canary keeps its tasks (`abortScaleDownDelaySeconds`).
    pub abort_scale_down_delay: SignedDuration,
}

/// Where the new revision can be met before the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewSpec {
    /// The port of the test listener. What forwards to the twins there is the preview; all else is production.
    pub port: u16,
}

/// What stands before the switch (`autoPromotionEnabled`, `autoPromotionSeconds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AutoPromotion {
    /// Nothing.
    AtOnce,
    /// A pause of this length, which `promote` cuts short.
    After(SignedDuration),
    /// A person's `promote`.
    Never,
}
