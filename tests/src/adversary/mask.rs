//! Which kinds of trouble a seed makes, and how often.

use sandbox::world::Rng;

/// One seed's kinds of trouble, drawn once: a seed that makes every kind at once hides what each does alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mask {
    /// Events, wake-ups and messages get lost.
    pub loses: bool,
    /// They arrive more than once.
    pub repeats: bool,
    /// They arrive late, and so out of order.
    pub delays: bool,
    /// Reads of ECS, ELB and CloudWatch are throttled.
    pub throttles_reads: bool,
    /// Writes are throttled.
    pub throttles_writes: bool,
    /// Writes time out: applied, not applied, or applied some seconds later.
    pub times_out: bool,
    /// A write is denied, for good as far as it knows.
    pub denies: bool,
    /// Reads answer from a few seconds ago.
    pub reads_stale: bool,
    /// The table refuses, or commits and says that it did not.
    pub breaks_table: bool,
    /// Messages cannot be sent.
    pub breaks_queues: bool,
    /// Processes die.
    pub kills: bool,
    /// Processes freeze for seconds, and go on.
    pub freezes: bool,
    /// Invocations have so little time that effects are handed on, and some die in the middle of one.
    pub hurries: bool,
    /// Somebody edits weights.
    pub edits_weights: bool,
    /// Somebody else updates the services.
    pub updates_services: bool,
    /// Somebody stops tasks.
    pub stops_tasks: bool,
    /// Alarms go off and calm down.
    pub rings: bool,
    /// Somebody deletes the alarm.
    pub deletes_alarms: bool,
    /// A person says verbs at any time.
    pub orders: bool,
}

impl Mask {
    /// Draws a mask.
    pub fn draw(chance: &mut Rng) -> Self {
        let mut on = |probability: f64| chance.chance(probability);
        Self {
            loses: on(0.3),
            repeats: on(0.3),
            delays: on(0.4),
            throttles_reads: on(0.3),
            throttles_writes: on(0.3),
            times_out: on(0.3),
            denies: on(0.05),
            reads_stale: on(0.3),
            breaks_table: on(0.3),
            breaks_queues: on(0.2),
            kills: on(0.3),
            freezes: on(0.3),
            hurries: on(0.25),
            edits_weights: on(0.15),
            updates_services: on(0.15),
            stops_tasks: on(0.15),
            rings: on(0.2),
            deletes_alarms: on(0.05),
            orders: on(0.35),
        }
    }

    /// Whether people break things by hand, so that what users see is not the controller's doing alone.
    pub fn people_break_things(self) -> bool {
        self.edits_weights || self.updates_services || self.stops_tasks
    }

    /// Whether the way home itself may be held up: then how long the canary keeps its users is not the controller's
    /// doing alone.
    pub fn holds_up_the_way_home(self) -> bool {
        self.throttles_reads
            || self.throttles_writes
            || self.times_out
            || self.denies
            || self.reads_stale
            || self.breaks_table
            || self.breaks_queues
            || self.kills
            || self.freezes
            || self.hurries
            || self.loses
            || self.delays
    }
}
