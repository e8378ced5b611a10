//! The judgement of one evaluation, as CloudWatch documents it; pure, over the points of the evaluation range.

use jiff::Timestamp;

use crate::world::cloudwatch::PutMetricAlarm;

/// CloudWatch looks at more periods than N, so that late and missing points do not decide by themselves:
/// two more, and never fewer than five.
pub(super) fn range(evaluation_periods: usize) -> usize {
    (evaluation_periods + 2).max(5)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    pub(super) fn parse(text: &str) -> Option<Comparison> {
        match text {
            "GreaterThanThreshold" => Some(Comparison::Greater),
            "GreaterThanOrEqualToThreshold" => Some(Comparison::GreaterOrEqual),
            "LessThanThreshold" => Some(Comparison::Less),
            "LessThanOrEqualToThreshold" => Some(Comparison::LessOrEqual),
            _ => None,
        }
    }

    fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Comparison::Greater => value > threshold,
            Comparison::GreaterOrEqual => value >= threshold,
            Comparison::Less => value < threshold,
            Comparison::LessOrEqual => value <= threshold,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Comparison::Greater => "greater than",
            Comparison::GreaterOrEqual => "greater than or equal to",
            Comparison::Less => "less than",
            Comparison::LessOrEqual => "less than or equal to",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingData {
    Missing,
    NotBreaching,
    Breaching,
    Ignore,
}

impl MissingData {
    pub(super) fn parse(text: Option<&str>) -> MissingData {
        match text {
            Some("notBreaching") => MissingData::NotBreaching,
            Some("breaching") => MissingData::Breaching,
            Some("ignore") => MissingData::Ignore,
            Some(_) | None => MissingData::Missing,
        }
    }
}

pub(super) struct Question<'a> {
    /// The evaluation range, oldest first; `None` is a missing point.
    pub(super) points: &'a [Option<f64>],
    /// N.
    pub(super) wanted: usize,
    /// M.
    pub(super) to_alarm: usize,
    pub(super) comparison: Comparison,
    pub(super) threshold: f64,
    pub(super) missing: MissingData,
}

pub(super) struct Judged {
    /// `None` keeps the current state.
    pub(super) state: Option<&'static str>,
    /// How many points had to be filled.
    pub(super) filled: usize,
}

/// Judges the most recent N points that exist; only if fewer exist are missing ones filled by the treatment.
pub(super) fn judge(question: &Question<'_>) -> Judged {
    let real: Vec<f64> = question.points.iter().rev().flatten().take(question.wanted).copied().collect();
    let filled = question.wanted - real.len();
    let breaching = real.iter().filter(|v| question.comparison.breaches(**v, question.threshold)).count();
    let alarm_if = |holds: bool| Some(if holds { "ALARM" } else { "OK" });
    let state = match (filled, question.missing) {
        (0, _) => alarm_if(breaching >= question.to_alarm),
        (_, MissingData::Missing) if real.is_empty() => Some("INSUFFICIENT_DATA"),
        (_, MissingData::Missing) => alarm_if(breaching >= question.to_alarm.min(real.len())),
        (_, MissingData::NotBreaching) => alarm_if(breaching >= question.to_alarm),
        (_, MissingData::Breaching) => alarm_if(breaching + filled >= question.to_alarm),
        (_, MissingData::Ignore) if breaching >= question.to_alarm => Some("ALARM"),
        (_, MissingData::Ignore) if breaching < real.len() => Some("OK"),
        (_, MissingData::Ignore) => None,
    };
    Judged { state, filled }
}

/// Returns the reason in CloudWatch's words. `used` are the points judged, newest first.
pub(super) fn reason(
    alarm: &PutMetricAlarm,
    to: &str,
    used: &[(i64, f64)],
    filled: usize,
    comparison: Comparison,
) -> String {
    let wanted = alarm.evaluation_periods.unwrap_or(1) as usize;
    let needed = alarm.datapoints_to_alarm.map_or(wanted, |m| m as usize);
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    if to == "INSUFFICIENT_DATA" {
        let verb = if wanted == 1 { "was" } else { "were" };
        return format!("Insufficient Data: {wanted} datapoint{} {verb} unknown.", plural(wanted));
    }
    let treated = match MissingData::parse(alarm.treat_missing_data.as_deref()) {
        MissingData::NotBreaching => "NonBreaching",
        MissingData::Breaching => "Breaching",
        MissingData::Missing | MissingData::Ignore => "Missing",
    };
    if used.is_empty() {
        let verb = if filled == 1 { "was" } else { "were" };
        return format!(
            "Threshold Crossed: no datapoints were received for {wanted} period{} and {filled} missing datapoint{} {verb} treated as [{treated}].",
            plural(wanted),
            plural(filled),
        );
    }
    let threshold = alarm.threshold.unwrap_or(0.0);
    let crossing = |value: f64| comparison.breaches(value, threshold) == (to == "ALARM");
    let count = used.iter().filter(|(_, value)| crossing(*value)).count().max(1);
    let minute = |second: i64| {
        let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        at.strftime("%d/%m/%y %H:%M:%S").to_string()
    };
    let points: Vec<String> = used.iter().map(|(at, value)| format!("{value:?} ({})", minute(*at))).collect();
    let verb = if count == 1 { "was" } else { "were" };
    let not = if to == "ALARM" { "" } else { "not " };
    let (back, needs) = if to == "ALARM" { ("OK -> ALARM", needed) } else { ("ALARM -> OK", wanted + 1 - needed) };
    format!(
        "Threshold Crossed: {count} out of the last {} datapoint{} [{}] {verb} {not}{} the threshold ({threshold:?}) (minimum {needs} datapoint{} for {back} transition).",
        used.len(),
        plural(used.len()),
        points.join(", "),
        comparison.words(),
        plural(needs),
    )
}
