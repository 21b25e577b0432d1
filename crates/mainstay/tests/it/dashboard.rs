//! A person's own page in a real browser: activity, goals, what was paid; with script and without.

use mainstay_core::contract::ts::Ts;
use mainstay_testkit::{Chromium, keys, program::eventually};
use serde_json::{Value, json};

use crate::{
    competitions::{compete, join, look, now, staff},
    console::{PASSWORD, Site, sees},
};

const DAY_US: i64 = 86_400_000_000;

/// The first minutes of a day before today. They are over or nearly so, whatever the clock shows.
fn morning(days_before: i64) -> (Ts, Ts) {
    let today = now().as_micros().div_euclid(DAY_US);
    let start = Ts::from_micros((today - days_before) * DAY_US);
    (start, start.plus_s(300))
}

/// Syncs steps and distance of the last 30 days, each a little different.
async fn active(site: &Site, person: &str) {
    let mut intervals = Vec::new();
    for day in 0..30_i64 {
        let (start, end) = morning(day);
        let (steps, metres) = (2_000 - day * 7_919 % 1_700, 4_000 - day * 977 % 3_500);
        for (metric, value) in [("steps", steps), ("distance", metres)] {
            intervals.push(json!({
                "source": "watch", "metric": metric, "start": start, "end": end, "value": value,
            }));
        }
    }
    let answers = site.call("POST", "/api/v1/activities", person, json!(intervals)).await;
    for answer in answers["items"].as_array().unwrap() {
        assert_eq!(answer["status"], 200, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sees_what_they_did_sets_a_goal_and_removes_it_and_takes_that_back() {
    let site = Site::open();
    let keeper = staff(&site, "admin", "keeper").await;
    let ada = site.person("ada").await;
    let page = site.browser("ada").await;
    page.goto(&site.url("/dashboard")).await.unwrap();
    sees(&page, "document.querySelector('#goals') && document.querySelector('.empty')").await;
    look(
        &site,
        &page,
        "dashboard",
        &[("/dashboard", "empty"), ("/dashboard/transactions", "none")],
    )
    .await;

    active(&site, &ada).await;
    let id = compete(&site, &keeper, json!({})).await;
    join(&site, &ada, &id).await;
    page.resize(1280, 1600).await.unwrap();
    page.goto(&site.url("/dashboard")).await.unwrap();
    sees(&page, "document.querySelector('.today-value').textContent === '2,000'").await;
    sees(&page, "document.querySelectorAll('.bars > li').length === 7").await;
    sees(&page, "document.querySelector('#money').closest('section').textContent.includes('You paid ₹52.00 more')").await;
    sees(
        &page,
        "document.querySelector('.entry-row .inline-link').textContent === 'Walk to the sea'",
    )
    .await;
    page.run("window.neverReloaded = true").await.unwrap();
    page.type_into("#f-metric", "steps").await.unwrap();
    page.type_into("#f-per_day", "many").await.unwrap();
    let set = "form[action='/dashboard/goals'] button.primary";
    page.click(set).await.unwrap();
    sees(&page, "document.querySelector('#per_day-error')?.textContent.includes('whole number')")
        .await;
    page.run("document.querySelector('#f-per_day').value = '1,900'").await.unwrap();
    page.click(set).await.unwrap();
    sees(&page, "document.querySelector('[data-flash]')?.textContent.includes('Goal set')").await;
    sees(&page, "document.querySelector('.chip').textContent.includes('in a row')").await;
    sees(&page, "document.querySelectorAll('.bar.reached').length > 0 && document.querySelector('.bar-goal')")
        .await;
    // What is seen is heard: the bars are a list.
    sees(&page, "document.querySelector('.bars > li:last-child').textContent.includes('2,000 steps, goal reached')").await;
    page.run("[...document.querySelectorAll('.tabs a')].find((tab) => tab.textContent === '30 days').click()")
        .await
        .unwrap();
    sees(&page, "document.querySelectorAll('.bars > li').length === 30").await;
    page.run("[...document.querySelectorAll('.tabs a')].find((tab) => tab.textContent === 'Distance').click()")
        .await
        .unwrap();
    sees(&page, "document.querySelector('#days').textContent === 'Distance'").await;
    sees(&page, "document.querySelectorAll('.bars > li').length === 30").await;
    assert_eq!(page.run("return window.neverReloaded").await.unwrap(), true);
    look(
        &site,
        &page,
        "dashboard",
        &[
            ("/dashboard", "week"),
            ("/dashboard?metric=distance&days=30", "month"),
            ("/dashboard/transactions", "transactions"),
        ],
    )
    .await;
    page.goto(&site.url("/dashboard")).await.unwrap();
    let goals = async || {
        let all = site.call("GET", "/api/v1/activities/goals", &ada, Value::Null).await;
        all["items"].as_array().unwrap().len()
    };
    page.click("form[action$=remove] button").await.unwrap();
    sees(&page, "document.querySelector('#goal-steps').hidden").await;
    page.click(".toast button").await.unwrap();
    sees(&page, "document.activeElement.id === 'goal-steps'").await;
    assert_eq!(goals().await, 1);
    page.click("form[action$=remove] button").await.unwrap();
    sees(&page, "document.querySelector('#goal-steps').hidden").await;
    // Whoever goes on to another page does not want it back.
    page.goto(&site.url("/boards")).await.unwrap();
    eventually("the goal is gone", async || goals().await == 0).await;
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_says_which_of_their_sources_counts_first() {
    let site = Site::open();
    let ada = site.person("ada").await;
    let (start, end) = morning(0);
    for (source, value) in [("phone", 900), ("ring", 700), ("watch", 800)] {
        let said = json!({
            "source": source, "metric": "steps", "start": start, "end": end, "value": value,
        });
        site.call("POST", "/api/v1/activities", &ada, said).await;
    }
    let page = site.browser("ada").await;
    page.goto(&site.url("/dashboard")).await.unwrap();
    sees(&page, "document.querySelector('.today-value').textContent === '900'").await;
    let order = |names: &str| {
        format!(
            "[...document.querySelectorAll('[aria-labelledby=sources] .name')].map((it) => it.textContent).join(' ') === '{names}'"
        )
    };
    sees(&page, &order("phone ring watch")).await;
    look(&site, &page, "dashboard", &[("/dashboard", "sources")]).await;
    page.goto(&site.url("/dashboard")).await.unwrap();
    page.click("[aria-label='Let watch count earlier']").await.unwrap();
    sees(&page, &order("phone watch ring")).await;
    page.click("[aria-label='Let watch count earlier']").await.unwrap();
    sees(&page, &order("watch phone ring")).await;
    sees(&page, "document.querySelector('.today-value').textContent === '800'").await;
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_a_goal_is_set_and_removed_and_strangers_are_led_to_sign_in() {
    let site = Site::open();
    let ada = site.person("ada").await;
    active(&site, &ada).await;
    let page = Chromium::shared().open(1280, 1600).await.unwrap();
    page.disable_scripts(true).await.unwrap();
    page.goto(&site.url("/dashboard")).await.unwrap();
    sees(&page, "location.pathname === '/sign-in'").await;
    page.type_into("#f-login", "ada").await.unwrap();
    page.type_into("#f-password", PASSWORD).await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "location.pathname === '/dashboard'").await;
    page.type_into("#f-metric", "steps").await.unwrap();
    page.type_into("#f-per_day", "1000").await.unwrap();
    page.click("form[action='/dashboard/goals'] button.primary").await.unwrap();
    sees(&page, "document.querySelector('.meter.done')").await;
    let goals = site.call("GET", "/api/v1/activities/goals", &ada, Value::Null).await;
    assert_eq!(goals["items"][0]["per_day"], 1_000);
    page.click("form[action$=remove] button").await.unwrap();
    sees(&page, "document.querySelector('[data-flash]')?.textContent.includes('Goal removed')")
        .await;
    page.close().await.unwrap();
}
