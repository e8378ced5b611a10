//! The direction of the dependencies holds, and a breach of it is found.

use std::collections::BTreeSet;
use std::process::Command;

use tests::layers::{breaches, cargo_breaches, dependencies};
use tests::source::{Source, files, paths, repository};

fn sources() -> Vec<Source> {
    files("shared/src", "rs").into_iter().chain(files("functions", "rs")).collect()
}

fn shared_dependencies() -> BTreeSet<String> {
    let cargo = files("shared", "toml").into_iter().find(|file| file.path == "shared/Cargo.toml").unwrap();
    dependencies(&cargo.text, &["dependencies"]).into_iter().map(|entry| entry.name).collect()
}

/// Finds the breaches of one file that exists only here.
fn planted(path: &str, text: &str) -> Vec<String> {
    breaches(&[Source::new(path, text)], &shared_dependencies())
}

#[test]
fn every_room_names_lower_floors_only() {
    let found = breaches(&sources(), &shared_dependencies());
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(sources().len() > 30, "the sources are where the test looks");
}

#[test]
fn a_planted_breach_is_found() {
    let table = [
        ("shared/src/ids.rs", "use crate::weight::Weight;", "`ids` may not name `weight`"),
        ("shared/src/plan.rs", "fn f() -> crate::rollout::Rollout {}", "`plan` may not name `rollout`"),
        ("shared/src/machine/gate.rs", "use crate::{api, weight};", "`machine` may not name `api`"),
        ("shared/src/machine/gate.rs", "use super::super::driver;", "leaves the room"),
        ("shared/src/rollout.rs", "use super::machine::effect::Write;", "leaves the room"),
        ("shared/src/machine/mod.rs", "use super::driver;", "leaves the room"),
        ("shared/src/events/ecs.rs", "use crate::driver;", "`events` may not name `driver`"),
        ("shared/src/helpers.rs", "", "a room that the house does not have"),
        ("shared/src/plan.rs", "use crate::cellar::Wine;", "is no room of the house"),
        ("shared/src/machine/gate.rs", "fn f() { let now = jiff::Timestamp::now(); }", "`Timestamp::now` in `machine`"),
        ("shared/src/driver/mod.rs", "use std::time::{Duration, Instant};", "`Instant` in `driver`"),
        ("shared/src/driver/mod.rs", "use std::{env, fmt};", "`std::env` in `driver`"),
        ("shared/src/driver/perform.rs", "async fn f() { tokio::spawn(g()).await }", "`tokio` in `driver`"),
        ("shared/src/machine/look.rs", "pub async fn f() {}", "async begins at `ports`"),
        ("shared/src/machine/look.rs", "use std::collections::HashMap;", "`HashMap` in `machine`"),
        ("shared/src/machine/look.rs", "fn f() { tracing::info!(\"x\") }", "may not name the crate `tracing`"),
        ("shared/src/rollout.rs", "fn f() { serde_json::from_str(s) }", "JSON is read in `events`"),
        ("shared/src/ports.rs", "use aws_sdk_ecs::Client;", "may not name the crate `aws_sdk_ecs`"),
        ("functions/alarm/src/main.rs", "use tidegate::rollout::Phase;", "functions decide nothing"),
        ("functions/sweep/src/main.rs", "use tidegate::{driver, machine::step};", "functions decide nothing"),
        ("functions/sweep/src/main.rs", "use aws_sdk_ecs::Client;", "AWS types do not leave"),
        ("functions/sweep/src/main.rs", "fn f() { std::env::var(NAME) }", "the environment is read in"),
    ];
    for (path, text, expected) in table {
        let found = planted(path, text);
        let hit = found.iter().any(|breach| breach.starts_with(path) && breach.contains(expected));
        assert!(hit, "{expected:?} was expected of {text:?} in {path}, found {found:?}");
    }
}

#[test]
fn what_only_looks_like_a_breach_is_none() {
    let text = r#"
        //! Names `crate::driver` and std::env in a comment.
        use crate::weight::Weight;
        const WORDS: &str = "crate::driver tokio Instant";
        #[cfg(test)]
        mod tests { use crate::driver; fn f() { std::env::var("X"); } }
    "#;
    assert_eq!(planted("shared/src/plan.rs", text), Vec::<String>::new());
}

#[test]
fn one_place_reads_the_environment_and_one_reads_the_time() {
    for what in [["std", "env"], ["Timestamp", "now"]] {
        let places: Vec<String> = sources()
            .into_iter()
            .filter(|source| paths(&source.code()).iter().any(|(_, path)| path.contains(&what.join("::"))))
            .map(|source| source.path)
            .collect();
        assert!(places.len() <= 1, "{} in {}", what.join("::"), places.join(", "));
    }
}

#[test]
fn the_machine_matches_every_variant() {
    let machine =
        files("shared/src/machine", "rs").into_iter().find(|source| source.path.ends_with("/mod.rs")).unwrap();
    assert!(
        machine.text.contains("#![deny(clippy::wildcard_enum_match_arm)]"),
        "clippy watches over `_ =>` in machine/"
    );
    for source in files("shared/src/machine", "rs") {
        assert!(!source.text.contains("allow(clippy::wildcard_enum_match_arm)"), "{} lets `_ =>` in", source.path);
    }
}

#[test]
fn cargo_files_hold_the_direction() {
    let members: Vec<Source> = ["shared", "functions", "cli", "sandbox", "tests"]
        .into_iter()
        .flat_map(|folder| files(folder, "toml"))
        .filter(|source| source.path.ends_with("/Cargo.toml"))
        .collect();
    let found: Vec<String> = members.iter().flat_map(cargo_breaches).collect();
    assert!(members.len() >= 10 && found.is_empty(), "{} members: {}", members.len(), found.join("\n"));

    let table = [
        ("shared/Cargo.toml", "[dependencies]\naws-sdk-ecs.workspace = true", "`optional = true`"),
        ("shared/Cargo.toml", "[dependencies]\ntokio = { workspace = true }", "`optional = true`"),
        ("shared/Cargo.toml", "[dependencies]\nsandbox.workspace = true", "no other member"),
        ("sandbox/Cargo.toml", "[dependencies]\naws-config.workspace = true", "behind `tidegate`'s feature"),
        ("cli/Cargo.toml", "[dependencies]\naws-sdk-ecs.workspace = true", "behind `tidegate`'s feature"),
        ("functions/alarm/Cargo.toml", "[dependencies]\naws-sdk-ecs.workspace = true", "needs no more"),
    ];
    for (path, text, expected) in table {
        let found = cargo_breaches(&Source::new(path, text));
        assert!(found.len() == 1 && found[0].contains(expected), "{path}: {found:?}");
    }
}

#[test]
fn the_sdk_is_built_for_the_functions_alone() {
    for package in ["tidegate", "sandbox", "tidegate-cli", "tests"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", package])
            .current_dir(repository())
            .output()
            .expect("cargo runs");
        let names = String::from_utf8_lossy(&tree.stdout);
        assert!(tree.status.success(), "cargo tree -p {package}: {}", String::from_utf8_lossy(&tree.stderr));
        assert!(names.lines().any(|name| name.starts_with("tidegate ")), "{package} is built on tidegate");
        let sdk: Vec<_> =
            names.lines().filter(|name| name.starts_with("aws-sdk-") || name.starts_with("aws-config")).collect();
        assert!(sdk.is_empty(), "{package} builds {sdk:?}");
    }
}
