//! Coming back: each message once, in order, or a reset.

use super::*;

/// Numbers from 1 on, without gap or repeat.
fn in_order(got: &[i64], upto: i64) {
    let expected: Vec<i64> = (1..=upto).collect();
    assert_eq!(got, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reconnecting_while_others_publish_neither_skips_nor_repeats() {
    const MESSAGES: i64 = 6_000;
    const READERS: usize = 4;
    let settings =
        LiveSettings { queue_len_max: 10_000, replay_len_max: 10_000, ..Default::default() };
    let house = Arc::new(house(settings).await);
    // Every reader begins before the first message, so all are owed all of them.
    let ready = Arc::new(tokio::sync::Barrier::new(READERS + 1));
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..READERS {
        let (house, ready) = (house.clone(), ready.clone());
        readers.spawn(async move {
            let mut got = Vec::new();
            let mut client = house.connect().await;
            let mut after =
                client.subscribe("room:a", None).await["id"].as_str().unwrap().to_owned();
            ready.wait().await;
            let mut replays = 0;
            while (got.len() as i64) < MESSAGES {
                // Gone in the middle of it, a different number of messages each time.
                for _ in 0..17 + got.len() % 59 * (reader + 1) {
                    if got.len() as i64 == MESSAGES {
                        break;
                    }
                    let message = client.next().await;
                    assert_eq!(message["type"], "said");
                    got.push(message["data"]["n"].as_i64().unwrap());
                    after = message["id"].as_str().unwrap().to_owned();
                }
                client = house.connect().await;
                let answer = client.subscribe("room:a", Some(&after)).await;
                assert_eq!(answer["type"], "subscribed");
                replays += 1;
            }
            assert!(replays > 5);
            got
        });
    }
    let publisher = {
        let house = house.clone();
        tokio::spawn(async move {
            ready.wait().await;
            for n in 1..=MESSAGES {
                house.say("a", n);
                house.say("other", -n);
                if n % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    while let Some(got) = within(readers.join_next()).await {
        in_order(&got.unwrap(), MESSAGES);
    }
    publisher.await.unwrap();
    Arc::into_inner(house).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn topics_begun_in_the_middle_of_publishing_get_a_tail_without_gaps() {
    let house =
        Arc::new(house(LiveSettings { queue_len_max: 100_000, ..Default::default() }).await);
    let (stop, mut stopped) = watch::channel(false);
    let publisher = {
        let house = house.clone();
        tokio::spawn(async move {
            let mut n = 0;
            while !*stopped.borrow_and_update() && n < 90_000 {
                n += 1;
                house.say("a", n);
                tokio::task::yield_now().await;
            }
        })
    };
    for _ in 0..20 {
        let mut client = house.connect().await;
        client.subscribe("room:a", None).await;
        let first = client.next().await["data"]["n"].as_i64().unwrap();
        for expected in first + 1..first + 50 {
            assert_eq!(client.next().await["data"]["n"], expected);
        }
    }
    stop.send_replace(true);
    publisher.await.unwrap();
    Arc::into_inner(house).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_or_not_ours_is_answered_with_a_reset() {
    let mut settings = LiveSettings::default();
    settings.ring.len_max = 10;
    let house = house(settings).await;
    let mut client = house.connect().await;
    let begin = client.subscribe("room:a", None).await["id"].as_str().unwrap().to_owned();
    for n in 1..=11 {
        house.say("a", n);
    }
    let mut ids = Vec::new();
    for _ in 1..=11 {
        ids.push(client.next().await["id"].as_str().unwrap().to_owned());
    }
    let mut again = house.connect().await;
    let answer = again.subscribe("room:a", Some(&begin)).await;
    assert_eq!(answer["type"], "reset");
    // A reset begins the topic, too.
    house.say("a", 12);
    assert_eq!(again.next().await["data"]["n"], 12);
    // The oldest that is still held, and texts that are no tokens.
    let mut again = house.connect().await;
    assert_eq!(again.subscribe("room:a", Some(&ids[1])).await["type"], "subscribed");
    assert_eq!(again.next().await["data"]["n"], 3);
    for strange in ["x", "AAAA", "%%%", &"A".repeat(3_000)] {
        let mut client = house.connect().await;
        assert_eq!(client.subscribe("room:a", Some(strange)).await["type"], "reset", "{strange}");
    }
    drop((client, again));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_program_is_answered_with_a_reset() {
    let (one, other) = (house(LiveSettings::default()).await, house(LiveSettings::default()).await);
    let mut client = one.connect().await;
    client.subscribe("room:a", None).await;
    one.say("a", 1);
    let id = client.next().await["id"].as_str().unwrap().to_owned();
    other.say("a", 1);
    let mut client = other.connect().await;
    assert_eq!(client.subscribe("room:a", Some(&id)).await["type"], "reset");
    drop(client);
    one.end().await;
    other.end().await;
}
