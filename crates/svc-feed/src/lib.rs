//! Feed: posts with pictures and film, follows, timelines, likes, comments, views, notifications, moderation.
//!
//! Reading order: [`view`] (what it shows), [`model`] (how it decides), `service` (use cases, each one transaction),
//! `store` (statements), `api` (routes), [`pages`] (markup), `web` (the pages' routes), [`config`].
//!
//! # Invariants
//! - A counter changes in the transaction of the row it counts, so it equals its rows, and no `check` lets it go
//!   below 0.
//! - Caches and memory only propose. Whether somebody sees a post is decided by [`model::Sight`] from the records, or
//!   from a cached reading of them that no applied fact has outdated.
//! - The hash of a file never leaves the store; a client knows uploads by their own id.
//!
//! # Limits
//! Captions and comments 2,200 characters, 10 media a post, 10,000 follows a person, 100 items a page.

pub mod config;
pub mod demo;
pub mod media;
pub mod model;
pub mod pages;
pub mod view;

mod api;
mod error;
mod events;
mod metrics;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod web;

use std::{sync::Arc, time::Duration};

use mainstay_core::{
    config::Section,
    db::{BoxFuture, Sql},
    jobs::Periodic,
    mount::{Core, Mount, MountError, Service},
};

pub use self::{config::Config, service::Feed};

/// Feed's tables.
static MIGRATIONS: &[mainstay_core::db::migrate::Migration] = mainstay_core::migrations![
    1 "feed" "../migrations/0001_feed.sql",
    2 "ranking" "../migrations/0002_ranking.sql",
    3 "decision" "../migrations/0003_decision.sql",
    4 "follow_version" "../migrations/0004_follow_version.sql",
];

/// Feed, for the program.
pub const SERVICE: Service = Service {
    section: || Section::of::<Config>("feed"),
    mount: |core, config| {
        Box::pin(async move { Ok(mount(core, config.section("feed")?).await?.1) })
    },
};

/// Opens Feed's records and returns what the program runs.
///
/// # Errors
/// If the records or the media store cannot be opened, or the configuration is not valid.
pub async fn mount(core: &Core, config: Config) -> Result<(Feed, Mount), MountError> {
    let feed = Feed::open(core, config).await?;
    metrics::count(feed.log(), &core.metrics);
    let mut routes = api::routes(&feed);
    routes.extend(web::routes(core, &feed));
    let mount = Mount {
        name: "feed",
        log: feed.log().clone(),
        routes,
        consumers: events::consumers(&feed),
        snapshots: events::snapshots(),
        orders: Vec::new(),
        jobs: Vec::new(),
        periodic: periodic(&feed),
        demo: Vec::new(),
        statements: statements(),
    };
    Ok((feed, mount))
}

/// What Feed does again and again; each is harmless when two instances do it at once.
fn periodic(feed: &Feed) -> Vec<Periodic> {
    let task = |name, every_s, run: fn(Feed) -> BoxFuture<'static, Result<(), error::Error>>| {
        let feed = feed.clone();
        let run = move || -> BoxFuture<'static, Result<(), String>> {
            let work = run(feed.clone());
            Box::pin(async move { work.await.map_err(|error| error.to_string()) })
        };
        Periodic { name, every: Duration::from_secs(every_s), run: Arc::new(run) }
    };
    vec![
        task("feed.publish_due", 1, |feed| {
            Box::pin(async move { feed.publish_due().await.map(drop) })
        }),
        task("feed.sweep_views", 60, |feed| {
            Box::pin(async move { feed.sweep_views().await.map(drop) })
        }),
        task("feed.sweep_media", 30, |feed| Box::pin(async move { feed.sweep_media().await })),
        task("feed.trim_notifications", 3_600, |feed| {
            Box::pin(async move { feed.trim_notifications().await })
        }),
        task("feed.rank_again", 5, |feed| Box::pin(async move { feed.rank_again().await })),
        task("feed.purge", 600, |feed| Box::pin(async move { feed.purge().await })),
        task("feed.forget_moves", 60, |feed| Box::pin(async move { feed.forget_moves().await })),
    ]
}

fn statements() -> Vec<&'static Sql> {
    store::ALL.iter().flat_map(|module| module.iter().copied()).collect()
}
