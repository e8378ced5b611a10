//! Specs by table: what `lint` says of each file in `specs/`, and what the examples compile to. Goldens in `snapshots/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use tidegate::estate::calls;
use tidegate::observation::RulePlace;
use tidegate::plan::Step;
use tidegate::{spec, strategy};

/// The YAML files of a folder of the repository, by name.
fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no specs in {}", folder.display());
    files
}

fn name(file: &Path) -> &str {
    file.file_stem().unwrap().to_str().unwrap()
}

#[test]
fn every_mistake_is_named_at_its_place_in_one_run() {
    for file in yaml_files("tests/specs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let lint = spec::lint(&format!("{}.yaml", name(&file)), &text);
        insta::assert_snapshot!(format!("lint-{}", name(&file)), lint.text(&text));
    }
}

#[test]
fn examples_are_good_and_print_back_to_themselves() {
    for file in yaml_files("examples") {
        let text = std::fs::read_to_string(&file).unwrap();
        let lint = spec::lint(name(&file), &text);
        assert!(lint.warnings.is_empty(), "{}", lint.text(&text));
        let spec = lint.spec.as_ref().unwrap_or_else(|| panic!("{}", lint.text(&text)));
        let printed = spec::print(spec);
        assert_eq!(spec::read(&printed).as_ref(), Ok(spec), "{printed}");
        insta::assert_snapshot!(format!("print-{}", name(&file)), printed);
    }
}

#[test]
fn the_spec_in_the_documentation_is_good() {
    let page = include_str!("../../docs/spec.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let lint = spec::lint("docs/spec.md", example);
    assert!(lint.spec.is_some() && lint.warnings.is_empty(), "{}", lint.text(example));
}

/// A plan is for a stable side of so many tasks: one task, an odd number, and enough for small shares to matter.
const STABLE_TASKS: [u32; 3] = [1, 3, 40];

#[test]
fn examples_compile_to_their_plans() {
    for file in yaml_files("examples") {
        let spec = spec::read(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let mut golden = String::new();
        for tasks in STABLE_TASKS {
            writeln!(golden, "beside {tasks} stable tasks").unwrap();
            for step in strategy::compile(&spec, tasks).steps {
                let needs = match &step {
                    Step::Preview { needs } | Step::HeaderRoute { needs, .. } | Step::SetWeight { needs, .. } => {
                        format!(", needs {needs} healthy")
                    }
                    Step::CleanUp { delay } => format!(", after {delay:#}"),
                    Step::Deploy { .. }
                    | Step::RemoveRoutes
                    | Step::Scale { .. }
                    | Step::Pause { .. }
                    | Step::Analysis { .. }
                    | Step::Watch { .. }
                    | Step::Bake { .. }
                    | Step::Promote => String::new(),
                };
                let calls = calls::least(&step, &spec, &[RulePlace::Rule, RulePlace::DefaultAction]);
                let calls: Vec<String> =
                    calls.iter().map(|asked| format!("{} × {}", asked.times, asked.call)).collect();
                writeln!(
                    golden,
                    "  {step}{needs}; at least {:#}; asks {}",
                    step.least(&spec),
                    if calls.is_empty() { "nothing".to_owned() } else { calls.join(", ") }
                )
                .unwrap();
            }
            for short in strategy::shortfalls(&spec, tasks) {
                writeln!(golden, "  short: {short:?}").unwrap();
            }
        }
        insta::assert_snapshot!(format!("plan-{}", name(&file)), golden);
    }
}
