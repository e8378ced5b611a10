//! YAML or JSON into a `RolloutSpec`, with every mistake named at its line and column.

mod argo;
mod blue_green;
mod header_route;
mod metric;
mod others;
mod policy;
mod strategy;
mod tree;
mod walk;

use jiff::SignedDuration;

use self::argo::Scope;
use self::tree::Place;
pub(super) use self::walk::is_hidden;
use self::walk::{At, Walk, wrong};
use super::{Mistake, RolloutSpec, SpecError, StrategySpec, WorkloadSpec, limits};

/// What a reading found.
pub(super) struct Found {
    /// The spec, where there is no mistake.
    pub spec: Option<RolloutSpec>,
    /// All mistakes, in the order of the text.
    pub errors: Vec<SpecError>,
    /// All warnings, in the order of the text.
    pub warnings: Vec<SpecError>,
}

/// Reads a whole text.
pub(super) fn found(text: &str) -> Found {
    let mut walk = Walk::default();
    hidden_characters(&mut walk, text);
    let spec = match tree::tree(text) {
        Ok(root) => document(&mut walk, &At::root(&root)),
        Err(no) => {
            walk.note_at(no.place, "", wrong(Mistake::Syntax, no.problem, no.hint));
            None
        }
    };
    let Walk { mut errors, mut warnings } = walk;
    errors.sort_by_key(|error| (error.line, error.column));
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    let spec = spec.filter(|_| errors.is_empty());
    Found { spec, errors, warnings }
}

/// Notes characters that nobody can see: what people review must be what is read. One note a line is enough.
fn hidden_characters(walk: &mut Walk, text: &str) {
    for (index, line) in text.lines().enumerate() {
        // A byte order mark at the very start is how some editors save.
        let found = line.chars().enumerate().find(|(at, char)| is_hidden(*char) && (index, *at, *char) != BOM);
        if let Some((at, char)) = found {
            let place = Place { line: index + 1, column: at + 1, width: 1 };
            let problem = format!("the line holds the invisible character U+{:04X}", u32::from(char));
            walk.note_at(place, "", wrong(Mistake::Syntax, problem, "delete it; type the line again if in doubt"));
        }
    }
}

const BOM: (usize, usize, char) = (0, 0, '\u{feff}');

fn document(walk: &mut Walk, at: &At<'_>) -> Option<RolloutSpec> {
    let fields = walk.fields(at, Scope::Document, &["apiVersion", "kind", "metadata", "spec"])?;
    let version = fields.required(walk, "apiVersion", "apiVersion: tidegate.dev/v1alpha1");
    version.and_then(|at| walk.word(&at, &[("tidegate.dev/v1alpha1", ())]));
    let kind = fields.required(walk, "kind", "kind: Rollout");
    kind.and_then(|at| walk.word(&at, &[("Rollout", ())]));
    let metadata = fields.required(walk, "metadata", "metadata: {name: checkout}");
    let name = metadata.and_then(|at| {
        let fields = walk.fields(&at, Scope::Metadata, &["name"])?;
        let name = fields.required(walk, "name", "name: checkout")?;
        walk.name(&name, limits::is_name, "a rollout's name", limits::NAME_HINT)
    });
    let spec = fields.required(walk, "spec", "spec: {workload: …, strategy: …}");
    let spec = spec.and_then(|at| read_spec(walk, &at));
    Some(RolloutSpec { name: name?, ..spec? })
}

const SPEC: [&str; 8] = [
    "workload",
    "taskDefinition",
    "alarms",
    "progressDeadlineSeconds",
    "metrics",
    "strategy",
    "rollbackWindow",
    "onNewRevision",
];

/// Reads `spec`; the name is the document's to fill in.
fn read_spec(walk: &mut Walk, at: &At<'_>) -> Option<RolloutSpec> {
    let names = [&SPEC[..], &policy::FIELDS[..]].concat();
    let fields = walk.fields(at, Scope::Spec, &names)?;
    let example = "workload: {twinServices: {cluster: shop, services: [web-blue, web-green]}}";
    let workload = fields.required(walk, "workload", example).and_then(|at| workload(walk, &at));
    let task_definition = match fields.get("taskDefinition") {
        None => Some(None),
        Some(at) => {
            let form = "a task definition";
            walk.name(&at, limits::is_task_definition, form, limits::TASK_DEFINITION_HINT).map(Some)
        }
    };
    let alarms = fields.get("alarms").map_or_else(|| Some(Vec::new()), |at| alarms(walk, &at));
    let seconds = fields.get("progressDeadlineSeconds").map_or(Some(limits::PROGRESS_DEADLINE_DEFAULT), |at| {
        let hint = "give tasks a minute to start: below, every rollout goes home";
        walk.whole(&at, limits::PROGRESS_DEADLINE, hint)
    });
    let metrics = fields.get("metrics").map_or_else(metric::Metrics::none, |at| metric::metrics(walk, &at));
    let strategy = fields.required(walk, "strategy", "strategy: {canary: {steps: [{setWeight: 20}, {pause: {}}]}}");
    let strategy = strategy.and_then(|at| strategy::strategy(walk, &at, &metrics));
    let others = others::others(walk, &fields);
    if let Some(strategy) = &strategy {
        metrics.warn_of_unused(walk, strategy);
        warn_if_blind(walk, at, alarms.as_deref(), strategy);
    }
    let policies = policy::policies(walk, &fields, strategy.as_ref());
    Some(RolloutSpec {
        name: String::new(),
        workload: workload?,
        task_definition: task_definition?,
        alarms: alarms?,
        metrics: metrics.specs?,
        strategy: strategy?,
        progress_deadline: SignedDuration::from_secs(seconds?.into()),
        others: others?,
        policies: policies?,
    })
}

fn workload(walk: &mut Walk, at: &At<'_>) -> Option<WorkloadSpec> {
    let (_, at) = walk.one_of(at, Scope::Workload, &["twinServices"])?;
    let fields = walk.fields(&at, Scope::Ours, &["cluster", "services"])?;
    let cluster = fields
        .required(walk, "cluster", "cluster: shop")
        .and_then(|at| walk.name(&at, limits::is_cluster, "a cluster", "give the cluster's name, or its ARN"));
    let services = fields.required(walk, "services", "services: [web-blue, web-green]");
    let services = services.and_then(|at| twins(walk, &at));
    Some(WorkloadSpec::TwinServices { cluster: cluster?, services: services? })
}

fn twins(walk: &mut Walk, at: &At<'_>) -> Option<[String; 2]> {
    let items = walk.list(at, limits::NAMES_MAX)?;
    let hint = "give the service's name, not its ARN; the cluster stands beside it";
    let names: Vec<Option<String>> =
        items.iter().map(|item| walk.name(item, limits::is_service, "a service's name", hint)).collect();
    let [first, second] = &names[..] else {
        let problem = format!("`services` has {} items; it must name two services", names.len());
        let hint = "name the twins: each has its own target group; `tidegate init` prints the second one's definition";
        walk.note(at, wrong(Mistake::OutOfRange, problem, hint));
        return None;
    };
    let (first, second) = (first.clone()?, second.clone()?);
    if first == second {
        let problem = format!("`services` names `{first}` twice");
        let hint = "name two services, each with its own target group";
        walk.note(&items[1], wrong(Mistake::Contradiction, problem, hint));
        return None;
    }
    Some([first, second])
}

fn alarms(walk: &mut Walk, at: &At<'_>) -> Option<Vec<String>> {
    let items = walk.list(at, limits::NAMES_MAX)?;
    distinct(walk, &items, |walk, item| {
        walk.name(
            item,
            limits::is_alarm,
            "an alarm's name",
            "give the alarm's name as CloudWatch shows it, not its ARN",
        )
    })
}

/// Reads names that may not repeat.
fn distinct(
    walk: &mut Walk,
    items: &[At<'_>],
    read: impl Fn(&mut Walk, &At<'_>) -> Option<String>,
) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in items {
        match read(walk, item) {
            Some(name) if names.contains(&name) => {
                let problem = format!("`{name}` is named twice");
                walk.note(item, wrong(Mistake::Reference, problem, "drop the second one"));
            }
            Some(name) => names.push(name),
            None => complete = false,
        }
    }
    complete.then_some(names)
}

fn warn_if_blind(walk: &mut Walk, at: &At<'_>, alarms: Option<&[String]>, strategy: &StrategySpec) {
    if alarms.is_some_and(<[String]>::is_empty) && strategy.judged().next().is_none() {
        let problem = "nothing is watched: a bad revision is promoted like a good one";
        let hint = "name CloudWatch alarms in `alarms`, or write `analysis` steps";
        walk.warn(at, wrong(Mistake::Contradiction, problem, hint));
    }
}
