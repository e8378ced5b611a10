//! Why a verb did not do what it was asked: what happened, the way out, and the exit code.

use tidegate::api::Refusal;

use crate::exit::Exit;

/// A run that ends with another code than 0 and something to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// All of it, not the first.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, as `error: …` and `hint: …` print it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, with the place.
    pub what: String,
    /// The next move, where there is one.
    pub hint: Option<String>,
}

/// What every verb returns: the code where all went well, or why it did not.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// One problem with its way out.
    pub fn new(exit: Exit, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, problems: vec![Problem { what: what.into(), hint: Some(hint.into()) }] }
    }

    /// An ending that has been told already.
    pub fn told(exit: Exit) -> Self {
        Self { exit, problems: Vec::new() }
    }

    /// Everything that the controller refuses; `cannot` is such as "cannot promote `checkout`", for reasons that do
    /// not say so themselves.
    pub fn refused(cannot: &str, refusals: &[Refusal]) -> Self {
        let sentence = |why: &str| if why.starts_with("cannot ") { why.to_owned() } else { format!("{cannot}: {why}") };
        let problem = |Refusal { why, hint }: &Refusal| Problem { what: sentence(why), hint: Some(hint.clone()) };
        let problems = refusals.iter().map(problem).collect();
        Self { exit: Exit::Refused, problems }
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            Exit::NotFound,
            format!("there is no {what}"),
            "`tidegate list` shows the unfinished rollouts, `tidegate list --all` the finished ones, too",
        )
    }

    /// The controller answered something that this verb cannot be answered with.
    pub fn misunderstood(asked: &str, answered: &str) -> Self {
        Self::new(
            Exit::Unexpected,
            format!("asked for {asked}, the controller answered `{answered}`"),
            "is the controller of another version? `tidegate version` prints this one's",
        )
    }
}

impl From<std::io::Error> for Failure {
    /// A reader that has gone away (`tidegate list | head -1`) is no failure.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::told(Exit::Ok);
        }
        Self {
            exit: Exit::Unexpected,
            problems: vec![Problem { what: format!("cannot write the output: {error}"), hint: None }],
        }
    }
}
