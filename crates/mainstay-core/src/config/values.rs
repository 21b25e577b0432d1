//! Values: from TOML or text to what a key takes, with a sentence for each thing that does not fit.

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::Kind;

/// A TOML value without its place. Dates become their text.
pub(super) fn from_toml(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.to_string()), Value::from),
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(instant) => Value::from(instant.to_string()),
        DeValue::Array(items) => items.iter().map(|item| from_toml(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), from_toml(value.get_ref())))
                .collect::<Map<_, _>>(),
        ),
    }
}

/// The text of a variable or flag as a value of `kind`. A list may be a TOML array or divided by commas.
pub(super) fn from_text(kind: &Kind, text: &str) -> Result<Value, String> {
    let value = match kind {
        Kind::Text | Kind::Word(_) | Kind::Secret | Kind::SecretUrl => Value::from(text),
        Kind::List(items) if !text.trim_start().starts_with('[') => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| from_text(items, part)).collect::<Result<Value, _>>()?
        }
        _ => toml_value(text).unwrap_or_else(|| Value::from(text)),
    };
    check(kind, value)
}

fn toml_value(text: &str) -> Option<Value> {
    let document = format!("it = {text}");
    let table = DeTable::parse(&document).ok()?;
    let mut entries = table.get_ref().iter();
    let (_, value) = entries.next()?;
    entries.next().is_none().then(|| from_toml(value.get_ref()))
}

/// The value if `kind` takes it; else what it takes and what was given.
pub(super) fn check(kind: &Kind, value: Value) -> Result<Value, String> {
    let fits = match (kind, &value) {
        (Kind::Boolean, Value::Bool(_)) | (Kind::Table, Value::Object(_)) => true,
        (Kind::Text | Kind::Secret | Kind::SecretUrl, Value::String(_)) => true,
        (Kind::Integer { min, max }, value) => {
            value.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
        }
        (Kind::Number { min, max }, value) => {
            value.as_f64().is_some_and(|number| (*min..=*max).contains(&number))
        }
        (Kind::Word(words), Value::String(word)) => words.contains(word),
        (Kind::List(items), Value::Array(given)) => {
            for item in given {
                check(items, item.clone())?;
            }
            true
        }
        _ => false,
    };
    match (fits, kind) {
        (true, _) => Ok(value),
        (false, Kind::Secret | Kind::SecretUrl) => Err(format!("takes {kind}")),
        (false, _) => Err(format!("takes {kind}, not {}", shown(&value))),
    }
}

/// The value as it was given, cut to a length that fits a message.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use super::*;

    #[test]
    fn text_becomes_what_the_key_takes() {
        let number = Kind::Integer { min: 1, max: 100_000 };
        assert_eq!(from_text(&number, "1_000").unwrap(), Value::from(1000));
        assert_eq!(from_text(&Kind::Boolean, "false").unwrap(), Value::from(false));
        assert_eq!(from_text(&Kind::Text, "12").unwrap(), Value::from("12"));
        let list = Kind::List(Box::new(Kind::Text));
        let both = serde_json::json!(["a", "b"]);
        assert_eq!(from_text(&list, "a, b").unwrap(), both);
        assert_eq!(from_text(&list, "['a', 'b']").unwrap(), both);
        assert_eq!(from_text(&list, "").unwrap(), serde_json::json!([]));
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_would() {
        let number = Kind::Integer { min: 1, max: 10 };
        let said = from_text(&number, "eleven").unwrap_err();
        assert_eq!(said, "takes a whole number from 1 to 10, not \"eleven\"");
        assert!(from_text(&number, "11").unwrap_err().ends_with("not 11"));
        assert!(from_text(&number, "5\nother = 6").is_err());
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_repeated() {
        let said = check(&Kind::Secret, Value::from(12345)).unwrap_err();
        assert!(!said.contains("12345"), "{said}");
    }
}
