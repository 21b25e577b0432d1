//! Power cuts and full disks: what was acknowledged is there afterwards, what was refused is not.
//!
//! Each test runs itself again as a child over storage that forgets what was not synced; the child is the program and
//! its clients, and says on its output what was acknowledged.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use mainstay_testkit::{Loss, LossyStorage, program::Setup};
use serde_json::json;

use crate::{feed, true_counters, walk};

/// Set in the child: the folder of its program.
const FOLDER: &str = "SVC_FEED_POWER_FOLDER";
/// Set in the child: acknowledge before the disk has it.
const CARELESS: &str = "SVC_FEED_POWER_CARELESS";
const WRITERS: usize = 16;
/// Longer than any of these tests, so that a child that is not killed ends all the same.
const POSTS_MAX: usize = 2_000;

/// In the child: people post and like without end, and each outcome is a line.
async fn write_and_tell(folder: &Path) {
    let setup: Setup = match std::env::var_os(CARELESS) {
        Some(_) => feed().without_syncing(),
        None => feed(),
    };
    let house = setup.start_in(folder).await;
    let login = json!({ "login": "author", "password": mainstay_testkit::program::PASSWORD });
    let author = house.stranger().post("/api/v1/auth/login", login).await.expect(200);
    let author = house.stranger().signed_in(&author);
    let hot = walk(&author, "/api/v1/timelines/latest", 100).await.pop().unwrap();
    tell("begun");
    let writers = (0..WRITERS).map(async |writer| {
        for n in 0..POSTS_MAX {
            let words = format!("{writer}-{n}");
            let answer = author.post("/api/v1/posts", json!({ "caption": words })).await;
            let outcome = if answer.status == 201 { "acknowledged" } else { "refused" };
            tell(&format!("{outcome} {words}"));
            let path = format!("/api/v1/posts/{hot}/comments");
            author.post(&path, json!({ "text": words })).await;
        }
    });
    futures_util::future::join_all(writers).await;
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n> {line}").unwrap();
    out.flush().unwrap();
}

/// The child of a test and what it has told so far.
struct Writing {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
    acknowledged: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl Writing {
    fn start(name: &str, folder: &Path, storage: &LossyStorage, careless: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", name]).env(FOLDER, folder);
        command.envs(storage.environment()).stdout(Stdio::piped());
        if careless {
            command.env(CARELESS, OsStr::new("1"));
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let lines = lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned));
        let (acknowledged, refused) = (BTreeSet::new(), BTreeSet::new());
        let mut writing = Self { child, lines: Box::new(lines), acknowledged, refused };
        assert_eq!(writing.lines.next().as_deref(), Some("begun"), "the child ended early");
        writing
    }

    /// Reads on until so many more posts were acknowledged.
    fn until_acknowledged(&mut self, more: usize) {
        let enough = self.acknowledged.len() + more;
        while self.acknowledged.len() < enough {
            self.read();
        }
    }

    /// Reads on until so many more posts were refused.
    fn until_refused(&mut self, more: usize) {
        let enough = self.refused.len() + more;
        while self.refused.len() < enough {
            self.read();
        }
    }

    fn read(&mut self) {
        let line = self.lines.next().unwrap();
        match line.split_once(' ').unwrap() {
            ("acknowledged", words) => self.acknowledged.insert(words.to_owned()),
            (_, words) => self.refused.insert(words.to_owned()),
        };
    }

    /// `kill -9`, and what it had told before.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for line in self.lines.by_ref() {
            if let Some(words) = line.strip_prefix("acknowledged ") {
                self.acknowledged.insert(words.to_owned());
            }
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Leaves a program's folder with one person and one post, all of it on the disk.
async fn furnish(folder: &Path) {
    let house = feed().start_in(folder).await;
    let author = house.person("author").await;
    crate::post_of(&author, "the first").await;
    house.end().await;
}

/// The words of every post that a program finds in the folder, after a look that its counters are true.
async fn words_in(folder: &Path) -> BTreeSet<String> {
    let house = feed().start_in(folder).await;
    let (mut words, mut cursor) = (BTreeSet::new(), None::<String>);
    loop {
        let path = crate::page_path("/api/v1/timelines/latest", 100, cursor.as_deref());
        let page = house.stranger().get(&path).await.expect(200);
        for post in page["items"].as_array().unwrap() {
            words.insert(post["caption"].as_str().unwrap().to_owned());
            if post["caption"] == "the first" {
                true_counters(&house, post["id"].as_str().unwrap()).await;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    house.end().await;
    words
}

/// Cuts the power in the middle of the writing; returns what was acknowledged and is gone.
async fn lost_by_a_power_cut(name: &str, loss: Loss, careless: bool) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    furnish(folder.path()).await;
    let storage = LossyStorage::over(folder.path()).unwrap();
    let mut writing = Writing::start(name, folder.path(), &storage, careless);
    writing.until_acknowledged(150);
    writing.kill();
    storage.lose(loss).unwrap();
    let found = words_in(folder.path()).await;
    assert!(found.contains("the first"));
    &writing.acknowledged - &found
}

#[tokio::test]
async fn a_power_cut_takes_nothing_that_was_acknowledged() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_and_tell(Path::new(&folder)).await;
    }
    let name = "power::a_power_cut_takes_nothing_that_was_acknowledged";
    for loss in [Loss::All, Loss::Some(1), Loss::Some(2)] {
        let lost = lost_by_a_power_cut(name, loss, false).await;
        assert!(lost.is_empty(), "{loss:?}: {lost:?}");
    }
}

/// The control: if this one lost nothing, the test above would prove nothing.
#[tokio::test]
async fn without_syncing_a_power_cut_takes_what_was_acknowledged() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_and_tell(Path::new(&folder)).await;
    }
    let name = "power::without_syncing_a_power_cut_takes_what_was_acknowledged";
    assert!(!lost_by_a_power_cut(name, Loss::All, true).await.is_empty());
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_of_a_group_loses_nothing_and_writes_nothing_by_halves() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_and_tell(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    furnish(folder.path()).await;
    let storage = LossyStorage::over(folder.path()).unwrap();
    let name = "power::a_disk_that_is_full_in_the_middle_of_a_group_loses_nothing_and_writes_nothing_by_halves";
    let mut writing = Writing::start(name, folder.path(), &storage, false);
    writing.until_acknowledged(50);
    storage.fill_after(100_000).unwrap();
    writing.until_refused(40);
    storage.make_room().unwrap();
    // Without a restart, as soon as there is room.
    writing.until_acknowledged(50);
    writing.kill();
    storage.lose(Loss::All).unwrap();
    let found = words_in(folder.path()).await;
    let lost = &writing.acknowledged - &found;
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    let kept: BTreeSet<_> = writing.refused.intersection(&found).collect();
    assert!(kept.is_empty(), "refused and there: {kept:?}");
}
