//! One line for each commit, for people who read a run.

use tidegate::machine::effect::Effect;

/// An effect in a word.
pub fn in_a_word(effect: &Effect) -> String {
    match effect {
        Effect::Observe { generation } => format!("look {generation}"),
        Effect::Perform { token, write } => format!("{write} ({token})"),
        Effect::Measure(_) => "measure".to_owned(),
        Effect::WakeAt { at, .. } => format!("wake up at {at:.0}"),
        Effect::Announce(announcement) => format!("{:?}", announcement.what),
    }
}
