//! The simulator on a few seeds, with the debug build's checks on; `.ci/run` runs more of them, optimised.

use std::fs;
use std::path::Path;

use sandbox::simulator::campaign::campaign;
use sandbox::simulator::faults::{Fault, Mask};
use sandbox::simulator::trace::Trace;
use sandbox::simulator::{Finished, Script, run, run_script};

/// How many seeds one run of the tests takes; `TIDEGATE_SEEDS` takes more, from `TIDEGATE_SEED` on.
const SEEDS: u64 = 60;

#[test]
fn whatever_happens_nobody_is_hurt_and_every_rollout_ends() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let all = campaign(number("TIDEGATE_SEED").unwrap_or(1), number("TIDEGATE_SEEDS").unwrap_or(SEEDS), 10);
    println!("{}", all.summary());
    let told: Vec<String> = all.broken.iter().filter_map(Finished::told).collect();
    assert!(told.is_empty(), "each again by TIDEGATE_SEED and TIDEGATE_SEEDS=1:\n{}", told.join("\n"));
    // Neither end is reached by seeds that do nothing.
    assert!(all.seeds < SEEDS || (all.ended.0 > 0 && all.ended.1 > 0));
}

#[test]
fn the_same_seed_is_the_same_run_and_another_one_is_not() {
    let tell = |seed| run_script(&Script { seed, tells: true, ..Script::default() });
    for seed in [7, 8] {
        let (once, twice) = (tell(seed), tell(seed));
        assert_eq!(once.story, twice.story, "seed {seed}");
        assert_eq!((once.digest, once.struck, once.met), (twice.digest, twice.struck, twice.met), "seed {seed}");
    }
    assert_ne!(run(7).digest, run(8).digest);
}

#[test]
fn a_trace_plays_the_run_that_it_was_taken_from_again() {
    let whole = run(11);
    let trace = Trace {
        seed: 11,
        check: sandbox::simulator::Check::L1,
        mask: whole.mask.clone(),
        strikes: whole.struck.iter().map(|(strike, _)| *strike).collect(),
    };
    let read = Trace::read(&trace.to_string()).expect("what is written is read");
    assert_eq!(read, trace);
    assert_eq!(run_script(&read.script()).digest, whole.digest);
    assert!(Trace::read("seed 1\ncheck T2\nstrike nothing 3\n").unwrap_err().starts_with("line 3"));
}

#[test]
fn a_calm_rollout_costs_nobody_anything_whatever_the_plan() {
    for seed in 1..=20 {
        let mask = if seed % 2 == 0 { Mask::calm() } else { Mask::calm().with(Fault::SlowNodes, 1.0) };
        let finished = run_script(&Script { seed, mask: Some(mask), ..Script::default() });
        assert!(finished.breaches.is_empty(), "{:?}", finished.told());
    }
}

/// What once did not hold, and does since: each file is a run made small.
#[test]
fn what_was_mended_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder is there").map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "trace")) {
        let text = fs::read_to_string(file).expect("a trace is text");
        let trace = Trace::read(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let finished = run_script(&trace.script());
        assert!(finished.breaches.is_empty(), "{}: {:?}", file.display(), finished.told());
    }
}
