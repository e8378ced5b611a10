//! Properties of the reader: what is printed reads back; whatever comes in gives an answer, never a panic.

use jiff::SignedDuration;
use proptest::prelude::*;
use tidegate::spec::{
    self, CanaryScale, CanarySpec, CanaryStep, MetricSource, MetricSpec, NoDataPolicy, OnNewRevision, OnTimeout,
    Others, PauseLimit, Policies, RollbackWindow, RolloutSpec, StrategySpec, Threshold, WorkloadSpec,
};
use tidegate::weight::Weight;

const NAME: &str = "[A-Za-z0-9][A-Za-z0-9_-]{0,20}|1e3|0x1f|true|null|1_000|0|-?[0-9]{1,3}";
/// Everything that has a meaning in YAML, and some that has none.
const TEXT: &str = "[ -~äöü€漢𝄞]{1,40}";

fn name() -> impl Strategy<Value = String> {
    NAME.prop_filter("names begin with a letter or a digit", |name| !name.starts_with('-'))
}

fn alarm() -> impl Strategy<Value = String> {
    TEXT.prop_filter("ARNs are no names", |name| !name.starts_with("arn:"))
}

fn seconds(range: std::ops::Range<i64>) -> impl Strategy<Value = SignedDuration> {
    range.prop_map(SignedDuration::from_secs)
}

fn source() -> impl Strategy<Value = MetricSource> {
    let any_metric =
        (TEXT, TEXT, prop::collection::btree_map(TEXT, TEXT, 0..4)).prop_map(|(namespace, metric_name, map)| {
            MetricSource::CloudWatch {
                namespace,
                metric_name,
                dimensions: map.into_iter().collect(),
                statistic: "Sum".to_owned(),
            }
        });
    prop_oneof![
        Just(MetricSource::ErrorRate),
        "Average|p[0-9]{1,2}|p99\\.9|p100".prop_map(|statistic| MetricSource::ResponseTime { statistic }),
        any_metric,
    ]
}

fn metric() -> impl Strategy<Value = MetricSpec> {
    let limits = (0..1001_u32, 0..1001_u32, 0..1001_u32);
    let times = (1..61_i64, seconds(0..86_401), 1..1001_u32);
    let data = (1..1_000_000_000_u64, prop_oneof![Just(NoDataPolicy::Inconclusive), Just(NoDataPolicy::Failed)]);
    (name(), source(), any::<(bool, f64)>(), 0.0..=1.0, times, limits, data).prop_map(
        |(
            name,
            source,
            (at_most, limit),
            share,
            (minutes, initial_delay, count),
            limits,
            (minimum_samples, no_data),
        )| {
            let finite = if limit.is_finite() { limit } else { share };
            let limit = if source == MetricSource::ErrorRate { share } else { finite };
            MetricSpec {
                name,
                source,
                threshold: if at_most { Threshold::AtMost(limit) } else { Threshold::AtLeast(limit) },
                interval: SignedDuration::from_mins(minutes),
                initial_delay,
                count,
                failure_limit: limits.0,
                inconclusive_limit: limits.1,
                consecutive_error_limit: limits.2,
                minimum_samples,
                no_data,
            }
        },
    )
}

/// Weights that rise, each with what may stand around it.
fn steps(metrics: Vec<String>) -> impl Strategy<Value = Vec<CanaryStep>> {
    let around = prop_oneof![
        prop::option::of(seconds(1..30 * 86_400)).prop_map(|duration| CanaryStep::Pause { duration, limit: None }),
        (seconds(60..30 * 86_400), prop_oneof![Just(OnTimeout::Abort), Just(OnTimeout::Promote)]).prop_map(
            |(timeout, on_timeout)| {
                let limit = Some(PauseLimit { timeout, on_timeout });
                CanaryStep::Pause { duration: None, limit }
            }
        ),
        (1..5001_u32).prop_map(|tasks| CanaryStep::SetCanaryScale(CanaryScale::Replicas(tasks))),
        Just(CanaryStep::SetCanaryScale(CanaryScale::Percent(100))),
        Just(CanaryStep::SetCanaryScale(CanaryScale::MatchTrafficWeight)),
    ];
    let rung = (1..1000_u16, prop::collection::vec(around, 0..3), any::<bool>());
    prop::collection::vec(rung, 1..8).prop_map(move |mut rungs| {
        rungs.sort_by_key(|(share, ..)| *share);
        let mut steps = Vec::new();
        for (share, around, judged) in rungs {
            steps.extend(around);
            steps.push(CanaryStep::SetWeight(Weight::per_mille(share).unwrap()));
            if judged && !metrics.is_empty() {
                steps.push(CanaryStep::Analysis { metrics: metrics.clone() });
            }
        }
        steps
    })
}

fn others() -> impl Strategy<Value = Others> {
    let policy = prop_oneof![Just(OnNewRevision::Reject), Just(OnNewRevision::Queue), Just(OnNewRevision::Supersede)];
    let window = (prop::option::of(1..51_u32), prop::option::of(seconds(60..86_400)), policy);
    window.prop_map(|(revisions, age, on_new_revision)| Others {
        on_new_revision,
        rollback_window: (revisions.is_some() || age.is_some()).then_some(RollbackWindow { revisions, age }),
    })
}

fn a_spec() -> impl Strategy<Value = RolloutSpec> {
    let metrics = prop::collection::vec(metric(), 0..4).prop_map(|mut metrics| {
        metrics.sort_by(|one, other| one.name.cmp(&other.name));
        metrics.dedup_by(|one, other| one.name == other.name);
        metrics
    });
    let spec = metrics.prop_flat_map(|metrics| {
        let names = metrics.iter().map(|metric| metric.name.clone()).collect();
        (Just(metrics), steps(names))
    });
    let alarms = prop::collection::btree_set(alarm(), 0..4);
    let revision = prop::option::of("[a-z-]{1,9}(:[1-9][0-9]{0,3})?|[0-9]{1,3}|true");
    let times = (60..86_401_i64, 0..1441_i64, 0..86_401_i64, 0..86_401_i64);
    (name(), name(), name(), revision, alarms, spec, times, others()).prop_map(
        |(name, cluster, service, task_definition, alarms, (metrics, steps), times, others)| RolloutSpec {
            name,
            workload: WorkloadSpec::TwinServices { cluster, services: [service.clone(), format!("{service}-2")] },
            task_definition,
            alarms: alarms.into_iter().collect(),
            metrics,
            strategy: StrategySpec::Canary(CanarySpec {
                steps,
                bake: SignedDuration::from_mins(times.1),
                scale_down_delay: SignedDuration::from_secs(times.2),
                abort_scale_down_delay: SignedDuration::from_secs(times.3),
                analysis: None,
            }),
            progress_deadline: SignedDuration::from_secs(times.0),
            policies: Policies::default(),
            others,
        },
    )
}

const GOOD: &str = include_str!("../../examples/canary-own-metric.yaml");

/// Pieces that have a meaning to YAML, to terminals, or to those who attack either.
const PIECES: [&str; 32] = [
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    ", ",
    "\n",
    "\t",
    "\"",
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "%YAML 9.9\n",
    "---\n",
    "...\n",
    "#",
    "? ",
    "\0",
    "\u{202e}",
    "\u{feff}",
    "\r",
    "\u{85}",
    "99999999999999999999",
    "-",
    "~",
    "𝄞",
    "\\u",
];

proptest! {
    #[test]
    fn what_is_printed_reads_back_to_the_same_spec(spec in a_spec()) {
        let printed = spec::print(&spec);
        let lint = spec::lint("printed.yaml", &printed);
        prop_assert_eq!(lint.spec.as_ref(), Some(&spec), "{}", lint.text(&printed));
    }

    #[test]
    fn any_text_gives_an_answer(text in ".{0,400}") {
        let lint = spec::lint("any", &text);
        prop_assert!(lint.spec.is_none() && !lint.errors.is_empty());
        prop_assert!(lint.text(&text).contains("error: "));
    }

    #[test]
    fn any_damage_to_a_spec_gives_an_answer(
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&PIECES[..]), 0..20_usize), 1..6)
    ) {
        let mut chars: Vec<char> = GOOD.chars().collect();
        for (at, piece, cut) in damage {
            let at = at.index(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        let text: String = chars.into_iter().collect();
        let lint = spec::lint("damaged", &text);
        prop_assert_eq!(lint.spec.is_none(), !lint.errors.is_empty());
        let lines = text.lines().count().max(1);
        for error in lint.errors.iter().chain(&lint.warnings) {
            prop_assert!(error.line >= 1 && error.column >= 1 && error.line <= lines + 1, "{error}");
            prop_assert!(!error.problem.is_empty() && !error.hint.is_empty());
        }
        let said = lint.text(&text);
        prop_assert!(said.chars().all(|char| char == '\n' || !char.is_control()), "{said}");
    }
}

/// Anchors that name lists of aliases: a few lines that would be millions of values.
fn laughs() -> String {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    text
}

#[test]
fn hostile_texts_are_refused_on_a_small_stack() {
    let texts = [
        ("256 KB of open brackets", "[".repeat(256 * 1024)),
        ("open brackets", "[".repeat(60_000)),
        ("open braces", "{a: ".repeat(15_000)),
        ("nested lists", "- ".repeat(30_000)),
        ("nested mappings", (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("nested JSON", format!("{}1{}", "{\"a\":".repeat(12_000), "}".repeat(12_000))),
        ("a huge scalar", format!("apiVersion: {}", "x".repeat(65_000))),
        ("a huge key", format!("{}: x", "x".repeat(65_000))),
        ("many keys", (0..9_000).map(|key| format!("k{key}: \n")).collect()),
        ("the same key", "kind: Rollout\n".repeat(4_000)),
        ("a billion laughs", laughs()),
        ("an alias inside its anchor", "spec: &a [*a]".to_owned()),
        ("an alias of nothing", "spec: *nothing".to_owned()),
        ("NUL", "kind: Roll\0out".to_owned()),
        ("bidirectional marks", "kind: Rollout # \u{202e}gnihton".to_owned()),
        ("a huge number", format!("spec: {{progressDeadlineSeconds: {}}}", "9".repeat(60_000))),
        ("a second document", format!("{GOOD}\n---\n{GOOD}")),
        ("a tag", "kind: !!str Rollout".to_owned()),
        ("a directive", format!("%YAML 1.2\n---\n{GOOD}")),
        ("a collection as key", "{[a, b]: c}".to_owned()),
        ("nothing", String::new()),
        ("a comment", "# nothing".to_owned()),
    ];
    let read = move || {
        for (name, text) in texts {
            let lint = spec::lint("hostile", &text);
            assert!(!lint.errors.is_empty() && lint.errors.len() <= 100, "{name}: {} errors", lint.errors.len());
            assert!(lint.text(&text).len() < 100_000, "{name}: says too much");
        }
    };
    // A Lambda function's main thread has 8 MB; a test's thread 2 MB.
    std::thread::Builder::new().stack_size(256 * 1024).spawn(read).unwrap().join().unwrap();
}

#[test]
fn a_hidden_character_is_a_mistake_where_it_stands() {
    let text = GOOD.replace("[payments-5xx]", "[payments\u{200b}-5xx]");
    let line = text.lines().position(|line| line.contains('\u{200b}')).unwrap() + 1;
    let errors = spec::read(&text).unwrap_err();
    assert_eq!(errors.iter().map(|error| (error.line, error.column)).collect::<Vec<_>>(), [(line, 20)]);
    let escaped = GOOD.replace("[payments-5xx]", "[\"payments\\u200b-5xx\"]");
    assert_eq!(spec::read(&escaped).unwrap_err().len(), 1);
}

#[test]
fn durations_are_read_in_every_usual_form() {
    let read = |written: &str| {
        let text = GOOD.replace("{duration: 10m}", &format!("{{duration: {written}}}"));
        let StrategySpec::Canary(canary) = spec::read(&text).ok()?.strategy else { return None };
        canary.steps.into_iter().find_map(|step| match step {
            CanaryStep::Pause { duration, .. } => duration.map(|duration| duration.as_secs()),
            CanaryStep::SetWeight(_)
            | CanaryStep::SetCanaryScale(_)
            | CanaryStep::SetHeaderRoute(_)
            | CanaryStep::Analysis { .. } => None,
        })
    };
    for (written, seconds) in [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("2 minutes", 120),
        ("1.5h", 5400),
        ("PT10M", 600),
        ("10", 10),
        ("\"10\"", 10),
        ("10.0", 10),
        ("1e2", 100),
        ("720h", 2_592_000),
    ] {
        assert_eq!(read(written), Some(seconds), "{written}");
    }
    for written in ["0", "-30", "-5m", "5m ago", "1.5", "0.5s", "1e300", "721h", "1d", "soon", "''", "true", "[5m]"] {
        assert_eq!(read(written), None, "{written}");
    }
}

#[test]
fn aliases_and_json_are_read() {
    let json = include_str!("../../examples/canary-5-20-50.yaml");
    let spec = spec::read(json).unwrap();
    let document = serde_json::to_value(spec::lint("", json)).unwrap()["spec"].take();
    for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap().replace("  ", "\t")] {
        assert_eq!(spec::read(&text).as_ref(), Ok(&spec), "{text}");
    }
    let aliased = json.replacen("{metrics: [http-5xx-rate]}", "&judge {metrics: [http-5xx-rate]}", 1);
    let aliased = aliased.replacen("analysis: {metrics: [http-5xx-rate]}", "analysis: *judge", 2);
    assert!(aliased.contains("*judge"));
    assert_eq!(spec::read(&aliased), Ok(spec));
}
