//! `tidegate sandbox demo`: a good revision is promoted, a bad one goes home by itself, and an account of both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sandbox::Sandbox;
use sandbox::chronicle::Transition;
use sandbox::demo::{self, Kill, KillCost, Summary, Wanted};
use sandbox::world::{Config, Sabotage};
use tidegate::api::{Answer, Order};
use tidegate::ids::RolloutId;
use tidegate::rollout::Track;
use tokio::runtime::Runtime;

use super::super::{Context, get};
use super::{place, story};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Problem};
use crate::link::{self, Link, Place};
use crate::orders::{self, KeyFlag};
use crate::{names, view};

/// Between two looks at what was committed.
const GLANCE: Duration = Duration::from_millis(50);

/// Wall time after which a rollout that has not ended ends the demo: at the usual rate three times what it takes.
const ROLLOUT_MAX: Duration = Duration::from_secs(600);

/// Roll out a good revision, then a bad one, on this machine
///
/// Exits 0 only if the good one was promoted, the bad one went home by itself, and the controller caused no user error.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Virtual seconds per wall second that are asked for; a slow machine gets fewer
    #[arg(long, value_name = "N", default_value_t = demo::RATE, value_parser = clap::value_parser!(u32).range(1..=600))]
    rate: u32,
    /// Share of the bad revision's responses that are 5xx, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = demo::BAD_SHARE, value_parser = share)]
    bad_share: f64,
    /// The same seed draws the same traffic, task starts and delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// SIGKILL a function in the middle of its work, in a step counted from 1, and say what that cost
    #[arg(long, value_name = "FUNCTION[@STEP]")]
    kill: Option<Kill>,
    /// Let the controller make a mistake, for proof that the figure sees it: weight-before-health,
    /// scale-in-before-drain or no-settling
    #[arg(long, value_name = "MISTAKE")]
    sabotage: Option<Sabotage>,
    #[command(flatten)]
    place: place::Flags,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share is between 0 and 1".to_owned()) }
}

/// Who is killed, and what was killed so far.
struct Struck {
    kill: Kill,
    /// The killed invocation, and the step that it was in.
    invocation: Mutex<Option<(String, String)>>,
}

/// One run.
struct Demo<'a> {
    sandbox: Arc<Sandbox>,
    link: Link,
    console: &'a mut Console,
    /// How many transitions were told.
    told: usize,
    /// At the start of the run.
    began: Timestamp,
    /// Whether the controller makes a mistake.
    sabotaged: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut options = args.place.options(&mut context.console)?;
    options.rate = args.rate;
    options.seed = args.seed;
    options.estates = vec![demo::estate()];
    if let Some(sabotage) = args.sabotage {
        options.world = Config { sabotage: Some(sabotage), ..options.world.slow_nodes() };
    }
    let runtime = place::runtime()?;
    let sandbox = runtime.block_on(Sandbox::start(options)).map_err(|error| place::not_started(&error))?;
    let sandbox = Arc::new(sandbox);
    let outcome = play(args, &runtime, &sandbox, &mut context.console);
    runtime.block_on(sandbox.end());
    outcome
}

fn play(args: &Args, runtime: &Runtime, sandbox: &Arc<Sandbox>, console: &mut Console) -> Outcome {
    let flags = link::Flags { sandbox: Some(sandbox.url().to_owned()), ..link::Flags::default() };
    let link = Link::to(Place::decide(&flags, |_| None)?);
    console.story(&story::beginning(sandbox.url(), sandbox.rate(), args.rate));
    if let Some(sabotage) = args.sabotage {
        console.story(&story::sabotage(sabotage));
    }
    let struck = args.kill.clone().map(|kill| strike(runtime, sandbox, kill));
    let mut demo = Demo {
        sandbox: sandbox.clone(),
        link,
        console,
        told: 0,
        began: sandbox.now(),
        sabotaged: args.sabotage.is_some(),
    };
    let good = demo.roll_out("1.1.0", 0.0)?;
    let mut rollouts = vec![(good.clone(), Wanted::Promoted)];
    if demo.ended_as(&good, "Healthy") {
        let bad = demo.roll_out("1.2.0", args.bad_share)?;
        rollouts.push((bad, Wanted::Home));
    }
    let cost = struck.and_then(|struck| struck.cost(sandbox));
    let killed = cost.is_some();
    let summary = Summary::of(sandbox, &rollouts, cost);
    console.data(&summary, |width| view::demo::lines(&summary, width))?;
    let mut failures = summary.failures();
    if let (Some(kill), false) = (&args.kill, killed) {
        failures.push(format!("`{}` was not killed: it did nothing in that step", kill.function));
    }
    if let (Some(sabotage), 0, None) = (args.sabotage, summary.user_errors_total, &summary.overloaded) {
        failures.push(format!("`{sabotage}` caused no user error: the figure does not see it"));
    }
    if failures.is_empty() {
        return Ok(Exit::Ok);
    }
    let problems = failures.into_iter().map(|what| Problem { what, hint: None }).collect();
    Err(Failure { exit: Exit::Unexpected, problems })
}

fn strike(runtime: &Runtime, sandbox: &Arc<Sandbox>, kill: Kill) -> Arc<Struck> {
    let struck = Arc::new(Struck { kill, invocation: Mutex::default() });
    let (sandbox, mine) = (sandbox.clone(), struck.clone());
    runtime.spawn(async move {
        let killed = mine.kill.strike(&sandbox).await;
        *mine.invocation.lock().unwrap_or_else(PoisonError::into_inner) = Some(killed);
    });
    struck
}

impl Struck {
    fn cost(&self, sandbox: &Sandbox) -> Option<KillCost> {
        let invocation = self.invocation.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, during) = invocation.as_ref()?;
        self.kill.cost(sandbox, id, during)
    }
}

impl Demo<'_> {
    /// Rolls a revision out as a person does, and follows it to its end.
    fn roll_out(&mut self, tag: &str, error_share: f64) -> Result<RolloutId, Failure> {
        let revision = demo::register(&self.sandbox, tag, error_share)
            .map_err(|error| Failure::new(Exit::Unexpected, error.to_string(), "the World refuses its own revision"))?;
        self.console.story(&story::revision(&revision, error_share));
        let order =
            Order::Start { spec: demo::SPEC.to_owned(), task_definition: Some(revision), track: Track::ByWindow };
        let rollout = match orders::carry_out(&mut self.link, &orders::request(&KeyFlag { key: None }, order))? {
            Answer::Started { rollout } => rollout,
            Answer::Refused { refusals } => return Err(Failure::refused("cannot start `checkout`", &refusals)),
            other @ (Answer::Accepted | Answer::Queued { .. } | Answer::Done { .. } | Answer::NoOp { .. }) => {
                return Err(Failure::misunderstood("a start", &format!("{other:?}")));
            }
        };
        if self.console.live {
            let report = names::newest(&mut self.link, rollout.as_str())?;
            let (sandbox, sabotaged) = (self.sandbox.clone(), self.sabotaged);
            let no_use = || sandbox.overloaded().is_some() || (sabotaged && is_paused(&sandbox, &rollout));
            let exit = get::watch_live(&mut self.link, self.console, report, no_use)?;
            if exit == Exit::Interrupted || !self.over(&rollout) {
                return Err(Failure::told(Exit::Interrupted));
            }
        } else {
            self.tell_until_the_end(&rollout)?;
        }
        Ok(rollout)
    }

    /// One line per transition, as it is committed.
    fn tell_until_the_end(&mut self, rollout: &RolloutId) -> Result<(), Failure> {
        let started = std::time::Instant::now();
        loop {
            let over = self.over(rollout);
            let transitions = self.sandbox.chronicle().transitions();
            for transition in transitions.iter().skip(self.told) {
                self.tell(transition)?;
            }
            self.told = transitions.len();
            if over || started.elapsed() > ROLLOUT_MAX {
                return Ok(());
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn tell(&mut self, transition: &Transition) -> Result<(), Failure> {
        let began = self.began;
        Ok(self.console.next(transition, || story::transition(transition, began))?)
    }

    /// Whether the rollout has ended, or there is no use in waiting for it.
    fn over(&self, rollout: &RolloutId) -> bool {
        self.sandbox.overloaded().is_some()
            || (self.sabotaged && is_paused(&self.sandbox, rollout))
            || ["Healthy", "Degraded"].iter().any(|end| self.ended_as(rollout, end))
    }

    fn ended_as(&self, rollout: &RolloutId, phase: &str) -> bool {
        self.sandbox.chronicle().transitions().iter().any(|t| t.rollout == *rollout && t.phase == phase)
    }
}

/// Whether the rollout waits for a person: a mistake may look like a foreign hand, and nobody resumes the demo's.
fn is_paused(sandbox: &Sandbox, rollout: &RolloutId) -> bool {
    sandbox.chronicle().last().is_some_and(|last| last.rollout == *rollout && last.phase == "Paused")
}
