//! Smithy RPC v2: CBOR to and from the tree that JSON would have been. Times are epoch seconds under tag 1.

use std::convert::Infallible;

use minicbor::data::{IanaTag, Tag, Type};
use minicbor::{Decoder, Encoder, decode, encode};
use serde_json::{Map, Number, Value};

/// CloudWatch's deepest input has eight levels; more only costs stack.
const DEPTH_MAX: usize = 32;

/// Reads one item; an empty body is an operation without input.
///
/// # Errors
/// A sentence about the byte that cannot be read.
pub(super) fn read(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut decoder = Decoder::new(body);
    let value = item(&mut decoder, 0).map_err(|e| e.to_string())?;
    match decoder.position() {
        end if end == body.len() => Ok(value),
        end => Err(format!("{} bytes follow the item", body.len() - end)),
    }
}

/// Writes `value`; numbers in members that `is_time` names become times, absent members are left out.
pub(super) fn write(value: &Value, is_time: fn(&str) -> bool) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write_item(&mut encoder, value, false, is_time).expect("a vector takes every write");
    encoder.into_writer()
}

fn item(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, decode::Error> {
    let at = decoder.position();
    let refuse = |why: &str| Err(decode::Error::message(why.to_owned()).at(at));
    if depth == DEPTH_MAX {
        return refuse("nested too deeply");
    }
    match decoder.datatype()? {
        Type::Null | Type::Undefined => decoder.skip().map(|()| Value::Null),
        Type::Bool => decoder.bool().map(Value::Bool),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().map(Value::from),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64().map(Value::from),
        Type::F16 | Type::F32 | Type::F64 => match Number::from_f64(decoder.f64()?) {
            Some(number) => Ok(Value::Number(number)),
            None => refuse("neither an infinity nor NaN is a value"),
        },
        Type::String | Type::StringIndef => decoder.str_iter()?.collect::<Result<String, _>>().map(Value::String),
        Type::Array | Type::ArrayIndef => {
            let mut left = decoder.array()?;
            let mut members = Vec::new();
            while more(decoder, &mut left)? {
                members.push(item(decoder, depth + 1)?);
            }
            Ok(Value::Array(members))
        }
        Type::Map | Type::MapIndef => {
            let mut left = decoder.map()?;
            let mut members = Map::new();
            while more(decoder, &mut left)? {
                let name = decoder.str_iter()?.collect::<Result<String, _>>()?;
                members.insert(name, item(decoder, depth + 1)?);
            }
            Ok(Value::Object(members))
        }
        Type::Tag if decoder.tag()? == Tag::from(IanaTag::Timestamp) => match item(decoder, depth + 1)? {
            Value::Number(seconds) => Ok(Value::Number(seconds)),
            _ => refuse("a time is a number of seconds"),
        },
        other => refuse(&format!("{other} has no place in a request")),
    }
}

/// Whether a list or map has another member; its length may only show at its end.
fn more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, decode::Error> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => decoder.skip().map(|()| false),
        None => Ok(true),
    }
}

fn write_item(
    encoder: &mut Encoder<Vec<u8>>,
    value: &Value,
    time: bool,
    is_time: fn(&str) -> bool,
) -> Result<(), encode::Error<Infallible>> {
    match value {
        Value::Null => encoder.null()?.ok(),
        Value::Bool(flag) => encoder.bool(*flag)?.ok(),
        Value::Number(seconds) if time => {
            encoder.tag(IanaTag::Timestamp)?.f64(seconds.as_f64().unwrap_or_default())?.ok()
        }
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => encoder.u64(whole)?.ok(),
            (None, Some(whole)) => encoder.i64(whole)?.ok(),
            (None, None) => encoder.f64(number.as_f64().unwrap_or_default())?.ok(),
        },
        Value::String(text) => encoder.str(text)?.ok(),
        Value::Array(members) => {
            encoder.array(members.len() as u64)?;
            members.iter().try_for_each(|m| write_item(encoder, m, time, is_time))
        }
        Value::Object(members) => {
            let present = || members.iter().filter(|(_, value)| !value.is_null());
            encoder.map(present().count() as u64)?;
            for (name, value) in present() {
                encoder.str(name)?;
                write_item(encoder, value, is_time(name), is_time)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_write_an_item_is_read() {
        let cases: [(&[u8], Value); 9] = [
            (b"", json!({})),
            (b"\xa1\x61a\x18\x3c", json!({"a": 60})),
            (b"\xbf\x61a\x9f\x01\x20\xff\xff", json!({"a": [1, -1]})),
            (b"\xa1\x61a\xf9\x3e\x00", json!({"a": 1.5})),
            (b"\xa1\x61a\xfa\x3f\xc0\x00\x00", json!({"a": 1.5})),
            (b"\xa1\x61a\x7f\x61x\x61y\xff", json!({"a": "xy"})),
            (b"\xa1\x61a\xf5", json!({"a": true})),
            (b"\xa1\x61a\xf6", json!({"a": null})),
            (b"\xa1\x61a\xc1\x1a\x6a\xb1\x3b\x80", json!({"a": 1_790_000_000})),
        ];
        for (bytes, tree) in cases {
            assert_eq!(read(bytes).unwrap(), tree, "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let deep = [0x81; DEPTH_MAX + 1];
        let cases: [(&[u8], &str); 6] = [
            (b"\xa1\x61a", "end of input"),
            (b"\xa0\xa0", "1 bytes follow"),
            (b"\xa1\x61a\x41x", "bytes has no place"),
            (b"\xa1\x61a\xc2\x41x", "tag has no place"),
            (b"\xa1\x61a\xf9\x7e\x00", "NaN"),
            (&deep, "nested too deeply"),
        ];
        for (bytes, word) in cases {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(word), "{bytes:x?}: {error}");
        }
    }

    #[test]
    fn times_are_tagged_and_absent_members_left_out() {
        let tree = json!({"Timestamps": [60], "Values": [1.5, 2], "NextToken": null});
        let bytes = write(&tree, |name| name == "Timestamps");
        assert_eq!(
            bytes,
            b"\xa2\x6aTimestamps\x81\xc1\xfb\x40\x4e\x00\x00\x00\x00\x00\x00\x66Values\x82\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00\x02"
        );
        assert_eq!(read(&bytes).unwrap(), json!({"Timestamps": [60.0], "Values": [1.5, 2]}));
    }
}
