//! Rules: what a fact scores, once, under which condition, and what becomes of a rule that is broken.
//!
//! Feed's facts come from a stand-in of its name, which has a log and nothing else.

use futures_util::future::join_all;
use mainstay_core::{
    config::{Section, Settings},
    contract::{
        Fact,
        feed::{CommentAddedV1, PostLikedV1, PostUnlikedV1},
        id::{CommentId, PostId, UserId},
    },
    db::{DbError, Sql},
    mount::{Mount, Service},
};
use mainstay_testkit::program::{Client, Engine, Program, Setup, eventually};
use serde_json::{Value, json};

use crate::{admin, make_board, ranks};

const RULES: &str = "/api/v1/boards/rules";
const ENTRIES: &str = "/api/v1/boards/b/entries";

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct Nothing {}

impl Settings for Nothing {}

/// A service of Feed's name that only tells what a test has it tell.
pub(crate) const FEED: Service = Service {
    section: || Section::of::<Nothing>("feed"),
    mount: |core, _| {
        Box::pin(async move {
            Ok(Mount {
                name: "feed",
                log: core.log("feed", &[]).await?,
                routes: Vec::new(),
                consumers: Vec::new(),
                snapshots: Vec::new(),
                orders: Vec::new(),
                jobs: Vec::new(),
                periodic: Vec::new(),
                demo: Vec::new(),
                statements: Vec::new(),
            })
        })
    },
};

pub(crate) fn with_feed() -> Setup {
    Setup::of(&[svc_boards::SERVICE, FEED])
}

pub(crate) fn user(n: u128) -> UserId {
    UserId::from_bits(n)
}

/// Has Feed tell `facts`, in one transaction.
pub(crate) async fn tell<F: Fact + Clone + Sync>(house: &Program, facts: &[F]) {
    let facts = facts.to_vec();
    let told: Result<(), DbError> = house
        .db("feed")
        .write(move |tx| {
            let facts = facts.clone();
            Box::pin(async move {
                for fact in &facts {
                    tx.emit(fact, &[]).await?;
                }
                Ok(())
            })
        })
        .await;
    told.unwrap();
}

pub(crate) fn liked(author: u128, by: u128) -> PostLikedV1 {
    let post = PostId::from_bits(1);
    PostLikedV1 { post, author: user(author), user: user(by), like_count: 7, version: 1 }
}

fn unliked(author: u128, by: u128) -> PostUnlikedV1 {
    let post = PostId::from_bits(1);
    PostUnlikedV1 { post, author: user(author), user: user(by), like_count: 6, version: 2 }
}

pub(crate) fn like_rule(more: Value) -> Value {
    let mut rule = json!({
        "on": "feed.post_liked.v1", "when": "user != author", "owner": "author", "board": "b", "value": 1,
    });
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

pub(crate) async fn put_rule(keeper: &Client, id: &str, rule: Value) -> Value {
    keeper.put(&format!("{RULES}/{id}")).json(&rule).await.expect(200)
}

/// The first score of somebody on the board `b`; none without an entry.
pub(crate) async fn score(reader: &Client, who: u128) -> Option<i64> {
    let answer = reader.get(&format!("{ENTRIES}/{}", user(who))).await;
    match answer.status {
        404 => None,
        _ => answer.expect(200)["scores"][0].as_i64(),
    }
}

pub(crate) async fn comes_to(reader: &Client, who: u128, expected: i64) {
    eventually("the rule scores", async || score(reader, who).await == Some(expected)).await;
}

/// Waits until everything that was told before is taken: the like of a stranger, told after it, has scored.
pub(crate) async fn all_taken(house: &Program, keeper: &Client, stranger: u128) {
    tell(house, &[liked(stranger, stranger + 1)]).await;
    comes_to(keeper, stranger, 1).await;
}

#[tokio::test]
async fn a_finished_activity_scores_by_what_it_adds() {
    crate::both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        let rule = json!({
            "on": "boards.activity_recorded.v1", "when": "metric == \"steps\"", "owner": "user", "board": "b",
            "value": "added",
        });
        put_rule(&keeper, "steps", rule).await;
        let sync = async |metric: &str, value: i64| {
            let walk = json!({
                "source": "watch", "metric": metric, "start": "2026-03-01T08:00:00Z", "end": "2026-03-01T09:00:00Z",
                "value": value,
            });
            ada.post("/api/v1/activities", walk).await.expect(200);
        };
        let comes_to = async |expected: i64| {
            eventually("the activity scores", async || {
                let answer = keeper.get(&format!("{ENTRIES}/{}", ada.id)).await;
                answer.status == 200 && answer.json()["scores"] == json!([expected])
            })
            .await;
        };
        sync("calories", 99).await;
        sync("steps", 1_000).await;
        comes_to(1_000).await;
        // The same again adds nothing, and a correction what it changes.
        sync("steps", 1_000).await;
        sync("steps", 1_200).await;
        comes_to(1_200).await;
        sync("steps", 700).await;
        comes_to(700).await;
    })
    .await;
}

#[tokio::test]
async fn a_rule_adds_takes_back_and_heeds_its_condition() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({ "operator": "incr" })).await;
            // What was told before there was a rule does not count.
            tell(house, &[liked(1, 9)]).await;
            put_rule(&keeper, "like", like_rule(json!({}))).await;
            let takes = json!({ "on": "feed.post_unliked.v1", "value": -1 });
            put_rule(&keeper, "unlike", like_rule(takes)).await;
            let comment = json!({
                "on": "feed.comment_added.v1", "value": "min(comment_count, 3) + 1", "when": "reply_to == null",
            });
            put_rule(&keeper, "comment", like_rule(comment)).await;
            tell(house, &[liked(1, 2), liked(1, 3), liked(1, 1), liked(2, 1)]).await;
            comes_to(&keeper, 1, 2).await;
            comes_to(&keeper, 2, 1).await;
            tell(house, &[unliked(1, 2), unliked(1, 1)]).await;
            comes_to(&keeper, 1, 1).await;
            let added = |reply_to: Option<CommentId>| CommentAddedV1 {
                comment: CommentId::from_bits(5),
                reply_to,
                post: PostId::from_bits(1),
                author: user(2),
                user: user(1),
                comment_count: 9,
                version: 3,
            };
            tell(house, &[added(Some(CommentId::from_bits(4))), added(None)]).await;
            comes_to(&keeper, 2, 5).await;
            all_taken(house, &keeper, 100).await;
            let page = keeper.get(ENTRIES).await.expect(200);
            let owners: Vec<String> = ranks(&page).into_iter().map(|(owner, _)| owner).collect();
            assert_eq!(owners, [2, 1, 100].map(|who| user(who).to_string()));
            assert_eq!((score(&keeper, 1).await, score(&keeper, 2).await), (Some(1), Some(5)));
            keeper.delete(&format!("{RULES}/comment")).await.expect(204);
            tell(house, &[added(None)]).await;
            all_taken(house, &keeper, 200).await;
            assert_eq!(score(&keeper, 2).await, Some(5), "a rule that is gone scores nothing");
        })
        .await;
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_and_writes_nothing() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            let columns = json!([{ "name": "points", "max": 5 }]);
            make_board(&keeper, "b", json!({ "operator": "incr", "columns": columns })).await;
            tell(house, &[liked(1, 9), liked(1, 2), liked(1, 1)]).await;
            tell(house, &[unliked(1, 2)]).await;
            let dry = format!("{RULES}/new/dry-run");
            keeper.post(&dry, json!({ "last": 2 })).await.expect_problem(404, "not_found");
            let asked =
                json!({ "last": 2, "rule": like_rule(json!({ "value": "like_count - 3" })) });
            let items = keeper.post(&dry, asked).await.expect(200)["items"].clone();
            let outcomes = [&items[0]["outcome"], &items[1]["outcome"], &items[2]];
            assert_eq!(outcomes, [&json!("scored"), &json!("passed_over"), &Value::Null]);
            assert_eq!(items[0]["owner"], user(1).to_string());
            assert_eq!(
                (&items[0]["values"], &items[0]["by"]),
                (&json!([4]), &json!(user(2).to_string()))
            );
            for (odd, said) in [
                (json!({ "value": "like_count" }), "from"),
                (json!({ "value": "author" }), "`value` at character 1: `author` is a text"),
                (json!({ "board": "nowhere" }), "there is no board `nowhere`"),
                (json!({ "value": [1, 2] }), "one for each column"),
            ] {
                let asked = json!({ "last": 1_000, "rule": like_rule(odd) });
                let items = keeper.post(&dry, asked).await.expect(200)["items"].clone();
                assert_eq!(items[0]["outcome"], "failed", "{items}");
                assert!(items[0]["error"].as_str().unwrap().contains(said), "{items}");
                assert_eq!(items.as_array().unwrap().len(), 3);
            }
            for (odd, pointer) in [
                (json!({ "when": "user =" }), "/rule/when"),
                (json!({ "owner": "nowhere" }), "/rule/owner"),
            ] {
                let odd = json!({ "last": 5, "rule": like_rule(odd) });
                let problem = keeper.post(&dry, odd).await.expect_problem(422, "invalid");
                assert_eq!(problem["errors"][0]["pointer"], pointer);
            }
            keeper.post(&dry, json!({ "last": 1_001 })).await.expect_problem(422, "invalid");
            assert_eq!(keeper.get(ENTRIES).await.expect(200)["count"], 0);
            keeper.get(&format!("{RULES}/new")).await.expect_problem(404, "not_found");
            put_rule(&keeper, "new", like_rule(json!({}))).await;
            let items = keeper.post(&dry, json!({ "last": 1 })).await.expect(200)["items"].clone();
            assert_eq!(items[0]["outcome"], "passed_over");
        })
        .await;
}

static ERRORS_OF_BROKEN: Sql =
    Sql::new("select count(*) from boards.rule_error where rule = 'a-broken'");

#[tokio::test]
async fn a_broken_rule_says_which_fact_and_why_and_the_others_go_on() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({ "operator": "incr" })).await;
            put_rule(
                &keeper,
                "a-broken",
                like_rule(json!({ "value": "like_count / (like_count - 7)" })),
            )
            .await;
            make_board(&keeper, "nowhere", json!({})).await;
            put_rule(&keeper, "b-nowhere", like_rule(json!({ "board": "nowhere" }))).await;
            keeper.delete("/api/v1/boards/nowhere").await.expect(204);
            put_rule(&keeper, "c-good", like_rule(json!({}))).await;
            tell(house, &[liked(1, 2), liked(2, 1)]).await;
            comes_to(&keeper, 2, 1).await;
            let broken = keeper.get(&format!("{RULES}/a-broken")).await.expect(200);
            let errors = broken["errors"].as_array().unwrap();
            assert_eq!(errors.len(), 2, "{broken}");
            assert_eq!(errors[0]["name"], "feed.post_liked.v1");
            assert!(errors[0]["fact"].as_str().unwrap().starts_with("fact_"), "{broken}");
            assert_eq!(errors[0]["message"], "`value` at character 12: this divides by 0");
            let nowhere = keeper.get(&format!("{RULES}/b-nowhere")).await.expect(200);
            let message = nowhere["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains("no board `nowhere`"), "{message}");
            // The hundred newest are kept.
            let many: Vec<PostLikedV1> = (0..130).map(|_| liked(1, 2)).collect();
            tell(house, &many).await;
            comes_to(&keeper, 1, 131).await;
            let broken = keeper.get(&format!("{RULES}/a-broken")).await.expect(200);
            assert_eq!(broken["errors"].as_array().unwrap().len(), 100);
            let mut tx = house.db("boards").read().await.unwrap();
            let kept: (i64,) = tx.one(&ERRORS_OF_BROKEN, &[]).await.unwrap();
            drop(tx);
            assert_eq!(kept, (100,), "and no more");
            let good = keeper.get(&format!("{RULES}/c-good")).await.expect(200);
            assert_eq!(good["errors"], json!([]));
            // A board that comes later is scored on from then on.
            make_board(&keeper, "nowhere", json!({ "operator": "incr" })).await;
            tell(house, &[liked(1, 2)]).await;
            let path = format!("/api/v1/boards/nowhere/entries/{}", user(1));
            eventually("it scores", async || keeper.get(&path).await.status == 200).await;
            assert_eq!(keeper.get(&path).await.expect(200)["scores"], json!([1]));
            keeper.delete("/api/v1/boards/b").await.expect(204);
            tell(house, &[liked(1, 2)]).await;
            let good = format!("{RULES}/c-good");
            eventually("its board is gone", async || {
                let good = keeper.get(&good).await.expect(200);
                good["errors"].as_array().unwrap().len() == 1
            })
            .await;
        })
        .await;
}

#[tokio::test]
async fn a_fact_scores_once_whoever_takes_it_and_however_often_the_program_begins_anew() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut house = with_feed().start(engine).await;
        let mut keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        put_rule(&keeper, "like", like_rule(json!({}))).await;
        for _ in 0..4 {
            // It ends while it takes them.
            let batch: Vec<PostLikedV1> = (0..150).map(|_| liked(1, 2)).collect();
            tell(&house, &batch).await;
            house = house.restart().await;
            keeper = keeper.at(&house);
        }
        let twin = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(house.twin().await),
        };
        for _ in 0..5 {
            let batch: Vec<PostLikedV1> = (0..40).map(|_| liked(1, 2)).collect();
            tell(&house, &batch).await;
        }
        all_taken(&house, &keeper, 100).await;
        assert_eq!(score(&keeper, 1).await, Some(800), "{engine:?}");
        if let Some(twin) = twin {
            twin.end().await;
        }
        house.end().await;
    }
}

#[tokio::test]
async fn rules_and_people_who_score_by_hand_wait_for_each_other() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({ "operator": "incr" })).await;
            put_rule(&keeper, "like", like_rule(json!({}))).await;
            let owner = user(1).to_string();
            let by_hand = (0..32).map(|_| {
                let one = json!({ "owner": owner, "scores": [1] });
                keeper.post("/api/v1/boards/b/scores", one).into_future()
            });
            let by_rule = (0..32).map(|_| async { tell(house, &[liked(1, 2)]).await });
            let (answers, _) = tokio::join!(join_all(by_hand), join_all(by_rule));
            answers.into_iter().for_each(|answer| drop(answer.expect(200)));
            comes_to(&keeper, 1, 64).await;
            assert_eq!(keeper.get("/api/v1/facts/dead").await.expect(200)["items"], json!([]));
        })
        .await;
}

#[tokio::test]
async fn a_rule_is_made_read_listed_changed_and_deleted_by_administrators() {
    with_feed()
        .on_both_engines(async |house| {
            let (keeper, ada) = (admin(house).await, house.person("ada").await);
            make_board(&keeper, "b", json!({})).await;
            let path = format!("{RULES}/like");
            ada.put(&path).json(&like_rule(json!({}))).await.expect_problem(403, "forbidden");
            ada.get(RULES).await.expect_problem(403, "forbidden");
            let odd = json!({
                "on": "feed.post_was_liked", "when": "user ==", "owner": "like_count + 1", "board": "a b", "value": [],
            });
            let problem = keeper.put(&path).json(&odd).await.expect_problem(422, "invalid");
            let at = |fault: &Value| fault["pointer"].as_str().unwrap().to_owned();
            let at: Vec<_> = problem["errors"].as_array().unwrap().iter().map(at).collect();
            assert_eq!(at, ["/on", "/board", "/when", "/owner", "/value"]);
            let detail = problem["errors"][2]["detail"].as_str().unwrap();
            assert!(detail.starts_with("At character 8: expected a field"), "{detail}");
            let made = put_rule(&keeper, "like", like_rule(json!({}))).await;
            assert_eq!((&made["declared"], &made["errors"]), (&json!(false), &json!([])));
            let again = put_rule(&keeper, "like", like_rule(json!({}))).await;
            assert_eq!(again, made, "a repeat changes nothing");
            let changed = put_rule(&keeper, "like", like_rule(json!({ "value": [2], "operator": "set" }))).await;
            assert_eq!(changed["since"], made["since"]);
            assert_eq!(keeper.get(&path).await.expect(200), changed);
            put_rule(&keeper, "entries", like_rule(json!({}))).await;
            let first = keeper.get(&format!("{RULES}?limit=1")).await.expect(200);
            assert_eq!(first["items"][0]["id"], "entries");
            let next = format!("{RULES}?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
            let second = keeper.get(&next).await.expect(200);
            assert_eq!((&second["items"][0]["id"], &second["next_cursor"]), (&json!("like"), &Value::Null));
            keeper.put(RULES).await.expect_problem(405, "method_not_allowed");
            keeper.put(&format!("{RULES}/a%20b")).json(&like_rule(json!({}))).await.expect_problem(422, "invalid");
            keeper.delete(&path).await.expect(204);
            keeper.delete(&path).await.expect_problem(404, "not_found");
        })
        .await;
}

#[tokio::test]
async fn sixty_four_at_once_make_no_more_rules_than_there_may_be() {
    with_feed()
        .on_both_engines(async |house| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", json!({})).await;
            for n in 0..68 {
                put_rule(&keeper, &format!("rule{n}"), like_rule(json!({}))).await;
            }
            let more = (0..64).map(|n| {
                let path = format!("{RULES}/more{n}");
                keeper.put(&path).json(&like_rule(json!({}))).into_future()
            });
            let answers = join_all(more).await;
            let made = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(made, 32);
            for refused in answers.into_iter().filter(|answer| answer.status != 200) {
                refused.expect_problem(409, "conflict");
            }
        })
        .await;
}

#[tokio::test]
async fn rules_of_the_configuration_score_and_are_changed_there_alone() {
    let rule =
        r#"[{ id = "like", on = "feed.post_liked.v1", owner = "author", board = "b", value = 3 }]"#;
    let setup = with_feed().set("boards.rules", rule).set("boards.creators", "true");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup.start(engine).await;
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        tell(&house, &[liked(1, 2), liked(1, 1)]).await;
        comes_to(&keeper, 1, 6).await;
        let shown = keeper.get(&format!("{RULES}/like")).await.expect(200);
        assert_eq!((&shown["declared"], &shown["value"]), (&json!(true), &json!(3)));
        let path = format!("{RULES}/like");
        keeper.put(&path).json(&like_rule(json!({}))).await.expect_problem(409, "conflict");
        keeper.delete(&path).await.expect_problem(409, "conflict");
        // The shipped example.
        let creators = "/api/v1/boards/creators";
        let points = async || {
            let page = house.stranger().get(&format!("{creators}/entries")).await.expect(200);
            page["items"][0]["scores"][0].clone()
        };
        eventually("the example scores", async || points().await == 1).await;
        tell(&house, &[unliked(1, 2)]).await;
        eventually("it is taken back", async || points().await == 0).await;
        let board = keeper.get(creators).await.expect(200);
        assert_eq!(board["reset"]["cron"], "0 0 * * 1");
        // Since when a rule counts outlives the program.
        let house = house.restart().await;
        let again = keeper.at(&house).get(&path).await.expect(200);
        assert_eq!(again["since"], shown["since"]);
        house.end().await;
    }
}

#[tokio::test]
async fn a_rule_counts_what_was_told_since_it_was_made_also_if_others_wait_to_be_taken() {
    let rule =
        r#"[{ id = "like", on = "feed.post_liked.v1", owner = "author", board = "b", value = 1 }]"#;
    let ruled = with_feed().set("boards.rules", rule);
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = with_feed().start(engine).await;
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        // While Boards is away, Feed tells of likes, which wait for it.
        let house = house.reopen(&Setup::of(&[FEED])).await;
        tell(&house, &[liked(1, 2), liked(1, 3)]).await;
        let house = house.reopen(&ruled).await;
        let keeper = keeper.at(&house);
        all_taken(&house, &keeper, 100).await;
        assert_eq!(score(&keeper, 1).await, None, "{engine:?}");
        // What waits while a rule is there counts.
        let house = house.reopen(&Setup::of(&[FEED])).await;
        tell(&house, &[liked(1, 2), liked(1, 3)]).await;
        let house = house.reopen(&ruled).await;
        let keeper = keeper.at(&house);
        all_taken(&house, &keeper, 200).await;
        assert_eq!(score(&keeper, 1).await, Some(2), "{engine:?}");
        house.end().await;
    }
}
