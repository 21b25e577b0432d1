//! Facts as operators see them: what consumers put aside, and state that is told once more, on the command line and
//! over the API; and figures.

mod replay;

pub use self::replay::{Replay, ReplayPlace, Replayed};
use std::{sync::Arc, time::Duration};

use axum::extract::State;
use mainstay_contract::{id::FactId, ts::Ts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    auth::Caller,
    db::{Db, DbError, Position},
    error::{Code, Fault, Problem},
    events::{
        Log,
        consumer::Consumer,
        dead::{self, After, Again, By, DeadLetter},
        snapshot::Snapshot,
    },
    http::{Body, Cursors, Json, PageQuery, Query, Route, extract::Origin, route::Routes},
    jobs::Periodic,
    mount::Mount,
    params,
    telemetry::{Metrics, Unit},
};

/// Facts that one order has taken again.
const AGAIN_MAX: usize = 50;
/// How often the figures are looked at.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// Facts behind a consumer's position among which the first is looked for that it has not taken.
const AHEAD_MAX: i64 = 256;
const LIST: &str = "facts dead";

/// The consumers of all services and what they put aside. Cloning is cheap.
#[derive(Clone)]
pub struct Facts {
    services: Arc<[Taking]>,
    cursors: Cursors,
}

/// One service, as far as it takes facts and tells them again.
struct Taking {
    name: &'static str,
    db: Db,
    /// Each with the log whose facts it takes, if that service is there.
    consumers: Vec<(Consumer, Option<Log>)>,
    snapshots: Vec<Snapshot>,
}

/// Which facts are to be taken again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The consumer that put them aside: `service.consumer`.
    pub consumer: String,
    /// One fact; all if it is absent, 50 at a time.
    #[serde(default)]
    pub fact: Option<FactId>,
    /// `next` of the answer before, so that what fails again is not tried for ever.
    #[serde(default)]
    pub after: Option<RetryPlace>,
}

/// How far a retry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPlace {
    /// When the last fact was put aside.
    pub at: Ts,
    /// The last fact.
    pub fact: FactId,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// Facts that took effect.
    pub taken: u32,
    /// Facts that failed again, with their new errors.
    pub failed: Vec<RetryFailure>,
    /// Where to go on; absent when all were tried.
    pub next: Option<RetryPlace>,
}

/// A fact that failed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RetryFailure {
    /// The fact.
    pub fact: FactId,
    /// Why.
    pub error: String,
}

/// A page of what was put aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetters {
    /// By service, and oldest first; at most `limit`.
    pub items: Vec<DeadLetter>,
    /// Asks for the next page; absent at the end.
    pub next_cursor: Option<String>,
}

/// Why facts were not listed or tried.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// No service has a consumer of that name.
    #[error("find the consumer `{asked}`; there are {}", known.join(", "))]
    NoConsumer {
        /// What was asked for.
        asked: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// That consumer has not put that fact aside.
    #[error("find the fact `{0}` among those that this consumer put aside")]
    NoFact(FactId),
    /// No service of that name tells its state.
    #[error("find a service `{asked}` that tells its state; there are {}", known.join(", "))]
    NoState {
        /// What was asked for.
        asked: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A replay was to go on where none has stopped.
    #[error("go on at a place that is in no answer of this service")]
    NoPlace,
    /// A cursor of another list.
    #[error("read the cursor: {}", .0.detail)]
    Cursor(Box<Problem>),
    /// The records.
    #[error("use the records")]
    Db(#[source] DbError),
}

impl From<DbError> for FactsError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<FactsError> for Problem {
    fn from(error: FactsError) -> Self {
        match error {
            FactsError::NoConsumer { .. } => Self::invalid(vec![Fault::new(
                "/consumer",
                "unknown",
                error.to_string().replacen("find", "Cannot find", 1),
            )]),
            FactsError::NoState { .. } => Self::invalid(vec![Fault::new(
                "/service",
                "unknown",
                error.to_string().replacen("find", "Cannot find", 1),
            )]),
            FactsError::NoPlace => Self::invalid(vec![Fault::new(
                "/from",
                "unknown",
                "Send `next` of the answer before, or leave it out to begin anew.",
            )]),
            FactsError::NoFact(_) => {
                Self::new(Code::NotFound, "This consumer has not put that fact aside.")
            }
            FactsError::Cursor(problem) => *problem,
            FactsError::Db(error) => error.into(),
        }
    }
}

impl Facts {
    /// Of these services.
    pub(super) fn of(mounts: &[Mount], cursors: Cursors) -> Self {
        let services = mounts.iter().map(|mount| Taking {
            name: mount.name,
            db: mount.log.db().clone(),
            consumers: mount
                .consumers
                .iter()
                .map(|consumer| {
                    let source = mounts.iter().find(|source| source.name == consumer.source);
                    (consumer.clone(), source.map(|source| source.log.clone()))
                })
                .collect(),
            snapshots: mount.snapshots.clone(),
        });
        Self { services: services.collect(), cursors }
    }

    /// What was put aside: by service, and oldest first; at most `limit` from `cursor` on.
    ///
    /// # Errors
    /// `Cursor` if it is not of this list; `Db` with what the engine says.
    pub async fn dead(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeadLetters, FactsError> {
        let open = |cursor| self.cursors.open::<(usize, After)>(LIST, cursor);
        let from = cursor.map(open).transpose();
        let from = from.map_err(|problem| FactsError::Cursor(Box::new(problem)))?;
        let (first, mut after) = from.map_or((0, None), |(service, after)| (service, Some(after)));
        let mut items: Vec<DeadLetter> = Vec::new();
        for (at, service) in self.services.iter().enumerate().skip(first) {
            // One more than asked for tells whether there is a next page.
            let before = items.len();
            let more = dead::list(&service.db, None, after.take(), limit + 1 - before).await?;
            items.extend(more);
            if items.len() > limit {
                items.truncate(limit);
                // Without one of this service's, the page ended with the last letter of the service before.
                let of_this = items.get(before..).and_then(|these| these.last());
                let start = (Ts::from_micros(0), FactId::from_bits(0));
                let last = (at, of_this.map_or(start, |last| (last.at, last.fact)));
                let next_cursor = Some(self.cursors.seal(LIST, &last));
                return Ok(DeadLetters { items, next_cursor });
            }
        }
        Ok(DeadLetters { items, next_cursor: None })
    }

    /// Has a consumer take facts that it put aside, each in a transaction of its own; at most 50.
    ///
    /// # Errors
    /// `NoConsumer`; `NoFact` if one was named and is not there; `Db` if the engine did not get to it, and then those
    /// before it were tried.
    pub async fn retry(&self, retry: &Retry, by: &By) -> Result<Retried, FactsError> {
        let (db, consumer) = self.consumer(&retry.consumer)?;
        let (facts, next) = match retry.fact {
            Some(fact) => (vec![fact], None),
            None => {
                let after = retry.after.map(|place| (place.at, place.fact));
                let letters = dead::list(db, Some(consumer.name), after, AGAIN_MAX).await?;
                let last = letters.last().filter(|_| letters.len() == AGAIN_MAX);
                let next = last.map(|last| RetryPlace { at: last.at, fact: last.fact });
                (letters.iter().map(|letter| letter.fact).collect(), next)
            }
        };
        let mut retried = Retried { taken: 0, failed: Vec::new(), next };
        for fact in facts {
            match dead::take_again(db, consumer, fact, by.clone()).await? {
                Again::Taken => retried.taken += 1,
                Again::Failed(error) => retried.failed.push(RetryFailure { fact, error }),
                Again::Gone if retry.fact.is_some() => return Err(FactsError::NoFact(fact)),
                Again::Gone => {}
            }
        }
        Ok(retried)
    }

    fn consumer(&self, asked: &str) -> Result<(&Db, &Consumer), FactsError> {
        let all = || {
            self.services.iter().flat_map(|service| {
                let consumers = service.consumers.iter();
                consumers.map(move |(consumer, _)| (service, consumer))
            })
        };
        let name =
            |service: &Taking, consumer: &Consumer| format!("{}.{}", service.name, consumer.name);
        let found = all().find(|(service, consumer)| name(service, consumer) == asked);
        found.map(|(service, consumer)| (&service.db, consumer)).ok_or_else(|| {
            FactsError::NoConsumer {
                asked: asked.to_owned(),
                known: all().map(|(service, consumer)| name(service, consumer)).collect(),
            }
        })
    }

    /// The API's routes.
    pub(super) fn routes(&self) -> Vec<Route> {
        let api = Routes::api(self, "Facts");
        vec![
            api.get("/api/v1/facts/dead", list)
                .admins()
                .about("List facts that could not be taken")
                .details("By service, and oldest first. A consumer puts a fact aside after eight attempts and goes on.")
                .query::<PageQuery>()
                .answers::<DeadLetters>(200)
                .refuses(&[Code::MalformedCursor]),
            api.post("/api/v1/facts/retry", retry)
                .admins()
                .about("Have facts taken that were put aside")
                .details(
                    "Each takes effect once, however often this is asked, so an idempotency key is not needed. What fails \
                     again stays in the list with its new error.",
                )
                .timeout_ms(60_000)
                .takes::<Retry>(4 << 10)
                .answers::<Retried>(200)
                .refuses(&[Code::Invalid, Code::NotFound]),
            api.post("/api/v1/facts/replay", replay::replay)
                .admins()
                .about("Have a service tell its present state again")
                .details(
                    "Writes a fact for each of its records, some at a time: ask again with `next` until there is none. \
                     For consumers that are new, or have lost what they knew; who knows a record at its version \
                     already passes it over, so it may be repeated and needs no idempotency key.",
                )
                .unkeyed()
                .timeout_ms(60_000)
                .takes::<Replay>(4 << 10)
                .answers::<Replayed>(200),
        ]
    }

    /// Keeps the figures: how many facts each consumer put aside, and how long the oldest waits that it has not taken.
    pub(super) fn measuring(&self, metrics: &Metrics) -> Periodic {
        let scope = metrics.scope("facts");
        let labels = &["consumer"];
        let dead = scope.gauge_family("dead", "Facts put aside", Unit::None, labels);
        let lag_help = "Age of the oldest fact that is not taken yet";
        let lag = scope.gauge_family("lag", lag_help, Unit::Seconds, labels);
        let facts = self.clone();
        Periodic {
            name: "facts.measure",
            every: MEASURE_EVERY,
            run: Arc::new(move || {
                let (facts, dead, lag) = (facts.clone(), dead.clone(), lag.clone());
                Box::pin(async move {
                    for (name, measured) in facts.measure().await.map_err(|e| e.to_string())? {
                        dead.with(&[&name]).set(measured.dead);
                        lag.with(&[&name]).set(measured.lag_s);
                    }
                    Ok(())
                })
            }),
        }
    }

    async fn measure(&self) -> Result<Vec<(String, Measured)>, DbError> {
        let mut all = Vec::new();
        for service in self.services.iter().filter(|service| !service.consumers.is_empty()) {
            let counts = dead::count(&service.db).await?;
            for (consumer, source) in &service.consumers {
                let count = counts.iter().find(|(name, _)| name == consumer.name);
                let lag_s = match source {
                    Some(source) => lag_s(service, consumer, source).await?,
                    None => 0,
                };
                let measured = Measured { dead: count.map_or(0, |(_, count)| *count), lag_s };
                all.push((format!("{}.{}", service.name, consumer.name), measured));
            }
        }
        Ok(all)
    }
}

struct Measured {
    dead: i64,
    lag_s: i64,
}

/// How long the first fact waits that a consumer has not taken; 0 if none does.
async fn lag_s(service: &Taking, consumer: &Consumer, source: &Log) -> Result<i64, DbError> {
    let names = params![consumer.name, consumer.source];
    let mut tx = service.db.read().await?;
    let at: Option<(i64, i64)> = tx.optional(&service.db.outbox().position, names).await?;
    drop(tx);
    let position = at.map_or(Position::default(), |(xid, seq)| Position { xid, seq });
    let mut tx = source.db().read().await?;
    let mut facts = source.db().outbox().after(&mut tx, position, AHEAD_MAX).await?;
    drop(tx);
    facts.retain(|fact| consumer.facts.contains(&&*fact.name));
    // While an older transaction is open, facts are taken without the position's moving over them.
    let ids: Vec<FactId> = facts.iter().map(|fact| fact.id).collect();
    let among = params![consumer.name, ids];
    let taken: Vec<(FactId,)> =
        service.db.read().await?.all(&service.db.outbox().consumed_among, among).await?;
    let waiting = facts.iter().find(|fact| !taken.contains(&(fact.id,)));
    let now = service.db.clock().now();
    Ok(waiting.map_or(0, |fact| now.micros_since(fact.at).max(0) / 1_000_000))
}

async fn list(
    State(facts): State<Facts>,
    Query(page): Query<PageQuery>,
) -> Result<Json<DeadLetters>, Problem> {
    Ok(Json(facts.dead(page.limit()?, page.cursor.as_deref()).await?))
}

async fn retry(
    State(facts): State<Facts>,
    caller: Caller,
    Origin(origin): Origin,
    body: Body<Retry>,
) -> Result<Json<Retried>, Problem> {
    let by = By { actor: caller.user.to_string(), origin };
    Ok(Json(facts.retry(&body.value, &by).await?))
}
