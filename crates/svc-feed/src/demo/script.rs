//! Who takes part and what they say, read from `demo/people.txt` and `demo/script.txt`.

use super::DemoError;

/// Somebody of the cast.
pub(super) struct Person {
    pub(super) handle: &'static str,
    pub(super) name: &'static str,
    pub(super) avatar: Option<&'static str>,
    pub(super) private: bool,
    pub(super) bio: &'static str,
}

/// Posts about one thing, and what fits under them.
#[derive(Default)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    /// Handles of those who post about it.
    pub(super) who: Vec<&'static str>,
    pub(super) posts: Vec<Line>,
    pub(super) comments: Vec<&'static str>,
    pub(super) answers: Vec<&'static str>,
}

/// A post as it is written down.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) pictures: Vec<&'static str>,
    pub(super) caption: String,
}

/// The lines of a text that say something, with their numbers.
fn lines(text: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    let all = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    all.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Everybody, in the order in which they joined.
pub(super) fn people() -> Result<Vec<Person>, DemoError> {
    let read = |(at, line): (usize, &'static str)| {
        let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
        match parts[..] {
            [handle, name, avatar, open, bio] => Ok(Person {
                handle,
                name,
                avatar: Some(avatar).filter(|avatar| *avatar != "-"),
                private: open == "private",
                bio,
            }),
            _ => Err(DemoError::script("people.txt", at)),
        }
    };
    lines(include_str!("../../demo/people.txt")).map(read).collect()
}

/// Every topic.
pub(super) fn topics() -> Result<Vec<Topic>, DemoError> {
    let mut topics: Vec<Topic> = Vec::new();
    for (at, line) in lines(include_str!("../../demo/script.txt")) {
        let wrong = || DemoError::script("script.txt", at);
        let (mark, said) = line.split_once(' ').ok_or_else(wrong)?;
        if mark == "=" {
            let (name, who) = said.split_once(": ").ok_or_else(wrong)?;
            let who = who.split_whitespace().collect();
            topics.push(Topic { name, who, ..Topic::default() });
            continue;
        }
        let topic = topics.last_mut().ok_or_else(wrong)?;
        match mark {
            "+" => {
                let (pictures, caption) = said.split_once(" | ").ok_or_else(wrong)?;
                let pictures = pictures.split_whitespace().filter(|name| *name != "-").collect();
                topic.posts.push(Line { pictures, caption: caption.replace("\\n", "\n") });
            }
            "?" => topic.comments.push(said),
            "!" => topic.answers.push(said),
            _ => return Err(wrong()),
        }
    }
    Ok(topics)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::{
        super::photos::{AVATARS, PHOTOS},
        *,
    };
    use crate::model::{CAPTION_CHARS_MAX, text};

    #[test]
    fn the_script_names_only_pictures_and_people_that_there_are() {
        let (people, topics) = (people().unwrap(), topics().unwrap());
        let known = |handle: &str| people.iter().any(|person| person.handle == handle);
        for topic in &topics {
            assert!(topic.comments.len() >= 5 && topic.answers.len() >= 3, "{}", topic.name);
            assert!(topic.who.iter().all(|handle| known(handle)), "{}", topic.name);
            for post in &topic.posts {
                let there = |name: &&str| PHOTOS.iter().any(|photo| photo.name == *name);
                assert!(post.pictures.iter().all(there), "{}", post.caption);
                assert!(post.caption.chars().count() <= CAPTION_CHARS_MAX);
                let mentions = marks::mentions(&post.caption);
                assert!(mentions.iter().all(|handle| known(handle)), "{}", post.caption);
            }
        }
        let avatar = |name| AVATARS.iter().any(|photo| photo.name == name);
        assert!(people.iter().filter_map(|person| person.avatar).all(avatar));
        let posted =
            |name| topics.iter().flat_map(|t| &t.posts).any(|p| p.pictures.contains(&name));
        assert!(PHOTOS.iter().all(|photo| posted(photo.name)), "a picture ships for nothing");
    }
}
