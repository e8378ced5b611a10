//! `tidegate status`: where a rollout is, in one line; with `--wait`, for CI, how it ended.

use std::time::Duration;

use jiff::SignedDuration;

use super::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::view::report::transition;
use crate::{follow, names};

/// Say where a rollout is; with --wait, wait for its end
///
/// Without --wait the exit code is 0 whatever the phase is. With --wait it is 0 for promoted, 10 for went home, 11 for
/// waits for a person, and 12 for a time that is over; a pause that ends by itself is waited through.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A rollout's id, or the spec's name for the unfinished one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    /// Wait until it is promoted, went home, or waits for a person
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    timeout: Timeout,
}

/// How long `--wait` waits.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Timeout {
    /// The longest wait, as `30m` or `1h 30m`, by this machine's clock
    #[arg(long, requires = "wait", value_name = "DURATION", value_parser = positive)]
    timeout: Option<Duration>,
}

impl Timeout {
    /// Returns the limit, where one is given.
    pub fn duration(self) -> Option<Duration> {
        self.timeout
    }
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let report = names::unfinished(&mut link, &args.rollout)?;
    if args.wait {
        return follow::until_the_end(&mut link, &mut context.console, report.rollout, args.timeout.duration());
    }
    context.console.data(&report, |_| vec![transition(&report)])?;
    Ok(Exit::Ok)
}

fn positive(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is no duration, such as 30m or 1h 30m"))?;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a wait is longer than nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_duration_with_its_unit() {
        assert_eq!(positive("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(positive("1h 30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["30", "-5m", "0s", "soon"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
