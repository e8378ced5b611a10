//! What the demo tells while it runs.

use jiff::Timestamp;
use sandbox::chronicle::Transition;
use sandbox::world::Sabotage;

use crate::view::line::Line;
use crate::view::report::phase_sign;

/// The first sentence.
pub fn beginning(url: &str, rate: u32, asked: u32) -> String {
    let slower = if rate < asked {
        format!(" ({asked} were asked for; this machine keeps up with {rate})")
    } else {
        String::new()
    };
    format!("sandbox on {url}: {rate} virtual seconds per second{slower}, `checkout` under steady traffic")
}

/// What is done to the controller.
pub fn sabotage(sabotage: Sabotage) -> String {
    format!("the controller makes a mistake, `{sabotage}`, on slow nodes: the demo is to fail")
}

/// What is rolled out next.
pub fn revision(arn: &str, error_share: f64) -> String {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    if error_share > 0.0 {
        let percent = error_share * 100.0;
        format!("rolling out {name}, of which {percent:.0} % of the responses are 5xx: it is to go home by itself")
    } else {
        format!("rolling out {name}, a good revision: it is to be promoted")
    }
}

/// One line per transition: both clocks, the phase, the step and the weight.
pub fn transition(transition: &Transition, began: Timestamp) -> Line {
    let (sign, tone) = phase_sign(transition.phase);
    let virtual_time = transition.moment.at.duration_since(began).as_secs();
    let line = Line::of(format!(
        "{:>3}:{:02} {:>6.1} s  ",
        virtual_time / 60,
        virtual_time % 60,
        transition.moment.wall.as_secs_f64()
    ));
    let line = line.tone(format!("{sign} {:<11}", transition.phase), tone).plain(format!(
        "  {:<15} step {:>2}/{} {:<28} weight {:>4} %",
        transition.canary,
        (transition.step + 1).min(transition.steps),
        transition.steps,
        transition.what,
        transition.weight
    ));
    match &transition.reason {
        Some(reason) => line.plain(format!("  {reason}")),
        None => line,
    }
}
