//! What never passes, whatever the numbers: silence, a broken pair, minutes that may still change, a split that nobody
//! measured. And what evidence does not do: panic, or shrink when the canary gets worse.

use proptest::prelude::*;
use tidegate::analysis::sequential::counts::{Arm, Minute};
use tidegate::analysis::sequential::dispersion::{Dispersion, EDGES};
use tidegate::analysis::sequential::{CountEvidence, CountQuestion};
use tidegate::analysis::verdict::{self, Cause, State};

fn calibrated(r: f64) -> CountQuestion {
    let bins = EDGES.into_iter().map(|edge| (edge, r)).collect();
    CountQuestion { dispersion: Dispersion::calibrated(bins, 1.0), ..CountQuestion::default() }
}

fn minute(baseline: (u32, u32), canary: (u32, u32)) -> Minute {
    let arm = |(requests, bad): (u32, u32)| Arm::new(f64::from(requests), f64::from(bad.min(requests))).unwrap();
    Minute { baseline: arm(baseline), canary: arm(canary) }
}

prop_compose! {
    fn any_minute()(baseline in (0..20_000u32, 0..300u32), canary in (0..3_000u32, 0..60u32)) -> Minute {
        minute(baseline, canary)
    }
}

fn any_minutes() -> impl Strategy<Value = Vec<Option<Minute>>> {
    proptest::collection::vec(proptest::option::weighted(0.9, any_minute()), 0..90)
}

fn passes(question: &CountQuestion, evidence: &CountEvidence) -> bool {
    evidence.pass_minute.is_some() || verdict::of_counts(question, evidence).state == State::PassedEarly
}

/// The canary that would pass if its data were as they should be, so that each of these tests bites.
fn good() -> Vec<Option<Minute>> {
    vec![Some(minute((9_000, 9), (1_000, 1))); 30]
}

#[test]
fn the_good_canary_of_these_tests_passes() {
    let question = calibrated(0.01);
    assert!(passes(&question, &question.answer(&good(), 0)));
}

#[test]
fn no_data_is_no_pass() {
    let question = calibrated(0.01);
    let idle = minute((0, 0), (0, 0));
    let only_baseline = minute((9_000, 9), (0, 0));
    let only_canary = minute((0, 0), (1_000, 0));
    for minutes in [None, Some(idle), Some(only_baseline), Some(only_canary)].map(|minute| vec![minute; 200]) {
        let evidence = question.answer(&minutes, 0);
        assert!(!passes(&question, &evidence));
        let finding = verdict::of_counts(&question, &evidence);
        assert_eq!(finding.cause, Some(Cause::NoData));
        let sentence = verdict::sentence("errors", &question, &minutes, &evidence);
        assert!(sentence.starts_with("INCONCLUSIVE") && sentence.contains("no data"), "{sentence}");
    }
}

#[test]
fn silence_after_a_good_start_is_no_pass() {
    let question = calibrated(0.01);
    let minutes: Vec<_> = good().into_iter().take(9).chain(vec![None; 60]).collect();
    let evidence = question.answer(&minutes, 0);
    assert!(!passes(&question, &evidence));
    assert_eq!(verdict::of_counts(&question, &evidence).cause, Some(Cause::NoData));
}

#[test]
fn all_errors_on_both_sides_are_no_pass() {
    let question = calibrated(0.0);
    let minutes = vec![Some(minute((9_000, 9_000), (1_000, 1_000))); 60];
    let evidence = question.answer(&minutes, 0);
    assert!(!passes(&question, &evidence));
    assert_eq!(verdict::of_counts(&question, &evidence).cause, Some(Cause::BothBroken));
}

#[test]
fn a_pair_that_breaks_after_a_good_start_is_no_pass() {
    let question = CountQuestion { soak_minutes: 20, ..calibrated(0.0) };
    let broken = Some(minute((9_000, 9_000), (1_000, 1_000)));
    let minutes: Vec<_> = good().into_iter().take(17).chain(vec![broken; 3]).collect();
    let evidence = question.answer(&minutes, 0);
    assert!(!passes(&question, &evidence));
    assert_eq!(verdict::of_counts(&question, &evidence).cause, Some(Cause::BothBroken));
}

#[test]
fn minutes_that_have_not_settled_are_no_pass_and_may_abort() {
    let question = calibrated(0.01);
    assert!(!passes(&question, &question.answer(&good(), 30)));
    let first = question.answer(&good(), 0).pass_minute.unwrap();
    assert!(!passes(&question, &question.answer(&good()[..first], 1)), "the minute that decides has not settled");
    let bad = vec![Some(minute((9_000, 9), (1_000, 200))); 5];
    assert!(question.answer(&bad, 5).abort_minute.is_some());
}

#[test]
fn a_split_that_nobody_measured_is_no_pass() {
    let question = CountQuestion::default();
    let evidence = question.answer(&[good(), good()].concat(), 0);
    assert!(!passes(&question, &evidence));
    assert_eq!(verdict::of_counts(&question, &evidence).cause, Some(Cause::Uncalibrated));
}

#[test]
fn what_is_no_count_is_no_arm() {
    for (requests, bad) in [(f64::NAN, 0.0), (1.0, f64::NAN), (f64::INFINITY, 0.0), (-1.0, 0.0), (1.0, -1.0)] {
        assert!(Arm::new(requests, bad).is_err(), "{requests} {bad}");
    }
    assert!(Arm::new(1.0, 2.0).is_err() && Arm::new(1.5, 0.0).is_err() && Arm::new(1e16, 0.0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_minutes_get_finite_evidence_and_a_sentence(minutes in any_minutes(), r in 0.0..0.9f64, unsettled in 0..100usize) {
        let question = calibrated(r);
        let evidence = question.answer(&minutes, unsettled);
        prop_assert_eq!(evidence.ln_e.len(), minutes.len());
        prop_assert!(evidence.ln_e.iter().chain(&evidence.ln_e_relative).all(|ln_e| ln_e.is_finite()));
        prop_assert!(evidence.ln_e_absolute.iter().all(|ln_e| !ln_e.is_nan()));
        let sentence = verdict::sentence("errors", &question, &minutes, &evidence);
        prop_assert!(!sentence.contains("NaN") && !sentence.contains("inf"), "{}", sentence);
    }

    #[test]
    fn no_pass_without_history(minutes in any_minutes()) {
        let question = CountQuestion::default();
        prop_assert!(!passes(&question, &question.answer(&minutes, 0)));
    }

    #[test]
    fn no_pass_when_half_of_the_minutes_are_missing(minutes in any_minutes()) {
        let question = calibrated(0.01);
        let sparse: Vec<_> = minutes.into_iter().flat_map(|minute| [None, None, minute]).collect();
        prop_assert!(!passes(&question, &question.answer(&sparse, 0)));
    }

    #[test]
    fn more_errors_of_the_canary_are_more_evidence(minutes in any_minutes(), at in any::<prop::sample::Index>(), r in 0.0..0.9f64) {
        prop_assume!(!minutes.is_empty());
        let question = calibrated(r);
        let at = at.index(minutes.len());
        let mut worse = minutes.clone();
        if let Some(minute) = &mut worse[at] {
            // The error moves over: the sum of both sides is what everything is conditional on.
            prop_assume!(minute.baseline.bad >= 1.0 && minute.canary.bad < minute.canary.requests);
            minute.baseline.bad -= 1.0;
            minute.canary.bad += 1.0;
        }
        let (before, after) = (question.answer(&minutes, 0), question.answer(&worse, 0));
        prop_assert!(after.ln_e.iter().zip(&before.ln_e).all(|(after, before)| after >= &(before - 1e-9)));
    }

    #[test]
    fn a_later_look_does_not_change_what_earlier_minutes_said(minutes in any_minutes(), cut in any::<prop::sample::Index>()) {
        prop_assume!(!minutes.is_empty());
        let question = calibrated(0.02);
        let cut = cut.index(minutes.len());
        let (early, late) = (question.answer(&minutes[..cut], 0), question.answer(&minutes, 0));
        prop_assert_eq!(&early.ln_e[..], &late.ln_e[..cut]);
    }

    #[test]
    fn minutes_without_errors_or_data_say_nothing_against(counts in proptest::collection::vec((0..5000u32, 0..500u32), 1..60)) {
        let question = calibrated(0.1);
        let minutes: Vec<_> = counts.iter().map(|(baseline, canary)| Some(minute((*baseline, 0), (*canary, 0)))).collect();
        for ln_e in question.answer(&minutes, 0).ln_e {
            prop_assert!(ln_e.abs() < 1e-9);
        }
    }
}
