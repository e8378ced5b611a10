//! What is rolled out, and where: drawn from the seed.

use std::time::Duration;

use jiff::Timestamp;

use super::dice::{Dice, mix};
use super::faults::Fault;
use crate::inprocess::{InProcess, Keeping};
use crate::world::{Behaviour, Config, Estate, EstateParts, Rng, World};

/// A spec that the simulator rolls out. A new kind of step comes in by a new line here.
pub const SPECS: [(&str, &str); 7] = [
    ("canary-20-pause-100", include_str!("specs/canary-20-pause-100.yaml")),
    ("canary-small-then-half", include_str!("specs/canary-small-then-half.yaml")),
    ("canary-two-people", include_str!("specs/canary-two-people.yaml")),
    ("canary-own-scale", include_str!("specs/canary-own-scale.yaml")),
    ("canary-pause-then-all", include_str!("specs/canary-pause-then-all.yaml")),
    ("canary-no-delays", include_str!("specs/canary-no-delays.yaml")),
    ("canary-5-20-50-100", include_str!("specs/canary-5-20-50-100.yaml")),
];

/// The truth about the new revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// It is well.
    Sound,
    /// It answers with errors.
    Failing,
    /// Its tasks become healthy and do not stay.
    Fading,
    /// Its tasks never become healthy.
    Hopeless,
}

/// What is rolled out, and where.
pub struct Scene {
    /// What the World consists of.
    pub parts: EstateParts,
    /// The spec's text.
    pub spec: &'static str,
    /// The new revision.
    pub revision: String,
    /// One that somebody else deploys.
    pub third: String,
    /// The truth about the new revision.
    pub quality: Quality,
    /// How many users there are.
    pub requests_per_second: f64,
    /// All of it in a line.
    pub what: String,
}

impl Scene {
    /// Draws a scene, and makes it.
    pub fn set(seed: u64, dice: &mut Dice) -> (Self, InProcess) {
        let mut chance = Rng::new(mix(seed, u64::MAX, 1));
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
        dice.storm(true);
        let mut has = |fault| dice.strikes(fault, start).is_some();
        let mut config = Config { traffic_slice: Duration::from_secs(60), ..Config::default() };
        if has(Fault::SlowNodes) {
            config = config.slow_nodes();
        }
        if has(Fault::SlowStart) {
            config.task_start_median = Duration::from_secs(400);
        }
        if has(Fault::LateMetrics) {
            config.metric_delay = (Duration::from_secs(60), Duration::from_secs(900));
        }
        let tasks = [1, 2, 4][usize::try_from(chance.below(3)).unwrap_or(0)];
        let delay = [0, 5, 30, 60][usize::try_from(chance.below(4)).unwrap_or(0)];
        let requests_per_second = 20.0;
        let estate = Estate::of("checkout").tasks(tasks).requests_per_second(requests_per_second);
        let estate = estate.deregistration_delay(delay);
        let mut world = World::with_config(seed, start, config);
        let parts = estate.build(&mut world).expect("the estate is made");
        let usual = Behaviour::default;
        let fails = chance.chance(0.15);
        let (behaviour, quality) = if has(Fault::CrashLoop) {
            match chance.below(3) {
                0 => (Behaviour { crash_at_start: true, ..usual() }, Quality::Hopeless),
                1 => {
                    let seconds = 20 + chance.below(400);
                    (Behaviour { crash_after: Some(Duration::from_secs(seconds)), ..usual() }, Quality::Fading)
                }
                _ => (Behaviour { fails_health_checks: true, ..usual() }, Quality::Hopeless),
            }
        } else if fails {
            (Behaviour::failing(0.3), Quality::Failing)
        } else {
            (usual(), Quality::Sound)
        };
        let mut register =
            |tag, behaviour| estate.register_revision(&mut world, tag, behaviour).expect("the revision is registered");
        let (revision, third) = (register("next", behaviour), register("third", usual()));
        let (name, spec) = SPECS[usize::try_from(chance.below(SPECS.len() as u64)).unwrap_or(0)];
        let what = format!("{name}, {tasks} tasks, targets drain {delay} s, the revision is {quality:?}");
        let keeping = if seed.is_multiple_of(8) { Keeping::AsTable } else { Keeping::AsIs };
        let sandbox = InProcess::new(world).keeping(keeping);
        dice.storm(false);
        (Self { parts, spec, revision, third, quality, requests_per_second, what }, sandbox)
    }

    /// Whether the spec judges metrics.
    pub fn judges(&self) -> bool {
        self.spec.contains("analysis:")
    }
}
