//! The audit logs of all services as one list, for administrators.

mod verify;

pub use self::verify::{AuditPlace, Verified, VerifyError};
use std::{collections::HashMap, sync::Arc, vec};

use axum::extract::State;
use mainstay_contract::{id::UserId, ts::Ts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    audit::{self, Record},
    auth::Auth,
    db::Db,
    error::{Code, Problem},
    http::{Cursors, Json, PageQuery, Query, Route, route::Routes},
    mount::Mount,
};

const LIST: &str = "audit";

/// The audit logs of all services. Cloning is cheap.
#[derive(Clone)]
pub struct AuditLogs {
    logs: Arc<[(&'static str, Db)]>,
    auth: Auth,
    cursors: Cursors,
}

/// An act as it stands in the log of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// The service in whose log it stands.
    pub log: String,
    /// Its number there, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Ts,
    /// Who acted: an id, `operator` or `system`; empty if that is not known.
    pub actor: String,
    /// The actor's present handle, if it is an account.
    pub actor_handle: Option<String>,
    /// What was done, such as `session.create`.
    pub action: String,
    /// What it was done to: an id, or empty.
    pub target: String,
    /// The target's present handle, if it is an account.
    pub target_handle: Option<String>,
    /// More about it.
    pub detail: Value,
    /// The network address where it came from, or empty.
    pub origin: String,
    /// SHA-256 over the entry before it and this one, in hexadecimal digits.
    pub hash: String,
}

/// A page of the audit logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// Newest first, at most `limit`.
    pub items: Vec<AuditEntry>,
    /// Asks for the next page; absent at the end.
    pub next_cursor: Option<String>,
}

/// The entries of one log that were read, and the number of the last one that was taken from them.
struct Reading {
    log: &'static str,
    entries: vec::IntoIter<Record>,
    before: i64,
}

impl AuditLogs {
    /// Of these services.
    pub(super) fn of(mounts: &[Mount], auth: Auth, cursors: Cursors) -> Self {
        let logs = mounts.iter().map(|mount| (mount.name, mount.log.db().clone()));
        Self { logs: logs.collect(), auth, cursors }
    }

    /// Who did what: the acts of all services, newest first; at most `limit` from `cursor` on.
    ///
    /// # Errors
    /// `MalformedCursor`; `Unavailable` if the records cannot be read.
    pub async fn list(&self, limit: usize, cursor: Option<&str>) -> Result<AuditPage, Problem> {
        let open = |cursor| self.cursors.open::<HashMap<String, i64>>(LIST, cursor);
        let from = cursor.map(open).transpose()?.unwrap_or_default();
        let mut readings = Vec::with_capacity(self.logs.len());
        for (log, db) in self.logs.iter() {
            let before = from.get(*log).copied().unwrap_or(i64::MAX);
            let mut tx = db.read().await?;
            // One more than asked for tells whether there is a next page.
            let count = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let entries = audit::list(&mut tx, before, count).await?.into_iter();
            readings.push(Reading { log, entries, before });
        }
        let mut taken = Vec::with_capacity(limit);
        while taken.len() < limit
            && let Some(next) = newest(&mut readings)
        {
            taken.push(next);
        }
        let more = readings.iter().any(|reading| !reading.entries.as_slice().is_empty());
        let place = || readings.iter().map(|reading| (reading.log, reading.before)).collect();
        let next_cursor = more.then(|| self.cursors.seal::<HashMap<&str, i64>>(LIST, &place()));
        Ok(AuditPage { items: self.named(taken).await?, next_cursor })
    }

    /// The entries with the names of people.
    async fn named(&self, taken: Vec<(&'static str, Record)>) -> Result<Vec<AuditEntry>, Problem> {
        let texts = taken.iter().flat_map(|(_, record)| [&record.actor, &record.target]);
        let mut people: Vec<UserId> = texts.filter_map(|text| text.parse().ok()).collect();
        people.sort_unstable();
        people.dedup();
        let handles = self.auth.handles(&people).await?;
        let handle =
            |text: &str| text.parse::<UserId>().ok().and_then(|id| handles.get(&id).cloned());
        let entries = taken.into_iter().map(|(log, record)| AuditEntry {
            log: log.to_owned(),
            seq: record.seq,
            at: record.at,
            actor_handle: handle(&record.actor),
            actor: record.actor,
            action: record.action,
            target_handle: handle(&record.target),
            target: record.target,
            detail: record.detail.0,
            origin: record.origin,
            hash: record.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        Ok(entries.collect())
    }

    /// The API's routes.
    pub(super) fn routes(&self) -> Vec<Route> {
        vec![
            Routes::api(self, "Audit")
                .get("/api/v1/audit", list)
                .admins()
                .about("List who did what")
                .details(
                    "The audit logs of all services, newest first. Each log is a chain: an entry's hash covers the \
                     entry before it in the same log, so that changing one breaks the chain from there on.",
                )
                .query::<PageQuery>()
                .answers::<AuditPage>(200)
                .refuses(&[Code::MalformedCursor]),
        ]
    }
}

/// The newest entry that is next in its log. Clocks step, so the order inside a log is that of its numbers.
fn newest(readings: &mut [Reading]) -> Option<(&'static str, Record)> {
    let reading = readings
        .iter_mut()
        .filter(|reading| !reading.entries.as_slice().is_empty())
        .max_by_key(|reading| reading.entries.as_slice().first().map(|record| record.at))?;
    let record = reading.entries.next()?;
    reading.before = record.seq;
    Some((reading.log, record))
}

async fn list(
    State(logs): State<AuditLogs>,
    Query(page): Query<PageQuery>,
) -> Result<Json<AuditPage>, Problem> {
    logs.list(page.limit()?, page.cursor.as_deref()).await.map(Json)
}
