//! Rules: when a fact with a condition is told, a score for an owner on a board. Their expressions are a small language
//! of our own (`docs/adr/010-rules-language.md`): every text is read or refused, and every expression ends.

mod eval;
mod facts;
mod parse;
mod words;

use mainstay_core::error::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    facts::{SOURCES, facts_of, source_of},
    parse::{Expr, Kind},
    words::Odd,
};
use super::{
    board::{COLUMNS_MAX, OWNER_BYTES_MAX, is_board_id, is_owner},
    operate::Operator,
};

/// The longest name of a rule, in bytes.
const RULE_BYTES_MAX: usize = 64;

/// What is scored in one column: a whole number, or an expression that gives one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a whole number or an expression")]
pub enum Amount {
    /// Always this.
    Whole(i64),
    /// What this gives, such as `min(like_count, 10)`.
    Text(String),
}

/// What is scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a whole number, an expression, or a list with one for each column"
)]
pub enum Amounts {
    /// In the board's only column.
    One(Amount),
    /// In each column.
    Each(Vec<Amount>),
}

/// A rule as its owner writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// The fact, such as `feed.post_liked.v1`.
    pub on: String,
    /// When it counts: a condition over the fact's fields, such as `user != author`. Always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whose score: an expression that gives a text, such as `author`.
    pub owner: String,
    /// The board's name.
    pub board: String,
    /// What is scored: a whole number, an expression such as `min(like_count, 10)`, or a list of them, one for each
    /// column. In whole units, also where a column has decimals.
    pub value: Amounts,
    /// Another operator than the board's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// Who made it happen, so that their ban takes it back: an expression that gives a text. The fact's `user` if it is
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A rule, ready to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    when: Option<Expr>,
    owner: Expr,
    values: Vec<Expr>,
    by: Option<Expr>,
}

/// What a rule makes of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Whose score.
    pub owner: String,
    /// One for each column, in whole units.
    pub values: Vec<i64>,
    /// Who made it happen.
    pub cause: String,
}

/// Whether `id` can name a rule: 1 to 64 bytes of letters, digits, `-`, `_`, `.`.
pub fn is_rule_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=RULE_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain)
}

impl RuleSettings {
    /// The rule, ready to be applied.
    ///
    /// # Errors
    /// Everything that is wrong with it, with pointers below `under`.
    pub fn compile(&self, under: &str) -> Result<Rule, Faults> {
        let mut faults = Faults::default();
        let known: Vec<&str> = SOURCES.into_iter().flat_map(facts_of).copied().collect();
        faults.check(known.contains(&&*self.on), format!("{under}/on"), "unknown", || {
            format!("Name one of these facts: {}.", known.join(", "))
        });
        faults.check(is_board_id(&self.board), format!("{under}/board"), "malformed", || {
            "Name a board: 1 to 128 letters, digits, `-`, `_`, `.`, `:`.".into()
        });
        let mut read = |text: &str, wanted, at: String| match Expr::read(text, wanted) {
            Ok(expr) => Some(expr),
            Err(odd) => {
                faults.check(false, at, "malformed", || sentence(&odd));
                None
            }
        };
        let when = self.when.as_ref().map(|when| read(when, Kind::Bool, format!("{under}/when")));
        let owner = read(&self.owner, Kind::Text, format!("{under}/owner"));
        let by = self.by.as_ref().map(|by| read(by, Kind::Text, format!("{under}/by")));
        let mut amount = |amount: &Amount, at: String| match amount {
            // As it would be written, so that there is one way to work it out.
            Amount::Whole(number) => Some(Expr::of_whole(*number)),
            Amount::Text(text) => read(text, Kind::Whole, at),
        };
        let values: Vec<Option<Expr>> = match &self.value {
            Amounts::One(one) => vec![amount(one, format!("{under}/value"))],
            Amounts::Each(each) => {
                let each = each.iter().take(COLUMNS_MAX + 1).enumerate();
                each.map(|(place, one)| amount(one, format!("{under}/value/{place}"))).collect()
            }
        };
        let count = values.len();
        faults.check(
            (1..=COLUMNS_MAX).contains(&count),
            format!("{under}/value"),
            "out_of_range",
            || format!("Give one to {COLUMNS_MAX} values, one for each column."),
        );
        let values = values.into_iter().collect::<Option<Vec<Expr>>>();
        match (owner, values) {
            (Some(owner), Some(values)) if faults.is_empty() => {
                Ok(Rule { when: when.flatten(), owner, values, by: by.flatten() })
            }
            _ => Err(faults),
        }
    }
}

impl RuleSettings {
    /// What it asks of the fact that the fact does not have, with pointers below `under`; nothing of what cannot be
    /// compiled. Apart from that, because a rule that was made stays what it is when facts change.
    pub fn unknown_fields(&self, under: &str) -> Faults {
        let mut faults = Faults::default();
        let (Ok(rule), Some(fields)) = (self.compile(under), facts::fields_of(&self.on)) else {
            return faults;
        };
        let mut look = |expr: &Expr, at: String| {
            if let Err(odd) = expr.knows(&self.on, fields) {
                faults.check(false, at, "unknown", || sentence(&odd));
            }
        };
        let parts =
            [("when", rule.when.as_ref()), ("owner", Some(&rule.owner)), ("by", rule.by.as_ref())];
        for (name, expr) in parts {
            if let Some(expr) = expr {
                look(expr, format!("{under}/{name}"));
            }
        }
        for (place, expr) in rule.values.iter().enumerate() {
            let at = match self.value {
                Amounts::One(_) => format!("{under}/value"),
                Amounts::Each(_) => format!("{under}/value/{place}"),
            };
            look(expr, at);
        }
        faults
    }
}

fn sentence(odd: &Odd) -> String {
    let text = odd.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

impl Rule {
    /// What it makes of `fact`; `None` if its condition does not hold.
    ///
    /// # Errors
    /// Which expression has no answer, and why.
    pub fn decide(&self, fact: &Value) -> Result<Option<Decided>, String> {
        let said = |part: &str, odd: &Odd| format!("`{part}` {odd}");
        if let Some(when) = &self.when
            && !when.truth(fact).map_err(|odd| said("when", &odd))?
        {
            return Ok(None);
        }
        let owner = self.owner.text(fact).map_err(|odd| said("owner", &odd))?;
        let owner = owner.ok_or("`owner` is absent or null in this fact")?;
        if !is_owner(owner) {
            return Err(format!(
                "`owner` gives no owner: 1 to {OWNER_BYTES_MAX} bytes without control characters"
            ));
        }
        let values = self.values.iter().map(|value| value.whole(fact));
        let values = values.collect::<Result<_, _>>().map_err(|odd| said("value", &odd))?;
        let by = match &self.by {
            Some(by) => by.text(fact).map_err(|odd| said("by", &odd))?,
            None => fact.get("user").and_then(Value::as_str),
        };
        let cause = by.filter(|by| is_owner(by)).unwrap_or(owner);
        Ok(Some(Decided { owner: owner.to_owned(), values, cause: cause.to_owned() }))
    }
}

#[cfg(test)]
mod tests;
