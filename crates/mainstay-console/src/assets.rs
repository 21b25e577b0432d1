//! The files that a browser needs besides the pages, each under an address that names its content.
//!
//! `/assets/console.1f0c…css` may be kept for ever: another content has another address. Files name each other as
//! `/assets/NAME`; [`all`] replaces these names by addresses, so a changed font changes the style sheet's address too.

use std::sync::LazyLock;

/// A file, ready to be served.
#[derive(Debug)]
pub struct Asset {
    /// Its name in the sources, such as `console.css`.
    pub name: &'static str,
    /// Its address, such as `/assets/console.1f0c99aa01b2c3d4.css`; serve it with
    /// `Cache-Control: public, max-age=31536000, immutable`.
    pub path: String,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

const CSS: &str = concat!(
    include_str!("../assets/css/tokens.css"),
    include_str!("../assets/css/base.css"),
    include_str!("../assets/css/shell.css"),
    include_str!("../assets/css/parts.css"),
    include_str!("../assets/css/post.css"),
    include_str!("../assets/css/pages.css"),
    include_str!("../assets/css/ranking.css"),
    include_str!("../assets/css/figures.css"),
    include_str!("../assets/css/docs.css"),
);

const WOFF2: &str = "font/woff2";
const SVG: &str = "image/svg+xml";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and content; a file comes after those that it names.
const SOURCES: [(&str, &str, &[u8]); 15] = [
    ("inter-latin.woff2", WOFF2, include_bytes!("../assets/inter-latin.woff2")),
    ("inter-latin-ext.woff2", WOFF2, include_bytes!("../assets/inter-latin-ext.woff2")),
    ("icons.svg", SVG, include_bytes!("../assets/icons.svg")),
    ("logo.svg", SVG, include_bytes!("../assets/logo.svg")),
    ("console.css", STYLE, CSS.as_bytes()),
    ("ui.js", SCRIPT, include_bytes!("../assets/js/ui.js")),
    ("swap.js", SCRIPT, include_bytes!("../assets/js/swap.js")),
    ("keys.js", SCRIPT, include_bytes!("../assets/js/keys.js")),
    ("live.js", SCRIPT, include_bytes!("../assets/js/live.js")),
    ("ranking.js", SCRIPT, include_bytes!("../assets/js/ranking.js")),
    ("seen.js", SCRIPT, include_bytes!("../assets/js/seen.js")),
    ("toggle.js", SCRIPT, include_bytes!("../assets/js/toggle.js")),
    ("media.js", SCRIPT, include_bytes!("../assets/js/media.js")),
    ("upload.js", SCRIPT, include_bytes!("../assets/js/upload.js")),
    ("console.js", SCRIPT, include_bytes!("../assets/js/console.js")),
];

static ALL: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut linked = Vec::with_capacity(SOURCES.len());
    for (name, content_type, source) in SOURCES {
        linked.push(link(name, content_type, source, &linked));
    }
    linked
});

fn link(name: &'static str, content_type: &'static str, source: &[u8], known: &[Asset]) -> Asset {
    let bytes = match std::str::from_utf8(source) {
        Ok(text) if content_type != SVG => known
            .iter()
            .fold(text.to_owned(), |text, asset| {
                text.replace(&format!("/assets/{}\"", asset.name), &format!("{}\"", asset.path))
            })
            .into_bytes(),
        _ => source.to_vec(),
    };
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    let path = format!("/assets/{stem}.{:016x}.{extension}", fnv1a(&bytes));
    Asset { name, path, content_type, bytes }
}

/// FNV-1a, 64 bits: tells contents apart for a cache; no protection against forgery is needed for our own files.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// All files, in the order in which they name each other.
pub fn all() -> &'static [Asset] {
    &ALL
}

/// The file at this address (path only, no query).
pub fn find(path: &str) -> Option<&'static Asset> {
    ALL.iter().find(|asset| asset.path == path)
}

/// The address of the file with this name; the empty string for a name that does not exist.
pub fn url(name: &str) -> &'static str {
    ALL.iter().find(|asset| asset.name == name).map_or("", |asset| &asset.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_its_own_address_and_is_found_by_it() {
        for asset in all() {
            assert_eq!(find(&asset.path).map(|found| found.name), Some(asset.name));
            assert_eq!(url(asset.name), asset.path);
        }
        assert!(find("/assets/console.css").is_none());
    }

    #[test]
    fn files_name_each_other_by_address() {
        for asset in all().iter().filter(|asset| asset.content_type != WOFF2) {
            let text = String::from_utf8_lossy(&asset.bytes);
            for other in all() {
                let loose = format!("/assets/{}\"", other.name);
                assert!(!text.contains(&loose), "{} names {} loosely", asset.name, other.name);
            }
        }
    }
}
