//! `lint`, `plan` and `start`: what becomes of a spec's text.

use crate::fake::{Fake, run};
use serde_json::{Value, json};
use tidegate::api::{Answer, Asked, PlanReport, PlannedStep, Refusal, Told};
use tidegate::ids::RolloutId;

const ID: &str = "checkout-01KAN5Y3Q8T2V7W9X4Z6B0C1D2";

/// An unknown field, a wrong type, a number out of range, weights that go down, an undefined metric.
const FIVE_MISTAKES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/specs/five-mistakes.yaml");
const GOOD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/canary-5-20-50.yaml");

fn plan(refusals: &[Refusal]) -> Told {
    let asked = |call: &str, times| Asked { call: call.into(), times };
    let step = |step: &str, tasks, least_seconds, calls: Vec<Asked>| PlannedStep {
        step: step.into(),
        tasks,
        least_seconds,
        calls,
    };
    let weights = vec![asked("ModifyRule", 1), asked("ModifyListener", 1), asked("look", 1)];
    Told::Plan {
        plan: Box::new(PlanReport {
            stable: "checkout-blue".into(),
            canary: "checkout-green".into(),
            revision: "arn:aws:ecs:eu-west-1:012345678901:task-definition/checkout:42".into(),
            rules: vec!["HTTPS:443 /checkout* (canary 0 %)".into(), "HTTP:80 default (canary 0 %)".into()],
            steps: vec![
                step("deploy 1 task", 1, 0, vec![asked("UpdateService", 1), asked("look", 1)]),
                step("setWeight 5", 1, 20, weights),
                step("pause 1h", 1, 3600, vec![asked("look", 60)]),
            ],
            look: vec![asked("DescribeServices", 1), asked("DescribeRules", 1), asked("DescribeTargetHealth", 2)],
            refusals: refusals.to_vec(),
        }),
    }
}

fn busy() -> Refusal {
    Refusal::new("checkout-green has a deployment in progress", "wait for it, or stop it")
}

fn started() -> Value {
    serde_json::to_value(Answer::Started { rollout: RolloutId::new(ID) }).unwrap()
}

#[test]
fn lint_reports_five_mistakes_of_different_kinds_in_one_run() {
    let linted = run(&["lint", FIVE_MISTAKES, "--output", "json"]);
    assert_eq!(linted.code, 2, "{linted:?}");
    let told: Value = serde_json::from_str(&linted.stdout).unwrap();
    let errors = told[0]["errors"].as_array().unwrap();
    let found: Vec<_> = errors
        .iter()
        .map(|error| {
            assert!(!error["hint"].as_str().unwrap().is_empty(), "{error}");
            (error["line"].as_u64().unwrap(), error["column"].as_u64().unwrap(), error["kind"].as_str().unwrap())
        })
        .collect();
    let expected = [
        (11, 7, "unknownField"),
        (13, 14, "wrongType"),
        (20, 32, "reference"),
        (21, 22, "contradiction"),
        (22, 22, "outOfRange"),
    ];
    assert_eq!(found, expected);
    let text = run(&["lint", FIVE_MISTAKES]);
    assert_eq!((text.code, text.stderr.as_str()), (2, ""));
    for (line, column, _) in expected {
        assert!(text.stdout.contains(&format!("five-mistakes.yaml:{line}:{column}\n")), "{}", text.stdout);
    }
    assert_eq!(text.stdout.matches("hint: ").count(), 5, "{}", text.stdout);
}

#[test]
fn lint_prints_a_good_spec_with_its_defaults_and_reads_it_back() {
    let linted = run(&["lint", GOOD]);
    assert_eq!(linted.code, 0, "{linted:?}");
    assert!(linted.stderr.contains("no errors, no warnings"), "{}", linted.stderr);
    let original = tidegate::spec::read(&std::fs::read_to_string(GOOD).unwrap()).unwrap();
    assert_eq!(tidegate::spec::read(&linted.stdout).unwrap(), original);
    assert!(linted.stdout.contains("scaleDownDelaySeconds"), "a default is written out: {}", linted.stdout);
}

#[test]
fn a_spec_with_mistakes_is_refused_before_anything_is_asked() {
    let fake = Fake::in_turn(&[plan(&[])]);
    for verb in ["plan", "start"] {
        let refused = fake.run(&[verb, FIVE_MISTAKES]);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
        assert_eq!(refused.stderr.matches("hint: ").count(), 5, "{}", refused.stderr);
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn plan_lists_rules_and_steps_and_exits_3_where_a_start_would_be_refused() {
    let fake = Fake::in_turn(&[plan(&[])]);
    let planned = fake.run(&["plan", GOOD, "--task-definition", "checkout:43"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    insta::assert_snapshot!(planned.stdout);
    assert_eq!(fake.requests()[0].body["taskDefinition"], "checkout:43");
    let fake = Fake::in_turn(&[plan(&[busy()])]);
    let refused = fake.run(&["plan", GOOD, "--output", "json"]);
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("checkout-green has a deployment in progress\nhint: wait for it"), "{refused:?}");
    assert_eq!(serde_json::from_str::<PlanReport>(&refused.stdout).unwrap().refusals, [busy()]);
}

#[test]
fn start_plans_first_and_sends_nothing_that_would_be_refused() {
    let fake = Fake::in_turn(&[plan(&[busy()])]);
    let refused = fake.run(&["start", GOOD]);
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""), "{refused:?}");
    assert!(refused.stderr.contains("cannot start `"), "{}", refused.stderr);
    assert!(fake.requests().iter().all(|request| request.path == "/lambda-url/query/"));
}

#[test]
fn start_prints_the_id_once_the_rollout_has_begun() {
    let told = |answer| json!({ "told": "answer", "answer": answer });
    let fake = Fake::in_turn(&[
        serde_json::to_value(plan(&[])).unwrap(),
        json!({ "answer": "accepted" }),
        told(Value::Null),
        told(started()),
    ]);
    let begun = fake.run(&["start", GOOD, "--task-definition", "checkout:43"]);
    assert_eq!((begun.code, begun.stdout), (0, format!("{ID}\n")), "{}", begun.stderr);
    let order = &fake.requests()[1].body["order"];
    assert_eq!(order["spec"], std::fs::read_to_string(GOOD).unwrap(), "the text goes out as it is");
    assert_eq!((&order["order"], &order["taskDefinition"]), (&json!("start"), &json!("checkout:43")));
}

#[test]
fn a_start_that_is_refused_later_exits_3_too() {
    let refused = Answer::Refused { refusals: vec![busy()] };
    let fake = Fake::in_turn(&[
        serde_json::to_value(plan(&[])).unwrap(),
        json!({ "answer": "accepted" }),
        json!({ "told": "answer", "answer": refused }),
    ]);
    let ran = fake.run(&["start", GOOD]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
}

#[test]
fn start_and_wait_is_one_document_and_the_code_of_the_end() {
    let degraded = crate::fake::report(|report| report.phase = "Degraded".into());
    let fake = Fake::in_turn(&[
        serde_json::to_value(plan(&[])).unwrap(),
        started(),
        serde_json::to_value(Told::Rollout { report: Box::new(degraded.clone()) }).unwrap(),
    ]);
    let ran = fake.run(&["start", GOOD, "--wait", "--timeout", "1m", "--output", "json"]);
    assert_eq!(ran.code, 10, "{ran:?}");
    let report: tidegate::machine::report::Report = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report, degraded);
}

#[test]
fn a_start_with_its_key_again_asks_for_no_plan() {
    let fake = Fake::in_turn(&[started()]);
    let again = fake.run(&["start", GOOD, "--key", "build-7"]);
    assert_eq!((again.code, again.stdout), (0, format!("{ID}\n")));
    let requests = fake.requests();
    assert_eq!((requests.len(), &requests[0].body["key"]), (1, &json!("build-7")));
}

#[test]
fn init_prints_both_documents_or_one() {
    let spec = "apiVersion: tidegate.dev/v1alpha1\n".to_owned();
    let fake = Fake::in_turn(&[Told::Init { spec: spec.clone(), service: "{\"cluster\": \"shop\"}\n".into() }]);
    let init = |more: &[&str]| {
        let mut arguments = vec!["init", "--cluster", "shop", "--service", "checkout-blue"];
        arguments.extend(more);
        fake.run(&arguments)
    };
    assert_eq!(init(&["--only", "spec"]).stdout, spec);
    assert_eq!(init(&["--only", "service"]).stdout, "{\"cluster\": \"shop\"}\n");
    let both = init(&[]).stdout;
    assert!(
        both.starts_with(&spec) && both.contains("\n---\n") && both.ends_with("{\"cluster\": \"shop\"}\n"),
        "{both}"
    );
    let json: Value = serde_json::from_str(&init(&["--output", "json"]).stdout).unwrap();
    assert_eq!(json["spec"], spec);
    assert_eq!(fake.requests()[0].body, json!({ "ask": "init", "cluster": "shop", "service": "checkout-blue" }));
}
