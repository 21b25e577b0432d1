//! Writing a post and changing one.

use axum::{
    extract::{Request, State},
    response::Response,
};
use mainstay_console::{form::FormErrors, visit::Visit};
use mainstay_contract::{
    feed::VisibilityV1,
    id::{MediaId, PostId},
    ts::Ts,
};
use mainstay_core::{
    auth::Caller,
    error::{Fault, Problem},
    http::{IfMatch, LimitClass, Path, Route, route::Routes},
};

use super::{
    Answer, FORM_BYTES_MAX, REFUSED, Web,
    parts::{self, Parts},
    said,
};
use crate::{
    error::Error,
    model::MEDIA_MAX,
    pages::compose::{ComposeForm, compose_page},
    service::{EditPost, Feed, NewPost},
    view::{PostState, PostView},
};

/// A form with files may take this long.
const UPLOAD_MS: u32 = 600_000;

pub(super) fn routes(page: &Routes<Web>, feed: &Feed) -> Vec<Route> {
    // Without script the files come with the form, all at once.
    let bytes_max = feed.upload_bytes_max().saturating_mul(2) + FORM_BYTES_MAX;
    vec![
        page.get("/compose", new).signed_in(),
        page.post("/posts", create)
            .takes_parts(bytes_max)
            .limit(LimitClass::Upload)
            .timeout_ms(UPLOAD_MS),
        page.get("/posts/{id}/edit", edit).signed_in(),
        page.post("/posts/{id}/edit", save)
            .takes_parts(bytes_max)
            .limit(LimitClass::Upload)
            .timeout_ms(UPLOAD_MS),
    ]
}

async fn new(visit: Visit) -> Response {
    visit.page(compose_page(&visit.shell(), &ComposeForm::default()))
}

/// What was typed.
#[derive(Default)]
struct Typed {
    caption: String,
    visibility: Option<VisibilityV1>,
    comments_enabled: bool,
    action: String,
    publish_at: String,
    /// Uploads and their words, in order.
    media: Vec<(MediaId, Option<String>)>,
    /// How many of them came with this form.
    files: usize,
    faults: Vec<Fault>,
}

impl Web {
    async fn typed(&self, caller: &Caller, request: Request) -> Result<Typed, Error> {
        let mut parts = Parts::read(request).await?;
        let mut typed = Typed::default();
        while let Some((name, field)) = parts.next().await? {
            match name.as_str() {
                "caption" => typed.caption = parts::text(field).await?,
                "visibility" => typed.visibility = visibility(&parts::text(field).await?),
                "comments_enabled" => typed.comments_enabled = true,
                "action" => typed.action = parts::text(field).await?,
                "publish_at" => typed.publish_at = parts::text(field).await?,
                "media" => {
                    if let Ok(id) = parts::text(field).await?.parse() {
                        typed.media.push((id, None));
                    }
                }
                "alt" => {
                    let words = parts::text(field).await?;
                    if let Some((_, alt)) = typed.media.last_mut() {
                        *alt = Some(words);
                    }
                }
                "file" if typed.media.len() < MEDIA_MAX => {
                    match parts::file(&self.feed, caller.user, field, "/media").await? {
                        Some(Ok(media)) => {
                            typed.media.push((media.id, None));
                            typed.files += 1;
                        }
                        Some(Err(faults)) => typed.faults.extend(faults),
                        None => {}
                    }
                }
                "file_alt" => {
                    let words = parts::text(field).await?;
                    let first = typed.media.len() - typed.files;
                    if let Some((_, alt)) = typed.media.get_mut(first)
                        && typed.files > 0
                    {
                        *alt = Some(words);
                    }
                }
                _ => {}
            }
        }
        Ok(typed)
    }

    /// Writes the words for the pictures that were given some.
    async fn describe(&self, caller: &Caller, typed: &mut Typed) -> Result<(), Error> {
        let ids: Vec<MediaId> = typed.media.iter().map(|(id, _)| *id).collect();
        let known = self.feed.uploads(caller.user, &ids).await?;
        for (id, alt) in &typed.media {
            let Some(alt) = alt.as_deref().map(str::trim) else { continue };
            let before = known.iter().find(|media| media.id == *id);
            if before.is_some_and(|before| before.alt != alt)
                && let Err(error) = self.feed.set_alt(caller.user, *id, alt, None).await
            {
                let errors = said(error)?.0.into_iter();
                typed
                    .faults
                    .extend(errors.map(|error| Fault::new("/media", "too_long", error.detail)));
            }
        }
        Ok(())
    }

    /// The form again, with what is wrong.
    async fn again(
        &self,
        visit: Visit,
        caller: &Caller,
        (typed, post): (Typed, Option<&PostView>),
        errors: FormErrors,
    ) -> Answer {
        let ids: Vec<MediaId> = typed.media.iter().map(|(id, _)| *id).collect();
        let mut media = self.feed.uploads(caller.user, &ids).await?;
        for shown in &mut media {
            let alt = typed.media.iter().find(|(id, _)| *id == shown.id);
            if let Some((_, Some(alt))) = alt {
                shown.alt.clone_from(alt);
            }
        }
        let view = ComposeForm {
            post: post.map(|post| post.id),
            published: post.is_some_and(|post| is_published(post.state)),
            publish_at: instant(&typed.publish_at),
            caption: typed.caption,
            media,
            visibility: typed.visibility.unwrap_or(VisibilityV1::Public),
            comments_enabled: typed.comments_enabled,
            errors: whole_list(errors),
        };
        let place = post.map_or("/compose".to_owned(), |post| format!("/posts/{}/edit", post.id));
        let visit = visit.at(place);
        Ok(visit.page_as(REFUSED, compose_page(&visit.shell(), &view)))
    }
}

/// Faults of single uploads stand under the list of them.
fn whole_list(mut errors: FormErrors) -> FormErrors {
    for error in &mut errors.0 {
        if error.pointer.starts_with("/media/") || error.pointer == "/alt" {
            "/media".clone_into(&mut error.pointer);
        }
    }
    errors
}

fn visibility(word: &str) -> Option<VisibilityV1> {
    match word {
        "public" => Some(VisibilityV1::Public),
        "followers" => Some(VisibilityV1::Followers),
        "private" => Some(VisibilityV1::Private),
        _ => None,
    }
}

fn is_published(state: PostState) -> bool {
    matches!(state, PostState::Published | PostState::Hidden)
}

/// RFC 3339 from the script; without it what a browser's field holds, in UTC.
fn instant(text: &str) -> Option<Ts> {
    text.parse().or_else(|_none| format!("{text}:00Z").parse()).ok()
}

/// Whether to keep a draft, and when to publish.
fn when(typed: &Typed, now: Ts) -> Result<(bool, Option<Ts>), Fault> {
    let fault = |detail: &str| Err(Fault::new("/publish_at", "required", detail));
    match (typed.action.as_str(), instant(&typed.publish_at)) {
        ("draft", _) => Ok((true, None)),
        ("schedule", None) => fault("Choose the date and time."),
        ("schedule", Some(at)) if at <= now => fault("Choose a time that is still to come."),
        ("schedule", at) => Ok((false, at)),
        _ => Ok((false, None)),
    }
}

fn refusal(faults: Vec<Fault>) -> FormErrors {
    FormErrors::of(&Problem::invalid(faults))
}

async fn create(State(web): State<Web>, caller: Caller, visit: Visit, request: Request) -> Answer {
    let mut typed = web.typed(&caller, request).await?;
    web.describe(&caller, &mut typed).await?;
    let life = when(&typed, visit.shell().now);
    let (draft, publish_at) = match life {
        Ok(life) if typed.faults.is_empty() => life,
        life => {
            let mut faults = std::mem::take(&mut typed.faults);
            faults.extend(life.err());
            return web.again(visit, &caller, (typed, None), refusal(faults)).await;
        }
    };
    let new = NewPost {
        caption: typed.caption.clone(),
        media: typed.media.iter().map(|(id, _)| *id).collect(),
        media_url: None,
        visibility: typed.visibility,
        comments_enabled: Some(typed.comments_enabled),
        draft,
        publish_at,
    };
    match web.feed.create_post(&caller, new, None).await {
        Ok(post) => Ok(web.after(&post)),
        Err(error) => web.again(visit, &caller, (typed, None), said(error)?).await,
    }
}

impl Web {
    /// Leads to where a post that was written stands.
    fn after(&self, post: &PostView) -> Response {
        match post.state {
            PostState::Draft => self.site.go_and_say("/drafts", "Draft saved."),
            PostState::Scheduled => self.site.go_and_say("/drafts", "Post scheduled."),
            PostState::Published | PostState::Hidden => {
                self.site.go_and_say(&format!("/posts/{}", post.id), "Post published.")
            }
        }
    }

    /// A post of the caller.
    async fn own(&self, caller: &Caller, id: PostId) -> Result<PostView, Error> {
        let post = self.feed.post(Some(caller.user), id).await?;
        if post.author.id == caller.user { Ok(post) } else { Err(Error::NotFound) }
    }
}

async fn edit(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Path(id): Path<PostId>,
) -> Answer {
    let post = web.own(&caller, id).await?;
    let view = ComposeForm {
        post: Some(post.id),
        published: is_published(post.state),
        publish_at: post.published_at.filter(|_| post.state == PostState::Scheduled),
        caption: post.caption,
        media: post.media,
        visibility: post.visibility,
        comments_enabled: post.comments_enabled,
        errors: FormErrors::default(),
    };
    Ok(visit.page(compose_page(&visit.shell(), &view)))
}

async fn save(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Path(id): Path<PostId>,
    request: Request,
) -> Answer {
    let post = web.own(&caller, id).await?;
    let mut typed = web.typed(&caller, request).await?;
    web.describe(&caller, &mut typed).await?;
    let published = is_published(post.state);
    let life = if published { Ok((false, None)) } else { when(&typed, visit.shell().now) };
    let (draft, publish_at) = match life {
        Ok(life) if typed.faults.is_empty() => life,
        life => {
            let mut faults = std::mem::take(&mut typed.faults);
            faults.extend(life.err());
            return web.again(visit, &caller, (typed, Some(&post)), refusal(faults)).await;
        }
    };
    let edit = EditPost {
        caption: Some(typed.caption.clone()),
        media: Some(typed.media.iter().map(|(id, _)| *id).collect()),
        visibility: typed.visibility,
        comments_enabled: Some(typed.comments_enabled),
        draft: (!published).then_some(draft),
        publish_at,
    };
    match web.feed.edit_post(caller.user, id, edit, IfMatch::Any, None).await {
        Ok(saved) if published => {
            Ok(web.site.go_and_say(&format!("/posts/{}", saved.id), "Post saved."))
        }
        Ok(saved) => Ok(web.after(&saved)),
        Err(error) => web.again(visit, &caller, (typed, Some(&post)), said(error)?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(action: &str, publish_at: &str) -> Typed {
        Typed { action: action.into(), publish_at: publish_at.into(), ..Typed::default() }
    }

    #[test]
    fn the_button_says_when_a_post_is_published() {
        let at = |text: &str| text.parse::<Ts>().ok();
        let now = at("2026-11-21T05:00:00Z").unwrap_or_default();
        let when = |action, time| when(&typed(action, time), now).ok();
        assert_eq!(when("publish", ""), Some((false, None)));
        assert_eq!(
            when("publish", "2026-11-22T05:00"),
            Some((false, None)),
            "the field may be left over"
        );
        assert_eq!(when("draft", ""), Some((true, None)));
        assert_eq!(when("schedule", "2026-11-22T05:00"), Some((false, at("2026-11-22T05:00:00Z"))));
        assert_eq!(
            when("schedule", "2026-11-22T05:00:00.000Z"),
            Some((false, at("2026-11-22T05:00:00Z")))
        );
        assert_eq!(when("schedule", ""), None);
        assert_eq!(when("schedule", "2026-11-20T05:00"), None);
    }
}
