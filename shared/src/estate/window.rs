//! May an earlier revision come back on the fast track?

use jiff::Timestamp;

use crate::fault::Refusal;
use crate::ids::TaskDefinitionArn;
use crate::rollout::{Promotion, Track};
use crate::spec::RolloutSpec;

/// Decides whether a rollout takes the fast track; refused where the fast one was asked for and the window does not
/// hold. `past` are the stable service's promotions, newest first.
pub fn is_fast(
    spec: &RolloutSpec,
    (stable, wanted): (&TaskDefinitionArn, &TaskDefinitionArn),
    past: &[Promotion],
    track: Track,
    now: Timestamp,
) -> Result<bool, Refusal> {
    match (track, outside(spec, stable, wanted, past, now)) {
        (Track::FullSteps, _) | (Track::ByWindow, Some(_)) => Ok(false),
        (Track::ByWindow | Track::Fast, None) => Ok(true),
        (Track::Fast, Some(why)) => {
            let revision = wanted.short();
            let hint = "without `--fast` it takes all its steps";
            Err(Refusal::new(format!("`{revision}` cannot come back on the fast track: {why}"), hint))
        }
    }
}

/// Says why a revision is outside the window; `None` where it is inside.
fn outside(
    spec: &RolloutSpec,
    stable: &TaskDefinitionArn,
    wanted: &TaskDefinitionArn,
    past: &[Promotion],
    now: Timestamp,
) -> Option<String> {
    let Some(window) = spec.others.rollback_window else {
        return Some("the spec has no `rollbackWindow`".to_owned());
    };
    match past.first() {
        Some(last) if last.revision == *stable => {}
        Some(_) | None => return Some(format!("`{}` was not promoted by a rollout", stable.short())),
    }
    let back = past.iter().position(|promotion| promotion.before == *wanted);
    let Some((back, until)) = back.and_then(|back| Some((back + 1, past.get(back)?.at))) else {
        return Some(format!("in the last {} promotions it was never stable", past.len()));
    };
    if let Some(revisions) = window.revisions.filter(|revisions| back > *revisions as usize) {
        return Some(format!("it is {back} promotions back, and the window holds {revisions}"));
    }
    let ago = now.duration_since(until);
    window.age.filter(|age| ago > *age).map(|age| {
        let ago = jiff::SignedDuration::from_mins(ago.as_mins());
        format!("it was stable until {ago:#} ago, and the window holds {age:#}")
    })
}
