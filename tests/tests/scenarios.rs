//! The scenarios in `tests/scenarios`, each a story line by line.

use sandbox::script::{Script, run};
use tests::source::repository;

#[test]
fn every_scenario_goes_as_it_is_told() {
    let folder = repository().join("tests/scenarios");
    let mut names: Vec<_> =
        std::fs::read_dir(folder).expect("scenarios").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    for path in names {
        let text = std::fs::read_to_string(&path).expect("a scenario can be read");
        let script = Script::read(&text).unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", path.display()));
        let ran = run(&script, 1, |_| {}).unwrap_or_else(|failed| panic!("{}: {failed}", path.display()));
        assert!(ran.held > 0, "{} expects nothing", path.display());
    }
}
