//! Times and durations for people, always from timestamps that the controller told: its clock counts, not ours.

use jiff::Timestamp;

/// Returns `13:05:02Z`.
pub fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}

/// Returns `2026-11-22 13:05:02Z`.
pub fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Returns the time between the two in whole seconds, `4m 3s`; `0s` where `to` is not after `from`.
pub fn between(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    seconds_as_text(seconds.unsigned_abs())
}

/// Returns `1h 4m`, `12s`, with at most two units.
pub fn seconds_as_text(seconds: u64) -> String {
    let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    let counted = |(count, unit): &(u64, &str)| format!("{count}{unit}");
    let second = units.get(first + 1).filter(|(count, _)| *count > 0).map(counted);
    [Some(counted(&units[first])), second].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let texts = [0, 12, 60, 243, 3600, 3661, 90_000, 172_800].map(seconds_as_text);
        assert_eq!(texts, ["0s", "12s", "1m", "4m 3s", "1h", "1h 1m", "1d 1h", "2d"]);
    }

    #[test]
    fn a_clock_that_runs_backwards_gives_no_negative_age() {
        let now = Timestamp::from_second(1000).unwrap();
        assert_eq!(between(now, Timestamp::from_second(990).unwrap()), "0s");
    }
}
