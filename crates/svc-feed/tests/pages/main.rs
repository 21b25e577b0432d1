//! What must hold for every page in every state: the content security policy, forms that cannot be forged, pictures
//! that do not move the page, and a size that loads at once.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

#[path = "../../examples/preview/fixtures.rs"]
mod fixtures;
mod looks;
#[path = "../../examples/preview/sheets.rs"]
mod sheets;

use std::collections::HashSet;

use image::{DynamicImage, RgbImage};

/// Name and markup of each page, filled with 14 small pictures.
fn pages() -> Vec<(&'static str, String)> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    for at in 0..14_u8 {
        let picture = RgbImage::from_fn(200, 150, |x, y| image::Rgb([at * 18, x as u8, y as u8]));
        DynamicImage::from(picture).save(photos.join(format!("{at:02}.png"))).unwrap();
    }
    let made = fixtures::Fixtures::load(&photos, &out).unwrap();
    sheets::all(&made).into_iter().map(|(name, page)| (name, page.into_string())).collect()
}

/// The start tags of `element` in `html`.
fn tags<'a>(html: &'a str, element: &str) -> Vec<&'a str> {
    let open = format!("<{element} ");
    let tag = |(at, _): (usize, &str)| html[at..].split_inclusive('>').next().unwrap_or_default();
    html.match_indices(&open).map(|(at, found)| tag((at, found))).collect()
}

#[test]
fn no_page_needs_an_exception_from_the_content_security_policy() {
    for (name, html) in pages() {
        assert!(!html.contains(" style="), "{name} has a style attribute");
        assert!(!html.contains("<style"), "{name} has a style element");
        assert!(!html.contains("javascript:"), "{name} has a script address");
        assert!(tags(&html, "script").iter().all(|tag| tag.contains(" src=\"/assets/")), "{name}");
        for element in ["button", "form", "a", "input", "body", "img", "div", "video"] {
            let handler = |tag: &&str| {
                [" onclick=", " onload=", " onsubmit=", " onerror="]
                    .iter()
                    .any(|on| tag.contains(on))
            };
            assert_eq!(tags(&html, element).iter().find(|tag| handler(tag)), None, "{name}");
        }
    }
}

#[test]
fn every_form_that_acts_carries_the_token() {
    let mut forms = 0;
    for (name, html) in pages() {
        for part in html.split("<form ").skip(1) {
            let form = part.split("</form>").next().unwrap();
            if form.split('>').next().unwrap().contains("method=\"post\"") {
                forms += 1;
                assert!(form.contains("name=\"csrf\" value=\"csrf-token\""), "{name}: {form}");
                assert!(form.contains("name=\"return_to\" value=\"/"), "{name}: {form}");
            }
        }
    }
    assert!(forms > 100, "only {forms} forms were seen");
}

#[test]
fn ids_are_unique_and_every_page_has_one_title() {
    for (name, html) in pages() {
        let mut seen = HashSet::new();
        for part in html.split(" id=\"").skip(1) {
            let id = part.split('"').next().unwrap();
            assert!(seen.insert(id), "{name} has two elements #{id}");
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
    }
}

#[test]
fn every_picture_has_words_and_a_size() {
    for (name, html) in pages() {
        for tag in tags(&html, "img") {
            for needed in [" alt=", " width=", " height="] {
                assert!(tag.contains(needed), "{name}: no{needed} in {tag}");
            }
        }
    }
}

#[test]
fn a_page_weighs_less_than_100_kb_even_before_compression() {
    for (name, html) in pages() {
        assert!(html.len() < 100_000, "{name} has {} bytes", html.len());
    }
}

#[test]
fn a_stranger_is_offered_no_act_that_needs_an_account() {
    let pages = pages();
    let explore = &pages.iter().find(|(name, _)| *name == "explore").unwrap().1;
    for act in [
        "/like\"",
        "/follow\"",
        "/block\"",
        "/report\"",
        "/delete\"",
        "data-seen",
        "name=\"viewer\"",
    ] {
        assert!(!explore.contains(act), "{act}");
    }
}
