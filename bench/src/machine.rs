//! How quick the machine decides: the steps of a real rollout again, and whole rollouts in process on virtual time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use sandbox::demo;
use sandbox::inprocess::InProcess;
use sandbox::world::World;
use tidegate::api::{Answer, Ask, CommandRequest, Order, Told};
use tidegate::audit::AuditEntry;
use tidegate::ids::RolloutId;
use tidegate::machine::event::Event;
use tidegate::machine::{self, Now};
use tidegate::ports::RolloutStore;
use tidegate::rollout::{Phase, Rollout, Track};

use crate::Failure;

/// Monday, 2 March 2026, 09:00 UTC.
const START: Timestamp = Timestamp::constant(1_772_442_000, 0);
/// Who starts them.
const BY: &str = "arn:aws:iam::012345678901:user/bench";
/// Between two looks at whether a rollout has ended.
const LOOK: SignedDuration = SignedDuration::from_secs(10);
/// Good rollouts take less than twenty minutes.
const LONGEST: SignedDuration = SignedDuration::from_mins(60);
/// How long each measurement goes on.
const MEASURED: Duration = Duration::from_secs(5);

/// What the machine was given once.
type Given = (Rollout, Vec<Event>, Now);

/// Prints both.
pub fn print() -> Result<(), Failure> {
    let (sandbox, id) = promoted(1)?;
    let steps = replayed(&sandbox, &id)?;
    let (mut passes, mut spent) = (0_u32, Duration::ZERO);
    while spent < MEASURED / 5 {
        let given = steps.clone();
        let started = Instant::now();
        for (rollout, events, now) in given {
            black_box(machine::step(rollout, events, now));
        }
        spent += started.elapsed();
        passes += 1;
    }
    let each = spent / passes / u32::try_from(steps.len())?;
    println!("| what | figure |\n|---|---|");
    println!("| `machine::step`, mean over the {} steps of a good rollout | {} ns |", steps.len(), each.as_nanos());

    let (mut seed, started) = (1, Instant::now());
    while started.elapsed() < MEASURED {
        seed += 1;
        promoted(seed)?;
    }
    let each_second = (seed - 1) as f64 / started.elapsed().as_secs_f64();
    println!(
        "| whole good rollouts in process, the World and its users included | {each_second:.1} a second and core |"
    );
    Ok(())
}

/// Rolls a good revision out in process.
fn promoted(seed: u64) -> Result<(InProcess, RolloutId), Failure> {
    let mut world = World::new(seed, START);
    let estate = demo::estate();
    estate.build(&mut world)?;
    let revision = estate.register_revision(&mut world, "1.1.0", sandbox::world::Behaviour::default())?;
    let sandbox = InProcess::new(world);
    let order = Order::Start { spec: demo::SPEC.to_owned(), task_definition: Some(revision), track: Track::default() };
    let request = CommandRequest { key: "bench".to_owned(), order };
    let begun = sandbox.command(&request, BY);
    sandbox.run_for(LOOK);
    let id = match sandbox.ask(&Ask::Answer { key: request.key }) {
        Told::Answer { answer: Some(Answer::Started { rollout }) } => rollout,
        other => return Err(format!("the rollout does not begin: {begun:?}, {other:?}").into()),
    };
    let end = sandbox.world().now() + LONGEST;
    while sandbox.world().now() < end {
        sandbox.run_for(LOOK);
        let rollout = stored(&sandbox, &id)?;
        if rollout.is_finished() {
            let promoted = matches!(rollout.phase, Phase::Healthy);
            return if promoted { Ok((sandbox, id)) } else { Err(format!("{id} ended as {:?}", rollout.phase).into()) };
        }
    }
    Err(format!("{id} has not ended within {LONGEST:#}").into())
}

fn stored(sandbox: &InProcess, id: &RolloutId) -> Result<Rollout, Failure> {
    let loaded = sandbox.load(id).now_or_never().ok_or("the in-process ports never wait")??;
    Ok(loaded.ok_or("there is no such rollout")?.rollout)
}

/// Takes the journal's inputs through the machine again, and returns each with the record that it met.
fn replayed(sandbox: &InProcess, id: &RolloutId) -> Result<Vec<Given>, Failure> {
    let last = stored(sandbox, id)?;
    let journal: Vec<AuditEntry> =
        sandbox.journal(id, 1, u32::MAX).now_or_never().ok_or("the in-process ports never wait")??;
    let (first, rest) = journal.split_first().ok_or("the journal is empty")?;
    let now = |entry: &AuditEntry| Now { at: entry.now, rate: 1 };
    let (spec, plan, baseline) = (last.spec.clone(), last.plan.clone(), last.baseline.clone());
    let (mut rollout, _) = Rollout::begin(id.clone(), spec, plan, baseline, last.started_by.clone(), now(first));
    let mut steps = Vec::new();
    for entry in rest {
        steps.push((rollout.clone(), entry.inputs.clone(), now(entry)));
        rollout = machine::step(rollout, entry.inputs.clone(), now(entry)).rollout;
    }
    if rollout != last {
        return Err("the journal does not lead to the record: this measures something else".into());
    }
    Ok(steps)
}
