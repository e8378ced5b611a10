//! SIGKILL for a function in the middle of its work, and what that cost in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use crate::Sandbox;
use crate::functions::PACKAGES;
use crate::platform::transcript::{Invocation, InvocationEnd, Moment};

/// The functions behind the two URLs.
const BY_PEOPLE: [&str; 2] = ["command", "query"];

/// Between two looks for an invocation under way: shorter than any.
const GLANCE: Duration = Duration::from_millis(1);

/// Which function is killed, and from which step on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// The function's binary: `controller`.
    pub function: String,
    /// The step, counted from 1 as `get` does; `None` is the first invocation in a rollout, and for the functions
    /// that a person calls, the first at all.
    pub step: Option<usize>,
}

/// A kill that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownKill {
    #[error("there is no function `{name}`: there are {}", PACKAGES.join(", "))]
    Function { name: String },
    #[error("`{0}` is no step: steps are counted from 1")]
    Step(String),
}

impl FromStr for Kill {
    type Err = UnknownKill;

    /// Reads `FUNCTION` or `FUNCTION@STEP`.
    fn from_str(text: &str) -> Result<Self, UnknownKill> {
        let (function, step) = match text.split_once('@') {
            Some((function, step)) => {
                let counted = step.parse().ok().filter(|step| *step > 0);
                (function, Some(counted.ok_or_else(|| UnknownKill::Step(step.to_owned()))?))
            }
            None => (text, None),
        };
        if !PACKAGES.contains(&function) {
            return Err(UnknownKill::Function { name: function.to_owned() });
        }
        Ok(Self { function: function.to_owned(), step })
    }
}

/// What a kill cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KillCost {
    pub function: String,
    /// When the process died.
    pub killed: Moment,
    /// The step that the rollout was in, in words.
    pub during: String,
    /// From the kill until the same kind of work was next finished by a new process; `None` if it never was.
    pub virtual_time: Option<SignedDuration>,
    pub wall_time: Option<Duration>,
}

impl fmt::Display for KillCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIGKILL for `{}` in {}: ", self.function, self.during)?;
        match (self.virtual_time, self.wall_time) {
            (Some(virtual_time), Some(wall)) => write!(
                f,
                "{} s of virtual time ({:.1} s of wall time) until such work was finished again",
                virtual_time.as_secs(),
                wall.as_secs_f64()
            ),
            (Some(_), None) | (None, Some(_)) | (None, None) => write!(f, "such work was never finished again"),
        }
    }
}

impl Kill {
    /// Waits for the step and for an invocation in it, kills its process, and returns the invocation's id and the
    /// step in words. Waits for ever where there is no such invocation.
    pub async fn strike(&self, sandbox: &Sandbox) -> (String, String) {
        loop {
            let last = sandbox.chronicle().last();
            let reached = match (&last, self.step) {
                (Some(last), Some(step)) => last.step + 1 >= step,
                (None, Some(_)) => false,
                (Some(_), None) => true,
                // What is lost before there is a rollout only the queue's own redelivery brings back, after minutes.
                (None, None) => BY_PEOPLE.contains(&self.function.as_str()),
            };
            if reached && let Some(id) = sandbox.kill(&self.function).await {
                let during = last.map_or_else(|| "the start".to_owned(), |last| last.what);
                return (id, during);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Reads off the transcript what the kill of that invocation cost; `None` if it was not killed after all: it
    /// answered in the same moment.
    pub fn cost(&self, sandbox: &Sandbox, id: &str, during: &str) -> Option<KillCost> {
        let invocations = sandbox.transcript().invocations();
        let killed = invocations.iter().find(|invocation| invocation.id == id)?;
        if killed.end != InvocationEnd::Crashed {
            return None;
        }
        let again = |next: &&Invocation| {
            next.function == killed.function
                && next.cause == killed.cause
                && next.started.wall >= killed.ended.wall
                && next.end == InvocationEnd::Succeeded
        };
        let again = invocations.iter().filter(again).min_by_key(|next| next.ended.wall);
        Some(KillCost {
            function: self.function.clone(),
            killed: killed.ended,
            during: during.to_owned(),
            virtual_time: again.map(|next| next.ended.at.duration_since(killed.ended.at)),
            wall_time: again.map(|next| next.ended.wall.saturating_sub(killed.ended.wall)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_names_a_function_and_perhaps_a_step() {
        assert_eq!("alarm".parse(), Ok(Kill { function: "alarm".into(), step: None }));
        assert_eq!("controller@3".parse(), Ok(Kill { function: "controller".into(), step: Some(3) }));
        assert_eq!("controller@0".parse::<Kill>(), Err(UnknownKill::Step("0".into())));
        assert_eq!("hook".parse::<Kill>(), Err(UnknownKill::Function { name: "hook".into() }));
    }
}
