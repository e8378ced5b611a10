//! The published schema: it is current, and it agrees with the reader on the examples and on what chance makes of them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use tidegate::spec::{self, Mistake, SpecError};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_published_schema_is_current() {
    let file = repository().join("docs/rollout.schema.json");
    let current = serde_json::to_string_pretty(&spec::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(published == current, "write it again: UPDATE_SCHEMA=1 cargo test -p tests --test spec_schema");
}

/// The examples as JSON documents, all defaults written out.
fn examples() -> Vec<Value> {
    let mut files: Vec<PathBuf> =
        repository().join("examples").read_dir().unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let document = |file: &PathBuf| {
        let lint = spec::lint("example", &std::fs::read_to_string(file).unwrap());
        serde_json::to_value(lint).unwrap()["spec"].take()
    };
    files.iter().map(document).collect()
}

/// Mistakes that a schema cannot say: its language knows no order, no references, and no length of a duration.
fn beyond_schemas(error: &SpecError) -> bool {
    match error.kind {
        Mistake::Syntax | Mistake::DuplicateKey | Mistake::TooFine | Mistake::Reference | Mistake::Contradiction => {
            true
        }
        Mistake::OutOfRange => {
            ["duration", "timeout", "interval", "initialDelay"].iter().any(|name| error.path.ends_with(name))
        }
        Mistake::UnknownField
        | Mistake::MissingField
        | Mistake::WrongType
        | Mistake::NotSupported
        | Mistake::NotImplemented => false,
    }
}

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::to_value(spec::schema()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

static EXAMPLES: LazyLock<Vec<Value>> = LazyLock::new(examples);

fn check_agreement(document: &Value) {
    let text = serde_json::to_string_pretty(document).unwrap();
    let lint = spec::lint("document", &text);
    match SCHEMA.validate(document) {
        Err(error) => assert!(
            !lint.errors.is_empty(),
            "the schema says `{error}` at {}, the reader nothing of\n{text}",
            error.instance_path()
        ),
        Ok(()) => assert!(
            lint.errors.iter().all(beyond_schemas),
            "the schema says nothing, and the reader\n{}",
            lint.text(&text)
        ),
    }
}

#[test]
fn schema_and_reader_accept_the_examples() {
    for document in EXAMPLES.iter() {
        assert!(spec::read(&document.to_string()).is_ok(), "{document}");
        check_agreement(document);
    }
}

/// What a document may hold in the wrong place.
fn strange_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![-1, 0, 1, 3, 59, 100, 101, 2000, 5001, 86_401]).prop_map(Value::from),
        prop::sample::select(vec![-0.5, 0.05, 0.1, 1.5, 99.95, 5.0, 1e9, 1e300]).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "x",
            "p99",
            "Average",
            "30s",
            "90s",
            "1h30m",
            "5 minutes",
            "-5m",
            "10",
            "1.5",
            "true",
            "a b",
            "arn:aws:x",
            "inconclusive",
            "checkout:42",
            "family:0",
            "http-5xx-rate",
        ])
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({"setWeight": 10})),
        Just(json!({"pause": {}})),
        Just(json!(["a", "b", "a"])),
    ]
}

/// One change at a place found by chance.
fn change(node: &mut Value, mut way: impl Iterator<Item = Index>, kind: u8, value: Value) {
    let Some(index) = way.next() else { return };
    let deeper = |child: &Value| child.is_object() || child.is_array();
    match node {
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(index.index(fields.len())).unwrap().clone();
            match kind {
                0 if !deeper(&fields[&key]) => drop(fields.remove(&key)),
                1 if !deeper(&fields[&key]) => drop(fields.insert(format!("{key}x"), value)),
                _ if deeper(&fields[&key]) && way.size_hint().0 > 0 && kind < 4 => {
                    change(&mut fields[&key], way, kind, value);
                }
                0 => drop(fields.remove(&key)),
                _ => drop(fields.insert(key, value)),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let index = index.index(items.len());
            match kind {
                _ if deeper(&items[index]) && way.size_hint().0 > 0 && kind < 4 => {
                    change(&mut items[index], way, kind, value);
                }
                0 => drop(items.remove(index)),
                1 => items.insert(index, value),
                _ => items[index] = value,
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *node = value;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_reader_agree_on_changed_documents(
        example in any::<Index>(),
        way in prop::collection::vec(any::<Index>(), 1..10),
        kind in 0..6_u8,
        value in strange_value(),
    ) {
        let mut document = example.get(&EXAMPLES).clone();
        change(&mut document, way.into_iter(), kind, value);
        check_agreement(&document);
    }
}
