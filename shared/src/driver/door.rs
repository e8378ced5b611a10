//! What comes in through each function's door, and where it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::future::{FutureExt, join, join_all};
use jiff::SignedDuration;

use super::start::start;
use super::{Driver, World};
use crate::analysis::Measured;
use crate::events::sqs::Record;
use crate::events::{self, Arrival, Home, Ignored, Message, ParseError, StartRequest};
use crate::fault::Fault;
use crate::ids::{RolloutId, ServiceArn};
use crate::machine::effect::Effect;
use crate::machine::event::{AlarmChange, Event};
use crate::ports::{Queue, RolloutStore, WakeUps};
use crate::telemetry::{self, Metric};

/// Rollouts that the alarm function sends home itself; the others go through the command queue.
const ROLLOUTS_PER_ALARM: usize = 15;

/// The panic itself is in the log, where the runtime put it.
const PANICKED: &str = "the function panicked over it";

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records that are to be delivered again, and why.
    pub failed: Vec<Failed>,
    /// What was well-formed and none of our business.
    pub ignored: Vec<Ignored>,
}

/// A record that is to be delivered again; after a few times it is a dead letter.
#[derive(Debug)]
pub struct Failed {
    /// Its message id.
    pub id: String,
    /// Why, in a sentence.
    pub why: String,
}

/// What one rollout gets out of a batch: all of it is one step and one look.
#[derive(Default)]
struct Mail {
    events: Vec<Event>,
    effects: Vec<Effect>,
    records: BTreeSet<String>,
}

/// Takes a batch of queue records: the controller's door. One record's failure is its own.
pub async fn batch<P: World>(driver: &Driver<'_, P>, home: &Home, records: Vec<Record>) -> Batch {
    let mut batch = Batch::default();
    let mut mail: BTreeMap<RolloutId, Mail> = BTreeMap::new();
    let mut of_services: Vec<(String, ServiceArn, Event)> = Vec::new();
    let mut alarms: Vec<(String, AlarmChange)> = Vec::new();
    let mut starts: Vec<(String, StartRequest)> = Vec::new();
    for Record { id, body, .. } in records {
        let Ok(parsed) = catch_unwind(|| events::parse(&body, home)) else {
            batch.fail(id, PANICKED.into());
            continue;
        };
        match parsed {
            Err(error) => batch.fail(id, parse_failure(&error)),
            Ok(Arrival::Ignored(ignored)) => batch.ignored.push(ignored),
            Ok(Arrival::Rollout { rollout, event }) => mail.entry(rollout).or_default().add(id, event),
            Ok(Arrival::Effects { rollout, effects }) => {
                let mail = mail.entry(rollout).or_default();
                mail.effects.extend(effects);
                mail.records.insert(id);
            }
            Ok(Arrival::Service { service, event }) => of_services.push((id, service, event)),
            Ok(Arrival::Alarm(change)) => alarms.push((id, change)),
            Ok(Arrival::Start(request)) => starts.push((id, request)),
            Ok(Arrival::Measure(_)) => batch.fail(id, "a question to CloudWatch in the controller's queue".into()),
        }
    }
    find_by_service(driver, of_services, &mut mail, &mut batch).await;
    find_by_alarm(driver, alarms, &mut mail, &mut batch).await;
    // Boxed, because side by side on the stack they take a quarter of a megabyte, and a foreign batch needs none of it.
    let given = mail.into_iter().map(|(id, mail)| {
        Box::pin(async move {
            let records = mail.records.clone();
            (records, caught(deliver(driver, &id, mail)).await)
        })
    });
    let started = starts.into_iter().map(|(id, request)| {
        Box::pin(async move {
            let answer = caught(async { start(driver, &request).await.map(|_| ()) });
            (BTreeSet::from([id]), answer.await)
        })
    });
    let (given, started) = (join_all(given), join_all(started));
    let (given, started) = join(given, started).await;
    for (records, result) in given.into_iter().chain(started) {
        if let Err(fault) = result {
            records.into_iter().for_each(|id| batch.fail(id, fault.to_string()));
        }
    }
    batch
}

/// A panic is the failure of the one rollout that it happened to: its batch mates go on.
async fn caught(work: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(Fault::transient(PANICKED)))
}

async fn deliver<P: World>(driver: &Driver<'_, P>, id: &RolloutId, mail: Mail) -> Result<(), Fault> {
    if !mail.events.is_empty() {
        driver.give(id, mail.events, None).await?;
    }
    if !mail.effects.is_empty() {
        driver.perform_handed_on(id, mail.effects).await?;
    }
    Ok(())
}

/// At most one table read for all services of a batch.
async fn find_by_service<P: World>(
    driver: &Driver<'_, P>,
    of_services: Vec<(String, ServiceArn, Event)>,
    mail: &mut BTreeMap<RolloutId, Mail>,
    batch: &mut Batch,
) {
    if of_services.is_empty() {
        return;
    }
    let services: BTreeSet<&ServiceArn> = of_services.iter().map(|(_, service, _)| service).collect();
    let services: Vec<&ServiceArn> = services.into_iter().collect();
    match driver.ports.by_services(&services).await {
        Err(fault) => of_services.into_iter().for_each(|(id, _, _)| batch.fail(id, fault.to_string())),
        Ok(found) => {
            for (id, service, event) in of_services {
                if let Some(rollout) = found.get(&service) {
                    mail.entry(rollout.clone()).or_default().add(id, event);
                }
            }
        }
    }
}

async fn find_by_alarm<P: World>(
    driver: &Driver<'_, P>,
    alarms: Vec<(String, AlarmChange)>,
    mail: &mut BTreeMap<RolloutId, Mail>,
    batch: &mut Batch,
) {
    for (id, change) in alarms {
        match driver.ports.by_alarm(&change.alarm).await {
            Err(fault) => batch.fail(id, fault.to_string()),
            Ok(rollouts) => {
                for rollout in rollouts {
                    mail.entry(rollout).or_default().add(id.clone(), Event::Alarm(change.clone()));
                }
            }
        }
    }
}

impl Mail {
    fn add(&mut self, record: String, event: Event) {
        self.events.push(event);
        self.records.insert(record);
    }
}

impl Batch {
    fn fail(&mut self, id: String, why: String) {
        self.failed.push(Failed { id, why });
    }
}

fn parse_failure(error: &ParseError) -> String {
    format!("{error} ({})", error.hint)
}

/// Takes one alarm event straight from EventBridge: find, load, write. Rollouts beyond the first few, and every
/// effect but weights home, go on through the command queue, to which the same event also went.
pub async fn alarm<P: World>(
    driver: &Driver<'_, P>,
    home: &Home,
    payload: &str,
) -> Result<Option<Ignored>, AlarmFailure> {
    let change = match events::parse(payload, home).map_err(AlarmFailure::Parse)? {
        Arrival::Alarm(change) => change,
        Arrival::Ignored(ignored) => return Ok(Some(ignored)),
        Arrival::Rollout { .. }
        | Arrival::Service { .. }
        | Arrival::Effects { .. }
        | Arrival::Start(_)
        | Arrival::Measure(_) => return Err(AlarmFailure::NoAlarm),
    };
    let now = driver.ports.now().at;
    telemetry::record(&Metric::DecisionLag { seconds: now.duration_since(change.at).as_secs_f64() }, now);
    let rollouts = driver.ports.by_alarm(&change.alarm).await?;
    let (mine, others) = rollouts.split_at(rollouts.len().min(ROLLOUTS_PER_ALARM));
    let given = mine.iter().map(|id| driver.give(id, vec![Event::Alarm(change.clone())], None));
    let handed_on = others.iter().map(|id| async {
        let message = Message::Event { rollout: id.clone(), event: Event::Alarm(change.clone()) };
        driver.ports.send(Queue::Commands, &message, SignedDuration::ZERO).await
    });
    let (given, handed_on) = join(join_all(given), join_all(handed_on)).await;
    for result in given {
        result?;
    }
    for result in handed_on {
        result?;
    }
    Ok(None)
}

/// Why an alarm event could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum AlarmFailure {
    /// It is no event.
    #[error("{0} ({hint})", hint = .0.hint)]
    Parse(ParseError),
    /// It is an event of another kind.
    #[error("not an alarm's event: the rule that invokes this function matches too much")]
    NoAlarm,
    /// A port failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Sends every unfinished rollout a tick: the sweep's door. One query; no other read.
pub async fn sweep<P: RolloutStore + WakeUps>(ports: &P) -> Result<usize, Fault> {
    let unfinished = ports.unfinished().await?;
    let ticks = unfinished.iter().map(|unfinished| async {
        let message = Message::Event { rollout: unfinished.rollout.clone(), event: Event::Tick };
        ports.send(Queue::WakeUps, &message, SignedDuration::ZERO).await
    });
    for sent in join_all(ticks).await {
        sent?;
    }
    Ok(unfinished.len())
}

/// Answers questions to CloudWatch: the analysis function's door. It can do nothing else.
pub async fn measure<P>(ports: &P, home: &Home, records: Vec<Record>) -> Batch
where
    P: crate::ports::MetricProvider + WakeUps,
{
    let mut batch = Batch::default();
    for Record { id, body, .. } in records {
        match events::parse(&body, home) {
            Ok(Arrival::Measure(request)) => {
                let readings = ports.measure(&request).await;
                let measured = Measured { run: request.run, generation: request.generation, readings };
                let message = Message::Event { rollout: request.rollout, event: Event::Measured(measured) };
                if let Err(fault) = ports.send(Queue::Commands, &message, SignedDuration::ZERO).await {
                    batch.fail(id, fault.to_string());
                }
            }
            Ok(Arrival::Ignored(ignored)) => batch.ignored.push(ignored),
            Ok(
                Arrival::Rollout { .. }
                | Arrival::Service { .. }
                | Arrival::Alarm(_)
                | Arrival::Effects { .. }
                | Arrival::Start(_),
            ) => batch.fail(id, "not a question to CloudWatch".into()),
            Err(error) => batch.fail(id, parse_failure(&error)),
        }
    }
    batch
}
