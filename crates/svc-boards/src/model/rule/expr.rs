//! Expressions over the fields of a fact: small, total, without loops. They end after as many steps as they have parts.
//!
//! Whole numbers of 64 bits, texts in quotes, `true`, `false`, `null`; fields by name, `a.b` inside of another; `+ - * / %`,
//! `== != < <= > >=`, `&& || !`, `min(a, b)`, `max(a, b)` and brackets.

use std::fmt;

use serde_json::Value;

pub use super::parse::parse;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A value that stands there.
    Literal(Value),
    /// A field of the fact, by the names that lead to it.
    Field(Vec<String>),
    /// Not, or the negative.
    Not(Box<Self>),
    /// The negative.
    Negative(Box<Self>),
    /// Two that are combined.
    Two(Op, Box<Self>, Box<Self>),
}

/// How two are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Either.
    Or,
    /// Both.
    And,
    /// The same.
    Equal,
    /// Not the same.
    Differs,
    /// Below.
    Less,
    /// Not above.
    AtMost,
    /// Above.
    More,
    /// Not below.
    AtLeast,
    /// The sum.
    Add,
    /// The difference.
    Subtract,
    /// The product.
    Multiply,
    /// The quotient, rounded toward 0.
    Divide,
    /// What a division leaves.
    Remainder,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnExpr {
    /// The character, from 1.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for NotAnExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Write {} at {}.", self.expected, self.at)
    }
}

impl Expr {
    /// Its value for a fact.
    ///
    /// # Errors
    /// A sentence: a field that is not there, values that do not go together, a number beyond 64 bits.
    pub fn eval(&self, fact: &Value) -> Result<Value, String> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Field(path) => field(fact, path),
            Self::Not(inner) => match inner.eval(fact)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                other => Err(format!("`!` needs true or false, not {other}")),
            },
            Self::Negative(inner) => {
                let number = whole(&inner.eval(fact)?, "-")?;
                number.checked_neg().map(Value::from).ok_or_else(|| too_large("-"))
            }
            Self::Two(op @ (Op::And | Op::Or), left, right) => {
                let left = truth(&left.eval(fact)?)?;
                // The other side is looked at only if it decides.
                match (op, left) {
                    (Op::And, false) | (Op::Or, true) => Ok(Value::Bool(left)),
                    _ => Ok(Value::Bool(truth(&right.eval(fact)?)?)),
                }
            }
            Self::Two(op, left, right) => combine(*op, &left.eval(fact)?, &right.eval(fact)?),
        }
    }
}

fn field(fact: &Value, path: &[String]) -> Result<Value, String> {
    let mut value = fact;
    for name in path {
        value =
            value.get(name).ok_or_else(|| format!("the fact has no field `{}`", path.join(".")))?;
    }
    Ok(value.clone())
}

fn truth(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("`&&` and `||` need true or false, not {value}"))
}

fn whole(value: &Value, symbol: &str) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("`{symbol}` needs whole numbers, not {value}"))
}

fn too_large(symbol: &str) -> String {
    format!("`{symbol}` leaves the numbers of 64 bits")
}

fn combine(op: Op, left: &Value, right: &Value) -> Result<Value, String> {
    use std::cmp::Ordering;
    let compare = |symbol: &str| match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        _ => Ok::<Ordering, String>(whole(left, symbol)?.cmp(&whole(right, symbol)?)),
    };
    let number = |symbol: &str, of: fn(i64, i64) -> Option<i64>| {
        let (left, right) = (whole(left, symbol)?, whole(right, symbol)?);
        of(left, right).map(Value::from).ok_or_else(|| match right {
            0 => format!("`{symbol}` by 0"),
            _ => too_large(symbol),
        })
    };
    match op {
        Op::Equal => Ok(Value::Bool(left == right)),
        Op::Differs => Ok(Value::Bool(left != right)),
        Op::Less => Ok(Value::Bool(compare("<")?.is_lt())),
        Op::AtMost => Ok(Value::Bool(compare("<=")?.is_le())),
        Op::More => Ok(Value::Bool(compare(">")?.is_gt())),
        Op::AtLeast => Ok(Value::Bool(compare(">=")?.is_ge())),
        Op::Add => number("+", i64::checked_add),
        Op::Subtract => number("-", i64::checked_sub),
        Op::Multiply => number("*", i64::checked_mul),
        Op::Divide => number("/", i64::checked_div),
        Op::Remainder => number("%", i64::checked_rem),
        Op::Min => number("min", |left, right| Some(left.min(right))),
        Op::Max => number("max", |left, right| Some(left.max(right))),
        // Combined where they are met, because one side may decide.
        Op::And | Op::Or => Err("`&&` and `||` are combined elsewhere".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn eval(text: &str) -> Result<Value, String> {
        let fact = json!({ "n": 7, "name": "ada", "deep": { "er": true }, "big": i64::MAX });
        parse(text).map_err(|error| error.to_string())?.eval(&fact)
    }

    #[test]
    fn expressions_mean_what_they_look_like() {
        for (text, value) in [
            ("1 + 2 * 3", json!(7)),
            ("(1 + 2) * -3", json!(-9)),
            ("n - 2 - 2", json!(3)),
            ("7 / 2 + 7 % 2", json!(4)),
            ("min(n, 3) + max(1, n)", json!(10)),
            ("name == 'ada' && n >= 7", json!(true)),
            ("name != \"ada\" || !deep.er", json!(false)),
            ("n < 3 || deep.er", json!(true)),
            ("true || missing", json!(true)),
            ("'a' < 'b'", json!(true)),
            ("deep.er == null", json!(false)),
            ("1 == 1 == true", json!(true)),
        ] {
            assert_eq!(eval(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_says_why() {
        for (text, part) in [
            ("missing + 1", "no field `missing`"),
            ("deep.other", "no field `deep.other`"),
            ("1 / 0", "by 0"),
            ("big + 1", "64 bits"),
            ("-(-big - 1)", "64 bits"),
            ("name + 1", "whole numbers"),
            ("n && true", "true or false"),
            ("!n", "true or false"),
        ] {
            assert!(eval(text).is_err_and(|said| said.contains(part)), "{text}: {:?}", eval(text));
        }
    }

    #[test]
    fn what_is_no_expression_says_where() {
        for (text, at) in [
            ("1 +", 4),
            ("", 1),
            ("(1", 3),
            ("'open", 1),
            ("a..b", 3),
            ("1 2", 3),
            ("n ? 1", 3),
            ("min(1)", 6),
        ] {
            assert_eq!(parse(text).map_err(|error| error.at), Err(at), "{text}");
        }
        assert!(parse(&"(".repeat(999)).is_err() && parse(&"1+".repeat(600)).is_err());
        assert!(parse(&format!("{}1", "-".repeat(200))).is_err(), "too deep");
    }

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in "[ -~äü]{0,60}") {
            if let Ok(expr) = parse(&text) {
                drop(expr.eval(&json!({ "a": 1, "b": "x" })));
            }
        }

        #[test]
        fn sums_are_those_of_numbers(a in -1_000_i64..1_000, b in -1_000_i64..1_000, c in -1_000_i64..1_000) {
            prop_assert_eq!(eval(&format!("{a} + {b} * {c} - {a}")), Ok(json!(b * c)));
        }
    }
}
