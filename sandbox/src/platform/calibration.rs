//! How fast time may run on this machine: a short measurement before the clock starts.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::world::{Config, Estate, World};

/// Requests per second of the measured World: more than the demo sends.
const REQUESTS_PER_SECOND: f64 = 200.0;

/// Virtual time that is measured.
const MEASURED: SignedDuration = SignedDuration::from_secs(60);

/// The part of the machine that the World may take; the functions, the engine of
/// the tables and whoever else runs here need the rest.
const SHARE: f64 = 0.1;

/// The rate at which the World keeps up with ease: what is asked for, or less.
pub fn rate(asked: u32, config: &Config, start: Timestamp) -> u32 {
    allowed(asked, wall_time_of_a_minute(config, start))
}

fn allowed(asked: u32, took: Duration) -> u32 {
    let most = MEASURED.as_secs_f64() / took.as_secs_f64().max(1e-6) * SHARE;
    // A whole number that fits, because it is at most what was asked for.
    let most = most.min(f64::from(asked)) as u32;
    most.max(1)
}

/// Wall time that one minute of a small estate under traffic takes.
fn wall_time_of_a_minute(config: &Config, start: Timestamp) -> Duration {
    let mut world = World::with_config(1, start, config.clone());
    let estate = Estate::of("calibration").requests_per_second(REQUESTS_PER_SECOND).build(&mut world);
    assert!(estate.is_ok(), "the World can build its own estate: {:?}", estate.err());
    // Long enough for the tasks to be up and to answer requests.
    let warm = start + SignedDuration::from_mins(5);
    world.advance_to(warm);
    let before = Instant::now();
    world.advance_to(warm + MEASURED);
    before.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_gets_a_slower_clock_and_never_a_standing_one() {
        assert_eq!(allowed(60, Duration::from_millis(10)), 60);
        assert_eq!(allowed(60, Duration::from_millis(200)), 30);
        assert_eq!(allowed(60, Duration::from_secs(60)), 1);
    }

    #[test]
    fn a_minute_of_the_world_is_short() {
        let took = wall_time_of_a_minute(&Config::default(), "2026-01-05T09:00:00Z".parse().unwrap());
        eprintln!("a virtual minute at {REQUESTS_PER_SECOND} requests/s takes {took:?}");
        assert!(took < Duration::from_secs(60), "slower than time itself");
    }
}
