//! Mistakes put back on purpose, to show that the simulator finds them. Without the feature `mistakes` none can be made,
//! and the compiler drops every question about one.

/// A mistake that somebody could make, at the one place where the code does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A performer writes without re-reading that its token stands.
    TokenUnchecked,
    /// A look from before the last write counts.
    OldLookTrusted,
    /// The weight is raised before targets are healthy.
    WeightBeforeHealth,
    /// The way home waits for a look.
    HomeGatedByLook,
    /// Every step arms another chain of delayed messages.
    TimerChainDoubled,
    /// Tasks go before their targets have drained.
    ScaleInBeforeDrain,
    /// The tasks of a side go without asking whether it has weight.
    ScaleInUnderWeight,
    /// An alarm's event only makes it look.
    AlarmNotLatched,
    /// One rule with the weight counts as all of them.
    PartialWriteTakenAsDone,
    /// Nodes of the load balancer are not waited for.
    SettlingSkipped,
    /// The bake is passed at once.
    BakeSkipped,
    /// What somebody else did is not looked for.
    DriftIgnored,
    /// A rule is written whatever somebody made of it.
    OverwritesBlindly,
    /// A task's older event takes the place of a newer one.
    OldTaskEventTaken,
    /// What has ended still takes events in.
    TerminalNotFinal,
    /// No data is as good as good data.
    NoDataPasses,
    /// Windows begin before the weight was read back.
    WindowTooEarly,
    /// It is called home before the rules are.
    HomeBelieved,
    /// Without progress it waits for ever.
    DeadlineForgotten,
    /// A promotion takes a rollout out of its way home.
    PromoteOutranksAbort,
    /// The last writer wins.
    CommitUnconditional,
}

/// A mistake with its name.
pub const ALL: [(Mistake, &str); 21] = [
    (Mistake::TokenUnchecked, "token-unchecked"),
    (Mistake::OldLookTrusted, "old-look-trusted"),
    (Mistake::WeightBeforeHealth, "weight-before-health"),
    (Mistake::HomeGatedByLook, "home-gated-by-look"),
    (Mistake::TimerChainDoubled, "timer-chain-doubled"),
    (Mistake::ScaleInBeforeDrain, "scale-in-before-drain"),
    (Mistake::ScaleInUnderWeight, "scale-in-under-weight"),
    (Mistake::AlarmNotLatched, "alarm-not-latched"),
    (Mistake::PartialWriteTakenAsDone, "partial-write-taken-as-done"),
    (Mistake::SettlingSkipped, "settling-skipped"),
    (Mistake::BakeSkipped, "bake-skipped"),
    (Mistake::DriftIgnored, "drift-ignored"),
    (Mistake::OverwritesBlindly, "overwrites-blindly"),
    (Mistake::OldTaskEventTaken, "old-task-event-taken"),
    (Mistake::TerminalNotFinal, "terminal-not-final"),
    (Mistake::NoDataPasses, "no-data-passes"),
    (Mistake::WindowTooEarly, "window-too-early"),
    (Mistake::HomeBelieved, "home-believed"),
    (Mistake::DeadlineForgotten, "deadline-forgotten"),
    (Mistake::PromoteOutranksAbort, "promote-outranks-abort"),
    (Mistake::CommitUnconditional, "commit-unconditional"),
];

/// Whether this mistake is made.
#[cfg(not(feature = "mistakes"))]
pub const fn made(_: Mistake) -> bool {
    false
}

#[cfg(feature = "mistakes")]
thread_local! {
    static MADE: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
}

/// Whether this mistake is made, on this thread.
#[cfg(feature = "mistakes")]
pub fn made(mistake: Mistake) -> bool {
    MADE.with(|made| made.get() == Some(mistake))
}

/// Makes a mistake on this thread from now on, or none.
#[cfg(feature = "mistakes")]
pub fn make(mistake: Option<Mistake>) {
    MADE.with(|made| made.set(mistake));
}
