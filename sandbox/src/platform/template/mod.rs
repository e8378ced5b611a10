//! template.yaml, read whole: parameters, conditions, Globals, and each resource as a type of ours.

mod intrinsics;
pub mod names;
mod properties;
mod read;
pub mod resources;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use intrinsics::Resolver;
pub use resources::*;

use super::LoadError;

/// Where the stack is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    pub region: String,
    /// The stack's name, which unnamed resources begin with.
    pub stack: String,
    /// The sandbox's door, `http://127.0.0.1:PORT`, without a slash at the end.
    pub endpoint: String,
}

impl Account {
    /// The account that the sandbox plays.
    pub fn sandbox(endpoint: impl Into<String>) -> Self {
        Self {
            id: "123456789012".into(),
            region: "eu-west-1".into(),
            stack: "tidegate".into(),
            endpoint: endpoint.into(),
        }
    }

    /// The ARN of something regional.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.id)
    }

    /// The ARN of something without a region.
    pub fn global_arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}::{}:{rest}", self.id)
    }

    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.endpoint, self.id)
    }

    /// The URL of a function, by the function's name.
    pub fn function_url(&self, name: &str) -> String {
        format!("{}/lambda-url/{name}/", self.endpoint)
    }

    fn pseudo_parameter(&self, name: &str) -> Option<String> {
        match name {
            "AWS::AccountId" => Some(self.id.clone()),
            "AWS::Region" => Some(self.region.clone()),
            "AWS::Partition" => Some("aws".into()),
            "AWS::URLSuffix" => Some("amazonaws.com".into()),
            "AWS::StackName" => Some(self.stack.clone()),
            "AWS::StackId" => Some(self.arn("cloudformation", &format!("stack/{}/sandbox", self.stack))),
            _ => None,
        }
    }
}

/// The template as written, before anything is evaluated.
#[derive(Debug, Clone, Default)]
pub struct TemplateText {
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, Value>,
    globals: Map<String, Value>,
    /// By logical id: the type, and the whole entry.
    resources: BTreeMap<String, Value>,
    outputs: BTreeMap<String, Value>,
}

impl TemplateText {
    fn read(text: &str) -> Result<Self, LoadError> {
        let Value::Object(document) = yaml::read(text)? else {
            return Err(LoadError::new("document", "a template is a map of sections"));
        };
        let mut out = Self::default();
        for (section, body) in document {
            match (section.as_str(), body) {
                ("AWSTemplateFormatVersion" | "Description" | "Metadata", _) => {}
                ("Transform", Value::String(transform)) if transform == "AWS::Serverless-2016-10-31" => {}
                ("Parameters", Value::Object(map)) => out.parameters = map.into_iter().collect(),
                ("Conditions", Value::Object(map)) => out.conditions = map.into_iter().collect(),
                ("Resources", Value::Object(map)) => out.resources = map.into_iter().collect(),
                ("Outputs", Value::Object(map)) => out.outputs = map.into_iter().collect(),
                ("Globals", Value::Object(map)) => {
                    for (kind, globals) in map {
                        match (kind.as_str(), globals) {
                            ("Function", Value::Object(globals)) => out.globals = globals,
                            _ => return Err(LoadError::new(format!("Globals.{kind}"), "only Function is supported")),
                        }
                    }
                }
                (_, _) => return Err(LoadError::new(section, "this section is not supported")),
            }
        }
        Ok(out)
    }

    /// The type and the properties of a resource, or of one that SAM makes from a function.
    fn resource_or_generated(&self, id: &str) -> Option<(&str, Map<String, Value>)> {
        let entry = |id: &str| -> Option<(&str, Map<String, Value>)> {
            let entry = self.resources.get(id)?;
            let kind = entry.get("Type")?.as_str()?;
            Some((kind, entry.get("Properties").and_then(Value::as_object).cloned().unwrap_or_default()))
        };
        if let Some(found) = entry(id) {
            return Some(found);
        }
        let function = id.strip_suffix("Url")?;
        let (_, properties) = entry(function).filter(|(kind, _)| *kind == "AWS::Serverless::Function")?;
        properties.contains_key("FunctionUrlConfig").then(|| {
            let target = serde_json::json!({ "Ref": function });
            ("AWS::Lambda::Url", Map::from_iter([("TargetFunctionArn".to_owned(), target)]))
        })
    }
}

impl Template {
    /// Reads a template for `account`, with values for some of its parameters.
    ///
    /// # Errors
    /// The first thing that the sandbox cannot run as AWS would, with its place.
    pub fn load(text: &str, account: &Account, overrides: &BTreeMap<String, String>) -> Result<Self, LoadError> {
        let source = TemplateText::read(text)?;
        let resolver = Resolver::new(&source, account, overrides)?;
        let mut template = Self::empty(account.clone());
        let mut later = Vec::new();
        for (id, entry) in &source.resources {
            if let Some(resource) = read::Resource::new(id, entry, &source, &resolver)? {
                // Policies on queues and buses are read when what they are on is known.
                if resource.is_about_another() {
                    later.push(resource);
                } else {
                    resource.read_into(&mut template)?;
                }
            }
        }
        for resource in later {
            resource.read_into(&mut template)?;
        }
        for (name, output) in &source.outputs {
            let place = format!("Outputs.{name}");
            let wanted = match output.get("Condition").and_then(Value::as_str) {
                Some(condition) => resolver.condition(condition, &place)?,
                None => true,
            };
            if wanted {
                let value = output.get("Value").ok_or_else(|| LoadError::new(&place, "needs a `Value`"))?;
                let value = resolver.resolve(value, &place)?.as_ref().and_then(intrinsics::scalar_text);
                let value = value.ok_or_else(|| LoadError::new(&place, "is not a text"))?;
                template.outputs.insert(name.clone(), value);
            }
        }
        template.check()?;
        Ok(template)
    }
}
