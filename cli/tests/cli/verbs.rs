//! What each verb sends, prints and returns, against canned answers.

use crate::fake::{Fake, report, run, run_with};
use serde_json::json;
use tidegate::api::{Answer, Refusal, Told};
use tidegate::audit::AuditEntry;
use tidegate::ids::RolloutId;
use tidegate::machine::event::Event;
use tidegate::machine::report::Report;

const ID: &str = "checkout-01KAN5Y3Q8T2V7W9X4Z6B0C1D2";

fn id() -> RolloutId {
    RolloutId::new(ID)
}

fn told(change: impl FnOnce(&mut Report)) -> Told {
    Told::Rollout { report: Box::new(report(change)) }
}

fn answer(answer: Answer) -> Told {
    Told::Answer { answer: Some(answer) }
}

fn json_of<T: serde::Serialize>(value: T) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn get_prints_the_same_struct_as_json() {
    let fake = Fake::in_turn(&[told(|_| {})]);
    let got = fake.run(&["get", ID, "--output", "json"]);
    assert_eq!(got.code, 0, "{got:?}");
    assert_eq!(serde_json::from_str::<Report>(&got.stdout).unwrap(), report(|_| {}));
    let requests = fake.requests();
    assert_eq!(requests[0].body, json!({ "ask": "get", "rollout": ID }));
    assert_eq!(
        (requests[0].path.as_str(), requests[0].authorization.as_str()),
        ("/lambda-url/query/", "Sandbox operator")
    );
}

#[test]
fn a_proxy_does_not_stand_between_us_and_a_sandbox() {
    let fake = Fake::in_turn(&[told(|_| {})]);
    let proxy = [("HTTP_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")];
    let got = run_with(&["get", ID, "--sandbox", &fake.url], &proxy);
    assert_eq!(got.code, 0, "{got:?}");
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let fake = Fake::in_turn(&[told(|report| {
        report.canary.service = "green\u{1b}[2J\u{202e}yllis".into();
        report.message = "line\nforged: ✔ Healthy\u{9b}31m".into();
    })]);
    for arguments in [&["get", ID][..], &["status", ID], &["get", ID, "--output", "json"]] {
        let got = fake.run(arguments);
        assert_eq!(got.code, 0, "{got:?}");
        let hostile = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
        assert!(!got.stdout.chars().any(hostile), "{arguments:?}: {:?}", got.stdout);
    }
    assert!(fake.run(&["get", ID]).stdout.contains("line\u{fffd}forged:"));
}

type Change = fn(&mut Report);

#[test]
fn a_wait_ends_with_the_code_of_what_happened() {
    let cases: [(&str, Change, i32); 4] = [
        ("promoted", |report| report.phase = "Healthy".into(), 0),
        ("went home", |report| report.phase = "Degraded".into(), 10),
        (
            "needs a person",
            |report| {
                report.phase = "Paused".into();
                report.needs_person = true;
            },
            11,
        ),
        (
            "is held on its way home",
            |report| {
                report.phase = "Aborting".into();
                report.needs_person = true;
            },
            11,
        ),
    ];
    for (what, ending, code) in cases {
        // A pause with an end of its own is waited through.
        let fake = Fake::in_turn(&[told(|report| report.phase = "Paused".into()), told(ending)]);
        let waited = fake.run(&["status", ID, "--wait", "--output", "json"]);
        assert_eq!(waited.code, code, "{what}: {waited:?}");
        assert_eq!(serde_json::from_str::<Report>(&waited.stdout).unwrap(), report(ending), "{what}");
        assert!(code == 0 || waited.stderr.contains("error: `checkout`"), "{what}: {}", waited.stderr);
    }
}

#[test]
fn a_wait_that_takes_too_long_has_its_own_code() {
    let fake = Fake::in_turn(&[told(|_| {})]);
    let waited = fake.run(&["status", ID, "--wait", "--timeout", "1s"]);
    assert_eq!(waited.code, 12, "{waited:?}");
    assert!(waited.stderr.contains("the time to wait is over; `checkout` goes on"), "{}", waited.stderr);
    assert!(waited.stderr.contains(&format!("hint: `tidegate status {ID} --wait`")), "{}", waited.stderr);
}

#[test]
fn a_lost_answer_does_not_end_a_wait() {
    let fine = serde_json::to_string(&told(|_| {})).unwrap();
    let healthy = serde_json::to_string(&told(|report| report.phase = "Healthy".into())).unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    let fake = Fake::serve(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => (200, fine.clone()),
        1..=3 => (502, "Internal Server Error".into()),
        _ => (200, healthy.clone()),
    });
    let waited = fake.run(&["status", ID, "--wait"]);
    assert_eq!(waited.code, 0, "{waited:?}");
    assert!(waited.stderr.contains("no answer, asking again"), "{}", waited.stderr);
}

#[test]
fn promote_carries_the_step_that_was_read() {
    let done = Answer::Done { rollout: id(), message: "step 5 ended".into() };
    let fake = Fake::in_turn(&[json_of(told(|_| {})), json_of(&done)]);
    let promoted = fake.run(&["promote", "checkout", "--key", "k1"]);
    assert_eq!((promoted.code, promoted.stdout.as_str()), (0, "step 5 ended\n"), "{promoted:?}");
    let requests = fake.requests();
    let order = json!({ "order": "verb", "rollout": ID, "verb": "promote", "expectedStep": 4 });
    assert_eq!(requests[1].body, json!({ "key": "k1", "order": order }));
    assert_eq!(requests[1].path, "/lambda-url/command/");
}

#[test]
fn promote_full_is_an_order_of_its_own_and_skip_is_none() {
    let fake = Fake::in_turn(&[json_of(Answer::Done { rollout: id(), message: "promoted in full".into() })]);
    assert_eq!(fake.run(&["promote", ID, "--full", "--no-check"]).code, 0);
    assert_eq!(fake.requests()[0].body["order"]["verb"], json!("promoteFull"));
    for arguments in [&["skip"][..], &["skip", "checkout"], &["skip", "checkout", "--step", "3"]] {
        let refused = run(arguments);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.starts_with("error: `skip` is no verb"), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: `tidegate promote"), "{}", refused.stderr);
    }
}

#[test]
fn a_name_never_means_a_finished_rollout_to_a_wait_or_an_order() {
    let fake = Fake::in_turn(&[told(|report| {
        report.phase = "Healthy".into();
        report.ended_at = Some(report.now);
    })]);
    for arguments in [&["status", "checkout", "--wait"][..], &["promote", "checkout"], &["abort", "checkout"]] {
        let ran = fake.run(arguments);
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.stderr.contains(&format!("hint: the newest one is Healthy: `{ID}`")), "{}", ran.stderr);
    }
    assert_eq!(fake.run(&["status", ID, "--wait"]).code, 0, "an id names one for ever");
    assert_eq!(fake.run(&["get", "checkout"]).code, 0);
}

#[test]
fn a_step_that_was_seen_is_counted_from_one() {
    let done = Answer::Done { rollout: id(), message: "done".into() };
    for (arguments, expected) in [
        (["promote", ID, "--step", "5"].as_slice(), json!(4)),
        (&["resume", ID, "--step", "1"], json!(0)),
        (&["promote", ID, "--no-check"], json!(null)),
        (&["promote", ID, "--full", "--step", "3"], json!(2)),
        (&["abort", ID], json!(null)),
        (&["pause", ID], json!(null)),
    ] {
        let fake = Fake::in_turn(&[json_of(&done)]);
        let ran = fake.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        let requests = fake.requests();
        assert_eq!(requests.len(), 1, "{arguments:?} reads nothing first");
        assert_eq!(requests[0].body["order"]["expectedStep"], expected, "{arguments:?}");
        assert_eq!(requests[0].body["key"].as_str().unwrap().len(), 26, "a key of its own");
    }
}

#[test]
fn every_refusal_exits_3_with_its_reason_and_what_to_do() {
    let refusals = vec![
        Refusal::new("the rollout is aborting (canary failed `http-5xx-rate`: 2.4 % > 1 %)", "wait for `Degraded`"),
        Refusal::new("cannot abort `checkout`: an alarm is in ALARM", "look at `http-5xx`"),
    ];
    let fake = Fake::in_turn(&[json_of(Answer::Refused { refusals })]);
    let refused = fake.run(&["abort", ID, "--output", "json"]);
    assert_eq!(refused.code, 3);
    assert_eq!(
        refused.stderr,
        format!(
            "error: cannot abort `{ID}`: the rollout is aborting (canary failed `http-5xx-rate`: 2.4 % > 1 %)\n\
             hint: wait for `Degraded`\n\
             error: cannot abort `checkout`: an alarm is in ALARM\n\
             hint: look at `http-5xx`\n"
        )
    );
    assert!(
        matches!(serde_json::from_str(&refused.stdout).unwrap(), Answer::Refused { refusals } if refusals.len() == 2)
    );
}

#[test]
fn an_answer_counts_whatever_its_http_status_is() {
    let refused = json_of(Answer::Refused { refusals: vec![Refusal::new("cannot abort `x`: it is Healthy", "go on")] });
    let missing = json_of(Told::NotFound { what: "rollout `x`".into() });
    for (status, body, arguments, code, says) in [
        (409, refused, ["abort", ID], 3, "error: cannot abort `x`: it is Healthy\nhint: go on\n"),
        (404, missing, ["get", ID], 4, "error: there is no rollout `checkout"),
    ] {
        let fake = Fake::serve(move |_| (status, body.to_string()));
        let ran = fake.run(&arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.starts_with(says), "{}", ran.stderr);
    }
}

#[test]
fn an_order_that_is_queued_is_asked_after_until_it_is_carried_out() {
    let done = Answer::Done { rollout: id(), message: "on the way home".into() };
    let fake = Fake::in_turn(&[
        json_of(Answer::Accepted),
        json_of(Told::Answer { answer: None }),
        json_of(answer(Answer::Accepted)),
        json_of(answer(done)),
    ]);
    let aborted = fake.run(&["abort", ID, "--key", "again"]);
    assert_eq!((aborted.code, aborted.stdout.as_str()), (0, "on the way home\n"), "{aborted:?}");
    let bodies: Vec<_> = fake.requests().into_iter().skip(1).map(|request| request.body).collect();
    assert_eq!(bodies, vec![json!({ "ask": "answer", "key": "again" }); 3]);
}

#[test]
fn an_order_without_an_answer_names_the_key_to_repeat_it_with() {
    let fake = Fake::serve(|_| (503, "Service Unavailable".into()));
    let lost = fake.run(&["abort", ID, "--key", "k7"]);
    assert_eq!(lost.code, 5, "{lost:?}");
    assert!(lost.stderr.contains("--key k7"), "{}", lost.stderr);
    let keys: Vec<_> = fake.requests().into_iter().map(|request| request.body["key"].clone()).collect();
    assert_eq!(keys, ["k7", "k7"], "one attempt more, with the same key");
}

#[test]
fn each_kind_of_failure_has_its_code() {
    let nothing = Fake::in_turn(&[Told::NotFound { what: "rollout".into() }]);
    assert_eq!(nothing.run(&["get", ID]).code, 4);
    assert_eq!(nothing.run(&["status", "checkout"]).code, 4);
    assert_eq!(run(&["lint", "/no/such/file"]).code, 4);
    assert_eq!(run(&["frobnicate"]).code, 2);
    assert_eq!(run(&["get", ID]).code, 2, "where the controller is, is not known");
    assert_eq!(run(&["get", ID, "--query-url", "http://example.com"]).code, 2, "not signed, not on this machine");
    let both = [("TIDEGATE_SANDBOX", "http://127.0.0.1:1"), ("TIDEGATE_QUERY_URL", "https://prod")];
    assert_eq!(run_with(&["list"], &both).code, 2);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(run(&["list", "--query-url", &format!("http://{nobody}")]).code, 5);
    assert_eq!(run(&["list", "--sandbox", &format!("http://{nobody}")]).code, 5);
    let denying = Fake::serve(|_| (403, r#"{"Message":"Forbidden"}"#.into()));
    let denied = denying.run(&["list"]);
    assert_eq!(denied.code, 3, "{denied:?}");
    assert!(denied.stderr.contains("lambda:InvokeFunctionUrl"), "{}", denied.stderr);
    let odd = Fake::serve(|_| (200, "<html>".into()));
    assert_eq!(odd.run(&["list"]).code, 1);
    let wrong = Fake::in_turn(&[told(|_| {})]);
    assert_eq!(wrong.run(&["list"]).code, 1, "an answer to another question");
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_that_cannot_sign_says_so() {
    let unsigned = run(&["list", "--query-url", "https://abc.lambda-url.eu-west-1.on.aws/"]);
    assert_eq!(unsigned.code, 2);
    assert!(unsigned.stderr.contains("--features aws"), "{}", unsigned.stderr);
}

#[test]
fn verify_finds_a_changed_and_a_missing_entry() {
    let entry = |sequence, previous: String| AuditEntry {
        rollout: id(),
        sequence,
        previous,
        now: jiff::Timestamp::from_second(1_764_000_000 + i64::try_from(sequence).unwrap()).unwrap(),
        by: "controller".into(),
        inputs: vec![Event::Tick],
        outcome: "nothing".into(),
        effects: Vec::new(),
    };
    let mut whole = vec![entry(1, String::new())];
    for sequence in 2..=4 {
        let previous = whole.last().unwrap().hash();
        whole.push(entry(sequence, previous));
    }
    let mut changed = whole.clone();
    changed[1].outcome = "forged".into();
    let mut missing = whole.clone();
    missing.remove(2);
    for (entries, code, says) in [(whole, 0, "4 entries"), (changed, 6, "entry 3"), (missing, 6, "entry 3 is missing")]
    {
        // Two pages and an empty one.
        let (first, second) = entries.split_at(2);
        let page = |entries: &[AuditEntry]| Told::Journal { entries: entries.to_vec() };
        let fake = Fake::in_turn(&[page(first), page(second), page(&[])]);
        let verified = fake.run(&["verify", ID]);
        assert_eq!(verified.code, code, "{verified:?}");
        assert!(verified.stdout.contains(says), "{verified:?}");
    }
}

#[test]
fn watch_without_a_terminal_writes_one_line_per_transition() {
    let healthy: Change = |report| {
        report.phase = "Healthy".into();
        report.message = "checkout:42 is stable".into();
        report.waiting_on.clear();
        report.ended_at = Some(report.now);
    };
    let later: Change = |report| report.now = "2026-11-22T13:06:13Z".parse().unwrap();
    for (output, lines) in [("text", 2), ("json", 2)] {
        let fake = Fake::in_turn(&[told(|_| {}), told(later), told(healthy)]);
        let watched = fake.run(&["get", ID, "--watch", "--output", output]);
        assert_eq!(watched.code, 0, "{watched:?}");
        assert_eq!(watched.stdout.lines().count(), lines, "{}", watched.stdout);
        if output == "text" {
            insta::assert_snapshot!("watch-lines", watched.stdout);
        }
    }
}

#[test]
fn events_tells_ignored_ones_from_what_is_no_event() {
    let path = std::env::temp_dir().join(format!("tidegate-cli-events-{}.json", std::process::id()));
    let other = json!({
        "version": "0", "id": "1", "detail-type": "Something Else", "source": "aws.other", "account": "012345678901",
        "time": "2026-11-22T13:00:00Z", "region": "eu-west-1", "resources": [], "detail": {}
    });
    std::fs::write(&path, other.to_string()).unwrap();
    let ignored = run(&["events", path.to_str().unwrap()]);
    assert_eq!(ignored.code, 0, "{ignored:?}");
    assert!(ignored.stdout.contains("ignored:"), "{}", ignored.stdout);
    std::fs::write(&path, "no event").unwrap();
    let none = run(&["events", path.to_str().unwrap(), "--output", "json"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(none.code, 2, "{none:?}");
    let told: serde_json::Value = serde_json::from_str(&none.stdout).unwrap();
    assert!(told[0]["found"][0]["noEvent"]["what"].is_string(), "{told}");
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = run(&["completions", shell]);
        assert_eq!(printed.code, 0);
        assert!(printed.stdout.contains("tidegate"), "{shell}");
    }
    let version = run(&["version", "--output", "json"]);
    let version: serde_json::Value = serde_json::from_str(&version.stdout).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}
