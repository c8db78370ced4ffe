//! Reads requests as form handlers write them: numbers for texts, `null` for what is missing.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text, or another plain value as text; `null` is nothing. What is neither is kept as JSON, so
/// that no value refuses the whole request.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(plain(Value::deserialize(deserializer)?))
}

fn plain(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(value.to_string()),
        // Several form builders send lists of one.
        Value::Array(mut values) if values.len() == 1 => plain(values.remove(0)),
        Value::Array(values) if values.is_empty() => None,
        Value::Array(_) => Some(value.to_string()),
    }
}

/// A value, or its default for `null`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts() {
        for (value, expected) in [
            (json!("a"), Some("a")),
            (json!(821_012_345_678_u64), Some("821012345678")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!(["a@example.com"]), Some("a@example.com")),
            (json!([]), None),
            (json!([1, 2]), Some("[1,2]")),
            (json!({ "a": 1 }), Some("{\"a\":1}")),
        ] {
            assert_eq!(text(&value).unwrap().as_deref(), expected, "{value}");
        }
    }
}
