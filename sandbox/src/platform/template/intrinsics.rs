//! Parameters, conditions and intrinsic functions: from what the author wrote to plain JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names::{self, Physical};
use super::{Account, TemplateText};
use crate::platform::LoadError;

/// The intrinsic functions that are evaluated.
const SUPPORTED: &str = "Ref, Fn::Sub, Fn::GetAtt, Fn::Join, Fn::If, Fn::Equals, Fn::Not, Fn::And, Fn::Or";

/// How deep a value may refer to names that refer to names.
const DEPTH_MAX: usize = 32;

/// Evaluates values of one template.
pub struct Resolver<'a> {
    template: &'a TemplateText,
    account: &'a Account,
    parameters: BTreeMap<String, Value>,
}

impl<'a> Resolver<'a> {
    /// Gives every parameter its value: the override, or else the default.
    ///
    /// # Errors
    /// A parameter without a value, a value that is not allowed, an override of nothing.
    pub fn new(
        template: &'a TemplateText,
        account: &'a Account,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, LoadError> {
        let mut parameters = BTreeMap::new();
        for (name, declared) in &template.parameters {
            let place = format!("Parameters.{name}");
            let value = match (overrides.get(name), declared.get("Default")) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => {
                    scalar_text(default).ok_or_else(|| LoadError::new(&place, "`Default` is a text or a number"))?
                }
                (None, None) => return Err(LoadError::new(place, "has no default and no value was given")),
            };
            if let Some(Value::Array(allowed)) = declared.get("AllowedValues")
                && !allowed.iter().any(|one| scalar_text(one).as_ref() == Some(&value))
            {
                return Err(LoadError::new(place, format!("`{value}` is not among AllowedValues")));
            }
            let value = match declared.get("Type").and_then(Value::as_str) {
                Some("CommaDelimitedList") => {
                    Value::Array(value.split(',').map(|part| Value::from(part.trim())).collect())
                }
                Some("String" | "Number") => Value::String(value),
                other => return Err(LoadError::new(place, format!("the type {other:?} is not supported"))),
            };
            parameters.insert(name.clone(), value);
        }
        if let Some(unknown) = overrides.keys().find(|name| !template.parameters.contains_key(*name)) {
            return Err(LoadError::new(format!("Parameters.{unknown}"), "is not declared"));
        }
        Ok(Self { template, account, parameters })
    }

    /// The value with every intrinsic function evaluated; `None` where it is `AWS::NoValue`.
    ///
    /// # Errors
    /// An unknown name or function, with `place`.
    pub fn resolve(&self, value: &Value, place: &str) -> Result<Option<Value>, LoadError> {
        self.value(value, place, 0)
    }

    /// Whether the condition `name` holds.
    ///
    /// # Errors
    /// An unknown condition or function.
    pub fn condition(&self, name: &str, place: &str) -> Result<bool, LoadError> {
        self.named_condition(name, place, 0)
    }

    fn value(&self, value: &Value, place: &str, depth: usize) -> Result<Option<Value>, LoadError> {
        if depth > DEPTH_MAX {
            return Err(LoadError::new(place, "the references go round in a circle"));
        }
        match value {
            Value::Array(list) => {
                let mut out = Vec::with_capacity(list.len());
                for one in list {
                    out.extend(self.value(one, place, depth + 1)?);
                }
                Ok(Some(Value::Array(out)))
            }
            Value::Object(map) => match intrinsic(map) {
                Some((name, argument)) => self.call(name, argument, place, depth + 1),
                None => {
                    let mut out = Map::new();
                    for (key, one) in map {
                        if let Some(one) = self.value(one, place, depth + 1)? {
                            out.insert(key.clone(), one);
                        }
                    }
                    Ok(Some(Value::Object(out)))
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Some(value.clone())),
        }
    }

    fn call(&self, name: &str, argument: &Value, place: &str, depth: usize) -> Result<Option<Value>, LoadError> {
        let wrong = |what: &str| LoadError::new(place, format!("`{name}` needs {what}"));
        match (name, argument) {
            ("Ref", Value::String(target)) => self.reference(target, place, depth),
            ("Ref", _) => Err(wrong("a name")),
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(id), Value::String(attribute)] => {
                    self.attribute(id, attribute, place, depth).map(|text| Some(Value::String(text)))
                }
                _ => Err(wrong("a logical id and an attribute")),
            },
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &Map::new(), place, depth).map(Some),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(local)] => self.substitute(text, local, place, depth).map(Some),
                _ => Err(wrong("a text and a map")),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(delimiter), list] => {
                    let Some(Value::Array(list)) = self.value(list, place, depth)? else {
                        return Err(wrong("a list"));
                    };
                    let texts: Option<Vec<String>> = list.iter().map(scalar_text).collect();
                    let texts = texts.ok_or_else(|| wrong("a list of texts"))?;
                    Ok(Some(Value::String(texts.join(delimiter))))
                }
                _ => Err(wrong("a delimiter and a list")),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(condition), yes, no] => {
                    let chosen = if self.named_condition(condition, place, depth)? { yes } else { no };
                    self.value(chosen, place, depth)
                }
                _ => Err(wrong("a condition and two values")),
            },
            _ => Err(LoadError::new(place, format!("`{name}` is not supported here; supported are {SUPPORTED}"))),
        }
    }

    fn reference(&self, target: &str, place: &str, depth: usize) -> Result<Option<Value>, LoadError> {
        if target == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.parameters.get(target) {
            return Ok(Some(value.clone()));
        }
        if let Some(pseudo) = self.account.pseudo_parameter(target) {
            return Ok(Some(Value::String(pseudo)));
        }
        let physical = self.physical(target, place, depth)?;
        Ok(Some(Value::String(names::reference(&physical, self.account))))
    }

    fn attribute(&self, id: &str, attribute: &str, place: &str, depth: usize) -> Result<String, LoadError> {
        let physical = self.physical(id, place, depth)?;
        names::attribute(&physical, attribute, self.account)
            .ok_or_else(|| LoadError::new(place, format!("`{id}` ({}) has no attribute `{attribute}`", physical.kind)))
    }

    /// What CloudFormation would call the resource `id`.
    fn physical(&self, id: &str, place: &str, depth: usize) -> Result<Physical, LoadError> {
        let Some((kind, properties)) = self.template.resource_or_generated(id) else {
            return Err(LoadError::new(place, format!("`{id}` is no parameter and no resource of this template")));
        };
        let text_of = |property: &str| -> Result<Option<String>, LoadError> {
            match properties.get(property) {
                None => Ok(None),
                Some(value) => Ok(self.value(value, place, depth + 1)?.as_ref().and_then(scalar_text)),
            }
        };
        let name = match names::name_property(kind) {
            Some(property) => text_of(property)?,
            None => None,
        };
        Ok(Physical {
            id: id.to_owned(),
            kind: kind.to_owned(),
            name: name.unwrap_or_else(|| format!("{}-{id}", self.account.stack)),
            bus: text_of("EventBusName")?,
        })
    }

    fn substitute(
        &self,
        text: &str,
        local: &Map<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<Value, LoadError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                return Err(LoadError::new(place, format!("`{text}` has a `${{` without its `}}`")));
            };
            let name = &rest[start + 2..start + length];
            match name.strip_prefix('!') {
                Some(literal) => out.push_str(&format!("${{{literal}}}")),
                None => out.push_str(&self.variable(name, local, place, depth)?),
            }
            rest = &rest[start + length + 1..];
        }
        out.push_str(rest);
        Ok(Value::String(out))
    }

    fn variable(&self, name: &str, local: &Map<String, Value>, place: &str, depth: usize) -> Result<String, LoadError> {
        let value = match (local.get(name), name.split_once('.')) {
            (Some(value), _) => self.value(value, place, depth)?,
            (None, Some((id, attribute))) => return self.attribute(id, attribute, place, depth),
            (None, None) => self.reference(name, place, depth)?,
        };
        value
            .as_ref()
            .and_then(scalar_text)
            .ok_or_else(|| LoadError::new(place, format!("`${{{name}}}` is not a text")))
    }

    fn named_condition(&self, name: &str, place: &str, depth: usize) -> Result<bool, LoadError> {
        match self.template.conditions.get(name) {
            Some(body) => self.holds(body, &format!("Conditions.{name}"), depth + 1),
            None => Err(LoadError::new(place, format!("the condition `{name}` is not declared"))),
        }
    }

    fn holds(&self, body: &Value, place: &str, depth: usize) -> Result<bool, LoadError> {
        if depth > DEPTH_MAX {
            return Err(LoadError::new(place, "the conditions go round in a circle"));
        }
        let Value::Object(map) = body else {
            return Err(LoadError::new(place, "a condition is a function"));
        };
        match intrinsic(map) {
            Some(("Condition", Value::String(name))) => self.named_condition(name, place, depth),
            Some(("Fn::Equals", Value::Array(pair))) if pair.len() == 2 => {
                let text = |value: &Value| -> Result<Option<String>, LoadError> {
                    Ok(self.value(value, place, depth)?.as_ref().and_then(scalar_text))
                };
                Ok(text(&pair[0])? == text(&pair[1])?)
            }
            Some(("Fn::Not", Value::Array(one))) if one.len() == 1 => Ok(!self.holds(&one[0], place, depth + 1)?),
            Some(("Fn::And", Value::Array(all))) => {
                all.iter().try_fold(true, |so_far, one| Ok(so_far & self.holds(one, place, depth + 1)?))
            }
            Some(("Fn::Or", Value::Array(all))) => {
                all.iter().try_fold(false, |so_far, one| Ok(so_far | self.holds(one, place, depth + 1)?))
            }
            Some(_) | None => {
                Err(LoadError::new(place, "a condition is Fn::Equals, Fn::Not, Fn::And, Fn::Or or Condition"))
            }
        }
    }
}

/// The function and its argument, if the object is a call. `Condition` alone
/// with a text is one; with an object it is a policy's own key.
fn intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, argument) = map.iter().next()?;
    let is_call = key == "Ref" || key.starts_with("Fn::") || (key == "Condition" && argument.is_string());
    (map.len() == 1 && is_call).then_some((key.as_str(), argument))
}

/// A text, number or flag as CloudFormation writes it in a text.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
