//! Many seeds on every core, and what they add up to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::checks::{Check, ROWS};
use super::faults::{Fault, KINDS};
use super::{Finished, run};

/// What a campaign added up to.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The first seed.
    pub first: u64,
    /// How many ran.
    pub seeds: u64,
    /// How long it took.
    pub took: Duration,
    /// On so many cores.
    pub cores: usize,
    /// How often each fault happened, and in how many seeds.
    pub struck: [(u64, u64); Fault::COUNT],
    /// How often each check came up.
    pub met: [u64; Check::COUNT],
    /// Rollouts that were promoted, and that went home.
    pub ended: (u64, u64),
    /// Commits.
    pub commits: u64,
    /// Time in the World.
    pub seconds: i64,
    /// The runs in which something did not hold.
    pub broken: Vec<Finished>,
}

/// Runs so many seeds from the first on; stops where so many are broken.
pub fn campaign(first: u64, seeds: u64, broken_max: usize) -> Campaign {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (next, started) = (AtomicU64::new(first), Instant::now());
    let empty = || Campaign {
        first,
        seeds: 0,
        took: Duration::ZERO,
        cores,
        struck: [(0, 0); Fault::COUNT],
        met: [0; Check::COUNT],
        ended: (0, 0),
        commits: 0,
        seconds: 0,
        broken: Vec::new(),
    };
    let share = || {
        let mut sum = empty();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds || sum.broken.len() >= broken_max {
                return sum;
            }
            sum.add(run(seed));
        }
    };
    let mut all = empty();
    thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(share)).collect();
        for sum in running {
            all.merge(sum.join().expect("a breach is told, not panicked"));
        }
    });
    all.broken.sort_by_key(|finished| finished.seed);
    all.took = started.elapsed();
    all
}

impl Campaign {
    fn add(&mut self, finished: Finished) {
        self.seeds += 1;
        let mut in_seed = [0_u64; Fault::COUNT];
        for (strike, _) in &finished.struck {
            in_seed[strike.fault as usize] += 1;
        }
        for (sum, times) in self.struck.iter_mut().zip(in_seed) {
            sum.0 += times;
            sum.1 += u64::from(times > 0);
        }
        for (sum, met) in self.met.iter_mut().zip(finished.met) {
            *sum += met;
        }
        self.ended.0 += u64::from(finished.phase == "Healthy");
        self.ended.1 += u64::from(finished.phase == "Degraded");
        self.commits += finished.commits;
        self.seconds += finished.seconds;
        if !finished.breaches.is_empty() {
            self.broken.push(finished);
        }
    }

    fn merge(&mut self, other: Campaign) {
        self.seeds += other.seeds;
        for (sum, more) in self.struck.iter_mut().zip(other.struck) {
            *sum = (sum.0 + more.0, sum.1 + more.1);
        }
        for (sum, more) in self.met.iter_mut().zip(other.met) {
            *sum += more;
        }
        self.ended = (self.ended.0 + other.ended.0, self.ended.1 + other.ended.1);
        self.commits += other.commits;
        self.seconds += other.seconds;
        self.broken.extend(other.broken);
    }

    /// Faults that never happened.
    pub fn unseen_faults(&self) -> Vec<&'static str> {
        KINDS.iter().filter(|kind| self.struck[kind.fault as usize].0 == 0).map(|kind| kind.name).collect()
    }

    /// Checks that never came up.
    pub fn unmet_checks(&self) -> Vec<&'static str> {
        ROWS.iter().filter(|row| self.met[row.check as usize] == 0).map(|row| row.code).collect()
    }

    /// One line.
    pub fn summary(&self) -> String {
        let seconds = self.took.as_secs_f64();
        format!(
            "{} seeds from {} in {seconds:.1} s ({:.0} a second on {} cores): {} promoted, {} home, {} commits, {:.1} years; {} broken",
            self.seeds,
            self.first,
            self.seeds as f64 / seconds,
            self.cores,
            self.ended.0,
            self.ended.1,
            self.commits,
            self.seconds as f64 / (365.25 * 86400.0),
            self.broken.len(),
        )
    }

    /// The tables of faults and checks, in Markdown.
    pub fn tables(&self) -> String {
        let mut text = String::from("| Fault | No. | Happened | In seeds |\n|---|---|---|---|\n");
        for kind in &KINDS {
            let (times, seeds) = self.struck[kind.fault as usize];
            let number = kind.number.map_or_else(|| "–".to_owned(), |number| format!("F{number}"));
            text.push_str(&format!("| {} | {number} | {times} | {seeds} |\n", kind.name));
        }
        text.push_str("\n| Check | Holds | Came up |\n|---|---|---|\n");
        for row in &ROWS {
            text.push_str(&format!("| {} | {} | {} |\n", row.code, row.holds, self.met[row.check as usize]));
        }
        text
    }
}
