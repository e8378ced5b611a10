//! Each rule of template.yaml matches the recorded events that it is there for, and none besides.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::platform::template::{Account, Template, Trigger};
use serde_json::Value;
use tests::recordings::stored;
use tests::source::repository;

/// The template in the account and Region of the recordings.
fn template(account: &str, region: &str) -> Template {
    let text = std::fs::read_to_string(repository().join("template.yaml")).expect("template.yaml can be read");
    let mut home = Account::sandbox("http://127.0.0.1:4566");
    home.id = account.to_owned();
    home.region = region.to_owned();
    Template::load(&text, &home, &BTreeMap::new()).expect("template.yaml loads")
}

/// What the rules' buses carry: envelopes, not our own queues' messages.
fn envelopes() -> BTreeMap<String, Value> {
    stored().into_iter().filter(|(_, event)| event.get("detail-type").is_some()).collect()
}

fn matched(template: &Template) -> BTreeMap<String, BTreeSet<String>> {
    let events = envelopes();
    let rules = template.rules.iter().filter_map(|rule| match &rule.trigger {
        Trigger::Pattern(pattern) => Some((rule.id.clone(), pattern)),
        Trigger::Every(_) => None,
    });
    rules
        .map(|(id, pattern)| {
            let names = events.iter().filter(|(_, event)| pattern.matches(event)).map(|(name, _)| name.clone());
            (id, names.collect())
        })
        .collect()
}

#[test]
fn each_rule_matches_what_it_is_there_for_and_nothing_besides() {
    let expected = [
        ("AlarmRule", vec!["cloudwatch.alarm"]),
        ("CodeDeployRule", vec!["codedeploy.deployment-start"]),
        (
            "EcsServiceRule",
            vec![
                "ecs.deployment-completed",
                "ecs.deployment-failed",
                "ecs.deployment-in-progress",
                "ecs.service-steady-state",
            ],
        ),
        ("EcsTaskRule", vec!["ecs.task-crashed", "ecs.task-running", "ecs.task-stopped"]),
        ("RolloutRequestedRule", vec!["tidegate.rollout-requested"]),
    ];
    let expected = expected.map(|(rule, names)| (rule.to_owned(), names.into_iter().map(str::to_owned).collect()));
    let account = stored()["ecs.task-running"]["account"].as_str().expect("a recorded account").to_owned();
    let region = stored()["ecs.task-running"]["region"].as_str().expect("a recorded Region").to_owned();
    assert_eq!(matched(&template(&account, &region)), BTreeMap::from(expected));
}

#[test]
fn what_aws_says_of_another_account_matches_no_rule() {
    let foreign = matched(&template("210987654321", "eu-central-1"));
    let of_aws = foreign.iter().filter(|(rule, _)| *rule != "RolloutRequestedRule");
    for (rule, names) in of_aws {
        assert_eq!(*names, BTreeSet::new(), "{rule} hears another account");
    }
}
