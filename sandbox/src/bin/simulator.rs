//! The simulator's command.
//!
//! `campaign FIRST SEEDS` runs seeds and prints what happened and what was checked; `seed SEED` tells one run; `shrink SEED`
//! prints the smallest trace that fails alike; `mistakes TRIES SEEDS` looks for each mistake that is put back on purpose
//! (feature `mistakes`). Fails where something does not hold, or never came up.

use std::collections::BTreeMap;
use std::process::ExitCode;

use sandbox::simulator::campaign::campaign;
use sandbox::simulator::shrink::shrink;
use sandbox::simulator::trace::Trace;
use sandbox::simulator::{Script, run, run_script};

/// From so many seeds on, every fault has happened and every check has come up.
const ENOUGH: u64 = 5_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
    match (words.first().map(String::as_str), number(1), number(2)) {
        (Some("campaign"), Some(first), Some(seeds)) => many(first, seeds),
        (Some("seed"), Some(seed), None) => one(seed),
        (Some("shrink"), Some(seed), None) => small(seed),
        (Some("mistakes"), Some(tries), Some(seeds)) => mistakes(tries, seeds),
        _ => {
            eprintln!("campaign FIRST SEEDS | seed SEED | shrink SEED | mistakes TRIES SEEDS");
            ExitCode::from(2)
        }
    }
}

fn many(first: u64, seeds: u64) -> ExitCode {
    let all = campaign(first, seeds, 1_000);
    println!("{}", all.tables());
    let mut by = BTreeMap::new();
    for broken in &all.broken {
        let code = broken.breaches[0].check.row().code;
        if *by.entry(code).and_modify(|count| *count += 1).or_insert(1) <= 3 {
            println!("{}", broken.told().unwrap_or_default());
        }
    }
    let (unseen, unmet) = (all.unseen_faults(), all.unmet_checks());
    println!("never happened: {unseen:?}; never came up: {unmet:?}; broken: {by:?}");
    println!("{}", all.summary());
    let vacuous = seeds >= ENOUGH && !(unseen.is_empty() && unmet.is_empty());
    if all.broken.is_empty() && !vacuous { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64) -> ExitCode {
    let finished = run_script(&Script { seed, tells: true, ..Script::default() });
    for line in &finished.story {
        println!("{line}");
    }
    for (strike, at) in &finished.struck {
        println!("{at} {} {}", strike.fault.kind().name, strike.at);
    }
    for breach in &finished.breaches {
        println!("{breach}");
    }
    println!("seed {seed}: {}; {}; {}; digest {:016x}", finished.phase, finished.scene, finished.mask, finished.digest);
    if finished.breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn small(seed: u64) -> ExitCode {
    match Trace::of(&run(seed)) {
        Some(trace) => {
            print!("{}", shrink(&trace));
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("seed {seed} holds: there is nothing to make small");
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "mistakes")]
fn mistakes(tries: u64, seeds: u64) -> ExitCode {
    let hunts = sandbox::simulator::mistakes::hunt_all(tries, seeds);
    println!("| Mistake | Median seeds | Found | By |\n|---|---|---|---|");
    for hunt in &hunts {
        let found = hunt.took.iter().flatten().count();
        let by: Vec<String> = hunt.by.iter().map(|(code, times)| format!("{code} {times}")).collect();
        let median = hunt.median().map_or_else(|| "–".to_owned(), |median| median.to_string());
        println!("| {} | {median} | {found} of {tries} | {} |", hunt.name, by.join(", "));
    }
    if hunts.iter().all(|hunt| hunt.median().is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(feature = "mistakes"))]
fn mistakes(_: u64, _: u64) -> ExitCode {
    eprintln!("no mistake can be made by this build: build it with `--features mistakes`");
    ExitCode::from(2)
}
