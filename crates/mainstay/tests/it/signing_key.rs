//! `mainstay signing-key`, with the program stopped and running.

use serde_json::Value;

use crate::{
    accounts::{PASSWORD, create, sign_in},
    program::{Place, Serving},
};

const ME: &str = "/api/v1/me";

fn token(serving: &Serving) -> String {
    sign_in(serving, "ada", PASSWORD).1["access_token"].as_str().unwrap().to_owned()
}

/// The ids of the keys that verify tokens, the one that signs first.
fn keys(serving: &Serving) -> Vec<String> {
    let set = serving.get_json("/.well-known/jwks.json");
    let id = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    set["keys"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn a_new_key_signs_and_what_the_old_one_signed_stays_good_stopped_or_running() {
    let place = Place::new();
    create(&place, "ada", "admin").printed();
    let serving = place.serve();
    let (first, old) = (keys(&serving), token(&serving));
    assert_eq!(first.len(), 1);
    let said = place.run("signing-key rotate").printed();
    let second =
        said.strip_prefix("the key ").and_then(|rest| rest.strip_suffix(" signs from now on\n"));
    let second = second.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(keys(&serving), [second, &*first[0]]);
    let new = token(&serving);
    let header = |token: &str| token.split('.').next().unwrap().to_owned();
    assert_ne!(header(&old), header(&new), "another key signs");
    for token in [&old, &new] {
        assert_eq!(serving.get_as(token, ME), "HTTP/1.1 200 OK");
    }
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));

    let third = place.run("signing-key rotate --json").printed_json();
    let serving = place.serve();
    assert_eq!(keys(&serving)[0], third["key"].as_str().unwrap());
    assert_eq!(keys(&serving).len(), 3);
    let newest = token(&serving);
    for token in [&old, &new, &newest] {
        assert_eq!(serving.get_as(token, ME), "HTTP/1.1 200 OK");
    }
}
