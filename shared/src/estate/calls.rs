//! What a plan asks of AWS, at the least: what a start would cost is known before it.

use jiff::SignedDuration;

use crate::api::Asked;
use crate::observation::RulePlace;
use crate::plan::Step;
use crate::spec::RolloutSpec;

/// While nothing else happens, the sweep looks this often.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);

/// What one look at everything that a rollout touches consists of.
pub fn look(spec: &RolloutSpec, places: &[RulePlace]) -> Vec<Asked> {
    let alarms = u32::from(!spec.alarms.is_empty());
    let (rules, listeners) =
        (u32::from(has(places, RulePlace::Rule)), u32::from(has(places, RulePlace::DefaultAction)));
    some([
        ("DescribeServices", 1),
        ("DescribeRules", rules + u32::from(!spec.strategy.routes().is_empty())),
        ("DescribeListeners", listeners),
        ("DescribeTargetHealth", 2),
        ("DescribeAlarms", alarms),
    ])
}

/// What a step asks at the least: its writes exactly, if none has to be repeated, and the looks that it cannot do without.
pub fn least(step: &Step, spec: &RolloutSpec, places: &[RulePlace]) -> Vec<Asked> {
    let of = |wanted| u32::try_from(places.iter().filter(|place| **place == wanted).count()).unwrap_or(u32::MAX);
    match step {
        // A look shows that it is not so, and another one that it is.
        Step::Deploy { .. } | Step::Scale { .. } => some([("UpdateService", 1), ("look", 1)]),
        Step::SetWeight { .. } => {
            some([("ModifyRule", of(RulePlace::Rule)), ("ModifyListener", of(RulePlace::DefaultAction)), ("look", 1)])
        }
        // Made, read back, opened, read back.
        Step::HeaderRoute { .. } => {
            let rules = of(RulePlace::Rule).saturating_add(of(RulePlace::DefaultAction));
            some([("CreateRule", rules), ("ModifyRule", rules), ("look", 2)])
        }
        Step::RemoveRoutes => {
            let rules = of(RulePlace::Rule).saturating_add(of(RulePlace::DefaultAction));
            let routes = u32::try_from(spec.strategy.routes().len()).unwrap_or(u32::MAX);
            some([("DeleteRule", rules.saturating_mul(routes)), ("look", 1)])
        }
        Step::Preview { .. } => some([("ModifyListener", 1), ("look", 1)]),
        Step::Pause { duration, limit: _ } => some([("look", looks(duration.unwrap_or_default()))]),
        Step::Bake { duration } => some([("look", looks(*duration))]),
        // Beside the steps it measures on; the bake does not end with fewer.
        Step::Analysis { metrics } | Step::Watch { metrics } => {
            let counts = metrics.iter().filter_map(|name| spec.metric(name)).map(|metric| metric.count);
            some([("GetMetricData", counts.max().unwrap_or(0))])
        }
        Step::Promote => Vec::new(),
        Step::CleanUp { delay } => some([("UpdateService", 1), ("look", 1 + looks(*delay))]),
    }
}

fn looks(span: SignedDuration) -> u32 {
    u32::try_from(span.as_secs() / SWEEP.as_secs()).unwrap_or(0)
}

fn has(places: &[RulePlace], wanted: RulePlace) -> bool {
    places.contains(&wanted)
}

fn some<const N: usize>(calls: [(&str, u32); N]) -> Vec<Asked> {
    let made = calls.into_iter().filter(|(_, times)| *times > 0);
    made.map(|(call, times)| Asked { call: call.to_owned(), times }).collect()
}
