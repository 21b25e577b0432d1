//! The pages as the program serves them, filled by the demo: what they weigh, that they stand still, and that they
//! shut nobody out. The folder `artefacts/demo` of the build folder keeps what was seen.

use std::time::Duration;

use mainstay_testkit::{Chromium, Page, artefacts, keys};
use serde_json::Value;

use crate::program::Place;

const DEMO: &str = "demo --listen 127.0.0.1:0 --json --size people=12,posts=40";
const SOON: Duration = Duration::from_secs(60);
/// Bytes of a page with all that it needs beside pictures and films, as they travel.
const PAGE_BYTES_MAX: f64 = 100_000.0;
/// How far things may move after they were shown; 0.1 is what the web's own measure calls good.
const MOVED_MAX: f64 = 0.02;
/// The line on which pages are looked at: on none at all, pictures and scripts are there before the first paint.
const LATENCY_MS: u32 = 20;
const BYTES_PER_S: u32 = 2_000_000;
/// Width, height and whether dark is preferred: each size and each theme is seen once.
const WINDOWS: [(u32, u32, bool); 2] = [(1280, 900, false), (360, 740, true)];

/// What a page weighed and did, from the browser's own records, once its pictures on the screen are there; and what
/// moved, with how far.
const FIGURES: &str = "return (async () => {
    const seen = [...document.images].filter((image) => {
        const { top, bottom, height } = image.getBoundingClientRect();
        return image.checkVisibility() && height > 0 && bottom > 0 && top < innerHeight;
    });
    await Promise.allSettled(seen.map((image) => image.decode()));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
    const shifts = await new Promise((done) => {
        const all = [];
        const observer = new PerformanceObserver((list) => all.push(...list.getEntries()));
        observer.observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => done([...all, ...observer.takeRecords()]));
    });
    const place = ({ top, left, width, height }) => [left, top, width, height].map(Math.round).join(' ');
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const parts = loaded.filter(({ name }) => !name.includes('/media/') && !name.includes('/api/'));
    return {
        moved: shifts.reduce((sum, { value }) => sum + value, 0),
        what: shifts.flatMap(({ value, sources }) => sources.map(({ node, previousRect: from, currentRect: to }) =>
            `${value.toFixed(3)} ${node?.nodeName}.${node?.className} ${place(from)} to ${place(to)}`)),
        bytes: parts.reduce((sum, { transferSize }) => sum + transferSize, 0),
        sideways: document.documentElement.scrollWidth - innerWidth,
    };
})()";

/// Opens `path` with nothing in the browser's cache; says what is wrong with it.
async fn look(page: &Page, url: &str, (width, height, dark): (u32, u32, bool)) -> Vec<String> {
    page.resize(width, height).await.unwrap();
    page.prefer_dark(dark).await.unwrap();
    page.forget_files().await.unwrap();
    page.goto(url).await.unwrap();
    let figures = page.run(FIGURES).await.unwrap();
    let figure = |name: &str| figures[name].as_f64().unwrap();
    let mut wrong = Vec::new();
    if figure("bytes") > PAGE_BYTES_MAX {
        wrong.push(format!("{} bytes travelled", figure("bytes")));
    }
    if figure("moved") > MOVED_MAX {
        wrong.push(format!("things moved by {}: {}", figure("moved"), figures["what"]));
    }
    if figure("sideways") > 0.0 {
        wrong.push("it scrolls sideways".to_owned());
    }
    wrong
}

/// Looks at one page in every window, takes its pictures in both themes, and says what is wrong with it.
async fn look_around(page: &Page, site: &str, path: &str, file: &str) -> Vec<String> {
    let folder = artefacts("demo").unwrap();
    let mut wrong = Vec::new();
    for (width, height, dark) in WINDOWS {
        let mut found = look(page, &format!("{site}{path}"), (width, height, dark)).await;
        for dark in [dark, !dark] {
            page.prefer_dark(dark).await.unwrap();
            let theme = if dark { "dark" } else { "light" };
            page.screenshot(&folder.join(format!("{file}-{width}-{theme}.png"))).await.unwrap();
        }
        page.prefer_dark(dark).await.unwrap();
        // What is in the page is the same in every window; only how it looks is not.
        found.extend(match dark {
            false => page.barriers().await.unwrap(),
            true => page.barriers_in_looks().await.unwrap(),
        });
        wrong.extend(found.into_iter().map(|what| format!("{path} at {width}: {what}")));
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
    page.slow_down(LATENCY_MS, BYTES_PER_S).await.unwrap();
    let mut wrong = Vec::new();
    for (path, file) in [
        ("/explore", "explore-stranger"),
        ("/sign-in", "sign-in"),
        ("/register", "register"),
        ("/docs", "docs"),
        ("/nothing-here", "not-found"),
    ] {
        wrong.extend(look_around(&page, &site, path, file).await);
    }
    page.goto(&format!("{site}/sign-in?return_to=/home")).await.unwrap();
    page.type_into("#f-login", "admin").await.unwrap();
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
        "/moderation/decided",
        "/audit",
        "/boards",
        "/competitions",
        "/competitions/new",
        "/dashboard",
        "/dashboard/transactions",
        "/admin/boards/rules",
        "/admin/boards/new-rule",
        "/admin/boards/prizes",
        "/admin/boards/ledger",
        "/admin/boards/bans",
        "/admin/boards/evidence",
        "/people/demo",
        "/people/demo/followers",
        "/settings",
        "/settings/profile",
        "/settings/security",
        "/settings/keys",
        "/explore?cursor=nonsense",
    ] {
        let file = path.trim_start_matches('/').replace(['/', '?', '=', '&'], "-");
        wrong.extend(look_around(&page, &site, path, &file).await);
    }
    page.goto(&format!("{site}/explore")).await.unwrap();
    let post = page.run("return document.querySelector('.post .when').pathname").await.unwrap();
    wrong.extend(look_around(&page, &site, post.as_str().unwrap(), "post").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A page that is refused says so to the browser, too; nothing else was written to its console.
    let console = page.console().await.unwrap();
    let expected = |line: &String| line.contains("404") || line.contains("400");
    assert!(console.iter().all(expected), "{console:?}");
    page.close().await.unwrap();
}
