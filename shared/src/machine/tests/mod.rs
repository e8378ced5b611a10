//! The machine against a world that does what it is told, but for what each test changes.

mod adversity;
mod again;
mod blue_green;
mod deleted;
mod full;
mod header_route;
mod matrix;
mod search;
mod waits;

use super::effect::{Effect, Transition, Write};
use super::event::{AlarmChange, Command, Event, TaskChange, Verb};
use super::{Now, Outcome, step};
use crate::analysis::{Found, Measured, Reading};
use crate::fault::{self, Fault, Obstacle};
use crate::ids::TaskArn;
use crate::observation::{AlarmState, Health, Observation, Read};
use crate::plan::Step;
use crate::rollout::{AbortReason, PauseReason, Phase, Rollout};
use crate::spec::{MetricSource, MetricSpec, NoDataPolicy, Threshold};
use crate::test_support::{alarm, at, begin, look, per_cent, preview_rule, revision, seconds};
use crate::weight::Weight;

/// A rollout, and a world that answers at once.
struct Bench {
    rollout: Rollout,
    weight: Weight,
    preview: Weight,
    routes: header_route::Places,
    tasks: u32,
    deployed: bool,
    second: i64,
    looks: usize,
    writes: Vec<String>,
    told: Vec<Transition>,
    bend: fn(&mut Observation),
    answer: fn(&Write) -> fault::Outcome,
    /// Writes whose performer dies before it answers.
    mute: fn(&Write) -> bool,
    reading: Found,
    /// Questions to CloudWatch get no answer.
    unmeasured: bool,
}

fn applied(_: &Write) -> fault::Outcome {
    fault::Outcome::Applied
}

impl Bench {
    fn new(steps: Vec<Step>) -> Self {
        Self {
            rollout: begin(steps),
            weight: Weight::ZERO,
            preview: Weight::ZERO,
            routes: header_route::Places::default(),
            tasks: 0,
            deployed: false,
            second: 0,
            looks: 0,
            writes: vec![],
            told: vec![],
            bend: |_| {},
            answer: applied,
            mute: |_| false,
            reading: Found::Value { value: 0.0, samples: 100 },
            unmeasured: false,
        }
    }

    fn now(&self) -> Now {
        at(self.second)
    }

    /// Gives the events, then answers effects until there are none.
    fn give(&mut self, events: Vec<Event>) -> Vec<Outcome> {
        let step = step(self.rollout.clone(), events, self.now());
        self.rollout = step.rollout;
        self.rollout.assert_valid().unwrap();
        let answers: Vec<Event> = step.effects.into_iter().filter_map(|effect| self.perform(effect)).collect();
        if !answers.is_empty() {
            self.give(answers);
        }
        step.outcomes
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Observe { generation } => {
                self.looks += 1;
                let mut seen = look(&self.rollout, self.tasks, self.weight, self.now());
                seen.generation = generation;
                if let Read::Is(canary) = &mut seen.canary
                    && !self.deployed
                {
                    canary.task_definition = revision(1);
                }
                let previews = &self.rollout.baseline.preview;
                seen.routes = Read::Is(self.routes.seen(&self.rollout.baseline.routes));
                seen.preview = Read::Is(previews.iter().map(|_| preview_rule(self.preview)).collect());
                (self.bend)(&mut seen);
                Some(Event::Observed(Box::new(seen)))
            }
            Effect::Perform { token, write } => {
                self.writes.push(write.to_string());
                if (self.mute)(&write) {
                    return None;
                }
                let outcome = (self.answer)(&write);
                if outcome == fault::Outcome::Applied {
                    self.routes.follow(&write);
                    match write {
                        Write::SetWeights { canary, .. } => self.weight = canary,
                        Write::GoHome { rules } => {
                            let preview = preview_rule(Weight::ZERO).rule;
                            let production = crate::test_support::rule(Weight::ZERO).rule;
                            if rules.iter().any(|write| write.rule == production) {
                                self.weight = Weight::ZERO;
                            }
                            if rules.iter().any(|write| write.rule == preview) {
                                self.preview = Weight::ZERO;
                            }
                        }
                        Write::Preview { .. } => self.preview = Weight::FULL,
                        Write::CreateRoutes { .. } | Write::OpenRoutes { .. } | Write::DeleteRoutes { .. } => {}
                        Write::Deploy { tasks, .. } => (self.tasks, self.deployed) = (tasks, true),
                        Write::Scale { service, tasks, .. } => {
                            if service == self.rollout.baseline.canary.service {
                                self.tasks = tasks;
                            } else {
                                self.bend = |seen| {
                                    if let Read::Is(stable) = &mut seen.stable {
                                        stable.desired = 0;
                                    }
                                };
                            }
                        }
                    }
                }
                Some(Event::Performed { token, outcome })
            }
            Effect::Measure(_) if self.unmeasured => None,
            Effect::Measure(request) => {
                let readings = request.queries.into_iter().map(|query| Reading {
                    metric: query.metric,
                    from: query.from,
                    to: query.to,
                    found: self.reading.clone(),
                });
                let readings = readings.collect();
                Some(Event::Measured(Measured { run: request.run, generation: request.generation, readings }))
            }
            Effect::WakeAt { .. } => None,
            Effect::Announce(announcement) => {
                self.told.push(announcement.what);
                None
            }
        }
    }

    /// Lets so much time pass, waking up when asked.
    fn pass(&mut self, seconds: i64) {
        let end = self.second + seconds;
        while let Some(due) = super::next_wake_up(&self.rollout) {
            let due = (due.as_second() - at(0).at.as_second()).max(self.second + 1);
            if due > end {
                break;
            }
            self.second = due;
            let generation = self.rollout.timer.generation;
            self.give(vec![Event::WakeUp { generation }]);
        }
        self.second = end;
        self.give(vec![Event::Tick]);
    }

    fn command(&mut self, verb: Verb) -> Outcome {
        let command = Command { verb, expected_step: Some(self.rollout.cursor), by: "arn:me".into() };
        self.give(vec![Event::Command(command)]).remove(0)
    }

    fn red(&mut self) -> Outcome {
        let change = AlarmChange { alarm: alarm(), state: AlarmState::Alarm, at: self.now().at };
        self.give(vec![Event::Alarm(change)]).remove(0)
    }
}

fn to(share: u16, needs: u32) -> Step {
    Step::SetWeight { canary: per_cent(share), needs }
}

/// deploy 1 · 20 % · pause 5m · scale 4 · 100 % · bake 2m · promote · clean up
fn usual() -> Vec<Step> {
    vec![
        Step::Deploy { tasks: 1 },
        to(20, 1),
        Step::Pause { duration: Some(seconds(300)), limit: None },
        Step::Scale { tasks: 4 },
        to(100, 4),
        Step::Bake { duration: seconds(120) },
        Step::Promote,
        Step::CleanUp { delay: seconds(30) },
    ]
}

#[test]
fn a_good_revision_ends_with_all_traffic_and_the_old_tasks_gone() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(1200);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
    assert_eq!(bench.weight, Weight::FULL);
    let wanted = [
        "deploy checkout:2 × 1 on checkout-green",
        "weights 20 %",
        "scale checkout-green to 4",
        "weights 100 %",
        "scale checkout-blue to 0",
    ];
    assert_eq!(bench.writes, wanted);
    assert!(bench.told.ends_with(&[Transition::RolloutHealthy]));
}

#[test]
fn every_wait_has_a_reason_and_every_state_a_wake_up_or_a_person() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    while !bench.rollout.is_finished() {
        let report = super::report(&bench.rollout, bench.now());
        assert!(!report.waiting_on.is_empty(), "{report:?}");
        assert!(report.next_wake_up.is_some() || report.needs_person, "{report:?}");
        bench.pass(7);
        assert!(bench.second < 5000);
    }
}

#[test]
fn an_alarm_sends_it_home_from_every_second_before_promotion() {
    for second in (0..600).step_by(13) {
        let mut bench = Bench::new(usual());
        bench.give(vec![Event::Tick]);
        bench.pass(second);
        let promoted = bench.rollout.promoted_at.is_some();
        bench.red();
        bench.pass(900);
        if promoted {
            assert_eq!((bench.weight, &bench.rollout.phase), (Weight::FULL, &Phase::Healthy), "at {second} s");
        } else {
            let reason = AbortReason::Alarm { name: "checkout-5xx".into() };
            assert_eq!(bench.rollout.phase, Phase::Degraded { reason }, "at {second} s");
            assert_eq!((bench.weight, bench.tasks), (Weight::ZERO, 0), "at {second} s");
        }
    }
}

#[test]
fn an_alarm_that_is_only_seen_sends_it_home_too() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.bend = |seen| {
        if let Read::Is(alarms) = &mut seen.alarms {
            alarms.insert("checkout-5xx".into(), AlarmState::Alarm);
        }
    };
    bench.pass(60);
    assert!(matches!(bench.rollout.phase, Phase::Aborting { .. } | Phase::Degraded { .. }));
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn the_weight_is_not_raised_before_the_targets_are_healthy() {
    let mut bench = Bench::new(usual());
    bench.bend = |seen| seen.canary_health = Read::Is(Health { initial: 1, unused: 3, ..Health::default() });
    bench.give(vec![Event::Tick]);
    bench.pass(300);
    assert_eq!(bench.weight, Weight::ZERO);
    bench.bend = |seen| {
        seen.canary_health = Read::Unknown(Fault::transient("Rate exceeded"));
    };
    bench.pass(200);
    assert_eq!(bench.weight, Weight::ZERO, "unknown blocks");
    bench.pass(700);
    assert!(matches!(&bench.rollout.phase, Phase::Degraded { reason: AbortReason::ProgressDeadline { .. } }));
}

#[test]
fn a_write_without_an_answer_is_looked_at_before_it_is_repeated() {
    let mut bench = Bench::new(usual());
    bench.answer = |_| fault::Outcome::Unknown { why: "timed out".into() };
    bench.give(vec![Event::Tick]);
    let looks = bench.looks;
    bench.pass(60);
    assert!(bench.writes.len() > 1 && bench.looks >= looks + bench.writes.len() - 1, "{:?}", bench.writes);
    // It had been applied all the same: the look shows it, and nothing is written again.
    bench.answer = applied;
    (bench.tasks, bench.deployed) = (1, true);
    let writes = bench.writes.len();
    bench.pass(70);
    assert_eq!(bench.writes[writes..], ["weights 20 %"]);
}

#[test]
fn a_performer_that_dies_does_not_use_up_the_progress_deadline() {
    let fast = |second: i64| Now { rate: 60, ..at(second) };
    let asking = step(begin(usual()), vec![Event::Tick], fast(0)).rollout;
    let seen = look(&asking, 0, Weight::ZERO, fast(0));
    let writing = step(asking, vec![Event::Observed(Box::new(seen))], fast(1)).rollout;
    let lost_at = writing.in_flight.as_ref().unwrap().expires_at;
    assert!(lost_at > fast(1).at + writing.spec.progress_deadline, "the lease is transport time");
    let after = step(writing, vec![Event::Tick], Now { at: lost_at, rate: 60 });
    assert_eq!(after.rollout.phase, Phase::Progressing);
    assert!(after.effects.iter().any(|effect| matches!(effect, Effect::Observe { .. })), "{:?}", after.effects);
}

#[test]
fn a_look_from_before_the_last_write_does_not_count() {
    let mut rollout = begin(usual());
    rollout = step(rollout, vec![Event::Tick], at(0)).rollout;
    let mut seen = look(&rollout, 0, Weight::ZERO, at(0));
    seen.generation = rollout.looking.as_ref().unwrap().generation;
    let stale = seen.clone();
    rollout = step(rollout, vec![Event::Observed(Box::new(seen))], at(1)).rollout;
    let token = rollout.in_flight.as_ref().unwrap().token;
    rollout = step(rollout, vec![Event::Performed { token, outcome: fault::Outcome::Applied }], at(2)).rollout;
    let step = step(rollout, vec![Event::Observed(Box::new(stale))], at(3));
    assert!(matches!(step.outcomes[0], Outcome::NoOp(_)));
    assert!(!step.effects.iter().any(|effect| matches!(effect, Effect::Perform { .. })));
}

#[test]
fn a_live_weight_below_the_plan_is_never_raised_again_but_pauses() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert_eq!(bench.weight, per_cent(20));
    bench.weight = per_cent(5);
    bench.pass(400);
    assert!(matches!(&bench.rollout.phase, Phase::Paused { reason: PauseReason::Drift { .. }, .. }));
    assert_eq!(bench.weight, per_cent(5));
    assert!(matches!(bench.command(Verb::Promote), Outcome::Refused(_)));
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    bench.pass(200);
    assert_eq!(bench.weight, Weight::ZERO);
}

#[test]
fn a_refused_forward_write_goes_home_and_a_refused_way_home_is_tried_on() {
    let mut bench = Bench::new(usual());
    bench.answer = |write| match write {
        Write::Deploy { .. } => fault::Outcome::Applied,
        Write::SetWeights { .. }
        | Write::Preview { .. }
        | Write::CreateRoutes { .. }
        | Write::OpenRoutes { .. }
        | Write::DeleteRoutes { .. }
        | Write::GoHome { .. }
        | Write::Scale { .. } => fault::Outcome::NotApplied { fault: Fault::permanent(Obstacle::AccessDenied, "no") },
    };
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert!(bench.told.contains(&Transition::RolloutAborting), "{:?}", bench.told);
    assert!(bench.told.contains(&Transition::RollbackBlocked) || bench.weight == Weight::ZERO);
    bench.answer = applied;
    bench.pass(300);
    assert!(matches!(&bench.rollout.phase, Phase::Degraded { reason: AbortReason::Blocked { .. } }));
}

#[test]
fn verbs_that_do_not_fit_are_refused_and_change_nothing() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    let before = bench.rollout.clone();
    for verb in [Verb::Promote, Verb::Resume] {
        assert!(matches!(bench.command(verb), Outcome::Refused(_)), "{verb}");
    }
    let stale = Command { verb: Verb::Pause, expected_step: Some(7), by: "arn:me".into() };
    assert!(matches!(bench.give(vec![Event::Command(stale)])[0], Outcome::Refused(_)));
    assert_eq!(bench.rollout.phase, before.phase);
    assert_eq!(bench.rollout.cursor, before.cursor);
}

#[test]
fn a_person_pauses_and_resumes_and_an_abort_outranks_both() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(30);
    assert!(matches!(bench.command(Verb::Pause), Outcome::Applied(_)));
    let cursor = bench.rollout.cursor;
    bench.pass(3000);
    assert_eq!(bench.rollout.cursor, cursor, "a pause has no end of its own");
    assert!(matches!(bench.command(Verb::Resume), Outcome::Applied(_)));
    bench.pass(30);
    assert!(bench.rollout.cursor > cursor);
    bench.command(Verb::Pause);
    assert!(matches!(bench.command(Verb::Abort), Outcome::Applied(_)));
    bench.pass(300);
    assert!(matches!(bench.rollout.phase, Phase::Degraded { .. }));
    assert!(matches!(bench.command(Verb::Promote), Outcome::Refused(_)));
}

#[test]
fn a_pause_of_the_plan_ends_by_promote_once_and_a_second_promote_skips_nothing() {
    let mut steps = usual();
    steps[2] = Step::Pause { duration: None, limit: None };
    let mut bench = Bench::new(steps);
    bench.give(vec![Event::Tick]);
    bench.pass(3000);
    assert_eq!(bench.rollout.cursor, 2);
    assert!(super::report(&bench.rollout, bench.now()).needs_person);
    assert!(matches!(bench.command(Verb::Promote), Outcome::Applied(_)));
    let cursor = bench.rollout.cursor;
    assert!(matches!(bench.command(Verb::Promote), Outcome::Refused(_)));
    assert_eq!(bench.rollout.cursor, cursor);
}

#[test]
fn a_storm_of_task_events_costs_a_bounded_number_of_looks() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(100);
    let looks = bench.looks;
    for number in 0..200_u64 {
        bench.second += i64::from(number % 10 == 0);
        let change = TaskChange {
            task: TaskArn::new(format!("task-{}", number % 40)),
            service: bench.rollout.baseline.canary.service.clone(),
            version: number,
            started_by: None,
            last_status: "RUNNING".into(),
            desired_status: "RUNNING".into(),
            stop_code: None,
            stopped_reason: None,
            containers: vec![],
        };
        bench.give(vec![Event::Task(change)]);
    }
    // 200 events within 20 s: one look in 5 s.
    assert!(bench.looks - looks <= 5, "{} looks", bench.looks - looks);
    assert!(bench.rollout.tasks.len() <= 32);
}

#[test]
fn a_timer_of_an_older_chain_and_a_doubled_answer_change_nothing() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    let before = bench.rollout.clone();
    let old = Event::WakeUp { generation: before.timer.generation - 1 };
    let doubled = Event::Performed { token: 1, outcome: fault::Outcome::Applied };
    let outcomes = bench.give(vec![old, doubled]);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::NoOp(_))));
    assert_eq!(bench.rollout, before);
}

#[test]
fn home_is_held_only_where_it_was_positively_seen_to_be_worse() {
    let mut bench = Bench::new(usual());
    bench.give(vec![Event::Tick]);
    bench.pass(60);
    assert_eq!(bench.weight, per_cent(20));
    bench.bend = |seen| seen.stable_health = Read::Is(Health { unhealthy: 4, ..Health::default() });
    bench.second += 60;
    bench.give(vec![Event::Tick]);
    bench.red();
    assert!(bench.told.contains(&Transition::RollbackBlocked));
    assert_eq!(bench.weight, per_cent(20), "not into a hole");
    bench.bend = |_| {};
    bench.pass(60);
    assert_eq!(bench.weight, Weight::ZERO);
}

/// A rollout that is judged at its first weight.
fn judged() -> Bench {
    let metric = MetricSpec {
        name: "errors".into(),
        source: MetricSource::ErrorRate,
        threshold: Threshold::AtMost(0.01),
        interval: seconds(60),
        initial_delay: seconds(0),
        count: 2,
        failure_limit: 0,
        inconclusive_limit: 0,
        consecutive_error_limit: 2,
        minimum_samples: 50,
        no_data: NoDataPolicy::Inconclusive,
    };
    let mut steps = usual();
    steps[2] = Step::Analysis { metrics: vec!["errors".into()] };
    let mut bench = Bench::new(steps);
    bench.rollout.spec.metrics = vec![metric];
    bench
}

#[test]
fn an_analysis_fails_passes_or_pauses_by_what_was_measured() {
    let judged = |reading: Found| {
        let mut bench = judged();
        bench.reading = reading;
        bench.give(vec![Event::Tick]);
        bench.pass(1500);
        bench.rollout.phase
    };
    assert_eq!(judged(Found::Value { value: 0.0, samples: 100 }), Phase::Healthy);
    let bad = judged(Found::Value { value: 0.5, samples: 100 });
    assert!(matches!(bad, Phase::Degraded { reason: AbortReason::Analysis { .. } }), "{bad:?}");
    for unclear in [Found::NoData, Found::Error { why: "throttled".into() }, Found::Value { value: 0.0, samples: 1 }] {
        let phase = judged(unclear.clone());
        let paused = matches!(&phase, Phase::Paused { reason: PauseReason::Inconclusive { .. }, .. });
        assert!(paused, "{unclear:?} gave {phase:?}");
    }
}

#[test]
fn a_measurement_that_is_never_answered_becomes_inconclusive_at_the_error_limit() {
    let mut bench = judged();
    bench.unmeasured = true;
    bench.give(vec![Event::Tick]);
    bench.pass(600);
    let Phase::Paused { reason: PauseReason::Inconclusive { why, .. }, .. } = &bench.rollout.phase else {
        panic!("{:?}", bench.rollout.phase)
    };
    assert!(why.contains("not answered"), "{why}");
    // Whoever answers again is believed again.
    bench.unmeasured = false;
    bench.command(Verb::Resume);
    bench.pass(1500);
    assert_eq!(bench.rollout.phase, Phase::Healthy);
}

#[test]
fn the_same_arguments_give_the_same_answer() {
    let rollout = begin(usual());
    let once = step(rollout.clone(), vec![Event::Tick], at(5));
    assert_eq!(once, step(rollout, vec![Event::Tick], at(5)));
}
