//! Follows a rollout until it ends or needs a person, through lost answers.

use std::time::{Duration, Instant};

use tidegate::ids::RolloutId;
use tidegate::machine::report::Report;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::link::Link;
use crate::names;
use crate::view::report::{lines, transition};

/// Between two looks.
pub const TICK: Duration = Duration::from_secs(1);

/// A controller that gives no answer for this long is reported; a single lost answer is not worth failing a pipeline.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Looks at one rollout again and again.
pub struct Follow {
    id: RolloutId,
    silent_since: Option<Instant>,
    shown: Option<String>,
}

/// One look.
pub enum Look {
    /// Here is where it is.
    Seen(Box<Report>),
    /// No answer this time, and why.
    Silent(String),
}

impl Follow {
    /// Follows the rollout of that id.
    pub fn new(id: RolloutId) -> Self {
        Self { id, silent_since: None, shown: None }
    }

    /// Looks once.
    pub fn look(&mut self, link: &mut Link) -> Result<Look, Failure> {
        match names::find(link, self.id.as_str()) {
            Ok(Some(report)) => {
                self.silent_since = None;
                Ok(Look::Seen(Box::new(report)))
            }
            Ok(None) => Err(Failure::not_found(&format!("rollout `{}`", self.id))),
            Err(failure) if failure.exit == Exit::Unreachable => {
                let since = *self.silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() > SILENCE_MAX {
                    return Err(failure);
                }
                let why = failure.problems.into_iter().next().map(|problem| problem.what);
                Ok(Look::Silent(why.unwrap_or_default()))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether the report says something that the one before did not, its times apart.
    pub fn is_news(&mut self, report: &Report) -> bool {
        let weights = (&report.set_weight, &report.actual_weight);
        let news = format!("{} {} {weights:?} {} {}", report.phase, report.step, report.message, report.needs_person);
        let is_news = self.shown.as_ref() != Some(&news);
        self.shown = Some(news);
        is_news
    }
}

/// Returns how a rollout ended, or that it waits for a person; `None` while it goes on by itself.
pub fn ending(report: &Report) -> Option<Exit> {
    match report.phase.as_str() {
        "Healthy" => Some(Exit::Ok),
        "Degraded" => Some(Exit::WentHome),
        _ => report.needs_person.then_some(Exit::Paused),
    }
}

/// Waits until the rollout ends, needs a person, or the time is over; the story goes to standard error, the last
/// report to standard output.
pub fn until_the_end(link: &mut Link, console: &mut Console, id: RolloutId, timeout: Option<Duration>) -> Outcome {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut follow = Follow::new(id);
    loop {
        match follow.look(link)? {
            Look::Seen(report) => {
                if follow.is_news(&report) {
                    console.story(&transition(&report).render(false));
                }
                if let Some(exit) = ending(&report) {
                    console.data(&report, |width| lines(&report, width))?;
                    return verdict(&report, exit);
                }
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    console.data(&report, |width| lines(&report, width))?;
                    return Err(timed_out(&report));
                }
            }
            Look::Silent(why) => {
                console.story(&format!("no answer, asking again: {why}"));
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Err(Failure::new(Exit::Unreachable, why, "the rollout goes on without the CLI"));
                }
            }
        }
        let left = deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(Instant::now()));
        std::thread::sleep(TICK.min(left));
    }
}

/// Turns an ending into what the process returns.
fn verdict(report: &Report, exit: Exit) -> Outcome {
    let Report { rollout, name, message, waiting_on, .. } = report;
    if exit == Exit::WentHome {
        return Err(Failure::new(
            exit,
            format!("`{name}` went home: {message}"),
            format!("`tidegate history {rollout}` shows why; then `tidegate retry {rollout}`, or `start` another"),
        ));
    }
    if exit == Exit::Paused {
        return Err(Failure::new(
            exit,
            format!("`{name}` waits for {waiting_on}"),
            format!("`tidegate get {rollout}`, then `promote`, `resume` or `abort`"),
        ));
    }
    Ok(exit)
}

fn timed_out(report: &Report) -> Failure {
    let Report { rollout, name, waiting_on, .. } = report;
    Failure::new(
        Exit::TimedOut,
        format!("the time to wait is over; `{name}` goes on: {waiting_on}"),
        format!("`tidegate status {rollout} --wait` waits on; `tidegate abort {rollout}` sends it home"),
    )
}
