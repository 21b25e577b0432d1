//! Rules: when a fact with a condition happens, whose score changes on which board, and by what.

pub mod expr;
mod parse;

use mainstay_core::error::{Fault, Faults};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::expr::Expr;
use super::{
    board::{COLUMNS_MAX, is_board_id, is_owner},
    operate::Operator,
};

/// The longest expression, in bytes.
pub const EXPR_BYTES_MAX: usize = 1_000;
/// The longest name of a rule, in bytes.
const RULE_ID_BYTES_MAX: usize = 64;

/// A rule as its author writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// The fact's name, such as `feed.post_liked.v1`.
    pub on: String,
    /// A condition over its fields, such as `user != author`; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whose score: an expression that gives a text, such as `author`.
    pub owner: String,
    /// On which board.
    pub board: String,
    /// What is submitted: an expression that gives a whole number, such as `1` or `like_count * 2`; one for each column
    /// of the board, separated by `;`.
    pub value: String,
    /// Who made it happen, whose ban takes it back: an expression that gives a text; the fact's `user` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Another operator than the board's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
}

/// A rule that is understood.
#[derive(Debug, Clone)]
pub struct Rule {
    when: Option<Expr>,
    owner: Expr,
    values: Vec<Expr>,
    by: Option<Expr>,
}

/// What a rule makes of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scored {
    /// Whose score.
    pub owner: String,
    /// One for each column, in its smallest unit.
    pub values: Vec<i64>,
    /// Who made it happen, if it was not the owner.
    pub by: Option<String>,
}

/// Whether a rule can be called so.
pub fn is_rule_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=RULE_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain)
}

impl RuleSettings {
    /// Understands it. `known` are the facts that rules can take.
    ///
    /// # Errors
    /// Every fault, with the place in the text.
    pub fn understand(&self, known: &[&str]) -> Result<Rule, Vec<Fault>> {
        let mut faults = Faults::default();
        faults.check(known.contains(&&*self.on), "/on", "unknown", || {
            format!("Name one of these facts: {}.", known.join(", "))
        });
        faults
            .check(is_board_id(&self.board), "/board", "malformed", || "Name a board.".to_owned());
        let mut read = |at: &'static str, text: &str| match expr::parse(text) {
            Ok(expr) => Some(expr),
            Err(error) => {
                faults.push(Fault::new(at, "malformed", error.to_string()));
                None
            }
        };
        let when = self.when.as_deref().map(|text| read("/when", text));
        let owner = read("/owner", &self.owner);
        let by = self.by.as_deref().map(|text| read("/by", text));
        let values: Vec<Option<Expr>> =
            self.value.split(';').take(COLUMNS_MAX + 1).map(|text| read("/value", text)).collect();
        faults.check(values.len() <= COLUMNS_MAX, "/value", "too_many", || {
            format!("A board has at most {COLUMNS_MAX} columns.")
        });
        match (owner, faults.is_empty()) {
            (Some(owner), true) => Ok(Rule {
                when: when.flatten(),
                owner,
                values: values.into_iter().flatten().collect(),
                by: by.flatten(),
            }),
            _ => Err(faults.into_vec()),
        }
    }
}

impl Rule {
    /// What it makes of a fact; `None` if its condition does not hold.
    ///
    /// # Errors
    /// A sentence that says what of the rule does not fit the fact.
    pub fn score(&self, fact: &Value) -> Result<Option<Scored>, String> {
        if let Some(when) = &self.when {
            match when.eval(fact)? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(None),
                other => {
                    return Err(format!("`when` gives {other}, which is neither true nor false"));
                }
            }
        }
        let owner = match self.owner.eval(fact)? {
            Value::String(owner) if is_owner(&owner) => owner,
            other => return Err(format!("`owner` gives {other}, which is no owner")),
        };
        let value = |expr: &Expr| match expr.eval(fact)? {
            Value::Number(number) => {
                number.as_i64().ok_or_else(|| format!("`value` gives {number}, which is not whole"))
            }
            other => Err(format!("`value` gives {other}, which is no number")),
        };
        let values = self.values.iter().map(value).collect::<Result<Vec<i64>, String>>()?;
        let by = match &self.by {
            None => fact.get("user").cloned().unwrap_or(Value::Null),
            Some(by) => by.eval(fact)?,
        };
        let by = by.as_str().filter(|by| *by != owner && is_owner(by)).map(str::to_owned);
        Ok(Some(Scored { owner, values, by }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(when: &str, value: &str) -> RuleSettings {
        RuleSettings {
            on: "feed.post_liked.v1".into(),
            when: Some(when.into()),
            owner: "author".into(),
            board: "creators".into(),
            value: value.into(),
            by: None,
            operator: None,
        }
    }

    const KNOWN: &[&str] = &["feed.post_liked.v1"];

    #[test]
    fn a_rule_scores_what_its_condition_lets_through() {
        let rule = rule("user != author", "1; like_count")
            .understand(KNOWN)
            .unwrap_or_else(|odd| panic!("{odd:?}"));
        let liked =
            |user: &str| rule.score(&json!({ "user": user, "author": "ada", "like_count": 7 }));
        let scored = Scored { owner: "ada".into(), values: vec![1, 7], by: Some("bea".into()) };
        assert_eq!(liked("bea"), Ok(Some(scored)));
        assert_eq!(liked("ada"), Ok(None), "not one's own");
        assert!(rule.score(&json!({ "user": "bea", "author": 7, "like_count": 1 })).is_err());
        assert!(
            rule.score(&json!({ "user": "bea", "author": "ada" }))
                .is_err_and(|said| said.contains("like_count"))
        );
    }

    #[test]
    fn what_is_not_understood_is_said_with_its_place() {
        let mut odd = rule("user != ", "1 +");
        odd.on = "nothing.v1".into();
        let faults = odd.understand(KNOWN).expect_err("three faults");
        let at: Vec<&str> = faults.iter().map(|fault| &*fault.pointer).collect();
        assert_eq!(at, ["/on", "/when", "/value"]);
        assert!(faults[1].detail.contains("at 9"), "{}", faults[1].detail);
    }
}
