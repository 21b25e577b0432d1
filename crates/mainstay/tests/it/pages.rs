//! The pages as the program serves them, filled by the demo: what they weigh, how soon they are there, and that they
//! shut nobody out. The folder `artefacts/demo` of the build folder keeps what was seen.

use std::time::Duration;

use mainstay_testkit::{Chromium, Page, artefacts, keys};
use serde_json::Value;

use crate::program::Place;

const DEMO: &str = "demo --listen 127.0.0.1:0 --json --size people=12,posts=40";
const SOON: Duration = Duration::from_secs(20);
/// Bytes of a page with all that it needs beside pictures and films, as they travel.
const PAGE_BYTES_MAX: f64 = 100_000.0;
/// How far things may move after they were shown; 0.1 is what the web's own measure calls good.
const MOVED_MAX: f64 = 0.02;

/// What a page weighed and did, from the browser's own records.
const FIGURES: &str = "return new Promise((done) => {
    let moved = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) moved += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => setTimeout(() => {
        const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
        const parts = loaded.filter(({ name }) => !name.includes('/media/') && !name.includes('/api/'));
        const paint = performance.getEntriesByName('first-contentful-paint')[0];
        done({
            moved, bytes: parts.reduce((sum, { transferSize }) => sum + transferSize, 0),
            paint_ms: paint ? paint.startTime : 0,
            sideways: document.documentElement.scrollWidth - innerWidth,
        });
    }));
})";

/// Opens `path` with nothing in the browser's cache; says what is wrong with it.
async fn look(page: &Page, site: &str, path: &str, file: &str) -> Vec<String> {
    let folder = artefacts("demo").unwrap();
    let mut wrong = Vec::new();
    for (width, height) in [(1280, 900), (360, 740)] {
        page.resize(width, height).await.unwrap();
        for (dark, theme) in [(false, "light"), (true, "dark")] {
            page.prefer_dark(dark).await.unwrap();
            page.forget_files().await.unwrap();
            page.goto(&format!("{site}{path}")).await.unwrap();
            let figures = page.run(FIGURES).await.unwrap();
            let figure = |name: &str| figures[name].as_f64().unwrap();
            println!("{path} at {width}, {theme}: {figures}");
            let at = |what: String| format!("{path} at {width}, {theme}: {what}");
            if figure("bytes") > PAGE_BYTES_MAX {
                wrong.push(at(format!("{} bytes travelled", figure("bytes"))));
            }
            if figure("moved") > MOVED_MAX {
                wrong.push(at(format!("things moved by {}", figure("moved"))));
            }
            if figure("sideways") > 0.0 {
                wrong.push(at("it scrolls sideways".to_owned()));
            }
            wrong.extend(page.barriers().await.unwrap().into_iter().map(at));
            let picture = folder.join(format!("{file}-{width}-{theme}.png"));
            page.screenshot(&picture).await.unwrap();
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_light_still_and_open_to_everybody() {
    let place = Place::new();
    let serving = place.start(DEMO);
    let said: Value = serde_json::from_str(&serving.ready).unwrap();
    let site = format!("http://{}", serving.address());
    let page = Chromium::shared().open(1280, 900).await.unwrap();
    let mut wrong = Vec::new();
    for (path, file) in
        [("/explore", "explore-stranger"), ("/docs", "docs"), ("/nothing-here", "not-found")]
    {
        wrong.extend(look(&page, &site, path, file).await);
    }
    page.goto(&format!("{site}/sign-in?return_to=/home")).await.unwrap();
    page.type_into("#f-login", "moderator").await.unwrap();
    page.type_into("#f-password", said["password"].as_str().unwrap()).await.unwrap();
    page.press(keys::ENTER).await.unwrap();
    page.wait_until("location.pathname === '/home'", SOON).await.unwrap();
    for path in [
        "/home",
        "/explore",
        "/latest",
        "/notifications",
        "/search",
        "/search?q=a&kind=people",
        "/compose",
        "/drafts",
        "/requests",
        "/moderation",
        "/people/demo",
        "/people/demo/followers",
        "/people/moderator",
        "/settings",
        "/settings/profile",
        "/settings/security",
        "/settings/keys",
        "/explore?cursor=nonsense",
    ] {
        let file = path.trim_start_matches('/').replace(['/', '?', '=', '&'], "-");
        wrong.extend(look(&page, &site, path, &file).await);
    }
    page.goto(&format!("{site}/explore")).await.unwrap();
    let post = page.run("return document.querySelector('.post .when').pathname").await.unwrap();
    wrong.extend(look(&page, &site, post.as_str().unwrap(), "post").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A page that is refused says so to the browser, too; nothing else was written to its console.
    let console = page.console().await.unwrap();
    let expected = |line: &String| line.contains("404") || line.contains("400");
    assert!(console.iter().all(expected), "{console:?}");
    page.close().await.unwrap();
}
