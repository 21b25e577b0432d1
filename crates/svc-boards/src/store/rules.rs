//! Rules, since when they count, and what they could not be applied to.

use std::sync::Arc;

use mainstay_contract::{id::FactId, ts::Ts};
use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use crate::model::rule::RuleSettings;

statements! {
    /// Whoever makes rules waits here, so that there are not more than there may be.
    LOCK_RULES = "lock table boards.rule in share row exclusive mode", sqlite "select 1";
    /// A rule.
    RULE = "select id, settings, since, updated_at, version from boards.rule where id = $1";
    /// All rules; there are few.
    RULES = "select id, settings, since, updated_at, version from boards.rule order by id limit 1000";
    /// Rules about these facts.
    RULES_ON = "select id, settings, since, updated_at, version from boards.rule where fact = any($1) order by id",
        sqlite "select id, settings, since, updated_at, version from boards.rule
                where fact in (select value from json_each($1)) order by id";
    /// Adds a rule.
    ADD_RULE = "insert into boards.rule (id, fact, settings, since, updated_at, version) values ($1, $2, $3, $4, $4, 1)";
    /// Changes a rule.
    CHANGE_RULE = "update boards.rule set fact = $2, settings = $3, updated_at = $4, version = version + 1 where id = $1";
    /// Deletes a rule.
    DELETE_RULE = "delete from boards.rule where id = $1";
    /// Notes since when a rule of the configuration counts, unless that is known.
    DECLARE = "insert into boards.declared_rule (id, since) values ($1, $2) on conflict do nothing";
    /// Since when rules of the configuration count.
    DECLARED = "select since from boards.declared_rule where id = $1";
    /// Notes what a rule could not be applied to.
    ADD_ERROR = "insert into boards.rule_error (rule, fact_id, fact, message, at) values ($1, $2, $3, $4, $5)
                 on conflict (rule, fact_id) do update set message = excluded.message, at = excluded.at";
    /// Forgets all but the newest errors of a rule.
    TRIM_ERRORS = "delete from boards.rule_error where rule = $1 and fact_id not in
                   (select fact_id from boards.rule_error where rule = $1 order by at desc, fact_id desc limit $2)";
    /// The errors of a rule, newest first.
    ERRORS = "select fact_id, fact, message, at from boards.rule_error where rule = $1
              order by at desc, fact_id desc limit $2";
    /// Forgets the errors of a rule.
    ERASE_ERRORS = "delete from boards.rule_error where rule = $1";
}

row! {
    /// A rule.
    #[derive(Debug, Clone)]
    pub(crate) struct RuleRow {
        pub(crate) id: String,
        pub(crate) settings: Json<RuleSettings>,
        pub(crate) since: Ts,
        pub(crate) updated_at: Ts,
        pub(crate) version: i64,
    }
}

row! {
    /// A fact that a rule could not be applied to.
    #[derive(Debug, Clone)]
    pub(crate) struct RuleErrorRow {
        pub(crate) fact_id: FactId,
        pub(crate) fact: String,
        pub(crate) message: String,
        pub(crate) at: Ts,
    }
}

/// The rule of this name.
pub(crate) async fn rule(tx: &mut Tx, id: &str) -> Result<Option<RuleRow>, DbError> {
    tx.optional(&RULE, params![id]).await
}

/// All rules, by name.
pub(crate) async fn rules(tx: &mut Tx) -> Result<Vec<RuleRow>, DbError> {
    tx.all(&RULES, &[]).await
}

/// Rules about facts of these names, by name.
pub(crate) async fn rules_on(tx: &mut Tx, facts: Vec<String>) -> Result<Vec<RuleRow>, DbError> {
    tx.all(&RULES_ON, params![facts]).await
}

/// Adds a rule that counts from `now` on.
pub(crate) async fn add(
    tx: &mut Tx,
    id: &str,
    settings: &RuleSettings,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&ADD_RULE, params![id, settings.on, Json(settings.clone()), now]).await
}

/// Changes a rule.
pub(crate) async fn change(
    tx: &mut Tx,
    id: &str,
    settings: &RuleSettings,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&CHANGE_RULE, params![id, settings.on, Json(settings.clone()), now]).await
}

/// Deletes a rule with its errors; `true` if there was one.
pub(crate) async fn delete(tx: &mut Tx, id: &str) -> Result<bool, DbError> {
    tx.run(&ERASE_ERRORS, params![id]).await?;
    Ok(tx.execute(&DELETE_RULE, params![id]).await? == 1)
}

/// Since when a rule of the configuration counts: `now`, if it is new.
pub(crate) async fn declare(tx: &mut Tx, id: &str, now: Ts) -> Result<Ts, DbError> {
    tx.run(&DECLARE, params![id, now]).await?;
    let (since,): (Ts,) = tx.one(&DECLARED, params![id]).await?;
    Ok(since)
}

/// Notes that a rule could not be applied to a fact, and forgets all but the newest `kept` of its errors.
pub(crate) async fn add_errors(
    tx: &mut Tx,
    rule: &str,
    errors: &[(FactId, Arc<str>, String)],
    (now, kept): (Ts, i64),
) -> Result<(), DbError> {
    for (id, fact, message) in errors {
        tx.run(&ADD_ERROR, params![rule, *id, **fact, message, now]).await?;
    }
    tx.run(&TRIM_ERRORS, params![rule, kept]).await
}

/// The errors of a rule, newest first, at most `limit`.
pub(crate) async fn errors(
    tx: &mut Tx,
    rule: &str,
    limit: i64,
) -> Result<Vec<RuleErrorRow>, DbError> {
    tx.all(&ERRORS, params![rule, limit]).await
}
