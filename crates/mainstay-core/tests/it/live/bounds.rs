//! Slow, silent, broken and too many clients; and the end.

use tokio::io::AsyncWriteExt as _;

use super::*;

/// Messages of 8 KiB that share their data, so that counting its holders counts the messages in memory.
fn large(n: i64, data: &Arc<serde_json::value::RawValue>) -> LiveMessage {
    LiveMessage { data: data.clone(), ..message(n) }
}

fn large_data() -> Arc<serde_json::value::RawValue> {
    serde_json::value::to_raw_value(&"x".repeat(8 << 10)).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_to_reset_and_memory_stays_bounded() {
    let mut settings = LiveSettings { queue_len_max: 32, ..Default::default() };
    settings.ring.len_max = 100;
    let house = house(settings).await;
    let mut slow = house.connect().await;
    slow.subscribe("room:a", None).await;
    slow.subscribe("room:b", None).await;
    let data = large_data();
    let dropped = &house.live.figures().dropped;
    let mut n = 0;
    within(async {
        while dropped.get() < 2_000 {
            n += 1;
            house.live.publish(Tag::text("room", "a"), large(n, &data));
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The ring, one queue, one batch on its way out, and this one.
    until(|| Arc::strong_count(&data) <= 100 + 32 + 64 + 1).await;
    let mut last = 0;
    let mut resets = Vec::new();
    while resets.len() < 2 {
        let got = slow.next().await;
        match got["type"].as_str().unwrap() {
            "reset" => resets.push(got["topic"].as_str().unwrap().to_owned()),
            _ => last += 1,
        }
    }
    resets.sort();
    assert_eq!(resets, ["room:a", "room:b"]);
    assert!(last < n - 1_000, "{last} of {n} came although most were dropped");
    house.say("b", 1);
    while slow.next().await["topic"] != "room:b" {}
    drop(slow);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_closed() {
    let stalled_max = Duration::from_millis(200);
    let house = house(LiveSettings { queue_len_max: 8, stalled_max, ..Default::default() }).await;
    let mut slow = house.connect().await;
    slow.subscribe("room:a", None).await;
    let data = large_data();
    within(async {
        for n in 1.. {
            if house.live.connections() == 0 {
                break;
            }
            house.live.publish(Tag::text("room", "a"), large(n, &data));
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(house.live.figures().slow.get(), 1);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_no_sign_of_life_is_closed() {
    let ping_every = Duration::from_millis(20);
    let silent_max = Duration::from_millis(200);
    let house = house(LiveSettings { ping_every, silent_max, ..Default::default() }).await;
    let mut alive = house.connect().await;
    alive.subscribe("room:a", None).await;
    let mut silent = house.connect().await;
    silent.subscribe("room:a", None).await;
    // A client answers pings only while it is read.
    let mut pings = 0;
    while pings < 30 || house.live.connections() > 1 {
        match within(alive.0.next()).await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    drop((alive, silent));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_topic_is_closed() {
    let idle_max = Duration::from_millis(100);
    let house = house(LiveSettings { idle_max, ..Default::default() }).await;
    let mut never = house.connect().await;
    assert_eq!(never.closing().await, (1000, "no subscription".into()));
    let mut no_more = house.connect().await;
    no_more.subscribe("room:a", None).await;
    no_more.send(json!({ "unsubscribe": ["room:a"] })).await;
    assert_eq!(no_more.closing().await.0, 1000);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_means_nothing_is_answered_and_the_connection_stays_for_a_while() {
    let house = house(LiveSettings { mistakes_max: 6, ..Default::default() }).await;
    let mut client = house.connect().await;
    let strange = [
        Message::text("hello"),
        Message::text("{\"subscribe\":[]}"),
        Message::text("{\"subscribe\":\"home\"}"),
        Message::text("{\"subscribe\":[\"room:a\"],\"more\":1}"),
        Message::binary(b"{\"subscribe\":[\"room:a\"]}".as_slice()),
    ];
    for message in strange {
        client.0.send(message).await.unwrap();
        let answer = client.next().await;
        assert_eq!((&answer["type"], &answer["topic"]), (&json!("problem"), &Value::Null));
        assert_eq!(answer["data"]["code"], "malformed_body");
    }
    assert_eq!(client.subscribe("room:a", None).await["type"], "subscribed");
    client.0.send(Message::text("[]")).await.unwrap();
    assert_eq!(client.closing().await, (1008, "too many mistakes".into()));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_end_the_connection_with_the_code_that_says_why() {
    let house = house(LiveSettings::default()).await;
    let mut client = house.connect().await;
    client.0.send(Message::text("x".repeat(40_000))).await.unwrap();
    assert_eq!(client.closing().await.0, 1009);
    // Unmasked; a reserved opcode; text that is no UTF-8.
    let frames: [(&[u8], u16); 3] = [
        (&[0x81, 0x01, b'x'], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
    ];
    for (bytes, code) in frames {
        let mut client = house.connect().await;
        let MaybeTlsStream::Plain(socket) = client.0.get_mut() else { panic!("not plain") };
        socket.write_all(bytes).await.unwrap();
        assert_eq!(client.closing().await.0, code, "{bytes:?}");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_topics_are_bounded() {
    let settings = LiveSettings {
        connections_max: 3,
        connections_per_user_max: 2,
        topics_max: 2,
        ..Default::default()
    };
    let house = house(settings).await;
    let caller = person();
    let mut first = house.connect_as(&caller).await;
    let second = house.connect_as(&caller).await;
    let ticket = house.live.ticket(caller).unwrap();
    assert_eq!(status(house.connect_with(&format!("?ticket={ticket}"), &[]).await), 429);
    let third = house.connect().await;
    assert_eq!(status(house.connect_with("", &[]).await), 503);
    drop((second, third));
    until(|| house.live.connections() == 1).await;
    drop(house.connect().await);

    first.send(json!({ "subscribe": ["room:1", "room:2", "room:3", "room:1"] })).await;
    let answer = first.next().await;
    assert_eq!((&answer["topic"], &answer["type"]), (&json!("room:3"), &json!("refused")));
    assert_eq!(first.next().await["type"], "subscribed");
    assert_eq!(first.next().await["type"], "subscribed");
    assert_eq!(house.live.figures().subscriptions.get(), 2);
    drop(first);
    until(|| house.live.figures().subscriptions.get() == 0).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_program_is_told_to_everybody_and_nobody_new_comes_in() {
    let house = house(LiveSettings::default()).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = house.connect().await;
        client.subscribe("room:a", None).await;
        clients.push(client);
    }
    assert!(house.metrics.render().contains("websocket_connections_active 5\n"));
    house.stop_live.send_replace(true);
    for client in &mut clients {
        assert_eq!(client.closing().await, (1012, "restart".into()));
    }
    assert_eq!(status(house.connect_with("", &[]).await), 503);
    drop(clients);
    until(|| house.live.figures().websockets.get() == 0).await;
    house.end().await;
}
