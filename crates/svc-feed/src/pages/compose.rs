//! Writing a post, and changing one.

use mainstay_console::{
    component::{icon, page_head, page_head_back},
    form::{Area, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::{feed::VisibilityV1, id::PostId, ts::Ts};
use maud::{Markup, html};

use crate::{
    pages::media::at_least,
    view::{MediaKind, MediaView},
};

/// Most characters of a caption, in Unicode scalar values.
const CAPTION_CHARS_MAX: u32 = 2_200;
/// Most media of a post.
const MEDIA_MAX: usize = 10;

/// The form for a post: new, a draft, or one that was published.
#[derive(Debug, Clone)]
pub struct ComposeForm {
    /// The post that is changed; `None` for a new one.
    pub post: Option<PostId>,
    /// Whether it was published already: then it is saved, not published, and its media stay as they are.
    pub published: bool,
    /// The words, as they are or as they were typed.
    pub caption: String,
    /// What is attached, in order.
    pub media: Vec<MediaView>,
    /// Who may see it.
    pub visibility: VisibilityV1,
    /// Whether it takes comments.
    pub comments_enabled: bool,
    /// When it is to be published, if that is planned.
    pub publish_at: Option<Ts>,
    /// What was wrong; the pointers are `/caption`, `/media`, `/publish_at`.
    pub errors: FormErrors,
}

impl Default for ComposeForm {
    fn default() -> Self {
        Self {
            post: None,
            published: false,
            caption: String::new(),
            media: Vec::new(),
            visibility: VisibilityV1::Public,
            comments_enabled: true,
            publish_at: None,
            errors: FormErrors::default(),
        }
    }
}

/// The page for writing or changing a post.
///
/// Posts multipart to `/posts` or `/posts/ID/edit`: `caption`, `visibility` (`public`, `followers`, `private`),
/// `comments_enabled` (`on` or absent), `action` (`publish`, `draft`, `schedule`, or `save` for a published one),
/// `publish_at` (RFC 3339 from the script, `YYYY-MM-DDTHH:MM` in UTC without it). Media: `media` (an id, repeated, in
/// order) with as many `alt`; without script `file` (repeated) with as many `file_alt` as were filled in.
pub fn compose_page(shell: &Shell<'_>, view: &ComposeForm) -> Markup {
    let action = view.post.map_or_else(|| "/posts".to_owned(), |id| format!("/posts/{id}/edit"));
    let title = match (view.post, view.published) {
        (None, _) => "New post",
        (Some(_), true) => "Edit post",
        (Some(_), false) => "Edit draft",
    };
    shell.page(
        &Head {
            title,
            active: if view.post.is_none() { "compose" } else { "drafts" },
            ..Head::default()
        },
        &html! {
            @match view.post {
                Some(id) if view.published => { (page_head_back(title, &format!("/posts/{id}"),
                    "Back to the post", &html! {})) }
                Some(_) => { (page_head_back(title, "/drafts", "Back to drafts", &html! {})) }
                None => { (page_head(title, &html! { a .quiet-link href="/drafts" { "Drafts" } })) }
            }
            form .card.compose method="post" action=(action) enctype="multipart/form-data" data-swap
                data-compose data-keep=[view.post.is_none().then_some("compose")] {
                (shell.hidden())
                (view.errors.summary(&["/caption", "/media", "/publish_at"]))
                (Area { label: "What do you want to show?", label_hidden: true, name: "caption", id:
                    "caption",
                    value: &view.caption, placeholder: "What do you want to show?", rows: 4,
                    limit: Some(CAPTION_CHARS_MAX) }.render(&view.errors))
                (attachments(view))
                (options(shell, view))
                (acts(view))
            }
        },
    )
}

fn attachments(view: &ComposeForm) -> Markup {
    html! {
        fieldset .attach data-uploader="/api/v1/media" data-max=(MEDIA_MAX) {
            legend .sr-only { "Pictures and films" }
            ol .uploads data-uploads { @for item in &view.media { (attached(item)) } }
            @if !view.published {
                div .drop data-drop {
                    (icon("image-plus"))
                    div {
                        label for="file" { "Add pictures or films" }
                        p .hint #file-hint {
                            span .with-script { "Drop, paste or choose up to " (MEDIA_MAX) ". " }
                            "JPEG, PNG, GIF, WebP, MP4 or WebM."
                        }
                    }
                    input #file .file type="file" name="file" multiple aria-describedby="file-hint"
                        accept="image/jpeg,image/png,image/gif,image/webp,video/mp4,video/webm";
                }
                div .without-script.field {
                    label for="file-alt" { "Describe the picture for those who do not see it" }
                    input #file-alt .input name="file_alt" dir="auto" autocomplete="off";
                }
            }
            (error_line("media", view.errors.at("/media")))
        }
    }
}

/// One attachment; the script makes the same lines for what it uploads.
fn attached(item: &MediaView) -> Markup {
    html! {
        li .upload data-upload {
            input type="hidden" name="media" value=(item.id);
            @match item.kind {
                MediaKind::Image => { img .upload-preview src=(at_least(item, 160)) alt=""
                    width="72" height="72"; }
                MediaKind::Video => { span .upload-preview { (icon("play")) } }
            }
            div .field.grow {
                label for=(format!("alt-{}", item.id)) { "Description" }
                input .input #(format!("alt-{}", item.id)) name="alt" value=(item.alt) dir="auto"
                    autocomplete="off"
                    placeholder="For those who do not see it";
            }
        }
    }
}

fn options(shell: &Shell<'_>, view: &ComposeForm) -> Markup {
    let choices = [
        (VisibilityV1::Public, "public", "globe", "Everybody"),
        (VisibilityV1::Followers, "followers", "users", "Followers"),
        (VisibilityV1::Private, "private", "lock", "Only you"),
    ];
    html! {
        fieldset .choice {
            legend { "Who sees it" }
            div .segments {
                @for (value, name, symbol, word) in choices {
                    label { input type="radio" name="visibility" value=(name)
                        checked[value == view.visibility];
                        span { (icon(symbol)) (word) } }
                }
            }
        }
        label .check.switch {
            input type="checkbox" name="comments_enabled" checked[view.comments_enabled];
            span { strong { "Comments" } span .sub { "People who see it may comment." } }
        }
        @if !view.published {
            details .schedule open[view.publish_at.is_some() ||
                view.errors.at("/publish_at").is_some()] {
                summary { (icon("calendar-clock")) "Publish later" }
                div .field .bad[view.errors.at("/publish_at").is_some()] {
                    label for="publish-at" { "Date and time (" span data-zone { "UTC" } ")" }
                    div .row {
                        input #publish-at .input type="datetime-local" name="publish_at"
                            data-instant
                            min=(format::field_minute(shell.now))
                            value=[view.publish_at.map(format::field_minute)]
                            aria-invalid=[view.errors.at("/publish_at").map(|_| "true")]
                            aria-describedby=[view.errors.at("/publish_at").map(|_|
                                "publish-at-error")];
                        button .button name="action" value="schedule" { "Schedule post" }
                    }
                    (error_line("publish-at", view.errors.at("/publish_at")))
                }
            }
        }
    }
}

fn acts(view: &ComposeForm) -> Markup {
    html! {
        div .row.end.compose-acts {
            @if view.published {
                button .button.primary name="action" value="save" { "Save post" }
            } @else {
                span .grow.hint data-upload-status role="status" {}
                button .button name="action" value="draft" { "Save draft" }
                button .button.primary name="action" value="publish" { "Publish post" }
            }
        }
    }
}
