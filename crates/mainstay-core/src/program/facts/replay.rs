//! A service tells its present state once more, for consumers that are new or have lost what they knew.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Facts, FactsError};
use crate::{
    db::DbError,
    error::{Fault, Problem},
    events::snapshot::{Snapshot, Told},
    http::{Body, Json},
};

/// Records that one order has told, if it does not say how many: one transaction, which holds nobody up for long.
const RECORDS: u32 = 256;
/// Records that one order tells at most.
const RECORDS_MAX: u32 = 1_000;

/// Which service is to tell its state, and from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The service, such as `core`.
    pub service: String,
    /// `next` of the answer before; the first record if it is absent.
    #[serde(default)]
    pub from: Option<ReplayPlace>,
    /// Records that are told at most, in one transaction: 1 to 1,000; 256 if it is absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
}

/// How far a replay has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayPlace {
    /// The kind of record, such as `posts`.
    pub of: String,
    /// The last record that was told.
    pub after: String,
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// Facts that were written.
    pub told: u32,
    /// Where to go on; absent when everything was told.
    pub next: Option<ReplayPlace>,
}

impl Facts {
    /// Has a service tell the state of some of its records, in one transaction. To tell all of it, ask again with
    /// `next` until there is none. Whoever knows a record at that version or a newer one passes it over, so this may
    /// be broken off, repeated, and done while others write.
    ///
    /// # Errors
    /// `NoState` if no service of that name tells its state; `NoPlace` if `from` is of no answer of this service; `Db`
    /// with what the engine says, and then nothing was told.
    pub async fn replay(&self, replay: &Replay) -> Result<Replayed, FactsError> {
        let telling = || self.services.iter().filter(|service| !service.snapshots.is_empty());
        let service = telling().find(|service| service.name == replay.service);
        let service = service.ok_or_else(|| FactsError::NoState {
            asked: replay.service.clone(),
            known: telling().map(|service| service.name).collect(),
        })?;
        let limit = replay.limit.unwrap_or(RECORDS).clamp(1, RECORDS_MAX);
        let (kind, after) = place(&service.snapshots, replay.from.as_ref())?;
        let mut kinds = service.snapshots.iter().skip(kind);
        let Some(snapshot) = kinds.next() else { return Ok(Replayed { told: 0, next: None }) };
        let tell = Arc::clone(&snapshot.tell);
        let told = service.db.write::<_, DbError, _>(move |tx| tell(tx, after, limit.into()));
        let Told { count, last } = told.await?;
        let next = match count {
            some if some >= limit as usize => Some((snapshot.of, last)),
            _last => kinds.next().map(|next| (next.of, 0)),
        };
        let place = |(of, after): (&str, u128)| ReplayPlace {
            of: of.to_owned(),
            after: format!("{after:032x}"),
        };
        Ok(Replayed { told: u32::try_from(count).unwrap_or(u32::MAX), next: next.map(place) })
    }
}

/// Which kind of record comes next, and after which id.
fn place(snapshots: &[Snapshot], from: Option<&ReplayPlace>) -> Result<(usize, u128), FactsError> {
    let Some(from) = from else { return Ok((0, 0)) };
    let kind = snapshots.iter().position(|snapshot| snapshot.of == from.of);
    let after = u128::from_str_radix(&from.after, 16).ok();
    kind.zip(after).ok_or(FactsError::NoPlace)
}

pub(super) async fn replay(
    State(facts): State<Facts>,
    body: Body<Replay>,
) -> Result<Json<Replayed>, Problem> {
    let limit = body.value.limit;
    if limit.is_some_and(|limit| !(1..=RECORDS_MAX).contains(&limit)) {
        let detail = format!("Send 1 to {RECORDS_MAX}, or leave it out.");
        return Err(Problem::invalid(vec![Fault::new("/limit", "out_of_range", detail)]));
    }
    Ok(Json(facts.replay(&body.value).await?))
}
