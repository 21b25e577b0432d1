//! From names of topics to subscriptions: who may have what.

use std::{collections::HashSet, sync::PoisonError, time::Duration};

use super::{
    Place, Subscription,
    protocol::{self, TOPIC_LEN_MAX, Topic},
};
use crate::error::{Code, Problem};

/// How long a service may take to say what a topic is.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// A topic that the caller does not get, and why.
pub(super) type Refusal = (Topic, Problem);

/// What came of a list of names.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) new: Vec<(Topic, Subscription)>,
    pub(super) known: Vec<Topic>,
    pub(super) refused: Vec<Refusal>,
}

impl Place {
    /// Finds out what each topic is for this connection's caller.
    pub(super) async fn resolve(&self, names: &[String]) -> Resolved {
        let mut resolved = Resolved::default();
        let have: HashSet<_> = self.conn.subs().iter().map(|sub| sub.topic.name.clone()).collect();
        let most = self.live.inner.hub.settings.topics_max;
        let mut seen = HashSet::new();
        for name in names.iter().filter(|name| seen.insert(name.as_str())) {
            let topic = Topic::new(&name[..name.floor_char_boundary(TOPIC_LEN_MAX)]);
            if name.len() > TOPIC_LEN_MAX {
                resolved.refused.push((topic, no_such_topic()));
            } else if have.contains(&topic.name) {
                resolved.known.push(topic);
            } else if have.len() + resolved.new.len() >= most {
                let detail =
                    format!("A connection has at most {most} topics. Unsubscribe some first.");
                resolved.refused.push((topic, Problem::new(Code::Invalid, detail)));
            } else {
                match self.resolve_one(name).await {
                    Ok(subscription) => resolved.new.push((topic, subscription)),
                    Err(problem) => resolved.refused.push((topic, problem)),
                }
            }
        }
        resolved
    }

    async fn resolve_one(&self, name: &str) -> Result<Subscription, Problem> {
        let (prefix, rest) = name.split_once(':').unwrap_or((name, ""));
        let kinds = &self.live.inner.kinds;
        let kind = kinds.read().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned();
        let kind = kind.ok_or_else(no_such_topic)?;
        let found = (kind.resolve)(self.conn.caller.clone(), rest.to_owned());
        tokio::time::timeout(RESOLVE_TIME, found).await.unwrap_or_else(|late| {
            let detail = "It took too long to find out what this topic is. Subscribe again.";
            Err(Problem::new(Code::TimedOut, detail).because(late))
        })
    }

    /// Begins topics and queues the answers: refusals, acknowledgements or resets, then what was missed.
    pub(super) async fn subscribe(&self, names: &[String], after: Option<&str>, request_id: &str) {
        let resolved = self.resolve(names).await;
        let mut answers = Vec::new();
        for (topic, problem) in &resolved.refused {
            log_refusal(topic, problem, request_id);
            answers.push(protocol::refused(topic, problem, request_id));
        }
        for topic in &resolved.known {
            answers.push(protocol::subscribed(topic, None));
        }
        self.live.inner.hub.begin(&self.conn, resolved.new, after, answers, true);
    }
}

fn no_such_topic() -> Problem {
    Problem::new(Code::NotFound, "There is no such topic, or it is not for you to see.")
}

/// A failure of ours is logged; that somebody may not see something is no news.
pub(super) fn log_refusal(topic: &Topic, problem: &Problem, request_id: &str) {
    if problem.code.status() >= 500 {
        let (topic, code) = (&*topic.name, problem.code.as_str());
        let cause = problem.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(topic, code, cause, request_id, "topic not resolved");
    }
}
