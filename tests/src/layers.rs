//! The direction of the dependencies: what each room of the shared crate, each function and each Cargo file may name.

use std::collections::BTreeSet;

use crate::source::{Source, paths};

/// One room of the shared crate: a module at its root.
struct Room {
    name: &'static str,
    /// A room may name the rooms of lower floors, and no other of its own floor.
    floor: u8,
    /// The crates that it may name beside `ALL_MAY`.
    crates: &'static [&'static str],
}

/// What every room may name.
const ALL_MAY: [&str; 5] = ["std", "serde", "jiff", "thiserror", "schemars"];

/// The house, from the ground up. `ids, weight, fault` ← `spec` ← `plan, analysis, observation` ← `rollout, strategy`
/// ← `machine` ← `audit` ← `api` ← `estate, events` ← `ports` ← `telemetry` ← `driver` ← `aws`.
const HOUSE: [Room; 19] = [
    Room { name: "ids", floor: 0, crates: &[] },
    Room { name: "weight", floor: 0, crates: &[] },
    Room { name: "fault", floor: 0, crates: &[] },
    Room { name: "mistake", floor: 0, crates: &[] },
    // YAML and its suggestions are the reader's affair.
    Room { name: "spec", floor: 1, crates: &["serde_saphyr", "granit_parser", "garde", "strsim"] },
    Room { name: "plan", floor: 2, crates: &[] },
    Room { name: "analysis", floor: 2, crates: &[] },
    Room { name: "observation", floor: 2, crates: &[] },
    Room { name: "rollout", floor: 3, crates: &[] },
    Room { name: "strategy", floor: 3, crates: &[] },
    Room { name: "machine", floor: 4, crates: &[] },
    // An entry's hash is that of its JSON.
    Room { name: "audit", floor: 5, crates: &["serde_json", "sha2"] },
    // The operator's protocol carries reports and journals.
    Room { name: "api", floor: 6, crates: &[] },
    // What `init` prints is JSON for the AWS CLI.
    Room { name: "estate", floor: 7, crates: &["serde_json"] },
    Room { name: "events", floor: 7, crates: &["serde_json"] },
    Room { name: "ports", floor: 8, crates: &[] },
    // Metrics are log lines of CloudWatch's embedded metric format.
    Room { name: "telemetry", floor: 9, crates: &["serde_json", "tracing", "tracing_subscriber"] },
    // A rollout's id is made from the key of the request that began it.
    Room { name: "driver", floor: 10, crates: &["tracing", "futures_util", "ulid", "sha2"] },
    Room { name: "aws", floor: 11, crates: &["*"] },
];

/// The floor of the ports: async begins here.
const PORTS: u8 = 8;

/// The one room that may know the world outside.
const OUTSIDE: &str = "aws";

/// Names that have no business below the adapters, and why.
const BANNED: [(&str, &str); 13] = [
    ("tokio", "the executor belongs to the functions"),
    ("Instant", "time is an argument; the one clock is behind `ports::Clock`"),
    ("SystemTime", "time is an argument; the one clock is behind `ports::Clock`"),
    ("Timestamp::now", "time is an argument; the one clock is behind `ports::Clock`"),
    ("Zoned::now", "time is an argument; the one clock is behind `ports::Clock`"),
    ("std::env", "the environment is read in one place, in `aws`"),
    ("std::fs", "rooms below the adapters have no files"),
    ("std::net", "rooms below the adapters have no network"),
    ("std::process", "rooms below the adapters start and end no process"),
    ("std::thread", "rooms below the adapters have no threads"),
    ("HashMap", "its order differs from run to run: use BTreeMap"),
    ("HashSet", "its order differs from run to run: use BTreeSet"),
    ("println", "the library never prints"),
];

/// Rooms that may read JSON: others' events, and what the adapters stored.
const READ_JSON: [&str; 2] = ["events", OUTSIDE];

/// What a function may name of the shared crate: doors and adapters. All else decides something.
const FUNCTIONS_MAY: [&str; 6] = ["api", "aws", "driver", "events", "ports", "telemetry"];

/// What a function may depend on.
const FUNCTIONS_DEPEND: [&str; 7] = ["tidegate", "lambda_runtime", "serde", "serde_json", "tokio", "tracing", "jiff"];

/// Returns every breach in the sources of the shared crate and the functions: place, what, and why not.
/// `dependencies` are the names of the shared crate's Cargo dependencies, as Rust writes them.
pub fn breaches(sources: &[Source], dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut tell =
        |source: &Source, line: usize, what: String| breaches.push(format!("{}:{line}: {what}", source.path));
    for source in sources {
        if let Some(room) = source.path.strip_prefix("shared/src/") {
            in_the_house(source, room, dependencies, &mut tell);
        } else if source.path.starts_with("functions/") {
            in_a_function(source, &mut tell);
        }
    }
    breaches
}

type Tell<'a> = dyn FnMut(&Source, usize, String) + 'a;

fn in_the_house(source: &Source, path: &str, dependencies: &BTreeSet<String>, tell: &mut Tell<'_>) {
    if path == "lib.rs" || source.is_test() {
        return;
    }
    let name = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let Some(room) = HOUSE.iter().find(|room| room.name == name) else {
        return tell(source, 1, format!("`{name}` is a room that the house does not have: give it a floor in `HOUSE`"));
    };
    let depth = path.split('/').count() - usize::from(path.ends_with("mod.rs"));
    for (line, path) in paths(&source.code()) {
        let parts: Vec<&str> = path.split("::").collect();
        let supers = parts.iter().take_while(|&&part| part == "super").count();
        if supers >= depth {
            tell(source, line, format!("`{path}` leaves the room: write `crate::`"));
        } else if parts[0] == "crate" {
            names_a_room(source, line, room, parts.get(1).copied(), tell);
        } else if dependencies.contains(parts[0]) && !room.may_name(parts[0]) {
            tell(source, line, format!("`{name}` may not name the crate `{}`", parts[0]));
        }
        if room.name != OUTSIDE {
            for (banned, why) in BANNED.iter().filter(|(banned, _)| names(&parts, banned)) {
                tell(source, line, format!("`{banned}` in `{name}`: {why}"));
            }
        }
        if room.floor < PORTS && ["async", "await", "Future"].contains(parts.last().unwrap_or(&"")) {
            tell(source, line, format!("`{path}` in `{name}`: async begins at `ports`"));
        }
        if path.starts_with("serde_json::from_") && !READ_JSON.contains(&room.name) {
            tell(source, line, format!("`{path}` in `{name}`: JSON is read in `events` and in the adapters"));
        }
    }
}

fn names_a_room(source: &Source, line: usize, room: &Room, named: Option<&str>, tell: &mut Tell<'_>) {
    let Some(named) = named.filter(|named| *named != room.name) else { return };
    match HOUSE.iter().find(|other| other.name == named) {
        Some(other) if other.floor < room.floor => {}
        Some(_) => tell(source, line, format!("`{}` may not name `{named}`: it is not on a lower floor", room.name)),
        None => tell(source, line, format!("`crate::{named}` is no room of the house")),
    }
}

impl Room {
    fn may_name(&self, krate: &str) -> bool {
        ALL_MAY.contains(&krate) || self.crates.contains(&krate) || self.crates == ["*"]
    }
}

/// Whether a path names a banned thing: a crate or a type anywhere in it, or two parts in a row.
fn names(parts: &[&str], banned: &str) -> bool {
    let banned: Vec<&str> = banned.split("::").collect();
    parts.windows(banned.len()).any(|window| window == banned.as_slice())
}

fn in_a_function(source: &Source, tell: &mut Tell<'_>) {
    for (line, path) in paths(&source.code()) {
        let parts: Vec<&str> = path.split("::").collect();
        if parts[0] == "tidegate" && parts.get(1).is_some_and(|room| !FUNCTIONS_MAY.contains(room)) {
            tell(source, line, format!("`{path}` in a function: functions decide nothing, the driver does"));
        }
        if parts[0].starts_with("aws_") {
            tell(source, line, format!("`{path}` in a function: AWS types do not leave `tidegate::aws`"));
        }
        if names(&parts, "std::env") {
            tell(source, line, format!("`{path}` in a function: the environment is read in `tidegate::aws`"));
        }
    }
}

/// One dependency of a Cargo file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its name, as Rust writes it.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// What is written of it.
    pub wanted: String,
}

/// Returns the entries of the sections with these names, `[dependencies]` for example.
pub fn dependencies(cargo: &str, sections: &[&str]) -> Vec<Dependency> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in cargo.lines().enumerate() {
        if line.starts_with('[') {
            inside = sections.contains(&line.trim().trim_matches(['[', ']']));
        } else if let Some((name, wanted)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            let name = name.trim().trim_end_matches(".workspace").replace('-', "_");
            found.push(Dependency { name, line: index + 1, wanted: wanted.trim().to_owned() });
        }
    }
    found
}

/// Returns every breach in a member's Cargo file.
pub fn cargo_breaches(source: &Source) -> Vec<String> {
    let normal = dependencies(&source.text, &["dependencies"]);
    let breach = |entry: &Dependency, why: &str| format!("{}:{}: `{}`: {why}", source.path, entry.line, entry.name);
    normal
        .iter()
        .filter_map(|entry| {
            let of_aws = entry.name.starts_with("aws_");
            if source.path.starts_with("functions/") && !FUNCTIONS_DEPEND.contains(&entry.name.as_str()) {
                return Some(breach(entry, "a function has config, clients and `run()`, and needs no more"));
            }
            if source.path == "shared/Cargo.toml" {
                let gated = entry.wanted.contains("optional = true");
                let outside = of_aws || entry.name == "tokio";
                let member = ["sandbox", "tidegate_cli", "tests"].contains(&entry.name.as_str());
                return match (outside && !gated, member) {
                    (true, _) => {
                        Some(breach(entry, "is for the adapters alone: `optional = true`, behind feature `aws`"))
                    }
                    (_, true) => Some(breach(entry, "the shared crate depends on no other member")),
                    (false, false) => None,
                };
            }
            let sdk = of_aws && !(source.path == "cli/Cargo.toml" && entry.wanted.contains("optional = true"));
            sdk.then(|| breach(entry, "the SDK is behind `tidegate`'s feature `aws`"))
        })
        .collect()
}
