//! Home, explore, latest and the posts of a tag.

use mainstay_console::{
    component::{self, Tab, empty, icon, more, with_cursor},
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::post_card,
        discover::{Discover, discover},
    },
    view::{Page, PostView},
};

/// Which timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// Of those whom the reader follows, newest first.
    Home,
    /// Public posts, by score.
    Explore,
    /// Public posts, newest first.
    Latest,
    /// Posts that carry this tag (lower case, without `#`), newest first.
    Tag(&'a str),
}

/// A timeline's page.
#[derive(Debug, Clone)]
pub struct Timeline<'a> {
    /// Which.
    pub which: Which<'a>,
    /// What it shows.
    pub posts: Page<PostView>,
    /// What stands beside it.
    pub discover: Discover,
}

impl Which<'_> {
    fn href(self) -> String {
        match self {
            Which::Home => "/home".to_owned(),
            Which::Explore => "/explore".to_owned(),
            Which::Latest => "/latest".to_owned(),
            Which::Tag(tag) => format!("/tags/{}", component::query_text(tag)),
        }
    }

    fn title(self) -> String {
        match self {
            Which::Home => "Home".to_owned(),
            Which::Explore => "Explore".to_owned(),
            Which::Latest => "Latest".to_owned(),
            Which::Tag(tag) => format!("#{tag}"),
        }
    }
}

/// A timeline.
pub fn timeline(shell: &Shell<'_>, view: &Timeline<'_>) -> Markup {
    let title = view.which.title();
    let active = match view.which {
        Which::Home => "home",
        Which::Explore | Which::Latest => "explore",
        Which::Tag(_) => "search",
    };
    let next =
        view.posts.next_cursor.as_deref().map(|cursor| with_cursor(&view.which.href(), cursor));
    shell.page(
        &Head {
            title: &title,
            active,
            aside: Some(discover(shell, &view.discover)),
            ..Head::default()
        },
        &html! {
            (heading(shell, view.which, &title))
            @if view.which == Which::Home && shell.viewer.is_some() { (composer_hint(shell)) }
            // "New posts" waits here; the script shows it when the live channel says so.
            @if view.which == Which::Home {
                div .pill-place { button .pill type="button" data-pill="home" hidden
                    { (icon("arrow-up")) span data-pill-text {} } }
            }
            @if view.posts.items.is_empty() {
                (nothing(shell, view.which))
            } @else {
                div .feed data-list="posts" {
                    @for (at, post) in view.posts.items.iter().enumerate()
                        { (post_card(shell, post, at == 0)) }
                }
                (more(next.as_deref(), "Show more posts"))
                @if next.is_none() { p .end-mark { "You have seen it all." } }
            }
        },
    )
}

fn heading(shell: &Shell<'_>, which: Which<'_>, title: &str) -> Markup {
    if let Which::Tag(_) = which {
        return component::page_head_back(
            title,
            "/search?kind=hashtags",
            "Back to search",
            &html! {},
        );
    }
    let home = Tab { label: "Following", href: "/home", current: which == Which::Home };
    let rest = [
        Tab { label: "Explore", href: "/explore", current: which == Which::Explore },
        Tab { label: "Latest", href: "/latest", current: which == Which::Latest },
    ];
    html! {
        h1 .sr-only { (title) }
        div .page-head.tabs-head {
            @if shell.viewer.is_some() {
                (component::tabs("Timelines", &[home, rest[0], rest[1]]))
            } @else {
                (component::tabs("Timelines", &rest))
            }
        }
    }
}

/// Looks like the field that it leads to.
fn composer_hint(shell: &Shell<'_>) -> Markup {
    html! {
        @if let Some(viewer) = &shell.viewer {
            a .card.composer-hint href="/compose" {
                (component::avatar(viewer.avatar_url.as_deref(), &viewer.display_name,
                    &viewer.handle, "m"))
                span { "What do you want to show?" }
                (icon("image-plus"))
            }
        }
    }
}

fn nothing(shell: &Shell<'_>, which: Which<'_>) -> Markup {
    match which {
        Which::Home => empty(
            "users",
            "Your home is quiet",
            "Posts of the people you follow appear here, newest first. Follow a few to begin.",
            Some(("Find people", "/explore")),
        ),
        Which::Tag(_) => empty(
            "hash",
            "No post carries this tag",
            "Tags lead to every public post that names them. You could write the first.",
            Some(("Write a post", "/compose")),
        ),
        Which::Explore | Which::Latest => empty(
            "compass",
            "Nothing was posted yet",
            "Public posts of everybody appear here.",
            Some(if shell.viewer.is_some() {
                ("Write the first post", "/compose")
            } else {
                ("Create account", "/register")
            }),
        ),
    }
}
