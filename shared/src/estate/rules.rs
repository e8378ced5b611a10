//! The managed rules: every one names both groups, and all agree on which side has all the traffic.

use super::twins::Twin;
use crate::fault::Refusal;
use crate::ids::TargetGroupArn;
use crate::observation::{Action, RuleSeen, Stickiness};
use crate::spec::PreviewSpec;
use crate::weight::Weight;

/// What the managed rules say.
#[derive(Default)]
pub struct Traffic {
    /// The side, 0 or 1, that has all the traffic on every rule.
    pub stable: Option<usize>,
    /// Each rule with its weights, for people.
    pub labels: Vec<String>,
}

/// Reads roles from live weights, and notes every reason against them.
pub fn traffic(twins: [&Twin<'_>; 2], rules: &[RuleSeen], refusals: &mut Vec<Refusal>) -> Traffic {
    let groups = twins.map(|twin| &twin.side.group);
    if groups[0] == groups[1] {
        return Traffic::default();
    }
    let attached = attached(twins, rules, refusals);
    let mut sides: Vec<(&str, usize)> = Vec::new();
    let mut labels = Vec::new();
    for rule in rules {
        let Some((weights, stickiness)) = weights_of(rule, groups) else { continue };
        labels.push(labelled(rule, twins, weights));
        if stickiness.is_some_and(|stickiness| stickiness.enabled) {
            refusals.push(sticky(rule));
        }
        strangers(rule, groups, refusals);
        match side_of(rule, twins, weights) {
            Ok(side) => sides.push((&rule.label, side)),
            // A group that no rule names has been noted once, for all rules.
            Err(Uneven::NotNamed) if !attached => {}
            Err(Uneven::NotNamed) => refusals.push(one_sided(rule, twins, weights)),
            Err(Uneven::Refused(refusal)) => refusals.push(refusal),
        }
    }
    Traffic { stable: agreed(twins, &sides, refusals), labels }
}

/// Returns the preview's rules, and those of production.
pub fn apart(rules: &[RuleSeen], preview: Option<PreviewSpec>) -> (Vec<RuleSeen>, Vec<RuleSeen>) {
    let shown = |rule: &&RuleSeen| {
        rule.site.as_ref().is_some_and(|site| preview.is_some_and(|preview| preview.port == site.port))
    };
    rules.iter().cloned().partition(|rule| shown(&rule))
}

/// Whether there is a preview where the spec says, and production beside it.
pub fn previewed(rules: &[RuleSeen], preview: Option<PreviewSpec>, refusals: &mut Vec<Refusal>) {
    let Some(PreviewSpec { port }) = preview else { return };
    let (preview, production) = apart(rules, preview);
    if preview.is_empty() {
        let why = format!("nothing on port {port} forwards to the twins: there is no preview");
        let hint = "make a test listener on that port, with the stable group at weight 1 and the other at 0, as on \
                    the production rules; or leave `preview` out";
        refusals.push(Refusal::new(why, hint));
    } else if production.is_empty() {
        let why = format!("everything that forwards to the twins is on port {port}: there is nothing to switch");
        refusals.push(Refusal::new(why, "give `preview` the port of a test listener, not that of the users"));
    }
}

/// Returns the one other group that all these rules name at weight 0: the second service's, made beforehand.
pub fn idle_group_beside<'r>(group: &TargetGroupArn, rules: &'r [RuleSeen]) -> Option<&'r TargetGroupArn> {
    let mut idle: Vec<&TargetGroupArn> = rules
        .iter()
        .flat_map(forwards)
        .flat_map(|(groups, _)| groups)
        .filter(|(named, weight)| named != group && *weight == 0)
        .map(|(named, _)| named)
        .collect();
    idle.sort();
    idle.dedup();
    if let [only] = idle[..] { Some(only) } else { None }
}

/// What one rule's weights are for the twins; `None` for a group that it does not name.
type Weights = [Option<u32>; 2];

/// Whether each group is on some rule, so that it is health-checked.
fn attached(twins: [&Twin<'_>; 2], rules: &[RuleSeen], refusals: &mut Vec<Refusal>) -> bool {
    let named = |twin: &&Twin<'_>| {
        rules.iter().any(|rule| forwards(rule).any(|(groups, _)| weight_of(groups, &twin.side.group).is_some()))
    };
    let missing: Vec<&Twin<'_>> = twins.into_iter().filter(|twin| !named(twin)).collect();
    if let [one, other] = missing[..] {
        let why = format!("no rule names the target groups of `{}` and `{}`", one.name, other.name);
        refusals.push(Refusal::new(why, "let a rule forward to both, at the weights 1 and 0"));
    } else if let [twin] = missing[..] {
        let why = format!("the target group `{}` of the service `{}` is on no rule", twin.side.group.name(), twin.name);
        let hint = "attach it at weight 0 first, in every rule that forwards to its twin's group: a group on no rule \
                    is never health-checked";
        refusals.push(Refusal::new(why, hint));
    }
    missing.is_empty()
}

fn forwards(rule: &RuleSeen) -> impl Iterator<Item = (&[(TargetGroupArn, u32)], Option<&Stickiness>)> {
    rule.actions.iter().filter_map(|action| match action {
        Action::Forward { groups, stickiness, .. } => Some((groups.as_slice(), stickiness.as_ref())),
        Action::Other { .. } => None,
    })
}

fn weight_of(groups: &[(TargetGroupArn, u32)], group: &TargetGroupArn) -> Option<u32> {
    groups.iter().find(|(named, _)| named == group).map(|(_, weight)| *weight)
}

/// Returns the forward action that names either group; a rule has at most one.
fn weights_of<'r>(rule: &'r RuleSeen, twins: [&TargetGroupArn; 2]) -> Option<(Weights, Option<&'r Stickiness>)> {
    forwards(rule).find_map(|(groups, stickiness)| {
        let weights = twins.map(|group| weight_of(groups, group));
        weights.iter().any(Option::is_some).then_some((weights, stickiness))
    })
}

/// Why a rule does not tell a stable side.
enum Uneven {
    /// It names one of the groups alone.
    NotNamed,
    /// Anything else.
    Refused(Refusal),
}

fn side_of(rule: &RuleSeen, twins: [&Twin<'_>; 2], weights: Weights) -> Result<usize, Uneven> {
    let [Some(one), Some(other)] = weights else { return Err(Uneven::NotNamed) };
    match Weight::from_the_wire(one, other) {
        Some(Weight::ZERO) => Ok(0),
        Some(Weight::FULL) => Ok(1),
        Some(share) => {
            let per_cent = |share: u16| f64::from(share) / 10.0;
            let why = format!(
                "more than one side carries traffic on `{}`: {} % at `{}`, {} % at `{}`",
                rule.label,
                per_cent(share.stable()),
                twins[0].name,
                per_cent(share.canary()),
                twins[1].name
            );
            let hint = "give all of it to the side that is to stay, by hand; then start again";
            Err(Uneven::Refused(Refusal::new(why, hint)))
        }
        None => {
            let why = format!("neither side carries traffic on `{}`: both weights are 0", rule.label);
            Err(Uneven::Refused(Refusal::new(why, "give one side all of it: weights 1 and 0")))
        }
    }
}

fn one_sided(rule: &RuleSeen, twins: [&Twin<'_>; 2], weights: Weights) -> Refusal {
    let (named, missing) = if weights[0].is_some() { (twins[0], twins[1]) } else { (twins[1], twins[0]) };
    let why = format!(
        "the rule `{}` names the group `{}` of the twins, but not `{}`",
        rule.label,
        named.side.group.name(),
        missing.side.group.name()
    );
    let hint = format!("add `{}` to it at weight 0, or let it forward to neither", missing.side.group.name());
    Refusal::new(why, hint)
}

fn strangers(rule: &RuleSeen, twins: [&TargetGroupArn; 2], refusals: &mut Vec<Refusal>) {
    for (groups, _) in forwards(rule) {
        for (group, weight) in groups {
            if *weight > 0 && !twins.contains(&group) {
                let why = format!(
                    "the rule `{}` forwards to a third group, `{}`, at weight {weight}",
                    rule.label,
                    group.name()
                );
                refusals
                    .push(Refusal::new(why, "take it out of the rule, or give it weight 0: two sides make the whole"));
            }
        }
    }
}

/// Clients that are pinned to a group stay there when its weight is 0: then going home would leave them behind.
fn sticky(rule: &RuleSeen) -> Refusal {
    let why = format!(
        "the rule `{}` has group stickiness on: clients would stay at the canary after its weight is 0",
        rule.label
    );
    Refusal::new(
        why,
        "switch the rule's target group stickiness off; stickiness to a target inside its group needs it, too",
    )
}

fn agreed(twins: [&Twin<'_>; 2], sides: &[(&str, usize)], refusals: &mut Vec<Refusal>) -> Option<usize> {
    let (first, side) = sides.first()?;
    let Some((second, other)) = sides.iter().find(|(_, other)| other != side) else { return Some(*side) };
    let why = format!(
        "the rules disagree about which side is stable: all traffic of `{first}` is at `{}`, all of `{second}` at `{}`",
        twins[*side].name, twins[*other].name
    );
    refusals.push(Refusal::new(why, "give the traffic of every rule to the same side"));
    None
}

fn labelled(rule: &RuleSeen, twins: [&Twin<'_>; 2], weights: Weights) -> String {
    let weight = |index: usize| match weights[index] {
        Some(weight) => format!("{} {weight}", twins[index].name),
        None => format!("{} not named", twins[index].name),
    };
    format!("{}: {}, {}", rule.label, weight(0), weight(1))
}
