//! A run that fails, made small: kinds of faults are taken away first, then single ones, as long as it fails alike.

use std::collections::BTreeSet;

use super::dice::Strike;
use super::faults::KINDS;
use super::run_script;
use super::trace::Trace;

/// So many runs are tried at most.
const RUNS_MAX: usize = 400;

/// Makes a trace small that fails; what is returned fails alike.
pub fn shrink(trace: &Trace) -> Trace {
    let mut small = trace.clone();
    let mut runs = 0;
    let mut fails = |strikes: &BTreeSet<Strike>| {
        runs += 1;
        let tried = Trace { strikes: strikes.clone(), ..trace.clone() };
        runs <= RUNS_MAX && run_script(&tried.script()).breaches.iter().any(|breach| breach.check == trace.check)
    };
    for kind in &KINDS {
        let without: BTreeSet<Strike> = small.strikes.iter().copied().filter(|s| s.fault != kind.fault).collect();
        if without.len() < small.strikes.len() && fails(&without) {
            small.strikes = without;
        }
    }
    let mut chunk = small.strikes.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < small.strikes.len() {
            let kept = small.strikes.iter().copied().enumerate().filter(|(i, _)| *i < at || *i >= at + chunk);
            let without: BTreeSet<Strike> = kept.map(|(_, strike)| strike).collect();
            if fails(&without) {
                small.strikes = without;
            } else {
                at += chunk;
            }
        }
        chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
    }
    let struck: BTreeSet<_> = small.strikes.iter().map(|strike| strike.fault).collect();
    for kind in KINDS.iter().filter(|kind| !struck.contains(&kind.fault)) {
        let mask = small.mask.clone().without(kind.fault);
        let tried = Trace { mask, ..small.clone() };
        if small.mask.has(kind.fault)
            && run_script(&tried.script()).breaches.iter().any(|breach| breach.check == trace.check)
        {
            small = tried;
        }
    }
    small
}
