//! `mainstay facts`: what could not be taken is seen, and taken after all; state is told again. With the program
//! stopped and running.

use mainstay_testkit::program::eventually;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::program::{Ended, Place, Serving};

/// 2026-11-21, noon.
const NOON: i64 = 1_795_262_400_000_000;

fn records(place: &Place) -> Connection {
    Connection::open(place.path().join("data/db/feed.db")).unwrap()
}

/// Puts a fact aside that says of an account that it was created.
fn put_aside(place: &Place, n: u8, payload: &Value) {
    let letter = "insert into dead_letter (consumer, fact_id, source, name, payload, error, attempts, at)
                  values ('accounts', ?1, 'core', 'core.account_created.v1', ?2, 'it was not to be', 8, ?3)";
    let values = ([n; 16], payload.to_string(), NOON + i64::from(n));
    assert_eq!(records(place).execute(letter, values).unwrap(), 1);
}

fn account(handle: &str) -> Value {
    json!({ "user": "user_01h2xcejqtf2nbrexx3vqjhp41", "handle": handle })
}

fn dead(place: &Place) -> Vec<Value> {
    let listed = place.run("facts dead --json").printed_json();
    assert_eq!(listed["more"], false);
    listed["items"].as_array().unwrap().clone()
}

/// What a retry printed that ends with 1 because something failed again.
fn failed(ended: Ended) -> String {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:?}");
    ended.stdout
}

#[test]
fn facts_that_were_put_aside_are_listed_and_taken_stopped_or_running() {
    let place = Place::new();
    let ada = "user create ada --email ada@example.org --password-stdin";
    place.run_with(ada, "correct horse battery staple").printed();
    assert_eq!(place.run("facts dead").printed(), "no facts were put aside\n");
    put_aside(&place, 1, &json!({ "handle": "nobody" }));
    put_aside(&place, 2, &account("ghost"));
    let listed = place.run("facts dead").printed();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.starts_with("feed.accounts  fact_"), "{listed}");
    assert!(listed.contains("after 8 attempts: it was not to be"), "{listed}");
    let limited = place.run("facts dead --limit 1").printed();
    assert!(limited.ends_with("there are more; --limit says how many are listed\n"), "{limited}");

    let serving = place.serve();
    let ghost = "/api/v1/users/by-handle/ghost";
    assert_eq!(serving.get(ghost), "HTTP/1.1 404 Not Found");
    assert_eq!(dead(&place).len(), 2);
    let said = failed(place.run("facts retry feed.accounts"));
    assert!(said.starts_with("1 taken, 1 failed again\nfact_"), "{said}");
    assert!(said.contains("another shape"), "{said}");
    assert_eq!(serving.get(ghost), "HTTP/1.1 200 OK");
    let left = dead(&place);
    assert_eq!((left.len(), &left[0]["attempts"]), (1, &json!(9)), "{left:?}");
    assert!(left[0]["error"].as_str().unwrap().contains("another shape"), "{left:?}");
    assert_eq!(left[0]["payload"], json!({ "handle": "nobody" }));
    let again: Value =
        serde_json::from_str(&failed(place.run("facts retry feed.accounts --json"))).unwrap();
    assert_eq!((&again["taken"], &again["next"]), (&json!(0), &Value::Null), "{again}");
    assert_eq!(again["failed"][0]["fact"], left[0]["fact"]);
    let said = place.run("facts retry feed.nothing").complained(5);
    assert!(
        said.contains("there are core.suspensions, feed.accounts, feed.notifications"),
        "{said}"
    );
    let elsewhere = "facts retry feed.accounts fact_01h455vb4pex5vsknk084sn02q";
    let said = place.run(elsewhere).complained(5);
    assert!(said.contains("among those that this consumer put aside"), "{said}");
    place.run("facts retry feed.accounts something").complained(2);
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));

    assert_eq!(place.run("facts retry feed.nothing").complained(5).lines().count(), 1);
    let mend = "update dead_letter set payload = ?1";
    let mended = json!({ "user": "user_01h455vb4pex5vsknk084sn02q", "handle": "mended" });
    assert_eq!(records(&place).execute(mend, [mended.to_string()]).unwrap(), 1);
    let one = format!("facts retry feed.accounts {}", left[0]["fact"].as_str().unwrap());
    assert_eq!(place.run(&one).printed(), "1 taken, 0 failed again\n");
    assert!(place.run(&one).complained(5).contains("put aside"));
    assert_eq!(dead(&place).len(), 0);
    assert_eq!(place.serve().get("/api/v1/users/by-handle/mended"), "HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_told_again_stopped_or_running_and_gives_a_consumer_back_what_it_lost() {
    let place = Place::new();
    let ada = "user create ada --email ada@example.org --password-stdin";
    place.run_with(ada, "correct horse battery staple").printed();
    let is_found =
        |serving: &Serving| serving.get_json("/api/v1/search?q=ada")["items"][0]["handle"] == "ada";
    let lose = || {
        let lost = "delete from profile_word; delete from profile";
        records(&place).execute_batch(lost).unwrap();
    };
    let serving = place.serve();
    eventually("ada is known", async || is_found(&serving)).await;
    lose();
    assert!(!is_found(&serving));
    let said = place.run("facts replay core").printed();
    assert_eq!(said, "1 facts told of the state of `core`\n");
    eventually("ada is known again", async || is_found(&serving)).await;
    let said = place.run("facts replay nothing").complained(5);
    assert!(said.contains("there are core, feed"), "{said}");
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));

    lose();
    let told = place.run("facts replay core --json").printed_json();
    assert_eq!(told, json!({ "service": "core", "told": 1 }));
    assert!(place.run("facts replay nothing").complained(5).contains("there are core, feed"));
    let serving = place.serve();
    eventually("ada is known again", async || is_found(&serving)).await;
}
