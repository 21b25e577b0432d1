//! The console's pages of Boards, as the browser asks for them: what each reads is there on both engines.

use mainstay_core::auth::Role;
use mainstay_testkit::program::Client;
use serde_json::{Value, json};

use crate::{
    admin, both_engines_held,
    competitions::{PATH, over},
    make_board,
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
        assert!(shown.contains("You won ₹") && shown.contains("Prizes paid₹90.00"), "{shown}");
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
        let missing =
            judge.get("/admin/boards/bans?board=walks").header("accept", "text/html").await;
        assert_eq!(missing.status, 404);
    })
    .await;
}
