//! Where a retry from the failed step begins, and that it inherits nothing but the place.

use std::collections::BTreeSet;

use super::super::passed_by_a_retry;
use super::{to, usual};
use crate::machine::report;
use crate::machine::report::StepProgress;
use crate::plan::{Plan, Step};
use crate::rollout::{CanaryAsk, Rollout};
use crate::test_support::{at, begin, seconds};
use crate::weight::Weight;

/// deploy 1 · 5 % · analysis · 20 % · scale 2 · pause · scale 4 · 100 % · bake · promote · clean up
fn steps() -> Vec<Step> {
    vec![
        Step::Deploy { tasks: 1 },
        to(5, 1),
        Step::Analysis { metrics: vec!["errors".into()] },
        to(20, 1),
        Step::Scale { tasks: 2 },
        Step::Pause { duration: None, limit: None },
        Step::Scale { tasks: 4 },
        to(100, 4),
        Step::Bake { duration: seconds(120) },
        Step::Promote,
        Step::CleanUp { delay: seconds(30) },
    ]
}

fn home_at(cursor: usize) -> Rollout {
    let mut rollout = begin(steps());
    rollout.cursor = cursor;
    rollout
}

#[test]
fn a_retry_from_the_failed_step_keeps_its_tasks_and_the_weight_before_it() {
    let kept = |cursor: usize| -> Vec<usize> {
        let passed = passed_by_a_retry(&home_at(cursor), &Plan { steps: steps() }).expect("the step is there");
        (0..cursor.max(1)).filter(|index| !passed.contains(index)).collect()
    };
    assert_eq!(kept(0), [0]);
    assert_eq!(kept(1), [0], "5 % needs its task");
    assert_eq!(kept(2), [0, 1], "an analysis is judged at its own weight");
    assert_eq!(kept(3), [0], "20 % without 5 % before it");
    assert_eq!(kept(5), [0, 3, 4], "a pause at 20 %, with two tasks");
    assert!(kept(6).is_empty(), "the tasks for 100 %: deployed by this very step");
    assert_eq!(kept(7), [6]);
    assert_eq!(kept(8), [6, 7], "the bake is at 100 %");
}

#[test]
fn a_stable_side_of_another_size_changes_the_tasks_and_not_the_place() {
    let mut larger = steps();
    larger.insert(3, Step::Scale { tasks: 3 });
    let passed = passed_by_a_retry(&home_at(3), &Plan { steps: larger }).expect("the step is there");
    assert_eq!(passed, BTreeSet::from([0, 1, 2]), "20 % with three tasks");
}

#[test]
fn a_plan_without_the_step_has_no_place_to_go_on() {
    let fast = vec![Step::Deploy { tasks: 4 }, to(100, 4), Step::Promote];
    assert_eq!(passed_by_a_retry(&home_at(8), &Plan { steps: fast }), None);
}

#[test]
fn a_retry_inherits_no_weight_no_sample_and_no_approval() {
    let passed = passed_by_a_retry(&home_at(5), &Plan { steps: steps() }).expect("the step is there");
    let rollout = begin(steps()).passing_over(passed, at(0));
    rollout.assert_valid().unwrap();
    assert_eq!(
        (rollout.commanded, rollout.verified, rollout.asked_of_canary),
        (Weight::ZERO, Weight::ZERO, CanaryAsk::Nothing)
    );
    assert_eq!(report(&rollout, at(0)).steps[2].state, StepProgress::Skipped);
    let whole = begin(usual()).passing_over(BTreeSet::new(), at(0));
    assert_eq!(whole, begin(usual()));
}
