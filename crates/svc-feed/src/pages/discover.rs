//! The column beside a timeline: tags in use and people to follow.

use mainstay_console::{component::icon, format, shell::Shell};
use maud::{Markup, html};

use crate::{
    pages::card::{face, person_href},
    pages::people::follow_button,
    view::{HashtagView, PersonView, RelationView},
};

/// What stands beside a page.
#[derive(Debug, Clone, Default)]
pub struct Discover {
    /// Tags in use, most used first; a handful.
    pub hashtags: Vec<HashtagView>,
    /// People whom the reader does not follow yet; a handful.
    pub people: Vec<PersonView>,
}

/// The column, or nothing if there is nothing to show.
pub fn discover(shell: &Shell<'_>, view: &Discover) -> Markup {
    html! {
        form .search-box method="get" action="/search" role="search" {
            (icon("search"))
            input type="search" name="q" placeholder="Search people and tags"
                aria-label="Search people and tags"
                autocomplete="off" data-search;
            kbd .with-script { "/" }
        }
        @if !view.hashtags.is_empty() {
            section .card aria-labelledby="tags-title" {
                h2 #tags-title { "Tags in use" }
                ul .plain-list { @for tag in &view.hashtags { li { (tag_row(tag)) } } }
            }
        }
        (people_to_follow(shell, &view.people))
        p .foot-links { a href="/docs" data-plain { "API" } " · " a href="/explore" { "Explore" }
            " · " a href="/latest" { "Latest" } }
    }
}

/// People whom the reader does not follow yet, or nothing.
pub(super) fn people_to_follow(shell: &Shell<'_>, people: &[PersonView]) -> Markup {
    html! {
        @if !people.is_empty() {
            section .card aria-labelledby="people-title" {
                h2 #people-title { "People to follow" }
                ul .plain-list {
                    @for person in people {
                        li .person-row {
                            a .face-link href=(person_href(person)) tabindex="-1" aria-hidden="true"
                                { (face(person, "m")) }
                            a .who href=(person_href(person)) {
                                span .name dir="auto" { (person.display_name) }
                                span .handle { "@" (person.handle) }
                            }
                            (follow_button(shell, person, Some(RelationView::default()), false))
                        }
                    }
                }
            }
        }
    }
}

/// A tag with how often it is used.
pub(super) fn tag_row(tag: &HashtagView) -> Markup {
    html! {
        a .tag-row href=(format!("/tags/{}", mainstay_console::component::query_text(&tag.tag))) {
            span .tag-icon { (icon("hash")) }
            span .who {
                span .name dir="auto" { "#" (tag.tag) }
                span .handle { (format::counted(tag.post_count, "post", "posts")) }
            }
        }
    }
}
