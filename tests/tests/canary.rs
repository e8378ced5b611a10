//! A canary from end to end, in process: events in, weights moved, the World's answers back in.

use jiff::SignedDuration;
use tests::shop::Shop;
use tidegate::api::{Answer, Ask, Told};
use tidegate::events::{Message, StartRequest};
use tidegate::machine::effect::{Effect, Write};
use tidegate::machine::event::Verb;
use tidegate::rollout::{Manner, Track};

#[test]
fn a_good_revision_is_promoted_and_users_see_no_error_of_ours() {
    let shop = Shop::open(1);
    let rollout = shop.begin(&shop.revision(0.0));
    let report = shop.until_ended(&rollout, 60);
    assert_eq!((report.phase.as_str(), report.actual_weight.as_deref()), ("Healthy", Some("100")), "{report:#?}");
    assert_eq!(shop.user_errors(), 0, "{:?}", shop.sandbox.world().user_errors());
    assert_eq!(report.stable.desired, Some(0), "the old tasks are gone");
}

#[test]
fn a_bad_revision_goes_home_by_itself() {
    for seed in 1..=5 {
        let shop = Shop::open(seed);
        let rollout = shop.begin(&shop.revision(0.3));
        let report = shop.until_ended(&rollout, 60);
        assert_eq!((report.phase.as_str(), report.actual_weight.as_deref()), ("Degraded", Some("0")), "{report:#?}");
        assert_eq!(shop.user_errors(), 0, "{:?}", shop.sandbox.world().user_errors());
        assert_eq!(report.canary.desired, Some(0));
    }
}

#[test]
fn the_roles_swap_at_promotion_and_the_next_rollout_goes_the_other_way() {
    let shop = Shop::open(2);
    let first = shop.begin(&shop.revision(0.0));
    assert_eq!(shop.until_ended(&first, 60).phase, "Healthy");
    let second = shop.begin(&shop.revision(0.0));
    let report = shop.until_ended(&second, 60);
    assert_eq!((report.phase.as_str(), report.stable.service.as_str()), ("Healthy", "checkout-green"));
    assert_eq!(shop.user_errors(), 0);
}

#[test]
fn a_second_rollout_of_the_same_service_is_refused_while_one_is_active() {
    let shop = Shop::open(3);
    let first = shop.begin(&shop.revision(0.0));
    let answer = shop.start(tests::shop::SPEC, &shop.revision(0.0));
    let Answer::Refused { refusals } = answer else { panic!("refused, got {answer:?}") };
    assert!(!refusals.is_empty() && refusals.iter().all(|refusal| !refusal.hint.is_empty()), "{refusals:?}");
    assert!(matches!(shop.verb(&first, Verb::Abort), Answer::Done { .. }));
}

#[test]
fn a_person_can_abort_at_any_minute() {
    for minute in (0..28).step_by(3) {
        let shop = Shop::open(4);
        let rollout = shop.begin(&shop.revision(0.0));
        shop.sandbox.run_for(SignedDuration::from_mins(minute));
        let answer = shop.verb(&rollout, Verb::Abort);
        let report = shop.until_ended(&rollout, 60);
        if report.promoted_at.is_some() {
            assert!(matches!(answer, Answer::Refused { .. }), "minute {minute}: {answer:?}");
        } else {
            assert!(matches!(answer, Answer::Done { .. }), "minute {minute}: {answer:?}");
            assert_eq!((report.phase.as_str(), report.actual_weight.as_deref()), ("Degraded", Some("0")));
        }
        assert_eq!(shop.user_errors(), 0, "minute {minute}: {:?}", shop.sandbox.world().user_errors());
    }
}

#[test]
fn a_start_that_lay_in_a_dead_letter_queue_since_yesterday_is_refused() {
    let shop = Shop::open(5);
    let asked_at = shop.sandbox.world().now() - SignedDuration::from_hours(26);
    let request = StartRequest {
        key: "yesterday".to_owned(),
        spec: tests::shop::SPEC.to_owned(),
        task_definition: Some(shop.revision(0.0)),
        by: "arn:me".to_owned(),
        asked_at,
        manner: Manner::default(),
    };
    shop.sandbox.arrive(&Message::Start(request));
    shop.sandbox.run_for(SignedDuration::from_secs(10));
    let told = shop.sandbox.ask(&Ask::Answer { key: "yesterday".to_owned() });
    let Told::Answer { answer: Some(Answer::Refused { refusals }) } = told else { panic!("refused, got {told:?}") };
    assert!(refusals[0].why.contains("26h ago"), "{refusals:?}");
}

/// The writes that `plan` lists are those that are made, and no fewer looks and questions than it says.
#[test]
fn a_plan_says_what_a_calm_rollout_asks_of_aws() {
    for spec in [tests::shop::SPEC, tests::shop::SHORT] {
        let shop = Shop::open(6);
        let revision = shop.revision(0.0);
        let ask = Ask::Plan { spec: spec.to_owned(), task_definition: Some(revision.clone()), track: Track::ByWindow };
        let Told::Plan { plan } = shop.sandbox.ask(&ask) else { panic!("a plan") };
        let planned = |call: &str| -> u32 {
            plan.steps.iter().flat_map(|step| &step.calls).filter(|asked| asked.call == call).map(|a| a.times).sum()
        };
        let rollout = shop.begin_with(spec, &revision);
        assert_eq!(shop.until_ended(&rollout, 60).phase, "Healthy");
        let Told::Journal { entries } = shop.sandbox.ask(&Ask::History { rollout, from: 0 }) else {
            panic!("a journal")
        };
        let effects: Vec<&Effect> = entries.iter().flat_map(|entry| &entry.effects).collect();
        let made = |of: fn(&Effect) -> usize| effects.iter().map(|effect| of(effect)).sum::<usize>();
        let services = made(|effect| match effect {
            Effect::Perform { write: Write::Deploy { .. } | Write::Scale { .. }, .. } => 1,
            _ => 0,
        });
        let rules = made(|effect| match effect {
            Effect::Perform { write: Write::SetWeights { rules, .. }, .. } => rules.len(),
            _ => 0,
        });
        let looks = made(|effect| usize::from(matches!(effect, Effect::Observe { .. })));
        let questions = made(|effect| usize::from(matches!(effect, Effect::Measure(_))));
        assert_eq!(planned("UpdateService") as usize, services);
        assert_eq!((planned("ModifyRule") + planned("ModifyListener")) as usize, rules);
        assert!((1..=looks).contains(&(planned("look") as usize)), "{} of {looks} looks", planned("look"));
        assert!(planned("GetMetricData") as usize <= questions, "{} of {questions}", planned("GetMetricData"));
    }
}
