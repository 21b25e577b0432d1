//! `mainstay audit`, with the program stopped and running.

use mainstay_core::{
    audit::{self, Entry},
    auth,
    clock::Clock,
    db::{Db, DbError, Location},
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{accounts::create, program::Place};

/// More entries than one order looks at.
const MANY: i64 = 20_010;

/// Does something to an entry of the core's log behind the program's back.
fn forge(place: &Place, statement: &str) {
    let records = Connection::open(place.path().join("data/db/core.db")).unwrap();
    assert_eq!(records.execute(statement, []).unwrap(), 1);
}

/// The first part of a verification as JSON that ended with 1.
fn broken(place: &Place) -> Value {
    let ended = place.run("audit verify --json");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["error"]["exit_code"], 1);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    found["items"][0].clone()
}

#[test]
fn the_sound_entries_of_every_log_are_counted_stopped_or_running() {
    let place = Place::new();
    for handle in ["ada", "bob", "cid"] {
        create(&place, handle, "user").printed();
    }
    place.run("board create steps --title Steps --column steps").printed();
    let mut said = Vec::new();
    for runs in [false, true] {
        let _serving = runs.then(|| place.serve());
        said.push(place.run("audit verify").printed());
        let found = place.run("audit verify --json").printed_json();
        let item = |at: usize| found["items"][at].clone();
        assert_eq!((&item(0)["log"], &item(0)["sound"]), (&json!("core"), &json!(3)));
        assert_eq!(item(0)["broken_at"], Value::Null);
        assert!(said[0].contains(item(0)["hash"].as_str().unwrap()), "{said:?}");
        let logs: Vec<_> = (0..3).map(|at| item(at)["log"].clone()).collect();
        assert_eq!(logs, ["core", "feed", "boards"]);
    }
    assert_eq!(said[0], said[1]);
    assert!(
        said[0].starts_with("core      3 entries are sound, the last has the hash "),
        "{said:?}"
    );
    assert!(said[0].contains("\nfeed      0 entries\nboards    1 entries are sound"), "{said:?}");
}

#[test]
fn an_entry_that_was_changed_removed_or_made_unreadable_is_named_stopped_or_running() {
    let place = Place::new();
    for handle in ["ada", "bob", "cid", "dan", "eve"] {
        create(&place, handle, "user").printed();
    }
    for runs in [false, true] {
        let _serving = runs.then(|| place.serve());
        forge(&place, "update audit set actor = 'nobody' where seq = 4");
        let ended = place.run("audit verify");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.starts_with("core      3 entries are sound, the next is not\n"));
        assert!(
            ended.stdout.contains("feed      0 entries\n"),
            "the others are checked: {ended:?}"
        );
        let said = "mainstay: failed to find every audit log as it was written: in `core` the entry 4 was changed";
        assert!(ended.stderr.starts_with(said), "{ended:?}");
        let found = broken(&place);
        assert_eq!((&found["sound"], &found["broken_at"]), (&json!(3), &json!(4)));
        forge(&place, "update audit set actor = 'operator' where seq = 4");
        assert!(place.run("audit verify").printed().starts_with("core      5 entries"));
        forge(&place, "update audit set detail = '{' || detail where seq = 3");
        assert_eq!(broken(&place)["broken_at"], 3);
        forge(&place, "update audit set detail = substr(detail, 2) where seq = 3");
        forge(&place, "update audit set seq = 60 where seq = 2");
        assert_eq!(broken(&place)["broken_at"], 2);
        forge(&place, "update audit set seq = 2 where seq = 60");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_longer_than_one_order_looks_at_is_checked_to_its_end() {
    let place = Place::new();
    create(&place, "ada", "user").printed();
    let location = Location::Sqlite { folder: place.path().join("data/db"), durable: false };
    let db = Db::open(&location, "core", auth::MIGRATIONS, Clock::system()).await.unwrap();
    db.write::<_, DbError, _>(|tx| {
        Box::pin(async move {
            for _ in 1..MANY {
                let (actor, target, origin) = ("system".to_owned(), String::new(), String::new());
                let entry = Entry { actor, action: "test.act", target, detail: json!({}), origin };
                audit::append(tx, &entry).await?;
            }
            Ok(())
        })
    })
    .await
    .unwrap();
    db.close().await;
    for runs in [false, true] {
        let _serving = runs.then(|| place.serve());
        let found = place.run("audit verify --json").printed_json();
        assert_eq!(
            (&found["items"][0]["sound"], found["items"].as_array().unwrap().len()),
            (&json!(MANY), 3)
        );
        forge(&place, "update audit set at = at + 1 where seq = 20005");
        assert_eq!(broken(&place)["broken_at"], 20_005);
        forge(&place, "update audit set at = at - 1 where seq = 20005");
    }
}
