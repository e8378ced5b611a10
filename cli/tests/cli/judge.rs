//! `judge`: one JSON object per line in, one out, and what is wrong never becomes a verdict.

use serde_json::{Value, json};

use crate::fake::{Run, run};

/// Runs `judge` on these lines.
fn judge(what: &[&str], lines: &[String]) -> Run {
    let name = format!("tidegate-judge-{}-{}.jsonl", std::process::id(), what.join("-"));
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, lines.join("\n")).unwrap();
    let path = file.display().to_string();
    let run = run(&[&["judge"], what, &[&path]].concat());
    std::fs::remove_file(&file).unwrap();
    run
}

fn answers(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn keys(answer: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Checks that each line is refused in its place with this field and these words, and that the line after it is judged.
fn refuses(what: &str, good: &Value, table: &[(String, Option<&str>, &str)]) {
    let lines: Vec<String> = table.iter().flat_map(|(line, ..)| [line.clone(), good.to_string()]).collect();
    let run = judge(&[what], &lines);
    assert_eq!(run.code, 2, "{run:?}");
    let answers = answers(&run);
    assert_eq!(answers.len(), lines.len());
    for (index, (line, field, words)) in table.iter().enumerate() {
        let (refused, judged) = (&answers[2 * index], &answers[2 * index + 1]);
        assert_eq!(keys(refused), ["error", "field", "line"], "{line}: {refused}");
        assert_eq!(refused["field"], json!(field), "{line}: {refused}");
        assert_eq!(refused["line"], json!(2 * index + 1));
        assert!(refused["error"].as_str().unwrap().contains(words), "{line}: {refused}");
        assert!(run.stderr.contains(refused["error"].as_str().unwrap()));
        assert!(judged.get("error").is_none(), "{judged}");
    }
}

#[test]
fn counts_are_judged_line_by_line() {
    let params = json!({"r_by_bin": vec![0.01; 10]});
    let good = json!({"params": params, "baseline": vec![json!([9000, 9]); 30], "canary": vec![json!([1000, 1]); 30]});
    let bad = json!({"baseline": vec![json!([950, 1]); 5], "canary": vec![json!([50, 20]); 5]});
    let silent = json!({"params": params, "baseline": vec![json!(null); 5], "canary": vec![json!([50, 0]); 5]});
    let run = judge(&["counts"], &[good.to_string(), String::new(), bad.to_string(), silent.to_string()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let answers = answers(&run);
    assert_eq!(keys(&answers[0]), ["abort_minute", "ln_e", "pass_minute", "sentence", "verdict"]);
    let verdicts: Vec<&str> = answers.iter().map(|answer| answer["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed_early", "failed", "inconclusive"]);
    assert_eq!((&answers[0]["pass_minute"], &answers[0]["abort_minute"]), (&json!(10), &json!(null)));
    assert_eq!((&answers[1]["pass_minute"], &answers[1]["abort_minute"]), (&json!(null), &json!(2)));
    let sentence = answers[1]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("FAILED at minute 2 of 60: canary errors 40 % v 0.11 % (×380)"), "{sentence}");
    assert_eq!(answers[2]["ln_e"].as_array().unwrap().len(), 5);
}

#[test]
fn the_full_answer_has_the_evidence() {
    let line = json!({"baseline": vec![json!([950, 5]); 5], "canary": vec![json!([50, 5]); 5]}).to_string();
    let answer = answers(&judge(&["counts", "--full"], &[line])).remove(0);
    assert_eq!((&answer["canary"], &answer["calibrated"]), (&json!([250.0, 25.0]), &json!(false)));
    assert_eq!(answer["ratio"], json!(19.0));
    assert!(answer["ratio_low"].as_f64().unwrap() < 19.0);
    assert_eq!(answer["ln_e_relative"].as_array().unwrap().len(), 5);
}

#[test]
fn wrong_counts_never_become_a_verdict() {
    let good = json!({"baseline": [[950, 1]], "canary": [[50, 0]]});
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line[field] = value;
        line.to_string()
    };
    let table = [
        (with("canary", json!([])), Some("canary"), "0 minutes, and `baseline` has 1"),
        (with("canary", json!([[50, -1]])), Some("canary[0][1]"), "bad events below 0"),
        (with("baseline", json!([[-50, 0]])), Some("baseline[0][0]"), "requests below 0"),
        (with("canary", json!([[50, 51]])), Some("canary[0]"), "more bad events than requests"),
        (with("canary", json!([[50, 0.5]])), Some("canary[0][1]"), "no whole number"),
        (with("canary", json!([[50, "NaN"]])), Some("canary[0][1]"), "invalid type"),
        (with("canary", json!([[50]])), Some("canary[0]"), "invalid length 1"),
        (with("canary", json!([[50, 0, 0]])), Some("canary[0]"), "too many elements"),
        (with("canary", json!({})), Some("canary"), "invalid type"),
        (with("control", json!([])), Some("control"), "unknown field `control`"),
        (with("params", json!({"rho": 1})), Some("params.rho"), "unknown field `rho`"),
        (with("params", json!({"sensitivity": "quick"})), Some("params.sensitivity"), "unknown variant `quick`"),
        (with("params", json!({"sensitivity": "fast", "alpha": 0.01})), Some("params.sensitivity"), "write one"),
        (with("params", json!({"alpha": 0})), Some("params.alpha"), "not within"),
        (with("params", json!({"r_by_bin": [0.1]})), Some("params.r_by_bin"), "`bin_edges` has 10"),
        (with("params", json!({"bin_edges": [2]})), Some("params.bin_edges"), "`r_by_bin` is missing"),
        (json!({"baseline": []}).to_string(), Some("canary"), "it is missing"),
        ("[]".to_owned(), None, "no JSON object"),
        ("{\"baseline\":".to_owned(), None, "no JSON"),
        (r#"{"baseline":[[NaN,0]],"canary":[[1,0]]}"#.to_owned(), None, "no JSON"),
        (r#"{"baseline":[[1,0]],"canary":[[1,0]],"canary":[[1,0]]}"#.to_owned(), Some("canary"), "it is there twice"),
    ];
    refuses("counts", &good, &table);
}

#[test]
fn a_history_too_short_calibrates_nothing() {
    let half = |minutes: usize| vec![json!([600, 6]); minutes];
    let short = json!({"a": half(1439), "b": half(1439)}).to_string();
    let enough = json!({"a": half(1440), "b": half(1440)}).to_string();
    let run = judge(&["calibrate"], &[short, enough]);
    let answers = answers(&run);
    assert_eq!((run.code, &answers[0]["field"]), (2, &json!("a")));
    assert_eq!((answers[1]["r_by_bin"].as_array().unwrap().len(), &answers[1]["A"]), (10, &json!(1.0)));
}

#[test]
fn kayenta_is_answered_with_its_labels_and_its_defects() {
    let spread = |from: i32, count: i32| (0..count).map(|i| from + i).collect::<Vec<_>>();
    let sparse: Vec<i32> = (0..30).map(|i| i32::from(i >= 12)).collect();
    let table = [
        (json!({"control": spread(1, 5), "experiment": spread(11, 5)}), "High", json!(false)),
        (json!({"control": spread(11, 5), "experiment": spread(1, 5)}), "Low", json!(false)),
        (json!({"control": spread(11, 5), "experiment": spread(1, 5), "direction": "increase"}), "Pass", json!(false)),
        (json!({"control": spread(1, 5), "experiment": spread(11, 5), "critical": true}), "High", json!(true)),
        // High, and below the critical increase: a normal failure.
        (
            json!({"control": spread(1, 5), "experiment": spread(11, 5), "critical": true, "critical_thresholds": [0.5, 10]}),
            "High",
            json!(false),
        ),
        (
            json!({"control": spread(1, 5), "experiment": spread(11, 5), "effect_size_thresholds": [0.5, 10]}),
            "Pass",
            json!(false),
        ),
        (
            json!({"control": spread(1, 5), "experiment": spread(11, 5), "effect_size_measure": "cles", "effect_size_thresholds": [0.2, 0.8]}),
            "High",
            json!(false),
        ),
        (json!({"control": [1, 2, 3], "experiment": [3, 1, 2]}), "Pass", json!(false)),
        (json!({"control": [2, 2, 2, 2, 2], "experiment": [3, 3, 3, 3, 3]}), "High", json!(false)),
        (json!({"control": ["NaN"], "experiment": [1, 2], "critical": true}), "Nodata", json!(true)),
        (json!({"control": ["NaN"], "experiment": [1, 2], "must_have_data": true}), "NodataFailMetric", json!(false)),
        (json!({"control": ["NaN"], "experiment": ["NaN"], "nan_strategy": "replace"}), "Pass", json!(false)),
        (json!({"control": [1], "experiment": [2]}), "Error", json!(false)),
        (json!({"control": [1], "experiment": [2], "method": "mean_inequality"}), "High", json!(false)),
        // The defect of sparse errors: none on one side, some in 60 % of the other's minutes.
        (json!({"control": vec![0; 30], "experiment": sparse, "direction": "increase"}), "Pass", json!(false)),
    ];
    let run = judge(&["kayenta"], &table.iter().map(|(line, ..)| line.to_string()).collect::<Vec<_>>());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for ((line, label, critical), answer) in table.iter().zip(answers(&run)) {
        assert_eq!(
            (answer["classification"].as_str(), &answer["critical"]),
            (Some(*label), critical),
            "{line}: {answer}"
        );
        assert_eq!(
            keys(&answer),
            ["ci_lower", "ci_upper", "classification", "cles", "critical", "deviation", "estimate"]
        );
    }
}

#[test]
fn a_ratio_that_cannot_be_taken_is_told_as_the_string_nan() {
    let line = json!({"control": [0, 0, 0, 0, 0], "experiment": [1, 2, 3, 4, 5]}).to_string();
    assert_eq!(answers(&judge(&["kayenta"], &[line]))[0]["deviation"], json!("NaN"));
}

#[test]
fn kayenta_scores_a_canary() {
    let line = json!({
        "results": [
            {"name": "errors", "groups": ["a"], "classification": "Pass"},
            {"name": "latency", "groups": ["a"], "classification": "High"},
            {"name": "cpu", "groups": ["b"], "classification": "Pass"},
            {"name": "memory", "groups": ["b"], "classification": "Low", "muted": true},
        ],
        "group_weights": {"a": 60}, "pass": 95, "marginal": 70,
    });
    let answer = answers(&judge(&["kayenta-score"], &[line.to_string()])).remove(0);
    let groups =
        json!([{"name": "a", "score": 50.0, "no_data": false}, {"name": "b", "score": 100.0, "no_data": false}]);
    assert_eq!(answer, json!({"score": 70.0, "groups": groups, "classification": "Marginal", "reason": null}));
}

#[test]
fn what_kayenta_is_not_asked_is_refused() {
    let good = json!({"control": [1, 2, 3], "experiment": [1, 2, 3]});
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line[field] = value;
        line.to_string()
    };
    let table = [
        (with("direction", json!("up")), Some("direction"), "unknown variant `up`"),
        (with("control", json!([1, null])), Some("control[1]"), "a number or \"NaN\""),
        (with("control", json!([1, "nan"])), Some("control[1]"), "a number or \"NaN\""),
        (with("conf_level", json!(1.5)), Some("conf_level"), "not within"),
        (with("critical_thresholds", json!([1])), Some("critical_thresholds"), "invalid length"),
        (with("nanStrategy", json!("remove")), Some("nanStrategy"), "unknown field"),
        (json!({"control": []}).to_string(), Some("experiment"), "it is missing"),
    ];
    refuses("kayenta", &good, &table);
    let good = json!({"results": []});
    let table = [
        (
            json!({"results": [{"name": "m", "classification": "pass"}]}).to_string(),
            Some("results[0].classification"),
            "unknown variant `pass`",
        ),
        (json!({"results": [{"classification": "Pass"}]}).to_string(), Some("results[0].name"), "it is missing"),
    ];
    refuses("kayenta-score", &good, &table);
}

/// A series of 30 minutes around 100, and the same times `ratio`.
fn series(ratio: f64) -> (Vec<f64>, Vec<f64>) {
    let baseline: Vec<f64> = (0..30).map(|i| 100.0 + 10.0 * (f64::from(i) * 0.618).fract()).collect();
    let canary =
        baseline.iter().zip(0..).map(|(value, i)| value * ratio + 5.0 * (f64::from(i) * 0.414).fract()).collect();
    (baseline, canary)
}

#[test]
fn series_are_judged_and_never_passed() {
    let of = |ratio: f64, more: &Value| {
        let (baseline, canary) = series(ratio);
        let mut line = json!({"kind": "gauge", "baseline": baseline, "canary": canary});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    };
    let requests = |count: u32| json!({"kind": "percentile", "percentile": 0.99, "canary_requests": vec![count; 30]});
    let table = [
        (of(1.0, &json!({})), "healthy"),
        (of(2.0, &json!({})), "failed"),
        (of(2.0, &json!({"params": {"direction": "decrease"}})), "healthy"),
        (of(0.5, &json!({"params": {"direction": "decrease"}})), "failed"),
        (of(1.5, &json!({"params": {"tolerance": 1.0}})), "healthy"),
        (of(1.0, &json!({"params": {"scale": "difference", "tolerance": 50}})), "healthy"),
        (of(1.0, &json!({"params": {"scale": "difference", "tolerance": 0}})), "failed"),
        (of(2.0, &requests(200)), "failed"),
        // A p99 of 199 requests is their second largest at best: such minutes say nothing.
        (of(2.0, &requests(199)), "inconclusive"),
        (of(2.0, &json!({"canary": vec!["NaN"; 30]})), "inconclusive"),
        (of(2.0, &json!({"canary": vec![Value::Null; 30]})), "inconclusive"),
    ];
    let run = judge(&["series"], &table.iter().map(|(line, _)| line.clone()).collect::<Vec<_>>());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for ((line, verdict), answer) in table.iter().zip(answers(&run)) {
        assert_eq!(answer["verdict"], json!(verdict), "{line}: {answer}");
        assert_eq!(keys(&answer), ["abort_minute", "ln_e", "pass_minute", "sentence", "verdict"]);
        assert_eq!((answer["ln_e"].as_array().unwrap().len(), &answer["pass_minute"]), (30, &json!(null)));
    }
}

#[test]
fn wrong_series_never_become_a_verdict() {
    let good = json!({"kind": "gauge", "baseline": [1, 2], "canary": [1, null]});
    let table = [
        (json!({"kind": "p99", "baseline": [], "canary": []}).to_string(), Some("kind"), "unknown variant `p99`"),
        (json!({"kind": "gauge", "baseline": [1], "canary": []}).to_string(), Some("canary"), "0 minutes"),
        (json!({"kind": "percentile", "baseline": [], "canary": []}).to_string(), Some("percentile"), "it is missing"),
        (
            json!({"kind": "percentile", "percentile": 0.9, "baseline": [1], "canary": [1]}).to_string(),
            Some("canary_requests"),
            "it is missing",
        ),
        (
            json!({"kind": "gauge", "params": {"scale": "difference"}, "baseline": [], "canary": []}).to_string(),
            Some("params.tolerance"),
            "has a unit",
        ),
    ];
    refuses("series", &good, &table);
}

fn verdict_file(errors: u32) -> Value {
    let (baseline, canary) = series(1.0);
    json!({
        "counts": [{
            "name": "errors", "weight": 0.7, "params": {"r_by_bin": vec![0.01; 10]},
            "baseline": vec![json!([9000, 9]); 30], "canary": vec![json!([1000, errors]); 30],
        }],
        "series": [{"name": "cpu", "weight": 0.3, "of": {"kind": "gauge", "baseline": baseline, "canary": canary}}],
        "shares": vec![0.1; 30],
    })
}

#[test]
fn a_verdict_file_is_replayed_into_the_identical_verdict() {
    let files = [verdict_file(1), verdict_file(20)];
    let first = answers(&judge(&["replay"], &files.clone().map(|file| file.to_string())));
    let verdicts: Vec<&Value> = first.iter().map(|answer| &answer["verdict"]["verdict"]).collect();
    assert_eq!(verdicts, [&json!("passed_early"), &json!("failed")]);
    assert_eq!(first[1]["verdict"]["culprits"], json!(["errors"]));
    assert_eq!(first[0]["identical"], json!(null));

    let mut kept = files.clone();
    kept.iter_mut().zip(&first).for_each(|(file, answer)| file["verdict"] = answer["verdict"].clone());
    let again = judge(&["replay"], &kept.clone().map(|file| file.to_string()));
    assert_eq!(again.code, 0, "{again:?}");
    for (answer, before) in answers(&again).iter().zip(&first) {
        assert_eq!((&answer["identical"], &answer["verdict"]), (&json!(true), &before["verdict"]));
    }

    kept[1]["counts"][0]["canary"][0] = json!([1000, 21]);
    let changed = judge(&["replay"], &[kept[1].to_string()]);
    assert_eq!((changed.code, &answers(&changed)[0]["field"]), (2, &json!("verdict")));
}

#[test]
fn a_replayed_split_that_was_not_honoured_is_no_verdict() {
    let mut file = verdict_file(1);
    file["shares"] = json!(vec![0.5; 30]);
    let answer = answers(&judge(&["replay"], &[file.to_string()])).remove(0);
    assert_eq!(answer["verdict"]["cause"], json!("TRAFFIC_SPLIT"));
}

#[test]
fn wrong_verdict_files_are_refused_at_their_field() {
    let with = |pointer: &str, value: Value| {
        let mut file = verdict_file(1);
        *file.pointer_mut(pointer).unwrap() = value;
        file.to_string()
    };
    let table = [
        (with("/counts/0/canary/3", json!([1, 2])), Some("counts[0].canary[3]"), "more bad events"),
        (with("/counts/0/params", json!({"alpha": 7})), Some("counts[0].params.alpha"), "not within"),
        (with("/series/0/of/kind", json!("percentile")), Some("series[0].of.percentile"), "it is missing"),
        (with("/shares", json!([0.1])), Some("shares"), "1 minutes, and `counts[0].canary` has 30"),
        (with("/counts", json!([])), Some("shares"), "no counts"),
    ];
    refuses("replay", &verdict_file(1), &table);
}
