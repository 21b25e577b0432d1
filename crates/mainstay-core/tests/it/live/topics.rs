//! Who gets what.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_gets_what_is_published_and_nothing_else() {
    let house = house(LiveSettings::default()).await;
    let mut client = house.connect().await;
    assert_eq!(client.subscribe("room:a", None).await["type"], "subscribed");
    house.say("b", 1);
    house.say("a", 2);
    let got = client.next().await;
    assert_eq!(
        (&got["topic"], &got["type"], &got["data"]),
        (&json!("room:a"), &json!("said"), &json!({ "n": 2 }))
    );
    assert!(got["id"].is_string());
    client.send(json!({ "unsubscribe": ["room:a"], "subscribe": ["room:b"] })).await;
    assert_eq!(client.next().await["topic"], "room:b");
    house.say("a", 3);
    house.say("b", 4);
    assert_eq!(client.next().await["data"]["n"], 4);
    drop(client);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_one_may_not_see_is_refused_and_the_others_go_on() {
    let house = house(LiveSettings::default()).await;
    let mut client = house.connect().await;
    client.send(json!({ "subscribe": ["room:secret", "home", "nothing:1", "room:a"] })).await;
    for (topic, code) in
        [("room:secret", "not_found"), ("home", "unauthenticated"), ("nothing:1", "not_found")]
    {
        let answer = client.next().await;
        assert_eq!((&answer["topic"], &answer["type"]), (&json!(topic), &json!("refused")));
        assert_eq!(answer["data"]["code"], code);
    }
    assert_eq!(client.next().await["type"], "subscribed");
    house.say("secret", 1);
    house.say("a", 2);
    assert_eq!(client.next().await["data"]["n"], 2);
    drop(client);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_takes_effect_at_the_next_message() {
    let house = house(LiveSettings::default()).await;
    let mut client = house.connect_as(&person()).await;
    assert_eq!(client.subscribe("home", None).await["type"], "subscribed");
    let post = |n: i64, author: u128| {
        house.live.publish(Tag::named("posts"), message(n).about([author, 0]));
    };
    post(1, 50);
    assert_eq!(client.next().await["data"]["n"], 1);
    house.blocked.lock().unwrap().push(50);
    post(2, 50);
    post(3, 51);
    assert_eq!(client.next().await["data"]["n"], 3);
    drop(client);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_once() {
    let house = house(LiveSettings::default()).await;
    let ticket = house.live.ticket(person()).unwrap();
    let query = format!("?ticket={ticket}");
    let client = house.connect_with(&query, &[]).await.unwrap();
    assert_eq!(status(house.connect_with(&query, &[]).await), 401);
    assert_eq!(status(house.connect_with("?ticket=made-up", &[]).await), 401);
    drop(client);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_in_gets_tickets_and_nobody_else() {
    let house = house(LiveSettings::default()).await;
    let account = NewAccount {
        handle: "ada".into(),
        email: "ada@example.org".into(),
        password: "correct horse battery".into(),
    };
    let from = auth::Origin { address: None, agent: None };
    let signed_in = house.auth.register(account, &from).await.unwrap();
    let address = format!("http://{}/api/v1/live/tickets", house.address);
    let client = reqwest::Client::new();
    assert_eq!(within(client.post(&address).send()).await.unwrap().status().as_u16(), 401);
    let asked = client.post(&address).bearer_auth(&signed_in.access_token).send();
    let answer = within(asked).await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let body: Value = serde_json::from_str(&within(answer.text()).await.unwrap()).unwrap();
    let query = format!("?ticket={}", body["ticket"].as_str().unwrap());
    let mut socket = house.connect_with(&query, &[]).await.unwrap();
    assert_eq!(socket.subscribe("home", None).await["type"], "subscribed");
    // The header does as well.
    let bearer = format!("Bearer {}", signed_in.access_token);
    let mut socket = house.connect_with("", &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(socket.subscribe("home", None).await["type"], "subscribed");
    drop((socket, client));
    house.end().await;
}

#[tokio::test]
async fn a_ticket_ends_after_its_minute_and_one_person_has_only_so_many() {
    let clock = Clock::manual(Clock::system().now());
    let live = Live::new(LiveSettings::default(), Figures::default(), clock.clone());
    let caller = person();
    let tickets: Vec<String> = (0..50).map(|_| live.ticket(caller.clone()).unwrap()).collect();
    assert_eq!(live.ticket(caller.clone()).unwrap_err().code, Code::RateLimited);
    live.ticket(person()).unwrap();
    clock.advance_s(61);
    live.ticket(caller).unwrap();
    assert_eq!(tickets.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_may_not_connect() {
    let settings =
        LiveSettings { origins: vec!["https://app.example".into()], ..Default::default() };
    let house = house(settings).await;
    let own = format!("http://{}", house.address);
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let headers = [("origin", foreign), ("cookie", "session=1")];
        assert_eq!(status(house.connect_with("", &headers).await), 403, "{foreign}");
    }
    for ours in [own.as_str(), "https://app.example"] {
        drop(house.connect_with("", &[("origin", ours)]).await.unwrap());
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_sessions_connections_and_tickets() {
    let house = house(LiveSettings::default()).await;
    let (one, other) = (person(), person());
    let mut theirs = house.connect_as(&one).await;
    let mut others = house.connect_as(&other).await;
    let ticket = house.live.ticket(one.clone()).unwrap();
    house.live.disconnect_session(one.session().unwrap());
    assert_eq!(theirs.closing().await, (1008, "session ended".into()));
    assert_eq!(status(house.connect_with(&format!("?ticket={ticket}"), &[]).await), 401);
    others.subscribe("home", None).await;
    house.live.disconnect_user(other.user);
    assert_eq!(others.closing().await.0, 1008);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_scope_does_not_listen() {
    let house = house(LiveSettings::default()).await;
    let mut caller = person();
    let key = ids::new_id::<ApiKey>(house.clock.now());
    caller.credential = Credential::ApiKey(key, Scopes::default());
    let ticket = house.live.ticket(caller).unwrap();
    assert_eq!(status(house.connect_with(&format!("?ticket={ticket}"), &[]).await), 403);
    house.end().await;
}
