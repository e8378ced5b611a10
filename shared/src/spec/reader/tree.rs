//! YAML as a tree in which every key and every value knows its place. The only file that knows the YAML parser.
//!
//! A parser that deserializes stops at its first mistake; a tree lets our own walk find them all. JSON is YAML.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

/// The longest text: a spec of a hundred steps and twenty metrics has a tenth of it.
pub const TEXT_MAX: usize = 64 * 1024;

/// Open collections at a time, of each of YAML's two notations; the format nests nine deep.
const NESTING_MAX: usize = 24;

/// Nodes after every alias is written out, anchors counted as well: an alias of an alias of a list grows without
/// bound. No text of `TEXT_MAX` bytes has more without aliases.
const NODES_MAX: usize = TEXT_MAX;

const TOO_MUCH: &str = "written out, the aliases make more than a spec can hold";
const WRITE_OUT: &str = "write the few values out that the spec needs";

/// Where something stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Characters on that line.
    pub width: usize,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: Value,
    /// Nodes in it, itself counted, and how deep they nest.
    size: usize,
    depth: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Value {
    /// A word, a number, a text.
    Scalar {
        /// Without its quotes.
        text: String,
        /// Whether it stands without quotes, and so may be a number, a truth value or nothing.
        plain: bool,
    },
    /// `- a`
    List(Vec<Node>),
    /// `a: b`
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping, in the order of the text; keys may repeat.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

/// Why a text has no tree.
#[derive(Debug)]
pub struct NoTree {
    /// Where reading ended.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub hint: &'static str,
}

impl NoTree {
    fn new(place: Place, problem: impl Into<String>, hint: &'static str) -> Self {
        Self { place, problem: problem.into(), hint }
    }
}

/// Reads the one document of a text.
pub fn tree(text: &str) -> Result<Node, NoTree> {
    let start = Place { line: 1, column: 1, width: 1 };
    if text.len() > TEXT_MAX {
        let problem = format!("the text has {} bytes; a spec has at most {TEXT_MAX}", text.len());
        return Err(NoTree::new(start, problem, "give the spec alone"));
    }
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_comments: false,
        flow_nesting_limit: NESTING_MAX,
        block_nesting_limit: NESTING_MAX,
    };
    let mut growing = Growing::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let place = Place { line: error.marker().line(), column: error.marker().col() + 1, width: 1 };
            let hint = "YAML nests by indentation with spaces; texts with `: ` or ` #` in them stand in quotes";
            NoTree::new(place, format!("this is no YAML: {}", error.info()), hint)
        })?;
        growing.take(event, span)?;
    }
    growing.root.ok_or_else(|| NoTree::new(start, "the text is empty", "write a spec; `tidegate init` prints one"))
}

/// The tree while its events come in: the open collections, and what anchors name.
#[derive(Default)]
struct Growing {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

struct Open {
    place: Place,
    anchor: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Place)>),
}

impl Growing {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), NoTree> {
        let place = place_of(&span);
        if event.tag().is_some() {
            return Err(NoTree::new(place, "tags have no meaning here", "write the value without its `!` word"));
        }
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(NoTree::new(place, "a second document begins", "one file holds one rollout"))
            }
            Event::DocumentStart(..) => Ok(()),
            Event::Scalar(text, style, anchor, _) => {
                self.charge(1, place)?;
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.put(Node { place, value, size: 1, depth: 1 }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.charge(1, place)?;
                self.open.push(Open { place, anchor, parts: Parts::List(Vec::new()) });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.charge(1, place)?;
                self.open.push(Open { place, anchor, parts: Parts::Map(Vec::new(), None) });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { place, anchor, parts }) => self.put(closed(place, parts), anchor),
                None => Err(NoTree::new(place, "a collection ends that never began", "balance the brackets")),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).map(|node| node.size) {
                Some(size) => {
                    self.charge(size, place)?;
                    let node = Node { place, ..self.anchors[&anchor].clone() };
                    self.put(node, 0)
                }
                None => Err(NoTree::new(place, "an alias stands inside its own anchor", "write the value out")),
            },
            // Parsers add events; whatever is not data has nothing to say here.
            _ => Ok(()),
        }
    }

    fn charge(&mut self, nodes: usize, place: Place) -> Result<(), NoTree> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX { Err(NoTree::new(place, TOO_MUCH, WRITE_OUT)) } else { Ok(()) }
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), NoTree> {
        if node.depth > 2 * NESTING_MAX {
            return Err(NoTree::new(node.place, TOO_MUCH, WRITE_OUT));
        }
        if anchor != 0 {
            self.charge(node.size, node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.parts) {
            None => self.root = Some(node),
            Some(Parts::List(items)) => items.push(node),
            Some(Parts::Map(entries, key)) => match key.take() {
                Some((key, place)) => entries.push(Entry { key, place, node }),
                None => match node.value {
                    Value::Scalar { text, .. } => *key = Some((text, node.place)),
                    Value::List(_) | Value::Map(_) => {
                        return Err(NoTree::new(node.place, "a key is a collection", "keys are words"));
                    }
                },
            },
        }
        Ok(())
    }
}

fn closed(place: Place, parts: Parts) -> Node {
    let (value, size, depth) = match parts {
        Parts::List(items) => {
            let size = items.iter().map(|node| node.size).sum::<usize>();
            let depth = items.iter().map(|node| node.depth).max();
            (Value::List(items), size, depth)
        }
        Parts::Map(entries, _) => {
            let size = entries.iter().map(|entry| 1 + entry.node.size).sum::<usize>();
            let depth = entries.iter().map(|entry| entry.node.depth).max();
            (Value::Map(entries), size, depth)
        }
    };
    Node { place, value, size: size + 1, depth: depth.unwrap_or(0) + 1 }
}

fn place_of(span: &Span) -> Place {
    let (start, end) = (span.start, span.end);
    let width = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
    Place { line: start.line(), column: start.col() + 1, width: width.max(1) }
}
