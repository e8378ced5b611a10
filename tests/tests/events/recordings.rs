//! Our own recordings are what the sandbox says today, and each reads as it should.
//!
//! `TIDEGATE_RECORD=1 INSTA_UPDATE=always cargo test -p tests --test events recordings` records anew.

use tests::recordings::{Recordings, record, store, stored};
use tidegate::events::{Home, explain, parse};

fn home() -> Home {
    Home { account: "012345678901".to_owned(), region: "eu-central-1".to_owned() }
}

#[test]
fn the_recordings_are_current_and_each_reads_as_it_should() {
    let fresh = record();
    if std::env::var_os("TIDEGATE_RECORD").is_some() {
        store(&fresh);
    }
    let stored = stored();
    let names = |recordings: &Recordings| recordings.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&stored), names(&fresh), "record anew, as the head of this file says");

    let mut explained = String::new();
    for (name, event) in stored {
        assert_eq!(event, fresh[&name], "events/{name}.json: record anew, as the head of this file says");
        let text = event.to_string();
        insta::assert_debug_snapshot!(name.as_str(), parse(&text, &home()).unwrap());
        let told = explain(&text).remove(0).unwrap_or_else(|error| panic!("{name}: {error}"));
        explained += &format!("{name}: {}: {}; {}\n", told.kind, told.what, told.wakes);
    }
    insta::assert_snapshot!("explained", explained);
}
