//! How the console behaves in a real browser: by keyboard, optimistic, live, without a connection, without script.

use std::time::Duration;

use mainstay_testkit::{Chromium, Link, Page, keys};
use serde_json::{Value, json};

use crate::program::{Place, Serving, photograph};

/// How long a page may take to show something; far more than it needs.
const SOON: Duration = Duration::from_secs(60);
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running program, and its interface for what a test needs beside the pages.
pub(crate) struct Site {
    serving: Serving,
    http: reqwest::Client,
    /// Held until the program ends.
    place: Place,
}

impl Site {
    pub(crate) fn open() -> Self {
        let place = Place::new();
        let serving = place.serve_with("--set limit.enabled=false");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { serving, http, place }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.serving.address())
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let mut request = self.http.request(method.parse().unwrap(), self.url(path));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
    }

    /// Registers somebody; returns their token.
    pub(crate) async fn person(&self, handle: &str) -> String {
        let email = format!("{handle}@example.org");
        let new = json!({ "handle": handle, "email": email, "password": PASSWORD });
        let answer = self.call("POST", "/api/v1/auth/register", "", new).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Makes an account with a role, as the operator does.
    pub(crate) fn staff(&self, role: &str, handle: &str) {
        let words = format!(
            "user create {handle} --email {handle}@example.org --role {role} --password-stdin"
        );
        self.place.run_with(&words, PASSWORD).printed();
    }

    /// Publishes a post; returns its id.
    async fn post(&self, token: &str, caption: &str) -> String {
        let post = self.call("POST", "/api/v1/posts", token, json!({ "caption": caption })).await;
        post["id"].as_str().unwrap().to_owned()
    }

    /// A browser in which `handle` has signed in, on `/explore`.
    pub(crate) async fn browser(&self, handle: &str) -> Page {
        let page = Chromium::shared().open(1280, 900).await.unwrap();
        page.goto(&self.url("/sign-in?return_to=/explore")).await.unwrap();
        page.type_into("#f-login", handle).await.unwrap();
        page.type_into("#f-password", PASSWORD).await.unwrap();
        page.press(keys::ENTER).await.unwrap();
        page.wait_until("location.pathname === '/explore'", SOON).await.unwrap();
        page
    }
}

pub(crate) async fn sees(page: &Page, condition: &str) {
    page.wait_until(condition, SOON).await.unwrap();
}

async fn number(page: &Page, expression: &str) -> f64 {
    page.run(&format!("return {expression}")).await.unwrap().as_f64().unwrap()
}

/// The page is as it should be: no script complained.
pub(crate) async fn done(page: Page) {
    assert_eq!(page.console().await.unwrap(), Vec::<String>::new());
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_reached_by_keyboard_alone() {
    let site = Site::open();
    let ada = site.person("ada").await;
    for caption in ["The first", "The second", "The third"] {
        site.post(&ada, caption).await;
    }
    site.person("ben").await;
    let page = site.browser("ben").await;

    // The first Tab offers the way past the navigation, and it can be seen.
    page.press(keys::TAB).await.unwrap();
    sees(&page, "document.activeElement.matches('.skip')").await;
    sees(&page, "document.activeElement.getBoundingClientRect().top >= 0").await;
    page.press(keys::ENTER).await.unwrap();
    // Each thing that takes the focus shows it.
    for _ in 0..12 {
        page.press(keys::TAB).await.unwrap();
        let shown = "const at = document.activeElement, look = getComputedStyle(at); \
            return at === document.body || look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2 \
                || getComputedStyle(at.closest('.search-box') ?? at).outlineStyle !== 'none'";
        let at = page.run("return document.activeElement.outerHTML.slice(0, 100)").await.unwrap();
        assert_eq!(page.run(shown).await.unwrap(), true, "no visible focus on {at}");
    }

    page.goto(&site.url("/explore")).await.unwrap();
    page.press("j").await.unwrap();
    sees(&page, "document.activeElement === document.querySelectorAll('.post')[0]").await;
    page.press("jj").await.unwrap();
    sees(&page, "document.activeElement === document.querySelectorAll('.post')[2]").await;
    page.press("k").await.unwrap();
    sees(&page, "document.activeElement === document.querySelectorAll('.post')[1]").await;
    page.press("l").await.unwrap();
    sees(&page, "document.activeElement.querySelector('[data-like][aria-pressed=true]')").await;
    // The list of keys is a dialog; the focus returns to where it came from.
    page.press("?").await.unwrap();
    sees(&page, "document.querySelector('#keys').open").await;
    page.press(keys::ESCAPE).await.unwrap();
    sees(&page, "!document.querySelector('#keys').open").await;
    sees(&page, "document.activeElement === document.querySelectorAll('.post')[1]").await;
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "location.pathname.startsWith('/posts/') && document.querySelector('.single')")
        .await;
    page.press("r").await.unwrap();
    sees(&page, "document.activeElement.id === 'comment-text'").await;
    page.press("Well said").await.unwrap();
    page.press(&format!("{}{}", keys::CONTROL, keys::ENTER)).await.unwrap();
    sees(&page, "document.querySelector('.comment-text')?.textContent === 'Well said'").await;

    // The palette goes anywhere, and leaves nothing behind when it is left.
    page.run("document.querySelector('#main').focus()").await.unwrap();
    page.press(&format!("{}k", keys::CONTROL)).await.unwrap();
    sees(&page, "document.activeElement.id === 'palette-input'").await;
    page.press(keys::ESCAPE).await.unwrap();
    sees(&page, "document.activeElement.id === 'main'").await;
    page.press(&format!("{}k", keys::CONTROL)).await.unwrap();
    page.press("draf").await.unwrap();
    sees(&page, "document.querySelectorAll('#palette-list [role=option]').length === 3").await;
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "location.pathname === '/drafts'").await;
    page.press("/").await.unwrap();
    sees(&page, "location.pathname === '/search' && document.activeElement.type === 'search'")
        .await;
    page.press("ada").await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "document.querySelector('[data-item][data-open=\"/people/ada\"]')").await;
    page.press("gh").await.unwrap();
    sees(&page, "location.pathname === '/home'").await;
    page.press("c").await.unwrap();
    sees(&page, "document.querySelector('#caption')").await;
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_that_is_refused_is_taken_back_and_says_why() {
    let site = Site::open();
    let ada = site.person("ada").await;
    let post = site.post(&ada, "Soon gone").await;
    site.person("ben").await;
    let page = site.browser("ben").await;
    let pressed = |on: bool| format!("document.querySelector('[data-like][aria-pressed={on}]')");
    page.click("button[data-like]").await.unwrap();
    sees(&page, &pressed(true)).await;
    sees(&page, "document.querySelector('[data-live-count=like_count]').textContent === '1'").await;
    page.click("button[data-like]").await.unwrap();
    sees(&page, &pressed(false)).await;
    site.call("DELETE", &format!("/api/v1/posts/{post}"), &ada, Value::Null).await;
    // Shown at once, before the answer; then rolled back.
    let seen = page.run(
        "document.querySelector('button[data-like]').click(); \
        return document.querySelector('[data-like]').getAttribute('aria-pressed')",
    );
    assert_eq!(seen.await.unwrap(), "true");
    sees(&page, &pressed(false)).await;
    sees(&page, "document.querySelector('.toast p').textContent.length > 10").await;
    sees(&page, "document.querySelector('[data-live-count=like_count]').textContent === '0'").await;
    // The browser itself notes the refusal; no script failed.
    let noted = page.console().await.unwrap();
    assert!(noted.iter().all(|line| line.contains("404")), "{noted:?}");
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_posts_wait_behind_a_pill_and_counts_change_where_they_stand() {
    let site = Site::open();
    let (ada, ben) = (site.person("ada").await, site.person("ben").await);
    let first = site.post(&ada, "The first").await;
    for at in 0..12 {
        site.post(&ada, &format!("Number {at}, long enough to fill the window. ").repeat(8)).await;
    }
    let id = site.call("GET", "/api/v1/me", &ada, Value::Null).await["id"].clone();
    let follow = format!("/api/v1/users/{}/follow", id.as_str().unwrap());
    site.call("PUT", &follow, &ben, Value::Null).await;
    let page = site.browser("ben").await;
    page.press("gh").await.unwrap();
    // The page before this one shows the same posts, without the pill.
    let home = "document.querySelector('[data-pill=home]')";
    sees(&page, &format!("{home} && document.querySelector('#{first}[data-live=on]')")).await;
    page.run("scrollTo(0, 600)").await.unwrap();
    let before = number(&page, "scrollY").await;
    for caption in ["News", "More news"] {
        site.post(&ada, caption).await;
    }
    sees(&page, "document.querySelector('[data-pill=home]:not([hidden])')?.textContent.includes('2 new posts')").await;
    assert!((number(&page, "scrollY").await - before).abs() < 1.0, "the page jumped");
    site.call("PUT", &format!("/api/v1/posts/{first}/like"), &ada, Value::Null).await;
    sees(
        &page,
        &format!(
            "document.querySelector('#{first} [data-live-count=like_count]').textContent === '1'"
        ),
    )
    .await;
    assert!((number(&page, "scrollY").await - before).abs() < 1.0, "the page jumped");
    page.click("[data-pill=home]").await.unwrap();
    sees(&page, "document.querySelector('.post .caption').textContent === 'More news'").await;
    sees(&page, "scrollY === 0 && document.querySelector('[data-pill=home]').hidden").await;
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn back_and_forward_find_the_place_again() {
    let site = Site::open();
    let ada = site.person("ada").await;
    for at in 0..30 {
        site.post(&ada, &format!("Number {at}. ").repeat(20)).await;
    }
    site.person("ben").await;
    let page = site.browser("ben").await;
    // Beyond the first page of the list: what came later is there again, too.
    page.run("scrollTo(0, document.body.scrollHeight)").await.unwrap();
    sees(&page, "document.querySelectorAll('.post').length === 30").await;
    page.run("document.querySelectorAll('.post')[25].scrollIntoView()").await.unwrap();
    let before = number(&page, "scrollY").await;
    page.run("document.querySelectorAll('.post')[25].querySelector('.when').click()")
        .await
        .unwrap();
    sees(&page, "document.querySelector('.single') && scrollY === 0").await;
    page.run("history.back()").await.unwrap();
    sees(&page, "document.querySelectorAll('.post').length === 30").await;
    sees(&page, &format!("Math.abs(scrollY - {before}) < 2")).await;
    page.run("history.forward()").await.unwrap();
    sees(&page, "document.querySelector('.single') && scrollY === 0").await;
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_said_and_heals_by_itself() {
    let site = Site::open();
    let ada = site.person("ada").await;
    let (_, port) = site.serving.address().split_once(':').unwrap();
    let link = Link::to_port(port.parse().unwrap()).await.unwrap();
    let page = Chromium::shared().open(1280, 900).await.unwrap();
    let near = format!("http://{}", link.addr());
    page.goto(&format!("{near}/sign-in?return_to=/compose")).await.unwrap();
    page.type_into("#f-login", "ada").await.unwrap();
    page.type_into("#f-password", PASSWORD).await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "document.querySelector('#caption')").await;
    page.type_into("#caption", "Written under way").await.unwrap();
    link.cut();
    page.click("button[value=publish]").await.unwrap();
    sees(&page, "document.querySelector('.toast p')?.textContent.includes('could not be reached')")
        .await;
    sees(&page, "document.querySelector('#caption').value === 'Written under way'").await;
    sees(&page, "!document.querySelector('#offline').hidden").await;
    link.heal();
    sees(&page, "document.querySelector('#offline').hidden").await;
    page.click("button[value=publish]").await.unwrap();
    sees(&page, "document.querySelector('.single .caption')?.textContent === 'Written under way'")
        .await;
    let me = site.call("GET", "/api/v1/timelines/latest", &ada, Value::Null).await;
    assert_eq!(me["items"].as_array().unwrap().len(), 1, "it was published once");
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_theme_is_remembered_and_motion_is_spared() {
    let site = Site::open();
    site.person("ada").await;
    let page = site.browser("ada").await;
    page.goto(&site.url("/settings")).await.unwrap();
    let colour = "getComputedStyle(document.body).backgroundColor";
    let light = page.run(&format!("return {colour}")).await.unwrap();
    page.click("section [name=theme][value=dark]").await.unwrap();
    sees(&page, &format!("{colour} !== {light}")).await;
    page.goto(&site.url("/explore")).await.unwrap();
    assert_ne!(page.run(&format!("return {colour}")).await.unwrap(), light);
    page.prefer("prefers-reduced-motion", "reduce").await.unwrap();
    let longest = "Math.max(...[...document.querySelectorAll('*')].map((e) => getComputedStyle(e)) \
        .flatMap((look) => [look.transitionDuration, look.animationDuration].map(parseFloat)))";
    assert!(number(&page, longest).await < 0.001);
    done(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_a_form_stands_at_its_field_and_nothing_typed_is_lost() {
    let site = Site::open();
    site.person("ada").await;
    let page = site.browser("ada").await;
    page.goto(&site.url("/settings/profile")).await.unwrap();
    page.run("window.neverReloaded = true").await.unwrap();
    let long = "n".repeat(61);
    page.run("document.querySelector('#f-display_name').value = ''").await.unwrap();
    page.type_into("#f-display_name", &long).await.unwrap();
    page.type_into("#bio", "Boats.").await.unwrap();
    page.click("form.card button.primary").await.unwrap();
    sees(&page, "document.activeElement.matches('#f-display_name[aria-invalid=true]')").await;
    let told = "document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ').at(-1))";
    sees(&page, &format!("{told}.textContent.includes('60')")).await;
    sees(&page, &format!("document.activeElement.value === '{long}'")).await;
    sees(&page, "document.querySelector('#bio').value === 'Boats.'").await;
    assert_eq!(page.run("return window.neverReloaded").await.unwrap(), true);

    page.goto(&site.url("/settings/security")).await.unwrap();
    page.type_into("#f-current_password", "not this one").await.unwrap();
    page.type_into("#f-new_password", "a staple and a battery").await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "document.activeElement.matches('#f-current_password[aria-invalid=true]')").await;
    page.type_into("#f-current_password", PASSWORD).await.unwrap();
    page.type_into("#f-new_password", "a staple and a battery").await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "document.querySelector('[data-flash]')?.textContent.includes('Password changed')")
        .await;
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_says_why_and_the_others_go_on() {
    let site = Site::open();
    site.person("ada").await;
    let page = site.browser("ada").await;
    page.goto(&site.url("/compose")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let disguised = folder.path().join("holiday.jpg");
    std::fs::write(&disguised, "no picture at all").unwrap();
    page.type_into("#file", disguised.to_str().unwrap()).await.unwrap();
    sees(&page, "document.querySelector('.upload.failed .field-error')?.textContent.includes('holiday.jpg')").await;
    page.type_into("#file", photograph().to_str().unwrap()).await.unwrap();
    sees(&page, "document.querySelector('.upload:not(.failed) [name=media]')").await;
    sees(
        &page,
        "document.querySelector('.upload:not(.failed) img.upload-preview')?.naturalWidth > 0",
    )
    .await;
    page.click(".upload.failed [data-act=remove]").await.unwrap();
    sees(&page, "document.querySelectorAll('.upload').length === 1").await;
    page.click("button[value=publish]").await.unwrap();
    sees(&page, "document.querySelector('.single .photo')").await;
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_menus_likes_and_comments_work_in_a_browser() {
    let site = Site::open();
    let ada = site.person("ada").await;
    let post = site.post(&ada, "Plain").await;
    site.person("ben").await;
    let page = Chromium::shared().open(360, 740).await.unwrap();
    page.disable_scripts(true).await.unwrap();
    page.goto(&site.url(&format!("/sign-in?return_to=/posts/{post}"))).await.unwrap();
    page.type_into("#f-login", "ben").await.unwrap();
    page.type_into("#f-password", PASSWORD).await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    sees(&page, "document.querySelector('.single')").await;
    page.click("button[data-like]").await.unwrap();
    sees(&page, "document.querySelector('[data-like][aria-pressed=true]')").await;
    page.type_into("#comment-text", "Plainly").await.unwrap();
    page.click(".comment-form .primary").await.unwrap();
    sees(&page, "document.querySelector('.comment-text')?.textContent === 'Plainly'").await;
    page.click(".account-button").await.unwrap();
    page.click("#account-menu [value=dark]").await.unwrap();
    sees(&page, "document.documentElement.dataset.theme === 'dark'").await;
    assert!(number(&page, "document.querySelectorAll('.with-script').length").await > 0.0);
    sees(
        &page,
        "[...document.querySelectorAll('.with-script')].every((e) => !e.checkVisibility())",
    )
    .await;
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_is_found_again_and_taken_back_and_stands_in_the_audit_log() {
    let site = Site::open();
    let (ada, ben) = (site.person("ada").await, site.person("ben").await);
    site.staff("admin", "judge");
    let post = site.post(&ada, "A bad post").await;
    let report = async || {
        let report = json!({ "target": post, "reason": "It hurts" });
        site.call("POST", "/api/v1/reports", &ben, report).await;
    };
    report().await;
    let page = site.browser("judge").await;
    let decide = async |reason: &str, act: &str| {
        page.type_into(".decide [name=reason]", reason).await.unwrap();
        page.click(&format!(".decide [value={act}]")).await.unwrap();
        sees(&page, "document.querySelector('[data-flash]')").await;
    };
    let go = async |label: &str| {
        let tab = format!(
            "[...document.querySelectorAll('.tabs a, .nav a')].find((a) => a.textContent.trim() === '{label}')"
        );
        page.run(&format!("{tab}.click()")).await.unwrap();
        sees(&page, &format!("{tab}?.getAttribute('aria-current') === 'page'")).await;
    };
    page.goto(&site.url("/moderation")).await.unwrap();
    decide("Rule 3", "hide").await;
    sees(&page, "document.querySelector('.empty')").await;
    go("Decided").await;
    let row = format!("document.querySelector('#{post}')");
    sees(&page, &format!("{row}.querySelector('.status-hidden')")).await;
    sees(&page, &format!("{row}.querySelector('.reasons').textContent.includes('Rule 3')")).await;
    sees(&page, &format!("{row}.querySelector('.reasons').textContent.includes('@judge')")).await;
    decide("A mistake", "restore").await;
    sees(&page, "document.querySelector('.empty')").await;
    site.call("GET", &format!("/api/v1/posts/{post}"), "", Value::Null).await;

    // What is reported is a post; it is its author who is suspended, and the post waits on.
    report().await;
    go("Queue").await;
    decide("Rule 4", "suspend").await;
    go("Decided").await;
    sees(&page, "document.querySelector('.report .status-ended')?.textContent === 'suspended'")
        .await;
    decide("They said sorry", "unsuspend").await;
    go("Queue").await;
    sees(&page, &row).await;

    go("Audit log").await;
    let acts = "[...document.querySelectorAll('.audit code')].map((code) => code.textContent)";
    let acts = page.run(&format!("return {acts}.filter((act) => act.startsWith('feed.'))")).await;
    let expected = ["feed.unsuspend", "feed.suspend", "feed.restore", "feed.hide"];
    assert_eq!(acts.unwrap(), json!(expected));
    sees(&page, "document.querySelector('.audit').textContent.includes('They said sorry')").await;
    done(page).await;
}
