//! Seasons and tiers: seats in cohorts, ranks in them, who moves up and down, once for each season.

use std::collections::BTreeMap;

use mainstay_core::{
    contract::{
        Fact,
        boards::{CohortEndedV1, SeasonEndedV1},
    },
    db::Position,
};
use mainstay_testkit::program::{Client, Engine, Program, eventually};
use serde_json::{Value, json};

use crate::{
    admin, both_engines_held, make_board, ranks,
    rules::{comes_to, like_rule, liked, put_rule, tell, user, with_feed},
    settings, setup, submit,
};

const BOARD: &str = "/api/v1/boards/b";
const ENTRIES: &str = "/api/v1/boards/b/entries";
const DAY_S: i64 = 86_400;

/// A board that is reset each day, with three tiers and what `more` says of them.
fn league(more: Value) -> Value {
    let mut tiers = json!({
        "names": ["bronze", "silver", "gold"], "cohort_size": 4, "promote": { "count": 1 }, "relegate": { "count": 1 },
    });
    let (Some(all), Value::Object(more)) = (tiers.as_object_mut(), more) else { return tiers };
    all.extend(more);
    json!({ "operator": "set", "reset": { "cron": "0 0 * * *" }, "tiers": tiers })
}

async fn next_season(house: &Program) {
    house.clock().advance_s(DAY_S);
    house.work("boards.close_periods").await;
}

/// The tier and cohort of each entry of a page.
fn seats(page: &Value) -> BTreeMap<String, (String, i64)> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .filter_map(|item| {
            let seat = (item["tier"].as_str()?.to_owned(), item["cohort"].as_i64()?);
            Some((item["owner"].as_str()?.to_owned(), seat))
        })
        .collect()
}

async fn tier_of(reader: &Client, owner: &str) -> String {
    let tiers = reader.get(&format!("{BOARD}/tiers/{owner}")).await.expect(200);
    tiers["tier"].as_str().unwrap().to_owned()
}

/// Every fact of this kind that Boards has told.
async fn facts<F: Fact>(house: &Program) -> Vec<F> {
    let db = house.db("boards");
    let mut tx = db.read().await.unwrap();
    let all = db.outbox().after(&mut tx, Position::default(), 10_000).await.unwrap();
    all.iter().filter_map(|fact| fact.read()).collect()
}

#[tokio::test]
async fn owners_take_seats_in_their_order_and_the_first_and_last_of_a_cohort_move() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let mut settings = league(json!({}));
        settings["authoritative"] = json!(false);
        make_board(&keeper, "b", settings).await;
        let list = [("a", 1), ("b", 9), ("c", 5), ("d", 7), ("e", 3)];
        submit(&keeper, "b", &list).await;
        ada.post(&format!("{BOARD}/scores"), json!({ "scores": [4] })).await.expect(200);
        submit(&keeper, "b", &[("a", 2), ("c", 6)]).await;
        let page = ada.get(ENTRIES).await.expect(200);
        let bronze = |cohort| ("bronze".to_owned(), cohort);
        let expected = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 2), (&*ada.id, 2)];
        let expected = expected.map(|(owner, cohort)| (owner.to_owned(), bronze(cohort)));
        assert_eq!(seats(&page), BTreeMap::from(expected), "the first four fill the first cohort");
        // Ranks in a cohort are exact, and move with the scores.
        let first = ada.get(&format!("{ENTRIES}?cohort=1")).await.expect(200);
        let named = |list: &[&str]| -> Vec<(String, u64)> {
            list.iter().map(|owner| (*owner).to_owned()).zip(1..).collect()
        };
        assert_eq!(ranks(&first), named(&["b", "d", "c", "a"]));
        let mine = ada.get(&format!("{ENTRIES}?cohort=me")).await.expect(200);
        assert_eq!((ranks(&mine), &mine["count"]), (named(&[&ada.id, "e"]), &json!(2)));
        let me = ada.get(&format!("{ENTRIES}/{}?cohort=me", ada.id)).await.expect(200);
        assert_eq!((&me["rank"], &me["tier"]), (&json!(1), &json!("bronze")));
        let around = format!("{ENTRIES}/c/around?cohort=1&limit=1");
        assert_eq!(ranks(&ada.get(&around).await.expect(200)), [("c".into(), 3)]);
        ada.get(&format!("{ENTRIES}/e?cohort=1")).await.expect_problem(404, "not_found");
        ada.get(&format!("{ENTRIES}?cohort=3")).await.expect_problem(404, "not_found");
        ada.get(&format!("{ENTRIES}?cohort=x")).await.expect_problem(422, "invalid");
        let both = format!("{ENTRIES}?cohort=1&friends=true");
        ada.get(&both).await.expect_problem(422, "invalid");
        let stranger = house.stranger();
        let me = format!("{ENTRIES}?cohort=me");
        stranger.get(&me).await.expect_problem(401, "unauthenticated");
        keeper.get(&me).await.expect_problem(404, "not_found");

        next_season(house).await;
        let told: Vec<CohortEndedV1> = facts(house).await;
        let moved: Vec<_> =
            told.iter().map(|it| (it.cohort, &it.promoted, &it.relegated)).collect();
        let up = |owner: &str| vec![owner.to_owned()];
        assert_eq!(moved, [(1, &up("b"), &vec![]), (2, &up(&ada.id), &vec![])]);
        assert_eq!(facts::<SeasonEndedV1>(house).await.len(), 1);
        // From silver one can go both ways.
        submit(&keeper, "b", &[("b", 1), ("a", 8), (&ada.id, 2)]).await;
        let silver = (("silver".to_owned(), 1), ("bronze".to_owned(), 2));
        let page = keeper.get(ENTRIES).await.expect(200);
        let expected = [("a", &silver.1), ("b", &silver.0), (&*ada.id, &silver.0)];
        let expected = expected.map(|(owner, seat)| (owner.to_owned(), seat.clone()));
        assert_eq!(seats(&page), BTreeMap::from(expected));
        next_season(house).await;
        assert_eq!(tier_of(&keeper, &ada.id).await, "gold");
        assert_eq!(tier_of(&keeper, "b").await, "bronze");
        assert_eq!(tier_of(&keeper, "c").await, "bronze");
        stranger.get(&format!("{BOARD}/tiers/nobody")).await.expect_problem(404, "not_found");
        // What was, stays readable.
        let history = ada.get(&format!("{BOARD}/tiers/b")).await.expect(200);
        let expected = json!([
            { "period": 2, "tier": "silver", "cohort": 1, "rank": 2, "outcome": "relegated" },
            { "period": 1, "tier": "bronze", "cohort": 1, "rank": 1, "outcome": "promoted" },
        ]);
        assert_eq!((&history["items"], &history["next_cursor"]), (&expected, &Value::Null));
        let page = ada.get(&format!("{BOARD}/tiers/b?limit=1")).await.expect(200);
        let next =
            format!("{BOARD}/tiers/b?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
        let page = ada.get(&next).await.expect(200);
        assert_eq!((&page["items"][0], &page["next_cursor"]), (&expected[1], &Value::Null));
        let past = ada.get(&format!("{ENTRIES}?window=1&cohort=me")).await.expect(200);
        assert_eq!(ranks(&past), named(&[&ada.id, "e"]));
    })
    .await;
}

#[tokio::test]
async fn the_answer_to_a_score_says_which_tier_and_cohort_its_owner_plays_in() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let mut settings = league(json!({ "cohort_size": 2 }));
        settings["authoritative"] = json!(false);
        make_board(&keeper, "b", settings).await;
        let scores = format!("{BOARD}/scores");
        let seat = |entry: &Value| (entry["tier"].clone(), entry["cohort"].clone());
        let one = ada.post(&scores, json!({ "scores": [4] })).await.expect(200);
        assert_eq!(seat(&one), (json!("bronze"), json!(1)));
        let score = |owner: &str, score: i64| json!({ "owner": owner, "scores": [score] });
        let odd = json!({ "owner": "odd", "scores": [] });
        let list = json!([score("a", 9), odd, score("b", 5), score("a", 8), score("c", 7)]);
        let send = async || keeper.post(&scores, list.clone()).once("a key").await.expect(200);
        let answers = send().await;
        let seats: Vec<_> =
            answers["items"].as_array().unwrap().iter().map(|it| seat(&it["entry"])).collect();
        let (first, second) = ((json!("bronze"), json!(1)), (json!("bronze"), json!(2)));
        let none = (Value::Null, Value::Null);
        assert_eq!(seats, [first.clone(), none.clone(), second.clone(), first, second]);
        assert_eq!(answers["items"][1]["status"], 422);
        next_season(house).await;
        let up = keeper.post(&scores, score("a", 1)).await.expect(200);
        assert_eq!(seat(&up), (json!("silver"), json!(1)));
        // A repeat is of the season in which it came first.
        assert_eq!(seat(&send().await["items"][3]["entry"]), (json!("bronze"), json!(1)));
        make_board(&keeper, "plain", json!({})).await;
        let plain = keeper.post("/api/v1/boards/plain/scores", score("a", 1)).await.expect(200);
        assert_eq!(seat(&plain), none);
    })
    .await;
}

#[tokio::test]
async fn whoever_leaves_out_a_season_stays_or_falls_as_the_board_says() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        for (inactive, tiers) in
            [("stay", ["gold", "gold", "gold"]), ("relegate", ["silver", "bronze", "bronze"])]
        {
            make_board(&keeper, "b", league(json!({ "inactive": inactive }))).await;
            for _ in 0..2 {
                submit(&keeper, "b", &[("a", 2), ("b", 1)]).await;
                next_season(house).await;
            }
            assert_eq!(tier_of(&keeper, "a").await, "gold");
            for tier in tiers {
                submit(&keeper, "b", &[("b", 1)]).await;
                next_season(house).await;
                assert_eq!(tier_of(&keeper, "a").await, tier, "{inactive}");
            }
            submit(&keeper, "b", &[("a", 1)]).await;
            let a = keeper.get(&format!("{ENTRIES}/a")).await.expect(200);
            assert_eq!(a["tier"], tiers[2]);
            // A score that is taken back before the end is none.
            keeper.delete(&format!("{ENTRIES}/a")).await.expect(204);
            next_season(house).await;
            let history = keeper.get(&format!("{BOARD}/tiers/a")).await.expect(200);
            assert_eq!(
                (&history["items"][0]["rank"], &history["items"][0]["outcome"]),
                (&Value::Null, &json!("stayed"))
            );
            keeper.delete(BOARD).await.expect(204);
        }
    })
    .await;
}

#[tokio::test]
async fn somebody_who_is_banned_leaves_the_rank_of_their_cohort_and_moves_nobody() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", league(json!({}))).await;
        submit(&keeper, "b", &[("a", 9), ("b", 8), ("c", 7), ("d", 6), ("e", 1)]).await;
        let ban = format!("{BOARD}/bans/a");
        keeper.put(&ban).json(&json!({ "reason": "cheats" })).await.expect(200);
        let cohort = async || ranks(&keeper.get(&format!("{ENTRIES}?cohort=1")).await.expect(200));
        assert_eq!(cohort().await, [("b".into(), 1), ("c".into(), 2), ("d".into(), 3)]);
        next_season(house).await;
        assert_eq!(
            (tier_of(&keeper, "a").await, tier_of(&keeper, "b").await),
            ("bronze".into(), "silver".into())
        );
        // Who moved up has done so: that the ban is lifted after the end changes ranks alone.
        keeper.delete(&ban).await.expect(204);
        let past = keeper.get(&format!("{ENTRIES}?window=1&cohort=1")).await.expect(200);
        assert_eq!(ranks(&past)[0], ("a".into(), 1));
        next_season(house).await;
        assert_eq!(
            (tier_of(&keeper, "a").await, tier_of(&keeper, "b").await),
            ("bronze".into(), "silver".into())
        );
    })
    .await;
}

#[tokio::test]
async fn whoever_comes_back_from_a_ban_takes_a_seat_with_the_next_score() {
    with_feed()
        .holding_the_clock()
        .on_both_engines(async |house: &Program| {
            let keeper = admin(house).await;
            let mut settings = league(json!({}));
            settings["operator"] = json!("incr");
            make_board(&keeper, "b", settings).await;
            put_rule(&keeper, "like", like_rule(json!({}))).await;
            let ban = format!("{BOARD}/bans/{}", user(1));
            keeper.put(&ban).json(&json!({ "reason": "cheats" })).await.expect(200);
            // What a rule scores of somebody who is banned is kept, and counts later.
            tell(house, &[liked(1, 2), liked(3, 2)]).await;
            comes_to(&keeper, 3, 1).await;
            keeper.delete(&ban).await.expect(204);
            comes_to(&keeper, 1, 1).await;
            let cohort =
                async || ranks(&keeper.get(&format!("{ENTRIES}?cohort=1")).await.expect(200));
            assert_eq!(cohort().await, [(user(3).to_string(), 1)]);
            tell(house, &[liked(1, 4)]).await;
            comes_to(&keeper, 1, 2).await;
            assert_eq!(cohort().await, [(user(1).to_string(), 1), (user(3).to_string(), 2)]);
        })
        .await;
}

#[tokio::test]
async fn other_tiers_begin_with_the_next_season_and_what_would_be_open_is_refused() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let put = async |more: Value| keeper.put(BOARD).json(&settings(more)).await;
        let mut odd = league(json!({ "names": ["a"], "cohort_size": 1 }));
        odd.as_object_mut().unwrap().remove("reset");
        let problem = put(odd).await.expect_problem(422, "invalid");
        let at = |fault: &Value| fault["pointer"].as_str().unwrap().to_owned();
        let at: Vec<_> = problem["errors"].as_array().unwrap().iter().map(at).collect();
        assert_eq!(at, ["/tiers", "/tiers/names", "/tiers/cohort_size", "/tiers/relegate"]);
        // A board that has scores gets tiers at its next reset; one without gets them at once.
        make_board(&keeper, "b", json!({ "reset": { "cron": "0 0 * * *" } })).await;
        submit(&keeper, "b", &[("a", 5)]).await;
        put(league(json!({}))).await.expect(200);
        submit(&keeper, "b", &[("b", 6)]).await;
        assert!(seats(&keeper.get(ENTRIES).await.expect(200)).is_empty());
        keeper.get(&format!("{BOARD}/tiers/b")).await.expect_problem(404, "not_found");
        next_season(house).await;
        // Nobody has a seat yet: other rules and names hold at once.
        put(league(json!({ "names": ["low", "high"] }))).await.expect(200);
        submit(&keeper, "b", &[("a", 5), ("b", 6)]).await;
        assert_eq!(tier_of(&keeper, "a").await, "low");
        let refused = put(league(json!({}))).await.expect_problem(409, "conflict");
        assert!(refused["detail"].as_str().unwrap().contains("above the highest"), "{refused}");
        // The rules of a season that is played stay.
        let more = json!({ "names": ["low", "high", "top"], "promote": { "percent": 0 } });
        put(league(more)).await.expect(200);
        next_season(house).await;
        assert_eq!(tier_of(&keeper, "b").await, "high", "one moved up, as it was said");
        submit(&keeper, "b", &[("b", 6)]).await;
        next_season(house).await;
        assert_eq!(tier_of(&keeper, "b").await, "low", "the last and only one moves down");
        // Without tiers the present season moves nobody; later the board has them again.
        submit(&keeper, "b", &[("b", 6)]).await;
        let edit = keeper.patch(BOARD, json!({ "tiers": null })).await.expect(200);
        assert!(edit["tiers"].is_null());
        assert!(seats(&keeper.get(ENTRIES).await.expect(200)).is_empty());
        next_season(house).await;
        keeper.patch(BOARD, json!({ "reset": null })).await.expect(200);
        let tiers = league(json!({ "names": ["low", "high", "top"] }));
        keeper
            .patch(BOARD, json!({ "tiers": tiers["tiers"] }))
            .await
            .expect_problem(422, "invalid");
        put(league(json!({}))).await.expect_problem(409, "conflict");
        put(tiers).await.expect(200);
        submit(&keeper, "b", &[("b", 6)]).await;
        next_season(house).await;
        assert_eq!(tier_of(&keeper, "b").await, "high");
    })
    .await;
}

/// A league as a few lines say it, to compare with.
#[derive(Default)]
struct Told {
    tier: BTreeMap<String, i64>,
}

impl Told {
    /// Plays a season with these scores, in the order in which they came, by the rules of [`league`] with cohorts of
    /// four; returns the cohort of each.
    fn season(&mut self, scores: &[(String, i64)]) -> BTreeMap<String, usize> {
        let mut cohorts: Vec<(i64, Vec<(String, i64)>)> = Vec::new();
        let mut cohort_of = BTreeMap::new();
        for (owner, score) in scores {
            let tier = *self.tier.entry(owner.clone()).or_default();
            let open = cohorts.iter().position(|(of, list)| *of == tier && list.len() < 4);
            let at = open.unwrap_or_else(|| {
                cohorts.push((tier, Vec::new()));
                cohorts.len() - 1
            });
            cohorts[at].1.push((owner.clone(), *score));
            cohort_of.insert(owner.clone(), at + 1);
        }
        for (tier, mut list) in cohorts {
            // Stable: of equal scores the earlier one is first.
            list.sort_by_key(|(_, score)| -score);
            let count = list.len();
            for (place, (owner, _)) in list.into_iter().enumerate() {
                let next = match place {
                    0 if tier < 2 => tier + 1,
                    last if last + 1 == count && tier > 0 => tier - 1,
                    _ => tier,
                };
                self.tier.insert(owner, next);
            }
        }
        cohort_of
    }
}

#[tokio::test]
async fn six_seasons_end_as_a_plain_retelling_of_the_rules_does() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", league(json!({}))).await;
        let (mut told, mut seed) = (Told::default(), 7_u64);
        let mut roll = |sides: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % sides
        };
        for season in 1..=6 {
            let mut owners: Vec<String> = (0..30).map(|n| format!("owner{n:02}")).collect();
            for place in (1..owners.len()).rev() {
                owners.swap(place, usize::try_from(roll(place as u64 + 1)).unwrap());
            }
            owners.truncate(20 + usize::try_from(roll(10)).unwrap());
            let scores: Vec<(String, i64)> =
                owners.into_iter().map(|owner| (owner, i64::try_from(roll(5)).unwrap())).collect();
            for some in scores.chunks(7) {
                let some: Vec<(&str, i64)> = some.iter().map(|(o, s)| (&**o, *s)).collect();
                submit(&keeper, "b", &some).await;
            }
            let tiers = told.tier.clone();
            let cohorts = told.season(&scores);
            let page = keeper.get(&format!("{ENTRIES}?limit=100")).await.expect(200);
            let names = ["bronze", "silver", "gold"];
            let expected: BTreeMap<String, (String, i64)> = cohorts
                .into_iter()
                .map(|(owner, cohort)| {
                    let tier = tiers.get(&owner).copied().unwrap_or(0);
                    let tier = names[usize::try_from(tier).unwrap()].to_owned();
                    (owner, (tier, i64::try_from(cohort).unwrap()))
                })
                .collect();
            assert_eq!(seats(&page), expected, "season {season}");
            next_season(house).await;
        }
        assert_eq!(facts::<SeasonEndedV1>(house).await.len(), 6);
    })
    .await;
}

/// Scores of so many owners, each as many points as its number, in one request.
async fn submit_many(keeper: &Client, owners: impl Iterator<Item = u32>) {
    let list: Vec<Value> =
        owners.map(|n| json!({ "owner": format!("o{n:05}"), "scores": [n] })).collect();
    keeper.post(&format!("{BOARD}/scores"), json!(list)).await.expect(200);
}

#[tokio::test]
async fn a_large_season_is_settled_by_steps_once_and_seats_of_the_next_follow_in_order() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().holding_the_clock().start(engine).await;
        let keeper = admin(&house).await;
        let more = json!({ "cohort_size": 100, "promote": { "percent": 10 } });
        make_board(&keeper, "b", league(more)).await;
        submit_many(&keeper, 0..5_050).await;
        house.clock().advance_s(DAY_S);
        // Scores of the next season come before anybody knows their tier: of each cohort the last ten move up.
        submit_many(&keeper, (0..5_050).rev().step_by(50)).await;
        // Two seasons end before the first one is settled, and the program ends in between.
        house.clock().advance_s(DAY_S);
        submit_many(&keeper, [5_049, 0, 1].into_iter()).await;
        let house = house.restart().await;
        let keeper = keeper.at(&house);
        let twin = match engine {
            Engine::Postgres => Some(house.twin().await),
            Engine::Sqlite => None,
        };
        eventually("two seasons are settled and the third has seats", async || {
            let page = keeper.get(ENTRIES).await.expect(200);
            seats(&page).len() == 3
        })
        .await;
        let page = keeper.get(&format!("{ENTRIES}?window=2&limit=1000")).await.expect(200);
        let mut cohorts: BTreeMap<String, i64> = BTreeMap::new();
        for n in (0..5_050).rev().step_by(50) {
            let owner = format!("o{n:05}");
            let (tier, cohort) = &seats(&page)[&owner];
            // Of cohorts of a hundred the ten with the highest numbers: every second one of these.
            let expected = if n % 100 >= 90 { "silver" } else { "bronze" };
            let expected = if n >= 5_045 { "silver" } else { expected };
            assert_eq!(tier, expected, "{owner}");
            cohorts.insert(tier.clone(), *cohort);
        }
        let filled = [("bronze".to_owned(), 2), ("silver".to_owned(), 1)];
        assert_eq!(cohorts, BTreeMap::from(filled), "who scored first opened the first cohort");
        let ended: Vec<CohortEndedV1> = facts(&house).await;
        let mut once: Vec<_> = ended.iter().map(|it| (it.period, it.cohort)).collect();
        once.sort_unstable();
        let count = once.len();
        once.dedup();
        assert_eq!(count, once.len(), "each cohort is settled once");
        let seasons: Vec<_> = facts::<SeasonEndedV1>(&house).await;
        let seasons: Vec<_> = seasons.iter().map(|it| (it.period, it.cohort_count)).collect();
        assert_eq!(seasons, [(1, 51), (2, i64::try_from(count).unwrap() - 51)]);
        if let Some(twin) = twin {
            twin.end().await;
        }
        // From then on seats are taken with the first score.
        submit(&keeper, "b", &[("new", 5)]).await;
        let new = keeper.get(&format!("{ENTRIES}/new")).await.expect(200);
        assert_eq!(new["tier"], "bronze");
        house.end().await;
    }
}
