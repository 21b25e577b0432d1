//! The console in a real browser, against the real program.

use std::time::Duration;

use mainstay_testkit::{Chromium, Page};

use crate::program::{Place, photograph};

/// How long a page may take to show something; far more than it needs.
const SOON: Duration = Duration::from_secs(60);

/// A browser in which a new person has just registered, by the form.
async fn newcomer(chromium: &Chromium, site: &str, handle: &str) -> Page {
    let page = chromium.open(1280, 900).await.unwrap();
    page.goto(&format!("{site}/register")).await.unwrap();
    page.type_into("#f-handle", handle).await.unwrap();
    page.type_into("#f-email", &format!("{handle}@example.org")).await.unwrap();
    page.type_into("#f-password", "correct horse battery").await.unwrap();
    page.click("form button.primary").await.unwrap();
    page.wait_until("location.pathname === '/home'", SOON).await.unwrap();
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_up_posts_a_photo_and_sees_anothers_like_arrive_without_a_reload() {
    let place = Place::new();
    let serving = place.serve();
    let site = format!("http://{}", serving.address());
    let chromium = Chromium::shared();
    let (ada, ben) =
        (newcomer(chromium, &site, "ada").await, newcomer(chromium, &site, "ben").await);

    ada.click("[data-create]").await.unwrap();
    ada.wait_until("document.querySelector('#caption')", SOON).await.unwrap();
    ada.type_into("#caption", "Lift-off #space").await.unwrap();
    ada.type_into("#file", photograph().to_str().unwrap()).await.unwrap();
    ada.wait_until("document.querySelector('[data-upload] input[name=media]')", SOON)
        .await
        .unwrap();
    ada.type_into("[data-upload] input[name=alt]", "A rocket leaves its pad").await.unwrap();
    ada.click("button[value=publish]").await.unwrap();
    ada.wait_until("location.pathname.startsWith('/posts/post_')", SOON).await.unwrap();
    let shown = "document.querySelector('.post .photo')?.naturalWidth > 0";
    ada.wait_until(shown, SOON).await.unwrap();
    let alt = ada.run("return document.querySelector('.post .photo').alt").await.unwrap();
    assert_eq!(alt, "A rocket leaves its pad");
    ada.wait_until("document.querySelector('.post[data-live=on]')", SOON).await.unwrap();
    // A reload would forget it.
    ada.run("window.neverReloaded = true").await.unwrap();

    let post = ada.run("return location.href").await.unwrap();
    ben.goto(post.as_str().unwrap()).await.unwrap();
    ben.wait_until(shown, SOON).await.unwrap();
    ben.click("button[data-like]").await.unwrap();
    let likes = "document.querySelector('[data-live-count=like_count]').textContent.trim() === '1'";
    ben.wait_until(likes, SOON).await.unwrap();

    ada.wait_until(likes, SOON).await.unwrap();
    ada.wait_until("document.querySelector('[data-unread-badge]:not([hidden])')", SOON)
        .await
        .unwrap();
    assert_eq!(ada.run("return window.neverReloaded").await.unwrap(), true);

    ben.goto(&format!("{site}/explore")).await.unwrap();
    ben.wait_until("document.querySelector('button[data-like][aria-pressed=true]')", SOON)
        .await
        .unwrap();
    // Neither a fault of a script or of the content security policy, nor a file that was not there.
    for page in [ada, ben] {
        assert_eq!(page.console().await.unwrap(), Vec::<String>::new());
        page.close().await.unwrap();
    }
}
