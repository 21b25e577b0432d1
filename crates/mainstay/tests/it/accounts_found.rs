//! `mainstay user show` and `list`, with the program stopped and running.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{accounts::create, program::Place};

/// The handles of a list.
fn handles(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|one| one["handle"].as_str().unwrap()).collect()
}

#[test]
fn an_account_is_shown_with_its_address_and_how_it_stands_stopped_or_running() {
    let place = Place::new();
    let made = create(&place, "ada", "admin").printed_json();
    create(&place, "bob", "user").printed();
    create(&place, "cid", "user").printed();
    place.run("user suspend bob").printed();
    let records = Connection::open(place.path().join("data/db/core.db")).unwrap();
    let key =
        "delete from subject_key where subject = (select id from account where handle = 'cid')";
    assert_eq!(records.execute(key, []).unwrap(), 1);
    drop(records);
    for runs in [false, true] {
        let _serving = runs.then(|| place.serve());
        assert_eq!(place.run("user show ADA --json").printed_json(), made);
        let said = place.run("user show ada").printed();
        let (id, since) = (made["id"].as_str().unwrap(), made["created_at"].as_str().unwrap());
        let expected = format!(
            "ada  {id}\n  email  ada@example.org\n  role   admin\n  state  active\n  since  {since}\n"
        );
        assert_eq!(said, expected);
        assert!(place.run("user show bob").printed().contains("\n  state  suspended\n"));
        let gone = place.run("user show cid").printed();
        assert!(
            gone.contains("\n  email  none\n") && gone.contains("\n  state  forgotten\n"),
            "{gone}"
        );
        let said = place.run("user show zoe").complained(5);
        let expected = "mainstay: failed to find what was named: There is no account `zoe`. \
                        `mainstay user list` shows those that there are.\n";
        assert_eq!(said, expected);
    }
}

#[test]
fn accounts_are_listed_by_handle_a_page_at_a_time_and_without_addresses_stopped_or_running() {
    let place = Place::new();
    assert!(place.run("user list").complained(1).contains("make one with `mainstay serve` or"));
    for (handle, role) in [("dan", "user"), ("ada", "admin"), ("cid", "moderator"), ("bob", "user")]
    {
        create(&place, handle, role).printed();
    }
    for runs in [false, true] {
        let _serving = runs.then(|| place.serve());
        let all = place.run("user list --json").printed_json();
        assert_eq!(handles(&all), ["ada", "bob", "cid", "dan"]);
        assert_eq!(all["next"], Value::Null);
        let fields: Vec<_> = all["items"][0].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["id", "handle", "role", "state"]);

        let first = place.run("user list --limit 3 --json").printed_json();
        assert_eq!((handles(&first), &first["next"]), (vec!["ada", "bob", "cid"], &json!("cid")));
        let rest = place.run("user list --limit 3 --after cid --json").printed_json();
        assert_eq!((handles(&rest), &rest["next"]), (vec!["dan"], &Value::Null));
        let users = place.run("user list --role user --json").printed_json();
        assert_eq!(handles(&users), ["bob", "dan"]);

        let said = place.run("user list --limit 2").printed();
        assert!(said.starts_with("HANDLE  ID ") && !said.contains('@'), "{said}");
        assert!(said.ends_with("\nthere are more; go on with --after bob\n"), "{said}");
        assert_eq!(place.run("user list --after zoe").printed(), "no such accounts\n");
        for limit in ["0", "501"] {
            let said = place.run(&format!("user list --limit {limit}")).complained(2);
            assert!(said.contains("1..=500"), "{said}");
        }
    }
}
