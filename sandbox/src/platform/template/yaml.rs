//! CloudFormation's YAML as JSON in the long form: `!Ref X` becomes `{"Ref": "X"}`.

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use crate::platform::LoadError;

/// Reads one YAML document.
///
/// # Errors
/// The line of what cannot be read: broken YAML, an unknown tag, an anchor, a
/// key that is given twice.
pub fn read(text: &str) -> Result<Value, LoadError> {
    let mut reader =
        Reader { events: Parser::new_from_str_with_options(text, granit_parser::options! { emit_comments: false }) };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(..) => {}
            first => return reader.node(first, span),
        }
    }
}

struct Reader<I> {
    events: I,
}

impl<'input, I> Reader<I>
where
    I: Iterator<Item = Result<(Event<'input>, Span), granit_parser::ScanError>>,
{
    fn next(&mut self) -> Result<(Event<'input>, Span), LoadError> {
        match self.events.next() {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => Err(LoadError::new("YAML", error.to_string())),
            None => Err(LoadError::new("YAML", "the document ends too early")),
        }
    }

    fn node(&mut self, event: Event<'input>, span: Span) -> Result<Value, LoadError> {
        let place = at(span);
        match event {
            Event::Scalar(text, style, _, tag) => {
                let value = match (&tag, style) {
                    (None, ScalarStyle::Plain) => plain(&text),
                    _ => Value::String(text.into_owned()),
                };
                tagged(value, tag.as_deref(), &place)
            }
            Event::SequenceStart(_, _, tag) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => list.push(self.node(event, span)?),
                    }
                }
                tagged(Value::Array(list), tag.as_deref(), &place)
            }
            Event::MappingStart(_, _, tag) => {
                let map = self.mapping()?;
                tagged(Value::Object(map), tag.as_deref(), &place)
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) | Event::Anchor(..) => {
                Err(LoadError::new(place, "anchors are not supported; CloudFormation has none"))
            }
            other => Err(LoadError::new(place, format!("unexpected {other:?}"))),
        }
    }

    fn mapping(&mut self) -> Result<Map<String, Value>, LoadError> {
        let mut map = Map::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(map),
                Event::Scalar(text, ..) => text.into_owned(),
                other => return Err(LoadError::new(at(span), format!("a key must be a text, not {other:?}"))),
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span)?;
            if map.insert(key.clone(), value).is_some() {
                return Err(LoadError::new(at(span), format!("`{key}` is given twice")));
            }
        }
    }
}

fn at(span: Span) -> String {
    format!("line {}", span.start.line())
}

/// A plain scalar by YAML's core schema, as far as templates use it.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            // A number that does not read back the same is a text: `0123`, `+1`.
            Ok(number) if number.to_string() == text => Value::from(number),
            Ok(_) | Err(_) => match text.parse::<f64>() {
                Ok(number) if is_decimal(text) => Value::from(number),
                Ok(_) | Err(_) => Value::String(text.to_owned()),
            },
        },
    }
}

/// Whether a text is a decimal fraction and nothing that only looks like a
/// number: `1.5`, but not `007`, `1e3` or `inf`.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.split_once('.').is_some_and(|(whole, fraction)| {
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        all_digits(whole) && all_digits(fraction)
    })
}

fn tagged(value: Value, tag: Option<&Tag>, place: &str) -> Result<Value, LoadError> {
    let Some(tag) = tag else {
        return Ok(value);
    };
    if tag.core_suffix() == Some("str") {
        return Ok(value);
    }
    let long = |key: &str, value: Value| Ok(Value::Object(Map::from_iter([(key.to_owned(), value)])));
    match tag.suffix() {
        "Ref" => long("Ref", value),
        "Condition" => long("Condition", value),
        "GetAtt" => {
            let value = match &value {
                Value::String(dotted) => match dotted.split_once('.') {
                    Some((id, attribute)) => serde_json::json!([id, attribute]),
                    None => return Err(LoadError::new(place, format!("`!GetAtt {dotted}` needs an attribute"))),
                },
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value,
            };
            long("Fn::GetAtt", value)
        }
        name @ ("Sub" | "Join" | "If" | "Equals" | "Not" | "And" | "Or") => long(&format!("Fn::{name}"), value),
        other => Err(LoadError::new(place, format!("the tag `!{other}` is not supported"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_become_the_long_form() {
        let text = "# comment\nA: !Ref B\nC: !GetAtt D.Arn\nE: !If [F, !Sub 'x-${G}', !Ref AWS::NoValue]\nH: [1, 1.5, 007, true, ~, \"9\"]\n";
        assert_eq!(
            read(text).unwrap(),
            json!({
                "A": {"Ref": "B"},
                "C": {"Fn::GetAtt": ["D", "Arn"]},
                "E": {"Fn::If": ["F", {"Fn::Sub": "x-${G}"}, {"Ref": "AWS::NoValue"}]},
                "H": [1, 1.5, "007", true, null, "9"],
            })
        );
    }

    #[test]
    fn what_is_not_cloudformation_is_refused_with_its_line() {
        for (text, place, word) in [
            ("A: 1\nA: 2\n", "line 2", "twice"),
            ("A: !Cidr [x]\n", "line 1", "!Cidr"),
            ("A: &x 1\nB: *x\n", "line 2", "anchors"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.place.contains(place) && error.problem.contains(word), "{error}");
        }
    }
}
