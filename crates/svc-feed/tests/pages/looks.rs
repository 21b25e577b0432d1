//! Every page in every state in a real browser: wide and narrow, light and dark. What was seen stays in the folder
//! `artefacts/feed` of the build folder.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{Path as Place, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use mainstay_testkit::{Chromium, Page, artefacts};
use tempfile::TempDir;

use crate::{fixtures::Fixtures, sheets};

/// Width and height of the windows, and the theme in which they are looked at more closely.
const WINDOWS: [(u32, u32, &str); 2] = [(1280, 900, "light"), (360, 740, "dark")];

/// What sticks out of the page to the right and is in nothing that scrolls or hides it.
const STICKS_OUT: &str = "
    const scrolls = (e) => e && (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
    const out = [...document.querySelectorAll('body *')].filter((e) =>
        e.getBoundingClientRect().right > innerWidth + 1 && e.checkVisibility() && !scrolls(e.parentElement));
    return document.documentElement.scrollWidth > innerWidth
        ? ['the page scrolls sideways', ...out.map((e) => e.outerHTML.slice(0, 120))] : [];";

/// The pages and their files.
struct Made {
    pages: HashMap<String, String>,
    folder: TempDir,
}

impl Made {
    fn new() -> (Vec<&'static str>, Self) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("photos");
        fs::create_dir(&out).unwrap();
        let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
        let fixtures = Fixtures::load(&Path::new(&here).join("demo/photos"), &out).unwrap();
        let sheets = sheets::all(&fixtures);
        let names = sheets.iter().map(|(name, _)| *name).collect();
        let pages = sheets.into_iter().map(|(name, page)| (name.to_owned(), page.into_string()));
        (names, Self { pages: pages.collect(), folder })
    }
}

async fn page(State(made): State<Arc<Made>>, Place(name): Place<String>) -> Response {
    match made.pages.get(&name) {
        Some(page) => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn photo(State(made): State<Arc<Made>>, Place(name): Place<String>) -> Response {
    match fs::read(made.folder.path().join("photos").join(name)) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn asset(Place(name): Place<String>) -> Response {
    match mainstay_console::assets::find(&format!("/assets/{name}")) {
        Some(asset) => {
            ([(header::CONTENT_TYPE, asset.content_type)], asset.bytes.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Serves the pages at the address that it returns, until the test ends.
async fn serve(made: Made) -> String {
    let router = Router::new()
        .route("/pages/{name}", get(page))
        .route("/photos/{name}", get(photo))
        .route("/assets/{name}", get(asset))
        .with_state(Arc::new(made));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(tokio::spawn(axum::serve(listener, router).into_future()));
    format!("http://{address}/pages")
}

/// Looks at `url` in the present window, light and dark; says what is wrong. What keeps people out is looked for in the
/// theme `first`: with two windows both sizes and both themes have been seen.
async fn look(
    page: &Page,
    url: &str,
    first: &str,
    picture: impl Fn(&str) -> PathBuf,
) -> Vec<String> {
    page.prefer_dark(first == "dark").await.unwrap();
    page.goto(url).await.unwrap();
    let found = page.run(STICKS_OUT).await.unwrap();
    let found = found.as_array().unwrap().iter();
    let mut wrong: Vec<_> = found.map(|one| one.as_str().unwrap().to_owned()).collect();
    page.screenshot(&picture(first)).await.unwrap();
    wrong.extend(page.barriers().await.unwrap());
    let second = if first == "dark" { "light" } else { "dark" };
    page.prefer_dark(second == "dark").await.unwrap();
    page.screenshot(&picture(second)).await.unwrap();
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_good_to_look_at_and_shuts_nobody_out() {
    let (names, made) = Made::new();
    let site = serve(made).await;
    let folder = artefacts("feed").unwrap();
    let chromium = Chromium::shared();
    let windows = WINDOWS.map(async |(width, height, first)| {
        let page = chromium.open(width, height).await.unwrap();
        let mut wrong = Vec::new();
        for name in &names {
            let picture = |theme: &str| folder.join(format!("{name}-{width}-{theme}.png"));
            let found = look(&page, &format!("{site}/{name}"), first, picture).await;
            wrong.extend(found.into_iter().map(|line| format!("{name} at {width}: {line}")));
        }
        page.close().await.unwrap();
        wrong
    });
    let [wide, narrow] = windows;
    let (mut wrong, more) = tokio::join!(wide, narrow);
    wrong.extend(more);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
