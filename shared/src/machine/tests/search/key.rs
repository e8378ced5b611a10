//! What makes two states the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::world::{Mail, Place, Process, Stage};
use crate::machine::effect::Effect;
use crate::machine::event::Event;

/// 128 bits of a state whose times and generations count from where the rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u64, u64);

impl Key {
    pub fn of(place: &Place) -> Self {
        let text = text(place);
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &text).hash(&mut hasher);
            hasher.finish()
        };
        Self(half(0), half(1))
    }
}

fn text(place: &Place) -> String {
    let base = place.stored.answered;
    let mut stored = place.stored.clone();
    let less = |number: &mut u64| *number = number.wrapping_sub(base);
    // What went before matters no more: only how long ago, to what waits for it.
    (stored.started_at, stored.entered) = (place.now, vec![]);
    less(&mut stored.generation);
    less(&mut stored.answered);
    stored.in_flight.iter_mut().for_each(|flight| less(&mut flight.token));
    stored.looking.iter_mut().for_each(|look| less(&mut look.generation));
    stored.seen.iter_mut().for_each(|seen| less(&mut seen.generation));
    if let crate::rollout::Phase::Aborting { overtaken: Some(write), .. } = &mut stored.phase {
        less(&mut write.token);
    }
    let timers = stored.timer.generation;
    stored.timer.generation = 0;
    let record = serde_json::to_string(&stored).expect("a record is JSON");
    let mut mail: Vec<String> = place.mail.iter().map(|mail| of_mail(mail, timers, place.now)).collect();
    mail.sort();
    let mut processes: Vec<String> =
        place.processes.iter().map(|process| of_process(process, base, timers, place.now)).collect();
    processes.sort();
    let record = relative(&record, place.now);
    format!("{record}|{:?}|{mail:?}|{processes:?}|{:?}|{}", place.live, place.left, place.was_edited)
}

fn of_mail(mail: &Mail, timers: u64, now: Timestamp) -> String {
    match mail {
        // An older chain's message is like any other of an older chain.
        Mail::WakeUp { at, generation } if *generation == timers => {
            format!("wake {}", at.as_millisecond() - now.as_millisecond())
        }
        Mail::WakeUp { .. } => "old".to_owned(),
        Mail::Abort => "abort".to_owned(),
    }
}

fn of_process(process: &Process, base: u64, timers: u64, now: Timestamp) -> String {
    let cause = process.cause.as_ref().map(|mail| of_mail(mail, timers, now));
    let stage = match &process.stage {
        Stage::Folding(events) => format!("fold {:?}", of_events(events, base, timers)),
        Stage::Performing { effects, answers } => {
            format!("perform {:?} {:?}", of_effects(effects, base, timers), of_events(answers, base, timers))
        }
        Stage::Pulling { token, write, effects, answers } => format!(
            "pull {} {write:?} {:?} {:?}",
            token.wrapping_sub(base),
            of_effects(effects, base, timers),
            of_events(answers, base, timers)
        ),
    };
    format!("{cause:?} {}", relative(&stage, now))
}

fn of_events(events: &[Event], base: u64, timers: u64) -> Vec<String> {
    let each = events.iter().cloned().map(|mut event| {
        match &mut event {
            Event::WakeUp { generation } => *generation = u64::from(*generation == timers),
            Event::Observed(seen) => seen.generation = seen.generation.wrapping_sub(base),
            Event::Performed { token, .. } => *token = token.wrapping_sub(base),
            Event::Tick
            | Event::Knock { .. }
            | Event::Unplaced { .. }
            | Event::Task(_)
            | Event::Alarm(_)
            | Event::Measured(_)
            | Event::Command(_)
            | Event::Successor(_) => {}
        }
        serde_json::to_string(&event).expect("an event is JSON")
    });
    each.collect()
}

fn of_effects(effects: &[Effect], base: u64, timers: u64) -> Vec<String> {
    let each = effects.iter().cloned().map(|mut effect| {
        match &mut effect {
            Effect::Observe { generation } => *generation = generation.wrapping_sub(base),
            Effect::Perform { token, .. } => *token = token.wrapping_sub(base),
            Effect::WakeAt { generation, .. } => *generation = u64::from(*generation == timers),
            Effect::Measure(_) | Effect::Announce(_) => {}
        }
        serde_json::to_string(&effect).expect("an effect is JSON")
    });
    each.collect()
}

/// Replaces each time by how long it is from now.
fn relative(text: &str, now: Timestamp) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Every time of this world is in the same year.
    while let Some(start) = rest.find("2027-") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find('Z').map_or(rest.len(), |z| start + z + 1);
        match rest[start..end].parse::<Timestamp>() {
            Ok(time) => out.push_str(&(time.as_millisecond() - now.as_millisecond()).to_string()),
            Err(_) => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}
