//! A resource's properties, each of which is either read, ignored by name, or refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::intrinsics::scalar_text;
use crate::platform::LoadError;

/// The resolved properties of one resource or one part of it.
pub struct Properties {
    place: String,
    fields: Map<String, Value>,
    seen: BTreeSet<String>,
}

impl Properties {
    pub fn new(place: impl Into<String>, fields: Map<String, Value>) -> Self {
        Self { place: place.into(), fields, seen: BTreeSet::new() }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    pub fn error(&self, problem: impl Into<String>) -> LoadError {
        LoadError::new(&self.place, problem)
    }

    /// The names of the properties that are given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// The value of a property, marked as read.
    pub fn value(&mut self, key: &str) -> Option<Value> {
        self.seen.insert(key.to_owned());
        self.fields.get(key).filter(|value| !value.is_null()).cloned()
    }

    pub fn text(&mut self, key: &str) -> Result<Option<String>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match scalar_text(&value) {
                Some(text) => Ok(Some(text)),
                None => Err(self.error(format!("`{key}` is a text"))),
            },
        }
    }

    pub fn required_text(&mut self, key: &str) -> Result<String, LoadError> {
        self.text(key)?.ok_or_else(|| self.error(format!("needs `{key}`")))
    }

    /// A whole number; CloudFormation also takes it as a text.
    pub fn number(&mut self, key: &str) -> Result<Option<u32>, LoadError> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.error(format!("`{key}` is a whole number, not `{text}`"))),
            },
        }
    }

    pub fn flag(&mut self, key: &str) -> Result<Option<bool>, LoadError> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(text) => Err(self.error(format!("`{key}` is true or false, not `{text}`"))),
        }
    }

    /// A list; one value alone counts as a list of one.
    pub fn list(&mut self, key: &str) -> Vec<Value> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
        }
    }

    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, LoadError> {
        self.list(key)
            .iter()
            .map(|one| scalar_text(one).ok_or_else(|| self.error(format!("`{key}` is a list of texts"))))
            .collect()
    }

    /// A property that has properties of its own.
    pub fn part(&mut self, key: &str) -> Result<Option<Properties>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Properties::new(format!("{}.{key}", self.place), fields))),
            Some(_) => Err(self.error(format!("`{key}` is an object"))),
        }
    }

    /// A list of such properties.
    pub fn parts(&mut self, key: &str) -> Result<Vec<Properties>, LoadError> {
        let place = format!("{}.{key}", self.place);
        self.list(key)
            .into_iter()
            .enumerate()
            .map(|(index, one)| match one {
                Value::Object(fields) => Ok(Properties::new(format!("{place}[{index}]"), fields)),
                _ => Err(LoadError::new(&place, "is a list of objects")),
            })
            .collect()
    }

    /// A map of texts.
    pub fn text_map(&mut self, key: &str) -> Result<BTreeMap<String, String>, LoadError> {
        let Some(part) = self.part(key)? else {
            return Ok(BTreeMap::new());
        };
        part.fields
            .iter()
            .map(|(name, value)| match scalar_text(value) {
                Some(text) => Ok((name.clone(), text)),
                None => Err(part.error(format!("`{name}` is a text"))),
            })
            .collect()
    }

    /// Leaves out what AWS needs and the sandbox has no use for.
    pub fn ignore(&mut self, keys: &[&str]) {
        self.seen.extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// Refuses what nobody read.
    ///
    /// # Errors
    /// The first property that is neither read nor ignored.
    pub fn finish(self) -> Result<(), LoadError> {
        match self.fields.keys().find(|key| !self.seen.contains(*key)) {
            None => Ok(()),
            Some(unknown) => Err(self.error(format!(
                "the property `{unknown}` is not supported; supported are {}",
                self.seen.iter().cloned().collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}
