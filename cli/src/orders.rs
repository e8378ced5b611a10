//! Orders that change a rollout: sent with an idempotency key, and asked after until they are carried out.

use std::hash::{BuildHasher, RandomState};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use tidegate::api::{Answer, Ask, CommandRequest, Order, Told};
use tidegate::machine::event::Verb;
use tidegate::rollout::Track;
use ulid::Ulid;

use crate::console::{Console, Output};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::link::Link;
use crate::names;
use crate::view::line::Line;

/// An order that is queued is carried out within seconds; after this long something is wrong that a person should see.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(60);

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The flag that every mutating verb takes.
#[derive(Debug, Clone, clap::Args)]
pub struct KeyFlag {
    /// Idempotency key: the same key is carried out once, so an order without an answer can be repeated
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

impl KeyFlag {
    /// Returns the key that was given, or a new one.
    pub fn or_new(&self) -> String {
        self.key.clone().unwrap_or_else(new_key)
    }
}

/// Flags of the verbs that may take the fast track.
#[derive(Debug, Clone, clap::Args)]
pub struct TrackFlags {
    /// Only on the fast track: refused outside the spec's `rollbackWindow`
    #[arg(long, conflicts_with = "full_steps")]
    fast: bool,
    /// All steps, inside the `rollbackWindow`, too
    #[arg(long)]
    full_steps: bool,
}

impl TrackFlags {
    /// Returns the track that the flags say.
    pub fn track(&self) -> Track {
        match (self.fast, self.full_steps) {
            (true, _) => Track::Fast,
            (false, true) => Track::FullSteps,
            (false, false) => Track::ByWindow,
        }
    }
}

/// Flags of the verbs that move a rollout forward.
#[derive(Debug, Clone, clap::Args)]
pub struct Forward {
    /// A rollout's id, or the spec's name for the unfinished one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    /// The step that you saw, as `get` counts them, from 1
    #[arg(long, value_name = "STEP", conflicts_with = "no_check", value_parser = clap::value_parser!(u16).range(1..))]
    step: Option<u16>,
    /// Carry it out whatever the step is
    #[arg(long)]
    no_check: bool,
    #[command(flatten)]
    key: KeyFlag,
}

/// Flags of the verbs that stop a rollout. They check no step: where it is by then, it is to stop.
#[derive(Debug, Clone, clap::Args)]
pub struct Holding {
    /// A rollout's id, or the spec's name for the unfinished one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    #[command(flatten)]
    key: KeyFlag,
}

/// Sends a verb that moves a rollout forward, on the condition that it is still where the caller saw it.
pub fn forward(verb: Verb, flags: &Forward, link: &mut Link, console: &mut Console) -> Outcome {
    let (rollout, expected_step) = match (names::as_id(&flags.rollout), flags.step) {
        (Some(id), Some(step)) => (id, Some(usize::from(step) - 1)),
        (Some(id), None) if flags.no_check => (id, None),
        (_, step) => {
            let seen = names::unfinished(link, &flags.rollout)?;
            let step = step.map_or(seen.step, |step| usize::from(step) - 1);
            (seen.rollout, (!flags.no_check).then_some(step))
        }
    };
    let order = Order::Verb { rollout, verb, expected_step };
    let answer = carry_out(link, &request(&flags.key, order))?;
    conclude(console, &answer, &format!("cannot {verb} `{}`", flags.rollout))
}

/// Sends a verb that stops a rollout.
pub fn hold(verb: Verb, flags: &Holding, link: &mut Link, console: &mut Console) -> Outcome {
    let rollout = names::id_of_unfinished(link, &flags.rollout)?;
    let order = Order::Verb { rollout, verb, expected_step: None };
    let answer = carry_out(link, &request(&flags.key, order))?;
    conclude(console, &answer, &format!("cannot {verb} `{}`", flags.rollout))
}

/// Sends an order and waits until it is carried out or refused.
pub fn carry_out(link: &mut Link, request: &CommandRequest) -> Result<Answer, Failure> {
    let key = &request.key;
    let answer = link.order(request).map_err(|failure| with_key(failure, key))?;
    if answer != Answer::Accepted {
        return Ok(answer);
    }
    let asked_since = Instant::now();
    while asked_since.elapsed() < CARRIED_OUT_WITHIN {
        sleep(ASK_EVERY);
        match link.ask(&Ask::Answer { key: key.clone() }).map_err(|failure| with_key(failure, key))? {
            Told::Answer { answer: Some(answer) } if answer != Answer::Accepted => return Ok(answer),
            Told::Answer { .. } => {}
            other => return Err(names::unexpected("an answer", "cannot ask what became of the order", other)),
        }
    }
    Err(Failure::new(
        Exit::TimedOut,
        format!("the order is accepted, and not carried out after {} s", CARRIED_OUT_WITHIN.as_secs()),
        format!(
            "the same command with `--key {key}` asks again, and is carried out once; look at the controller's log"
        ),
    ))
}

/// Waits until a start that was queued has begun or was refused.
pub fn begun_after(link: &mut Link, key: &str, timeout: Option<Duration>) -> Result<Answer, Failure> {
    let asked_since = Instant::now();
    let mut key = key.to_owned();
    while timeout.is_none_or(|timeout| asked_since.elapsed() < timeout) {
        sleep(ASK_EVERY);
        match link.ask(&Ask::Answer { key: key.clone() })? {
            // Another rollout was quicker, and it waits for that one.
            Told::Answer { answer: Some(Answer::Queued { key: after, .. }) } => key = after,
            Told::Answer { answer: Some(answer) } if answer != Answer::Accepted => return Ok(answer),
            Told::Answer { .. } => {}
            other => return Err(names::unexpected("an answer", "cannot ask what became of the start", other)),
        }
    }
    Err(Failure::new(Exit::TimedOut, "the time to wait is over; the start is queued", "`list` shows what it waits for"))
}

/// Prints what became of an order; `cannot` is such as "cannot promote `checkout`".
pub fn conclude(console: &mut Console, answer: &Answer, cannot: &str) -> Outcome {
    if console.output == Output::Json {
        console.data(answer, |_| Vec::new())?;
    }
    let text = match answer {
        Answer::Started { rollout } => rollout.as_str(),
        Answer::Queued { behind, .. } => &format!("queued: it begins when {behind} has ended"),
        Answer::Done { message, .. } => message,
        Answer::NoOp { message } => message,
        Answer::Refused { refusals } => return Err(Failure::refused(cannot, refusals)),
        Answer::Accepted => "accepted",
    };
    if console.output == Output::Text {
        console.lines(&[Line::of(text)])?;
    }
    Ok(Exit::Ok)
}

/// Wraps an order with a key.
pub fn request(key: &KeyFlag, order: Order) -> CommandRequest {
    CommandRequest { key: key.or_new(), order }
}

/// A failure after which nobody knows whether the order arrived names the key.
fn with_key(mut failure: Failure, key: &str) -> Failure {
    if failure.exit == Exit::Unreachable
        && let Some(problem) = failure.problems.first_mut()
    {
        let hint = problem.hint.take().unwrap_or_default();
        problem.hint =
            Some(format!("{hint}; the same command with `--key {key}` is carried out once, even if this one was"));
    }
    failure
}

/// A key that nobody else makes: the time, and the randomness that the standard library seeds its maps with.
fn new_key() -> String {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let random = |salt: u8| u128::from(RandomState::new().hash_one(salt));
    Ulid::from_parts(milliseconds, random(0) << 64 | random(1)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_the_same() {
        let keys: std::collections::BTreeSet<String> = (0..1000).map(|_| new_key()).collect();
        assert_eq!(keys.len(), 1000);
    }

    #[test]
    fn a_lost_answer_names_the_key_to_repeat_it_with() {
        let failure = with_key(Failure::new(Exit::Unreachable, "no answer", "look"), "01K");
        assert!(failure.problems[0].hint.as_ref().unwrap().contains("--key 01K"));
        let refused = Failure::new(Exit::Refused, "no", "do");
        assert_eq!(with_key(refused.clone(), "01K"), refused);
    }
}
