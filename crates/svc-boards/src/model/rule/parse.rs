//! From words to an expression, and what can be said of it before there is a fact.

use super::words::{Odd, Word, words};

/// How deep parentheses, functions and signs may stand in each other.
const DEPTH_MAX: usize = 32;
/// The most operators in one expression: with the depth, it bounds the tree.
const OPERATORS_MAX: usize = 100;
/// The most names in one path.
const PATH_MAX: usize = 8;

/// An expression, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// Its place, in characters from 1; of an operator, the operator's.
    pub(super) at: usize,
    pub(super) node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Whole(i64),
    Text(String),
    Bool(bool),
    Null,
    Field(Vec<String>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Pair(Op, Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Min,
    Max,
}

impl Op {
    /// The operator of this sign, and how strongly it binds.
    fn of(sign: &str) -> Option<(Self, u8)> {
        Some(match sign {
            "||" => (Self::Or, 1),
            "&&" => (Self::And, 2),
            "==" => (Self::Eq, 3),
            "!=" => (Self::Ne, 3),
            "<" => (Self::Lt, 3),
            "<=" => (Self::Le, 3),
            ">" => (Self::Gt, 3),
            ">=" => (Self::Ge, 3),
            "+" => (Self::Add, 4),
            "-" => (Self::Sub, 4),
            "*" => (Self::Mul, 5),
            "/" => (Self::Div, 5),
            "%" => (Self::Rem, 5),
            _ => return None,
        })
    }

    /// Whether it computes with whole numbers.
    const fn computes(self) -> bool {
        !matches!(
            self,
            Self::Or | Self::And | Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge
        )
    }
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole,
    /// A text.
    Text,
    /// `true` or `false`.
    Bool,
    /// `null`: what a field holds that is absent.
    Null,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Whole => "a whole number",
            Self::Text => "a text",
            Self::Bool => "true or false",
            Self::Null => "null",
        }
    }
}

impl Expr {
    /// This number, whatever the fact is.
    pub(super) const fn of_whole(number: i64) -> Self {
        Self { at: 1, node: Node::Whole(number) }
    }

    /// Reads an expression that is to give a `wanted`.
    ///
    /// # Errors
    /// The first place where it cannot be read, or cannot give that whatever the fact is.
    pub fn read(text: &str, wanted: Kind) -> Result<Self, Odd> {
        let words = words(text)?;
        let mut reader = Reader { words: words.into_iter().peekable(), operators: 0 };
        let expr = reader.pair(1, 0)?;
        let (at, word) = reader.next();
        if word != Word::End {
            let message = format!("expected an operator or the end, found {}", word.shown());
            return Err(Odd::new(at, message));
        }
        expr.gives(wanted)?;
        Ok(expr)
    }

    /// Checks that the fact has what is asked for of it.
    ///
    /// # Errors
    /// The first field that it does not have.
    pub(super) fn knows(&self, fact: &str, fields: &[&str]) -> Result<(), Odd> {
        match &self.node {
            Node::Field(path) => match path.first() {
                Some(name) if !fields.contains(&name.as_str()) => {
                    let known = fields.join(", ");
                    Err(Odd::new(
                        self.at,
                        format!("`{fact}` has no field `{name}`; it has {known}"),
                    ))
                }
                _ => Ok(()),
            },
            Node::Not(inner) | Node::Minus(inner) => inner.knows(fact, fields),
            Node::Pair(_, left, right) => {
                left.knows(fact, fields)?;
                right.knows(fact, fields)
            }
            Node::Whole(_) | Node::Text(_) | Node::Bool(_) | Node::Null => Ok(()),
        }
    }

    /// Checks that this can be a `wanted`.
    fn gives(&self, wanted: Kind) -> Result<(), Odd> {
        match self.kind()? {
            Some(kind) if kind != wanted => {
                let message = format!("this is {}, expected {}", kind.name(), wanted.name());
                Err(Odd::new(self.at, message))
            }
            _ => Ok(()),
        }
    }

    /// What it gives, if that does not depend on the fact.
    fn kind(&self) -> Result<Option<Kind>, Odd> {
        Ok(Some(match &self.node {
            Node::Field(_) => return Ok(None),
            Node::Whole(_) => Kind::Whole,
            Node::Text(_) => Kind::Text,
            Node::Bool(_) => Kind::Bool,
            Node::Null => Kind::Null,
            Node::Not(of) => of.gives(Kind::Bool).map(|()| Kind::Bool)?,
            Node::Minus(of) => of.gives(Kind::Whole).map(|()| Kind::Whole)?,
            Node::Pair(op, a, b) if op.computes() => {
                a.gives(Kind::Whole)?;
                b.gives(Kind::Whole).map(|()| Kind::Whole)?
            }
            Node::Pair(Op::And | Op::Or, a, b) => {
                a.gives(Kind::Bool)?;
                b.gives(Kind::Bool).map(|()| Kind::Bool)?
            }
            Node::Pair(op, a, b) => self.compares(*op, a.kind()?, b.kind()?)?,
        }))
    }

    fn compares(&self, op: Op, a: Option<Kind>, b: Option<Kind>) -> Result<Kind, Odd> {
        let equality = matches!(op, Op::Eq | Op::Ne);
        let ordered = |kind: Option<Kind>| !matches!(kind, Some(Kind::Bool | Kind::Null));
        if !(equality || ordered(a) && ordered(b)) {
            let message =
                "only whole numbers and texts are before or behind each other; use == or !=";
            return Err(Odd::new(self.at, message));
        }
        match (a, b) {
            (Some(a), Some(b)) if a != b && a != Kind::Null && b != Kind::Null => {
                Err(Odd::new(self.at, differ(a.name(), b.name())))
            }
            _ => Ok(Kind::Bool),
        }
    }
}

pub(super) fn differ(a: &str, b: &str) -> String {
    format!("{a} is compared with {b}, expected the same on both sides")
}

struct Reader {
    words: std::iter::Peekable<std::vec::IntoIter<(usize, Word)>>,
    operators: usize,
}

impl Reader {
    fn next(&mut self) -> (usize, Word) {
        self.words.next().unwrap_or((1, Word::End))
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        self.words.next_if(|(_, word)| *word == Word::Sign(sign)).is_some()
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Odd> {
        match self.next() {
            (_, Word::Sign(found)) if found == sign => Ok(()),
            (at, word) => {
                let message = format!("expected `{sign}`, found {}", word.shown());
                Err(Odd::new(at, message))
            }
        }
    }

    /// Operands joined by operators that bind at least as strongly as `least`, from the left.
    fn pair(&mut self, least: u8, depth: usize) -> Result<Expr, Odd> {
        let mut left = self.single(depth)?;
        loop {
            let next = match self.words.peek() {
                Some((at, Word::Sign(sign))) => Op::of(sign).map(|(op, binds)| (*at, op, binds)),
                _ => None,
            };
            let Some((at, op, _)) = next.filter(|(_, _, binds)| *binds >= least) else {
                return Ok(left);
            };
            let binds = next.map_or(least, |(_, _, binds)| binds);
            self.next();
            self.operators += 1;
            if self.operators > OPERATORS_MAX {
                let message = format!("an expression has at most {OPERATORS_MAX} operators");
                return Err(Odd::new(at, message));
            }
            let right = self.pair(binds + 1, depth)?;
            left = Expr { at, node: Node::Pair(op, Box::new(left), Box::new(right)) };
        }
    }

    fn single(&mut self, depth: usize) -> Result<Expr, Odd> {
        let (at, word) = self.next();
        if depth > DEPTH_MAX {
            let message = format!("parentheses and signs stand at most {DEPTH_MAX} deep");
            return Err(Odd::new(at, message));
        }
        let node = match word {
            Word::Whole(number) => Node::Whole(number),
            Word::Text(text) => Node::Text(text),
            Word::Name(name) => self.named(at, name, depth)?,
            Word::Sign("!") => Node::Not(Box::new(self.single(depth + 1)?)),
            Word::Sign("-") => Node::Minus(Box::new(self.single(depth + 1)?)),
            Word::Sign("(") => {
                let inner = self.pair(1, depth + 1)?;
                self.expect(")")?;
                return Ok(inner);
            }
            word => {
                let message = format!(
                    "expected a field, a whole number, a text or `(`, found {}",
                    word.shown()
                );
                return Err(Odd::new(at, message));
            }
        };
        Ok(Expr { at, node })
    }

    fn named(&mut self, at: usize, name: String, depth: usize) -> Result<Node, Odd> {
        match &*name {
            "true" => return Ok(Node::Bool(true)),
            "false" => return Ok(Node::Bool(false)),
            "null" => return Ok(Node::Null),
            _ => {}
        }
        if self.takes("(") {
            let op = match &*name {
                "min" => Op::Min,
                "max" => Op::Max,
                _ => {
                    let message = format!("there is no function `{name}`; there are min and max");
                    return Err(Odd::new(at, message));
                }
            };
            let first = self.pair(1, depth + 1)?;
            self.expect(",")?;
            let second = self.pair(1, depth + 1)?;
            self.expect(")")?;
            return Ok(Node::Pair(op, Box::new(first), Box::new(second)));
        }
        let mut path = vec![name];
        while self.takes(".") {
            match self.next() {
                (_, Word::Name(name)) if path.len() < PATH_MAX => path.push(name),
                (at, Word::Name(_)) => {
                    return Err(Odd::new(at, format!("a path has at most {PATH_MAX} names")));
                }
                (at, word) => {
                    let message = format!("expected the name of a field, found {}", word.shown());
                    return Err(Odd::new(at, message));
                }
            }
        }
        Ok(Node::Field(path))
    }
}
