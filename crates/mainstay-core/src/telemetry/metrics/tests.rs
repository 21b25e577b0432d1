//! Names, units and the text that Prometheus reads.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::collections::BTreeMap;

use super::*;
use crate::{
    cache::CacheMetrics,
    telemetry::{DbMetrics, HttpMetrics, register_system_metrics},
};

fn everything() -> Metrics {
    let metrics = Metrics::new();
    register_system_metrics(&metrics, vec!["/".into()]);
    let http = HttpMetrics::new(&metrics);
    let route = http.route("GET", "/api/v1/posts/{id}");
    route.observe(200, 0.004);
    route.observe(200, 0.004);
    route.observe(418, 0.004);
    let db = DbMetrics::new(&metrics);
    db.commits("feed", "sqlite").observe(3, std::time::Duration::from_millis(2));
    let db = db.database("feed", "db \"one\"\n");
    db.active.set(3);
    db.failures.inc();
    CacheMetrics::new(&metrics).declare_class("post");
    metrics
}

#[test]
fn names_that_rules_rely_on_are_there() {
    let text = everything().render();
    for line in [
        "http_requests_total{method=\"GET\",route=\"/api/v1/posts/{id}\",status=\"200\"} 2",
        "http_requests_total{method=\"GET\",route=\"/api/v1/posts/{id}\",status=\"418\"} 1",
        "http_request_duration_seconds_count{method=\"GET\",route=\"/api/v1/posts/{id}\"} 3",
        "websocket_connections_active 0",
        "db_connections_active{database=\"feed\"} 3",
        "db_connection_attempts_total{host=\"db \\\"one\\\"\\n\"} 0",
        "db_connection_failures_total{host=\"db \\\"one\\\"\\n\"} 1",
        "db_commit_writes_sum{database=\"feed\",engine=\"sqlite\"} 3.0",
        "db_commit_writes_bucket{le=\"4.0\",database=\"feed\",engine=\"sqlite\"} 1",
        "db_commit_duration_seconds_bucket{le=\"0.0025\",database=\"feed\",engine=\"sqlite\"} 1",
        "db_commit_duration_seconds_bucket{le=\"0.001\",database=\"feed\",engine=\"sqlite\"} 0",
        "cache_hits_total{class=\"post\"} 0",
        "cache_misses_total{class=\"post\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
    }
    for begin in
        ["process_cpu_seconds_total ", "process_resident_memory_bytes ", "host_cpu_seconds_total{"]
    {
        assert!(text.lines().any(|found| found.starts_with(begin)), "{begin} is not in\n{text}");
    }
}

#[test]
fn the_text_follows_the_rules_that_promtool_checks() {
    let metrics = everything();
    let text = metrics.render();
    assert!(text.ends_with("# EOF\n"));
    let mut kinds = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP") && *line != "# EOF") {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
            assert!(!name.ends_with("_total"), "{name}: the type line of a counter has no _total");
            continue;
        }
        if line.starts_with("# UNIT") {
            continue;
        }
        let name = line.split(['{', ' ']).next().unwrap();
        let base =
            ["_total", "_bucket", "_count", "_sum"].iter().find_map(|s| name.strip_suffix(s));
        let (name, base) = (name, base.unwrap_or(name));
        let kind = kinds.get(base).or_else(|| kinds.get(name)).unwrap().as_str();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        let odd = ["_ms", "_us", "_millis", "_kb", "_mb", "_minutes", "_percent"];
        assert!(!odd.iter().any(|unit| base.ends_with(unit)), "{name}: base units only");
    }
    for declared in metrics.declared() {
        let base = declared.name.strip_suffix("_total").unwrap_or(&declared.name);
        assert!(kinds.contains_key(base), "{} is declared and not shown", declared.name);
        assert!(!declared.help.is_empty() && !declared.help.ends_with('.'), "{}", declared.name);
    }
}

#[test]
fn the_same_declaration_gives_the_same_metric() {
    let metrics = Metrics::new();
    let scope = metrics.scope("feed");
    scope.counter("posts", "Posts made", Unit::None).inc();
    metrics.scope("feed").counter("posts", "Posts made", Unit::None).inc();
    assert!(metrics.render().contains("feed_posts_total 2\n"));
    assert_eq!(metrics.declared().len(), 1);
}

#[test]
fn a_family_that_grows_without_end_is_counted_under_other() {
    let metrics = Metrics::new();
    let family = metrics.scope("feed").counter_family("tags", "Tags used", Unit::None, &["tag"]);
    for tag in 0..SERIES_MAX + 500 {
        family.with(&[&tag.to_string()]).inc();
    }
    let text = metrics.render();
    assert!(text.contains("feed_tags_total{tag=\"other\"} 500\n"));
    assert_eq!(text.lines().count(), SERIES_MAX + 1 + 3);
}

#[test]
#[should_panic(expected = "declared in two ways")]
fn two_declarations_that_disagree_are_found() {
    let metrics = Metrics::new();
    metrics.scope("feed").counter("posts", "Posts made", Unit::None);
    metrics.scope("feed").counter("posts", "Something else", Unit::None);
}
