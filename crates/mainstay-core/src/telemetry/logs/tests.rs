//! What a line contains and when it is written.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::{fs, net::IpAddr, sync::Mutex};

use super::*;
use crate::telemetry::{Access, Masked};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn json(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn log(level: &str, human: bool) -> (Kept, Metrics, Logs, Assembled) {
    let (kept, metrics) = (Kept::default(), Metrics::new());
    let opened = |source| LogError::Open { file: None, source };
    let (logs, subscriber) = Logs::build(level, human, kept.clone(), &metrics, opened).unwrap();
    (kept, metrics, logs, subscriber)
}

#[derive(Debug, thiserror::Error)]
#[error("read the file")]
struct Outer(#[source] io::Error);

#[tokio::test]
async fn an_event_is_one_line_of_json_with_the_request_it_belongs_to() {
    let (kept, metrics, logs, subscriber) = log("info", false);
    let _set = tracing::subscriber::set_default(subscriber);
    let id: Arc<str> = "req_7".into();
    let request = async {
        let error = Outer(io::Error::other("disk \"gone\""));
        let error: &dyn std::error::Error = &error;
        let email = Masked::new("ann@example.org");
        tracing::warn!(error, %email, bytes = 7_u64, ok = false, share = f64::NAN, "two\nlines");
        assert_eq!(request_id().as_deref(), Some("req_7"));
    };
    with_request_id(id, request).await;
    tracing::info_span!("start", service = "feed").in_scope(|| tracing::info!("ready"));
    tracing::debug!("not wanted");
    assert!(logs.flush(Duration::from_secs(10)));
    let lines = kept.json();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["message"], "two\nlines");
    assert_eq!(lines[0]["error"], "read the file: disk \"gone\"");
    assert_eq!(lines[0]["email"], "***");
    assert_eq!(lines[0]["bytes"], 7);
    assert_eq!(lines[0]["share"], "NaN");
    assert_eq!(lines[0]["request_id"], "req_7");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(lines[1]["service"], "feed");
    assert_eq!(lines[1].get("request_id"), None);
    let text = metrics.render();
    assert!(text.contains("log_events_total{level=\"warn\"} 1\n"), "{text}");
    assert!(text.contains("log_events_total{level=\"debug\"} 0\n"), "{text}");
}

#[test]
fn the_level_changes_while_running_and_nonsense_changes_nothing() {
    let (kept, _metrics, logs, subscriber) = log("warn", false);
    let _set = tracing::subscriber::set_default(subscriber);
    tracing::info!("one");
    logs.set_level("info").unwrap();
    tracing::info!("two");
    assert!(logs.set_level("info,feed=loud").is_err());
    assert_eq!(logs.level(), "info");
    tracing::info!("three");
    assert!(logs.flush(Duration::from_secs(10)));
    let lines = kept.json();
    let messages = lines.iter().map(|line| line["message"].as_str().unwrap());
    assert_eq!(messages.collect::<Vec<_>>(), ["two", "three"]);
}

#[test]
fn a_line_for_people_stays_one_line_and_moves_no_cursor() {
    let (kept, _metrics, logs, subscriber) = log("info", true);
    let _set = tracing::subscriber::set_default(subscriber);
    tracing::info!(path = "a b\x1b[2J", plain = "x", "caption:\n\x1b[31mred");
    assert!(logs.flush(Duration::from_secs(10)));
    let text = kept.text();
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("caption:\\n\\u{1b}[31mred"), "{text}");
    assert!(text.contains("=\"a b\\u001b[2J\""), "{text}");
}

#[test]
fn a_very_long_field_is_cut_and_stays_json() {
    let (kept, _metrics, logs, subscriber) = log("info", false);
    let _set = tracing::subscriber::set_default(subscriber);
    tracing::info!(text = "ä".repeat(20_000), "long");
    assert!(logs.flush(Duration::from_secs(10)));
    let text = kept.json()[0]["text"].as_str().unwrap().to_owned();
    assert!(text.len() < 17_000 && text.ends_with("ä…"));
}

#[test]
fn requests_go_the_same_way_into_a_file_that_rotates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mainstay.log");
    let metrics = Metrics::new();
    let file = RotatingFile::open(&path, 200_000, 2).unwrap();
    let opened = |source| LogError::Open { file: None, source };
    let (logs, _subscriber) = Logs::build("info", false, file, &metrics, opened).unwrap();
    let access = Access {
        at_us: 1_763_700_000_000_000,
        request_id: "req_1",
        method: "GET",
        route: "/api/v1/posts/{id}",
        path: "/api/v1/posts/post_1",
        status: 200,
        duration_us: 87,
        bytes: 1_024,
        user: None,
        remote: IpAddr::from([127, 0, 0, 1]),
    };
    let requests = logs.access();
    for _ in 0..10_000 {
        requests.record(&access);
    }
    assert!(logs.flush(Duration::from_secs(10)));
    assert_eq!(logs.dropped(), 0);
    let sizes =
        fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let sizes = sizes.collect::<Vec<_>>();
    assert_eq!(sizes.len(), 3);
    assert!(sizes.iter().all(|size| *size <= 200_000), "{sizes:?}");
    for line in fs::read_to_string(&path).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["route"], "/api/v1/posts/{id}");
    }
}
