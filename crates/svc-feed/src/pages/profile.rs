//! A person's page, and the form in which they describe themselves.

use mainstay_console::{
    component::{Tab, empty, icon, menu, more, page_head_back, tabs, with_cursor},
    form::{Area, Field, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::{face, person_acts, person_href, post_card, report},
        discover::{Discover, discover},
        media::thumbnail,
        people::follow_button,
        rich_text::rich_text,
    },
    view::{MentionView, Page, PostView, ProfileView},
};

/// Posts in full, or only their pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProfileTab {
    /// Posts as in a timeline.
    #[default]
    Posts,
    /// A grid of pictures: `?view=media`.
    Media,
}

/// A person's page.
#[derive(Debug, Clone)]
pub struct ProfilePage {
    /// The person.
    pub profile: ProfileView,
    /// People named in the bio who exist.
    pub mentions: Vec<MentionView>,
    /// Which tab.
    pub tab: ProfileTab,
    /// Their posts that the reader may see; `None` if the profile is private to this reader.
    pub posts: Option<Page<PostView>>,
    /// What stands beside it.
    pub discover: Discover,
}

/// A person's page.
pub fn profile_page(shell: &Shell<'_>, view: &ProfilePage) -> Markup {
    let profile = &view.profile;
    let person = &profile.person;
    let base = person_href(person);
    let media = format!("{base}?view=media");
    let own = shell.is_viewer(person.id);
    shell.page(
        &Head {
            title: &person.display_name,
            active: if own { "profile" } else { "" },
            aside: Some(discover(shell, &view.discover)),
            ..Head::default()
        },
        &html! {
            (page_head_back("Profile", "/", "Back", &html! {}))
            (profile_card(shell, view, own))
            @if let Some(posts) = &view.posts {
                (tabs("Posts", &[
                    Tab { label: "Posts", href: &base, current: view.tab == ProfileTab::Posts },
                    Tab { label: "Media", href: &media, current: view.tab == ProfileTab::Media },
                ]))
                (profile_posts(shell, view.tab, posts, if view.tab == ProfileTab::Media { &media }
                    else { &base }, own))
            } @else if profile.relation.is_some_and(|relation| relation.blocking) {
                (empty("ban", "You block this person",
                    "You see nothing of each other while you do.", None))
            } @else {
                (empty("lock", "These posts are private",
                    "Follow them; when they accept, you see their posts here.", None))
            }
        },
    )
}

fn profile_card(shell: &Shell<'_>, view: &ProfilePage, own: bool) -> Markup {
    let profile = &view.profile;
    let person = &profile.person;
    let base = person_href(person);
    let relation = profile.relation.unwrap_or_default();
    html! {
        section .card.profile aria-label="Profile" data-toggle-scope {
            div .profile-top {
                (face(person, "l"))
                div .row.end {
                    @if own {
                        a .button href="/settings/profile" { (icon("pencil")) "Edit profile" }
                    } @else {
                        @if relation.blocking {
                            form method="post" action=(format!("/people/{}/unblock", person.id))
                                data-swap {
                                (shell.hidden())
                                button .button.danger { "Unblock" }
                            }
                        } @else { (follow_button(shell, person,
                            profile.relation.or(shell.viewer.as_ref().map(|_| relation)),
                            profile.private)) }
                        (profile_menu(shell, view))
                    }
                }
            }
            h2 .profile-name dir="auto" { (person.display_name) }
            p .handle {
                "@" (person.handle)
                @if profile.private { span .mark { (icon("lock")) "Private" } }
                @if relation.followed_by { span .mark { "Follows you" } }
                @if relation.muting { span .mark { (icon("volume-x")) "Muted" } }
            }
            @if !profile.bio.is_empty() { div .bio dir="auto"
                { (rich_text(&profile.bio, &view.mentions)) } }
            p .since { (icon("calendar-clock")) "Here since "
                (format::month_year(profile.created_at)) }
            ul .counts {
                li { strong { (format::compact(profile.post_count)) } @if profile.post_count == 1
                    { " post" } @else { " posts" } }
                li { a href=(format!("{base}/followers"))
                    title=(format::counted(profile.follower_count, "follower", "followers")) {
                    strong data-toggle-count[!profile.private] data-value=(profile.follower_count)
                        { (format::compact(profile.follower_count)) }
                    @if profile.follower_count == 1 { " follower" } @else { " followers" } } }
                li { a href=(format!("{base}/following"))
                    { strong { (format::compact(profile.following_count)) } " following" } }
            }
        }
    }
}

fn profile_menu(shell: &Shell<'_>, view: &ProfilePage) -> Markup {
    let person = &view.profile.person;
    let relation = view.profile.relation.unwrap_or_default();
    let path = format!("/people/{}", person.id);
    let items = html! {
        button .with-script type="button" data-copy=(person_href(person))
            { (icon("link")) "Copy link" }
        @if shell.viewer.is_some() {
            @if relation.muting {
                form method="post" action=(format!("{path}/unmute")) data-swap {
                    (shell.hidden())
                    button { (icon("volume-2")) "Unmute @" (person.handle) }
                }
            } @else if !relation.blocking { (person_acts(shell, person)) }
            (report(shell, &format!("{path}/report"), "report-person", "person"))
        } @else {
            a href="/sign-in" { (icon("log-in")) "Sign in for more" }
        }
    };
    menu("menu-profile", &format!("More for {}", person.display_name), &items)
}

fn profile_posts(
    shell: &Shell<'_>,
    tab: ProfileTab,
    posts: &Page<PostView>,
    href: &str,
    own: bool,
) -> Markup {
    let next = posts.next_cursor.as_deref().map(|cursor| with_cursor(href, cursor));
    html! {
        @if posts.items.is_empty() {
            @if own {
                (empty("image", "You have not posted yet", "What you publish appears here.",
                    Some(("Write a post", "/compose"))))
            } @else {
                (empty("image", "No posts yet", "What they publish appears here.", None))
            }
        } @else if tab == ProfileTab::Media {
            ul .media-grid data-list="posts" {
                @for post in &posts.items {
                    @if let Some(first) = post.media.first() {
                        li {
                            a href=(format!("/posts/{}", post.id)) aria-label=(media_label(post))
                                data-number=[(post.media.len() > 1).then_some(post.media.len())]
                                    { (thumbnail(first, 480)) }
                        }
                    }
                }
            }
        } @else {
            div .feed data-list="posts" { @for (at, post) in posts.items.iter().enumerate()
                { (post_card(shell, post, at == 0)) } }
        }
        (more(next.as_deref(), "Show more posts"))
    }
}

fn media_label(post: &PostView) -> String {
    let alt = post.media.first().map(|media| media.alt.as_str()).filter(|alt| !alt.is_empty());
    format!("Post: {}", alt.unwrap_or("picture without a description"))
}

/// The form in which a person describes themselves.
#[derive(Debug, Clone)]
pub struct ProfileForm {
    /// As it is, or as it was typed.
    pub profile: ProfileView,
    /// What was wrong; the pointers are `/display_name`, `/bio`, `/avatar`.
    pub errors: FormErrors,
}

/// Edits name, picture, bio and privacy: multipart to `/settings/profile` with `display_name`, `bio`, `private`
/// (`on` or absent), `avatar` (a file; empty keeps it) and `remove_avatar` (`on` or absent).
pub fn profile_form(shell: &Shell<'_>, view: &ProfileForm) -> Markup {
    let profile = &view.profile;
    shell.page(
        &Head { title: "Edit profile", active: "profile-edit", ..Head::default() },
        &html! {
            (page_head_back("Edit profile", &person_href(&profile.person), "Back to your profile",
                &html! {}))
            form .card.stack method="post" action="/settings/profile" enctype="multipart/form-data"
                data-swap {
                (shell.hidden())
                (view.errors.summary(&["/display_name", "/bio", "/avatar"]))
                div .avatar-edit data-avatar {
                    (face(&profile.person, "l"))
                    div .stack {
                        label for="avatar" { "Picture" }
                        input #avatar .file type="file" name="avatar"
                            accept="image/jpeg,image/png,image/gif,image/webp";
                        (error_line("avatar", view.errors.at("/avatar")))
                        @if profile.person.avatar.is_some() {
                            label .check { input type="checkbox" name="remove_avatar";
                                "Remove the picture" }
                        }
                    }
                }
                (Field { label: "Name", name: "display_name", value: &profile.person.display_name,
                    autocomplete: "name", hint: "Up to 60 characters. Your handle stays.",
                        ..Field::default() }
                    .render(&view.errors))
                (Area { label: "About you", label_hidden: false, name: "bio", id: "bio", value:
                    &profile.bio,
                    placeholder: "", rows: 4, limit: Some(500) }.render(&view.errors))
                label .check.switch {
                    input type="checkbox" name="private" checked[profile.private];
                    span { strong { "Private profile" } span .sub
                        { "People ask before they follow you; only followers see your posts." } }
                }
                div .row.end { button .button.primary { "Save profile" } }
            }
        },
    )
}
