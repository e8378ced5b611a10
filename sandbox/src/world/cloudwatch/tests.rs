//! Absence, lateness, statistics and metric math.

use std::collections::BTreeMap;
use std::time::Duration;

use super::math;
use super::store::LOAD_BALANCER_NAMESPACE;
use crate::world::{
    Action, Dimension, Estate, EstateParts, GetMetricData, Metric, MetricDataQuery, MetricDataResult, MetricDatum,
    MetricStat, ModifyRule, World, metric_dimension,
};

fn estate() -> (World, EstateParts) {
    let mut world = World::new(21, "2026-11-22T10:00:00Z".parse().unwrap());
    let parts = Estate::of("checkout").build(&mut world).unwrap();
    (world, parts)
}

fn pass(world: &mut World, seconds: u64) {
    let to = world.now() + Duration::from_secs(seconds);
    world.advance_to(to);
}

fn query(parts: &EstateParts, id: &str, name: &str, group: Option<&str>, stat: &str) -> MetricDataQuery {
    let dimension = |name: &str, arn: &str| Dimension { name: name.into(), value: metric_dimension(arn).into() };
    let mut dimensions = vec![dimension("LoadBalancer", &parts.load_balancer_arn)];
    dimensions.extend(group.map(|arn| dimension("TargetGroup", arn)));
    let metric = Metric { namespace: LOAD_BALANCER_NAMESPACE.into(), metric_name: name.into(), dimensions };
    MetricDataQuery {
        id: id.into(),
        metric_stat: Some(MetricStat { metric, period: 60, stat: stat.into(), unit: None }),
        ..MetricDataQuery::default()
    }
}

fn last_minutes(world: &mut World, minutes: u64, queries: Vec<MetricDataQuery>) -> Vec<MetricDataResult> {
    let now = world.now();
    let input = GetMetricData {
        metric_data_queries: queries,
        start_time: now - Duration::from_secs(60 * minutes),
        end_time: now,
        scan_by: None,
    };
    world.get_metric_data(&input).unwrap().metric_data_results
}

#[test]
fn zero_is_absent_and_only_requests_tell_it_from_no_traffic() {
    let (mut world, parts) = estate();
    pass(&mut world, 900);
    let (blue, green) = (parts.blue.target_group_arn.as_str(), parts.green.target_group_arn.as_str());
    let results = last_minutes(
        &mut world,
        10,
        vec![
            query(&parts, "a", "RequestCount", Some(blue), "Sum"),
            query(&parts, "b", "HTTPCode_Target_5XX_Count", Some(blue), "Sum"),
            query(&parts, "c", "RequestCount", Some(green), "Sum"),
            query(&parts, "d", "HealthyHostCount", Some(green), "Average"),
            query(&parts, "e", "HealthyHostCount", Some(blue), "Average"),
            query(&parts, "f", "HTTPCode_ELB_5XX_Count", Some(blue), "Sum"),
        ],
    );
    assert!(results[0].values.iter().skip(2).all(|v| (*v - 6000.0).abs() < 600.0), "{:?}", results[0].values);
    for absent in [1, 2, 3, 5] {
        assert!(results[absent].values.is_empty(), "{:?}", results[absent]);
    }
    assert!(results[4].values.iter().all(|v| *v == 4.0));
}

#[test]
fn an_empty_group_shows_only_at_the_load_balancer_and_not_in_request_count() {
    let (mut world, parts) = estate();
    let groups = [(parts.blue.target_group_arn.as_str(), 1), (parts.green.target_group_arn.as_str(), 1)];
    let actions = vec![Action::forward(&groups)];
    world.modify_rule(ModifyRule { rule_arn: parts.rule_arn.clone(), actions, ..ModifyRule::default() }).unwrap();
    pass(&mut world, 900);
    let green = parts.green.target_group_arn.as_str();
    let results = last_minutes(
        &mut world,
        8,
        vec![
            query(&parts, "a", "RequestCount", Some(green), "Sum"),
            query(&parts, "b", "HTTPCode_ELB_503_Count", None, "Sum"),
            query(&parts, "c", "RequestCount", None, "Sum"),
        ],
    );
    assert!(results[0].values.is_empty());
    for index in [1, 2] {
        let settled = results[index].values.last().copied().unwrap();
        assert!((settled - 3000.0).abs() < 500.0, "half of the users: {settled}");
    }
}

#[test]
fn the_newest_minutes_are_absent_then_incomplete_then_final() {
    let (mut world, parts) = estate();
    pass(&mut world, 600);
    let minute = world.now().as_second().div_euclid(60) * 60;
    let at_end = minute + 60 - world.now().as_second();
    pass(&mut world, at_end as u64);
    let mut seen = Vec::new();
    for _ in 0..140 {
        let group = parts.blue.target_group_arn.clone();
        let results = last_minutes(&mut world, 5, vec![query(&parts, "a", "RequestCount", Some(&group), "Sum")]);
        let at = results[0].timestamps.iter().position(|at| *at == minute);
        seen.push(at.map(|index| results[0].values[index]));
        pass(&mut world, 1);
    }
    assert!(seen[..29].iter().all(Option::is_none), "nothing within 30 s of the minute's end");
    let settled = seen[139].unwrap();
    let partial = seen.iter().flatten().any(|v| *v < settled);
    assert!(partial, "one node's part comes before the other's");
    assert!(seen[121..].iter().all(|v| *v == Some(settled)));
}

#[test]
fn statistics_of_response_times_and_periods_of_several_minutes() {
    let (mut world, parts) = estate();
    pass(&mut world, 1800);
    let blue = parts.blue.target_group_arn.clone();
    let stats = ["Average", "p50", "p90", "p99", "SampleCount", "TC(0.04:)", "PR(:0.04)"];
    let queries: Vec<MetricDataQuery> = stats
        .iter()
        .enumerate()
        .map(|(n, stat)| {
            let mut query = query(&parts, &format!("q{n}"), "TargetResponseTime", Some(&blue), stat);
            query.metric_stat.as_mut().unwrap().period = 300;
            query
        })
        .collect();
    let results = last_minutes(&mut world, 20, queries);
    let settled = |n: usize| results[n].values[1];
    assert!((settled(1) - 0.040).abs() < 0.004, "p50 {}", settled(1));
    assert!(settled(1) < settled(0) && settled(0) < settled(2) && settled(2) < settled(3));
    assert!((settled(4) - 30_000.0).abs() < 1500.0);
    assert!((settled(5) / settled(4) + settled(6) / 100.0 - 1.0).abs() < 1e-9);
    assert!(results[0].timestamps.windows(2).all(|w| w[0] - w[1] == 300), "newest first, on the grid");
}

#[test]
fn start_is_inclusive_and_end_exclusive_and_custom_points_come_a_little_late() {
    let mut world = World::new(1, "2026-11-22T10:00:00Z".parse().unwrap());
    let metric = Metric { namespace: "Shop".into(), metric_name: "Orders".into(), dimensions: Vec::new() };
    for minute in 0..3 {
        let timestamp = Some(world.now() + Duration::from_secs(60 * minute));
        let datum =
            MetricDatum { metric_name: "Orders".into(), timestamp, value: Some(minute as f64), ..Default::default() };
        world.put_metric_data("Shop", &[datum]).unwrap();
    }
    let start_time = world.now();
    let ask = |world: &mut World| {
        let stat = MetricStat { metric: metric.clone(), period: 60, stat: "Sum".into(), unit: None };
        let input = GetMetricData {
            metric_data_queries: vec![MetricDataQuery {
                id: "m1".into(),
                metric_stat: Some(stat),
                ..Default::default()
            }],
            start_time,
            end_time: start_time + Duration::from_secs(120),
            scan_by: Some("TimestampAscending".into()),
        };
        world.get_metric_data(&input).unwrap().metric_data_results[0].values.clone()
    };
    assert!(ask(&mut world).is_empty());
    pass(&mut world, 10);
    assert_eq!(ask(&mut world), [0.0, 1.0]);
    assert_eq!(world.put_metric_data("AWS/ECS", &[]).unwrap_err().code, "InvalidParameterValue");
}

#[test]
fn partial_data_says_so_and_must_be_asked_again() {
    let (mut world, parts) = estate();
    pass(&mut world, 900);
    world.partial_metric_data_next(1);
    let group = parts.blue.target_group_arn.clone();
    let ask = |world: &mut World| {
        last_minutes(world, 10, vec![query(&parts, "a", "RequestCount", Some(&group), "Sum")]).remove(0)
    };
    let (partial, whole) = (ask(&mut world), ask(&mut world));
    assert_eq!((partial.status_code.as_str(), whole.status_code.as_str()), ("PartialData", "Complete"));
    assert!(partial.values.len() < whole.values.len());
}

#[test]
fn metric_math_divides_where_both_have_a_value_fills_and_refuses_the_rest_by_name() {
    let known = BTreeMap::from([
        ("m1".to_owned(), BTreeMap::from([(60, 2.0)])),
        ("m2".to_owned(), BTreeMap::from([(0, 10.0), (60, 4.0), (120, 0.0)])),
    ]);
    let eval = |text: &str| math::parse(text).and_then(|e| e.evaluate(&known, &[0, 60, 120]));
    let series = |points: &[(i64, f64)]| Ok(math::Operand::Series(points.iter().copied().collect()));
    for (text, want) in [
        ("m1 / m2 * 100", series(&[(60, 50.0)])),
        ("FILL(m1, 0) / m2", series(&[(0, 0.0), (60, 0.5)])),
        ("IF(m2 > 3, FILL(m1,0)/m2, 0)", series(&[(0, 0.0), (60, 0.5), (120, 0.0)])),
        ("FILL(m1, REPEAT)", series(&[(60, 2.0), (120, 2.0)])),
        ("SUM([m1, m2])", series(&[(0, 10.0), (60, 6.0), (120, 0.0)])),
        ("MAX(m2)", Ok(math::Operand::Scalar(10.0))),
        ("-(1 + 2) * 3", Ok(math::Operand::Scalar(-9.0))),
        (
            "ANOMALY_DETECTION_BAND(m1, 2)",
            Err("the sandbox does not evaluate the function ANOMALY_DETECTION_BAND".into()),
        ),
        ("m1 +", Err("the expression ends too early".into())),
    ] {
        assert_eq!(eval(text), want, "{text}");
    }
    let (mut world, _) = estate();
    let now = world.now();
    let unknown = MetricDataQuery { id: "e1".into(), expression: Some("m9 * 2".into()), ..Default::default() };
    let input = GetMetricData {
        metric_data_queries: vec![unknown],
        start_time: now - Duration::from_secs(60),
        end_time: now,
        scan_by: None,
    };
    assert_eq!(world.get_metric_data(&input).unwrap_err().code, "ValidationError");
}
