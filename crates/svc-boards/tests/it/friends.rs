//! Ranks among friends: whom the caller follows in Feed, exact among themselves, in pages that stand still.

use mainstay_core::contract::{feed::FollowStateV1, id::UserId};
use mainstay_testkit::program::{Client, Engine, Program, eventually};
use serde_json::{Value, json};

use crate::{
    admin, both_engines, make_board, ranks,
    rules::{tell, user, with_feed},
    submit,
};

const ENTRIES: &str = "/api/v1/boards/b/entries";

fn id(client: &Client) -> UserId {
    client.id.parse().unwrap()
}

fn follow(from: UserId, to: u128, follows: bool, version: i64) -> FollowStateV1 {
    FollowStateV1 { user: from, target: user(to), follows, version }
}

async fn among(client: &Client, more: &str) -> Value {
    client.get(&format!("{ENTRIES}?friends=true{more}")).await.expect(200)
}

/// Waits until so many of the caller and their friends have an entry.
async fn comes_to(client: &Client, count: u64) {
    eventually("Feed's follows are taken", async || among(client, "").await["count"] == count)
        .await;
}

/// Names of the owners, the caller's as `me`.
fn names(client: &Client, page: &Value) -> Vec<String> {
    let name = |owner: String| match owner == client.id {
        true => "me".to_owned(),
        false => (0..200).find(|n| user(*n).to_string() == owner).unwrap().to_string(),
    };
    ranks(page).into_iter().map(|(owner, _)| name(owner)).collect()
}

async fn score(keeper: &Client, list: &[(UserId, i64)]) {
    let list: Vec<(String, i64)> =
        list.iter().map(|(owner, score)| (owner.to_string(), *score)).collect();
    let list: Vec<(&str, i64)> = list.iter().map(|(owner, score)| (&**owner, *score)).collect();
    submit(keeper, "b", &list).await;
}

#[tokio::test]
async fn friends_are_ranked_among_themselves_and_follow_what_feed_says() {
    with_feed()
        .on_both_engines(async |house: &Program| {
            let (keeper, ada) = (admin(house).await, house.person("ada").await);
            make_board(&keeper, "b", json!({ "operator": "set", "slices": ["country"] })).await;
            let me = id(&ada);
            score(&keeper, &[(user(1), 50), (user(2), 40), (me, 30), (user(3), 20), (user(4), 10)])
                .await;
            assert_eq!(names(&ada, &among(&ada, "").await), ["me"], "nobody is followed yet");
            // 9 has no entry; 3 is somebody else's friend.
            let told = [(1, true), (4, true), (9, true)].map(|(to, on)| follow(me, to, on, 1));
            tell(house, &told).await;
            tell(house, &[follow(user(1), 3, true, 5)]).await;
            comes_to(&ada, 3).await;
            let page = among(&ada, "").await;
            let me_of = |rank| (ada.id.clone(), rank);
            let ranked = [(user(1).to_string(), 1), me_of(2), (user(4).to_string(), 3)];
            assert_eq!(ranks(&page), ranked);
            assert_eq!(page["items"][1]["scores"], json!([30]));
            let mine = ada.get(&format!("{ENTRIES}/{me}?friends=true")).await.expect(200);
            let stands = (&mine["rank"], &mine["count"], &mine["percentile"]);
            assert_eq!(stands, (&json!(2), &json!(3), &json!(50.0)));
            let path = format!("{ENTRIES}/{me}/around?friends=true&limit=1");
            assert_eq!(ranks(&ada.get(&path).await.expect(200)), [me_of(2)]);
            let stranger = format!("{ENTRIES}/{}?friends=true", user(2));
            ada.get(&stranger).await.expect_problem(404, "not_found");
            let asked = json!({ "owners": [user(2).to_string(), user(4).to_string()] });
            let looked = ada.post(&format!("{ENTRIES}/lookup?friends=true"), asked).await;
            assert_eq!(ranks(&looked.expect(200)), [(user(4).to_string(), 3)]);
            // What moves, moves among friends too.
            score(&keeper, &[(user(4), 60)]).await;
            assert_eq!(names(&ada, &among(&ada, "").await), ["4", "1", "me"]);
            assert_eq!(names(&ada, &among(&ada, "&from_rank=2").await), ["1", "me"]);
            // An older word that comes late, and one that comes twice, change nothing.
            tell(house, &[follow(me, 1, false, 3), follow(me, 1, true, 2), follow(me, 2, true, 1)])
                .await;
            eventually("2 is followed and 1 is not", async || {
                names(&ada, &among(&ada, "").await) == ["4", "2", "me"]
            })
            .await;
            tell(house, &[follow(me, 1, true, 4), follow(me, 1, true, 4)]).await;
            comes_to(&ada, 4).await;
            // Who is banned is nobody's friend on this board.
            let reason = json!({ "reason": "cheats" });
            let ban = format!("/api/v1/boards/b/bans/{}", user(4));
            keeper.put(&ban).json(&reason).await.expect(200);
            assert_eq!(names(&ada, &among(&ada, "").await), ["1", "2", "me"]);
            // Among friends of one country.
            let list = json!([
                { "owner": user(2).to_string(), "scores": [40], "slices": { "country": "IN" } },
                { "owner": user(3).to_string(), "scores": [90], "slices": { "country": "IN" } },
            ]);
            keeper.post("/api/v1/boards/b/scores", list).await.expect(200);
            assert_eq!(names(&ada, &among(&ada, "&slice=country:IN").await), ["2"]);
        })
        .await;
}

#[tokio::test]
async fn pages_of_friends_stay_as_they_were_while_ranks_move() {
    with_feed()
        .holding_the_clock()
        .on_both_engines(async |house: &Program| {
            let (keeper, ada) = (admin(house).await, house.person("ada").await);
            make_board(&keeper, "b", json!({ "operator": "set" })).await;
            let scores: Vec<_> = (0..25).map(|n| (user(n), n as i64)).collect();
            score(&keeper, &scores).await;
            let told: Vec<_> = (0..25).map(|n| follow(id(&ada), n, true, 1)).collect();
            tell(house, &told).await;
            comes_to(&ada, 25).await;
            let first = among(&ada, "&limit=10").await;
            let mut seen = names(&ada, &first);
            let mut cursor = first["next_cursor"].as_str().unwrap().to_owned();
            score(&keeper, &[(user(0), 100), (user(24), -1), (id(&ada), 50)]).await;
            loop {
                let page = among(&ada, &format!("&limit=10&cursor={cursor}")).await;
                assert_eq!(page["count"], 25);
                seen.extend(names(&ada, &page));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            let expected: Vec<String> = (0..25).rev().map(|n: u32| n.to_string()).collect();
            assert_eq!(seen, expected);
            assert_eq!(names(&ada, &among(&ada, "&limit=2").await), ["0", "me"]);
            // A cursor is good for its reader alone, and for ten minutes.
            let bob = house.person("bob").await;
            let stolen = format!("{ENTRIES}?friends=true&limit=10&cursor={cursor}");
            bob.get(&stolen).await.expect_problem(400, "malformed_cursor");
            house.clock().advance_s(601);
            house.work("boards.forget_idle").await;
            ada.get(&stolen).await.expect_problem(410, "cursor_expired");
        })
        .await;
}

#[tokio::test]
async fn pages_among_friends_go_on_as_they_were_on_another_instance() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = with_feed().start(engine).await;
        let (keeper, ada) = (admin(&house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let told: Vec<_> = (1..=4).map(|n| follow(id(&ada), n, true, 1)).collect();
        tell(&house, &told).await;
        score(&keeper, &[(user(1), 1), (user(2), 2), (user(3), 3), (user(4), 4), (user(5), 5)])
            .await;
        comes_to(&ada, 4).await;
        let first = among(&ada, "&limit=1").await;
        assert_eq!(names(&ada, &first), ["4"]);
        score(&keeper, &[(user(1), 100), (user(4), 0), (id(&ada), 50)]).await;
        // What was in memory is gone, as it never was on another instance.
        let house = house.restart().await;
        let (keeper, ada) = (keeper.at(&house), ada.at(&house));
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = format!("&limit=2&cursor={cursor}");
        let page = among(&ada, &rest).await;
        assert_eq!((names(&ada, &page), &page["count"]), (vec!["3".into(), "2".into()], &json!(4)));
        let last = page["next_cursor"].as_str().unwrap().to_owned();
        let page = among(&ada, &format!("&limit=2&cursor={last}")).await;
        assert_eq!(names(&ada, &page), ["1"]);
        // Among others it cannot be what it was.
        let house = house.restart().await;
        let ada = ada.at(&house);
        tell(&house, &[follow(id(&ada), 4, false, 2), follow(id(&ada), 5, true, 1)]).await;
        eventually("she follows another one", async || {
            let rest = ada.get(&format!("{ENTRIES}?friends=true{rest}")).await;
            rest.status == 410
        })
        .await;
        drop(keeper);
        house.end().await;
    }
}

#[tokio::test]
async fn ranks_among_friends_equal_those_of_a_board_with_nobody_else() {
    with_feed()
        .on_both_engines(async |house: &Program| {
            let (keeper, ada) = (admin(house).await, house.person("ada").await);
            let told: Vec<_> = (0..60).step_by(3).map(|n| follow(id(&ada), n, true, 1)).collect();
            tell(house, &told).await;
            for ties in ["earliest", "owner", "shared", "dense"] {
                let more = json!({ "operator": "set", "ties": ties });
                for board in ["b", "alone"] {
                    make_board(&keeper, board, more.clone()).await;
                }
                for n in 0..60_u128 {
                    let n = n * 37 % 60;
                    let (owner, points) = (user(n).to_string(), i64::try_from(n % 7).unwrap());
                    submit(&keeper, "b", &[(&owner, points)]).await;
                    if n % 3 == 0 {
                        submit(&keeper, "alone", &[(&owner, points)]).await;
                    }
                }
                comes_to(&ada, 20).await;
                let alone = ada.get("/api/v1/boards/alone/entries?limit=100").await.expect(200);
                assert_eq!(ranks(&among(&ada, "&limit=100").await), ranks(&alone), "{ties}");
                for board in ["b", "alone"] {
                    keeper.delete(&format!("/api/v1/boards/{board}")).await.expect(204);
                }
            }
        })
        .await;
}

#[tokio::test]
async fn strangers_have_no_friends_and_without_feed_one_is_alone() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "authoritative": false })).await;
        let ada = house.person("ada").await;
        let stranger = house.stranger();
        for path in ["", "/x", "/x/around"] {
            let path = format!("{ENTRIES}{path}?friends=true");
            stranger.get(&path).await.expect_problem(401, "unauthenticated");
        }
        let lookup = format!("{ENTRIES}/lookup?friends=true");
        stranger
            .post(&lookup, json!({ "owners": [] }))
            .await
            .expect_problem(401, "unauthenticated");
        assert_eq!(among(&ada, "").await["items"], json!([]));
        ada.post("/api/v1/boards/b/scores", json!({ "scores": [3] })).await.expect(200);
        submit(&keeper, "b", &[("other", 9)]).await;
        assert_eq!(ranks(&among(&ada, "").await), [(ada.id.clone(), 1)]);
        ada.get(&format!("{ENTRIES}?friends=perhaps"))
            .await
            .expect_problem(400, "malformed_parameter");
    })
    .await;
}
