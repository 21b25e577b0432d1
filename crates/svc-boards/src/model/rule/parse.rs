//! From a text to an expression: each level of precedence is one function.

use serde_json::Value;

use super::{
    EXPR_BYTES_MAX,
    expr::{Expr, NotAnExpr, Op},
};

/// How deep brackets and signs may be nested.
const DEPTH_MAX: u32 = 32;

/// Reads an expression of at most 1,000 bytes.
///
/// # Errors
/// Where it cannot be one, and what was expected there.
pub fn parse(text: &str) -> Result<Expr, NotAnExpr> {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser { chars, at: 0, depth: 0 };
    if text.len() > EXPR_BYTES_MAX {
        return Err(NotAnExpr { at: EXPR_BYTES_MAX, expected: "at most 1,000 bytes and end" });
    }
    let expr = parser.or()?;
    parser.space();
    match parser.at == parser.chars.len() {
        true => Ok(expr),
        false => Err(parser.expected("an operator such as `+` or `==`")),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: u32,
}

/// Operators of one level, longer ones first.
type Level = &'static [(&'static str, Op)];

impl Parser {
    fn expected(&self, expected: &'static str) -> NotAnExpr {
        NotAnExpr { at: self.at + 1, expected }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes `symbol` if it comes next.
    fn takes(&mut self, symbol: &str) -> bool {
        self.space();
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let found = symbol.chars().enumerate().all(|(at, one)| rest.get(at) == Some(&one));
        if found {
            self.at += symbol.chars().count();
        }
        found
    }

    fn chain(
        &mut self,
        level: Level,
        inner: fn(&mut Self) -> Result<Expr, NotAnExpr>,
    ) -> Result<Expr, NotAnExpr> {
        let mut left = inner(self)?;
        while let Some((_, op)) = level.iter().find(|(symbol, _)| self.takes(symbol)) {
            let right = inner(self)?;
            left = Expr::Two(*op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn or(&mut self) -> Result<Expr, NotAnExpr> {
        self.chain(&[("||", Op::Or)], Self::and)
    }

    fn and(&mut self) -> Result<Expr, NotAnExpr> {
        self.chain(&[("&&", Op::And)], Self::comparison)
    }

    fn comparison(&mut self) -> Result<Expr, NotAnExpr> {
        const LEVEL: Level = &[
            ("==", Op::Equal),
            ("!=", Op::Differs),
            ("<=", Op::AtMost),
            (">=", Op::AtLeast),
            ("<", Op::Less),
            (">", Op::More),
        ];
        self.chain(LEVEL, Self::sum)
    }

    fn sum(&mut self) -> Result<Expr, NotAnExpr> {
        self.chain(&[("+", Op::Add), ("-", Op::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Expr, NotAnExpr> {
        const LEVEL: Level = &[("*", Op::Multiply), ("/", Op::Divide), ("%", Op::Remainder)];
        self.chain(LEVEL, Self::unary)
    }

    fn unary(&mut self) -> Result<Expr, NotAnExpr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.expected("fewer brackets and signs inside of each other"));
        }
        let expr = if self.takes("!") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.takes("-") {
            self.negative()?
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn negative(&mut self) -> Result<Expr, NotAnExpr> {
        // The least number has no positive one.
        self.space();
        let begins = self.at;
        if self.takes("9223372036854775808")
            && !self.peek().is_some_and(|next| next.is_ascii_digit())
        {
            return Ok(Expr::Literal(Value::from(i64::MIN)));
        }
        self.at = begins;
        Ok(Expr::Negative(Box::new(self.unary()?)))
    }

    fn primary(&mut self) -> Result<Expr, NotAnExpr> {
        self.space();
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.or()?;
                match self.takes(")") {
                    true => Ok(inner),
                    false => Err(self.expected("`)`")),
                }
            }
            Some('0'..='9') => self.number(),
            Some(quote @ ('\'' | '"')) => self.text(quote),
            Some(first) if first.is_ascii_alphabetic() || first == '_' => self.name(),
            _ => Err(self.expected("a number, a text in quotes, a field or `(`")),
        }
    }

    fn number(&mut self) -> Result<Expr, NotAnExpr> {
        let begins = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.chars.get(begins..self.at).unwrap_or_default().iter().collect();
        let number: Option<i64> = digits.parse().ok();
        number
            .map(|number| Expr::Literal(Value::from(number)))
            .ok_or(NotAnExpr { at: begins + 1, expected: "a number of 64 bits" })
    }

    fn text(&mut self, quote: char) -> Result<Expr, NotAnExpr> {
        let begins = self.at;
        let rest = self.chars.get(begins + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|one| *one == quote) else {
            return Err(NotAnExpr { at: begins + 1, expected: "the quote that ends this text" });
        };
        let text: String = rest.iter().take(length).collect();
        self.at = begins + length + 2;
        Ok(Expr::Literal(Value::String(text)))
    }

    fn word(&mut self) -> Result<String, NotAnExpr> {
        let begins = self.at;
        let first = self.peek().is_some_and(|next| next.is_ascii_alphabetic() || next == '_');
        while self.peek().is_some_and(|next| next.is_ascii_alphanumeric() || next == '_') {
            self.at += 1;
        }
        match first {
            true => Ok(self.chars.get(begins..self.at).unwrap_or_default().iter().collect()),
            false => {
                self.at = begins;
                Err(self.expected("the name of a field"))
            }
        }
    }

    fn name(&mut self) -> Result<Expr, NotAnExpr> {
        let word = self.word()?;
        match &*word {
            "true" => return Ok(Expr::Literal(Value::Bool(true))),
            "false" => return Ok(Expr::Literal(Value::Bool(false))),
            "null" => return Ok(Expr::Literal(Value::Null)),
            "min" | "max" if self.takes("(") => {
                let op = if word == "min" { Op::Min } else { Op::Max };
                let left = self.or()?;
                if !self.takes(",") {
                    return Err(self.expected("`,` and a second number"));
                }
                let right = self.or()?;
                return match self.takes(")") {
                    true => Ok(Expr::Two(op, Box::new(left), Box::new(right))),
                    false => Err(self.expected("`)`")),
                };
            }
            _ => {}
        }
        let mut path = vec![word];
        while self.peek() == Some('.') {
            self.at += 1;
            path.push(self.word()?);
        }
        Ok(Expr::Field(path))
    }
}
