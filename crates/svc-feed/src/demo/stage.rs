//! Plays a plan: each act is a use case of Feed, called as the API calls it.

use std::{collections::HashMap, convert::Infallible};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use mainstay_contract::{
    feed::VisibilityV1,
    id::{CommentId, MediaId, PostId, UserId},
};
use mainstay_core::{
    auth::{Account, Caller, Credential, SessionId},
    events::{Log, consumer::Consumer},
    http::{IfMatch, Key},
    ids,
    mount::{Core, Mount},
};

use super::{
    DAY_S, DemoError, Progress, SPAN_S, STAFF, photos,
    photos::Photo,
    plan::{Act, DEMO, Decision, Nth, Plan, Planned, Who},
    script::Person,
    store,
};
use crate::{
    error::Error,
    service::{
        ActBody, EditProfile, Feed, NewComment, NewPost, NewReportBody, Tie, Upload, ViewId,
    },
};

/// How often facts are consumed while the clock is moved: notifications get their time from it.
const CATCH_UP_S: i64 = 1_200;
/// Acts between two reports of progress.
const REPORT_EVERY: usize = 64;

/// Somebody who acts without having signed in.
pub(super) fn caller(account: &Account) -> Caller {
    Caller {
        user: account.id,
        handle: account.handle.as_str().into(),
        role: account.role,
        credential: Credential::Session(SessionId::from_bits(0)),
    }
}

pub(super) struct Stage<'a> {
    core: &'a Core,
    feed: &'a Feed,
    consumers: Vec<(Consumer, Log)>,
    /// The cast, then the staff, the moderator first.
    people: Vec<Caller>,
    /// The one upload of each photograph; posts get copies of it.
    pub(super) library: HashMap<&'static str, MediaId>,
    posts: HashMap<Nth, PostId>,
    /// A post's comments with who wrote them, oldest first.
    comments: HashMap<Nth, Vec<(Who, CommentId)>>,
    views: HashMap<(Who, Nth), ViewId>,
    /// Seconds since the beginning.
    at_s: i64,
    caught_up_s: i64,
}

impl<'a> Stage<'a> {
    pub(super) fn new(core: &'a Core, feed: &'a Feed, mount: &Mount, people: Vec<Caller>) -> Self {
        let sources = [("core", &core.accounts), ("feed", &mount.log)];
        let consumers = mount.consumers.iter().filter_map(|consumer| {
            let (_, log) = sources.iter().find(|(name, _)| *name == consumer.source)?;
            Some((consumer.clone(), (*log).clone()))
        });
        Self {
            core,
            feed,
            consumers: consumers.collect(),
            people,
            library: HashMap::new(),
            posts: HashMap::new(),
            comments: HashMap::new(),
            views: HashMap::new(),
            at_s: 0,
            caught_up_s: 0,
        }
    }

    /// Whoever stands at this place of the cast.
    pub(super) fn person(&self, who: Who) -> Result<&Caller, Error> {
        self.people.get(who).ok_or(Error::NotFound)
    }

    /// The accounts of the cast, without the staff.
    pub(super) fn cast(&self) -> &[Caller] {
        self.people.get(..self.people.len().saturating_sub(STAFF)).unwrap_or_default()
    }

    /// Uploads `photos` and the faces of the cast, each once, and gives everybody their name and picture.
    pub(super) async fn dress(
        &mut self,
        cast: &[Person],
        photos: Vec<&'static Photo>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), DemoError> {
        let step = "photographs";
        self.catch_up().await.map_err(DemoError::at(step))?;
        let owner = self.people.last().map(|last| last.user).unwrap_or(UserId::from_bits(0));
        let wanted = |photo: &&Photo| cast.iter().any(|p| p.avatar == Some(photo.name));
        let avatars: Vec<&Photo> = photos::AVATARS.iter().filter(wanted).collect();
        let total = (photos.len() + avatars.len()) as u64;
        let feed = self.feed;
        let all = photos.iter().copied().chain(avatars);
        // As many as are worked on at the same time: one that waits for its turn is refused when a slow machine takes
        // long.
        let at_once = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut uploads = stream::iter(all)
            .map(|photo| async move {
                let body = stream::iter([Ok::<_, Infallible>(Bytes::from_static(photo.bytes))]);
                let (alt, key) = (photo.alt, Key::default());
                let upload = Upload { owner, alt, pointer: "/file", key };
                feed.upload(upload, body).await.map(|view| view.id)
            })
            .buffered(at_once);
        let mut ids: Vec<MediaId> = Vec::new();
        while let Some(id) = uploads.next().await {
            ids.push(id.map_err(DemoError::at(step))?);
            progress(Progress { step, done: ids.len() as u64, total });
        }
        drop(uploads);
        let faces = ids.split_off(photos.len());
        self.library = photos.iter().map(|photo| photo.name).zip(ids).collect();
        let wanted = photos::AVATARS.iter().filter(wanted).map(|photo| photo.name);
        let faces: HashMap<&str, MediaId> = wanted.zip(faces).collect();
        self.introduce(cast, &faces).await.map_err(DemoError::at("people"))
    }

    async fn introduce(
        &mut self,
        cast: &[Person],
        faces: &HashMap<&str, MediaId>,
    ) -> Result<(), Error> {
        let staff: [_; STAFF] = [
            ("Moderator", "Keeps it friendly. Reports land here."),
            ("Administrator", "Keeps it running."),
            ("Treasurer", "Has a second look at prizes."),
        ];
        let mut profiles: Vec<(Who, &str, &str, bool, Option<MediaId>)> = staff
            .iter()
            .enumerate()
            .map(|(nth, (name, bio))| (cast.len() + nth, *name, *bio, nth == 0, None))
            .collect();
        profiles.extend(cast.iter().enumerate().map(|(who, person)| {
            let face = person.avatar.and_then(|name| faces.get(name)).copied();
            (who, person.name, person.bio, person.private, face)
        }));
        for (who, name, bio, private, face) in profiles {
            let person = self.person(who)?.clone();
            let avatar = match face {
                Some(face) => Some(Some(self.copy(face, person.user).await?)),
                None => None,
            };
            let edit = EditProfile {
                display_name: Some(name.to_owned()),
                bio: Some(bio.to_owned()),
                private: Some(private),
                avatar,
            };
            self.feed.edit_profile(&person, edit, IfMatch::Any, None).await?;
        }
        self.drop_uploads(faces.values().copied().collect()).await
    }

    /// An upload of `owner` with the content of another.
    async fn copy(&self, like: MediaId, owner: UserId) -> Result<MediaId, Error> {
        let id: MediaId = ids::new_id(self.core.clock.now());
        self.feed
            .log()
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    store::copy_media(tx, id, owner, None, like, now).await?;
                    Ok(id)
                })
            })
            .await
    }

    async fn drop_uploads(&self, uploads: Vec<MediaId>) -> Result<(), Error> {
        self.feed
            .log()
            .db()
            .write(move |tx| {
                let uploads = uploads.clone();
                Box::pin(async move {
                    for upload in uploads {
                        crate::store::media::drop_media(tx, upload).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Plays everything, moving the clock along, up to the present.
    pub(super) async fn play(
        &mut self,
        plan: &Plan,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), DemoError> {
        let step = "posts and what follows";
        let total = plan.acts.len() as u64;
        for (nth, (at_s, act)) in plan.acts.iter().enumerate() {
            if at_s - self.caught_up_s >= CATCH_UP_S {
                self.catch_up().await.map_err(DemoError::at(step))?;
            }
            self.move_to(*at_s);
            self.act(plan, *act).await.map_err(DemoError::at(step))?;
            if nth % REPORT_EVERY == 0 {
                progress(Progress { step, done: nth as u64, total });
            }
        }
        self.plan_ahead().await.map_err(DemoError::at(step))?;
        self.move_to(SPAN_S);
        self.catch_up().await.map_err(DemoError::at(step))?;
        progress(Progress { step, done: total, total });
        Ok(())
    }

    fn move_to(&mut self, at_s: i64) {
        self.core.clock.advance_s(at_s - self.at_s);
        self.at_s = at_s;
    }

    async fn act(&mut self, plan: &Plan, act: Act) -> Result<(), Error> {
        let feed = self.feed;
        match act {
            Act::Follow { who, whom } => {
                let whom = self.person(whom)?.user;
                feed.set_tie(self.person(who)?, whom, Tie::Follow, true, None).await?;
            }
            Act::Accept { who, from } => {
                let (who, from) = (self.person(who)?.user, self.person(from)?.user);
                feed.answer_request(who, from, true, None).await?;
            }
            Act::Post(nth) => {
                let planned = plan.posts.get(nth).ok_or(Error::NotFound)?;
                let post = self.post(planned).await?;
                self.posts.insert(nth, post);
            }
            Act::Look { who, post } => {
                let view = feed.begin_view(self.person(who)?.user, self.shown(post)?, None).await?;
                self.views.insert((who, post), view);
            }
            Act::Leave { who, post, dwell_s } => {
                if let Some(view) = self.views.remove(&(who, post)) {
                    let who = self.person(who)?.user;
                    feed.move_view(who, view, dwell_s * 1_000, true, None).await?;
                }
            }
            Act::Like { who, post } => {
                feed.like(self.person(who)?.user, self.shown(post)?, None).await?;
            }
            Act::Comment { who, post, says } => self.comment(who, post, says, None).await?,
            Act::Answer { who, post, says } => {
                let all = self.comments.get(&post).map(Vec::as_slice).unwrap_or_default();
                if let Some((_, to)) = all.iter().rev().find(|(by, _)| *by != who) {
                    let to = *to;
                    self.comment(who, post, says, Some(to)).await?;
                }
            }
            Act::LikeComment { who, post } => {
                let all = self.comments.get(&post).map(Vec::as_slice).unwrap_or_default();
                if let Some((_, comment)) = all.first() {
                    let comment = *comment;
                    feed.set_comment_like(self.person(who)?.user, comment, true, None).await?;
                }
            }
            Act::Report { who, post, comment, reason } => {
                let all = self.comments.get(&post).map(Vec::as_slice).unwrap_or_default();
                let target = match all.iter().find(|(by, _)| comment && *by != who) {
                    Some((_, comment)) => comment.to_string(),
                    None => self.shown(post)?.to_string(),
                };
                let report = NewReportBody { target, reason: reason.to_owned() };
                feed.report(self.person(who)?, report, None).await?;
            }
            Act::Decide { post, decision } => self.decide(post, decision).await?,
            Act::ReadAll { who } => self.read_all(who).await?,
        }
        Ok(())
    }

    fn shown(&self, post: Nth) -> Result<PostId, Error> {
        self.posts.get(&post).copied().ok_or(Error::NotFound)
    }

    async fn post(&self, planned: &Planned) -> Result<PostId, Error> {
        let author = self.person(planned.author)?;
        let mut media = Vec::new();
        for name in &planned.line.pictures {
            let picture = self.library.get(name).ok_or(Error::NotFound)?;
            media.push(self.copy(*picture, author.user).await?);
        }
        let new = new_post(planned.line.caption.clone(), media);
        Ok(self.feed.create_post(author, new, None).await?.id)
    }

    async fn comment(
        &mut self,
        who: Who,
        post: Nth,
        says: &str,
        reply_to: Option<CommentId>,
    ) -> Result<(), Error> {
        let new = NewComment { text: says.to_owned(), reply_to };
        let made = self.feed.comment(self.person(who)?, self.shown(post)?, new, None).await?;
        self.comments.entry(post).or_default().push((who, made.id));
        Ok(())
    }

    /// What is decided about is out of the talk: nobody likes or answers it any more.
    async fn decide(&mut self, post: Nth, (action, reason): Decision) -> Result<(), Error> {
        let all = self.comments.entry(post).or_default();
        if all.is_empty() {
            return Ok(());
        }
        let (_, comment) = all.remove(0);
        let moderator = self.person(self.cast().len())?;
        let body = ActBody { target: comment.to_string(), action, reason: reason.to_owned() };
        self.feed.moderate(moderator, body, String::new(), None).await.map(drop)
    }

    async fn read_all(&mut self, who: Who) -> Result<(), Error> {
        self.catch_up().await?;
        let user = self.person(who)?.user;
        let page = self.feed.notifications(user, 1, None).await?;
        if let Some(newest) = page.items.first() {
            self.feed.read_notifications(user, &newest.id, None).await?;
        }
        Ok(())
    }

    /// A draft and a scheduled post, so that both can be seen.
    async fn plan_ahead(&self) -> Result<(), Error> {
        let demo = self.person(DEMO)?;
        let draft = NewPost { draft: true, ..new_post("Begun, not finished: ".into(), Vec::new()) };
        self.feed.create_post(demo, draft, None).await?;
        let tomorrow = self.core.clock.now().plus_s(DAY_S);
        let words = "Tomorrow's post, written today. #scheduled".to_owned();
        let later = NewPost { publish_at: Some(tomorrow), ..new_post(words, Vec::new()) };
        self.feed.create_post(demo, later, None).await.map(drop)
    }

    /// Lets the consumers take every fact that there is.
    pub(super) async fn catch_up(&mut self) -> Result<(), Error> {
        for (consumer, source) in &self.consumers {
            consumer.catch_up(source, self.feed.log().db()).await?;
        }
        self.caught_up_s = self.at_s;
        Ok(())
    }

    /// Leaves nothing behind that only the filling needed.
    pub(super) async fn strike(mut self) -> Result<(), DemoError> {
        let library = self.library.values().copied().collect();
        let struck = async {
            self.catch_up().await?;
            self.drop_uploads(library).await?;
            self.feed.sweep_views().await?;
            self.feed.forget_moves().await
        };
        struck.await.map_err(DemoError::at("end"))
    }
}

fn new_post(caption: String, media: Vec<MediaId>) -> NewPost {
    NewPost {
        caption,
        media,
        media_url: None,
        visibility: Some(VisibilityV1::Public),
        comments_enabled: None,
        draft: false,
        publish_at: None,
    }
}
