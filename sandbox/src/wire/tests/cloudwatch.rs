//! CloudWatch in CBOR, as the Rust SDK writes it, and in JSON, as boto3 does.

use std::time::Duration;

use serde_json::json as tree;

use super::{json, rpc, world};
use crate::world::World;

const PUT_ALARM: &[u8] = b"\xbfiAlarmNamehshop-5xxiNamespacedShopjMetricNamefErrorsiStatisticcSumfPeriod\x18<qEvaluationPeriods\x01iThreshold\xfb@\x14\x00\x00\x00\x00\x00\x00rComparisonOperatortGreaterThanThresholdpTreatMissingDatalnotBreaching\xff";
const DESCRIBE_ALARM: &[u8] = b"\xbfjAlarmNames\x81hshop-5xx\xff";
const SET_ALARM: &[u8] = b"\xbfiAlarmNamehshop-5xxjStateValueeALARMkStateReasonedrill\xff";
const PUT_DATA: &[u8] = b"\xbfiNamespacedShopjMetricData\x81\xbfjMetricNamegLatencyjDimensions\x81\xbfdNamedSideeValuefcanary\xffiTimestamp\xc1\xfbA\xda\xc0\xb9\xd4\x00\x00\x00eValue\xfb?\xd0\x00\x00\x00\x00\x00\x00\xff\xff";
const GET_DATA: &[u8] = b"\xbfqMetricDataQueries\x81\xbfbIdglatencyjMetricStat\xbffMetric\xbfiNamespacedShopjMetricNamegLatencyjDimensions\x81\xbfdNamedSideeValuefcanary\xff\xfffPeriod\x18<dStatgAverage\xffjReturnData\xf5\xffiStartTime\xc1\xfbA\xda\xc0\xb9\xd4\x00\x00\x00gEndTime\xc1\xfbA\xda\xc0\xb9\xf2\x00\x00\x00\xff";

fn later(world: &mut World, seconds: u64) {
    let to = world.now() + Duration::from_secs(seconds);
    world.advance_to(to);
}

/// Whether `part` occurs in `whole`.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_metric_is_put_and_read_with_tagged_times() {
    let mut world = world();
    let (reply, nothing) = rpc(&mut world, "PutMetricData", PUT_DATA);
    assert_eq!((reply.status, nothing), (200, tree!({})));
    later(&mut world, 120);
    let (reply, answer) = rpc(&mut world, "GetMetricData", GET_DATA);
    assert_eq!(reply.status, 200, "{answer}");
    let result = &answer["MetricDataResults"][0];
    assert_eq!((&result["Id"], &result["StatusCode"]), (&tree!("latency"), &tree!("Complete")));
    assert_eq!(result["Values"], tree!([0.25]));
    let time = b"jTimestamps\x81\xc1\xfbA\xda\xc0\xb9\xd4\x00\x00\x00";
    assert!(holds(&reply.body, time), "a time is epoch seconds in a double under tag 1");
}

#[test]
fn boto3_reads_the_same_metric_in_json() {
    let mut world = world();
    let body =
        r#"{"Namespace": "Shop", "MetricData": [{"MetricName": "Latency", "Timestamp": 1795352400, "Value": 1.0}]}"#;
    assert_eq!(json(&mut world, "cloudwatch", "PutMetricData", body), (200, tree!({})));
    later(&mut world, 120);
    let body = r#"{"MetricDataQueries": [{"Id": "latency", "MetricStat": {"Metric": {"Namespace": "Shop",
        "MetricName": "Latency", "Dimensions": []}, "Period": 60, "Stat": "Sum"}, "ReturnData": true}],
        "StartTime": 1795352400, "EndTime": 1795352520}"#;
    let (status, answer) = json(&mut world, "cloudwatch", "GetMetricData", body);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["MetricDataResults"][0]["Timestamps"], tree!([1_795_352_400]));
    assert_eq!(answer["MetricDataResults"][0]["Values"], tree!([1.0]));
    let (status, answer) = json(&mut world, "cloudwatch", "GetMetricData", "{}");
    assert_eq!((status, &answer["__type"]), (400, &tree!("InvalidParameterValue")));
}

#[test]
fn an_alarm_is_put_set_described_and_deleted() {
    let mut world = world();
    assert_eq!(rpc(&mut world, "PutMetricAlarm", PUT_ALARM).1, tree!({}));
    let (_, answer) = rpc(&mut world, "DescribeAlarms", DESCRIBE_ALARM);
    let alarm = &answer["MetricAlarms"][0];
    assert_eq!(alarm["AlarmArn"], "arn:aws:cloudwatch:eu-central-1:012345678901:alarm:shop-5xx");
    assert_eq!((&alarm["StateValue"], &alarm["Threshold"]), (&tree!("INSUFFICIENT_DATA"), &tree!(5.0)));
    assert_eq!(answer["CompositeAlarms"], tree!([]));

    assert_eq!(rpc(&mut world, "SetAlarmState", SET_ALARM).0.status, 200);
    let (reply, answer) = rpc(&mut world, "DescribeAlarms", DESCRIBE_ALARM);
    assert_eq!(answer["MetricAlarms"][0]["StateValue"], "ALARM");
    assert_eq!(answer["MetricAlarms"][0]["StateReason"], "drill");
    assert!(holds(&reply.body, b"StateUpdatedTimestamp\xc1\xfb"));

    assert_eq!(rpc(&mut world, "DeleteAlarms", DESCRIBE_ALARM).0.status, 200);
    let (_, answer) = rpc(&mut world, "DescribeAlarms", DESCRIBE_ALARM);
    assert_eq!(answer["MetricAlarms"], tree!([]));
    let (reply, error) = rpc(&mut world, "SetAlarmState", SET_ALARM);
    assert_eq!((reply.status, &error["__type"]), (404, &tree!("ResourceNotFound")));
    assert!(reply.headers.contains(&("x-amzn-query-error", "ResourceNotFound;Sender".to_owned())));
}

#[test]
fn alarms_come_in_pages_and_by_type() {
    let mut world = world();
    for name in ["a", "b", "c"] {
        let body = format!(
            r#"{{"AlarmName":"{name}","Namespace":"Shop","MetricName":"Errors","Statistic":"Sum","Period":60,
            "EvaluationPeriods":1,"Threshold":5.0,"ComparisonOperator":"GreaterThanThreshold"}}"#
        );
        assert_eq!(json(&mut world, "cloudwatch", "PutMetricAlarm", &body), (200, tree!({})));
    }
    let mut names = |body: &str| {
        let (_, answer) = json(&mut world, "cloudwatch", "DescribeAlarms", body);
        let alarms = answer["MetricAlarms"].as_array().unwrap();
        let names: Vec<_> = alarms.iter().map(|a| a["AlarmName"].as_str().unwrap().to_owned()).collect();
        (names.concat(), answer["NextToken"].as_str().map(str::to_owned))
    };
    assert_eq!(names("{}"), ("abc".to_owned(), None));
    assert_eq!(names(r#"{"MaxRecords":2}"#), ("ab".to_owned(), Some("2".to_owned())));
    assert_eq!(names(r#"{"MaxRecords":2,"NextToken":"2"}"#), ("c".to_owned(), None));
    assert_eq!(names(r#"{"AlarmTypes":["CompositeAlarm"]}"#), (String::new(), None));
    assert_eq!(names(r#"{"AlarmNames":["b"],"AlarmTypes":["MetricAlarm"]}"#), ("b".to_owned(), None));
}
