//! The event stream.

use super::*;

/// Reads an event stream.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl House {
    async fn events(&self, query: &str, last: Option<&str>) -> reqwest::Response {
        let address = format!("http://{}/api/v1/live/sse{query}", self.address);
        let mut request = reqwest::Client::new().get(address);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        within(request.send()).await.unwrap()
    }
}

impl Events {
    fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event's fields; nothing at the end.
    async fn next(&mut self) -> Option<Vec<(String, String)>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |line: &str| {
                    let (name, value) = line.split_once(": ")?;
                    Some((name.to_owned(), value.to_owned()))
                };
                let fields = event.lines().filter_map(field).collect();
                self.text = rest.to_owned();
                return Some(fields);
            }
            let piece = within(self.response.chunk()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    async fn message(&mut self) -> (String, Value) {
        let fields = self.next().await.unwrap();
        let field = |wanted: &str| {
            fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        };
        (field("id").unwrap(), serde_json::from_str(&field("data").unwrap()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_goes_on_where_the_last_one_ended() {
    let house = house(LiveSettings::default()).await;
    let mut events = Events::of(house.events("?topics=room:a,room:b", None).await);
    let head = events.next().await.unwrap();
    assert_eq!(head[0].0, "retry");
    let begin = head[1].1.clone();
    house.say("a", 1);
    house.say("b", 2);
    house.say("c", 3);
    assert_eq!(events.message().await.1["topic"], "room:a");
    let (last, two) = events.message().await;
    assert_eq!((&two["data"]["n"], two["id"].as_str()), (&json!(2), Some(last.as_str())));
    drop(events);
    house.say("b", 4);
    let mut events = Events::of(house.events("?topics=room:a,room:b", Some(&last)).await);
    events.next().await.unwrap();
    assert_eq!(events.message().await.1["data"]["n"], 4);
    // Also from before the first message.
    let query = format!("?topics=room:b&after={begin}");
    let mut events = Events::of(house.events(&query, None).await);
    events.next().await.unwrap();
    assert_eq!(events.message().await.1["data"]["n"], 2);
    assert_eq!(events.message().await.1["data"]["n"], 4);
    drop(events);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_nothing_is_refused() {
    let house = house(LiveSettings::default()).await;
    for (query, status) in [
        ("", 422),
        ("?topics=,", 422),
        ("?topics=home", 401),
        ("?topics=room:secret", 404),
        ("?topics=room:a&ticket=made-up", 401),
    ] {
        assert_eq!(house.events(query, None).await.status().as_u16(), status, "{query}");
    }
    let mut events = Events::of(house.events("?topics=room:a,home", None).await);
    events.next().await.unwrap();
    let fields = events.next().await.unwrap();
    assert!(fields[0].1.contains("\"refused\""), "{fields:?}");
    drop(events);
    until(|| house.live.connections() == 0).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_resets_and_the_end_of_the_program_ends_the_stream() {
    let house = house(LiveSettings::default()).await;
    let mut events = Events::of(house.events("?topics=room:a", Some("old")).await);
    events.next().await.unwrap();
    assert_eq!(events.message().await.1["type"], "reset");
    house.stop_live.send_replace(true);
    assert_eq!(events.next().await, None);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_to_the_socket_is_told_what_it_is() {
    let house = house(LiveSettings::default()).await;
    let address = format!("http://{}/api/v1/live", house.address);
    let response = within(reqwest::get(address)).await.unwrap();
    assert_eq!(response.status().as_u16(), 426);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    drop(response);
    house.end().await;
}
