//! The product's own template.yaml as the sandbox loads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sandbox::platform::iam::Call;
use sandbox::platform::template::{Account, Template, Trigger};

fn load(parameters: &[(&str, &str)]) -> Template {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Template::load(&text, &Account::sandbox("http://127.0.0.1:4566"), &parameters).unwrap()
}

#[test]
fn the_whole_stack_loads() {
    let template = load(&[]);
    let binaries: BTreeSet<&str> = template.functions.iter().map(|f| f.binary.as_str()).collect();
    assert_eq!(binaries, BTreeSet::from(["alarm", "analysis", "command", "controller", "query", "sweep"]));
    let role_per_function: BTreeSet<&str> = template.functions.iter().map(|f| f.role.as_str()).collect();
    assert_eq!(role_per_function.len(), template.functions.len(), "no two functions share a role");
    assert_eq!(template.tables.len(), 1);
}

#[test]
fn an_account_that_can_reserve_nothing_loads_too() {
    let template = load(&[("ControllerReservedConcurrency", "0"), ("AlarmReservedConcurrency", "0")]);
    assert!(template.functions.iter().all(|f| f.reserved_concurrency.is_none()));
}

#[test]
fn every_rule_may_deliver_to_every_target_of_its_own() {
    use sandbox::platform::iam::{Principal, evaluate};
    let template = load(&[]);
    let events = Principal::Service("events.amazonaws.com".into());
    for rule in &template.rules {
        for target in &rule.targets {
            let queues = target.dead_letter.iter().chain(std::iter::once(&target.arn));
            for queue in queues.filter_map(|arn| template.queue_by_arn(arn)) {
                let call = Call::new("sqs", "SendMessage", [queue.arn.clone()])
                    .with("aws:SourceArn", [rule.arn.clone()])
                    .with("aws:SecureTransport", ["true".to_owned()]);
                assert!(evaluate(&queue.policies, &call, &events).is_allowed(), "{} to {}", rule.id, queue.id);
            }
            if let Some(function) = template.function(&target.arn) {
                assert!(template.permits(function, "events.amazonaws.com", &rule.arn), "{}", rule.id);
            }
        }
    }
}

#[test]
fn every_mapping_may_poll_and_every_function_may_log() {
    let template = load(&[]);
    for mapping in &template.mappings {
        let function = template.function(&mapping.function).unwrap();
        let role = template.role_of(function).unwrap();
        for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
            let call = Call::new("sqs", action, [mapping.queue.clone()]);
            assert!(role.evaluate(&call).is_allowed(), "{}: {action}", mapping.id);
        }
    }
    for function in &template.functions {
        let role = template.role_of(function).unwrap();
        let stream = template.account.arn("logs", &format!("log-group:{}:log-stream:s", function.log_group));
        for action in ["CreateLogStream", "PutLogEvents"] {
            assert!(role.evaluate(&Call::new("logs", action, [stream.clone()])).is_allowed(), "{}", function.id);
        }
        for queue in function.dead_letter.iter().chain(&function.on_failure) {
            let call = Call::new("sqs", "SendMessage", [queue.clone()]);
            assert!(role.evaluate(&call).is_allowed(), "{} may put aside", function.id);
        }
    }
}

#[test]
fn only_those_named_request_rollouts_once_anybody_is_named() {
    use sandbox::platform::iam::{Principal, evaluate};
    let ci = "arn:aws:iam::999999999999:role/ci";
    let template = load(&[("RolloutRequesters", ci)]);
    let bus = &template.buses[0];
    let allowed = |principal: &str, detail_type: &str| {
        let call = Call::new("events", "PutEvents", [bus.arn.clone()])
            .with("events:detail-type", [detail_type.to_owned()])
            .with("aws:PrincipalArn", [principal.to_owned()]);
        evaluate(&bus.policies, &call, &Principal::Aws(principal.to_owned())).is_allowed()
    };
    assert!(allowed(ci, "Rollout Requested"));
    assert!(!allowed(ci, "Rollout Promoted"));
    assert!(!allowed("arn:aws:iam::999999999999:role/other", "Rollout Requested"));
}

#[test]
fn the_sweep_alone_goes_by_the_clock() {
    let template = load(&[]);
    let timed: BTreeMap<&str, i64> = template
        .rules
        .iter()
        .filter_map(|rule| match rule.trigger {
            Trigger::Every(every) => Some((rule.id.as_str(), every.as_secs())),
            Trigger::Pattern(_) => None,
        })
        .collect();
    assert_eq!(timed, BTreeMap::from([("SweepRule", 60)]));
}
