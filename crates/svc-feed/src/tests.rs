//! The social half of Feed through its use cases, on both engines.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics on failure")]

mod moderation;
mod notifications;
mod over_http;
mod profiles;
mod ranking;
mod relations;
mod search;

use std::sync::Arc;

use mainstay_contract::{id::PostId, id::UserId, ts::Ts};
use mainstay_core::{
    auth::{self, Caller, Credential, NewUser, PasswordCost, Role, Secrets, SessionId},
    blobs::{Blobs, S3Settings},
    clock::Clock,
    db::{DbError, Emitted, Location, PgSettings, Position},
    http::IfMatch,
    live::LiveSettings,
    mount::{Core, CoreParts},
    telemetry::Metrics,
};
use mainstay_testkit::Postgres;

use crate::{
    config::Config,
    error::Error,
    events,
    service::{Feed, NewComment, NewPost, Tie},
    view::{CommentView, PostView, RelationView},
};

/// 2026-11-21, noon.
const NOON: Ts = Ts::from_micros(1_795_262_400_000_000);

/// Feed on one engine.
struct Town {
    core: Core,
    feed: Feed,
    clock: Clock,
    _folder: tempfile::TempDir,
}

/// An empty Feed on each engine.
async fn towns() -> Vec<Town> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Location::Sqlite { folder: folder.path().to_owned(), durable: false };
    let settings = PgSettings {
        url: Postgres::shared().create_database().await.unwrap(),
        connections_max: 8,
        statement_timeout_ms: 10_000,
    };
    let postgres = Location::Postgres(settings);
    vec![town(sqlite, folder).await, town(postgres, tempfile::tempdir().unwrap()).await]
}

async fn town(location: Location, folder: tempfile::TempDir) -> Town {
    let clock = Clock::manual(NOON);
    let password_cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    let url = format!("file://{}", folder.path().display());
    let core = Core::open(CoreParts {
        clock: clock.clone(),
        location,
        blobs: Blobs::open(&url, &S3Settings::default()).unwrap(),
        secrets: Secrets { master: [7; 32] },
        auth: auth::Settings { password_cost, ..auth::Settings::default() },
        live: LiveSettings::default(),
        metrics: Metrics::new(),
        redis: None,
    })
    .await
    .unwrap();
    let feed = Feed::open(&core, Config::default()).await.unwrap();
    Town { core, feed, clock, _folder: folder }
}

impl Town {
    /// Somebody with an account and a profile.
    async fn person(&self, handle: &str) -> Caller {
        self.with_role(handle, Role::User).await
    }

    async fn with_role(&self, handle: &str, role: Role) -> Caller {
        let email = format!("{handle}@example.org");
        let new = NewUser { handle: handle.into(), email, password: None, role };
        let user = self.core.auth.create_users(vec![new]).await.unwrap().remove(0).id;
        self.met(user, handle).await;
        let credential = Credential::Session(SessionId::from_bits(user.bits()));
        Caller { user, handle: handle.into(), role, credential }
    }

    async fn met(&self, user: UserId, handle: &str) {
        let handle: Arc<str> = handle.into();
        self.write(move |tx| {
            let handle = handle.clone();
            Box::pin(async move {
                let now = tx.now();
                crate::store::people::ensure(tx, user, &handle, now).await.map(drop)
            })
        })
        .await;
    }

    async fn write<F>(&self, work: F)
    where
        F: for<'t> Fn(
                &'t mut mainstay_core::db::Tx,
            ) -> mainstay_core::db::BoxFuture<'t, Result<(), DbError>>
            + Send
            + Sync
            + 'static,
    {
        self.feed.log().db().write(work).await.unwrap();
    }

    async fn facts(&self) -> Vec<Arc<Emitted>> {
        let db = self.feed.log().db();
        let mut tx = db.read().await.unwrap();
        let facts = db.outbox().after(&mut tx, Position::default(), 10_000).await.unwrap();
        facts.into_iter().map(Arc::new).collect()
    }

    /// Takes every fact since the beginning, again: what was taken before must change nothing.
    async fn take_facts(&self) {
        for fact in self.facts().await {
            self.write(move |tx| {
                let fact = fact.clone();
                Box::pin(async move { events::notify(tx, &[fact]).await })
            })
            .await;
        }
    }

    async fn post(&self, author: &Caller, caption: &str) -> PostView {
        let new = NewPost { caption: caption.into(), ..new_post() };
        self.feed.create_post(author, new, None).await.unwrap()
    }

    async fn comment(&self, author: &Caller, post: PostId, text: &str) -> CommentView {
        let new = NewComment { text: text.into(), reply_to: None };
        self.feed.comment(author, post, new, None).await.unwrap()
    }

    async fn tie(
        &self,
        caller: &Caller,
        target: &Caller,
        tie: Tie,
        on: bool,
    ) -> Result<RelationView, Error> {
        self.feed.set_tie(caller, target.user, tie, on, None).await
    }

    async fn make_private(&self, caller: &Caller) {
        let edit = crate::service::EditProfile { private: Some(true), ..Default::default() };
        self.feed.edit_profile(caller, edit, IfMatch::Any, None).await.unwrap();
    }

    async fn miscounted(&self) -> i64 {
        let mut tx = self.feed.log().db().read().await.unwrap();
        crate::store::relations::miscounted(&mut tx).await.unwrap()
    }
}

fn new_post() -> NewPost {
    serde_json::from_str("{}").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_understood() {
    for town in towns().await {
        let mut refused = Vec::new();
        for statement in crate::statements() {
            let prepared = town.feed.log().db().prepare(statement).await;
            refused.extend(prepared.err().map(|error| error.to_string()));
        }
        assert!(refused.is_empty(), "{refused:#?}");
    }
}
