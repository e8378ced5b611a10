//! Proof that the checks bite: each mistake that is put back on purpose, and after how many seeds it is found.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidegate::mistake::{ALL, Mistake, make};

use super::run;

/// How a mistake was looked for.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// Its name.
    pub name: &'static str,
    /// For each try, how many seeds it took; `None` where it was not found.
    pub took: Vec<Option<u64>>,
    /// What found it, and how often.
    pub by: BTreeMap<&'static str, u32>,
}

impl Hunt {
    /// Returns the median number of seeds; `None` where most tries did not find it.
    pub fn median(&self) -> Option<u64> {
        let mut took: Vec<u64> = self.took.iter().map(|took| took.unwrap_or(u64::MAX)).collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied().filter(|median| *median < u64::MAX)
    }
}

/// Looks for every mistake so many times, each time with other seeds, and at most so many of them.
pub fn hunt_all(tries: u64, seeds_max: u64) -> Vec<Hunt> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A mistake may make the machine panic: it is found by that, and its words are not wanted.
    std::panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((mistake, name)) = ALL.get(index) else { return };
                    let hunt = hunt(*mistake, name, tries, seeds_max);
                    found.lock().expect("nobody panics with it").push((index, hunt));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("nobody panics with it");
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, hunt)| hunt).collect()
}

fn hunt(mistake: Mistake, name: &'static str, tries: u64, seeds_max: u64) -> Hunt {
    make(Some(mistake));
    let mut hunt = Hunt { name, took: Vec::new(), by: BTreeMap::new() };
    for attempt in 0..tries {
        let first = 1_000_000 * (attempt + 1);
        let mut took = None;
        for seed in first..first + seeds_max {
            let found = match catch_unwind(AssertUnwindSafe(|| run(seed))) {
                Ok(finished) => finished.breaches.first().map(|breach| breach.check.row().code),
                Err(_) => Some("panic"),
            };
            if let Some(code) = found {
                *hunt.by.entry(code).or_default() += 1;
                took = Some(seed - first + 1);
                break;
            }
        }
        hunt.took.push(took);
    }
    make(None);
    hunt
}
