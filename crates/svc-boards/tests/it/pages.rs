//! The console's pages of Boards, as the browser asks for them: what each reads is there on both engines.

use mainstay_core::auth::Role;
use mainstay_testkit::program::Client;
use serde_json::{Value, json};

use crate::{
    admin, both_engines_held,
    competitions::{PATH, over},
    make_board, submit,
};

/// A page that is shown.
async fn page(reader: &Client, path: &str) -> String {
    let answer = reader.get(path).header("accept", "text/html").await;
    let page = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 200, "{path}: {page}");
    page
}

/// The text of a page without its tags.
fn words(page: &str) -> String {
    let mut words = String::new();
    for part in page.split('<').skip(1) {
        words.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    words
}

#[tokio::test]
async fn pages_show_what_people_did_won_and_paid() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let (id, [ada, ..]) = over(house, &keeper).await;
        let list = words(&page(&ada, "/competitions?show=completed").await);
        assert!(list.contains("Three days") && list.contains("You are in"), "{list}");
        let active = words(&page(&ada, "/competitions").await);
        assert!(active.contains("No competition runs now"), "{active}");
        let shown = words(&page(&ada, &format!("/competitions/{id}")).await);
        assert!(
            shown.contains("Prizes are paid once two administrators have seen them."),
            "{shown}"
        );

        let goal = json!({ "per_day": 500 });
        ada.put("/api/v1/activities/goals/steps").json(&goal).await.expect(200);
        let own = words(&page(&ada, "/dashboard").await);
        assert!(own.contains("You paid ₹52.01 more than you got."), "{own}");
        assert!(own.contains("900 steps in 7 days") && own.contains("500 steps"), "{own}");
        assert!(words(&page(&ada, "/dashboard/transactions").await).contains("Three days"));
        let stranger = house.stranger().get("/dashboard").header("accept", "text/html").await;
        assert!(matches!(stranger.status, 303 | 401), "{}", stranger.status);

        let second = house.person_as(Role::Admin, "second").await;
        let prizes = words(&page(&keeper, "/admin/boards/prizes").await);
        assert!(prizes.contains("To be calculated"), "{prizes}");
        keeper.post(&format!("{PATH}/{id}/payout"), Value::Null).await.expect(200);
        let prizes = page(&keeper, "/admin/boards/prizes").await;
        assert!(words(&prizes).contains("Another administrator has to approve"), "{prizes}");
        assert!(!prizes.contains("/approve"), "{prizes}");
        second.post(&format!("{PATH}/{id}/payout/approve"), Value::Null).await.expect(200);
        let prizes = words(&page(&second, "/admin/boards/prizes").await);
        assert!(prizes.contains("Calculated by @keeper") && prizes.contains("Paid"), "{prizes}");
        let shown = words(&page(&ada, &format!("/competitions/{id}")).await);
        assert!(shown.contains("You won ₹") && shown.contains("Prizes paid₹90.01"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn the_ledger_shows_every_account_and_that_nothing_is_lost() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let (id, [ada, ..]) = over(house, &keeper).await;
        let all = words(&page(&keeper, "/admin/boards/ledger").await);
        assert!(all.contains("All accounts in INR together: ₹0.00."), "{all}");
        assert!(all.contains("Prizes of Three days") && all.contains("@ada"), "{all}");
        assert!(all.contains(&format!("pool:{id}")), "{all}");
        let one = page(&keeper, "/admin/boards/ledger?account=%40ada").await;
        assert!(words(&one).contains(&format!("user:{}", ada.id)), "{one}");
        let (_, rest) = one.split_once("/admin/boards/ledger/transfer_").unwrap();
        let transfer = rest.split_once('"').unwrap().0;
        let transfer = page(&keeper, &format!("/admin/boards/ledger/transfer_{transfer}")).await;
        let said = words(&transfer);
        assert!(said.contains("−₹52.01") && said.contains("Together₹0.00"), "{said}");
        let missing = "/admin/boards/ledger/transfer_01h455vb4pex5vsknk084sn02q";
        assert_eq!(keeper.get(missing).header("accept", "text/html").await.status, 404);
        for path in ["/admin/boards/ledger", "/admin/boards/prizes", "/admin/boards/rules"] {
            let refused = ada.get(path).header("accept", "text/html").await;
            assert_eq!(refused.status, 403, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_board_with_tiers_shows_its_season_and_who_of_a_cohort_moves_up_and_down() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let tiers = json!({
            "names": ["low", "high"], "cohort_size": 3, "promote": { "count": 1 }, "relegate": { "count": 1 },
        });
        let league = json!({ "operator": "set", "reset": { "cron": "0 0 * * *" }, "tiers": tiers });
        make_board(&keeper, "b", league).await;
        submit(&keeper, "b", &[("Top", 9), (&ada.id, 5), ("End", 1), ("Lone", 4)]).await;
        let board = words(&page(&ada, "/boards/b").await);
        let said = "Up to 3 play in a cohort. At the end the first moves up, and the last moves down.";
        assert!(board.contains("high0 players") && board.contains("low4 players"), "{board}");
        assert!(board.contains(said) && board.contains("You, in cohort 1"), "{board}");
        assert!(!board.contains("Moves up"), "among everybody nobody moves: {board}");
        let own = words(&page(&ada, "/boards/b?cohort=me").await);
        assert!(own.contains("3 entries in cohort 1 of low · the first moves up to high"), "{own}");
        assert!(own.contains("TopMoves up") && own.contains("of 3") && !own.contains("Lone"), "{own}");
        assert!(!own.contains("Moves down"), "nobody falls from the lowest tier: {own}");
        let none = words(&page(&keeper, "/boards/b?cohort=me").await);
        assert!(none.contains("You are in no cohort") && none.contains("gives you a place"), "{none}");
        let stranger = house.stranger();
        let second = words(&page(&stranger, "/boards/b?cohort=2").await);
        assert!(second.contains("Cohort 2") && second.contains("Lone"), "{second}");
        let past_the_end = words(&page(&ada, "/boards/b?cohort=1&from=9").await);
        assert!(past_the_end.contains("Nobody is left here"), "{past_the_end}");
        for (query, status) in
            [("cohort=3", 404), ("cohort=x", 422), ("cohort=1&is=IN", 422), ("by=city&is=x", 422)]
        {
            let answer = ada.get(&format!("/boards/b?{query}")).header("accept", "text/html").await;
            assert_eq!(answer.status, status, "{query}");
        }
        let led = stranger.get("/boards/b?cohort=me").header("accept", "text/html").await;
        assert!(matches!(led.status, 303 | 401), "{}", led.status);

        house.clock().advance_s(86_400);
        house.work("boards.close_periods").await;
        submit(&keeper, "b", &[("Top", 2), (&ada.id, 3)]).await;
        let past = words(&page(&ada, "/boards/b?window=previous&cohort=me").await);
        assert!(past.contains("It is over. You stayed in your tier."), "{past}");
        assert!(past.contains("TopMoved up") && !past.contains("moves up to"), "{past}");
        let high = words(&page(&stranger, "/boards/b?cohort=1").await);
        assert!(high.contains("TopMoves down") && high.contains("of high"), "{high}");
        // What a board without tiers has not, its page has not either.
        make_board(&keeper, "plain", json!({})).await;
        let plain = words(&page(&ada, "/boards/plain").await);
        assert!(!plain.contains("Season") && !plain.contains("cohort"), "{plain}");
        let answer = ada.get("/boards/plain?cohort=me").header("accept", "text/html").await;
        assert_eq!(answer.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_large_cohort_is_shown_in_parts_and_its_last_are_marked_in_the_last_part() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let tiers = json!({
            "names": ["low", "high"], "cohort_size": 120, "promote": { "percent": 100 }, "relegate": { "count": 0 },
        });
        let league = |tiers: &Value| json!({ "operator": "set", "reset": { "cron": "0 0 * * *" }, "tiers": tiers });
        make_board(&keeper, "b", league(&tiers)).await;
        let names: Vec<String> = (0..105).map(|n| format!("O{n:03}")).collect();
        let scores: Vec<(&str, i64)> = names.iter().map(|name| &**name).zip((1..).map(|n| -n)).collect();
        submit(&keeper, "b", &scores).await;
        let rules = json!({ "promote": { "count": 0 }, "relegate": { "count": 3 } });
        let mut next = tiers;
        for (name, value) in rules.as_object().unwrap() {
            next[name] = value.clone();
        }
        keeper.patch("/api/v1/boards/b", json!({ "tiers": next })).await.expect(200);
        house.clock().advance_s(86_400);
        house.work("boards.close_periods").await;
        submit(&keeper, "b", &scores).await;
        let first = page(&keeper, "/boards/b?cohort=1").await;
        assert!(words(&first).contains("O099") && !words(&first).contains("O100"));
        assert!(!words(&first).contains("Moves down"), "they stand in the next part");
        assert!(words(&first).contains("Show more of the cohort"), "{first}");
        assert!(first.contains("/boards/b?cohort=1&amp;from=101"), "{first}");
        let rest = page(&keeper, "/boards/b?cohort=1&from=101").await;
        let said = words(&rest);
        assert_eq!(said.matches("Moves down").count(), 3, "{said}");
        assert!(said.contains("101O100") && said.contains("O102Moves down"), "{said}");
        assert!(!said.contains("Show more of the cohort"), "there is no third part");
    })
    .await;
}

#[tokio::test]
async fn a_period_that_is_over_and_empty_promises_nothing() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "reset": { "cron": "0 0 * * *" } })).await;
        house.clock().advance_s(86_400);
        house.work("boards.close_periods").await;
        let over = words(&page(&keeper, "/boards/b?window=previous").await);
        assert!(over.contains("Nobody scored in this period"), "{over}");
        assert!(!over.contains("first score"), "{over}");
        let now = words(&page(&keeper, "/boards/b").await);
        assert!(now.contains("The first score appears here at once."), "{now}");
    })
    .await;
}

#[tokio::test]
async fn a_board_with_slices_is_filtered_by_one() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({ "slices": ["country", "team"] })).await;
        let score = |owner: &str, points: i64, country: &str| {
            json!({ "owner": owner, "scores": [points], "slices": { "country": country } })
        };
        let list = json!([score("Far", 9, "DE"), score(&ada.id, 5, "IN"), score("Near", 4, "IN")]);
        keeper.post("/api/v1/boards/b/scores", list).await.expect(200);
        let all = page(&ada, "/boards/b").await;
        assert!(words(&all).contains("Far") && all.contains("name=\"by\""), "{all}");
        let some = page(&ada, "/boards/b?by=country&is=IN").await;
        let said = words(&some);
        assert!(said.contains("2 entries of country IN") && !said.contains("Far"), "{said}");
        assert!(said.contains("of 2") && said.contains("1@ada"), "{said}");
        assert!(!some.contains("data-ranking=\"board:b\""), "what moves live is everybody's ranking");
        let none = words(&page(&ada, "/boards/b?by=team&is=%3Cb%3E").await);
        assert!(none.contains("Nobody on this board has team &lt;b&gt;."), "{none}");
        let empty = words(&page(&ada, "/boards/b?by=country&is=").await);
        assert!(empty.contains("Far"), "without a value it is everybody: {empty}");
    })
    .await;
}

#[tokio::test]
async fn a_long_board_is_paged_and_live_on_its_first_page_alone() {
    both_engines_held(async |house| {
        let (keeper, reader) = (admin(house).await, house.stranger());
        make_board(&keeper, "runs", json!({})).await;
        let owners: Vec<String> = (0..230).map(|n| format!("owner{n:03}")).collect();
        let list: Vec<(&str, i64)> =
            owners.iter().zip(0..).map(|(owner, n)| (&**owner, 1_000 - n)).collect();
        submit(&keeper, "runs", &list).await;
        let first = page(&reader, "/boards/runs").await;
        assert!(first.contains("board:runs") && first.contains("owner099"), "{first}");
        assert!(first.contains("href=\"/boards/runs?from=101\"") && !first.contains("owner100"));
        let second = page(&reader, "/boards/runs?from=101").await;
        assert!(second.contains("owner100") && second.contains("owner199"), "{second}");
        assert!(!second.contains("board:runs"), "only the top is told live");
        assert!(second.contains("href=\"/boards/runs?from=201\""));
        let last = page(&reader, "/boards/runs?from=201").await;
        assert!(last.contains("owner229") && !last.contains("from=301"), "{last}");
        assert!(
            words(&page(&reader, "/boards/runs?from=999").await).contains("Nobody is left here")
        );
    })
    .await;
}

#[tokio::test]
async fn rules_and_bans_are_listed_with_what_is_wrong() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "runs", json!({})).await;
        let rule = json!({
            "on": "boards.goal_reached.v1", "owner": "user", "board": "runs", "value": [1],
        });
        keeper.put("/api/v1/boards/rules/goals").json(&rule).await.expect(200);
        let list = words(&page(&keeper, "/admin/boards/rules").await);
        assert!(
            list.contains("goals") && list.contains("boards.goal_reached.v1 to runs"),
            "{list}"
        );
        let form = page(&keeper, "/admin/boards/rules/goals").await;
        assert!(form.contains("value=\"boards.goal_reached.v1\" selected"), "{form}");
        let missing = keeper.get("/admin/boards/rules/nothing").header("accept", "text/html").await;
        assert_eq!(missing.status, 404);
        let judge = house.person_as(Role::Moderator, "judge").await;
        let ban = json!({ "reason": "A script" });
        judge.put("/api/v1/boards/runs/bans/Bot").json(&ban).await.expect(200);
        let bans = words(&page(&judge, "/admin/boards/bans?board=runs").await);
        assert!(bans.contains("Bot") && bans.contains("by @judge"), "{bans}");
        let none = words(&page(&judge, "/admin/boards/bans").await);
        assert!(none.contains("Nobody is banned here"), "{none}");
        let nothing = words(&page(&judge, "/admin/boards/evidence").await);
        assert!(nothing.contains("Show evidence") && !nothing.contains("submission"), "{nothing}");
        let score = json!({ "owner": "Bea", "scores": [7], "evidence": { "replay": "<b>1</b>" } });
        keeper.post("/api/v1/boards/runs/scores", score).await.expect(200);
        let sent = page(&judge, "/admin/boards/evidence?board=runs&owner=Bea").await;
        assert!(
            sent.contains("&lt;b&gt;1&lt;/b&gt;") && words(&sent).contains("submission 1"),
            "{sent}"
        );
        for (query, said) in [
            ("board=walks&owner=Bea", "There is no board of this name."),
            ("board=runs&owner=@nobody", "Nobody has this handle."),
            ("board=runs", "Say whom."),
        ] {
            let answer = judge.get(&format!("/admin/boards/evidence?{query}"));
            let answer = answer.header("accept", "text/html").await;
            assert_eq!(answer.status, 422);
            assert!(words(std::str::from_utf8(&answer.body).unwrap()).contains(said), "{query}");
        }
        let missing =
            judge.get("/admin/boards/bans?board=walks").header("accept", "text/html").await;
        assert_eq!(missing.status, 422);
        let missing = words(std::str::from_utf8(&missing.body).unwrap());
        assert!(missing.contains("There is no board of this name."), "{missing}");
        assert!(missing.contains("Ban somebody"), "the page is still there: {missing}");
    })
    .await;
}
