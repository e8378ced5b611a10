//! Answers of the query protocol: XML, with lists as `member`s and maps as `entry`s.

use jiff::Timestamp;
use serde_json::Value;

use crate::http::aws::xml_text;

/// ELBv2's only map; an object elsewhere is a structure.
const MAP: &str = "AuthenticationRequestExtraParams";

/// ELBv2's only time, which comes as epoch seconds.
const TIME: &str = "CreatedTime";

/// Writes the whole answer to `action`; `result` is an object of its members.
pub(super) fn response(action: &str, namespace: &str, request_id: &str, result: &Value) -> Vec<u8> {
    let mut out = format!("<{action}Response xmlns=\"{namespace}\">");
    element(&mut out, &format!("{action}Result"), result);
    out.push_str(&format!(
        "<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        xml_text(request_id)
    ));
    out.into_bytes()
}

/// Writes one element, or nothing for an absent value.
fn element(out: &mut String, name: &str, value: &Value) {
    if value.is_null() {
        return;
    }
    out.push_str(&format!("<{name}>"));
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(seconds) if name == TIME => out.push_str(&date_time(seconds.as_f64())),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&xml_text(text)),
        Value::Array(members) => members.iter().for_each(|m| element(out, "member", m)),
        Value::Object(entries) if name == MAP => {
            for (key, value) in entries {
                out.push_str("<entry>");
                element(out, "key", &Value::String(key.clone()));
                element(out, "value", value);
                out.push_str("</entry>");
            }
        }
        Value::Object(members) => members.iter().for_each(|(name, value)| element(out, name, value)),
    }
    out.push_str(&format!("</{name}>"));
}

fn date_time(seconds: Option<f64>) -> String {
    let milliseconds = (seconds.unwrap_or_default() * 1000.0).round() as i64;
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_has_result_metadata_and_escaped_text() {
        let result = json!({
            "Rules": [{"Priority": "1", "IsDefault": false, "Actions": [{"Order": 1, "RedirectConfig": {"Query": "a=1&b=\"<2>\""},
                "AuthenticateOidcConfig": {"AuthenticationRequestExtraParams": {"display": "page"}}}]}],
            "NextMarker": null,
            "Names": [],
            "CreatedTime": 1_790_000_000.5,
        });
        let xml = String::from_utf8(response("DescribeRules", "http://x/", "r-1", &result)).unwrap();
        assert_eq!(
            xml,
            "<DescribeRulesResponse xmlns=\"http://x/\"><DescribeRulesResult>\
             <CreatedTime>2026-09-21T14:13:20.500Z</CreatedTime><Names></Names><Rules><member><Actions><member>\
             <AuthenticateOidcConfig><AuthenticationRequestExtraParams><entry><key>display</key><value>page</value></entry>\
             </AuthenticationRequestExtraParams></AuthenticateOidcConfig><Order>1</Order>\
             <RedirectConfig><Query>a=1&amp;b=&quot;&lt;2&gt;&quot;</Query></RedirectConfig></member></Actions>\
             <IsDefault>false</IsDefault><Priority>1</Priority></member></Rules></DescribeRulesResult>\
             <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DescribeRulesResponse>"
        );
    }
}
