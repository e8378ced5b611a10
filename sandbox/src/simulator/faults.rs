//! What goes wrong: every fault that the World can have, how often at most, and the mask that one seed draws.

use crate::world::Rng;

/// A fault of one kind. The number is that of the catalogue in `docs/reliability.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// F1: an invocation is killed at a call.
    Kill,
    /// F2: a write times out: applied, not applied, or applied some seconds later.
    TimeOut,
    /// F3: a read is throttled.
    ThrottledRead,
    /// F3: a write is throttled.
    ThrottledWrite,
    /// F4: the connection is reset, before or after the write was applied.
    Reset,
    /// F5: a write is denied.
    Denied,
    /// F6: DescribeServices answers from a while ago.
    StaleService,
    /// F7: DescribeRules or DescribeListeners answers from a while ago.
    StaleRule,
    /// F7: DescribeTargetHealth answers from a while ago.
    StaleHealth,
    /// F8: nodes of the load balancer follow a written rule as late as they ever do.
    SlowNodes,
    /// F9: an event arrives more than once.
    DoubledEvent,
    /// F10: an event or a message arrives late, and so out of order.
    LateEvent,
    /// F11: an event is lost.
    LostEvent,
    /// F11: a message of our own is lost.
    LostMessage,
    /// F12: an asynchronous invocation is made again after a minute, and after two more.
    AsyncRetry,
    /// F13: a batch is delivered again while the first run still works on it.
    Redelivery,
    /// F14: what arrived together is taken by two invocations at the same time.
    TwoAtOnce,
    /// F15: an invocation freezes, and goes on.
    Freeze,
    /// F16: a delayed message is lost.
    LostTimer,
    /// F16: it arrives late.
    LateTimer,
    /// F16: it arrives early.
    EarlyTimer,
    /// F16: it arrives twice.
    DoubledTimer,
    /// F17: an invocation's clock is wrong.
    Skew,
    /// F18: the table refuses, or commits and says that it did not.
    TableError,
    /// F19: the table is away for minutes.
    TableDown,
    /// F20: metrics come late.
    LateMetrics,
    /// F21: a measurement cannot be read.
    NoMetrics,
    /// F21: there are no users for a while.
    NoTraffic,
    /// F22: an alarm changes its state by itself.
    AlarmFlap,
    /// F22: an alarm is deleted.
    AlarmDeleted,
    /// F23: the tasks of the new revision do not stay.
    CrashLoop,
    /// F24: tasks take very long to start.
    SlowStart,
    /// F26: a task is taken away.
    Reclaim,
    /// F28: the old revision begins to fail.
    StableDegrades,
    /// F29: somebody edits weights.
    RuleEdited,
    /// F30: somebody updates or scales a service.
    ServiceEdited,
    /// F31: somebody deploys another revision on a service of the pair.
    ForeignDeployment,
    /// F32: an autoscaler changes the stable side's count.
    Autoscaled,
    /// F33: another revision is to be rolled out meanwhile.
    NewRevision,
    /// F34: a person says a verb, twice, or for a step that is over.
    Order,
    /// F36: something that is not an event of ours, or not an event at all.
    Poison,
    /// F38: the bus does not take announcements.
    SinkDown,
    /// F40: no event arrives for half an hour.
    BusDown,
    /// A message cannot be sent, or was sent and nobody said so.
    QueueError,
    /// An invocation has so little time that effects are handed on.
    Hurry,
}

/// How a kind of fault comes about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kind {
    /// Which.
    pub fault: Fault,
    /// Its number in the catalogue; `None` for those of our own.
    pub number: Option<u8>,
    /// Its name in tables and traces.
    pub name: &'static str,
    /// The probability that a seed has it at all.
    pub drawn: f64,
    /// The highest rate for each opportunity; a seed draws one between a hundredth of it and all of it.
    pub most: f64,
}

const fn kind(fault: Fault, number: u8, name: &'static str, drawn: f64, most: f64) -> Kind {
    let number = if number == 0 { None } else { Some(number) };
    Kind { fault, number, name, drawn, most }
}

/// Every kind, in the order of the enum.
pub const KINDS: [Kind; 45] = [
    kind(Fault::Kill, 1, "kill", 0.25, 0.03),
    kind(Fault::TimeOut, 2, "time-out", 0.25, 0.3),
    kind(Fault::ThrottledRead, 3, "throttled-read", 0.25, 0.3),
    kind(Fault::ThrottledWrite, 3, "throttled-write", 0.25, 0.4),
    kind(Fault::Reset, 4, "reset", 0.2, 0.1),
    kind(Fault::Denied, 5, "denied", 0.05, 0.2),
    kind(Fault::StaleService, 6, "stale-service", 0.25, 0.5),
    kind(Fault::StaleRule, 7, "stale-rule", 0.2, 0.5),
    kind(Fault::StaleHealth, 7, "stale-health", 0.2, 0.5),
    kind(Fault::SlowNodes, 8, "slow-nodes", 0.3, 1.0),
    kind(Fault::DoubledEvent, 9, "doubled-event", 0.3, 0.5),
    kind(Fault::LateEvent, 10, "late-event", 0.35, 0.5),
    kind(Fault::LostEvent, 11, "lost-event", 0.25, 0.5),
    kind(Fault::LostMessage, 11, "lost-message", 0.2, 0.15),
    kind(Fault::AsyncRetry, 12, "async-retry", 0.2, 0.5),
    kind(Fault::Redelivery, 13, "redelivery", 0.2, 0.3),
    kind(Fault::TwoAtOnce, 14, "two-at-once", 0.4, 0.6),
    kind(Fault::Freeze, 15, "freeze", 0.25, 0.04),
    kind(Fault::LostTimer, 16, "lost-timer", 0.2, 0.5),
    kind(Fault::LateTimer, 16, "late-timer", 0.15, 0.5),
    kind(Fault::EarlyTimer, 16, "early-timer", 0.15, 0.5),
    kind(Fault::DoubledTimer, 16, "doubled-timer", 0.15, 0.5),
    kind(Fault::Skew, 17, "skew", 0.15, 0.5),
    kind(Fault::TableError, 18, "table-error", 0.25, 0.1),
    kind(Fault::TableDown, 19, "table-down", 0.08, 0.002),
    kind(Fault::LateMetrics, 20, "late-metrics", 0.15, 1.0),
    kind(Fault::NoMetrics, 21, "no-metrics", 0.15, 0.6),
    kind(Fault::NoTraffic, 21, "no-traffic", 0.1, 0.2),
    kind(Fault::AlarmFlap, 22, "alarm-flap", 0.15, 0.3),
    kind(Fault::AlarmDeleted, 22, "alarm-deleted", 0.05, 0.2),
    kind(Fault::CrashLoop, 23, "crash-loop", 0.2, 1.0),
    kind(Fault::SlowStart, 24, "slow-start", 0.08, 1.0),
    kind(Fault::Reclaim, 26, "reclaim", 0.12, 0.4),
    kind(Fault::StableDegrades, 28, "stable-degrades", 0.06, 0.2),
    kind(Fault::RuleEdited, 29, "rule-edited", 0.12, 0.3),
    kind(Fault::ServiceEdited, 30, "service-edited", 0.1, 0.3),
    kind(Fault::ForeignDeployment, 31, "foreign-deployment", 0.06, 0.2),
    kind(Fault::Autoscaled, 32, "autoscaled", 0.06, 0.3),
    kind(Fault::NewRevision, 33, "new-revision", 0.1, 0.3),
    kind(Fault::Order, 34, "order", 0.35, 0.6),
    kind(Fault::Poison, 36, "poison", 0.15, 0.3),
    kind(Fault::SinkDown, 38, "sink-down", 0.2, 0.6),
    kind(Fault::BusDown, 40, "bus-down", 0.08, 0.1),
    kind(Fault::QueueError, 0, "queue-error", 0.2, 0.1),
    kind(Fault::Hurry, 0, "hurry", 0.2, 0.8),
];

impl Fault {
    /// How many kinds there are.
    pub const COUNT: usize = KINDS.len();

    /// Returns its row of [`KINDS`].
    pub fn kind(self) -> &'static Kind {
        &KINDS[self as usize]
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).map(|kind| kind.fault)
    }

    /// Whether it is somebody else's hand on what the controller holds, so that what users see may be theirs.
    pub fn is_of_people(self) -> bool {
        matches!(
            self,
            Self::Reclaim
                | Self::StableDegrades
                | Self::RuleEdited
                | Self::ServiceEdited
                | Self::ForeignDeployment
                | Self::Autoscaled
        )
    }

    /// Whether it may hold up the way home for longer than the World allows for.
    pub fn holds_up_the_way_home(self) -> bool {
        matches!(
            self,
            Self::Kill
                | Self::TimeOut
                | Self::ThrottledRead
                | Self::ThrottledWrite
                | Self::Reset
                | Self::Denied
                | Self::StaleRule
                | Self::StaleHealth
                | Self::Freeze
                | Self::Skew
                | Self::TableError
                | Self::TableDown
                | Self::QueueError
                | Self::Hurry
                | Self::LateEvent
                | Self::LostEvent
                | Self::LostMessage
                | Self::Redelivery
        )
    }

    /// Whether it is a matter of delivery alone: it may cost time, and changes no outcome.
    pub fn is_of_delivery(self) -> bool {
        matches!(
            self,
            Self::SlowNodes
                | Self::DoubledEvent
                | Self::LateEvent
                | Self::LostEvent
                | Self::AsyncRetry
                | Self::Redelivery
                | Self::TwoAtOnce
                | Self::LostTimer
                | Self::LateTimer
                | Self::EarlyTimer
                | Self::DoubledTimer
                | Self::Poison
                | Self::SinkDown
                | Self::BusDown
        )
    }
}

/// One seed's kinds of trouble with their rates: a seed that makes every kind at once hides what each does alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    rates: [f64; Fault::COUNT],
}

impl Mask {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self { rates: [0.0; Fault::COUNT] }
    }

    /// Draws which kinds there are, and how often, by log-uniform rates.
    pub fn draw(chance: &mut Rng) -> Self {
        let mut rates = [0.0; Fault::COUNT];
        for (rate, kind) in rates.iter_mut().zip(&KINDS) {
            let (is_on, power) = (chance.chance(kind.drawn), chance.unit());
            if is_on {
                *rate = if kind.most >= 1.0 { 1.0 } else { kind.most * 10_f64.powf(-2.0 * power) };
            }
        }
        Self { rates }
    }

    /// How often it happens at each opportunity.
    pub fn rate(&self, fault: Fault) -> f64 {
        self.rates[fault as usize]
    }

    /// Whether it can happen.
    pub fn has(&self, fault: Fault) -> bool {
        self.rate(fault) > 0.0
    }

    /// Makes it impossible.
    pub fn without(mut self, fault: Fault) -> Self {
        self.rates[fault as usize] = 0.0;
        self
    }

    /// Makes it happen so often.
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.rates[fault as usize] = rate;
        self
    }

    /// Returns the kinds that can happen.
    pub fn kinds(&self) -> impl Iterator<Item = Fault> + '_ {
        KINDS.iter().map(|kind| kind.fault).filter(|fault| self.has(*fault))
    }

    /// Whether one of them is so.
    pub fn any(&self, is_so: fn(Fault) -> bool) -> bool {
        self.kinds().any(is_so)
    }
}

impl std::fmt::Display for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = self.kinds().map(|fault| format!("{} {:.3}", fault.kind().name, self.rate(fault)));
        f.write_str(&kinds.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_its_own_row() {
        for (row, kind) in KINDS.iter().enumerate() {
            assert_eq!(kind.fault as usize, row, "{}", kind.name);
            assert_eq!(Fault::named(kind.name), Some(kind.fault));
        }
    }
}
