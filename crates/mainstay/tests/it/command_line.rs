//! Commands that start nothing: version, config, completions, routes, and mistakes in using them.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::program::{Place, source};

#[test]
fn the_version_is_told_to_people_and_programs() {
    let place = Place::new();
    let said = place.run("version").printed();
    assert!(said.starts_with(concat!("mainstay ", env!("CARGO_PKG_VERSION"), " (")), "{said}");
    let object = place.run("version --json").printed_json();
    assert_eq!(object["version"], env!("CARGO_PKG_VERSION"));
    for known in ["commit", "build_date", "target", "debug"] {
        assert!(object.get(known).is_some(), "{object}");
    }
    let short = place.run("--version").printed();
    assert_eq!(short.trim_end(), concat!("mainstay ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_documents_every_exit_code() {
    let help = Place::new().run("--help").printed();
    for code in 0..=5 {
        let documented = help.lines().any(|line| line.starts_with(&format!("  {code}  ")));
        assert!(documented, "{code} is missing in {help}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_to_write() {
    let place = Place::new();
    let said = place.run("versoin").complained(2);
    assert!(said.contains("a similar subcommand exists: 'version'"), "{said}");
    assert!(place.run("config explain --nope").complained(2).contains("--nope"));
    assert!(place.run("serve --set no-equals-sign").complained(2).contains("KEY=VALUE"));
    assert!(place.run("demo --size people=many").complained(2).contains("many"));
    let said = place.run("user create ada --email ada@example.org").complained(2);
    assert!(said.contains("--password-stdin"), "{said}");
    let user = "user create ada --email ada@example.org --password-stdin";
    assert!(place.run_with(user, "\n").complained(2).contains("its first line is empty"));
    assert!(place.run_with(user, &"x".repeat(5_000)).complained(2).contains("4096 bytes"));
    let said = place.run("user create ada --email a@example.org --role king --password-stdin");
    assert!(said.complained(2).contains("user, moderator, admin"));
}

#[test]
fn the_default_file_of_the_repository_is_the_one_that_is_printed() {
    let kept = fs::read_to_string(source("mainstay.default.toml")).unwrap();
    let printed = Place::new().run("config default").printed();
    assert!(
        kept == printed,
        "it is stale; run `cargo run -- config default > mainstay.default.toml`"
    );
}

#[test]
fn the_default_file_can_be_used_as_it_is() {
    let place = Place::new();
    place.write("mainstay.toml", &place.run("config default").printed());
    let said = place.run("config check").printed();
    assert!(said.starts_with("The configuration is valid, with the file mainstay.toml"), "{said}");
}

#[test]
fn the_configuration_is_checked_whole_and_ends_with_3() {
    let place = Place::new();
    assert!(place.run("config check").printed().contains("without a file; 0 keys are set"));
    place.write("mainstay.toml", "[http]\nlissten = 1\ndrain_ms = 'long'\n");
    let said = place.run("config check").complained(3);
    assert!(said.starts_with("mainstay: failed to accept the configuration:\n"), "{said}");
    assert!(
        said.contains("mainstay.toml:2: `http.lissten` is no setting; did you mean `http.listen`?")
    );
    assert!(said.contains("mainstay.toml:3: `http.drain_ms` takes a whole number"), "{said}");

    let object = place.run("config check --json").complained(3);
    let object: serde_json::Value = serde_json::from_str(&object).unwrap();
    assert_eq!(object["error"]["exit_code"], 3);
    let first = json!({
        "key": "http.drain_ms",
        "origin": "mainstay.toml:3",
        "message": "takes a whole number from 0 to 600000, not \"long\"",
        "hint": null,
    });
    assert!(object["error"]["faults"].as_array().unwrap().contains(&first), "{object}");

    // What does not check does not start either.
    assert!(place.run("serve").complained(3).contains("http.lissten"));
    let said = place.run("config check --config elsewhere.toml").complained(3);
    assert!(said.contains("read the configuration file `elsewhere.toml`"), "{said}");
    place.write("broken.toml", "a = \n");
    let said = place.run("config check --config broken.toml").complained(3);
    assert!(said.contains("read `broken.toml` as TOML: line 1"), "{said}");
}

#[test]
fn a_secret_that_cannot_be_had_is_found_by_the_check() {
    let place = Place::new();
    place.write(
        "mainstay.toml",
        "[redis]\nurl = 'file:redis-url'\n\n[secrets]\nmaster_key = 'env:NO_SUCH_KEY'\n",
    );
    let said = place.run("config check").complained(3);
    assert!(said.contains("mainstay.toml:2: `redis.url` cannot be had"), "{said}");
    assert!(said.contains("the file `redis-url`: No such file"), "{said}");
    assert!(said.contains("mainstay.toml:5: `secrets.master_key` cannot be had"), "{said}");
    assert!(said.contains("NO_SUCH_KEY, which is not set"), "{said}");

    place.write("redis-url", "redis://:hunter2@cache\n");
    let output =
        place.command("config check --json").env("NO_SUCH_KEY", "hunter2").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !said.contains("hunter2"), "{said}");
}

#[test]
fn explain_shows_the_value_in_force_and_who_set_it() {
    let place = Place::new();
    place.write("mainstay.toml", "[db]\nurl = 'postgres://me:hunter2@db/app'\n");
    let said = place.run("config explain db.url").printed();
    assert!(said.starts_with("db.url = \"postgres://me:***@db/app\"\n"), "{said}");
    assert!(said.contains("\nset by    mainstay.toml:2\n"), "{said}");
    assert!(said.contains("\ndefault   \"sqlite:\"\n"), "{said}");
    assert!(said.contains("\nvariable  MAINSTAY_DB__URL\n"), "{said}");

    let mut command = place.command("config explain http.listen --set http.listen=[::1]:1 --json");
    let output = command.env("MAINSTAY_HTTP__LISTEN", "[::1]:2").output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&object["value"], &object["origin"]),
        (&json!("\"[::1]:1\""), &json!("flag --set http.listen"))
    );

    let all = place.run("config explain").printed();
    assert!(all.lines().count() > 30 && !all.contains("hunter2"), "{all}");
    let said = place.run("config explain db.ulr").complained(3);
    assert_eq!(said, "mainstay: failed to find the key `db.ulr`; did you mean `db.url`?\n");
}

#[test]
fn a_variable_is_stronger_than_the_file_and_weaker_than_a_flag() {
    let place = Place::new();
    place.write("mainstay.toml", "[data]\ndir = 'from-file'\n");
    let value = |words: &str, variable: Option<&str>| {
        let mut command = place.command(words);
        command.envs(variable.map(|value| ("MAINSTAY_DATA__DIR", value)));
        let output = command.output().unwrap();
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        object["value"].as_str().unwrap().to_owned()
    };
    let words = "config explain data.dir --json";
    assert_eq!(value(words, None), "\"from-file\"");
    assert_eq!(value(words, Some("from-variable")), "\"from-variable\"");
    let words = "config explain data.dir --json --data from-flag";
    assert_eq!(value(words, Some("from-variable")), "\"from-flag\"");
}

#[test]
fn shells_get_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Place::new().run(&format!("completions {shell}")).printed();
        assert!(script.contains("serve") && script.contains("explain"), "{shell}: {script}");
    }
}

#[test]
fn routes_are_listed_for_people_and_programs() {
    let place = Place::new();
    let login = |line: &&str| line.starts_with("POST") && line.contains("/api/v1/auth/login ");
    let printed = place.run("routes").printed();
    assert!(printed.starts_with("METHOD") && printed.lines().any(|line| login(&line)), "{printed}");
    let routes = place.run("routes --json").printed_json();
    let login = |route: &&serde_json::Value| route["path"] == "/api/v1/auth/login";
    let route = routes.as_array().unwrap().iter().find(login).unwrap();
    assert_eq!((&route["access"], &route["limit"]), (&json!("everybody"), &json!("auth")));
    // It leaves nothing where it was asked.
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let mut command = place.command("config default");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
