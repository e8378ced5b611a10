//! What comes in at the door: recorded by others, recorded by us, and made to hurt.

#[path = "events/corpus.rs"]
mod corpus;
#[path = "events/messages.rs"]
mod messages;
#[path = "events/poison.rs"]
mod poison;
#[path = "events/recordings.rs"]
mod recordings;
#[path = "events/traces.rs"]
mod traces;
