//! Pages of lists: a token is the place at which the next page begins.

use serde_json::Value;

use super::Refusal;

/// How one operation names and bounds its pages.
pub(super) struct Paging {
    /// The member of the input that bounds a page.
    pub size: &'static str,
    /// The member of the input that continues.
    pub token: &'static str,
    pub default: usize,
    /// AWS's code for a token that it did not give.
    pub refused_as: &'static str,
}

impl Paging {
    /// Returns the page that `input` asks for, and the token of the next one.
    pub(super) fn page<T>(&self, input: &Value, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Refusal> {
        let from = match text_or_number(&input[self.token]) {
            None => 0,
            Some(token) => match token.parse::<usize>() {
                Ok(from) if from < items.len() => from,
                Ok(_) | Err(_) => {
                    let why = format!("{} `{token}` was not given by an earlier answer", self.token);
                    return Err(Refusal::new(self.refused_as, why));
                }
            },
        };
        let size = text_or_number(&input[self.size]).and_then(|size| size.parse().ok()).unwrap_or(self.default).max(1);
        let next = Some(from + size).filter(|next| *next < items.len()).map(|next| next.to_string());
        Ok((items.into_iter().skip(from).take(size).collect(), next))
    }
}

/// The query protocol knows only text.
fn text_or_number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let paging = Paging { size: "PageSize", token: "Marker", default: 2, refused_as: "ValidationError" };
        let page = |input: Value| paging.page(&input, vec!['a', 'b', 'c']);
        assert_eq!(page(json!({})).unwrap(), (vec!['a', 'b'], Some("2".to_owned())));
        assert_eq!(page(json!({"Marker": "2"})).unwrap(), (vec!['c'], None));
        assert_eq!(page(json!({"Marker": "", "PageSize": "3"})).unwrap(), (vec!['a', 'b', 'c'], None));
        assert_eq!(page(json!({"PageSize": 1})).unwrap(), (vec!['a'], Some("1".to_owned())));
        assert_eq!(page(json!({"Marker": "x"})).unwrap_err().code, "ValidationError");
    }
}
