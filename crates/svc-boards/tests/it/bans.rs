//! Bans: what they take from a board, at once, and what comes back when they are lifted.

use std::sync::Arc;

use futures_util::future::join_all;
use mainstay_core::{
    auth::Role,
    db::{DbError, Sql},
};
use mainstay_testkit::program::{Client, Engine, Program, eventually};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    admin, both_engines, both_engines_held, make_board, ranks,
    rules::{all_taken, comes_to, like_rule, liked, put_rule, score, tell, user, with_feed},
    submit,
};

const ENTRIES: &str = "/api/v1/boards/b/entries";

fn on_board(owner: &str) -> String {
    format!("/api/v1/boards/b/bans/{owner}")
}

fn everywhere(owner: &str) -> String {
    format!("/api/v1/board-bans/{owner}")
}

async fn ban(keeper: &Client, path: &str) -> Value {
    keeper.put(path).json(&json!({ "reason": "cheats" })).await.expect(200)
}

async fn owners(reader: &Client, path: &str) -> Vec<String> {
    ranks(&reader.get(path).await.expect(200)).into_iter().map(|(owner, _)| owner).collect()
}

/// The entries of the board as they are, and as they are when they are made anew.
async fn shown_and_rebuilt(keeper: &Client) -> (Value, Value) {
    let page = async || {
        let page = keeper.get(&format!("{ENTRIES}?limit=1000")).await.expect(200);
        (page["items"].clone(), page["count"].clone())
    };
    let shown = page().await;
    for ties in ["shared", "earliest"] {
        make_board(keeper, "b", json!({ "operator": "incr", "ties": ties })).await;
    }
    let rebuilt = page().await;
    (json!(shown), json!(rebuilt))
}

#[tokio::test]
async fn a_ban_removes_an_owner_at_once_from_every_period_and_from_pages_that_are_walked() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let reset = json!({ "operator": "set", "reset": { "cron": "0 0 * * *" } });
        make_board(&keeper, "b", reset).await;
        submit(&keeper, "b", &[("ada", 5), ("bea", 7), ("cid", 6)]).await;
        house.clock().advance_s(86_400);
        submit(&keeper, "b", &[("ada", 1), ("bea", 2), ("cid", 3), ("dan", 4)]).await;
        let reader = house.stranger();
        let first = reader.get(&format!("{ENTRIES}?limit=1")).await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let shown = ban(&keeper, &on_board("bea")).await;
        assert_eq!((&shown["board"], &shown["reason"]), (&json!("b"), &json!("cheats")));
        assert_eq!(owners(&reader, ENTRIES).await, ["dan", "cid", "ada"]);
        assert_eq!(owners(&reader, &format!("{ENTRIES}?window=1")).await, ["cid", "ada"]);
        let walked = format!("{ENTRIES}?limit=1000&cursor={cursor}");
        assert_eq!(
            owners(&reader, &walked).await,
            ["cid", "ada"],
            "also from a page that is walked"
        );
        reader.get(&format!("{ENTRIES}/bea")).await.expect_problem(404, "not_found");
        let new = json!({ "owner": "bea", "scores": [9] });
        keeper.post("/api/v1/boards/b/scores", new).await.expect_problem(403, "forbidden");
        // What changes the whole board does not bring them back.
        make_board(&keeper, "b", json!({ "operator": "best", "reset": { "cron": "0 0 * * *" } }))
            .await;
        assert_eq!(owners(&reader, ENTRIES).await, ["dan", "cid", "ada"]);
        keeper.delete(&on_board("bea")).await.expect(204);
        assert_eq!(owners(&reader, ENTRIES).await, ["dan", "cid", "bea", "ada"]);
        assert_eq!(owners(&reader, &format!("{ENTRIES}?window=1")).await, ["bea", "cid", "ada"]);
        keeper.delete(&on_board("bea")).await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_ban_takes_back_what_somebody_brought_to_others_and_lifting_it_brings_both_back() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({ "operator": "incr" })).await;
            make_board(&keeper, "other", json!({ "operator": "incr" })).await;
            put_rule(&keeper, "like", like_rule(json!({}))).await;
            // 9 cheats for 1, and has points from 2.
            tell(house, &[liked(1, 9), liked(1, 9), liked(1, 2), liked(9, 2), liked(3, 9)]).await;
            comes_to(&keeper, 3, 1).await;
            let cheater = user(9).to_string();
            let paths = [on_board(&cheater), everywhere(&cheater)];
            for (path, others, strangers) in [(&paths[0], 1, 100), (&paths[1], 2, 200)] {
                ban(&keeper, path).await;
                assert_eq!(score(&keeper, 1).await, Some(others), "what others gave stays");
                assert_eq!(score(&keeper, 9).await, None);
                assert_eq!(score(&keeper, 3).await, None, "nothing is left of what 9 gave");
                // What rules score meanwhile does not count now, and does afterwards.
                tell(house, &[liked(9, 2), liked(1, 9), liked(1, 4)]).await;
                all_taken(house, &keeper, strangers).await;
                assert_eq!(score(&keeper, 1).await, Some(others + 1));
                assert_eq!(score(&keeper, 9).await, None);
                let (shown, rebuilt) = shown_and_rebuilt(&keeper).await;
                assert_eq!(shown, rebuilt);
                keeper.delete(path).await.expect(204);
                // Two from 9 and one from 2 at first; in each round one more from 9 and one from 4.
                assert_eq!(score(&keeper, 1).await, Some(3 + 2 * others));
                assert_eq!(score(&keeper, 9).await, Some(1 + others));
                assert_eq!(score(&keeper, 3).await, Some(1));
                let (shown, rebuilt) = shown_and_rebuilt(&keeper).await;
                assert_eq!(shown, rebuilt);
            }
        })
        .await;
}

#[tokio::test]
async fn a_ban_on_every_board_and_one_on_a_board_hold_each_for_itself() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        for board in ["b", "other"] {
            make_board(&keeper, board, json!({})).await;
            submit(&keeper, board, &[("ada", 5), ("bea", 7)]).await;
        }
        let on_other = async || owners(&keeper, "/api/v1/boards/other/entries").await;
        ban(&keeper, &on_board("bea")).await;
        ban(&keeper, &everywhere("bea")).await;
        assert_eq!(
            (owners(&keeper, ENTRIES).await, on_other().await),
            (vec!["ada".into()], vec!["ada".into()])
        );
        // It holds for boards that are made later.
        make_board(&keeper, "later", json!({})).await;
        let new = json!({ "owner": "bea", "scores": [9] });
        keeper.post("/api/v1/boards/later/scores", new).await.expect_problem(403, "forbidden");
        keeper.delete(&on_board("bea")).await.expect(204);
        assert_eq!(owners(&keeper, ENTRIES).await, ["ada"], "the other ban still holds");
        ban(&keeper, &on_board("bea")).await;
        keeper.delete(&everywhere("bea")).await.expect(204);
        assert_eq!(owners(&keeper, ENTRIES).await, ["ada"], "the ban on this board still holds");
        assert_eq!(on_other().await, ["bea", "ada"]);
        keeper.delete(&on_board("bea")).await.expect(204);
        assert_eq!(owners(&keeper, ENTRIES).await, ["bea", "ada"]);
    })
    .await;
}

#[tokio::test]
async fn moderators_ban_say_why_and_are_audited() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let moderator = house.person_as(Role::Moderator, "mod").await;
        let ada = house.person("ada").await;
        make_board(&keeper, "b", json!({})).await;
        let reason = json!({ "reason": "cheats" });
        ada.put(&on_board("bea")).json(&reason).await.expect_problem(403, "forbidden");
        ada.get("/api/v1/board-bans").await.expect_problem(403, "forbidden");
        for odd in [json!({ "reason": " " }), json!({ "reason": "x".repeat(501) })] {
            let problem =
                moderator.put(&on_board("bea")).json(&odd).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/reason");
        }
        let nowhere = "/api/v1/boards/nowhere/bans/bea";
        moderator.put(nowhere).json(&reason).await.expect_problem(404, "not_found");
        let made = ban(&moderator, &on_board("bea")).await;
        let again = json!({ "reason": "cheats again" });
        let again = moderator.put(&on_board("bea")).json(&again).await.expect(200);
        assert_eq!(
            (&again["reason"], &again["banned_at"]),
            (&json!("cheats again"), &made["banned_at"])
        );
        assert_eq!(moderator.get(&on_board("bea")).await.expect(200), again);
        moderator.get(&everywhere("bea")).await.expect_problem(404, "not_found");
        ban(&moderator, &on_board("ada")).await;
        let bans = "/api/v1/boards/b/bans";
        let first = moderator.get(&format!("{bans}?limit=1")).await.expect(200);
        assert_eq!(first["items"][0]["owner"], "ada");
        let next = format!("{bans}?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
        let second = moderator.get(&next).await.expect(200);
        assert_eq!(
            (&second["items"][0]["owner"], &second["next_cursor"]),
            (&json!("bea"), &Value::Null)
        );
        moderator.delete(&on_board("bea")).await.expect(204);
        let mut tx = house.db("boards").read().await.unwrap();
        let audit = mainstay_core::audit::list(&mut tx, i64::MAX, 10).await.unwrap();
        let actions: Vec<&str> = audit.iter().map(|entry| &*entry.action).collect();
        let expected = ["boards.unban", "boards.ban", "boards.ban", "boards.ban"];
        assert_eq!(actions, [&expected[..], &["boards.make_board"]].concat());
        assert_eq!((&*audit[0].target, &audit[0].actor), ("bea", &moderator.id));
    })
    .await;
}

#[tokio::test]
async fn sixty_four_bans_and_lifts_at_once_leave_the_board_equal_to_a_rebuild() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({ "operator": "incr" })).await;
            put_rule(&keeper, "like", like_rule(json!({}))).await;
            let likes = async |house: &Program| {
                let likes: Vec<_> =
                    (0..40_u128).map(|n| liked(n % 5 + 1, (n * 7) % 6 + 1)).collect();
                tell(house, &likes).await;
            };
            likes(house).await;
            all_taken(house, &keeper, 100).await;
            let acts = (0..64_u128).map(|n| {
                let (keeper, who) = (&keeper, user(n % 6 + 1).to_string());
                async move {
                    let path = if n % 4 < 2 { on_board(&who) } else { everywhere(&who) };
                    match n / 6 % 2 {
                        0 => drop(ban(keeper, &path).await),
                        _ => {
                            let status = keeper.delete(&path).await.status;
                            assert!([204, 404].contains(&status), "{status}");
                        }
                    }
                }
            });
            let scores = (0..16).map(|n| {
                let one = json!({ "owner": user(n % 6 + 1).to_string(), "scores": [1] });
                keeper.post("/api/v1/boards/b/scores", one).into_future()
            });
            tokio::join!(join_all(acts), join_all(scores), likes(house));
            all_taken(house, &keeper, 200).await;
            let (shown, rebuilt) = shown_and_rebuilt(&keeper).await;
            assert_eq!(shown, rebuilt);
            // And when all are lifted, everything that was kept counts.
            for who in 1..=6 {
                for path in [on_board(&user(who).to_string()), everywhere(&user(who).to_string())] {
                    keeper.delete(&path).await;
                }
            }
            let (shown, rebuilt) = shown_and_rebuilt(&keeper).await;
            assert_eq!(shown, rebuilt);
            for author in 1..=5_u128 {
                let likes = (0..40_u128).map(|n| (n % 5 + 1, (n * 7) % 6 + 1));
                let own = likes.filter(|(a, by)| *a == author && a != by).count() as i64 * 2;
                assert!(score(&keeper, author).await.unwrap_or(0) >= own, "{author}");
            }
        })
        .await;
}

static LOCK_HEADS: Sql = Sql::new("select no from boards.head for update");
static WAITING: Sql = Sql::per_engine(
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    "select 0",
);

#[tokio::test]
async fn a_ban_on_every_board_waits_for_whoever_is_scoring() {
    let house = crate::setup().start(Engine::Postgres).await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({})).await;
    let (locked, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (has, until) = (locked.clone(), release.clone());
    let scoring = house.db("boards").write(move |tx| {
        let (has, until) = (has.clone(), until.clone());
        Box::pin(async move {
            let _heads: Vec<(i64,)> = tx.all(&LOCK_HEADS, &[]).await?;
            has.notify_one();
            until.notified().await;
            Ok::<_, DbError>(())
        })
    });
    let banning = async {
        locked.notified().await;
        ban(&keeper, &everywhere("ada")).await;
    };
    let watching = async {
        eventually("the ban waits", async || {
            let mut tx = house.db("boards").read().await.unwrap();
            let waiting: (i64,) = tx.one(&WAITING, &[]).await.unwrap();
            waiting == (1,)
        })
        .await;
        release.notify_one();
    };
    let (scored, (), ()) = tokio::join!(scoring, banning, watching);
    scored.unwrap();
    house.end().await;
}

static BUILDS: Sql = Sql::new("select count(*) from boards.build");
static BUILD_SEQ: Sql = Sql::new("select seq from boards.build");
static BUILD_EDITION: Sql = Sql::new("select max(edition) from boards.build");
static EDITIONS: Sql = Sql::new("select distinct edition from boards.entry order by edition");

#[tokio::test]
async fn sixty_four_who_are_banned_everywhere_while_they_score_have_no_entry() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        let acts = (0..64).map(|n| {
            let (keeper, owner) = (&keeper, format!("owner{n}"));
            async move {
                let one = json!({ "owner": owner, "scores": [1] });
                let path = everywhere(&owner);
                let score = keeper.post("/api/v1/boards/b/scores", one).into_future();
                let (answer, _) = tokio::join!(score, ban(keeper, &path));
                assert!([200, 403].contains(&answer.status), "{answer:?}");
            }
        });
        join_all(acts).await;
        let page = keeper.get(&format!("{ENTRIES}?limit=1000")).await.expect(200);
        assert_eq!((&page["items"], &page["count"]), (&json!([]), &json!(0)));
    })
    .await;
}

#[tokio::test]
async fn a_large_board_loses_a_cheater_at_once_and_what_they_gave_soon() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({ "operator": "incr" })).await;
            put_rule(&keeper, "like", like_rule(json!({}))).await;
            tell(house, &[liked(1, 9), liked(1, 2), liked(9, 2), liked(5, 9)]).await;
            comes_to(&keeper, 5, 1).await;
            let list: Vec<Value> = (0..7_000)
                .map(|n| json!({ "owner": format!("owner{}", n % 7), "scores": [1] }))
                .collect();
            for _ in 0..3 {
                keeper.post("/api/v1/boards/b/scores", json!(list)).await.expect(200);
            }
            let cheater = user(9).to_string();
            ban(&keeper, &on_board(&cheater)).await;
            assert_eq!(score(&keeper, 9).await, None, "at once");
            // Scores go on while the board is built.
            submit(&keeper, "b", &[("owner0", 1)]).await;
            comes_to(&keeper, 1, 1).await;
            assert_eq!(score(&keeper, 5).await, None);
            let first = keeper.get(&format!("{ENTRIES}/owner0")).await.expect(200);
            assert_eq!(first["scores"], json!([3_001]));
            // A build that is left is begun anew.
            keeper.delete(&on_board(&cheater)).await.expect(204);
            ban(&keeper, &on_board(&cheater)).await;
            keeper.delete(&on_board(&cheater)).await.expect(204);
            comes_to(&keeper, 9, 1).await;
            comes_to(&keeper, 1, 2).await;
            let mut tx = house.db("boards").read().await.unwrap();
            let left: (i64,) = tx.one(&BUILDS, &[]).await.unwrap();
            drop(tx);
            assert_eq!(left, (0,), "nothing is left of the build");
            // Banned again while they are being brought back, of which a part is done.
            let build = async || {
                let mut tx = house.db("boards").read().await.unwrap();
                let seq: Option<(i64,)> = tx.optional(&BUILD_SEQ, &[]).await.unwrap();
                seq.map(|(seq,)| seq)
            };
            ban(&keeper, &on_board("owner1")).await;
            keeper.delete(&on_board("owner1")).await.expect(204);
            eventually("a part is done", async || build().await != Some(0)).await;
            let edition = async || {
                let mut tx = house.db("boards").read().await.unwrap();
                let (edition,): (Option<i64>,) = tx.one(&BUILD_EDITION, &[]).await.unwrap();
                edition
            };
            let before = edition().await;
            ban(&keeper, &on_board("owner1")).await;
            assert!([before, None].contains(&edition().await), "it is not begun anew");
            eventually("all is done", async || build().await.is_none()).await;
            let one = format!("{ENTRIES}/owner1");
            keeper.get(&one).await.expect_problem(404, "not_found");
            keeper.delete(&on_board("owner1")).await.expect(204);
            eventually("they are back", async || {
                let answer = keeper.get(&one).await;
                answer.status == 200 && answer.json()["scores"] == json!([3_000])
            })
            .await;
            let (shown, rebuilt) = shown_and_rebuilt(&keeper).await;
            assert_eq!(shown, rebuilt);
        })
        .await;
}

#[tokio::test]
async fn entries_of_earlier_builds_are_erased() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("ada", 5), ("bea", 7)]).await;
        for ties in ["shared", "dense", "earliest"] {
            make_board(&keeper, "b", json!({ "ties": ties })).await;
        }
        let editions = async || {
            let mut tx = house.db("boards").read().await.unwrap();
            let rows: Vec<(i64,)> = tx.all(&EDITIONS, &[]).await.unwrap();
            rows.len()
        };
        assert_eq!(editions().await, 4, "who reads has a minute");
        house.clock().advance_s(61);
        eventually("the others are gone", async || editions().await == 1).await;
        assert_eq!(owners(&keeper, ENTRIES).await, ["bea", "ada"]);
    })
    .await;
}

#[tokio::test]
async fn a_large_board_gets_other_settings_while_scores_go_on() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let list: Vec<Value> = (0..10_000)
            .map(|n| json!({ "owner": format!("owner{}", n % 10), "scores": [n % 3] }))
            .collect();
        for _ in 0..3 {
            keeper.post("/api/v1/boards/b/scores", json!(list)).await.expect(200);
        }
        let of_first = async || {
            let first = keeper.get(&format!("{ENTRIES}/owner0")).await.expect(200);
            first["scores"][0].as_i64().unwrap()
        };
        assert_eq!(of_first().await, 0);
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        submit(&keeper, "b", &[("owner0", 7)]).await;
        let all: i64 = 3 * (0..10_000).step_by(10).map(|n| n % 3).sum::<i64>();
        eventually("it is built anew", async || of_first().await == all + 7).await;
        submit(&keeper, "b", &[("owner0", 1)]).await;
        assert_eq!(of_first().await, all + 8, "it goes on from there");
    })
    .await;
}

/// Refuses the entries of builds, so that one stays under way.
static HOLD: Sql = Sql::new(
    "create trigger boards.hold before insert on entry when new.edition > 1 begin select raise(abort, 'held'); end",
);
static RELEASE: Sql = Sql::new("drop trigger boards.hold");

#[tokio::test]
async fn until_a_large_board_is_built_anew_it_is_what_it_was_before() {
    let house = crate::setup().holding_the_clock().start(Engine::Sqlite).await;
    let alter = async |house: &Program, sql: &'static Sql| {
        let work = house.db("boards").write(move |tx| {
            Box::pin(async move {
                tx.execute(sql, &[]).await?;
                Ok::<_, DbError>(())
            })
        });
        work.await.unwrap();
    };
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    let list: Vec<Value> = (0..7_001)
        .map(|n| json!({ "owner": format!("owner{}", n % 7), "scores": [n % 7 + 1] }))
        .collect();
    for _ in 0..3 {
        keeper.post("/api/v1/boards/b/scores", json!(list)).await.expect(200);
    }
    alter(&house, &HOLD).await;
    let up = json!([{ "name": "points", "direction": "asc" }]);
    make_board(&keeper, "b", json!({ "operator": "incr", "columns": up })).await;
    // What was in memory is read anew.
    let house = house.restart().await;
    let keeper = keeper.at(&house);
    let first = async || keeper.get(ENTRIES).await.expect(200)["items"][0].clone();
    let shown = first().await;
    assert_eq!((&shown["owner"], &shown["scores"]), (&json!("owner6"), &json!([7])));
    submit(&keeper, "b", &[("owner5", 8)]).await;
    let shown = first().await;
    assert_eq!((&shown["owner"], &shown["scores"]), (&json!("owner5"), &json!([8])), "set");

    alter(&house, &RELEASE).await;
    house.clock().advance_s(3_600);
    eventually("it is built", async || first().await["owner"] == "owner0").await;
    assert_eq!(first().await["scores"], json!([3_003]));
    submit(&keeper, "b", &[("owner0", 4_000)]).await;
    assert_eq!(first().await["scores"], json!([6_000]), "the sum of the next one");
    house.end().await;
}
