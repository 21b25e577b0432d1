//! Dead letters: facts that a consumer could not take, which an operator sees and has it take after all.
//!
//! The letter goes in the transaction of the fact's effect, so the effect is there once however often and by how many
//! it is tried; a fact that fails again stays, with its new error.

use std::sync::Arc;

use mainstay_contract::{id::FactId, ts::Ts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::consumer::Consumer;
use crate::{
    audit::{self, Entry},
    db::{Db, DbError, Emitted, Position},
    params, row,
};

row! {
    /// A row of the table.
    struct LetterRow {
        consumer: String,
        fact: FactId,
        source: String,
        name: String,
        payload: String,
        error: String,
        attempts: i64,
        at: Ts,
    }
}

/// A fact that was put aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Who could not take it: `service.consumer`.
    pub consumer: String,
    /// The fact.
    pub fact: FactId,
    /// The service that told it.
    pub source: String,
    /// What it says happened, such as `feed.post_liked.v1`.
    pub name: String,
    /// What it says, as it was written.
    pub payload: Value,
    /// Why it could not be taken, the last time.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was put aside.
    pub at: Ts,
}

/// Who has a fact taken after all.
#[derive(Debug, Clone)]
pub struct By {
    /// An id, or `operator`.
    pub actor: String,
    /// A network address, or empty.
    pub origin: String,
}

/// What became of another attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// It took effect, and the letter is gone.
    Taken,
    /// It failed again, for this reason, and stays.
    Failed(String),
    /// There is no such letter; somebody else had it taken.
    Gone,
}

/// A place in the order of letters: when it was put aside, and which fact.
pub type After = (Ts, FactId);

/// What the records of the service `service` have aside: of one consumer or of all, oldest first, at most `limit`.
///
/// # Errors
/// What the engine says.
pub async fn list(
    db: &Db,
    consumer: Option<&str>,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<DeadLetter>, DbError> {
    let (at, fact) = after.unwrap_or((Ts::from_micros(0), FactId::from_bits(0)));
    let limit = limit as i64;
    let values = params![consumer, at, fact, limit];
    let rows: Vec<LetterRow> = db.read().await?.all(&db.outbox().dead, values).await?;
    let letters = rows.into_iter().map(|row| DeadLetter {
        consumer: format!("{}.{}", db.schema(), row.consumer),
        fact: row.fact,
        source: row.source,
        name: row.name,
        // What is no JSON is shown as it is.
        payload: serde_json::from_str(&row.payload).unwrap_or(Value::String(row.payload)),
        error: row.error,
        attempts: row.attempts,
        at: row.at,
    });
    Ok(letters.collect())
}

/// How many each consumer of these records has aside; those that have none are left out.
///
/// # Errors
/// What the engine says.
pub async fn count(db: &Db) -> Result<Vec<(String, i64)>, DbError> {
    db.read().await?.all(&db.outbox().dead_count, &[]).await
}

/// Has `consumer` take a fact that it put aside. Whoever asked is written to the audit log.
///
/// # Errors
/// `Unavailable` or `Conflict` if the engine did not get to it: nothing changed then.
pub async fn take_again(
    db: &Db,
    consumer: &Consumer,
    fact: FactId,
    by: By,
) -> Result<Again, DbError> {
    let taken = take(db, consumer.clone(), fact, by).await;
    let error = match taken {
        Ok(again) => return Ok(again),
        Err(error @ (DbError::Unavailable(_) | DbError::Conflict(_))) => return Err(error),
        Err(error) => error.to_string(),
    };
    tracing::warn!(consumer = consumer.name, %fact, error, "a fact that was put aside failed again");
    let (name, said) = (consumer.name, error.clone());
    let noted: Result<u64, DbError> = db
        .write(move |tx| {
            let said = said.clone();
            Box::pin(async move {
                let outbox = tx.outbox();
                tx.execute(&outbox.fail_again, params![name, fact, said]).await
            })
        })
        .await;
    Ok(if noted? == 0 { Again::Gone } else { Again::Failed(error) })
}

async fn take(db: &Db, consumer: Consumer, fact: FactId, by: By) -> Result<Again, DbError> {
    let (consumer, by) = (Arc::new(consumer), Arc::new(by));
    db.write(move |tx| {
        let (consumer, by) = (consumer.clone(), by.clone());
        Box::pin(async move {
            let outbox = tx.outbox();
            let key = params![consumer.name, fact];
            let Some(row) = tx.optional::<LetterRow>(&outbox.dead_one, key).await? else {
                return Ok(Again::Gone);
            };
            tx.run(&outbox.unbury, key).await?;
            let emitted = Emitted {
                // Where it stood is not kept; it may be gone from the log, and what it outdates is outdated.
                position: Position::default(),
                id: row.fact,
                name: row.name.into(),
                payload: row.payload,
                tags: [].into(),
                at: row.at,
            };
            (consumer.take)(tx, Arc::new([Arc::new(emitted)])).await?;
            let entry = Entry {
                actor: by.actor.clone(),
                action: "fact.take",
                target: fact.to_string(),
                detail: serde_json::json!({ "consumer": consumer.name }),
                origin: by.origin.clone(),
            };
            audit::append(tx, &entry).await?;
            Ok(Again::Taken)
        })
    })
    .await
}
