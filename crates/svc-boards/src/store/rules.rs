//! Rules, and the facts that they could not score.

use mainstay_contract::{id::FactId, ts::Ts};
use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use crate::model::rule::RuleSettings;

statements! {
    /// Whoever changes rules waits here.
    LOCK = "lock table boards.rule in share row exclusive mode", sqlite "select 1";
    /// Sets a rule.
    SET = "insert into boards.rule (id, settings, created_at, updated_at, version) values ($1, $2, $3, $3, 1)
           on conflict (id) do update set settings = excluded.settings, updated_at = excluded.updated_at,
               version = boards.rule.version + 1",
        sqlite "insert into boards.rule (id, settings, created_at, updated_at, version) values ($1, $2, $3, $3, 1)
           on conflict (id) do update set settings = excluded.settings, updated_at = excluded.updated_at,
               version = version + 1";
    /// Forgets a rule.
    DELETE = "delete from boards.rule where id = $1";
    /// Forgets what a rule could not score.
    FORGET_ERRORS = "delete from boards.rule_error where rule_id = $1";
    /// A rule.
    ONE = "select id, settings, created_at, updated_at, version from boards.rule where id = $1";
    /// Every rule.
    ALL_RULES = "select id, settings, created_at, updated_at, version from boards.rule order by id limit 1000";
    /// How many rules there are.
    COUNT = "select count(*) from boards.rule";
    /// Notes what a rule could not score.
    ADD_ERROR = "insert into boards.rule_error (rule_id, fact_id, message, met_at) values ($1, $2, $3, $4)
                 on conflict (rule_id, fact_id) do update set message = excluded.message, met_at = excluded.met_at";
    /// Forgets all but the last hundred.
    TRIM_ERRORS = "delete from boards.rule_error where rule_id = $1 and met_at <
                   (select min(met_at) from (select met_at from boards.rule_error where rule_id = $1
                    order by met_at desc limit 100) as kept)";
    /// What a rule could not score, newest first.
    ERRORS = "select fact_id, message, met_at from boards.rule_error where rule_id = $1
              order by met_at desc, fact_id desc limit 100";
}

row! {
    /// A rule.
    #[derive(Debug, Clone)]
    pub(crate) struct RuleRow {
        pub(crate) id: String,
        pub(crate) settings: Json<RuleSettings>,
        pub(crate) created_at: Ts,
        pub(crate) updated_at: Ts,
        pub(crate) version: i64,
    }
}

row! {
    /// A fact that a rule could not score.
    #[derive(Debug, Clone)]
    pub(crate) struct RuleErrorRow {
        pub(crate) fact: FactId,
        pub(crate) message: String,
        pub(crate) met_at: Ts,
    }
}

/// Sets a rule.
pub(crate) async fn set(
    tx: &mut Tx,
    id: &str,
    settings: &RuleSettings,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&SET, params![id, Json(settings.clone()), now]).await
}

/// Forgets a rule; `true` if there was one.
pub(crate) async fn delete(tx: &mut Tx, id: &str) -> Result<bool, DbError> {
    tx.run(&FORGET_ERRORS, params![id]).await?;
    Ok(tx.execute(&DELETE, params![id]).await? == 1)
}

/// A rule.
pub(crate) async fn one(tx: &mut Tx, id: &str) -> Result<Option<RuleRow>, DbError> {
    tx.optional(&ONE, params![id]).await
}

/// Every rule, by name.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<RuleRow>, DbError> {
    tx.all(&ALL_RULES, &[]).await
}

/// How many rules there are.
pub(crate) async fn count(tx: &mut Tx) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&COUNT, &[]).await?;
    Ok(count)
}

/// Notes what a rule could not score, and keeps the last hundred.
pub(crate) async fn add_error(
    tx: &mut Tx,
    rule: &str,
    fact: FactId,
    message: &str,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&ADD_ERROR, params![rule, fact, message, now]).await?;
    tx.run(&TRIM_ERRORS, params![rule]).await
}

/// What a rule could not score, newest first.
pub(crate) async fn errors(tx: &mut Tx, rule: &str) -> Result<Vec<RuleErrorRow>, DbError> {
    tx.all(&ERRORS, params![rule]).await
}
