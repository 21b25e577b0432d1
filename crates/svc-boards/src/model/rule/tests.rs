//! The language of rules: what it means, what it refuses and where, and that no text and no fact upsets it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics on failure")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn liked() -> Value {
    json!({
        "post": "post_1", "author": "ada", "user": "bea", "like_count": 4, "none": null, "ratio": 0.5,
        "deep": { "er": { "n": -3, "ok": true } }, "tags": ["a"], "large": 18_446_744_073_709_551_615_u64,
    })
}

fn whole(text: &str) -> Result<i64, String> {
    let expr = Expr::read(text, Kind::Whole).map_err(|odd| odd.to_string())?;
    expr.whole(&liked()).map_err(|odd| odd.to_string())
}

fn truth(text: &str) -> Result<bool, String> {
    let expr = Expr::read(text, Kind::Bool).map_err(|odd| odd.to_string())?;
    expr.truth(&liked()).map_err(|odd| odd.to_string())
}

#[test]
fn arithmetic_is_that_of_whole_numbers() {
    for (text, expected) in [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("7 / 2 * 2", 6),
        ("-7 / 2", -3),
        ("7 % 4", 3),
        ("--like_count", 4),
        ("min(like_count, 3) + max(deep.er.n, -5)", 0),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775807 - 1", i64::MIN),
    ] {
        assert_eq!(whole(text), Ok(expected), "{text}");
    }
}

#[test]
fn conditions_bind_as_one_expects() {
    for (text, expected) in [
        ("user != author && like_count > 3", true),
        ("user == author || like_count >= 4 && !(post == 'x')", true),
        ("false && true || true", true),
        ("false && (true || true)", false),
        ("!deep.er.ok == false", true),
        ("none == null && nowhere == null && deep.nowhere.at == null", true),
        ("author != null && null != author", true),
        ("author < user", true),
        ("post == \"post_1\" && 'it\\'s' != \"it\"", true),
        ("like_count == 2 + 2", true),
        // What decides is not asked further.
        ("user == author && nowhere > 3", false),
        ("user != author || nowhere > 3", true),
    ] {
        assert_eq!(truth(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_read_says_where_and_what_was_expected() {
    for (text, at, part) in [
        ("", 1, "found the end"),
        ("user !=", 8, "expected a field"),
        ("user = author", 6, "expected an operator"),
        ("(user == author", 16, "expected `)`"),
        ("user # 1", 6, "means nothing"),
        ("'open", 1, "no closing"),
        ("'a\\n'", 3, "stands before"),
        ("1.5 > 1", 1, "whole"),
        ("99999999999999999999 > 1", 1, "at most"),
        ("avg(1, 2) > 1", 1, "min and max"),
        ("min(1) > 1", 6, "expected `,`"),
        ("a. > 1", 4, "name of a field"),
        ("a b", 3, "operator or the end"),
        ("1 + 1", 3, "expected true or false"),
        ("'a' == 1", 5, "compared"),
        ("'a' + 1 > 1", 1, "expected a whole number"),
        ("1 < 2 < 3", 7, "use =="),
        ("!1", 2, "expected true or false"),
        ("null < 1", 6, "use =="),
    ] {
        match Expr::read(text, Kind::Bool) {
            Err(odd) => {
                assert_eq!(odd.at, at, "{text}: {odd}");
                assert!(odd.message.contains(part), "{text}: {odd}");
            }
            Ok(read) => panic!("{text} was read as {read:?}"),
        }
    }
}

#[test]
fn what_a_fact_does_not_answer_says_so() {
    for (text, part) in [
        ("like_count + nowhere", "`nowhere` is absent, expected a whole number"),
        ("ratio * 2", "not whole"),
        ("large", "more than 64 bits"),
        ("tags + 1", "`tags` is a list"),
        ("like_count / (deep.er.n + 3)", "at character 12: this divides by 0"),
        ("9223372036854775807 + like_count", "leaves the numbers"),
        ("(-9223372036854775807 - 1) / -1", "leaves the numbers"),
        ("author", "`author` is a text"),
    ] {
        let said = whole(text).unwrap_err();
        assert!(said.contains(part), "{text}: {said}");
    }
    assert!(truth("usr != author").unwrap_err().contains("at character 1: `usr` is absent"));
    assert!(truth("author != usr").unwrap_err().contains("at character 11: `usr` is absent"));
    assert!(truth("none > 1").unwrap_err().contains("`none` is null"));
    assert!(truth("author == like_count").unwrap_err().contains("compared"));
    assert!(truth("tags == 'a'").unwrap_err().contains("a list"));
    assert!(truth("nowhere > 1").unwrap_err().contains("absent"));
}

#[test]
fn length_depth_and_number_of_operators_are_bounded() {
    let read =
        |text: String| Expr::read(&text, Kind::Whole).map_err(|odd| odd.message.into_owned());
    assert!(read(format!("1{}", " ".repeat(999))).is_ok());
    assert!(read(format!("1{}", " ".repeat(1_000))).unwrap_err().contains("1000 characters"));
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(read(nested(32)).is_ok());
    assert!(read(nested(33)).unwrap_err().contains("deep"));
    assert!(read(format!("{}1", "-".repeat(900))).unwrap_err().contains("deep"));
    assert!(read(format!("1{}", "+1".repeat(100))).is_ok());
    assert!(read(format!("1{}", "+1".repeat(101))).unwrap_err().contains("operators"));
}

fn rule(json: Value) -> Result<Rule, Vec<String>> {
    let settings: RuleSettings = serde_json::from_value(json).unwrap_or_else(|odd| panic!("{odd}"));
    let faults =
        |faults: Faults| faults.into_vec().iter().map(|fault| fault.pointer.to_string()).collect();
    settings.compile("").map_err(faults)
}

#[test]
fn a_rule_says_whose_what_and_by_whom() {
    let like = json!({
        "on": "feed.post_liked.v1", "when": "user != author", "owner": "author", "board": "creators",
        "value": [1, "like_count * 2"],
    });
    let decided = rule(like.clone()).map(|rule| rule.decide(&liked()));
    let expected = Decided { owner: "ada".into(), values: vec![1, 8], cause: "bea".into() };
    assert_eq!(decided, Ok(Ok(Some(expected))));
    let own = json!({ "user": "ada", "author": "ada" });
    assert_eq!(rule(like.clone()).map(|rule| rule.decide(&own)), Ok(Ok(None)));
    let mut by = like;
    by["by"] = json!("post");
    let cause = rule(by).map(|rule| rule.decide(&liked()).ok().flatten().map(|it| it.cause));
    assert_eq!(cause, Ok(Some("post_1".into())));
}

#[test]
fn a_rule_says_all_its_faults_at_once() {
    let odd = json!({
        "on": "feed.post_was_liked", "when": "user", "owner": "1", "board": "rules",
        "value": [1, "'a'"], "by": "(",
    });
    let expected = ["/on", "/board", "/owner", "/by", "/value/1"];
    assert_eq!(rule(odd), Err(expected.map(str::to_owned).to_vec()));
    let itself = json!({
        "on": "boards.scores_recorded.v1", "owner": "'a'", "board": "b", "value": [],
    });
    assert_eq!(rule(itself), Err(vec!["/on".to_owned(), "/value".to_owned()]));
}

/// Texts that are nearly expressions.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "user",
        "like_count",
        "deep.er.n",
        "tags",
        "nowhere",
        "1",
        "0",
        "9223372036854775807",
        "'a'",
        "true",
        "null",
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "(",
        ")",
        ",",
        ".",
        "min(",
        "max(",
        " ",
        "=",
        "'",
        "\\",
        "é",
        "\u{0}",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_and_no_fact_upsets_it(text in prop_oneof![nearly(), any::<String>()]) {
        for kind in [Kind::Bool, Kind::Whole, Kind::Text] {
            match Expr::read(&text, kind) {
                Ok(expr) => {
                    let _any = (expr.truth(&liked()), expr.whole(&liked()), expr.text(&liked()));
                }
                Err(odd) => prop_assert!((1..=text.chars().count() + 1).contains(&odd.at)),
            }
        }
    }

    #[test]
    fn sums_are_those_of_i128_where_they_fit(a in any::<i32>(), b in any::<i32>(), c in 1..i32::MAX) {
        let [wide_a, wide_b, wide_c] = [a, b, c].map(i128::from);
        let expected = (wide_a + wide_b * wide_c) / wide_c - wide_a % wide_c;
        let got = whole(&format!("({a} + {b} * {c}) / {c} - {a} % {c}"));
        prop_assert_eq!(got.map(i128::from), Ok(expected));
    }
}
