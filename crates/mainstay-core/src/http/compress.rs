//! Compression of whole bodies: the best encoding that the caller takes.

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder},
};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

/// From here on an eighth less travels for some hundred microseconds more; hardly anything is so large but the docs.
const LARGE_BYTES: usize = 200 << 10;
/// Below this a compressed body saves less than it costs.
const WORTH_IT_BYTES: usize = 1_024;

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

impl Encoding {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The encoding to use for a body of this type and size, if any.
pub(super) fn choose(accept: &str, content_type: &str, len: usize) -> Option<Encoding> {
    if len < WORTH_IT_BYTES || !compressible(content_type) {
        return None;
    }
    let takes = |name: &str| {
        accept.split(',').any(|entry| {
            let mut parts = entry.split(';');
            let named = parts.next().unwrap_or_default().trim().eq_ignore_ascii_case(name);
            named
                && !parts.any(|part| matches!(part.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    };
    [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip]
        .into_iter()
        .find(|encoding| takes(encoding.as_str()))
}

fn compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.starts_with("text/")
        || essence.ends_with("json")
        || essence.ends_with("javascript")
        || essence == "image/svg+xml"
}

/// The body in this encoding, at a level that favours speed; `None` if it could not be done, and the plain body serves.
pub(super) async fn compress(encoding: Encoding, bytes: &Bytes) -> Option<Bytes> {
    let room = Vec::with_capacity(bytes.len() / 3);
    let done = match encoding {
        Encoding::Zstd => {
            let level = if bytes.len() < LARGE_BYTES { 3 } else { 5 };
            let mut encoder = ZstdEncoder::with_quality(room, Level::Precise(level));
            finish(&mut encoder, bytes).await?;
            encoder.into_inner()
        }
        Encoding::Brotli => {
            let mut encoder = BrotliEncoder::with_quality(room, Level::Precise(4));
            finish(&mut encoder, bytes).await?;
            encoder.into_inner()
        }
        Encoding::Gzip => {
            let mut encoder = GzipEncoder::with_quality(room, Level::Precise(4));
            finish(&mut encoder, bytes).await?;
            encoder.into_inner()
        }
    };
    Some(done.into())
}

async fn finish(encoder: &mut (impl tokio::io::AsyncWrite + Unpin), bytes: &Bytes) -> Option<()> {
    encoder.write_all(bytes).await.ok()?;
    encoder.shutdown().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_decides_and_small_or_packed_bodies_stay_as_they_are() {
        assert_eq!(choose("gzip, br", "application/json", 5_000), Some(Encoding::Brotli));
        assert_eq!(
            choose("gzip;q=1.0, br;q=0", "text/html; charset=utf-8", 5_000),
            Some(Encoding::Gzip)
        );
        assert_eq!(choose("gzip", "image/jpeg", 5_000), None);
        assert_eq!(choose("gzip", "text/html", 100), None);
        assert_eq!(choose("", "text/html", 5_000), None);
    }
}
