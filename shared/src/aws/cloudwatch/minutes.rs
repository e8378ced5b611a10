//! What GetMetricData answers: one number per minute and query, where there is one.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{MessageData, MetricDataResult, StatusCode};

/// Numbers by minute, in seconds since 1970. A minute that is not in it had no data.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Series {
    /// The numbers.
    pub minutes: BTreeMap<i64, f64>,
    partial: bool,
}

/// A question's answer, over all its pages.
#[derive(Debug, PartialEq)]
pub enum Answered {
    /// Every query to its end.
    Whole(BTreeMap<String, Series>),
    /// At least one was cut short; which.
    InPart(String),
}

/// Returns what CloudWatch complains about, though the call succeeded.
pub fn complaint(messages: &[MessageData]) -> Option<String> {
    let said = messages.iter().map(|message| {
        let code = message.code().unwrap_or("message");
        format!("{code}: {}", message.value().unwrap_or("no words"))
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Adds a page. The last status of a query is the one that counts.
pub fn gather(series: &mut BTreeMap<String, Series>, page: &[MetricDataResult]) -> Result<(), String> {
    for result in page {
        let id = result.id().ok_or("GetMetricData answered without an id")?;
        if let Some(why) = complaint(result.messages()) {
            return Err(why);
        }
        let one = series.entry(id.to_owned()).or_default();
        one.partial = match result.status_code() {
            Some(StatusCode::Complete) => false,
            Some(StatusCode::PartialData) => true,
            Some(other) => return Err(format!("GetMetricData says {other} of a query")),
            None => return Err("GetMetricData answered without a status".to_owned()),
        };
        let points = result.timestamps().iter().zip(result.values());
        one.minutes.extend(points.map(|(at, value)| (at.secs(), *value)));
    }
    Ok(())
}

/// Tells whether every query was answered to its end.
pub fn answered(series: BTreeMap<String, Series>) -> Answered {
    let partial: Vec<&str> = series.iter().filter(|(_, one)| one.partial).map(|(id, _)| id.as_str()).collect();
    if partial.is_empty() {
        Answered::Whole(series)
    } else {
        Answered::InPart(format!("GetMetricData answers only in part ({})", partial.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::primitives::DateTime;

    use super::*;

    fn result(status: StatusCode, points: &[(i64, f64)]) -> MetricDataResult {
        let (at, values): (Vec<_>, Vec<_>) =
            points.iter().map(|(at, value)| (DateTime::from_secs(*at), *value)).unzip();
        let result = MetricDataResult::builder().id("m0_0").status_code(status);
        result.set_timestamps(Some(at)).set_values(Some(values)).build()
    }

    fn read(pages: &[MetricDataResult]) -> Result<Answered, String> {
        let mut series = BTreeMap::new();
        pages.iter().try_for_each(|page| gather(&mut series, std::slice::from_ref(page)))?;
        Ok(answered(series))
    }

    #[test]
    fn pages_add_up_and_the_last_status_counts() {
        let whole =
            read(&[result(StatusCode::PartialData, &[(60, 1.0)]), result(StatusCode::Complete, &[(0, 2.0)])]).unwrap();
        let Answered::Whole(series) = whole else { panic!("{whole:?}") };
        assert_eq!(series["m0_0"].minutes, BTreeMap::from([(0, 2.0), (60, 1.0)]));
        assert!(matches!(read(&[result(StatusCode::PartialData, &[])]), Ok(Answered::InPart(_))));
    }

    #[test]
    fn an_error_beside_http_200_is_an_error() {
        assert!(read(&[result(StatusCode::InternalError, &[])]).unwrap_err().contains("InternalError"));
        assert!(read(&[result(StatusCode::Forbidden, &[])]).unwrap_err().contains("Forbidden"));
        let message = MessageData::builder().code("ArithmeticError").value("One or more data-points").build();
        let complaining = MetricDataResult::builder().id("m0_0").status_code(StatusCode::Complete).messages(message);
        assert!(read(&[complaining.build()]).unwrap_err().starts_with("ArithmeticError: One"));
    }
}
