//! The tables of `docs/verdicts.md`.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use tidegate::analysis::combine::{Card, Evidence, combine};
use tidegate::analysis::sequential::CountQuestion;
use tidegate::analysis::sequential::dispersion::{Dispersion, EDGES};

use crate::canary::{Cell, Noise};
use crate::dice::Dice;
use crate::study::{Aborts, Method, evidence, play, steps, until_abort};

/// Rates, weights and traffic without noise.
const BASES: [f64; 2] = [0.001, 0.01];
const WEIGHTS: [f64; 3] = [0.05, 0.1, 0.25];
const RPMS: [f64; 3] = [100.0, 1000.0, 10_000.0];

/// With noise, two weights.
const LOUD_WEIGHTS: [f64; 2] = [0.1, 0.25];

/// Who is asked about canaries that are no worse.
const NULL_METHODS: [Method; 7] =
    [Method::Tidegate, Method::Uncalibrated, Method::Z, Method::Kayenta, Method::Alarm, Method::Argo, Method::Flagger];

/// Who is asked about those that are.
const LATE_METHODS: [Method; 6] =
    [Method::Oracle, Method::Tidegate, Method::Kayenta, Method::Alarm, Method::Argo, Method::Flagger];

/// The cells of one law of noise, with one ratio.
pub fn cells(noise: Noise, ratio: f64) -> Vec<Cell> {
    let weights: &[f64] = if noise == Noise::None { &WEIGHTS } else { &LOUD_WEIGHTS };
    let mut cells = Vec::new();
    for base in BASES {
        for &weight in weights {
            for rpm in RPMS {
                cells.push(Cell { base, weight, rpm, ratio, noise });
            }
        }
    }
    cells
}

/// Plays cells on all cores; the seed is that of the cell's place, so the number of cores changes nothing.
pub fn all(cells: &[Cell], methods: &[Method], canaries: usize, seed: u64) -> Vec<Vec<Aborts>> {
    let next = Mutex::new(0..cells.len());
    let done = Mutex::new(vec![Vec::new(); cells.len()]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().expect("no thread panics with it").next();
                    let Some(index) = taken else { return };
                    let aborts = play(&cells[index], methods, canaries, seed + index as u64);
                    done.lock().expect("no thread panics with it")[index] = aborts;
                }
            });
        }
    });
    done.into_inner().expect("no thread panics with it")
}

/// False aborts in 60 minutes: mean (largest of a cell), in percent.
pub fn false_aborts(canaries: usize) -> String {
    let mut text = header("Noise (cells)", &NULL_METHODS);
    let (mut ours, mut count) = (Vec::new(), 0);
    for noise in [Noise::None].into_iter().chain(Noise::LOUD) {
        let cells = cells(noise, 1.0);
        let found = all(&cells, &NULL_METHODS, canaries, 1000 * (count as u64 + 1));
        count += 1;
        let mut row = format!("| {} ({}) |", noise.name(), cells.len());
        for index in 0..NULL_METHODS.len() {
            let shares: Vec<f64> = found.iter().map(|aborts| aborts[index].share()).collect();
            let _ = write!(row, " {} |", mean_and_largest(&shares));
        }
        ours.extend(found.iter().map(|aborts| aborts[0].share()));
        text += &(row + "\n");
    }
    let _ = writeln!(text, "\nOver all {} cells, Tidegate: {} %.", ours.len(), mean_and_largest(&ours));
    text
}

/// Median minutes to the abort of a canary that is worse from the start, beside the oracle's.
pub fn delays(canaries: usize) -> String {
    let mut text = header("Base, weight, rpm, ratio", &LATE_METHODS);
    let mut ratios = String::new();
    for (nth, ratio) in [2.0, 5.0, 20.0].into_iter().enumerate() {
        let cells = cells(Noise::None, ratio);
        let found = all(&cells, &LATE_METHODS, canaries, 100_000 * (nth as u64 + 1));
        let mut behind: Vec<(f64, f64)> = Vec::new();
        for (cell, aborts) in cells.iter().zip(&found) {
            let name = format!("{} %, {} %, {}, ×{ratio}", cell.base * 100.0, cell.weight * 100.0, cell.rpm);
            let times: Vec<String> = aborts.iter().map(minutes).collect();
            let _ = writeln!(text, "| {name} | {} |", times.join(" | "));
            if let (Some(oracle), Some(ours)) = (aborts[0].median(), aborts[1].median().or(Some(f64::INFINITY)))
                && aborts[0].share() > 0.9
            {
                behind.push((ours / oracle, ours - oracle));
            }
        }
        behind.sort_by(|one, other| one.0.total_cmp(&other.0));
        let middle = behind.get(behind.len() / 2).copied().unwrap_or_default();
        let worst = behind.last().copied().unwrap_or_default();
        let count = behind.len();
        let _ = writeln!(ratios, "| ×{ratio} | {count} | {:.2} | {:.1} |", middle.0, worst.0);
    }
    format!(
        "| Ratio | Cells where the oracle finds 90 % | Delay over the oracle's, median cell | worst cell |\n|---|---|---|---|\n{ratios}\n{text}"
    )
}

/// A canary whose every request fails.
pub fn dead(canaries: usize) -> String {
    let mut text =
        "| rpm at 5 % weight | minutes with data, median | 95 % | canary requests, median |\n|---|---|---|---|\n"
            .to_owned();
    for (nth, rpm) in [20.0, 100.0, 1000.0].into_iter().enumerate() {
        let Dead { median, late, requests } = dead_at(rpm, canaries, 7 + nth as u64);
        let _ = writeln!(text, "| {rpm} | {median} | {late} | {requests:.0} |");
    }
    text
}

/// When dead canaries are aborted.
#[derive(Debug, Clone, Copy)]
pub struct Dead {
    /// Minutes with canary requests until half of them were aborted.
    pub median: usize,
    /// Until 95 % of them were.
    pub late: usize,
    /// The canary's requests until the abort, half of them had fewer.
    pub requests: f64,
}

/// Plays dead canaries at 5 % weight and 0.1 % base rate.
pub fn dead_at(rpm: f64, canaries: usize, seed: u64) -> Dead {
    let cell = Cell { base: 0.001, weight: 0.05, rpm, ratio: 1000.0, noise: Noise::None };
    let all = until_abort(&cell, canaries, seed);
    let mut minutes: Vec<usize> = all.iter().map(|found| found.map_or(usize::MAX, |found| found.0)).collect();
    let mut requests: Vec<f64> = all.iter().map(|found| found.map_or(f64::INFINITY, |found| found.1)).collect();
    minutes.sort_unstable();
    requests.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    Dead { median: minutes[middle], late: minutes[all.len() * 19 / 20], requests: requests[middle] }
}

/// Weights 5, 10, 25, 50 % while the error rate that both sides share triples: false aborts.
pub fn weight_steps(canaries: usize) -> String {
    let methods = [Method::Tidegate, Method::Kayenta, Method::Z];
    let mut text = header("Base, rpm", &methods);
    for base in BASES {
        for rpm in RPMS {
            let found = steps(rpm, base, &methods, canaries, 31);
            let shares: Vec<String> = found.iter().map(|aborts| percent(aborts.share())).collect();
            let _ = writeln!(text, "| {} %, {rpm} | {} |", base * 100.0, shares.join(" | "));
        }
    }
    text
}

/// Early passes of good canaries, and of bad ones.
pub fn early_passes(canaries: usize) -> String {
    let mut text = "| Base, weight, rpm | ×1: passed within 20 minutes | within 60 | ×2, by ratio | ×3, by ratio |\n|---|---|---|---|---|\n".to_owned();
    for (base, weight, rpm) in
        [(0.001, 0.05, 1000.0), (0.001, 0.05, 10_000.0), (0.01, 0.1, 100.0), (0.01, 0.1, 1000.0), (0.01, 0.1, 10_000.0)]
    {
        let cell = |ratio: f64| Cell { base, weight, rpm, ratio, noise: Noise::None };
        let good = evidence(&cell(1.0), canaries, 41);
        let by = |limit: usize| {
            let passed = good.iter().filter(|found| found.pass_minute.is_some_and(|minute| minute <= limit));
            percent(passed.count() as f64 / good.len() as f64)
        };
        let wrong = |ratio: f64| percent(wrongly_passed(&cell(ratio), canaries, 43));
        let name = format!("{} %, {} %, {rpm}", base * 100.0, weight * 100.0);
        let _ = writeln!(text, "| {name} | {} | {} | {} | {} |", by(20), by(60), wrong(2.0), wrong(3.0));
    }
    text
}

/// The share of bad canaries that the evidence on the ratio would pass. The budget's passes what is within it, on purpose.
pub fn wrongly_passed(cell: &Cell, canaries: usize, seed: u64) -> f64 {
    let all = evidence(cell, canaries, seed);
    let line = -CountQuestion::default().beta.ln();
    let passed = all.iter().filter(|found| {
        let passes = found.ln_e_relative.iter().position(|ln_e| *ln_e >= line).map(|index| index + 1);
        passes.is_some_and(|minute| minute >= 10 && found.abort_minute.is_none_or(|abort| minute < abort))
    });
    passed.count() as f64 / all.len() as f64
}

/// How long one verdict over 60 minutes and 10 metrics takes, in milliseconds: the median of many.
pub fn speed() -> f64 {
    let cell = Cell { base: 0.01, weight: 0.1, rpm: 10_000.0, ratio: 1.0, noise: Noise::Sides };
    let mut dice = Dice::seeded(5);
    let metrics: Vec<_> = (0..10).map(|_| cell.play(&mut dice)).collect();
    let bins = EDGES.into_iter().map(|edge| (edge, 0.02)).collect();
    let question = CountQuestion { dispersion: Dispersion::calibrated(bins, 1.0), ..CountQuestion::default() };
    let mut taken: Vec<f64> = (0..101)
        .map(|_| {
            let begun = Instant::now();
            let cards: Vec<Card> = metrics
                .iter()
                .enumerate()
                .map(|(index, minutes)| Card {
                    name: format!("metric {index}"),
                    weight: 0.1,
                    required: true,
                    evidence: Evidence::Counts {
                        question: Box::new(question.clone()),
                        answer: Box::new(question.answer(minutes, 0)),
                    },
                })
                .collect();
            let combined = combine(&cards, &[], 0.01, 60);
            assert_eq!(combined.ln_e.len(), 60);
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    taken[taken.len() / 2]
}

fn header(first: &str, methods: &[Method]) -> String {
    let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
    format!("| {first} | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(methods.len()))
}

/// The median, with the share that was found where that is less than 99 %.
fn minutes(aborts: &Aborts) -> String {
    let share = aborts.share();
    let median = aborts.median().map_or("–".to_owned(), |median| format!("{median}"));
    if share >= 0.99 { median } else { format!("{median} ({:.0} %)", share * 100.0) }
}

fn mean_and_largest(shares: &[f64]) -> String {
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let largest = shares.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({:.1})", mean * 100.0, largest * 100.0)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
