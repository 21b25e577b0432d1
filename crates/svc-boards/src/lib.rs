//! Boards: leaderboards and competitions that are live, exact and fast.
//!
//! Reading order: [`engine`] (who ranks where), [`model`] (rules as values), `service` (use cases, each one
//! transaction), `store` (statements), `api` (routes), `events` (facts), [`config`].
//!
//! # Invariants
//! - Entries follow from submissions, bans and settings: a rebuild makes the same again, and after any restart a board
//!   in memory equals its records.
//! - A checkpoint is a shorter way to what the records say; one that cannot be used is left aside.
//! - A record is applied to memory only if its number is newer, so the order in which facts arrive does not matter; the
//!   same holds for Redis, where rankings are held there.
//! - Every transfer of the ledger sums to zero.
//!
//! # Limits
//! 5 columns of 64 bits, owners of 128 bytes, 10,000 scores in a request, 1,000 entries a page, 100 rules; 10,000
//! friends of one, 10 tiers, 1,000 owners in a cohort.

pub mod config;
pub mod demo;
pub mod engine;
pub mod model;
pub mod pages;

mod api;
mod error;
mod events;
mod metrics;
mod orders;
mod page;
mod service;
mod store;
mod web;

use std::{sync::Arc, time::Duration};

use mainstay_core::{
    config::Section,
    db::{BoxFuture, Sql, migrate::Migration},
    jobs::{Job, Periodic},
    migrations,
    mount::{Core, Mount, MountError, Service},
};

pub use self::{config::Config, service::Boards};

static MIGRATIONS: &[Migration] = migrations![
    1 "boards" "../migrations/0001_boards.sql",
    2 "activity" "../migrations/0002_activity.sql",
    3 "ledger" "../migrations/0003_ledger.sql",
    4 "competitions" "../migrations/0004_competitions.sql",
    5 "rules" "../migrations/0005_rules.sql",
    6 "friends" "../migrations/0006_friends.sql",
    7 "tiers" "../migrations/0007_tiers.sql",
    8 "checkpoints" "../migrations/0008_checkpoints.sql",
    9 "shown_settings" "../migrations/0009_shown_settings.sql",
    10 "evidence" "../migrations/0010_evidence.sql",
];

/// The longest that a job may take; each goes on from where it was cut short.
const JOB_DEADLINE: Duration = Duration::from_secs(300);

/// Boards, for the program.
pub const SERVICE: Service = Service {
    section: || Section::of::<Config>("boards"),
    mount: |core, config| {
        Box::pin(async move { Ok(mount(core, config.section("boards")?).await?.1) })
    },
};

/// Opens the records of Boards and returns what the program runs.
///
/// # Errors
/// If the records cannot be opened.
pub async fn mount(core: &Core, config: Config) -> Result<(Boards, Mount), MountError> {
    let boards = Boards::open(core, config).await?;
    metrics::count(boards.log(), &core.metrics);
    let mut routes = api::routes(&boards);
    routes.extend(web::routes(core, &boards));
    let mount = Mount {
        name: "boards",
        log: boards.log().clone(),
        routes,
        consumers: events::consumers(&boards),
        snapshots: Vec::new(),
        orders: orders::orders(&boards),
        jobs: jobs(&boards),
        periodic: periodic(&boards),
        demo: vec![demo::climb(&boards)],
        statements: statements(),
    };
    Ok((boards, mount))
}

/// What Boards does again and again; each is harmless when two instances do it at once.
fn periodic(boards: &Boards) -> Vec<Periodic> {
    let task = |name, every_s, run: fn(Boards) -> BoxFuture<'static, Result<(), error::Error>>| {
        let boards = boards.clone();
        let run = move || -> BoxFuture<'static, Result<(), String>> {
            let work = run(boards.clone());
            Box::pin(async move { work.await.map_err(|error| error.to_string()) })
        };
        Periodic { name, every: Duration::from_secs(every_s), run: Arc::new(run) }
    };
    vec![
        task("boards.close_periods", 1, |boards| {
            Box::pin(async move { boards.close_periods().await })
        }),
        task("boards.settle_competitions", 2, |boards| {
            Box::pin(async move { boards.settle_competitions().await })
        }),
        task("boards.move_money", 2, |boards| Box::pin(async move { boards.move_money().await })),
        Periodic {
            name: "boards.tell",
            every: service::TELL_EVERY,
            run: {
                let boards = boards.clone();
                Arc::new(move || {
                    let boards = boards.clone();
                    Box::pin(async move { boards.tell().await.map_err(|error| error.to_string()) })
                })
            },
        },
        Periodic {
            name: "boards.tend_rankings",
            every: service::TELL_EVERY,
            run: {
                let boards = boards.clone();
                Arc::new(move || {
                    let boards = boards.clone();
                    Box::pin(async move {
                        boards.tend_rankings().await.map_err(|error| error.to_string())
                    })
                })
            },
        },
        task("boards.recount_activity", 10, |boards| {
            Box::pin(async move { boards.recount_activity().await })
        }),
        task("boards.keep_checkpoints", 30, |boards| {
            Box::pin(async move { boards.keep_checkpoints().await })
        }),
        task("boards.erase_checkpoints", 600, |boards| {
            Box::pin(async move { boards.erase_checkpoints().await })
        }),
        task("boards.retain", 60, |boards| Box::pin(async move { boards.retain().await })),
        task("boards.forget_idle", 30, |boards| {
            Box::pin(async move { boards.forget_idle().await })
        }),
    ]
}

/// What Boards promises and does afterwards; the key of each is a board's number.
fn jobs(boards: &Boards) -> Vec<Job> {
    type Work = fn(Boards, i64) -> BoxFuture<'static, Result<(), error::Error>>;
    let job = |name, run: Work| {
        let boards = boards.clone();
        let run = move |key: String, _payload| -> BoxFuture<'static, Result<(), String>> {
            let boards = boards.clone();
            Box::pin(async move {
                let no = key.parse().map_err(|_odd| format!("`{key}` is no board's number"))?;
                run(boards, no).await.map_err(|error| error.to_string())
            })
        };
        Job { name, deadline: JOB_DEADLINE, run: Arc::new(run) }
    };
    vec![
        job(service::scores::BUILD_JOB, |boards, no| {
            Box::pin(async move { boards.build(no).await })
        }),
        job(service::scores::ERASE_JOB, |boards, no| {
            Box::pin(async move { boards.erase_editions(no).await })
        }),
        job(service::CHECKPOINT_JOB, |boards, no| {
            Box::pin(async move { boards.make_checkpoint(no).await })
        }),
        job(service::FILL_JOB, |boards, no| Box::pin(async move { boards.fill_closed(no).await })),
        job(service::retention::PERIODS_JOB, |boards, no| {
            Box::pin(async move { boards.erase_periods(no).await })
        }),
        job(service::retention::BOARD_JOB, |boards, no| {
            Box::pin(async move { boards.erase_board(no).await })
        }),
        job(service::tiers::SETTLE_JOB, |boards, no| {
            Box::pin(async move { boards.settle_seasons(no).await })
        }),
    ]
}

fn statements() -> Vec<&'static Sql> {
    store::ALL.iter().flat_map(|module| module.iter().copied()).collect()
}
