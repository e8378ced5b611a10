//! What every function does around its door: who and until when, and how its answer is written for Lambda.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

use crate::api::{Answer, Refusal, Told};
use crate::aws::clock::FunctionClock;
use crate::driver::Batch;
use crate::events::sqs::BatchAnswer;
use crate::events::{Home, Ignored, ParseError, Reason};
use crate::fault::Fault;
use crate::ports::Clock;
use crate::telemetry::{self, Metric};

/// One invocation: where this installation is, and when there is no more time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Account and Region of the function itself: AWS events of others are none of its business.
    pub home: Home,
    /// In domain time.
    pub until: Timestamp,
}

/// The runtime named no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no ARN of a function: the account and the Region of this installation are read from it")]
pub struct NoHome(String);

impl Invocation {
    /// Reads what the runtime says of the invocation.
    pub fn of(function_arn: &str, deadline: SystemTime, clock: FunctionClock) -> Result<Self, NoHome> {
        let unreadable = || NoHome(function_arn.to_owned());
        let mut parts = function_arn.split(':').skip(3);
        let (Some(region), Some(account)) = (parts.next(), parts.next()) else { return Err(unreadable()) };
        if region.is_empty() || account.is_empty() {
            return Err(unreadable());
        }
        let deadline = Timestamp::try_from(deadline).map_err(|_| unreadable())?;
        let home = Home { account: account.to_owned(), region: region.to_owned() };
        Ok(Self { home, until: clock.at(deadline) })
    }
}

/// Logs what failed in a batch, counts what was ignored, and names the records to be delivered again.
pub fn batch_answer(batch: Batch, clock: FunctionClock) -> BatchAnswer {
    ignored(&batch.ignored, clock);
    for failed in &batch.failed {
        tracing::warn!(message.id = %failed.id, why = %failed.why, "A record is to be delivered again");
    }
    BatchAnswer::failed(batch.failed.into_iter().map(|failed| failed.id))
}

/// Counts what was none of our business, by reason.
pub fn ignored(ignored: &[Ignored], clock: FunctionClock) {
    let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
    for one in ignored {
        tracing::debug!(reason = %one.reason, what = %one.what, "Ignored");
        *counts.entry(one.reason).or_default() += 1;
    }
    for (reason, count) in counts {
        telemetry::record(&Metric::Ignored { reason: reason.as_str(), count }, clock.now().at);
    }
}

/// What a Function URL answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    headers: BTreeMap<&'static str, &'static str>,
    body: String,
}

impl Reply {
    /// Answers a command.
    pub fn to_command(answer: Result<Answer, Fault>) -> Self {
        match answer {
            Ok(answer) => {
                let status = match &answer {
                    Answer::Started { .. } | Answer::Done { .. } | Answer::NoOp { .. } => 200,
                    Answer::Accepted | Answer::Queued { .. } => 202,
                    Answer::Refused { .. } => 409,
                };
                Self::of(status, &answer)
            }
            Err(fault) => Self::failed(&fault, |refusals| Self::of(409, &Answer::Refused { refusals })),
        }
    }

    /// Answers a question.
    pub fn to_question(told: Result<Told, Fault>) -> Self {
        match told {
            Ok(told) => {
                let status = match &told {
                    Told::Rollout { .. }
                    | Told::Rollouts { .. }
                    | Told::Journal { .. }
                    | Told::Answer { .. }
                    | Told::Plan { .. }
                    | Told::Init { .. } => 200,
                    Told::NotFound { .. } => 404,
                    Told::Refused { .. } => 409,
                };
                Self::of(status, &told)
            }
            Err(fault) => Self::failed(&fault, |refusals| Self::of(409, &Told::Refused { refusals })),
        }
    }

    /// Answers a call that nobody signed.
    pub fn unsigned(error: &ParseError) -> Self {
        Self::of(403, &Answer::Refused { refusals: vec![refusal(error)] })
    }

    /// Answers a body that is no command.
    pub fn no_command(error: &ParseError) -> Self {
        Self::of(400, &Answer::Refused { refusals: vec![refusal(error)] })
    }

    /// Answers a body that is no question.
    pub fn no_question(error: &ParseError) -> Self {
        Self::of(400, &Told::Refused { refusals: vec![refusal(error)] })
    }

    /// A fault that passes is for the caller to try again, with the same key; one that stays is a refusal.
    fn failed(fault: &Fault, refused: impl FnOnce(Vec<Refusal>) -> Self) -> Self {
        tracing::warn!(%fault, "A call failed");
        match fault {
            Fault::Transient { why } | Fault::Conflict { why } => Self::of(503, &BTreeMap::from([("message", why)])),
            Fault::Permanent { .. } => {
                let hint = "the function's role, or what the call names, has to be put right";
                refused(vec![Refusal::new(fault.to_string(), hint)])
            }
        }
    }

    fn of(status_code: u16, body: &impl Serialize) -> Self {
        let headers = BTreeMap::from([("content-type", "application/json")]);
        match serde_json::to_string(body) {
            Ok(body) => Self { status_code, headers, body },
            Err(why) => Self { status_code: 500, headers, body: format!("{{\"message\":\"{why}\"}}") },
        }
    }
}

fn refusal(error: &ParseError) -> Refusal {
    Refusal::new(error.what.clone(), error.hint.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::Obstacle;

    #[test]
    fn home_and_deadline_come_from_the_invocation() {
        let arn = "arn:aws:lambda:eu-west-1:012345678901:function:tidegate-controller";
        let deadline = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        let invocation = Invocation::of(arn, deadline, FunctionClock::wall()).unwrap();
        assert_eq!(invocation.home, Home { account: "012345678901".into(), region: "eu-west-1".into() });
        assert_eq!(invocation.until.as_second(), 60);
        let bent: FunctionClock = "1970-01-01T01:00:00Z,1970-01-01T00:00:00Z,60".parse().unwrap();
        assert_eq!(Invocation::of(arn, deadline, bent).unwrap().until.as_second(), 3600 + 3600);
        assert!(Invocation::of("controller", deadline, FunctionClock::wall()).is_err());
    }

    #[test]
    fn a_reply_says_by_its_status_what_became_of_the_call() {
        let rollout = crate::ids::RolloutId::new("checkout-01");
        let transient = Fault::transient("throttled");
        let denied = Fault::permanent(Obstacle::AccessDenied, "no");
        let cases = [
            (Reply::to_command(Ok(Answer::Started { rollout })), 200),
            (Reply::to_command(Ok(Answer::Accepted)), 202),
            (Reply::to_command(Ok(Answer::Refused { refusals: vec![] })), 409),
            (Reply::to_command(Err(transient)), 503),
            (Reply::to_command(Err(denied.clone())), 409),
            (Reply::to_question(Ok(Told::NotFound { what: "x".into() })), 404),
            (Reply::to_question(Err(denied)), 409),
        ];
        for (reply, status) in cases {
            assert_eq!(reply.status_code, status, "{}", reply.body);
        }
    }
}
