//! Small talk: as many captions as are wanted, from a few hundred combinations.

use super::{
    chance::Chance,
    script::{Line, Topic},
};

const OPENINGS: &[&str] = &[
    "Back to this one:",
    "Still thinking about it:",
    "Found again while tidying up:",
    "For the wall above the desk:",
    "Good morning from here:",
    "One more before the rain:",
    "Somebody asked, so:",
    "Not finished with it yet:",
    "From the second drawer:",
    "Late, but here it is:",
    "Nothing new, only closer:",
    "A small one for today:",
    "Between two trains:",
    "As promised:",
    "Evening edition:",
    "Third attempt:",
];

const ENDINGS: &[(&str, &str)] = &[
    ("look at the edges first.", "looking"),
    ("the light does all of it.", "light"),
    ("better from across the room.", "prints"),
    ("I would not change a thing.", "archive"),
    ("it grows on you.", "slow"),
    ("squint and it moves.", "motion"),
    ("the quiet half is the better half.", "quiet"),
    ("the paper has aged better than I have.", "paper"),
    ("print it large or not at all.", "prints"),
    ("there is a story in the lower left corner.", "details"),
    ("no colour needed.", "blackandwhite"),
    ("count the shadows.", "light"),
    ("it was colder than it looks.", "weather"),
    ("the best part was the walk home.", "walking"),
    ("tell me what you see.", "looking"),
    ("I keep forgetting how good it is.", "again"),
];

/// Some words with a tag.
pub(super) fn words(chance: &mut Chance) -> String {
    let opening = chance.pick(OPENINGS).copied().unwrap_or_default();
    let (ending, tag) = chance.pick(ENDINGS).copied().unwrap_or_default();
    format!("{opening} {ending} #{tag}")
}

/// A post with a picture of some topic, and that topic.
pub(super) fn line(chance: &mut Chance, topics: &[Topic]) -> (usize, Line) {
    let pictured: Vec<(usize, &Line)> = topics
        .iter()
        .enumerate()
        .flat_map(|(at, topic)| topic.posts.iter().map(move |line| (at, line)))
        .filter(|(_, line)| !line.pictures.is_empty())
        .collect();
    let (topic, pictures) = match chance.pick(&pictured) {
        Some((topic, line)) => (*topic, line.pictures.first().copied()),
        None => (0, None),
    };
    (topic, Line { pictures: pictures.into_iter().collect(), caption: words(chance) })
}
