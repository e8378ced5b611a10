//! Metric math, the part that the sandbox understands: arithmetic, comparisons, AND, OR, FILL, IF, SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR.
//!
//! Anything else is refused by name. Between two series only periods that both have give a value, and a
//! division by zero gives none.

use std::collections::BTreeMap;

use super::query::Series;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Scalar(f64),
    Series(Series),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Name(String),
    Negated(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// FILL with a number.
    Fill(Box<Expression>, Box<Expression>),
    /// FILL(m, REPEAT): the last known value.
    FillRepeat(Box<Expression>),
    If(Box<Expression>, Box<Expression>, Option<Box<Expression>>),
    Each(EachOf, Box<Expression>),
    Fold(FoldOf, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EachOf {
    Abs,
    Ceil,
    Floor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoldOf {
    Sum,
    Average,
    Minimum,
    Maximum,
}

pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let expression = parser.either()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(format!("unexpected '{token}'")),
    }
}

impl Expression {
    /// Returns the ids that the expression names.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Expression::Number(_) => Vec::new(),
            Expression::Name(name) => vec![name],
            Expression::Negated(inner) | Expression::FillRepeat(inner) | Expression::Each(_, inner) => inner.names(),
            Expression::Binary(_, left, right) | Expression::Fill(left, right) => {
                [left.names(), right.names()].concat()
            }
            Expression::If(condition, yes, no) => {
                let no = no.as_ref().map(|no| no.names()).unwrap_or_default();
                [condition.names(), yes.names(), no].concat()
            }
            Expression::Fold(_, parts) => parts.iter().flat_map(Expression::names).collect(),
        }
    }

    /// Evaluates over known series; `grid` is every period of the range, which FILL fills.
    pub(super) fn evaluate(&self, known: &BTreeMap<String, Series>, grid: &[i64]) -> Result<Operand, String> {
        let of = |expression: &Expression| expression.evaluate(known, grid);
        Ok(match self {
            Expression::Number(value) => Operand::Scalar(*value),
            Expression::Name(name) => {
                Operand::Series(known.get(name).cloned().ok_or_else(|| format!("unknown id '{name}'"))?)
            }
            Expression::Negated(inner) => each(of(inner)?, |value| -value),
            Expression::Binary(operator, left, right) => both(of(left)?, of(right)?, |a, b| operator.apply(a, b)),
            Expression::Fill(inner, filler) => {
                let (Operand::Series(series), filler) = (of(inner)?, of(filler)?) else {
                    return Err("FILL takes a time series first".to_owned());
                };
                let value = |at: &i64| match (series.get(at), &filler) {
                    (Some(value), _) => Some(*value),
                    (None, Operand::Scalar(value)) => Some(*value),
                    (None, Operand::Series(fillers)) => fillers.get(at).copied(),
                };
                Operand::Series(grid.iter().filter_map(|at| Some((*at, value(at)?))).collect())
            }
            Expression::FillRepeat(inner) => {
                let Operand::Series(series) = of(inner)? else {
                    return Err("FILL takes a time series first".to_owned());
                };
                let last = |at: &i64| series.range(..=*at).next_back().map(|(_, value)| *value);
                Operand::Series(grid.iter().filter_map(|at| Some((*at, last(at)?))).collect())
            }
            Expression::If(condition, yes, no) => {
                let no = no.as_ref().map(|no| of(no)).transpose()?;
                choose(&of(condition)?, &of(yes)?, no.as_ref())
            }
            Expression::Each(function, inner) => each(of(inner)?, |value| function.apply(value)),
            Expression::Fold(function, parts) => {
                let parts: Vec<Operand> = parts.iter().map(of).collect::<Result<_, _>>()?;
                fold(*function, &parts)
            }
        })
    }
}

impl Operator {
    fn apply(self, a: f64, b: f64) -> Option<f64> {
        let truth = |holds: bool| Some(f64::from(u8::from(holds)));
        match self {
            Operator::Add => Some(a + b),
            Operator::Subtract => Some(a - b),
            Operator::Multiply => Some(a * b),
            Operator::Divide => (b != 0.0).then(|| a / b),
            Operator::Less => truth(a < b),
            Operator::LessOrEqual => truth(a <= b),
            Operator::Greater => truth(a > b),
            Operator::GreaterOrEqual => truth(a >= b),
            Operator::Equal => truth(a == b),
            Operator::NotEqual => truth(a != b),
            Operator::And => truth(a != 0.0 && b != 0.0),
            Operator::Or => truth(a != 0.0 || b != 0.0),
        }
    }
}

impl EachOf {
    fn apply(self, value: f64) -> f64 {
        match self {
            EachOf::Abs => value.abs(),
            EachOf::Ceil => value.ceil(),
            EachOf::Floor => value.floor(),
        }
    }
}

fn each(operand: Operand, function: impl Fn(f64) -> f64) -> Operand {
    match operand {
        Operand::Scalar(value) => Operand::Scalar(function(value)),
        Operand::Series(series) => Operand::Series(series.into_iter().map(|(at, v)| (at, function(v))).collect()),
    }
}

fn both(left: Operand, right: Operand, function: impl Fn(f64, f64) -> Option<f64>) -> Operand {
    let series = match (left, right) {
        (Operand::Scalar(a), Operand::Scalar(b)) => {
            return Operand::Scalar(function(a, b).unwrap_or(f64::NAN));
        }
        (Operand::Series(a), Operand::Scalar(b)) => {
            a.into_iter().filter_map(|(at, v)| Some((at, function(v, b)?))).collect()
        }
        (Operand::Scalar(a), Operand::Series(b)) => {
            b.into_iter().filter_map(|(at, v)| Some((at, function(a, v)?))).collect()
        }
        (Operand::Series(a), Operand::Series(b)) => {
            a.into_iter().filter_map(|(at, v)| Some((at, function(v, *b.get(&at)?)?))).collect()
        }
    };
    Operand::Series(series)
}

fn choose(condition: &Operand, yes: &Operand, no: Option<&Operand>) -> Operand {
    let at_time = |operand: &Operand, at: i64| match operand {
        Operand::Scalar(value) => Some(*value),
        Operand::Series(series) => series.get(&at).copied(),
    };
    match condition {
        Operand::Scalar(value) if *value != 0.0 => yes.clone(),
        Operand::Scalar(_) => no.cloned().unwrap_or_else(|| Operand::Series(Series::new())),
        Operand::Series(series) => {
            let chosen = |(at, truth): (&i64, &f64)| {
                let side = if *truth != 0.0 { Some(yes) } else { no };
                Some((*at, at_time(side?, *at)?))
            };
            Operand::Series(series.iter().filter_map(chosen).collect())
        }
    }
}

fn fold(function: FoldOf, parts: &[Operand]) -> Operand {
    let mut by_time: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let mut scalars = Vec::new();
    for part in parts {
        match part {
            Operand::Scalar(value) => scalars.push(*value),
            Operand::Series(series) => {
                for (at, value) in series {
                    by_time.entry(*at).or_default().push(*value);
                }
            }
        }
    }
    let over = |values: &[f64]| match function {
        FoldOf::Sum => values.iter().sum(),
        FoldOf::Average => values.iter().sum::<f64>() / values.len() as f64,
        FoldOf::Minimum => values.iter().copied().fold(f64::INFINITY, f64::min),
        FoldOf::Maximum => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    // One series alone is folded over time, several are folded period by period.
    if let [Operand::Series(series)] = parts {
        let values: Vec<f64> = series.values().copied().collect();
        return if values.is_empty() { Operand::Series(Series::new()) } else { Operand::Scalar(over(&values)) };
    }
    if by_time.is_empty() {
        return if scalars.is_empty() { Operand::Series(Series::new()) } else { Operand::Scalar(over(&scalars)) };
    }
    Operand::Series(by_time.into_iter().map(|(at, values)| (at, over(&[&values[..], &scalars].concat()))).collect())
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let first = characters[at];
        let start = at;
        at += 1;
        if first.is_whitespace() {
            continue;
        }
        if first.is_ascii_alphanumeric() || first == '_' || first == '.' {
            while at < characters.len() && (characters[at].is_ascii_alphanumeric() || "_.".contains(characters[at])) {
                at += 1;
            }
        } else if at < characters.len() && ["<=", ">=", "==", "!=", "&&", "||"].contains(&&*pair(first, characters[at]))
        {
            at += 1;
        } else if !"+-*/()[],<>".contains(first) {
            return Err(format!("unexpected '{first}'"));
        }
        found.push(characters[start..at].iter().collect());
    }
    Ok(found)
}

fn pair(first: char, second: char) -> String {
    [first, second].iter().collect()
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        match self.take() {
            Some(token) if token == wanted => Ok(()),
            Some(token) => Err(format!("expected '{wanted}', found '{token}'")),
            None => Err(format!("expected '{wanted}' at the end")),
        }
    }

    fn chain(
        &mut self,
        next: fn(&mut Parser) -> Result<Expression, String>,
        operators: &[(&str, Operator)],
    ) -> Result<Expression, String> {
        let mut left = next(self)?;
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.peek() == Some(text)) {
            self.at += 1;
            left = Expression::Binary(*operator, Box::new(left), Box::new(next(self)?));
        }
        Ok(left)
    }

    fn either(&mut self) -> Result<Expression, String> {
        self.chain(Parser::all, &[("OR", Operator::Or), ("||", Operator::Or)])
    }

    fn all(&mut self) -> Result<Expression, String> {
        self.chain(Parser::comparison, &[("AND", Operator::And), ("&&", Operator::And)])
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let operators = [
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
        ];
        self.chain(Parser::sum, &operators)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        self.chain(Parser::product, &[("+", Operator::Add), ("-", Operator::Subtract)])
    }

    fn product(&mut self) -> Result<Expression, String> {
        self.chain(Parser::factor, &[("*", Operator::Multiply), ("/", Operator::Divide)])
    }

    fn factor(&mut self) -> Result<Expression, String> {
        let token = self.take().ok_or("the expression ends too early")?;
        if token == "-" {
            return Ok(Expression::Negated(Box::new(self.factor()?)));
        }
        if token == "(" {
            let inner = self.either()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Ok(number) = token.parse::<f64>()
            && token.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        {
            return Ok(Expression::Number(number));
        }
        if self.peek() == Some("(") {
            return self.function(&token);
        }
        if token.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Ok(Expression::Name(token));
        }
        Err(format!("unexpected '{token}'"))
    }

    fn function(&mut self, name: &str) -> Result<Expression, String> {
        self.expect("(")?;
        let boxed = |parser: &mut Parser| parser.either().map(Box::new);
        let expression = match name {
            "FILL" => {
                let inner = boxed(self)?;
                self.expect(",")?;
                if self.peek() == Some("REPEAT") {
                    self.at += 1;
                    Expression::FillRepeat(inner)
                } else {
                    Expression::Fill(inner, boxed(self)?)
                }
            }
            "IF" => {
                let condition = boxed(self)?;
                self.expect(",")?;
                let yes = boxed(self)?;
                let has_no = self.peek() == Some(",");
                self.at += usize::from(has_no);
                let no = if has_no { Some(boxed(self)?) } else { None };
                Expression::If(condition, yes, no)
            }
            "ABS" => Expression::Each(EachOf::Abs, boxed(self)?),
            "CEIL" => Expression::Each(EachOf::Ceil, boxed(self)?),
            "FLOOR" => Expression::Each(EachOf::Floor, boxed(self)?),
            "SUM" => Expression::Fold(FoldOf::Sum, self.list()?),
            "AVG" => Expression::Fold(FoldOf::Average, self.list()?),
            "MIN" => Expression::Fold(FoldOf::Minimum, self.list()?),
            "MAX" => Expression::Fold(FoldOf::Maximum, self.list()?),
            other => {
                return Err(format!("the sandbox does not evaluate the function {other}"));
            }
        };
        self.expect(")")?;
        Ok(expression)
    }

    /// Reads `[a, b]` or one expression.
    fn list(&mut self) -> Result<Vec<Expression>, String> {
        if self.peek() != Some("[") {
            return Ok(vec![self.either()?]);
        }
        self.at += 1;
        let mut parts = vec![self.either()?];
        while self.peek() == Some(",") {
            self.at += 1;
            parts.push(self.either()?);
        }
        self.expect("]")?;
        Ok(parts)
    }
}
