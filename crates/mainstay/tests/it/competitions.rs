//! Competitions in a real browser, against the real program: joining, moving live, results, making one.

use mainstay_core::{clock::Clock, contract::ts::Ts};
use mainstay_testkit::{Chromium, Page, artefacts, keys, program::eventually};
use serde_json::{Value, json};

use crate::console::{PASSWORD, Site, done, sees};

/// Width, height and whether dark is preferred, as far as pages are looked at.
const WINDOWS: [(u32, u32, bool); 4] =
    [(1280, 1200, false), (1280, 1200, true), (360, 1500, false), (360, 1500, true)];
const API: &str = "/api/v1/competitions";

pub(crate) fn now() -> Ts {
    Clock::system().now()
}

pub(crate) fn inr(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "INR" })
}

/// Makes an account of staff; returns its token.
pub(crate) async fn staff(site: &Site, role: &str, handle: &str) -> String {
    site.staff(role, handle);
    let login = json!({ "login": handle, "password": PASSWORD });
    let answer = site.call("POST", "/api/v1/auth/login", "", login).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Makes a competition of steps that began an hour ago and lasts two days, with what `more` says; returns its id.
pub(crate) async fn compete(site: &Site, keeper: &str, more: Value) -> String {
    let mut new = json!({
        "name": "Walk to the sea", "metric": "steps", "starts_at": now().plus_s(-3_600),
        "ends_at": now().plus_s(2 * 86_400), "join_until": now().plus_s(86_400),
        "fee": inr(5_000), "convenience_fee": inr(200),
    });
    for (name, value) in more.as_object().unwrap() {
        new[name] = value.clone();
    }
    let made = site.call("POST", API, keeper, new).await;
    made["id"].as_str().unwrap().to_owned()
}

/// Syncs the steps of the last half hour.
pub(crate) async fn walk(site: &Site, person: &str, steps: i64) {
    let end = now();
    let interval = json!({
        "source": "phone", "metric": "steps", "start": end.plus_s(-1_800), "end": end, "value": steps,
    });
    site.call("POST", "/api/v1/activities", person, interval).await;
}

pub(crate) async fn join(site: &Site, person: &str, id: &str) {
    site.call("POST", &format!("{API}/{id}/join"), person, json!({})).await;
}

/// Waits until a competition's results are final.
pub(crate) async fn over(site: &Site, id: &str) {
    eventually("the results to be final", async || {
        let shown = site.call("GET", &format!("{API}/{id}"), "", Value::Null).await;
        shown["settled"] == json!(true)
    })
    .await;
}

/// Looks at these pages, each with a name for its pictures, in both sizes and themes: nothing shuts anybody out, and
/// nothing scrolls sideways.
pub(crate) async fn look(site: &Site, page: &Page, part: &str, places: &[(&str, &str)]) {
    let folder = artefacts(part).unwrap();
    let mut wrong = Vec::new();
    for (path, name) in places {
        for (width, height, dark) in WINDOWS {
            page.resize(width, height).await.unwrap();
            page.prefer_dark(dark).await.unwrap();
            page.goto(&site.url(path)).await.unwrap();
            let theme = if dark { "dark" } else { "light" };
            page.screenshot(&folder.join(format!("{name}-{width}-{theme}.png"))).await.unwrap();
            let mut found = page.barriers().await.unwrap();
            let sideways = page.run("return document.documentElement.scrollWidth - innerWidth");
            if sideways.await.unwrap().as_f64().unwrap() > 0.0 {
                found.push("it scrolls sideways".to_owned());
            }
            wrong.extend(found.into_iter().map(|what| format!("{path} at {width}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Takes pictures of what a page shows now, in both sizes and themes.
pub(crate) async fn picture(page: &Page, part: &str, name: &str) {
    let folder = artefacts(part).unwrap();
    for (width, height, dark) in WINDOWS {
        page.resize(width, height).await.unwrap();
        page.prefer_dark(dark).await.unwrap();
        let theme = if dark { "dark" } else { "light" };
        page.screenshot(&folder.join(format!("{name}-{width}-{theme}.png"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_joins_by_the_form_and_sees_their_rank_move_without_a_reload() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    let id =
        compete(&site, &keeper, json!({ "capacity": 100, "starts_at": now().plus_s(-3 * 86_400) }))
            .await;
    for (handle, steps) in [("bea", 900), ("cid", 700)] {
        let person = site.person(handle).await;
        join(&site, &person, &id).await;
        walk(&site, &person, steps).await;
    }
    let ada = site.person("ada").await;
    let page = site.browser("ada").await;
    page.goto(&site.url("/competitions")).await.unwrap();
    sees(&page, "document.querySelector('.tile .facts').textContent.includes('2 of 100')").await;
    sees(&page, "document.querySelector('.tile .facts').textContent.includes('₹60.00')").await;
    page.run("window.neverReloaded = true").await.unwrap();
    page.click(".tile-name a").await.unwrap();
    sees(&page, "document.querySelector('[data-live-mark]:not([hidden])')").await;
    sees(&page, "document.querySelector('.meter + .hint').textContent === 'Began 3 days ago · ends in 2 days'").await;
    // What it costs is said before the click.
    sees(
        &page,
        "document.querySelector('form[action$=join] button').textContent.includes('₹52.00')",
    )
    .await;
    page.click("form[action$=join] button").await.unwrap();
    sees(&page, "document.querySelector('[data-flash]')?.textContent.includes('You are in')").await;
    let order = "[...document.querySelectorAll('ol[data-ranking] > li')]\
        .map((row) => row.querySelector('.rank').textContent + row.querySelector('.name').textContent).join(' ')";
    sees(&page, &format!("{order} === '1@bea 2@cid 3@ada'")).await;
    sees(&page, "document.querySelector('[data-my-gap]').textContent === '700 behind rank 2'")
        .await;

    walk(&site, &ada, 1_000).await;
    sees(&page, &format!("{order} === '1@ada 2@bea 3@cid'")).await;
    sees(&page, "document.querySelector('[data-my-rank]').textContent === '1'").await;
    sees(&page, "document.querySelector('[data-my-score]').textContent === '1,000'").await;
    sees(&page, "document.querySelector('[data-my-gap]').textContent === 'Nobody is ahead of you'")
        .await;
    assert_eq!(page.run("return window.neverReloaded").await.unwrap(), true);
    page.goto(&site.url(&format!("/competitions/{id}"))).await.unwrap();
    sees(&page, "document.querySelector('.bars').textContent.includes('1,000 steps')").await;
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_people_join_and_leave_and_a_refusal_stands_where_they_pressed() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    let teams = json!({
        "name": "Teams", "starts_at": now().plus_s(86_400), "capacity": 1, "teams": { "score": "sum" },
    });
    let id = compete(&site, &keeper, teams).await;
    let here = format!("/competitions/{id}");
    site.person("ada").await;
    let page = Chromium::shared().open(360, 1500).await.unwrap();
    page.disable_scripts(true).await.unwrap();
    page.goto(&site.url(&here)).await.unwrap();
    page.click("a[href^='/sign-in?return_to=/competitions/']").await.unwrap();
    page.type_into("#f-login", "ada").await.unwrap();
    page.type_into("#f-password", PASSWORD).await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "document.querySelector('form[action$=join]')").await;
    let send = async |team: &str| {
        page.run("document.querySelector('#f-team').removeAttribute('required')").await.unwrap();
        page.type_into("#f-team", team).await.unwrap();
        page.click("form[action$=join] button").await.unwrap();
    };
    send(" ").await;
    sees(&page, "document.querySelector('#team-error')?.textContent.includes('Name your team')")
        .await;
    send("Walkers").await;
    sees(&page, "document.querySelector('#you + .mark bdi')?.textContent === 'Walkers'").await;
    page.goto(&site.url(&format!("{here}?show=teams"))).await.unwrap();
    sees(&page, "document.querySelector('.rank-row.own .name')?.textContent === 'Walkers'").await;
    page.goto(&site.url(&here)).await.unwrap();
    // Nobody leads before it begins.
    sees(&page, "document.querySelector('.rank-row.own a.name')?.textContent === '@ada'").await;
    sees(
        &page,
        "document.querySelector('#you').closest('section').textContent.includes('It begins in')",
    )
    .await;
    sees(&page, "!document.querySelector('[data-my-rank], .rank, .score, .standing-rank')").await;
    page.click("form[action$=leave] button").await.unwrap();
    sees(&page, "document.querySelector('[data-flash]')?.textContent.includes('You left')").await;

    // Somebody else takes the only place while the form is open.
    let ben = site.person("ben").await;
    site.call("POST", &format!("{API}/{id}/join"), &ben, json!({ "team": "Others" })).await;
    send("Walkers").await;
    sees(
        &page,
        "document.querySelector('form[action$=join] .notice')?.textContent.includes('It is full')",
    )
    .await;
    sees(&page, "document.querySelector('#f-team').value === 'Walkers'").await;
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_makes_changes_and_calls_off_a_competition_by_forms() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    let page = site.browser("keeper").await;
    page.goto(&site.url("/competitions/new")).await.unwrap();
    let set = async |name: &str, value: &str| {
        let field = format!("document.querySelector('form [name={name}]')");
        page.run(&format!("{field}.value = {}", json!(value))).await.unwrap();
    };
    set("name", "Winter run").await;
    set("fee", "forty").await;
    set("starts_at", "2036-01-05T08:00").await;
    set("ends_at", "2036-01-04T08:00").await;
    page.click("form.card button.primary").await.unwrap();
    sees(&page, "document.querySelector('#fee-error')?.textContent.includes('amount')").await;
    sees(&page, "document.querySelector('#f-name').value === 'Winter run'").await;
    sees(&page, "document.querySelector('#f-starts_at').value === '2036-01-05T08:00'").await;
    set("fee", "49.90").await;
    page.click("form.card button.primary").await.unwrap();
    sees(
        &page,
        "document.querySelector('#f-ends_at-error')?.textContent.includes('after the start')",
    )
    .await;
    set("ends_at", "2036-01-12T08:00").await;
    page.click("form.card button.primary").await.unwrap();
    sees(&page, "document.querySelector('[data-flash]')?.textContent.includes('Competition made')")
        .await;
    sees(&page, "document.querySelector('.facts').textContent.includes('₹49.90')").await;

    page.click("a[href$='/edit']").await.unwrap();
    sees(&page, "document.querySelector('#f-fee')?.value === '49.90'").await;
    set("name", "Winter walk").await;
    set("fee", "").await;
    let id = page.run("return location.pathname.split('/')[2]").await.unwrap();
    let theirs = json!({ "description": "By the lake" });
    site.call("PATCH", &format!("{API}/{}", id.as_str().unwrap()), &keeper, theirs).await;
    page.click("form.card button.primary").await.unwrap();
    sees(
        &page,
        "document.querySelector('form.card .notice')?.textContent.includes('Somebody else')",
    )
    .await;
    page.click("form.card button.primary").await.unwrap();
    sees(&page, "document.querySelector('h1').textContent === 'Winter walk'").await;
    sees(&page, "document.querySelector('.facts').textContent.includes('Free')").await;
    page.click(".fold-line summary").await.unwrap();
    page.click("form[action$=cancel] button").await.unwrap();
    sees(&page, "document.querySelector('.mark.phase-cancelled')").await;
    page.close().await.unwrap();

    site.person("ada").await;
    let ada = site.browser("ada").await;
    ada.goto(&site.url("/competitions/new")).await.unwrap();
    sees(&ada, "document.querySelector('.fault-status').textContent === '403'").await;
    ada.goto(&site.url("/competitions/competition_01h455vb4pex5vsknk084sn02q")).await.unwrap();
    sees(&ada, "document.querySelector('.fault-status').textContent === '404'").await;
    ada.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn results_name_places_prizes_and_the_certificate_and_every_page_can_be_looked_at() {
    let site = Site::open();
    let (keeper, second) =
        (staff(&site, "admin", "keeper").await, staff(&site, "admin", "second").await);
    let folder = "competitions";
    let visitor = Chromium::shared().open(1280, 1200).await.unwrap();
    look(
        &site,
        &visitor,
        folder,
        &[("/competitions", "empty"), ("/competitions/nothing", "missing")],
    )
    .await;
    let long = "Run with everybody of the whole company, up and down the hills";
    let text =
        "Steps of everybody who takes part count from Saturday on.\nWalk, run, or take the stairs.";
    let running = json!({
        "name": long, "description": text, "capacity": 40, "starts_at": now().plus_s(-5 * 86_400),
        "teams": { "score": "best_n", "n": 3 },
    });
    let running = compete(&site, &keeper, running).await;
    let later =
        json!({ "name": "Ride to work", "metric": "distance", "starts_at": now().plus_s(86_400) });
    let later = compete(&site, &keeper, later).await;
    let joined = json!({ "name": "Not yet", "starts_at": now().plus_s(5 * 86_400), "ends_at": now().plus_s(9 * 86_400),
        "join_until": now().plus_s(6 * 86_400) });
    let joined = compete(&site, &keeper, joined).await;
    let soon = now().plus_s(6);
    let ended = json!({ "name": "Stairs", "ends_at": soon, "join_until": soon });
    let ended = compete(&site, &keeper, ended).await;
    for at in 0..8 {
        let person =
            site.person(["ada", "bea", "cid", "dan", "eve", "fay", "gus", "hal"][at]).await;
        let team = ["Walkers", "Runners", "الفريق"][at % 3];
        let team = json!({ "team": team });
        site.call("POST", &format!("{API}/{running}/join"), &person, team).await;
        join(&site, &person, &ended).await;
        join(&site, &person, &joined).await;
        walk(&site, &person, 4_000 - 431 * at as i64).await;
    }
    over(&site, &ended).await;
    site.call("POST", &format!("{API}/{ended}/payout"), &keeper, Value::Null).await;
    site.call("POST", &format!("{API}/{ended}/payout/approve"), &second, Value::Null).await;

    let page = site.browser("bea").await;
    page.goto(&site.url(&format!("/competitions/{ended}"))).await.unwrap();
    sees(&page, "document.querySelectorAll('#results').length === 1").await;
    let first = "document.querySelector('[data-list=results] > li')";
    sees(
        &page,
        &format!(
            "{first}.textContent.includes('@ada') && {first}.textContent.includes('won ₹144.00')"
        ),
    )
    .await;
    sees(&page, "document.querySelector('.rank-row.own').textContent.includes('won ₹72.00')").await;
    sees(&page, "document.querySelector('.rank-row.own').dataset.open === '/people/bea'").await;
    let fetched = page.run(
        "return fetch(document.querySelector('a[download]').href).then((answer) => answer.text())",
    );
    let certificate = fetched.await.unwrap();
    let api = site.call("GET", &format!("{API}/{ended}/results"), "", Value::Null).await;
    assert_eq!(certificate, api["certificate"]);

    let shown = |id: &str| format!("/competitions/{id}");
    let by_team = format!("{}?show=teams", shown(&running));
    look(
        &site,
        &page,
        folder,
        &[
            ("/competitions", "active"),
            ("/competitions?show=upcoming", "upcoming"),
            ("/competitions?show=mine", "mine"),
            (&shown(&running), "running"),
            (&by_team, "teams"),
            (&shown(&later), "join"),
            (&shown(&joined), "waiting"),
            (&shown(&ended), "ended"),
        ],
    )
    .await;
    page.close().await.unwrap();
    look(&site, &visitor, folder, &[(&shown(&later), "stranger")]).await;
    visitor.close().await.unwrap();
    let page = site.browser("keeper").await;
    let edit = format!("{}/edit", shown(&later));
    look(
        &site,
        &page,
        folder,
        &[("/competitions/new", "new"), (&edit, "edit"), (&shown(&later), "keeper")],
    )
    .await;
    page.close().await.unwrap();
}
