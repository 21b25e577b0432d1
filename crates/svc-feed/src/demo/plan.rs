//! What happens in the demo and when: decided before anything is written, the same each time.

use std::collections::HashSet;

use super::{
    DAY_S, SPAN_S,
    chance::Chance,
    script::{Line, Person, Topic},
    talk,
};
use crate::model::{marks, target};

/// Somebody's place in the cast; [`DEMO`] is the first.
pub(super) type Who = usize;
/// A post's place in the plan.
pub(super) type Nth = usize;

/// Who looks around.
pub(super) const DEMO: Who = 0;

/// One thing that somebody does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Follows, or asks to.
    Follow {
        who: Who,
        whom: Who,
    },
    /// Lets somebody follow who asked.
    Accept {
        who: Who,
        from: Who,
    },
    Post(Nth),
    Look {
        who: Who,
        post: Nth,
    },
    /// Looks away after so long.
    Leave {
        who: Who,
        post: Nth,
        dwell_s: i64,
    },
    Like {
        who: Who,
        post: Nth,
    },
    Comment {
        who: Who,
        post: Nth,
        says: &'static str,
    },
    /// Answers the newest comment of somebody else.
    Answer {
        who: Who,
        post: Nth,
        says: &'static str,
    },
    /// Likes the first comment.
    LikeComment {
        who: Who,
        post: Nth,
    },
    /// Reports a post, or its first comment.
    Report {
        who: Who,
        post: Nth,
        comment: bool,
        reason: &'static str,
    },
    /// The moderator decides about the first comment.
    Decide {
        post: Nth,
        decision: Decision,
    },
    /// Has read every notification.
    ReadAll {
        who: Who,
    },
}

/// What the moderator does to a comment, and why.
pub(super) type Decision = (target::Act, &'static str);

/// A post that will be.
pub(super) struct Planned {
    pub(super) author: Who,
    pub(super) line: Line,
    /// Seconds after the demo begins.
    at_s: i64,
    topic: usize,
}

impl Planned {
    /// Whether this picture is in it.
    pub(super) fn shows(&self, picture: &str) -> bool {
        self.line.pictures.contains(&picture)
    }
}

/// All of it.
pub(super) struct Plan {
    pub(super) posts: Vec<Planned>,
    /// What happens, in order, in seconds after the demo begins.
    pub(super) acts: Vec<(i64, Act)>,
}

const REASONS: &[&str] = &[
    "The same picture for the third time this week.",
    "Gives away the ending of a book that I am reading.",
    "This is an advertisement for soup.",
    "Unfriendly towards tea.",
];

const DECISIONS: &[Decision] = &[
    (target::Act::Hide, "Says where the herons nest."),
    (target::Act::Remove, "Stands under every picture of this week, word for word."),
];

/// Plans the days of `cast` (the first is [`DEMO`]; `moderator` is behind all others) with `count` posts.
pub(super) fn plan(cast: &[Person], topics: &[Topic], count: usize, moderator: Who) -> Plan {
    let mut planner =
        Planner { cast, topics, chance: Chance::new(7), follows: HashSet::new(), acts: Vec::new() };
    planner.follow(moderator);
    let posts = planner.posts(count);
    for (nth, post) in posts.iter().enumerate() {
        planner.acts.push((post.at_s, Act::Post(nth)));
        planner.react(nth, post);
    }
    planner.report(&posts);
    planner.decide();
    planner.acts.push((SPAN_S - DAY_S, Act::ReadAll { who: DEMO }));
    let mut acts = planner.acts;
    acts.retain(|(at, _)| *at < SPAN_S);
    acts.sort_by_key(|(at, _)| *at);
    Plan { posts, acts }
}

struct Planner<'a> {
    cast: &'a [Person],
    topics: &'a [Topic],
    chance: Chance,
    /// Accepted follows.
    follows: HashSet<(Who, Who)>,
    acts: Vec<(i64, Act)>,
}

impl Planner<'_> {
    fn follow(&mut self, moderator: Who) {
        let topics = self.topics;
        let near = |a: &Person, b: &Person| {
            topics.iter().any(|t| t.who.contains(&a.handle) && t.who.contains(&b.handle))
        };
        for (who, person) in self.cast.iter().enumerate() {
            for (whom, other) in self.cast.iter().enumerate() {
                let wish = match () {
                    () if who == DEMO => 0.8,
                    () if near(person, other) => 0.7,
                    () => 0.22,
                };
                if who == whom || !self.chance.happens(wish) {
                    continue;
                }
                // Some notice the person of the demo only on the last day.
                let late = whom == DEMO && self.chance.happens(0.4);
                let from = if late { SPAN_S - DAY_S } else { 60 };
                let at = from + self.chance.below(if late { 82_000 } else { 7_000 }) as i64;
                self.acts.push((at, Act::Follow { who, whom }));
                if !other.private {
                    self.follows.insert((who, whom));
                } else if self.chance.happens(0.6) {
                    self.acts.push((at + 1_800, Act::Accept { who: whom, from: who }));
                    self.follows.insert((who, whom));
                }
            }
        }
        for who in 1..self.cast.len().min(5) {
            let at = SPAN_S - 40_000 + 7_000 * who as i64;
            self.acts.push((at, Act::Follow { who, whom: moderator }));
        }
    }

    fn posts(&mut self, count: usize) -> Vec<Planned> {
        let mut lines: Vec<(usize, Line)> = Vec::new();
        for (topic, all) in self.topics.iter().enumerate() {
            lines.extend(all.posts.iter().map(|line| (topic, line.clone())));
        }
        self.chance.shuffle(&mut lines);
        while lines.len() < count {
            let (topic, line) = talk::line(&mut self.chance, self.topics);
            let at = self.chance.below(lines.len() + 1);
            lines.insert(at, (topic, line));
        }
        lines.truncate(count);
        // Two hours for everybody to arrive; then more and more is posted.
        let plan = lines.into_iter().enumerate().map(|(nth, (topic, line))| {
            let share = ((nth as f64 + 0.5) / count as f64).powf(0.55);
            let at_s = 9_000 + (share * (SPAN_S - 9_600) as f64) as i64;
            let author = self.author(nth, topic, &line);
            Planned { author, line, at_s, topic }
        });
        plan.collect()
    }

    /// Somebody of the topic whom the caption does not name.
    fn author(&mut self, nth: Nth, topic: usize, line: &Line) -> Who {
        if nth % 20 == 13 && !line.pictures.is_empty() {
            return DEMO;
        }
        let named = marks::mentions(&line.caption);
        let who = self.topics.get(topic).map(|topic| &topic.who[..]).unwrap_or_default();
        let able: Vec<Who> = (0..self.cast.len())
            .filter(|at| {
                let handle = self.cast.get(*at).map_or("", |person| person.handle);
                who.contains(&handle) && !named.iter().any(|named| named == handle)
            })
            .collect();
        match self.chance.pick(&able) {
            Some(author) => *author,
            None => self.chance.below(self.cast.len()),
        }
    }

    /// Views, likes and comments: few posts get many.
    fn react(&mut self, nth: Nth, post: &Planned) {
        let Some(topic) = self.topics.get(post.topic) else { return };
        let private = self.cast.get(post.author).is_some_and(|author| author.private);
        let liked = self.chance.share().powi(2);
        let mut comments: Vec<&'static str> = topic.comments.clone();
        self.chance.shuffle(&mut comments);
        let mut left = (liked * 6.0) as usize + usize::from(self.chance.happens(0.4));
        for who in 0..self.cast.len() {
            let follows = self.follows.contains(&(who, post.author));
            let sees = if follows { 0.25 + 0.7 * liked } else { 0.1 + 0.5 * liked };
            if who == post.author || private && !follows || !self.chance.happens(sees) {
                continue;
            }
            let at = post.at_s + 30 + self.chance.wait_s(7_000.0);
            let dwell_s = 2 + self.chance.wait_s(9.0).min(120);
            self.acts.push((at, Act::Look { who, post: nth }));
            self.acts.push((at + dwell_s, Act::Leave { who, post: nth, dwell_s }));
            if self.chance.happens(0.25 + 0.6 * liked) {
                self.acts.push((at + 2, Act::Like { who, post: nth }));
                if left > 0 && who != DEMO && self.chance.happens(0.35) {
                    left -= 1;
                    if let Some(says) = comments.pop() {
                        self.talk(nth, post, topic, (who, at + 40, says));
                    }
                }
            }
        }
    }

    fn talk(
        &mut self,
        nth: Nth,
        post: &Planned,
        topic: &Topic,
        (who, at, says): (Who, i64, &'static str),
    ) {
        self.acts.push((at, Act::Comment { who, post: nth, says }));
        if self.chance.happens(0.4)
            && let Some(says) = self.chance.pick(&topic.answers).copied()
        {
            let at = at + 60 + self.chance.wait_s(2_000.0);
            self.acts.push((at, Act::Answer { who: post.author, post: nth, says }));
        }
        if self.chance.happens(0.5) {
            let at = at + 20 + self.chance.wait_s(3_000.0);
            self.acts.push((at, Act::LikeComment { who: post.author, post: nth }));
        }
    }

    fn report(&mut self, posts: &[Planned]) {
        let open =
            |post: &Planned| self.cast.get(post.author).is_some_and(|author| !author.private);
        let reported: Vec<(Nth, &Planned)> = posts
            .iter()
            .enumerate()
            .filter(|(_, post)| open(post) && post.author != DEMO)
            .collect();
        for (nth, reason) in REASONS.iter().enumerate() {
            let Some((post, planned)) = reported.get(reported.len() * (nth + 1) / 6) else {
                continue;
            };
            for by in 0..(nth % 3 + 1).min(self.cast.len() - 1) {
                let who = (planned.author + 1 + by) % self.cast.len();
                let at = SPAN_S - 30_000 + 4_000 * nth as i64 + 900 * by as i64;
                let comment = nth == 3;
                self.acts.push((at, Act::Report { who, post: *post, comment, reason }));
            }
        }
    }

    /// Only comments: as many posts stay published as were asked for.
    fn decide(&mut self) {
        let talked = self.acts.iter().filter_map(|(at, act)| match act {
            Act::Comment { post, .. } if *at < SPAN_S - DAY_S => Some(*post),
            _ => None,
        });
        let mut talked: Vec<Nth> = talked.collect();
        talked.sort_unstable();
        talked.dedup();
        for (nth, decision) in DECISIONS.iter().enumerate() {
            if let Some(post) = talked.get(talked.len() * (nth + 1) / 3) {
                let at = SPAN_S - 12_000 + 5_000 * nth as i64;
                self.acts.push((at, Act::Decide { post: *post, decision: *decision }));
            }
        }
    }
}
