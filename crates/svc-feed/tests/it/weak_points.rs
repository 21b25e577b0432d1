//! The weak points of the system that Feed replaces, one test each, named after what must not happen again.

use futures_util::future::join_all;
use mainstay_core::auth::Role;
use mainstay_testkit::program::{Engine, Program, id_of};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{both_engines, both_engines_held, feed, ids, page_path, post_of, true_counters, walk};

const EXPLORE: &str = "/api/v1/timelines/explore";
const LATEST: &str = "/api/v1/timelines/latest";
const ROCKET: &[u8] = include_bytes!("../data/rocket.jpg");

/// There a page was cut by time and then sorted by score, and its cursor came from the lowest score on it.
#[tokio::test]
async fn pages_are_cut_from_the_order_by_score_and_not_sorted_after_the_cut() {
    both_engines(async |house| {
        let authors = house.people("author", 6).await;
        let mut posts = Vec::new();
        for author in &authors {
            posts.push(post_of(author, "hello").await);
        }
        // The oldest has most likes, the newest none.
        for (place, post) in posts.iter().enumerate() {
            for fan in authors.iter().take(5 - place) {
                fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
            }
        }
        for limit in 1..=7 {
            assert_eq!(walk(&authors[0], EXPLORE, limit).await, posts, "by {limit}");
        }
    })
    .await;
}

/// There a cursor held whole seconds.
#[tokio::test]
async fn posts_of_the_same_microsecond_are_told_apart_by_cursors() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let mut posts = Vec::new();
        for n in 0..9 {
            posts.push(post_of(&ada, &format!("{n} #same")).await);
        }
        posts.sort();
        for list in [LATEST, EXPLORE, "/api/v1/hashtags/same/posts"] {
            for limit in [1, 2, 4, 9] {
                let mut found = walk(&ada, list, limit).await;
                found.sort();
                assert_eq!(found, posts, "{list} by {limit}");
            }
        }
    })
    .await;
}

/// There only the page of 5 was outdated, and the default page of 20 stayed as it was for five minutes.
#[tokio::test]
async fn the_default_page_does_not_stay_stale_after_a_like_a_comment_or_a_deletion() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "hello").await;
        for limit in [5, 20] {
            let read = async || {
                let page = bea.get(&page_path(EXPLORE, limit, None)).await.expect(200);
                let post = &page["items"][0];
                (post["like_count"].clone(), post["comment_count"].clone())
            };
            let path = format!("/api/v1/posts/{post}");
            assert_eq!(read().await, (json!(0), json!(0)));
            bea.put(&format!("{path}/like")).await.expect(200);
            let comment = json!({ "text": "hello" });
            let comment = bea.post(&format!("{path}/comments"), comment).await.expect(201);
            assert_eq!(read().await, (json!(1), json!(1)));
            bea.delete(&format!("{path}/like")).await.expect(200);
            bea.delete(&format!("/api/v1/comments/{}", id_of(&comment))).await.expect(204);
            assert_eq!(read().await, (json!(0), json!(0)));
        }
        ada.delete(&format!("/api/v1/posts/{post}")).await.expect(204);
        assert!(ids(&bea.get(EXPLORE).await.expect(200)).is_empty());
    })
    .await;
}

/// There a deleted post could be read from the cache until it expired.
#[tokio::test]
async fn a_deleted_post_does_not_stay_in_the_cache() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "hello").await;
        let path = format!("/api/v1/posts/{post}");
        for _ in 0..3 {
            ada.get(&path).await.expect(200);
            ada.get(EXPLORE).await.expect(200);
        }
        ada.delete(&path).await.expect(204);
        ada.get(&path).await.expect_problem(404, "not_found");
        house.stranger().get(&path).await.expect_problem(404, "not_found");
    })
    .await;
}

/// There the row and the counter were two statements without a transaction.
#[tokio::test]
async fn a_like_and_its_counter_do_not_drift_apart_when_people_toggle_at_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "hello").await;
        let path = format!("/api/v1/posts/{post}/like");
        let fans = house.people("fan", 16).await;
        let toggles = fans.iter().map(async |fan| {
            for _ in 0..3 {
                // Both at once, by one person: whichever comes last holds.
                let (like, unlike) = tokio::join!(fan.put(&path), fan.delete(&path));
                like.expect(200);
                unlike.expect(200);
            }
        });
        join_all(toggles).await;
        true_counters(house, &post).await;
    })
    .await;
}

/// There each like was published twice, to every client, whatever it looked at.
#[tokio::test]
async fn a_like_is_told_once_and_only_to_those_who_look_at_the_post() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let (seen, other) = (post_of(&ada, "seen").await, post_of(&ada, "other").await);
        let mut on_seen = bea.listen(&format!("post:{seen}")).await;
        let mut on_other = bea.listen(&format!("post:{other}")).await;
        let like = |post: &str| format!("/api/v1/posts/{post}/like");
        ada.put(&like(&seen)).await.expect(200);
        bea.put(&like(&seen)).await.expect(200);
        ada.put(&like(&other)).await.expect(200);
        let count = |message: &serde_json::Value| message["data"]["like_count"].clone();
        let mut told = Vec::new();
        while told.last() != Some(&json!(2)) {
            let message = on_seen.next().await;
            if !count(&message).is_null() {
                assert_eq!(message["topic"], format!("post:{seen}"), "{message}");
                told.push(count(&message));
            }
        }
        assert_eq!(told, [json!(1), json!(2)]);
        let first = loop {
            let message = on_other.next().await;
            if !count(&message).is_null() {
                break message;
            }
        };
        assert_eq!((&first["topic"], count(&first)), (&json!(format!("post:{other}")), json!(1)));
    })
    .await;
}

/// A server that answers every request with these bytes; returns its port and how often it was asked.
pub(crate) async fn server(
    answer: Vec<u8>,
) -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut head = [0; 2_048];
            // Whoever gives up on us is served as well as can be.
            if socket.read(&mut head).await.is_ok() && socket.write_all(&answer).await.is_ok() {
                drop(socket.shutdown().await);
            }
        }
    });
    (port, asked)
}

pub(crate) fn http(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn fetch(house: &Program, handle: &str, url: &str) -> mainstay_testkit::program::Answer {
    let person = house.person(handle).await;
    person.post("/api/v1/posts", json!({ "caption": "look", "media_url": url })).await
}

/// There `media_url` was fetched whatever it pointed to, without a bound.
#[tokio::test]
async fn media_url_reaches_no_private_address_by_no_way() {
    let (inside, asked) = server(http("200 OK", ROCKET)).await;
    let elsewhere = format!("302 Found\r\nlocation: http://127.0.0.1:{inside}/rocket.jpg");
    let (redirects, _) = server(http(&elsewhere, b"")).await;
    let (serves, _) = server(http("200 OK\r\ncontent-type: text/plain", ROCKET)).await;
    let (lies, _) = server(http("200 OK\r\ncontent-type: image/jpeg", b"<html>no")).await;
    let (fails, _) = server(http("404 Not Found", b"")).await;
    let allowed = [redirects, serves, lies, fails].map(|port| format!("\"127.0.0.1/32:{port}\""));
    let setup = feed().set("feed.fetch_allow", &format!("[{}]", allowed.join(",")));
    setup
        .on_both_engines(async |house| {
            let fetched = fetch(house, "ada", &format!("http://127.0.0.1:{serves}/a")).await;
            let post = fetched.expect(201);
            assert_eq!(post["media"][0]["content_type"], "image/jpeg");
            let files = house.blob_files();
            let refused = [
                format!("http://127.0.0.1:{inside}/rocket.jpg"),
                format!("http://localhost:{inside}/rocket.jpg"),
                format!("http://[::1]:{inside}/rocket.jpg"),
                format!("http://[::ffff:127.0.0.1]:{inside}/rocket.jpg"),
                format!("http://2130706433:{inside}/rocket.jpg"),
                format!("http://0x7f.1:{inside}/rocket.jpg"),
                format!("http://0.0.0.0:{inside}/rocket.jpg"),
                format!("http://127.0.0.1:{redirects}/rocket.jpg"),
                format!("http://127.0.0.1:{lies}/rocket.jpg"),
                format!("http://127.0.0.1:{fails}/rocket.jpg"),
                "http://169.254.169.254/latest/meta-data".to_owned(),
                "http://10.0.0.1/".to_owned(),
                "file:///etc/passwd".to_owned(),
                "ftp://127.0.0.1/x".to_owned(),
                "no url".to_owned(),
                String::new(),
            ];
            for (n, url) in refused.iter().enumerate() {
                let answer = fetch(house, &format!("eve{n}"), url).await;
                assert_eq!(answer.status, 422, "{url}: {answer:?}");
                let problem = answer.expect_problem(422, "invalid");
                assert_eq!(problem["errors"][0]["pointer"], "/media_url", "{url}");
            }
            assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0, "it was reached");
            assert_eq!(house.blob_files(), files, "a file was left behind");
            assert_eq!(walk(&house.stranger(), LATEST, 20).await, [id_of(&post)]);
        })
        .await;
}

/// There a fetch had no end.
#[tokio::test]
async fn media_url_takes_no_more_than_the_largest_file() {
    let (endless, _) = server(http("200 OK", &[ROCKET, &vec![0; 3 << 20]].concat())).await;
    let setup = feed()
        .set("feed.fetch_allow", &format!("[\"127.0.0.1/32:{endless}\"]"))
        .set("feed.image_bytes_max", "1048576")
        .set("feed.video_bytes_max", "1048576");
    setup
        .on_both_engines(async |house| {
            let answer = fetch(house, "ada", &format!("http://127.0.0.1:{endless}/a")).await;
            assert!([413, 422].contains(&answer.status), "{answer:?}");
            assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());
        })
        .await;
}

/// There the type came from the client.
#[tokio::test]
async fn what_a_file_is_comes_from_its_content_and_not_from_the_client() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let media = ada.upload("film.mp4", ROCKET).await.expect(201);
        assert_eq!(media["content_type"], "image/jpeg");
        let html = ada.upload("photo.jpg", b"<html><script>alert(1)</script>").await;
        html.expect_problem(422, "invalid");
        let served = ada.get(media["url"].as_str().unwrap()).await;
        assert_eq!(served.header("content-type"), "image/jpeg");
        assert_eq!(served.header("x-content-type-options"), "nosniff");
    })
    .await;
}

/// There validation never ran, and a taken name answered with the database's own words.
#[tokio::test]
async fn registering_checks_its_input_and_tells_nothing_of_the_database() {
    both_engines(async |house| {
        house.person("ada").await;
        let stranger = house.stranger();
        let register = |handle: &str, email: &str, password: &str| {
            let new = json!({ "handle": handle, "email": email, "password": password });
            stranger.post("/api/v1/auth/register", new)
        };
        let problem = register("x y", "no address", "short").await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 3, "{problem}");
        let taken = register("ADA", "other@example.org", "correct horse battery").await;
        let problem = taken.expect_problem(409, "taken").to_string().to_lowercase();
        for word in ["sql", "unique", "constraint", "duplicate", "account_by", "index"] {
            assert!(!problem.contains(word), "{problem}");
        }
    })
    .await;
}

/// There every origin was allowed.
#[tokio::test]
async fn another_site_is_not_allowed_to_read() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let answer = ada.get(LATEST).header("origin", "https://evil.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
        let preflight = house.stranger().request(http::Method::OPTIONS, "/api/v1/posts");
        let preflight = preflight
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST");
        assert_eq!(preflight.await.header("access-control-allow-origin"), "");
    })
    .await;
}

/// There nothing was limited.
#[tokio::test]
async fn a_caller_who_asks_too_often_is_told_when_to_come_back() {
    let setup = feed().set("limit.upload.per_min", "60").set("limit.upload.burst", "5").limited();
    setup
        .on_both_engines(async |house| {
            let (ada, bea) = (house.person("ada").await, house.person("bea").await);
            let mut refused = None;
            for n in 0..20 {
                let answer = ada.post("/api/v1/posts", json!({ "caption": format!("{n}") })).await;
                if answer.status == 429 {
                    refused = Some((n, answer));
                    break;
                }
                answer.expect(201);
            }
            let (n, answer) = refused.unwrap();
            assert!(n >= 5, "refused after {n}");
            let wait: u32 = answer.header("retry-after").parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            answer.expect_problem(429, "rate_limited");
            post_of(&bea, "another is not held up").await;
        })
        .await;
}

/// There the token travelled in the socket's address.
#[tokio::test]
async fn a_token_in_an_address_is_no_sign_in() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let stranger = house.stranger();
        for name in ["token", "access_token", "ticket"] {
            let path = format!("/api/v1/me?{name}={}", ada.token());
            stranger.get(&path).await.expect_problem(401, "unauthenticated");
            let path = format!("/api/v1/live/sse?topics=notifications&{name}={}", ada.token());
            let answer = stranger.get(&path).header("connection", "close").await;
            assert!([401, 403].contains(&answer.status), "{name}: {}", answer.status);
        }
    })
    .await;
}

/// There were no metrics, health said that the database was well without asking, and the end was a cut.
#[tokio::test]
async fn it_measures_itself_and_ends_without_cutting_anybody_off() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = feed().start(engine).await;
        let ada = house.person("ada").await;
        let post = post_of(&ada, "hello").await;
        ada.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
        let metrics = house.stranger().get("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        for name in ["http_requests", "http_request_duration_seconds", "cache_hits"] {
            assert!(text.contains(name), "{name} is not measured");
        }
        let health = house.stranger().get("/health").await.expect(200);
        assert!(health.to_string().contains("feed"), "{health}");
        let fans = house.people("fan", 8).await;
        let path = format!("/api/v1/posts/{post}/like");
        let likes = fans.iter().map(|fan| fan.put(&path).into_future());
        let (answers, ()) = tokio::join!(join_all(likes), async { tokio::task::yield_now().await });
        for answer in answers {
            answer.expect(200);
        }
        // It panics if a request had to be cut.
        house.end().await;
    }
}

/// There were no follows, profiles, search, notifications or moderation, and pictures had one size.
#[tokio::test]
async fn people_find_follow_and_notify_each_other_and_moderators_act() {
    both_engines(async |house| {
        let ada = house.person("ada_lovelace").await;
        let bea = house.person("bea").await;
        let judge = house.person_as(Role::Moderator, "judge").await;
        let profile = json!({ "display_name": "Ada, Countess", "bio": "engines" });
        ada.patch("/api/v1/profile", profile).await.expect(200);
        let found = bea.get("/api/v1/search?q=countess&kind=people").await.expect(200);
        assert_eq!(found["items"][0]["id"], ada.id);
        bea.put(&format!("/api/v1/users/{}/follow", ada.id)).await.expect(200);
        let shown = bea.get(&format!("/api/v1/users/{}", ada.id)).await.expect(200);
        assert_eq!((&shown["follower_count"], &shown["bio"]), (&json!(1), &json!("engines")));
        let media = ada.upload("rocket.jpg", ROCKET).await.expect(201);
        assert!(!media["variants"].as_array().unwrap().is_empty());
        let post = json!({ "media": [media["id"]], "caption": "up #sky" });
        let post = ada.post("/api/v1/posts", post).await.expect(201);
        assert_eq!(walk(&bea, "/api/v1/timelines/home", 20).await, [id_of(&post)]);
        bea.put(&format!("/api/v1/posts/{}/like", id_of(&post))).await.expect(200);
        mainstay_testkit::program::eventually("both are told", async || {
            let page = ada.get("/api/v1/notifications").await.expect(200);
            let kinds: Vec<_> =
                page["items"].as_array().unwrap().iter().map(|line| &line["kind"]).collect();
            kinds.contains(&&json!("like")) && kinds.contains(&&json!("follow"))
        })
        .await;
        let tags = bea.get("/api/v1/search?q=sk&kind=hashtags").await.expect(200);
        assert_eq!(tags["items"][0], json!({ "tag": "sky", "post_count": 1 }));
        let report = json!({ "target": post["id"], "reason": "too fast" });
        let answer = bea.post("/api/v1/reports", report).await;
        assert!([200, 201, 204].contains(&answer.status), "{answer:?}");
        let queue = judge.get("/api/v1/moderation/queue").await.expect(200);
        assert_eq!(queue["items"][0]["target"], post["id"]);
        bea.get("/api/v1/moderation/queue").await.expect_problem(403, "forbidden");
        crate::act(&judge, id_of(&post), "remove").await;
        assert!(walk(&bea, "/api/v1/timelines/home", 20).await.is_empty());
        let queue = judge.get("/api/v1/moderation/queue").await.expect(200);
        assert!(queue["items"].as_array().unwrap().is_empty());
    })
    .await;
}
