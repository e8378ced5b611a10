//! The house is tidy, and what is untidy is found.

use tests::layers::dependencies;
use tests::source::{Source, files, repository};
use tests::tidy::{untidy, with_own_version, without_a_reason};

const FOLDERS: [&str; 7] = ["shared", "functions", "cli", "sandbox", "tests", "bench", "trials"];

fn sources() -> Vec<Source> {
    FOLDERS.into_iter().flat_map(|folder| files(folder, "rs")).collect()
}

fn workspace() -> String {
    std::fs::read_to_string(repository().join("Cargo.toml")).unwrap()
}

fn members() -> Vec<Source> {
    let all = FOLDERS.into_iter().flat_map(|folder| files(folder, "toml"));
    all.filter(|source| source.path.ends_with("/Cargo.toml")).collect()
}

#[test]
fn every_source_is_tidy() {
    let found: Vec<String> = sources().iter().flat_map(untidy).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_untidy_is_found() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(600));
    let table = [
        ("a.rs", "use x;\nuse y;", "no module sentence"),
        ("a.rs", long.as_str(), "601 lines"),
        ("a.rs", "//! A.\npub(crate) struct EventHandler {", "`EventHandler` names nothing"),
        ("a.rs", "//! A.\nmod test_utils;", "`test_utils` names nothing"),
        ("a.rs", "//! A.\ntrait Manager {}", "`Manager` names nothing"),
        ("src/helpers/util.rs", "//! A.", "the file's name says nothing"),
        ("a.rs", "//! A.\nfn f() { todo!() }", "`todo!(` is left behind"),
        ("a.rs", "//! A.\n#[ignore = why]", "`#[ignore` is left behind"),
        ("a.rs", "//! A.\n#![allow(dead_code)]", "`allow(dead_code)` is left behind"),
    ];
    for (path, text, expected) in table {
        let found = untidy(&Source::new(path, text));
        assert!(found.len() == 1 && found[0].contains(expected), "{expected:?} was expected, found {found:?}");
    }
    let tidy = "//! A handler is named in words only.\nstruct Handled;\nenum Utility {} // not a util\n";
    assert_eq!(untidy(&Source::new("a.rs", tidy)), Vec::<String>::new());
}

#[test]
fn every_dependency_pays_rent_in_a_sentence() {
    let found = without_a_reason(&workspace());
    assert!(found.is_empty(), "{}", found.join("\n"));

    let planted = "[workspace.dependencies]\n# The data model of everything.\nserde = \"1\"\nserde_json = \"1\"\nrand = \"1\"\n# Dice.\nfastrand = \"2\"\n";
    let found = without_a_reason(planted);
    let names: Vec<bool> = ["`rand`", "`fastrand`"].iter().map(|name| found.iter().any(|f| f.contains(name))).collect();
    assert_eq!((found.len(), names), (2, vec![true, true]), "{found:?}");
}

#[test]
fn versions_features_and_lints_stand_in_one_place() {
    let found: Vec<String> = members().iter().flat_map(with_own_version).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    for member in members() {
        assert!(member.text.contains("[lints]\nworkspace = true"), "{} does not take the shared lints", member.path);
    }
    for entry in dependencies(&workspace(), &["workspace.dependencies"]) {
        let of_aws = entry.name.starts_with("aws_");
        assert!(
            !of_aws || entry.wanted.contains("default-features = false"),
            "{} without `default-features = false`",
            entry.name
        );
    }
}
