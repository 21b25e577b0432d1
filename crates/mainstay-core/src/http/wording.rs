//! What serde says of something that it cannot read, said to whoever sent it: without the names of our types.

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Stable; none where only the place and the sentence tell.
    pub(super) code: Option<&'static str>,
    /// The field that it is about, where that is not the place at which reading ended.
    pub(super) field: Option<String>,
    /// A sentence.
    pub(super) detail: String,
}

/// What is said where the library does not tell what it looked for.
const UNKNOWN_SHAPE: &str = "Send what the API reference shows for this.";

/// Says `message`, one of serde's, in other words; what is not known is passed on.
pub(super) fn say(message: &str) -> Said {
    // Where it stands in the text is told by the pointer.
    let message = match message.rsplit_once(" at line ") {
        Some((said, place)) if place.starts_with(|first: char| first.is_ascii_digit()) => said,
        _ => message,
    };
    if let Some(field) = quoted(message, "missing field ") {
        return said("required", Some(field), "This is needed.".to_owned());
    }
    if let Some(field) = quoted(message, "duplicate field ") {
        return said("repeated", Some(field), "Send it once.".to_owned());
    }
    if let Some(field) = quoted(message, "unknown field ") {
        let known = all_quoted(message.rsplit_once(", expected").map_or("", |(_, known)| known));
        let detail = match known.as_slice() {
            [] => "There is no such field.".to_owned(),
            known => format!("There is no such field; known are {}.", known.join(", ")),
        };
        return said("unknown", Some(field), detail);
    }
    if let Some(other) = quoted(message, "unknown variant ") {
        let known = all_quoted(message.rsplit_once(", expected").map_or("", |(_, known)| known));
        return plain(format!("Send one of {}, not {other}.", known.join(", ")));
    }
    if let Some((kind, rest)) = message.split_once(": ")
        && let ("invalid type" | "invalid value", Some((given, expected))) =
            (kind, rest.rsplit_once(", expected "))
    {
        return plain(format!("Send {}, not {}.", wanted(expected), sent(given)));
    }
    if message.starts_with("invalid length ") {
        return plain(UNKNOWN_SHAPE.to_owned());
    }
    // What one of our types says of itself.
    if let Some(wanted) = message.strip_prefix("expected ").filter(|wanted| *wanted != "value") {
        return plain(format!("Send {wanted}."));
    }
    match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            plain("Send a whole number.".to_owned())
        }
        "number too large to fit in target type" => plain("Send a smaller number.".to_owned()),
        "number too small to fit in target type" => plain("Send a larger number.".to_owned()),
        "provided string was not `true` or `false`" => plain("Send true or false.".to_owned()),
        // What it expected here is not said by the library, such as one of several shapes.
        "expected value" => plain(UNKNOWN_SHAPE.to_owned()),
        other => plain(other.to_owned()),
    }
}

fn said(code: &'static str, field: Option<String>, detail: String) -> Said {
    Said { code: Some(code), field, detail }
}

fn plain(detail: String) -> Said {
    Said { code: None, field: None, detail }
}

/// What stands in backquotes after `before`, at the beginning of `message`.
fn quoted(message: &str, before: &str) -> Option<String> {
    let name = message.strip_prefix(before)?.strip_prefix('`')?;
    Some(name.split('`').next()?.to_owned())
}

/// Everything that stands in backquotes.
fn all_quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What serde expected.
fn wanted(expected: &str) -> String {
    let whole = |least: &str, most: &str| format!("a whole number from {least} to {most}");
    match expected {
        "u8" => whole("0", "255"),
        "u16" => whole("0", "65535"),
        "u32" => whole("0", "4294967295"),
        "i32" => whole("-2147483648", "2147483647"),
        "u64" | "usize" => whole("0", "18446744073709551615"),
        "i64" | "isize" => "a whole number of at most 64 bits".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "a borrowed string" | "string" | "str" => "a text".to_owned(),
        "a boolean" | "bool" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" | "map" => "an object".to_owned(),
        "unit" | "null" => "null".to_owned(),
        "string or map" => "what the API reference shows for this".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other if other.starts_with("enum ") => "what the API reference shows for this".to_owned(),
        other if other.starts_with("tuple ") || other.starts_with("an array ") => {
            "a list of the length that the API reference shows".to_owned()
        }
        other => other.replace('`', ""),
    }
}

/// What serde met.
fn sent(given: &str) -> String {
    let number = |text: &str| text.trim_matches('`').to_owned();
    match given.split_once(' ') {
        Some(("integer", value)) => number(value),
        Some(("floating", value)) => number(value.trim_start_matches("point ")),
        Some(("string", value)) => format!("the text {value}"),
        Some(("boolean", value)) => number(value),
        _ => match given {
            "null" | "unit value" | "Option value" => "null".to_owned(),
            "map" => "an object".to_owned(),
            "sequence" => "a list".to_owned(),
            other => other.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use serde::{Deserialize, de::DeserializeOwned};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what reading says of it is looked at")]
    struct Shape {
        name: String,
        #[serde(default)]
        count: u32,
        #[serde(default)]
        order: Option<Order>,
        #[serde(default)]
        list: Vec<i64>,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        share: Option<Share>,
        #[serde(default)]
        public: bool,
        #[serde(default)]
        amount: Option<Amount>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged, expecting = "expected a number or a text")]
    #[expect(dead_code, reason = "only what reading says of it is looked at")]
    enum Amount {
        Number(i64),
        Text(String),
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what reading says of it is looked at")]
    struct Inner {
        minor: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Best,
        Set,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only what reading says of it is looked at")]
    enum Share {
        Count(u32),
        Percent(u32),
    }

    fn of<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> Said {
        say(&serde_json::from_str::<T>(text).unwrap_err().to_string())
    }

    #[test]
    fn a_field_that_is_missing_repeated_or_unknown_is_named() {
        let missing = of::<Shape>("{}");
        assert_eq!((missing.code, missing.field.as_deref()), (Some("required"), Some("name")));
        let twice = of::<Shape>(r#"{"name":"a","name":"b"}"#);
        assert_eq!((twice.code, twice.field.as_deref()), (Some("repeated"), Some("name")));
        let unknown = of::<Shape>(r#"{"nam":"a"}"#);
        assert_eq!((unknown.code, unknown.field.as_deref()), (Some("unknown"), Some("nam")));
        assert!(unknown.detail.starts_with("There is no such field; known are name, count,"));
    }

    /// Read by the versions of serde and of its formats that are built in: a new one that says it otherwise shows here.
    #[test]
    fn what_has_another_shape_is_told_what_to_send() {
        for (text, detail) in [
            (r#"{"name":3}"#, "Send a text, not 3."),
            (r#"{"name":null}"#, "Send a text, not null."),
            (r#"{"name":["a"]}"#, "Send a text, not a list."),
            (r#"{"name":"a","count":-1}"#, "Send a whole number from 0 to 4294967295, not -1."),
            (r#"{"name":"a","count":1.5}"#, "Send a whole number from 0 to 4294967295, not 1.5."),
            (r#"{"name":"a","order":"max"}"#, "Send one of best, set, not max."),
            (r#"{"name":"a","list":30}"#, "Send a list, not 30."),
            (r#"{"name":"a","list":[true]}"#, "Send a whole number of at most 64 bits, not true."),
            (
                r#"{"name":"a","list":[9223372036854775808]}"#,
                "Send a whole number of at most 64 bits, not 9223372036854775808.",
            ),
            (r#"{"name":"a","inner":[]}"#, "Send what the API reference shows for this."),
            (r#"{"name":"a","amount":{}}"#, "Send a number or a text."),
            (
                r#"{"name":"a","public":"a, expected b"}"#,
                r#"Send true or false, not the text "a, expected b"."#,
            ),
            (r#"{"name":"a","inner":50}"#, "Send an object, not 50."),
            (r#"{"name":"a","inner":"x"}"#, r#"Send an object, not the text "x"."#),
            (r#"{"name":"a","share":5}"#, "Send what the API reference shows for this."),
            (r#"{"name":"a","public":"yes"}"#, r#"Send true or false, not the text "yes"."#),
        ] {
            assert_eq!(of::<Shape>(text).detail, detail, "{text}");
        }
    }

    #[test]
    fn parameters_of_an_address_are_told_what_to_send() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only what reading says of it is looked at")]
        struct Asked {
            limit: u32,
            #[serde(default)]
            friends: bool,
        }
        let of = |text| say(&serde_urlencoded::from_str::<Asked>(text).unwrap_err().to_string());
        for text in ["limit=-1", "limit=ten", "limit="] {
            assert_eq!(of(text).detail, "Send a whole number.", "{text}");
        }
        assert_eq!(of("limit=4294967296").detail, "Send a smaller number.");
        assert_eq!(of("limit=1&friends=yes").detail, "Send true or false.");
        assert_eq!(of("").field.as_deref(), Some("limit"));
        assert_eq!(of("limit=1&limit=2").code, Some("repeated"));
    }
}
