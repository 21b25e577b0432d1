//! Boards in a real browser, against the real program.

use mainstay_testkit::{Chromium, artefacts, keys};
use serde_json::{Value, json};

use crate::{
    competitions::{look, picture, staff},
    console::{PASSWORD, Site, done, sees},
};

/// A token of the administrator.
async fn keeper(site: &Site) -> String {
    site.staff("admin", "keeper");
    let login = json!({ "login": "keeper", "password": PASSWORD });
    let answer = site.call("POST", "/api/v1/auth/login", "", login).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn submit(site: &Site, token: &str, scores: &[(&str, i64)]) {
    let list: Vec<Value> =
        scores.iter().map(|(owner, score)| json!({ "owner": owner, "scores": [score] })).collect();
    site.call("POST", "/api/v1/boards/weekly/scores", token, json!(list)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sees_their_rank_move_without_a_reload() {
    let site = Site::open();
    let keeper = keeper(&site).await;
    let ada = site.person("ada").await;
    let me = site.call("GET", "/api/v1/me", &ada, Value::Null).await;
    let ada_id = me["id"].as_str().unwrap();
    let board = json!({
        "title": "Steps of the week", "operator": "set", "columns": [{ "name": "steps" }],
        "reset": { "cron": "0 0 * * 1", "time_zone": "Europe/Berlin" },
    });
    site.call("PUT", "/api/v1/boards/weekly", &keeper, board).await;
    submit(&site, &keeper, &[("Bea", 900), ("Cid", 700), (ada_id, 500), ("Dan", 300)]).await;

    let page = site.browser("ada").await;
    page.goto(&site.url("/boards")).await.unwrap();
    sees(
        &page,
        "document.querySelector('.tag-row .handle').textContent.includes('Bea leads with 900')",
    )
    .await;
    page.click(".tag-row").await.unwrap();
    sees(&page, "document.querySelector('[data-live-mark]:not([hidden])')").await;
    page.run("window.neverReloaded = true").await.unwrap();
    let order = "[...document.querySelectorAll('ol[data-ranking] > li')]\
        .map((row) => row.querySelector('.rank').textContent + row.querySelector('.name').textContent).join(' ')";
    sees(&page, &format!("{order} === '1Bea 2Cid 3@ada 4Dan'")).await;

    // People have a page of their own, which the keyboard opens too; other names are names alone.
    sees(&page, "document.querySelectorAll('ol[data-ranking] a').length === 1").await;
    page.run("document.querySelector('ol[data-ranking] .own').focus()").await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "location.pathname === '/people/ada'").await;
    page.run("history.back()").await.unwrap();
    sees(&page, "document.querySelector('[data-live-mark]:not([hidden])')").await;

    submit(&site, &keeper, &[(ada_id, 1_000), ("Dan", 800)]).await;
    sees(&page, &format!("{order} === '1@ada 2Bea 3Dan 4Cid'")).await;
    sees(&page, "document.querySelector('[data-my-rank]').textContent === '1'").await;
    // Somebody whom the page does not know yet.
    submit(&site, &keeper, &[("Eve", 950)]).await;
    sees(&page, &format!("{order} === '1@ada 2Eve 3Bea 4Dan 5Cid'")).await;
    assert_eq!(page.run("return window.neverReloaded").await.unwrap(), true);

    // More than a page: what is behind the first hundred is a page of its own.
    let runners: Vec<String> = (0..120).map(|n| format!("Runner {n}")).collect();
    let many: Vec<(&str, i64)> = runners.iter().zip(1..).map(|(name, n)| (&**name, n)).collect();
    submit(&site, &keeper, &many).await;
    page.goto(&site.url("/boards/weekly")).await.unwrap();
    page.click("nav[aria-label='More places'] a").await.unwrap();
    sees(&page, "location.search === '?from=101'").await;
    sees(&page, "document.querySelector('ol.ranking > li .rank')?.textContent === '101'").await;
    let folder = artefacts("boards").unwrap();
    for (width, height) in [(1280, 900), (360, 740)] {
        let view = Chromium::shared().open(width, height).await.unwrap();
        for (path, name) in [
            ("/boards", "boards"),
            ("/boards/weekly", "boards-weekly"),
            ("/boards/weekly?from=101", "boards-weekly-101"),
            ("/boards/nothing", "boards-nothing"),
        ] {
            for dark in [false, true] {
                view.prefer_dark(dark).await.unwrap();
                view.goto(&site.url(path)).await.unwrap();
                let theme = if dark { "dark" } else { "light" };
                view.screenshot(&folder.join(format!("{name}-{width}-{theme}.png"))).await.unwrap();
            }
            assert_eq!(view.barriers().await.unwrap(), Vec::<String>::new(), "{path} at {width}");
        }
        view.close().await.unwrap();
    }
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sees_their_season_and_cohort_and_filters_a_board_by_a_slice_without_script() {
    let site = Site::open();
    let keeper = keeper(&site).await;
    let ada = site.person("ada").await;
    let me = site.call("GET", "/api/v1/me", &ada, Value::Null).await;
    let board = json!({
        "title": "Quiz league", "operator": "set", "columns": [{ "name": "points" }], "slices": ["country"],
        "reset": { "cron": "0 0 1 1 *" }, "tiers": {
            "names": ["Bronze", "Silver", "Gold", "A tier with a name as long as a name may well be"],
            "cohort_size": 5, "promote": { "count": 2 }, "relegate": { "count": 1 },
        },
    });
    site.call("PUT", "/api/v1/boards/weekly", &keeper, board).await;
    let score = |owner: &str, score: i64, country: &str| json!({ "owner": owner, "scores": [score], "slices": { "country": country } });
    let list = json!([
        score("Bea", 900, "IN"),
        score("Cid", 700, "DE"),
        score(me["id"].as_str().unwrap(), 800, "IN"),
        score("Somebody with a name of sixty characters, which is rather long", 300, "IN"),
        score("Eve", 200, "DE"),
        score("Fay", 1_000, "DE"),
        score("Gus", 50, "IN"),
    ]);
    site.call("POST", "/api/v1/boards/weekly/scores", &keeper, list).await;

    let page = site.browser("ada").await;
    let places = [
        ("/boards/weekly", "league"),
        ("/boards/weekly?cohort=me", "league-cohort"),
        ("/boards/weekly?by=country&is=IN", "league-slice"),
        ("/boards/weekly?by=country&is=XX", "league-slice-empty"),
    ];
    look(&site, &page, "boards", &places).await;
    page.resize(1280, 1200).await.unwrap();
    page.goto(&site.url("/boards/weekly")).await.unwrap();
    sees(&page, "document.querySelector('[data-live-mark]:not([hidden])')").await;
    // By keyboard: from the tab of everybody to that of the cohort.
    let everybody = "document.querySelector('nav[aria-label=Ranking] a')";
    page.run(&format!("{everybody}.focus()")).await.unwrap();
    page.press(keys::TAB).await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "location.search === '?cohort=me'").await;
    let order = "[...document.querySelectorAll('ol.card.ranking > li')].map((row) => row.querySelector('.name')\
        .textContent.slice(0, 8) + (row.querySelector('.mark')?.textContent ?? '')).join(' ')";
    let ranked = "BeaMoves up @adaMoves up Cid Somebody Eve";
    sees(&page, &format!("{order} === '{ranked}'")).await;
    done(page).await;

    let plain = Chromium::shared().open(360, 1500).await.unwrap();
    plain.disable_scripts(true).await.unwrap();
    // A stranger who asks for their cohort signs in first.
    plain.goto(&site.url("/boards/weekly?cohort=me")).await.unwrap();
    sees(&plain, "location.pathname === '/sign-in'").await;
    plain.type_into("#f-login", "ada").await.unwrap();
    plain.type_into("#f-password", PASSWORD).await.unwrap();
    plain.press(keys::ENTER).await.unwrap();
    sees(&plain, &format!("location.search === '?cohort=me' && {order} === '{ranked}'")).await;
    plain.click("nav[aria-label=Ranking] a").await.unwrap();
    plain.type_into("input[name=is]", "DE").await.unwrap();
    plain.press(keys::ENTER).await.unwrap();
    sees(&plain, &format!("{order} === 'Fay Cid Eve'")).await;
    plain.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_board_of_several_columns_everybody_is_named_and_nothing_goes_sideways() {
    let site = Site::open();
    let keeper = keeper(&site).await;
    let ada = site.person("alexandra").await;
    let me = site.call("GET", "/api/v1/me", &ada, Value::Null).await;
    let columns: Vec<Value> = ["points", "goals", "assists", "minutes", "cards"]
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    let board = json!({ "title": "Five columns", "operator": "set", "columns": columns });
    site.call("PUT", "/api/v1/boards/weekly", &keeper, board).await;
    let long = "Somebody with a name of sixty characters, which is quite long";
    let big = 9_007_199_254_740_000_i64;
    let list = json!([
        { "owner": long, "scores": [big, big, big, big, big] },
        { "owner": me["id"], "scores": [12, 3, 4, 900, 1] },
        { "owner": "Cid", "scores": [11, 3, 4, 1_200, 0] },
    ]);
    site.call("POST", "/api/v1/boards/weekly/scores", &keeper, list).await;

    let page = site.browser("alexandra").await;
    for width in [360, 640, 800, 1100, 1280] {
        page.resize(width, 900).await.unwrap();
        page.goto(&site.url("/boards/weekly")).await.unwrap();
        let figures = page
            .run(
                "return [...document.querySelectorAll('.rank-row .who')].map((who) => who.offsetWidth)\
                .concat(innerWidth - document.documentElement.scrollWidth + 100)",
            )
            .await
            .unwrap();
        let narrow = figures.as_array().unwrap().iter().any(|of| of.as_f64().unwrap() <= 80.0);
        assert!(!narrow, "widths of names, and 100 if nothing is sideways, at {width}: {figures}");
    }
    // Where there is room, nobody's name is cut.
    sees(
        &page,
        "[...document.querySelectorAll('.rank-row .name')].every((name) => name.scrollWidth <= name.clientWidth)",
    )
    .await;
    look(&site, &page, "boards", &[("/boards/weekly", "columns")]).await;
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_a_new_post_is_at_hand_where_posts_are_and_the_bar_shows_where_one_is() {
    let site = Site::open();
    staff(&site, "admin", "keeper").await;
    let page = site.browser("keeper").await;
    page.resize(360, 740).await.unwrap();
    let create = "getComputedStyle(document.querySelector('[data-create]')).display !== 'none'";
    let (bar, menu) = (".in-bar .nav-link[aria-current=page]", ".account-menu [aria-current=page]");
    for (path, posts, current) in [
        ("/home", true, bar),
        ("/explore", true, bar),
        ("/search", true, bar),
        ("/people/keeper", true, ".account-menu"),
        ("/boards", false, bar),
        ("/competitions", false, menu),
        ("/dashboard", false, menu),
        ("/admin/boards/bans", false, menu),
        ("/audit", false, menu),
        ("/settings", false, menu),
    ] {
        page.goto(&site.url(path)).await.unwrap();
        let found = page.run(&format!("return {create}")).await.unwrap();
        assert_eq!(found, posts, "is a new post at hand on {path}?");
        let found = page.run(&format!("return Boolean(document.querySelector('{current}'))")).await;
        assert_eq!(found.unwrap(), true, "{current} on {path}");
    }
    // The same where the script changes the page.
    page.goto(&site.url("/boards")).await.unwrap();
    page.click("[data-key=home]").await.unwrap();
    sees(&page, &format!("location.pathname === '/home' && {create}")).await;
    page.run("document.querySelector('.account-menu [href=\"/competitions\"]').click()")
        .await
        .unwrap();
    sees(
        &page,
        &format!("document.querySelector('{menu}')?.pathname === '/competitions' && !({create})"),
    )
    .await;
    picture(&page, "boards", "bar").await;
    done(page).await;
}
