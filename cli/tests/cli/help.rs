//! Help is documentation: each verb's is a snapshot.

use crate::fake;

const VERBS: [&str; 21] = [
    "lint",
    "plan",
    "init",
    "start",
    "get",
    "status",
    "list",
    "promote",
    "pause",
    "resume",
    "abort",
    "retry",
    "undo",
    "restart",
    "history",
    "events",
    "judge",
    "verify",
    "sandbox",
    "completions",
    "version",
];

#[test]
fn the_help_of_the_whole() {
    let run = fake::run(&["--help"]);
    assert_eq!(run.code, 0);
    insta::assert_snapshot!(run.stdout);
    for verb in VERBS {
        assert!(run.stdout.contains(&format!("\n  {verb} ")), "{verb} is in no snapshot");
    }
    let listed = run.stdout.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    assert_eq!(listed.count(), VERBS.len() + 1, "each verb beside `help` has a snapshot");
}

#[test]
fn the_help_of_each_verb() {
    for verb in VERBS {
        let run = fake::run(&[verb, "--help"]);
        assert_eq!(run.code, 0, "{verb}");
        insta::assert_snapshot!(format!("help-{verb}"), run.stdout);
    }
}

#[test]
fn the_document_names_every_verb() {
    let document = include_str!("../../../docs/cli.md");
    for verb in VERBS {
        assert!(document.contains(&format!("| `{verb}")), "{verb} is not in docs/cli.md");
    }
}
