//! Layers, origins, refusals, and the default file.

use std::{fs, net::SocketAddr, path::PathBuf};

use mainstay_core::config::{
    Config, ConfigError, Fault, Flag, Section, SettingFault, Settings, Sources, default_file,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings as a service has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Parrot {
    /// The most words that it says.
    #[schemars(range(min = 1, max = 50), extend("x-reloads" = true))]
    words_max: u32,
    /// What it says.
    phrases: Vec<String>,
    /// How it says it.
    voice: Voice,
    /// Where it sits.
    perch: Perch,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Voice {
    /// For all to hear.
    Loud,
    /// For few.
    #[default]
    Soft,
}

/// The perch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Perch {
    /// Its height.
    height_cm: f64,
}

impl Default for Parrot {
    fn default() -> Self {
        Self { words_max: 3, phrases: Vec::new(), voice: Voice::Soft, perch: Perch::default() }
    }
}

impl Settings for Parrot {
    fn faults(&self) -> Vec<SettingFault> {
        let low = self.perch.height_cm < 0.0;
        let long = self.phrases.len() > self.words_max as usize;
        let fault = || SettingFault::new("phrases", "has more phrases than `parrot.words_max`");
        let below = || SettingFault::new("perch", "is below the ground");
        long.then(fault).into_iter().chain(low.then(below)).collect()
    }
}

fn sections() -> Vec<Section> {
    vec![Section::of::<Parrot>("parrot")]
}

struct File(tempfile::TempDir);

impl File {
    fn new(text: &str) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        file.write(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("mainstay.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }
}

fn sources(file: Option<&File>, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    let own = |text: &&str| (*text).to_owned();
    Sources {
        file: file.map(File::path),
        variables: variables.iter().map(|(name, value)| (own(name), own(value))).collect(),
        flags: flags
            .iter()
            .map(|(key, value)| Flag { name: "--set".into(), key: own(key), value: own(value) })
            .collect(),
    }
}

fn faults(sources: Sources) -> Vec<Fault> {
    match Config::load(sections(), sources) {
        Err(ConfigError::Invalid(faults)) => faults,
        other => panic!("it should have been refused, but: {other:?}"),
    }
}

#[test]
fn a_stronger_layer_wins_and_every_origin_is_kept() {
    let file = File::new(
        "# ours\n[http]\nlisten = '127.0.0.1:1'\nin_flight_max = 11\ndrain_ms = 12\n\n\
         [parrot]\nphrases = ['a']\nperch.height_cm = 1.5\n",
    );
    let variables = [("MAINSTAY_HTTP__LISTEN", "127.0.0.1:2"), ("MAINSTAY_HTTP__DRAIN_MS", "22")];
    let flags = [("http.listen", "127.0.0.1:3")];
    let config = Config::load(sections(), sources(Some(&file), &variables, &flags)).unwrap();

    let http = &config.core().http;
    assert_eq!(http.listen, SocketAddr::from(([127, 0, 0, 1], 3)));
    assert_eq!((http.drain_ms, http.in_flight_max), (22, 11));
    assert_eq!(http.connections_max, 20_000);
    let parrot: Parrot = config.section("parrot").unwrap();
    assert_eq!((parrot.phrases.len(), parrot.perch.height_cm), (1, 1.5));

    let origin = |key| config.explain(key).unwrap().origin;
    assert_eq!(origin("http.listen"), "flag --set");
    assert_eq!(origin("http.drain_ms"), "environment variable MAINSTAY_HTTP__DRAIN_MS");
    assert_eq!(origin("http.in_flight_max"), format!("{}:4", file.path().display()));
    assert_eq!(origin("parrot.perch.height_cm"), format!("{}:9", file.path().display()));
    assert_eq!(origin("http.connections_max"), "default");
}

#[test]
fn it_runs_with_no_configuration_at_all() {
    let config = Config::defaults(sections()).unwrap();
    let core = config.core();
    assert_eq!(core.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(core.sqlite_folder("sqlite:"), Some(PathBuf::from("./data/db")));
    assert_eq!(core.sqlite_folder("sqlite:/srv/db"), Some(PathBuf::from("/srv/db")));
    assert_eq!(core.sqlite_folder("postgres://db/app"), None);
    assert_eq!(core.blobs_folder(), Some(PathBuf::from("./data/blobs")));
    assert!(core.limit.enabled && core.redis.url.is_empty());
}

#[test]
fn an_unknown_key_is_refused_where_it_stands_with_the_nearest_known_one() {
    let file = File::new("[http]\nlissten = 'x'\n\n[prrot]\nx = 1\n\n[zzzzzzzz]\ny = 1\n");
    let variables = [("MAINSTAY_DB__ULR", "sqlite:"), ("MAINSTAY_LISTEN__X", "1")];
    let found = faults(sources(Some(&file), &variables, &[("parrot.word_max", "1")]));
    let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
    let path = file.path();
    let path = path.display();
    let expected = [
        format!("{path}:2: `http.lissten` is no setting; did you mean `http.listen`?"),
        format!("{path}:4: `prrot` is no setting; did you mean `parrot`?"),
        format!("{path}:7: `zzzzzzzz` is no setting"),
        "environment variable MAINSTAY_DB__ULR: `db.ulr` is no setting; did you mean `db.url`?"
            .to_owned(),
        "flag --set: `parrot.word_max` is no setting; did you mean `parrot.words_max`?".to_owned(),
    ];
    for line in &expected {
        assert!(shown.contains(line), "{line} is not in {shown:#?}");
    }
    assert_eq!(found.len(), 6, "all at once: {shown:#?}");
}

#[test]
fn a_right_key_in_the_wrong_section_is_found() {
    let found = faults(sources(None, &[], &[("server.in_flight_max", "1")]));
    assert_eq!(found[0].hint.as_deref(), Some("http.in_flight_max"));
}

#[test]
fn a_variable_with_single_underscores_is_not_passed_over() {
    let found = faults(sources(None, &[("MAINSTAY_DB_URL", "sqlite:")], &[]));
    assert_eq!(found[0].hint.as_deref(), Some("MAINSTAY_DB__URL"));
    // What Kubernetes puts beside a service of this name is not ours.
    let kubernetes = [("MAINSTAY_PORT", "tcp://10.0.0.1:80"), ("MAINSTAY_SERVICE_HOST", "x")];
    Config::load(sections(), sources(None, &kubernetes, &[])).unwrap();
}

#[test]
fn every_wrong_value_is_named_at_once_with_what_would_fit() {
    let file = File::new(
        "[http]\nlisten = 'nowhere'\nin_flight_max = 'many'\ndrain_ms = 600001\n\
         [parrot]\nvoice = 'shrill'\nphrases = [1]\n[log]\nlevel = true\n[blobs]\nurl = { a = 1 }\n",
    );
    let variables = [("MAINSTAY_LIMIT__ENABLED", "maybe"), ("MAINSTAY_LIMIT__READ", "7")];
    let found =
        faults(sources(Some(&file), &variables, &[("http.trusted_proxies", "10.0.0.0/99")]));
    let message = |key: &str| {
        let fault = found.iter().find(|fault| fault.key == key);
        fault.unwrap_or_else(|| panic!("{key} is not in {found:#?}")).message.clone()
    };
    assert!(message("http.listen").contains("invalid socket address"));
    let many = "takes a whole number from 1 to 1000000, not \"many\"";
    assert_eq!(message("http.in_flight_max"), many);
    assert_eq!(message("http.drain_ms"), "takes a whole number from 0 to 600000, not 600001");
    assert_eq!(message("parrot.voice"), "takes one of loud, soft, not \"shrill\"");
    assert_eq!(message("parrot.phrases"), "takes text, not 1");
    assert_eq!(message("log.level"), "takes text, not true");
    assert_eq!(message("blobs.url"), "takes text, not {\"a\":1}");
    assert_eq!(message("limit.enabled"), "takes true or false, not \"maybe\"");
    assert!(message("limit.read").contains("is a table"));
    assert!(message("http.trusted_proxies").contains("cannot be read"));
    assert_eq!(found.len(), 10);
}

#[test]
fn rules_between_keys_are_checked_and_point_at_the_place() {
    let file = File::new(
        "[parrot]\nwords_max = 1\nphrases = ['a', 'b']\n[db]\nurl = 'mysql://db'\n\
         [blobs]\naccess_key = 'a'\n[log]\nlevel = 'loud'\n\
         [http]\ncors_origins = ['https://app.example.org/path']\n\
         [parrot.perch]\nheight_cm = -1\n",
    );
    let found = faults(sources(Some(&file), &[], &[]));
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    let at = |line: usize, key: &str| format!("{}:{line}: `{key}`", file.path().display());
    for start in [
        at(3, "parrot.phrases"),
        at(5, "db.url"),
        "default: `blobs.secret_key`".to_owned(),
        at(9, "log.level"),
        at(11, "http.cors_origins"),
        at(13, "parrot.perch"),
    ] {
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{start} is not in {lines:#?}");
    }
}

#[test]
fn where_public_media_are_fetched_from_is_a_place_on_the_web_and_no_more() {
    let load = |url: &str| {
        let variables = [("MAINSTAY_BLOBS__PUBLIC_URL", url)];
        Config::load(sections(), sources(None, &variables, &[]))
    };
    for url in ["", "https://cdn.example.org", "http://10.0.0.1:8080/media/of/us/"] {
        assert_eq!(load(url).unwrap().core().blobs.public_url, url);
    }
    for (url, says) in [
        ("cdn.example.org", "no web address"),
        ("//cdn.example.org", "no web address"),
        ("ftp://cdn.example.org", "no web address"),
        ("https://cdn.example.org/?token=1", "more than a place"),
        ("https://cdn.example.org/#top", "more than a place"),
        ("https://me:secret@cdn.example.org", "more than a place"),
    ] {
        let found = match load(url) {
            Err(ConfigError::Invalid(faults)) => faults,
            other => panic!("{url} should have been refused, but: {other:?}"),
        };
        assert_eq!(found.len(), 1, "{url}");
        let said = found[0].to_string();
        assert!(said.contains("`blobs.public_url`") && said.contains(says), "{said}");
    }
}

#[test]
fn tables_and_lists_can_be_set_by_a_variable() {
    let variables = [
        ("MAINSTAY_LIMIT__READ", "{ per_min = 7, burst = 8 }"),
        ("MAINSTAY_HTTP__CORS_ORIGINS", "https://a.example.org, https://b.example.org"),
        ("MAINSTAY_HTTP__TRUSTED_PROXIES", "['10.0.0.0/8']"),
    ];
    let config = Config::load(sections(), sources(None, &variables, &[])).unwrap();
    let core = config.core();
    assert_eq!((core.limit.read.per_min, core.limit.read.burst), (7, 8));
    assert_eq!(core.http.cors_origins, ["https://a.example.org", "https://b.example.org"]);
    assert_eq!(core.http.trusted_proxies.len(), 1);
    assert_eq!(
        config.explain("limit.read.burst").unwrap().origin,
        "environment variable MAINSTAY_LIMIT__READ"
    );
}

#[test]
fn secrets_are_nowhere_in_what_is_shown() {
    let variables = [
        ("MAINSTAY_DB__URL", "postgres://me:hunter2@db/app"),
        ("MAINSTAY_BLOBS__ACCESS_KEY", "hunter2"),
        ("MAINSTAY_BLOBS__SECRET_KEY", "env:HUNTER"),
        ("MAINSTAY_SECRETS__MASTER_KEY", "hunter2"),
    ];
    let config = Config::load(sections(), sources(None, &variables, &[])).unwrap();
    let shown = format!("{config:?} {:?} {:?}", config.core(), config.explain_all(""));
    assert!(!shown.contains("hunter2"), "{shown}");
    let value = |key| config.explain(key).unwrap().value;
    assert_eq!(value("db.url"), "\"postgres://me:***@db/app\"");
    assert_eq!(value("blobs.secret_key"), "\"env:HUNTER\"");

    let mut wrong = sources(None, &variables, &[("db.url", "mysql://me:hunter2@db")]);
    wrong.flags.push(Flag { name: "--set".into(), key: "jobs.workers".into(), value: "0".into() });
    let error = Config::load(sections(), wrong).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn an_unknown_key_to_explain_gets_the_nearest() {
    let config = Config::defaults(sections()).unwrap();
    let said = config.explain("db.ur").unwrap_err().to_string();
    assert_eq!(said, "find the key `db.ur`; did you mean `db.url`?");
    assert_eq!(config.explain_all("parrot").len(), 4);
    let words = config.explain("parrot.words_max").unwrap();
    assert_eq!(words.takes, "a whole number from 1 to 50");
    assert_eq!(words.variable, "MAINSTAY_PARROT__WORDS_MAX");
    assert_eq!((words.description.as_str(), words.reloads), ("The most words that it says.", true));
}

#[test]
fn a_reload_takes_what_it_may_and_names_the_rest() {
    let file = File::new("[parrot]\nwords_max = 5\n[jobs]\nworkers = 2\n");
    let config = Config::load(sections(), sources(Some(&file), &[], &[])).unwrap();
    file.write("[parrot]\nwords_max = 6\n[jobs]\nworkers = 3\n[log]\nlevel = 'debug'\n");
    let reload = config.reload().unwrap();
    let keys = |changed: &[mainstay_core::config::Changed]| {
        changed.iter().map(|changed| changed.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&reload.applied), ["log.level", "parrot.words_max"]);
    assert_eq!(keys(&reload.needs_restart), ["jobs.workers"]);
    let now = reload.config;
    assert_eq!(now.section::<Parrot>("parrot").unwrap().words_max, 6);
    assert_eq!(now.core().log.level, "debug");
    assert_eq!(now.core().jobs.workers, 2, "it is in force until the restart");

    file.write("[parrot]\nwords_max = 0\n");
    assert!(matches!(now.reload(), Err(ConfigError::Invalid(_))));
    file.write("[parrot\n");
    assert!(matches!(now.reload(), Err(ConfigError::Syntax { line: 1, .. })));
    fs::remove_file(file.path()).unwrap();
    assert!(matches!(now.reload(), Err(ConfigError::Read { .. })));
}

#[test]
fn the_default_file_says_what_holds_without_it() {
    let config = Config::defaults(sections()).unwrap();
    let text = default_file::render(&config);
    let expected = "
[parrot]
# The most words that it says.
# Takes a whole number from 1 to 50. Changes without a restart.
words_max = 3
# What it says.
phrases = []
# How it says it.
voice = \"soft\"

# Where it sits.
[parrot.perch]
# Its height.
height_cm = 0.0
";
    assert!(text.contains(expected), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");

    let file = File::new(&text);
    let same = Config::load(sections(), sources(Some(&file), &[], &[])).unwrap();
    for (before, after) in config.explain_all("").iter().zip(same.explain_all("")) {
        assert_eq!((&before.key, &before.value), (&after.key, &after.value));
        assert_ne!(after.origin, "default", "{} is not in the file", after.key);
        assert!(!before.description.is_empty(), "{} has no doc comment", before.key);
    }
}
