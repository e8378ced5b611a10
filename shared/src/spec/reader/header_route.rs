//! Reading the step `setHeaderRoute`.

use super::argo::Scope;
use super::walk::{At, Walk, shown, wrong};
use crate::spec::{HeaderMatch, HeaderRoute, HeaderValue, Mistake, limits};

/// Reads one header route.
pub fn header_route(walk: &mut Walk, at: &At<'_>) -> Option<HeaderRoute> {
    let fields = walk.fields(at, Scope::HeaderRoute, &["name", "match"])?;
    let name = fields.required(walk, "name", "name: testers");
    let name = name.and_then(|at| walk.name(&at, limits::is_name, "a route's name", limits::NAME_HINT));
    let example = "match: [{headerName: x-beta, headerValue: {exact: \"1\"}}]";
    let matches = fields.required(walk, "match", example).and_then(|at| matches(walk, &at));
    Some(HeaderRoute { name: name?, matches: matches? })
}

fn matches(walk: &mut Walk, at: &At<'_>) -> Option<Vec<HeaderMatch>> {
    let items = walk.list(at, limits::HEADERS_MAX)?;
    if items.is_empty() {
        let hint = "name at least one header; the route goes by itself at 100 % and on the way home";
        walk.note(at, wrong(Mistake::OutOfRange, "`match` is empty: every request would match", hint));
        return None;
    }
    let mut matches: Option<Vec<HeaderMatch>> = Some(Vec::new());
    for item in &items {
        let one = header_match(walk, item);
        if let (Some(one), Some(earlier)) = (&one, &matches)
            && earlier.iter().any(|earlier| earlier.header.eq_ignore_ascii_case(&one.header))
        {
            let problem = format!("the header `{}` must match twice", one.header);
            let hint = "all entries of `match` must hold at once; for one of several values write `values: [a, b]`";
            walk.note(item, wrong(Mistake::Contradiction, problem, hint));
        }
        matches = matches.zip(one).map(|(matches, one)| [matches, vec![one]].concat());
    }
    let strings: usize = matches.iter().flatten().map(|one| one.patterns().len()).sum();
    if strings > limits::RULE_VALUES_MAX {
        let most = limits::RULE_VALUES_MAX;
        let problem = format!("`match` compares with {strings} values; a rule of a load balancer takes {most}");
        walk.note(at, wrong(Mistake::Contradiction, problem, "write two routes, or fewer values"));
        return None;
    }
    matches
}

fn header_match(walk: &mut Walk, at: &At<'_>) -> Option<HeaderMatch> {
    let fields = walk.fields(at, Scope::HeaderRoute, &["headerName", "headerValue"])?;
    let header = fields.required(walk, "headerName", "headerName: x-beta").and_then(|at| {
        let hint = "1 to 40 letters, digits and `-`, as in `x-beta`; no wildcards";
        walk.name(&at, limits::is_header, "a header's name", hint)
    });
    let value = fields.required(walk, "headerValue", "headerValue: {exact: \"1\"}");
    let value = value.and_then(|at| header_value(walk, &at));
    Some(HeaderMatch { header: header?, value: value? })
}

fn header_value(walk: &mut Walk, at: &At<'_>) -> Option<HeaderValue> {
    let (kind, at) = walk.one_of(at, Scope::HeaderValue, &["exact", "prefix", "values"])?;
    match kind {
        "exact" => text(walk, &at, limits::HEADER_VALUE_MAX).map(HeaderValue::Exact),
        // The wildcard takes one character.
        "prefix" => text(walk, &at, limits::HEADER_VALUE_MAX - 1).map(HeaderValue::Prefix),
        _ => {
            let items = walk.list(&at, limits::HEADER_VALUES_MAX)?;
            if items.is_empty() {
                let problem = "`values` is empty: no request would match";
                walk.note(&at, wrong(Mistake::OutOfRange, problem, "write one value at least"));
                return None;
            }
            super::distinct(walk, &items, |walk, item| text(walk, item, limits::HEADER_VALUE_MAX))
                .map(HeaderValue::Values)
        }
    }
}

fn text(walk: &mut Walk, at: &At<'_>, most: usize) -> Option<String> {
    let text = walk.text(at)?;
    if text.len() > most || !text.chars().all(limits::is_of_a_header) {
        let problem = format!("`{}` cannot be compared with a header", shown(&text));
        let hint = "1 to 128 characters of ASCII without `*`, `?` and `\\`, which a load balancer takes for wildcards";
        walk.note(at, wrong(Mistake::OutOfRange, problem, hint));
        return None;
    }
    Some(text)
}
