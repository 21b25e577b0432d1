//! What travels: the client's messages and ours.

use std::sync::Arc;

use serde::Deserialize;

use super::ring::Entry;
use crate::error::Problem;

/// The longest name of a topic.
pub(super) const TOPIC_LEN_MAX: usize = 200;

/// What a client sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientMessage {
    /// Topics to begin.
    #[serde(default)]
    pub(super) subscribe: Vec<String>,
    /// The last `id` that the client has of these topics.
    #[serde(default)]
    pub(super) after: Option<String>,
    /// Topics to end.
    #[serde(default)]
    pub(super) unsubscribe: Vec<String>,
}

/// A topic's name, and the same as JSON, written once.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    json: Arc<str>,
}

impl Topic {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), json: quoted(name).into() }
    }
}

/// What goes out: the JSON, and the token that it carries.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) text: String,
    pub(super) id: Option<Arc<str>>,
    /// Something may be missing before it.
    pub(super) resets: bool,
}

impl Frame {
    /// The same without topic and token, for sockets that have one topic: the type, and the fields of the data.
    pub(super) fn into_single(self) -> String {
        let parsed: Result<Single, _> = serde_json::from_str(&self.text);
        match parsed {
            Ok(Single { kind, data }) => match data.get().strip_prefix('{') {
                Some("}") | None => format!("{{\"type\":\"{kind}\"}}"),
                Some(fields) => format!("{{\"type\":\"{kind}\",{fields}"),
            },
            Err(_ours) => self.text,
        }
    }
}

/// What is left of a frame on a socket of one topic.
#[derive(Deserialize)]
struct Single<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

/// A message. Its data was written as JSON once, for all who get it.
pub(super) fn event(topic: &Topic, entry: &Entry) -> Frame {
    let message = &entry.message;
    let frame = frame(&topic.json, message.kind, Some(entry.id.clone()), message.data.get());
    Frame { resets: message.kind == super::RELOAD, ..frame }
}

/// The topic begins, behind `id`; without one it had begun before.
pub(super) fn subscribed(topic: &Topic, id: Option<Arc<str>>) -> Frame {
    frame(&topic.json, "subscribed", id, "null")
}

/// Something may be missing: load anew what the topic shows. `id` is from where messages follow.
pub(super) fn reset(topic: &Topic, id: &Arc<str>) -> Frame {
    let frame = frame(&topic.json, "reset", Some(id.clone()), "null");
    Frame { resets: true, ..frame }
}

/// The caller may not have this topic.
pub(super) fn refused(topic: &Topic, problem: &Problem, request_id: &str) -> Frame {
    frame(&topic.json, "refused", None, &problem_text(problem, request_id))
}

/// What the client sent means nothing.
pub(super) fn problem(problem: &Problem, request_id: &str) -> Frame {
    frame("null", "problem", None, &problem_text(problem, request_id))
}

fn problem_text(problem: &Problem, request_id: &str) -> String {
    let bytes = crate::http::reply::problem_json(problem, request_id);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Topics and data are JSON already; kinds and ids are plain words.
fn frame(topic: &str, kind: &str, id: Option<Arc<str>>, data: &str) -> Frame {
    let id_len = id.as_ref().map_or(4, |id| id.len() + 2);
    let mut text = String::with_capacity(40 + topic.len() + kind.len() + id_len + data.len());
    text.push_str("{\"topic\":");
    text.push_str(topic);
    text.push_str(",\"type\":\"");
    text.push_str(kind);
    text.push_str("\",\"id\":");
    match &id {
        Some(id) => {
            text.push('"');
            text.push_str(id);
            text.push('"');
        }
        None => text.push_str("null"),
    }
    text.push_str(",\"data\":");
    text.push_str(data);
    text.push('}');
    Frame { text, id, resets: false }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
