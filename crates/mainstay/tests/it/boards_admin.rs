//! What administrators and moderators of boards keep, in a real browser: rules, prizes, the ledger, bans.

use mainstay_testkit::{Page, keys};
use serde_json::{Value, json};

use crate::{
    competitions::{compete, join, look, now, over, picture, staff, walk},
    console::{Site, sees},
};

async fn set(page: &Page, name: &str, value: &str) {
    let field = format!("document.querySelector('form [name={name}]')");
    page.run(&format!("{field}.value = {}", json!(value))).await.unwrap();
}

async fn told(page: &Page, text: &str) {
    sees(page, &format!("document.querySelector('[data-flash]')?.textContent.includes('{text}')"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_tried_on_what_was_told_then_made_changed_and_deleted() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    let page = site.browser("keeper").await;
    look(&site, &page, "boards-admin", &[("/admin/boards/rules", "rules-empty")]).await;
    let board = json!({ "title": "Liked", "operator": "incr", "columns": [{ "name": "points" }] });
    site.call("PUT", "/api/v1/boards/liked", &keeper, board).await;
    let ada = site.person("ada").await;
    let post = json!({ "caption": "Boats" });
    let post = site.call("POST", "/api/v1/posts", &ada, post).await;
    let like = format!("/api/v1/posts/{}/like", post["id"].as_str().unwrap());
    for handle in ["bea", "cid", "ada"] {
        let person = if handle == "ada" { ada.clone() } else { site.person(handle).await };
        site.call("PUT", &like, &person, Value::Null).await;
    }

    page.resize(1280, 1400).await.unwrap();
    page.goto(&site.url("/admin/boards")).await.unwrap();
    sees(&page, "location.pathname === '/admin/boards/rules'").await;
    page.click(".page-head-end a").await.unwrap();
    sees(&page, "document.querySelector('#f-id')").await;
    for (name, value) in
        [("id", "likes"), ("when", "user != "), ("owner", "author"), ("board", "liked")]
    {
        set(&page, name, value).await;
    }
    page.click("button[value=try]").await.unwrap();
    sees(&page, "document.querySelector('#when-error')").await;
    sees(&page, "document.querySelector('#f-owner').value === 'author'").await;
    set(&page, "when", "user != author").await;
    page.click("button[value=try]").await.unwrap();
    sees(&page, "document.querySelectorAll('#tried tbody tr').length === 3").await;
    sees(
        &page,
        "document.querySelector('#tried .sub').textContent.startsWith('2 scored, 1 passed over')",
    )
    .await;
    sees(&page, "document.querySelector('#tried').textContent.includes('@cid')").await;
    let scored = site.call("GET", "/api/v1/boards/liked/entries", "", Value::Null).await;
    assert_eq!(scored["count"], 0, "nothing was written");
    page.click("button[value=save]").await.unwrap();
    told(&page, "likes is saved").await;
    page.click(".tag-row").await.unwrap();
    sees(&page, "document.querySelector('h1').textContent === 'likes'").await;
    set(&page, "value", "2").await;
    page.click("button[value=save]").await.unwrap();
    told(&page, "likes is saved").await;
    let rule = site.call("GET", "/api/v1/boards/rules/likes", &keeper, Value::Null).await;
    assert_eq!((&rule["value"], &rule["when"]), (&json!(2), &json!("user != author")));

    // A fact that the rule cannot be applied to is counted in the list and told on its page.
    let odd =
        json!({ "on": "feed.post_liked.v1", "owner": "author", "board": "nowhere", "value": 1 });
    let board = json!({ "title": "Gone", "operator": "incr", "columns": [{ "name": "points" }] });
    site.call("PUT", "/api/v1/boards/nowhere", &keeper, board).await;
    site.call("PUT", "/api/v1/boards/rules/odd", &keeper, odd).await;
    site.call("DELETE", "/api/v1/boards/nowhere", &keeper, Value::Null).await;
    let dan = site.person("dan").await;
    site.call("PUT", &like, &dan, Value::Null).await;
    mainstay_testkit::program::eventually("the rule to fail", async || {
        let rule = site.call("GET", "/api/v1/boards/rules/odd", &keeper, Value::Null).await;
        !rule["errors"].as_array().unwrap().is_empty()
    })
    .await;
    page.goto(&site.url("/admin/boards/rules")).await.unwrap();
    sees(&page, "document.querySelector('.mark.bad').textContent === '1 error'").await;
    page.goto(&site.url("/admin/boards/rules/odd")).await.unwrap();
    sees(
        &page,
        "document.querySelector('#failed').closest('section').textContent.includes('nowhere')",
    )
    .await;
    let folder = "boards-admin";
    look(
        &site,
        &page,
        folder,
        &[
            ("/admin/boards/rules", "rules"),
            ("/admin/boards/rules/odd", "rule"),
            ("/admin/boards/new-rule", "rule-new"),
        ],
    )
    .await;
    page.goto(&site.url("/admin/boards/rules/likes")).await.unwrap();
    page.click("button[value=try]").await.unwrap();
    sees(&page, "document.querySelector('#tried tbody tr')").await;
    picture(&page, folder, "rule-tried").await;

    // Deleting is taken back while the message stands, and done when the page is left.
    let rules = async || site.call("GET", "/api/v1/boards/rules", &keeper, Value::Null).await;
    page.resize(1280, 800).await.unwrap();
    for (act, left) in [(Some(".toast button"), 2), (None, 1)] {
        page.goto(&site.url("/admin/boards/rules")).await.unwrap();
        page.click("#rule-likes form[action$=delete] button").await.unwrap();
        sees(&page, "document.querySelector('.toast').textContent.includes('Rule deleted')").await;
        sees(&page, "document.querySelector('#rule-likes').hidden").await;
        assert_eq!(rules().await["items"].as_array().unwrap().len(), 2, "not yet");
        if let Some(button) = act {
            page.click(button).await.unwrap();
            sees(&page, "!document.querySelector('#rule-likes').hidden").await;
        }
        page.goto(&site.url("/boards")).await.unwrap();
        mainstay_testkit::program::eventually("what was deleted is gone", async || {
            rules().await["items"].as_array().unwrap().len() == left
        })
        .await;
    }
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn prizes_are_calculated_by_one_administrator_approved_by_another_and_the_ledger_shows_it() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    staff(&site, "admin", "second").await;
    let soon = now().plus_s(6);
    let race = json!({ "name": "Stairs", "ends_at": soon, "join_until": soon });
    let race = compete(&site, &keeper, race).await;
    for (at, handle) in ["ada", "bea", "cid", "dan"].into_iter().enumerate() {
        let person = site.person(handle).await;
        join(&site, &person, &race).await;
        walk(&site, &person, 1_000 - 100 * i64::try_from(at).unwrap()).await;
    }
    over(&site, &race).await;
    let page = site.browser("keeper").await;
    page.resize(1280, 1400).await.unwrap();
    page.goto(&site.url("/admin/boards/prizes")).await.unwrap();
    page.click("form[action$=propose] button").await.unwrap();
    told(&page, "Prizes calculated").await;
    // One's own calculation is not for oneself to approve.
    sees(&page, "!document.querySelector('form[action$=approve]')").await;
    let second = site.browser("second").await;
    second.resize(1280, 1400).await.unwrap();
    look(&site, &second, "boards-admin", &[("/admin/boards/prizes", "prizes")]).await;
    second.goto(&site.url("/admin/boards/prizes")).await.unwrap();
    sees(
        &second,
        "document.querySelector('form[action$=approve]').textContent.includes('₹120.00')",
    )
    .await;
    second.resize(1280, 1400).await.unwrap();
    second.click("form[action$=approve] button").await.unwrap();
    told(&second, "The prizes are paid").await;
    sees(&second, "document.querySelector('.tile-head .mark').textContent === 'Paid'").await;
    let deeds = "document.querySelector('.cards .hint').textContent";
    sees(
        &second,
        &format!(
            "{deeds}.includes('Calculated by @keeper') && {deeds}.includes('approved by @second')"
        ),
    )
    .await;

    page.goto(&site.url("/admin/boards/ledger")).await.unwrap();
    sees(
        &page,
        "document.querySelector('.notice.positive').textContent.includes('together: ₹0.00')",
    )
    .await;
    // The pool, both accounts of the house, four people.
    sees(&page, "document.querySelectorAll('[data-list=accounts] > tr').length === 7").await;
    // On a phone: whose, and how much.
    page.resize(360, 900).await.unwrap();
    let cells = "[...document.querySelectorAll('[data-list=accounts] :is(.name, .money)')]";
    sees(&page, &format!("{cells}.some((cell) => cell.textContent === '@ada')")).await;
    sees(&page, &format!("{cells}.length === 14 && {cells}.every((cell) => cell.getBoundingClientRect().right <= 360)"))
        .await;
    page.resize(1280, 1400).await.unwrap();
    page.type_into("[name=account]", "@nobodyhere").await.unwrap();
    page.click(".search-box button").await.unwrap();
    sees(
        &page,
        "document.querySelector('#account-error')?.textContent === 'Nobody has this handle.'",
    )
    .await;
    page.run("document.querySelector('[name=account]').value = ''").await.unwrap();
    page.type_into("[name=account]", "@ada").await.unwrap();
    page.click(".search-box button").await.unwrap();
    sees(&page, "document.querySelectorAll('[data-list=entries] > tr').length === 2").await;
    sees(&page, "document.querySelector('.standing-rank').textContent.includes('₹20.00')").await;
    let account = page.run("return location.pathname + location.search").await.unwrap();
    page.click("[data-list=entries] td:last-child a").await.unwrap();
    sees(&page, "document.querySelector('tfoot .number')?.textContent === '₹0.00'").await;
    let transfer = page.run("return location.pathname").await.unwrap();
    look(
        &site,
        &page,
        "boards-admin",
        &[
            ("/admin/boards/prizes", "prizes-paid"),
            ("/admin/boards/ledger", "ledger"),
            (account.as_str().unwrap(), "account"),
            ("/admin/boards/ledger?account=nobody", "account-empty"),
            (transfer.as_str().unwrap(), "transfer"),
        ],
    )
    .await;
    page.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_ban_and_lift_bans_and_nobody_else_sees_these_pages() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    staff(&site, "moderator", "judge").await;
    let board = json!({ "title": "Runs", "operator": "best", "columns": [{ "name": "points" }] });
    site.call("PUT", "/api/v1/boards/runs", &keeper, board).await;
    let ada = site.person("ada").await;
    let id = site.call("GET", "/api/v1/me", &ada, Value::Null).await["id"].clone();
    let replay = json!({ "address": "https://example.org/replays/17", "frames": [120, 240] });
    let bot = json!({ "owner": "Bot", "scores": [9], "evidence": replay });
    let scores = json!([{ "owner": id, "scores": [5] }, bot]);
    site.call("POST", "/api/v1/boards/runs/scores", &keeper, scores).await;
    let page = site.browser("judge").await;
    page.resize(1280, 1400).await.unwrap();
    page.goto(&site.url("/admin/boards")).await.unwrap();
    sees(&page, "location.pathname === '/admin/boards/bans'").await;
    sees(&page, "document.querySelectorAll('.main .tabs a').length === 2").await;
    let send = async |owner: &str, board: &str| {
        for (name, value) in [("owner", owner), ("board", board), ("reason", "A script")] {
            let field = format!("document.querySelector('#f-{name}')");
            page.run(&format!("{field}.value = {}", json!(value))).await.unwrap();
        }
        page.click("form .button.danger").await.unwrap();
    };
    send("@nobody", "runs").await;
    sees(&page, "document.querySelector('#owner-error')?.textContent.includes('Nobody')").await;
    send("@ada", "walks").await;
    sees(&page, "document.querySelector('#board-error')?.textContent.includes('no board')").await;
    send("Bot", "runs").await;
    told(&page, "Banned").await;
    sees(&page, "document.querySelector('[data-list=bans] .name').textContent === 'Bot'").await;
    send("@ada", "").await;
    sees(&page, "document.querySelector('[data-list=bans] .name')?.textContent === '@ada'").await;
    let left = site.call("GET", "/api/v1/boards/runs/entries", "", Value::Null).await;
    assert_eq!(left["count"], 0);
    page.goto(&site.url("/admin/boards/bans?board=walks")).await.unwrap();
    let unknown = "document.querySelector('#listed-error')?.textContent";
    sees(&page, &format!("{unknown} === 'There is no board of this name.'")).await;
    sees(&page, "document.querySelector('.search-box input').value === 'walks' && document.querySelector('#f-reason')")
        .await;
    look(
        &site,
        &page,
        "boards-admin",
        &[
            ("/admin/boards/bans", "bans"),
            ("/admin/boards/bans?board=walks", "bans-unknown"),
            ("/admin/boards/bans?board=runs", "bans-board"),
            ("/admin/boards/evidence?board=runs&owner=Bot", "evidence"),
            ("/admin/boards/evidence?board=runs&owner=@ada", "evidence-none"),
            ("/admin/boards/evidence?board=runs", "evidence-refused"),
        ],
    )
    .await;
    page.resize(1280, 1400).await.unwrap();
    page.goto(&site.url("/admin/boards/bans?board=runs")).await.unwrap();
    page.click("form[action$=lift] button").await.unwrap();
    told(&page, "The ban is lifted").await;
    let back = site.call("GET", "/api/v1/boards/runs/entries", "", Value::Null).await;
    assert_eq!(back["count"], 1);

    page.goto(&site.url("/admin/boards/ledger")).await.unwrap();
    sees(&page, "document.querySelector('.fault-status').textContent === '403'").await;
    page.close().await.unwrap();
    let stranger = mainstay_testkit::Chromium::shared().open(1280, 900).await.unwrap();
    for path in ["rules", "new-rule", "prizes", "ledger", "bans", "evidence"] {
        stranger.goto(&site.url(&format!("/admin/boards/{path}"))).await.unwrap();
        sees(&stranger, "location.pathname === '/sign-in'").await;
    }
    stranger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_palette_offers_what_one_may_do_and_the_sheet_of_keys_names_where_they_lead() {
    let site = Site::open();
    staff(&site, "admin", "keeper").await;
    site.person("ada").await;
    let (keeper, ada) = (site.browser("keeper").await, site.browser("ada").await);
    let offers = "[...document.querySelectorAll('#palette-list [role=option]')]";
    for page in [&keeper, &ada] {
        page.press(&format!("{}k", keys::CONTROL)).await.unwrap();
        page.press("dashboard").await.unwrap();
        sees(page, &format!("{offers}[0]?.textContent.startsWith('Dashboard')")).await;
        page.run("document.querySelector('#palette-input').value = ''").await.unwrap();
        page.press("new comp").await.unwrap();
    }
    // What is left is what stands below any list: a search.
    sees(&ada, &format!("{offers}[0]?.textContent.startsWith('Search people')")).await;
    sees(&keeper, &format!("{offers}[0]?.textContent === 'New competition'")).await;
    keeper.press(keys::ENTER).await.unwrap();
    sees(&keeper, "location.pathname === '/competitions/new'").await;

    ada.press(keys::ESCAPE).await.unwrap();
    for (page, admin) in [(&keeper, true), (&ada, false)] {
        page.run("document.querySelector('#main').focus()").await.unwrap();
        page.press("?").await.unwrap();
        let told = "document.querySelector('#keys[open] #keys-list')?.textContent";
        sees(page, &format!("{told}?.includes('gtGo to: Competitions')")).await;
        sees(page, &format!("{told}.includes('Audit log') === {admin}")).await;
    }
    picture(&keeper, "boards-admin", "keys").await;
    crate::console::done(keeper).await;
    crate::console::done(ada).await;
}
