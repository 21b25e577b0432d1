//! What an expression gives for a fact. Every expression ends, with a value or with what is wrong and where.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    parse::{Expr, Kind, Node, Op, differ},
    words::Odd,
};

/// A value while an expression is worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given<'a> {
    Whole(i64),
    Text(&'a str),
    Bool(bool),
    Null,
    /// The fact has no such field: misspelt, perhaps.
    Absent,
    /// What nothing can be done with, in words.
    Other(&'static str),
}

impl Given<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::Whole(_) => Kind::Whole.name(),
            Self::Text(_) => Kind::Text.name(),
            Self::Bool(_) => Kind::Bool.name(),
            Self::Null => Kind::Null.name(),
            Self::Absent => "absent",
            Self::Other(name) => name,
        }
    }
}

impl<'a> From<&'a Value> for Given<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => number.as_i64().map_or(
                Self::Other("a number that is not whole or has more than 64 bits"),
                Self::Whole,
            ),
            Value::String(text) => Self::Text(text),
            Value::Array(_) => Self::Other("a list"),
            Value::Object(_) => Self::Other("an object"),
        }
    }
}

impl Expr {
    /// Whether it holds for `fact`.
    ///
    /// # Errors
    /// Where it gives something else.
    pub fn truth(&self, fact: &Value) -> Result<bool, Odd> {
        match self.of(fact)? {
            Given::Bool(truth) => Ok(truth),
            other => Err(self.odd(other, Kind::Bool)),
        }
    }

    /// The whole number that it gives for `fact`.
    ///
    /// # Errors
    /// Where it gives something else, or leaves 64 bits.
    pub fn whole(&self, fact: &Value) -> Result<i64, Odd> {
        match self.of(fact)? {
            Given::Whole(number) => Ok(number),
            other => Err(self.odd(other, Kind::Whole)),
        }
    }

    /// The text that it gives for `fact`; `None` for `null`.
    ///
    /// # Errors
    /// Where it gives something else.
    pub fn text<'a>(&'a self, fact: &'a Value) -> Result<Option<&'a str>, Odd> {
        match self.of(fact)? {
            Given::Text(text) => Ok(Some(text)),
            Given::Null | Given::Absent => Ok(None),
            other => Err(self.odd(other, Kind::Text)),
        }
    }

    /// What is said of `given` where a `wanted` is needed.
    fn odd(&self, given: Given<'_>, wanted: Kind) -> Odd {
        let what = match (&self.node, given) {
            (Node::Field(path), given) => format!("`{}` is {}", path.join("."), given.name()),
            (_, given) => format!("this is {}", given.name()),
        };
        Odd::new(self.at, format!("{what}, expected {}", wanted.name()))
    }

    fn of<'a>(&'a self, fact: &'a Value) -> Result<Given<'a>, Odd> {
        Ok(match &self.node {
            Node::Whole(number) => Given::Whole(*number),
            Node::Text(text) => Given::Text(text),
            Node::Bool(truth) => Given::Bool(*truth),
            Node::Null => Given::Null,
            Node::Field(path) => {
                let found = path.iter().try_fold(fact, |value, name| value.get(name));
                found.map_or(Given::Absent, Given::from)
            }
            Node::Not(of) => Given::Bool(!of.truth(fact)?),
            Node::Minus(of) => self.computed(of.whole(fact)?.checked_neg())?,
            Node::Pair(Op::And, a, b) => Given::Bool(a.truth(fact)? && b.truth(fact)?),
            Node::Pair(Op::Or, a, b) => Given::Bool(a.truth(fact)? || b.truth(fact)?),
            Node::Pair(Op::Eq, a, b) => {
                Given::Bool(self.equal((a, a.of(fact)?), (b, b.of(fact)?))?)
            }
            Node::Pair(Op::Ne, a, b) => {
                Given::Bool(!self.equal((a, a.of(fact)?), (b, b.of(fact)?))?)
            }
            Node::Pair(op @ (Op::Lt | Op::Le | Op::Gt | Op::Ge), a, b) => {
                let order = self.order((a, a.of(fact)?), (b, b.of(fact)?))?;
                Given::Bool(match op {
                    Op::Lt => order.is_lt(),
                    Op::Le => order.is_le(),
                    Op::Gt => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
            Node::Pair(op, a, b) => self.compute(*op, a.whole(fact)?, b.whole(fact)?)?,
        })
    }

    fn compute(&self, op: Op, a: i64, b: i64) -> Result<Given<'static>, Odd> {
        if b == 0 && matches!(op, Op::Div | Op::Rem) {
            return Err(Odd::new(self.at, "this divides by 0"));
        }
        self.computed(match op {
            Op::Add => a.checked_add(b),
            Op::Sub => a.checked_sub(b),
            Op::Mul => a.checked_mul(b),
            Op::Div => a.checked_div(b),
            Op::Rem => a.checked_rem(b),
            Op::Min => Some(a.min(b)),
            _ => Some(a.max(b)),
        })
    }

    fn computed(&self, number: Option<i64>) -> Result<Given<'static>, Odd> {
        let number = number.map(Given::Whole);
        number.ok_or_else(|| Odd::new(self.at, "the result leaves the numbers of 64 bits"))
    }

    /// A field that is absent can be asked for (`a == null`), and is compared with nothing else.
    fn equal(&self, a: (&Self, Given<'_>), b: (&Self, Given<'_>)) -> Result<bool, Odd> {
        match (a.1, b.1) {
            (Given::Null, Given::Absent) | (Given::Absent, Given::Null) => Ok(true),
            (Given::Absent, _) => Err(a.0.absent()),
            (_, Given::Absent) => Err(b.0.absent()),
            (Given::Null, other) | (other, Given::Null) => Ok(other == Given::Null),
            (Given::Whole(_), Given::Whole(_))
            | (Given::Text(_), Given::Text(_))
            | (Given::Bool(_), Given::Bool(_)) => Ok(a.1 == b.1),
            (a, b) => Err(Odd::new(self.at, differ(a.name(), b.name()))),
        }
    }

    fn absent(&self) -> Odd {
        let name = match &self.node {
            Node::Field(path) => path.join("."),
            _ => String::new(),
        };
        Odd::new(self.at, format!("`{name}` is absent, which is compared with `null` alone"))
    }

    fn order(&self, a: (&Self, Given<'_>), b: (&Self, Given<'_>)) -> Result<Ordering, Odd> {
        match (a.1, b.1) {
            (Given::Whole(a), Given::Whole(b)) => Ok(a.cmp(&b)),
            (Given::Text(a), Given::Text(b)) => Ok(a.cmp(b)),
            (Given::Whole(_) | Given::Text(_), Given::Whole(_) | Given::Text(_)) => {
                Err(Odd::new(self.at, differ(a.1.name(), b.1.name())))
            }
            (Given::Whole(_) | Given::Text(_), odd) => Err(b.0.odd(odd, Kind::Whole)),
            (odd, _) => Err(a.0.odd(odd, Kind::Whole)),
        }
    }
}
