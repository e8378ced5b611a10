//! The documents are true of the code.

use std::collections::BTreeSet;

use tests::documents::{
    Named, blocks, dead_links, document, documents, first_column, missing_paths, of_template, unknown_names, wrong_sums,
};
use tests::shop::Shop;
use tests::source::{Source, files, repository};
use tidegate::events::Reason;
use tidegate::ports::RolloutStore;
use tidegate::rollout::AbortReason;
use tidegate::{spec, strategy};

fn template() -> String {
    std::fs::read_to_string(repository().join("template.yaml")).unwrap()
}

fn sources() -> Vec<Source> {
    ["shared/src", "functions", "cli/src", "sandbox/src"].into_iter().flat_map(|folder| files(folder, "rs")).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.into_iter().collect()
}

#[test]
fn the_rollout_in_the_readme_is_twenty_lines_and_good() {
    let readme = document("README.md");
    let specs = blocks(&readme.text, "yaml");
    assert_eq!(specs.len(), 1);
    assert_eq!(specs[0].lines().count(), 20);
    let lint = spec::lint("README.md", &specs[0]);
    assert!(lint.warnings.is_empty(), "{}", lint.text(&specs[0]));
    let spec = spec::read(&specs[0]).unwrap_or_else(|_| panic!("{}", lint.text(&specs[0])));
    let steps: Vec<String> = strategy::compile(&spec, 4).steps.iter().map(ToString::to_string).collect();
    assert_eq!(steps.last().map(String::as_str), Some("cleanUp"), "{steps:?}");
}

#[test]
fn every_path_and_every_link_leads_somewhere() {
    let found: Vec<String> =
        documents().iter().flat_map(|document| [missing_paths(document), dead_links(document)].concat()).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_name_of_the_code_is_declared_there() {
    let sources = sources();
    let found: Vec<String> = documents().iter().flat_map(|document| unknown_names(document, &sources)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Every reason to go home, with the letters that the guide uses for what varies.
fn reasons() -> Vec<AbortReason> {
    let why = || "W".to_owned();
    let reasons = vec![
        AbortReason::Alarm { name: "A".into() },
        AbortReason::Analysis { metric: "M".into(), why: why() },
        AbortReason::Person { by: "X".into() },
        AbortReason::Superseded { by: "X".into(), revision: "R".into() },
        AbortReason::Unhealthy { why: why() },
        AbortReason::Blocked { why: why() },
        AbortReason::Gone { what: why() },
        AbortReason::PauseTimeout { step: "S".into() },
        AbortReason::CrashLoop { cause: why(), tasks: 3 },
        AbortReason::Capacity { what: why() },
        AbortReason::ProgressDeadline { step: "S".into(), waiting_on: why() },
    ];
    for reason in &reasons {
        // A reason that is new does not compile here: it belongs into the list above.
        match reason {
            AbortReason::Alarm { .. }
            | AbortReason::Analysis { .. }
            | AbortReason::Person { .. }
            | AbortReason::Superseded { .. }
            | AbortReason::Unhealthy { .. }
            | AbortReason::Blocked { .. }
            | AbortReason::Gone { .. }
            | AbortReason::PauseTimeout { .. }
            | AbortReason::CrashLoop { .. }
            | AbortReason::Capacity { .. }
            | AbortReason::ProgressDeadline { .. } => {}
        }
    }
    reasons
}

#[test]
fn every_reason_to_go_home_is_in_the_guide_for_the_person_on_call() {
    let guide = document("docs/operating.md").text;
    let missing: Vec<String> =
        reasons().iter().map(ToString::to_string).filter(|message| !guide.contains(message.as_str())).collect();
    assert!(missing.is_empty(), "docs/operating.md does not explain: {missing:?}");
}

#[test]
fn what_is_not_there_is_found() {
    let planted = Source::new(
        "docs/planted.md",
        "`shared/src/cellar.rs` and `shared/src/ids.rs`\n[a](cost.md) [b](wine.md) [c](cost.md#the-cellar)\n\
         `machine::step` `machine::drink` `Driver::give` `Weight::give` `Effect::Observe` `Effect::Drink`\n\
         ```sh\n`tests/none.rs`\n```\n",
    );
    assert_eq!(missing_paths(&planted), ["docs/planted.md:1: there is no `shared/src/cellar.rs`"]);
    let links = ["docs/planted.md:2: `wine.md` leads nowhere", "docs/planted.md:2: `cost.md#the-cellar` leads nowhere"];
    assert_eq!(dead_links(&planted), links);
    let names = ["machine::drink", "Weight::give", "Effect::Drink"];
    let expected: Vec<String> =
        names.map(|name| format!("docs/planted.md:3: nothing declares `{name}`")).into_iter().collect();
    assert_eq!(unknown_names(&planted, &sources()), expected);
    assert_eq!(wrong_sums("| a | 1.5 |\n| b | 0.25 |\n| **sum** | **1.75** |\n"), Vec::<String>::new());
    assert_eq!(wrong_sums("| a | 1.5 |\n| **sum** | **2.5** |\n").len(), 1);
}

#[test]
fn whoever_is_on_call_finds_every_alarm_every_dead_letter_queue_and_every_parameter() {
    let (operating, template) = (document("docs/operating.md"), template());
    let alarms = set(first_column(&operating.text, "Alarms on the controller"));
    assert_eq!(alarms, of_template(&template, Named::Resources("AWS::CloudWatch::Alarm")));

    let queues = of_template(&template, Named::Resources("AWS::SQS::Queue"));
    let dead: BTreeSet<&str> = queues.into_iter().filter(|name| name.contains("DeadLetter")).collect();
    assert_eq!(set(first_column(&operating.text, "Dead letters")), dead);

    let parameters = set(first_column(&operating.text, "Install"));
    assert_eq!(parameters, of_template(&template, Named::Parameters));
}

/// The record is what a person goes home by when nothing of ours answers.
#[test]
fn the_manual_way_home_reads_what_the_record_has() {
    let operating = document("docs/operating.md");
    let asked = ["stable: .baseline.stable.group", "canary: .baseline.canary.group", ".baseline.rules[]"];
    for asked in asked.into_iter().chain(["rule: .label", "arn: .rule.arn", "place: .rule.place"]) {
        assert!(operating.text.contains(asked), "{asked}");
    }
    let shop = Shop::open(1);
    let id = shop.begin(&shop.revision(0.0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stored = runtime.block_on(shop.sandbox.load(&id)).unwrap().unwrap();
    let record = serde_json::to_value(&stored.rollout).unwrap();
    let places = ["/baseline/stable/group", "/baseline/canary/group", "/baseline/rules/0/label"];
    for place in places.into_iter().chain(["/baseline/rules/0/rule/arn", "/baseline/rules/0/rule/place"]) {
        assert!(record.pointer(place).is_some_and(serde_json::Value::is_string), "{place}: {record}");
    }
}

#[test]
fn every_announcement_every_metric_and_every_reason_to_ignore_is_explained() {
    let logging = document("docs/logging.md");
    let effect = std::fs::read_to_string(repository().join("shared/src/machine/effect.rs")).unwrap();
    let variants = effect.lines().skip_while(|line| !line.starts_with("pub enum Transition")).skip(1);
    let variants = variants.take_while(|line| *line != "}").filter(|line| !line.trim().starts_with("//"));
    let transitions: BTreeSet<&str> = variants.map(|line| line.trim().trim_end_matches(',')).collect();
    assert_eq!(set(first_column(&logging.text, "Announcements")), transitions);

    let telemetry = std::fs::read_to_string(repository().join("shared/src/telemetry.rs")).unwrap();
    let line = telemetry.split("fn line(").nth(1).and_then(|rest| rest.split("let dimensions").next()).unwrap();
    let metrics: BTreeSet<&str> = line.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let dimensions = ["Rollout", "Because", "Reason"];
    let metrics = metrics.into_iter().filter(|name| !dimensions.contains(name)).collect();
    assert_eq!(set(first_column(&logging.text, "Metrics")), metrics);

    let reasons = set(Reason::ALL.map(Reason::as_str));
    assert_eq!(set(first_column(&logging.text, "What is ignored")), reasons);
}

#[test]
fn every_condition_key_of_the_sandbox_is_listed() {
    let sandbox = document("docs/sandbox.md");
    assert_eq!(set(first_column(&sandbox.text, "What of IAM it knows")), set(sandbox::platform::iam::condition::KEYS));
}

#[test]
fn the_arithmetic_of_the_costs_holds() {
    let (cost, template) = (document("docs/cost.md"), template());
    assert_eq!(wrong_sums(&cost.text), Vec::<String>::new());

    // An alarm is billed for each metric that it reads: one of its own, or each `MetricStat` of its expression.
    let of_alarms = template.split("\n\n").filter(|block| block.contains("Type: AWS::CloudWatch::Alarm"));
    let metrics: usize = of_alarms.map(|alarm| alarm.matches("MetricStat:").count().max(1)).sum();
    assert!(cost.text.contains(&format!("| {metrics} alarm metrics × 0.10")), "{metrics} alarm metrics");
    let mappings = of_template(&template, Named::Resources("AWS::Lambda::EventSourceMapping")).len();
    assert!(cost.text.contains(&format!("| {mappings} mappings ×")), "{mappings} mappings");
}

#[test]
fn decisions_are_numbered_without_a_gap() {
    let decisions = files("docs/adr", "md");
    for (index, decision) in decisions.iter().enumerate() {
        let number = index + 1;
        assert!(decision.path.starts_with(&format!("docs/adr/{number:04}-")), "{}", decision.path);
        assert!(decision.text.starts_with(&format!("# ADR {number}: ")), "{}", decision.path);
    }
}
