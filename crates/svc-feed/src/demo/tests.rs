//! The bulk path keeps the same books as the use cases.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::sync::Mutex;

use mainstay_core::{
    auth::{self, PasswordCost, Secrets},
    blobs::{Blobs, S3Settings},
    clock::Clock,
    db::{Location, PgSettings, Sql},
    live::LiveSettings,
    mount::CoreParts,
    params, statements,
    telemetry::Metrics,
};
use mainstay_testkit::Postgres;

use super::*;

/// 2026-11-21, noon.
const NOON: Ts = Ts::from_micros(1_795_262_400_000_000);
const PASSWORD: &str = "correct horse battery";

statements! {
    WRONG_LIKES = "select count(*) from feed.post_stat s
        where like_count <> (select count(*) from feed.post_like l where l.post_id = s.post_id)";
    WRONG_COMMENTS = "select count(*) from feed.post_stat s where comment_count <>
        (select count(*) from feed.comment c where c.post_id = s.post_id and c.state = 0)";
    WRONG_COMMENT_LIKES = "select count(*) from feed.comment c where like_count <>
        (select count(*) from feed.comment_like l where l.comment_id = c.id)";
    WRONG_ANSWERS = "select count(*) from feed.comment c where reply_count <>
        (select count(*) from feed.comment a where a.reply_to = c.id and a.state = 0)";
    WRONG_POSTS = "select count(*) from feed.profile p where post_count <>
        (select count(*) from feed.post o where o.author_id = p.user_id and o.state = 2)";
    WRONG_FOLLOWERS = "select count(*) from feed.profile p where follower_count <>
        (select count(*) from feed.follow f where f.followee_id = p.user_id and f.state = 0)";
    WRONG_FOLLOWING = "select count(*) from feed.profile p where following_count <>
        (select count(*) from feed.follow f where f.follower_id = p.user_id and f.state = 0)";
    WRONG_TAGS = "select count(*) from feed.hashtag h where post_count <>
        (select count(*) from feed.post_tag t join feed.post p on p.id = t.post_id
         join feed.profile a on a.user_id = p.author_id
         where t.tag = h.tag and p.visibility = 0 and not a.private and not a.suspended)";
    WRONG_PLACES = "select count(*) from feed.post_stat s join feed.post p on p.id = s.post_id
        where (p.state = 2 and p.visibility = 0) <> (s.rank_key is not null)
           or p.state = 2 and s.published_at <> p.published_at";
    WRONG_TIMES = "select count(*) from feed.post where state = 2 and published_at > $1";
    LOOSE_MEDIA = "select count(*) from feed.media m where post_id is null and not is_avatar
        or not exists (select 1 from feed.media_file f where f.media_id = m.id)";
    PUBLISHED = "select count(*) from feed.post where state = 2";
    PEOPLE = "select count(*) from feed.profile";
    REQUESTS = "select count(*) from feed.follow where state = 1";
    REPORTS = "select count(*) from feed.report where resolved_at is null";
    DECISIONS = "select count(*) from feed.decision";
    UNREAD = "select count(*) from feed.notification n join feed.profile p on p.user_id = n.user_id
        join feed.notification_read r on r.user_id = n.user_id
        where p.handle = 'demo' and n.updated_at > r.updated_at";
    READ = "select count(*) from feed.notification n join feed.profile p on p.user_id = n.user_id
        join feed.notification_read r on r.user_id = n.user_id
        where p.handle = 'demo' and n.updated_at <= r.updated_at";
}

struct Filled {
    core: Core,
    feed: Feed,
    _folder: tempfile::TempDir,
}

impl Filled {
    async fn new(location: Location, folder: tempfile::TempDir, size: Size) -> Self {
        let blobs = folder.path().join("blobs").display().to_string();
        let cheap = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };
        let parts = CoreParts {
            clock: Clock::manual(begins(NOON)),
            location,
            blobs: Blobs::open(&blobs, &S3Settings::default()).unwrap(),
            secrets: Secrets { master: [7; 32] },
            auth: auth::Settings { password_cost: cheap, ..auth::Settings::default() },
            live: LiveSettings::default(),
            metrics: Metrics::new(),
            redis: None,
        };
        let core = Core::open(parts).await.unwrap();
        let (feed, mount) = crate::mount(&core, crate::Config::default()).await.unwrap();
        let steps = Mutex::new(Vec::new());
        let progress = |at: Progress| steps.lock().unwrap().push((at.step, at.done, at.total));
        fill(&core, &feed, &mount, size, PASSWORD, &progress).await.unwrap();
        // Each step was seen to its end.
        let steps = steps.into_inner().unwrap();
        for (step, ..) in &steps {
            let last = steps.iter().rfind(|(name, ..)| name == step).unwrap();
            assert_eq!(last.1, last.2, "{step}");
        }
        Self { core, feed, _folder: folder }
    }

    async fn number(&self, statement: &'static Sql) -> i64 {
        let mut tx = self.feed.log().db().read().await.unwrap();
        let (number,): (i64,) = tx.one(statement, &[]).await.unwrap();
        number
    }

    async fn is_consistent(&self, size: Size) {
        let wrong: [&'static Sql; 10] = [
            &WRONG_LIKES,
            &WRONG_COMMENTS,
            &WRONG_COMMENT_LIKES,
            &WRONG_ANSWERS,
            &WRONG_POSTS,
            &WRONG_FOLLOWERS,
            &WRONG_FOLLOWING,
            &WRONG_TAGS,
            &WRONG_PLACES,
            &LOOSE_MEDIA,
        ];
        for statement in wrong {
            assert_eq!(self.number(statement).await, 0, "{}", statement.text());
        }
        assert_eq!(self.number(&PUBLISHED).await, i64::from(size.posts));
        assert_eq!(self.number(&PEOPLE).await, i64::from(size.people) + STAFF as i64);
        let mut tx = self.feed.log().db().read().await.unwrap();
        let (late,): (i64,) = tx.one(&WRONG_TIMES, params![NOON]).await.unwrap();
        assert_eq!((late, self.core.clock.now()), (0, NOON));
    }
}

fn sqlite() -> (Location, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Location::Sqlite { folder: folder.path().to_owned(), durable: false }, folder)
}

#[tokio::test]
async fn every_counter_equals_its_rows_however_much_there_is() {
    for size in [Size { people: 200, posts: 2_000 }, Size { people: 2, posts: 200 }] {
        let (location, folder) = sqlite();
        let filled = Filled::new(location, folder, size).await;
        filled.is_consistent(size).await;
        // The one who looks around finds something new and something old; the moderator finds something to decide and
        // something decided.
        if size.people > 40 {
            for some in [&UNREAD, &READ, &REQUESTS, &REPORTS] {
                assert!(filled.number(some).await > 2, "{}", some.text());
            }
            assert_eq!(filled.number(&DECISIONS).await, 2);
        }
    }
}

#[tokio::test]
async fn the_demo_can_be_filled_on_postgres_too() {
    let settings = PgSettings {
        url: Postgres::shared().create_database().await.unwrap(),
        connections_max: 8,
        statement_timeout_ms: 10_000,
    };
    let size = Size { people: 50, posts: 200 };
    let folder = tempfile::tempdir().unwrap();
    let filled = Filled::new(Location::Postgres(settings), folder, size).await;
    filled.is_consistent(size).await;
}

#[tokio::test]
async fn only_the_sign_ins_have_a_password() {
    let (location, folder) = sqlite();
    let size = Size { people: 4, posts: 3 };
    let filled = Filled::new(location, folder, size).await;
    let origin = mainstay_core::auth::Origin::default();
    for (handle, role) in SIGN_INS {
        let signed_in = filled.core.auth.login(handle, PASSWORD, &origin).await.unwrap();
        assert_eq!(signed_in.user.role, role);
    }
    assert!(filled.core.auth.login("indigo", PASSWORD, &origin).await.is_err());
}
