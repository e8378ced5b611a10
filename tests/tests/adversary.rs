//! Seeds of an adversary: whatever it does, the invariants hold, and once it is calm every rollout ends.

use std::thread;
use std::time::Instant;

use tests::adversary::{Ending, rehearse};

/// The first seed; `TIDEGATE_SEED` runs one alone.
const FIRST: u64 = 1;
/// How many seeds one run of the tests takes; `TIDEGATE_SEEDS` takes more.
const SEEDS: u64 = 60;

#[test]
fn whatever_happens_nobody_is_hurt_and_every_rollout_ends() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (first, seeds) = match number("TIDEGATE_SEED") {
        Some(seed) => (seed, 1),
        None => (FIRST, number("TIDEGATE_SEEDS").unwrap_or(SEEDS)),
    };
    let started = Instant::now();
    let rehearsed = rehearse_all(first, seeds);
    let ended = |phase: &str| rehearsed.iter().flatten().filter(|ending| ending.phase == phase).count();
    let drifts: u32 = rehearsed.iter().flatten().map(|ending| ending.drifts).sum();
    let commits: usize = rehearsed.iter().flatten().map(|ending| ending.commits).sum();
    let (promoted, home) = (ended("Healthy"), ended("Degraded"));
    println!(
        "{seeds} seeds, {commits} commits: {promoted} promoted, {home} home, {drifts} drifts, {:?}",
        started.elapsed()
    );
    let broken: Vec<&str> = rehearsed.iter().filter_map(|run| run.as_ref().err()).map(String::as_str).collect();
    assert!(broken.is_empty(), "{} of {seeds} seeds, each again by TIDEGATE_SEED: {}", broken.len(), broken.join("\n"));
    // Neither end is reached by seeds that do nothing.
    assert!(seeds == 1 || (promoted > 0 && home > 0));
}

/// Each seed is a run of its own, so every core takes a share.
fn rehearse_all(first: u64, seeds: u64) -> Vec<Result<Ending, String>> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    thread::scope(|scope| {
        let share = |core: u64| (first + core..first + seeds).step_by(cores as usize).map(rehearse).collect::<Vec<_>>();
        let running: Vec<_> = (0..cores).map(|core| scope.spawn(move || share(core))).collect();
        running.into_iter().flat_map(|run| run.join().expect("a breach is told, not panicked")).collect()
    })
}
