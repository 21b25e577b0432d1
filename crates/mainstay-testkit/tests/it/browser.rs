//! Chromium.

use std::time::Duration;

use mainstay_testkit::{Chromium, EngineError};

/// A page that shows its own size and scheme, and changes after it has loaded.
const PAGE: &str = "data:text/html,<title>one</title><p id=p>before</p><script>\
    setTimeout(() => { p.textContent = 'after' }, 50); console.error('a fault')</script>";

#[tokio::test]
async fn a_page_is_opened_waited_for_and_pictured() {
    let chromium = Chromium::start().unwrap();
    let page = chromium.open(360, 640).await.unwrap();
    page.goto(PAGE).await.unwrap();
    let within = Duration::from_secs(10);
    page.wait_until("p.textContent == 'after'", within).await.unwrap();
    assert_eq!(
        page.run("return [innerWidth, innerHeight]").await.unwrap().to_string(),
        "[360,640]"
    );
    page.prefer_dark(true).await.unwrap();
    page.wait_until("matchMedia('(prefers-color-scheme: dark)').matches", within).await.unwrap();
    assert!(page.console().await.unwrap().iter().any(|line| line.contains("a fault")));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.png");
    page.screenshot(&file).await.unwrap();
    assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));
    page.close().await.unwrap();
}

#[tokio::test]
async fn a_condition_that_never_holds_is_an_error_that_names_it() {
    let chromium = Chromium::start().unwrap();
    let page = chromium.open(800, 600).await.unwrap();
    page.goto("data:text/html,<p>").await.unwrap();
    let error = page.wait_until("1 == 2", Duration::from_millis(60)).await.unwrap_err();
    assert!(matches!(error, EngineError::Never { .. }), "{error}");
    assert!(error.to_string().contains("1 == 2"), "{error}");
    page.close().await.unwrap();
}
