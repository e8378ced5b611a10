//! Reading the waiting policies: deadline, crash loop, freeze windows.

use jiff::Timestamp;

use super::argo::Scope;
use super::tree::Value;
use super::walk::{At, Fields, Walk, is_false, is_true, wrong};
use crate::spec::policy::{DAYS, FreezeTimes, FreezeWindow, LONGEST, OnFreeze, Policies};
use crate::spec::{AutoPromotion, CanaryStep, Mistake, StrategySpec, limits};

/// The fields of `spec` that say them.
pub const FIELDS: [&str; 4] = ["progressDeadlineAbort", "crashLoop", "freezeWindows", "onFreeze"];

/// Reads them all; `strategy` is checked against freezes.
pub fn policies(walk: &mut Walk, fields: &Fields<'_>, strategy: Option<&StrategySpec>) -> Option<Policies> {
    let defaults = Policies::default();
    let deadline_aborts = match fields.get("progressDeadlineAbort") {
        None => Some(defaults.deadline_aborts),
        Some(at) => truth(walk, &at),
    };
    let crash_loop_tasks = match fields.get("crashLoop") {
        None => Some(defaults.crash_loop_tasks),
        Some(at) => crash_loop(walk, &at),
    };
    let freezes = match fields.get("freezeWindows") {
        None => Some(Vec::new()),
        Some(at) => freezes(walk, &at),
    };
    let on_freeze = match fields.get("onFreeze") {
        None => Some(defaults.on_freeze),
        Some(at) => walk.word(&at, &[("wait", OnFreeze::Wait), ("refuse", OnFreeze::Refuse)]),
    };
    let policies = Policies {
        deadline_aborts: deadline_aborts?,
        crash_loop_tasks: crash_loop_tasks?,
        freezes: freezes?,
        on_freeze: on_freeze?,
    };
    if let Some(at) = fields.get("freezeWindows")
        && policies.never_thaws()
    {
        let problem = "the weekly windows leave no minute of the week: nothing would ever move";
        walk.note(&at, wrong(Mistake::Contradiction, problem, "leave some time in which a rollout may go on"));
    }
    if let Some(strategy) = strategy
        && !policies.freezes.is_empty()
    {
        endless_pauses(walk, fields, strategy);
    }
    Some(policies)
}

/// Notes each pause that ends only by a person although there are freezes: in one of them nobody may be there for
/// weeks, and the canary keeps its users meanwhile.
fn endless_pauses(walk: &mut Walk, fields: &Fields<'_>, strategy: &StrategySpec) {
    let problem = "a pause without an end under freeze windows: nobody may be there to end it";
    let canary = match strategy {
        StrategySpec::Canary(canary) => canary,
        StrategySpec::BlueGreen(spec) => {
            if let Some(at) = fields.get("strategy").filter(|_| spec.auto_promotion == AutoPromotion::Never) {
                let hint = "write `autoPromotionSeconds`, or leave the freeze windows out";
                walk.note(&at, wrong(Mistake::Contradiction, problem, hint));
            }
            return;
        }
    };
    let steps = fields.get("strategy").and_then(|at| at.entry("canary")).and_then(|at| at.entry("steps"));
    let Some(steps) = steps else { return };
    let Value::List(nodes) = &steps.node.value else { return };
    for (index, (step, node)) in canary.steps.iter().zip(nodes).enumerate() {
        let endless = matches!(step, CanaryStep::Pause { duration: None, limit: None });
        if endless {
            let at = At { path: format!("{}[{index}].pause", steps.path), name: node.place, node };
            let hint = "write `pause: {timeout: 2h}`, which goes home by itself, or give it a `duration`";
            walk.note(&at, wrong(Mistake::Contradiction, problem, hint));
        }
    }
}

fn truth(walk: &mut Walk, at: &At<'_>) -> Option<bool> {
    if is_true(at.node) {
        return Some(true);
    }
    if is_false(at.node) {
        return Some(false);
    }
    let problem = "`progressDeadlineAbort` must be `true` or `false`";
    let hint = "`true` goes home at the deadline, `false` says that it is stuck and tries on";
    walk.note(at, wrong(Mistake::WrongType, problem, hint));
    None
}

fn crash_loop(walk: &mut Walk, at: &At<'_>) -> Option<u32> {
    let fields = walk.fields(at, Scope::Ours, &["tasks"])?;
    let tasks = fields.required(walk, "tasks", "tasks: 3")?;
    walk.whole(&tasks, limits::CRASH_LOOP_TASKS, "so many tasks with one reason are a loop; 0 switches it off")
}

fn freezes(walk: &mut Walk, at: &At<'_>) -> Option<Vec<FreezeWindow>> {
    let items = walk.list(at, limits::FREEZES_MAX)?;
    let read: Vec<Option<FreezeWindow>> = items.iter().map(|item| freeze(walk, item)).collect();
    read.into_iter().collect()
}

fn freeze(walk: &mut Walk, at: &At<'_>) -> Option<FreezeWindow> {
    let fields = walk.fields(at, Scope::Ours, &["days", "from", "to", "offset", "reason"])?;
    let reason = fields.required(walk, "reason", "reason: quarter's end").and_then(|at| reason(walk, &at));
    let from = fields.required(walk, "from", "from: 2026-12-20T00:00:00Z");
    let to = fields.required(walk, "to", "to: 2027-01-04T06:00:00Z");
    let when = match fields.get("days") {
        Some(days) => weekly(walk, &days, &from?, &to?, fields.get("offset").as_ref()),
        None => {
            if let Some(at) = fields.get("offset") {
                let problem = "`offset` is for weekly windows; an instant has its own";
                walk.note(&at, wrong(Mistake::Contradiction, problem, "write it into `from` and `to`, or add `days`"));
            }
            once(walk, &from?, &to?)
        }
    };
    Some(FreezeWindow { when: when?, reason: reason? })
}

fn reason(walk: &mut Walk, at: &At<'_>) -> Option<String> {
    let reason = walk.text(at)?;
    if reason.chars().count() > limits::REASON_MAX {
        let problem = format!("`reason` has more than {} characters", limits::REASON_MAX);
        walk.note(at, wrong(Mistake::OutOfRange, problem, "it is one line of `get`: say it in one sentence"));
        return None;
    }
    Some(reason)
}

fn once(walk: &mut Walk, from: &At<'_>, to: &At<'_>) -> Option<FreezeTimes> {
    let (begins, ends) = (instant(walk, from), instant(walk, to));
    let (begins, ends) = (begins?, ends?);
    if ends <= begins {
        walk.note(to, wrong(Mistake::Contradiction, "the freeze ends before it begins", "exchange `from` and `to`"));
        return None;
    }
    if ends.duration_since(begins) > LONGEST {
        let problem = "the freeze is longer than a year";
        walk.note(
            to,
            wrong(Mistake::OutOfRange, problem, "check the year; a service that never changes needs no spec"),
        );
        return None;
    }
    Some(FreezeTimes::Once { from: begins, to: ends })
}

fn instant(walk: &mut Walk, at: &At<'_>) -> Option<Timestamp> {
    let text = walk.text(at)?;
    // With a name in brackets a time zone database would be needed, and there is none.
    let parsed = if text.contains('[') { None } else { text.parse().ok() };
    if parsed.is_none() {
        let problem = format!("`{}` is no instant", super::walk::shown(&text));
        if minute_of_day(&text).is_some() {
            let problem = format!("{problem}: a time of the day needs `days`");
            walk.note(at, wrong(Mistake::Contradiction, problem, "add `days`, or write an instant with its offset"));
            return None;
        }
        let hint = "write date, time and offset: `2026-12-20T18:00:00+01:00`, or `…Z` for UTC; names of time zones are \
                    not known here. For a time of each week add `days`";
        walk.note(at, wrong(Mistake::WrongType, problem, hint));
    }
    parsed
}

fn weekly(walk: &mut Walk, days: &At<'_>, from: &At<'_>, to: &At<'_>, offset: Option<&At<'_>>) -> Option<FreezeTimes> {
    let days = days_of(walk, days);
    let (from, to) = (time_of_day(walk, from), time_of_day(walk, to));
    let offset = match offset {
        None => Some(0),
        Some(at) => offset_of(walk, at),
    };
    Some(FreezeTimes::Weekly { days: days?, from: from?, to: to?, offset: offset? })
}

fn days_of(walk: &mut Walk, at: &At<'_>) -> Option<Vec<u8>> {
    let items = walk.list(at, DAYS.len())?;
    if items.is_empty() {
        walk.note(at, wrong(Mistake::OutOfRange, "`days` is empty", "name the days on which it begins: `[fri, sat]`"));
        return None;
    }
    let words: Vec<(&'static str, u8)> = DAYS.into_iter().zip(0..).collect();
    let read: Vec<Option<u8>> = items.iter().map(|item| walk.word(item, &words)).collect();
    let mut days: Vec<u8> = read.into_iter().collect::<Option<_>>()?;
    days.sort_unstable();
    days.dedup();
    Some(days)
}

fn time_of_day(walk: &mut Walk, at: &At<'_>) -> Option<u16> {
    let text = walk.text(at)?;
    let minute = minute_of_day(&text);
    if minute.is_none() {
        let problem = format!("`{}` is no time of the day", super::walk::shown(&text));
        let kind = if text.parse::<Timestamp>().is_ok() { Mistake::Contradiction } else { Mistake::WrongType };
        walk.note(at, wrong(kind, problem, "write `HH:MM`, from 00:00 to 23:59"));
    }
    minute
}

fn offset_of(walk: &mut Walk, at: &At<'_>) -> Option<i16> {
    let text = walk.text(at)?;
    let sign = match text.chars().next() {
        Some('+') => Some(1),
        Some('-') => Some(-1),
        _ => None,
    };
    let minutes = text.get(1..).and_then(minute_of_day).filter(|minutes| *minutes <= 14 * 60);
    let offset =
        sign.zip(minutes.and_then(|minutes| i16::try_from(minutes).ok())).map(|(sign, minutes)| sign * minutes);
    if offset.is_none() {
        let problem = format!("`{}` is no offset from UTC", super::walk::shown(&text));
        let hint =
            "write \"+01:00\", at most 14 hours; names of time zones are not known here, so summer time is yours";
        walk.note(at, wrong(Mistake::WrongType, problem, hint));
    }
    offset
}

/// `16:30` as minutes.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?;
    let (hours, minutes): (u16, u16) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}
