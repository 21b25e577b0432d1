//! Pictures and films of a post, shown without a jump: every picture has its ratio and a few colours from the start.

use mainstay_console::component::icon;
use maud::{Markup, html};

use crate::view::{MediaKind, MediaView};

/// The side of the placeholder, in pixels; the browser smooths it.
const BLUR_SIDE: u16 = 8;

/// The blurhash as a bitmap of 8 × 8 pixels in a `data:` address (about 250 bytes); `None` if it cannot be read.
///
/// A bitmap and not a canvas, so that the colours are there before any script, and without it.
pub fn blur(hash: &str) -> Option<String> {
    let side = u32::from(BLUR_SIDE);
    let pixels = blurhash::decode(hash, side, side, 1.0).ok()?;
    let mut file = Vec::with_capacity(54 + pixels.len() / 2);
    let size = 54 + side * side * 2;
    file.extend_from_slice(b"BM");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&54_u32.to_le_bytes());
    // BITMAPINFOHEADER: negative height means top row first; 16 bits are 5 each of red, green and blue.
    file.extend_from_slice(&40_u32.to_le_bytes());
    file.extend_from_slice(&i32::from(BLUR_SIDE).to_le_bytes());
    file.extend_from_slice(&(-i32::from(BLUR_SIDE)).to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(&[0; 24]);
    for pixel in pixels.chunks_exact(4) {
        if let [red, green, blue, _alpha] = pixel {
            let packed =
                u16::from(red >> 3) << 10 | u16::from(green >> 3) << 5 | u16::from(blue >> 3);
            file.extend_from_slice(&packed.to_le_bytes());
        }
    }
    Some(format!("data:image/bmp;base64,{}", base64(&file)))
}

/// Standard base 64 with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let part = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for place in 0..4 {
            let letter =
                LETTERS.get((bits >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'A');
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// The address of the narrowest copy that is at least `width` pixels wide, or the full size.
pub fn at_least(media: &MediaView, width: u32) -> &str {
    media.variants.iter().find(|copy| copy.width >= width).map_or(&media.url, |copy| &copy.url)
}

fn srcset(media: &MediaView) -> Option<String> {
    if media.variants.is_empty() {
        return None;
    }
    let mut out = String::new();
    for copy in &media.variants {
        out.push_str(&format!("{} {}w, ", copy.url, copy.width));
    }
    out.push_str(&format!("{} {}w", media.url, media.width));
    Some(out)
}

/// All media of a post: one in its own ratio, two to four in a grid, more in a row that scrolls.
pub fn gallery(media: &[MediaView], eager: bool) -> Markup {
    let count = media.len();
    let row = count > 4;
    let class = if row { "gallery-row".to_owned() } else { format!("gallery-{count}") };
    html! {
        @if count > 0 {
            div class=(format!("gallery {class}")) data-gallery {
                div .gallery-cells role=[row.then_some("group")] tabindex=[row.then_some("0")]
                    aria-label=[row.then(|| format!("{count} pictures, scroll sideways"))] {
                    @for (at, item) in media.iter().enumerate() {
                        (cell(item, at, count, eager && at == 0))
                    }
                }
                @if row {
                    button .round.prev.with-script type="button" data-scroll="-1"
                        aria-label="Previous pictures" { (icon("chevron-left")) }
                    button .round.next.with-script type="button" data-scroll="1"
                        aria-label="More pictures" { (icon("chevron-right")) }
                }
            }
        }
    }
}

fn cell(item: &MediaView, at: usize, count: usize, eager: bool) -> Markup {
    let sizes = if count == 1 {
        "(max-width: 680px) 100vw, 606px"
    } else {
        "(max-width: 680px) 60vw, 303px"
    };
    match item.kind {
        MediaKind::Video => html! {
            div .cell.film {
                video controls preload="metadata" playsinline aria-label=[label(item)] {
                    source src=(item.url) type=(item.content_type);
                    a href=(item.url) { "Download the film" }
                }
            }
        },
        MediaKind::Image => html! {
            a .cell .has-alt[!item.alt.is_empty()] .tall[item.height > item.width.saturating_mul(2)]
                .small[item.width < 480] href=(item.url) data-view data-width=(item.width)
                    data-height=(item.height)
                aria-label=(opens(item, at, count)) {
                @if let Some(colours) = blur(&item.blurhash)
                    { img .blur src=(colours) alt="" width="8" height="8"; }
                img .photo src=(at_least(item, 640)) srcset=[srcset(item)] alt=(item.alt)
                    sizes=(sizes)
                    width=(item.width) height=(item.height) decoding="async"
                    loading=(if eager { "eager" } else { "lazy" })
                        fetchpriority=[eager.then_some("high")];
            }
        },
    }
}

fn label(item: &MediaView) -> Option<&str> {
    Some(if item.alt.is_empty() { "Film without a description" } else { &item.alt })
}

fn opens(item: &MediaView, at: usize, count: usize) -> String {
    let what = if item.alt.is_empty() { "no description" } else { &item.alt };
    if count == 1 {
        format!("Open picture: {what}")
    } else {
        format!("Open picture {} of {count}: {what}", at + 1)
    }
}

/// A square of a picture, for lists: the copy that is at least `width` pixels wide; decoration, so without words.
pub fn thumbnail(item: &MediaView, width: u32) -> Markup {
    html! {
        @match item.kind {
            MediaKind::Image => {
                img .thumb src=(at_least(item, width)) alt="" width="56" height="56" loading="lazy"
                    decoding="async";
            }
            MediaKind::Video => { span .thumb.thumb-film { (icon("play")) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_standard_says() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_blurhash_becomes_a_small_bitmap_and_nonsense_becomes_nothing() {
        let address = blur("LEHV6nWB2yk8pyo0adR*.7kCMdnj").unwrap_or_default();
        assert!(address.starts_with("data:image/bmp;base64,Qk"), "{address}");
        assert!(address.len() < 300, "{}", address.len());
        assert_eq!(blur("nonsense"), None);
        assert_eq!(blur(""), None);
    }
}
