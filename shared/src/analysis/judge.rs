//! Typed thresholds with minimum samples and an explicit no-data policy. Nothing here turns absence into success.

use jiff::{SignedDuration, Timestamp};

use super::{AnalysisRun, CanaryDimensions, Found, Query, Reading, Tally, Verdict};
use crate::mistake::{Mistake, made};
use crate::spec::{MetricSpec, NoDataPolicy, RolloutSpec, Threshold};

/// A minute's metrics are asked for when it is this old: a load balancer publishes once a minute, and late.
pub const METRIC_LAG: SignedDuration = SignedDuration::from_secs(120);
/// A minute without data may still come until it is this old; then it is counted as absent.
const METRIC_LATEST: SignedDuration = SignedDuration::from_secs(240);
/// Between two questions about the same window.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// Begins an analysis whose first windows start with the first whole minute at or after `now`.
pub fn begin(run: u64, spec: &RolloutSpec, metrics: &[String], now: Timestamp) -> AnalysisRun {
    let too_early = SignedDuration::from_mins(if made(Mistake::WindowTooEarly) { 5 } else { 0 });
    let tallies = metrics
        .iter()
        .filter_map(|name| spec.metric(name))
        .map(|metric| Tally {
            metric: metric.name.clone(),
            next_from: whole_minute(now + metric.initial_delay - too_early),
            successful: 0,
            failed: 0,
            inconclusive: 0,
            errors: 0,
            last: None,
        })
        .collect();
    AnalysisRun { run, started_at: now, tallies, asked: None, not_before: now, endless: false }
}

/// Begins an analysis that measures on for as long as it is let.
pub fn endless(run: u64, spec: &RolloutSpec, metrics: &[String], now: Timestamp) -> AnalysisRun {
    AnalysisRun { endless: true, ..begin(run, spec, metrics, now) }
}

/// Lets the next windows start at the first whole minute at or after `at`, not before.
pub fn not_before(run: &mut AnalysisRun, at: Timestamp) {
    for tally in &mut run.tallies {
        tally.next_from = tally.next_from.max(whole_minute(at));
    }
    // An answer about an earlier window counts for nothing any more.
    run.asked = None;
}

/// Whether a metric is still measured, and its next window can be asked for.
fn is_due(run: &AnalysisRun, tally: &Tally, metric: &MetricSpec, now: Timestamp) -> bool {
    (run.endless || tally.successful < metric.count) && now >= ready_at(tally, metric)
}

/// Returns the windows that can be asked for at `now`.
pub fn due(run: &AnalysisRun, spec: &RolloutSpec, canary: &CanaryDimensions, now: Timestamp) -> Vec<Query> {
    let open = run.tallies.iter().filter_map(|tally| Some((tally, spec.metric(&tally.metric)?)));
    open.filter(|(tally, metric)| is_due(run, tally, metric, now))
        .map(|(tally, metric)| Query {
            metric: metric.name.clone(),
            source: metric.source.clone(),
            load_balancer: canary.load_balancer.clone(),
            target_group: canary.target_group.clone(),
            from: tally.next_from,
            to: tally.next_from + metric.interval,
        })
        .collect()
}

/// Returns when a metric's next window can be asked for.
pub fn ready_at(tally: &Tally, metric: &MetricSpec) -> Timestamp {
    tally.next_from + metric.interval + METRIC_LAG
}

/// Takes the readings of one answer into the run.
pub fn take(run: &mut AnalysisRun, spec: &RolloutSpec, readings: Vec<Reading>, now: Timestamp) {
    run.asked = None;
    let mut again = false;
    for reading in readings {
        let Some(metric) = spec.metric(&reading.metric) else { continue };
        let Some(tally) = run.tallies.iter_mut().find(|tally| tally.metric == reading.metric) else { continue };
        if tally.next_from == reading.from {
            again |= !count(tally, metric, reading, now);
        }
    }
    run.not_before = if again { now + ASK_AGAIN } else { now };
}

/// Counts a question that nobody answered in time as an error of the provider, for each window that it was about.
pub fn lost(run: &mut AnalysisRun, spec: &RolloutSpec, now: Timestamp) {
    let due: Vec<bool> = (run.tallies.iter())
        .map(|tally| spec.metric(&tally.metric).is_some_and(|metric| is_due(run, tally, metric, now)))
        .collect();
    run.asked = None;
    run.not_before = now;
    for (tally, _) in run.tallies.iter_mut().zip(due).filter(|(_, due)| *due) {
        let Some(metric) = spec.metric(&tally.metric) else { continue };
        let (from, to) = (tally.next_from, tally.next_from + metric.interval);
        tally.errors += 1;
        let found = Found::Error { why: "the measurement was not answered".to_owned() };
        tally.last = Some(Reading { metric: metric.name.clone(), from, to, found });
    }
}

/// Counts one reading; false if its window is to be asked for again.
fn count(tally: &mut Tally, metric: &MetricSpec, reading: Reading, now: Timestamp) -> bool {
    let may_still_come = now < reading.to + METRIC_LATEST;
    let enough = match reading.found {
        Found::Value { value, samples } => value.is_finite() && samples >= metric.minimum_samples.max(1),
        Found::NoData | Found::Error { .. } => false,
    };
    let counted = match &reading.found {
        Found::Error { .. } => {
            tally.errors += 1;
            false
        }
        Found::Value { value, .. } if enough => {
            tally.errors = 0;
            if metric.threshold.holds(*value) {
                tally.successful += 1;
            } else {
                tally.failed += 1;
            }
            true
        }
        Found::Value { .. } | Found::NoData => {
            tally.errors = 0;
            if made(Mistake::NoDataPasses) {
                tally.successful += 1;
            } else if !may_still_come {
                match metric.no_data {
                    NoDataPolicy::Inconclusive => tally.inconclusive += 1,
                    NoDataPolicy::Failed => tally.failed += 1,
                }
            }
            !may_still_come || made(Mistake::NoDataPasses)
        }
    };
    if counted {
        tally.next_from = reading.to;
    }
    tally.last = Some(reading);
    counted
}

/// Says what is known of the whole run: one failed metric fails it, one that cannot tell makes it inconclusive.
pub fn judge(run: &AnalysisRun, spec: &RolloutSpec) -> Verdict {
    let known = || run.tallies.iter().filter_map(|tally| Some((tally, spec.metric(&tally.metric)?)));
    if let Some((tally, metric)) = known().find(|(tally, metric)| tally.failed > metric.failure_limit) {
        return Verdict::Failed { metric: metric.name.clone(), why: last_words(tally, metric) };
    }
    let unclear = known().find(|(tally, metric)| {
        tally.inconclusive > metric.inconclusive_limit || tally.errors > metric.consecutive_error_limit
    });
    if let Some((tally, metric)) = unclear {
        return Verdict::Inconclusive { metric: metric.name.clone(), why: last_words(tally, metric) };
    }
    let all = known().count() == run.tallies.len() && !run.tallies.is_empty();
    if all && known().all(|(tally, metric)| tally.successful >= metric.count.max(1)) {
        Verdict::Successful
    } else {
        Verdict::Undecided
    }
}

/// The newest reading against its threshold, in a sentence.
fn last_words(tally: &Tally, metric: &MetricSpec) -> String {
    let wanted = match metric.threshold {
        Threshold::AtMost(limit) => format!("at most {limit}"),
        Threshold::AtLeast(limit) => format!("at least {limit}"),
    };
    match tally.last.as_ref().map(|reading| &reading.found) {
        Some(Found::Value { value, samples }) if *samples < metric.minimum_samples => {
            format!("{samples} requests are too few to judge {value:.4}: {} are needed", metric.minimum_samples)
        }
        Some(Found::Value { value, samples }) => format!("{value:.4} over {samples} requests, wanted {wanted}"),
        Some(Found::NoData) => format!("no data, wanted {wanted}"),
        Some(Found::Error { why }) => format!("CloudWatch: {why}"),
        None => "nothing has been measured".to_owned(),
    }
}

fn whole_minute(at: Timestamp) -> Timestamp {
    let seconds = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    let minutes = (seconds + 59).div_euclid(60);
    Timestamp::from_second(minutes * 60).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MetricSource;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn metric() -> MetricSpec {
        MetricSpec {
            name: "errors".into(),
            source: MetricSource::ErrorRate,
            threshold: Threshold::AtMost(0.01),
            interval: SignedDuration::from_secs(60),
            initial_delay: SignedDuration::ZERO,
            count: 2,
            failure_limit: 0,
            inconclusive_limit: 0,
            consecutive_error_limit: 1,
            minimum_samples: 50,
            no_data: NoDataPolicy::Inconclusive,
        }
    }

    fn spec() -> RolloutSpec {
        crate::test_support::spec_with(vec![metric()])
    }

    fn read(run: &mut AnalysisRun, found: Found, now: i64) -> Verdict {
        let spec = spec();
        let from = run.tallies[0].next_from;
        let reading = Reading { metric: "errors".into(), from, to: from + metric().interval, found };
        take(run, &spec, vec![reading], at(now));
        judge(run, &spec)
    }

    fn value(value: f64, samples: u64) -> Found {
        Found::Value { value, samples }
    }

    fn new_run() -> AnalysisRun {
        begin(1, &spec(), &["errors".into()], at(30))
    }

    #[test]
    fn the_first_window_is_the_first_whole_minute_and_is_asked_for_when_it_has_settled() {
        let run = new_run();
        let canary = CanaryDimensions { load_balancer: "app/a/1".into(), target_group: "targetgroup/b/2".into() };
        assert_eq!(run.tallies[0].next_from, at(60));
        assert_eq!(due(&run, &spec(), &canary, at(239)), vec![]);
        let asked = due(&run, &spec(), &canary, at(240));
        assert_eq!((asked[0].from, asked[0].to), (at(60), at(120)));
    }

    #[test]
    fn enough_good_windows_are_a_success_and_one_bad_one_is_a_failure() {
        let mut run = new_run();
        assert_eq!(read(&mut run, value(0.0, 100), 240), Verdict::Undecided);
        assert_eq!(read(&mut run, value(0.01, 100), 300), Verdict::Successful);
        let mut run = new_run();
        let verdict = read(&mut run, value(0.02, 100), 240);
        assert!(matches!(verdict, Verdict::Failed { ref why, .. } if why.contains("0.0200 over 100 requests")));
    }

    #[test]
    fn silence_is_never_success_it_waits_and_then_counts_as_the_policy_says() {
        for found in [Found::NoData, value(0.0, 3), value(f64::NAN, 100), value(0.0, 0)] {
            let mut run = new_run();
            assert_eq!(read(&mut run, found.clone(), 240), Verdict::Undecided, "it may still come");
            assert!(run.not_before > at(240));
            let verdict = read(&mut run, found.clone(), 400);
            assert!(matches!(verdict, Verdict::Inconclusive { .. }), "{found:?} gave {verdict:?}");
        }
    }

    #[test]
    fn errors_of_the_provider_in_a_row_are_inconclusive_and_one_answer_forgets_them() {
        let error = || Found::Error { why: "Rate exceeded".into() };
        let mut run = new_run();
        assert_eq!(read(&mut run, error(), 240), Verdict::Undecided);
        assert_eq!(read(&mut run, value(0.0, 100), 260), Verdict::Undecided);
        assert_eq!(read(&mut run, error(), 300), Verdict::Undecided);
        assert!(matches!(read(&mut run, error(), 320), Verdict::Inconclusive { .. }));
    }

    #[test]
    fn an_answer_about_another_window_changes_nothing() {
        let mut run = new_run();
        let reading = Reading { metric: "errors".into(), from: at(0), to: at(60), found: value(1.0, 100) };
        take(&mut run, &spec(), vec![reading], at(240));
        assert_eq!(judge(&run, &spec()), Verdict::Undecided);
        assert_eq!(run.tallies[0].failed, 0);
    }

    #[test]
    fn a_run_of_no_metric_is_never_successful() {
        let run = begin(1, &spec(), &[], at(0));
        assert_eq!(judge(&run, &spec()), Verdict::Undecided);
    }
}
