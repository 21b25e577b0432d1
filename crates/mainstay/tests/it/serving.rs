//! `mainstay serve` as a process: its one line, its end, and its data folder.

use std::{fs, io::Write as _, net::TcpStream, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use crate::program::Place;

#[test]
fn it_says_one_line_when_it_is_ready_and_ends_well_when_told_to() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let serving = place.serve();
        assert!(serving.address().starts_with("127.0.0.1:"), "{}", serving.ready);
        assert!(serving.get("/nothing/here").starts_with("HTTP/1.1 404"));
        serving.signal(signal);
        assert_eq!(serving.end(), (Some(0), String::new()), "after SIG{signal}");
        assert!(!place.path().join("data/control.sock").exists());
    }
}

#[test]
fn a_second_program_on_the_folder_is_refused_with_the_first_ones_pid() {
    let place = Place::new();
    let serving = place.serve();
    let said = place.run("serve --listen 127.0.0.1:0").complained(4);
    assert!(
        said.contains(&format!("the program with process id {} uses it", serving.pid())),
        "{said}"
    );
    assert!(said.contains("stop that program, or choose another folder with --data"), "{said}");
    // The first one goes on, and another folder is free.
    assert!(serving.get("/").starts_with("HTTP/1.1 "));
    let other = Place::new().serve();
    assert_ne!(other.address(), serving.address());
}

#[test]
fn a_program_that_was_killed_leaves_nothing_in_the_way() {
    let place = Place::new();
    let serving = place.serve();
    serving.signal("KILL");
    assert_eq!(serving.end().0, None);
    assert!(place.path().join("data/control.sock").exists(), "it had no time to remove it");
    let again = place.serve();
    assert!(again.get("/").starts_with("HTTP/1.1 "));
    let mode = fs::metadata(place.path().join("data/control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let place = Place::new();
    let serving = place.serve();
    let other = Place::new();
    let said = other.run(&format!("serve --listen {}", serving.address())).complained(1);
    assert!(said.contains(&format!("failed to listen on {}", serving.address())), "{said}");
    assert!(said.contains("choose another port with --listen"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_had_is_named() {
    let place = Place::new();
    place.write("file", "");
    let said = place.run("serve --data file/data").complained(1);
    assert!(said.contains("failed to use the data folder: `file/data`"), "{said}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let serving = place.serve();
    // Half a request keeps the program draining for as long as `http.drain_ms`; then it would end with 0.
    let mut half = TcpStream::connect(serving.address()).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost").unwrap();
    assert!(serving.get("/").starts_with("HTTP/1.1 "), "the half was taken before this one");
    serving.signal("TERM");
    while TcpStream::connect(serving.address()).is_ok() {
        std::thread::yield_now();
    }
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(128 + 15));
}

#[test]
fn an_address_that_is_not_there_is_a_page_for_people_and_a_problem_for_programs() {
    let place = Place::new();
    let serving = place.serve();
    let page = serving.head_of("/nothing");
    assert!(page.starts_with("HTTP/1.1 404") && page.contains("text/html"), "{page}");
    for path in ["/api/v1/nothing", "/api/v1/boards/weekly/scores/"] {
        let problem = serving.head_of(path);
        assert!(problem.starts_with("HTTP/1.1 404"), "{problem}");
        assert!(problem.contains("application/problem+json"), "{problem}");
    }
}

/// A balancer needs time to notice; who was sent here until then must not be refused.
#[test]
fn whoever_comes_while_the_end_is_announced_is_answered() {
    let place = Place::new();
    let serving = place.serve_with("--set http.announce_ms=600000");
    assert!(serving.get("/health/ready").starts_with("HTTP/1.1 200"));
    assert!(!serving.kept_head_of("/explore").contains("connection: close"));
    serving.signal("TERM");
    while serving.get("/health/ready").starts_with("HTTP/1.1 200") {
        std::thread::yield_now();
    }
    assert!(serving.get("/health/ready").starts_with("HTTP/1.1 503"));
    assert!(serving.get("/health/live").starts_with("HTTP/1.1 200"));
    let said = place.run("board list").printed();
    assert!(said.contains("no boards yet"), "{said}");
    // Connections that are kept are not used for a request that would meet the end.
    let head = serving.kept_head_of("/explore");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("connection: close"), "{head}");
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(128 + 15));
}

#[test]
fn when_the_end_was_announced_it_comes() {
    let place = Place::new();
    let serving = place.serve_with("--set http.announce_ms=1");
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

/// The start-up log of the system that Feed replaces held the first ten characters of its secret.
#[test]
fn no_part_of_a_secret_is_logged() {
    const PASSWORD: &str = "correct horse battery";
    let place = Place::new();
    let log = place.path().join("mainstay.log");
    let flags = format!("--set log.level=trace --set log.file={}", log.display());
    let serving = place.serve_with(&flags);
    let new = json!({ "handle": "ada", "email": "ada@example.org", "password": PASSWORD });
    let registered = serving.post("/api/v1/auth/register", &new);
    let (_, body) = registered.split_once("\r\n\r\n").unwrap();
    let signed_in: serde_json::Value = serde_json::from_str(body).unwrap();
    let wrong = json!({ "login": "ada", "password": "another long password" });
    assert!(serving.post("/api/v1/auth/login", &wrong).starts_with("HTTP/1.1 401"));
    serving.signal("TERM");
    serving.end();
    let logged = fs::read_to_string(&log).unwrap();
    assert!(logged.contains("register"), "requests are logged: {logged}");
    let master = fs::read_to_string(place.path().join("data/keys/master.key")).unwrap();
    let token = |name: &str| signed_in[name].as_str().unwrap().to_owned();
    // The head of every token is the same and says only what it is.
    let signature = token("access_token").rsplit('.').next().unwrap().to_owned();
    let secrets = [
        master.trim().to_owned(),
        signature,
        token("refresh_token"),
        PASSWORD.to_owned(),
        "another long password".to_owned(),
        "ada@example.org".to_owned(),
    ];
    for secret in secrets {
        for part in secret.as_bytes().windows(10) {
            let part = str::from_utf8(part).unwrap();
            assert!(!logged.contains(part), "`{part}` of a secret is in the log");
        }
    }
}

/// Nothing that can be made up is looked up without end, also where requests are not counted.
#[test]
fn guesses_are_counted_where_requests_are_free() {
    let place = Place::new();
    place.write("mainstay.toml", "[limit.read]\nper_min = 1\nburst = 3\n");
    let serving = place.serve();
    let guess = |number: i32| serving.get_with("/media/nothing", &format!("mk_{number}"));
    for number in 0..3 {
        assert!(guess(number).starts_with("HTTP/1.1 401"));
    }
    assert!(guess(3).starts_with("HTTP/1.1 429"));
    // Who shows nothing is free as before, and so is what answers everybody alike.
    for _ in 0..10 {
        assert!(serving.get("/media/nothing").starts_with("HTTP/1.1 404"));
        assert!(serving.get_with("/health/live", "mk_9").starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_hangup_takes_over_what_the_file_says_now() {
    let place = Place::new();
    place.write("mainstay.toml", "[limit.read]\nper_min = 60000\nburst = 1000\n");
    let serving = place.serve();
    // A file that is not valid changes nothing and ends nothing.
    place.write("mainstay.toml", "[limit.read]\nburst = 0\n");
    serving.signal("HUP");
    assert!(serving.get("/nothing").starts_with("HTTP/1.1 404"));

    place.write("mainstay.toml", "[limit.read]\nper_min = 1\nburst = 1\n");
    serving.signal("HUP");
    // Under the first file all of them would be let through.
    let limited = (0..200).any(|_| serving.get("/nothing").starts_with("HTTP/1.1 429"));
    assert!(limited, "the new limit does not hold");
}
