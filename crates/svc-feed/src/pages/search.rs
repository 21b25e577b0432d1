//! Finding people and tags.

use mainstay_console::{
    component::{self, Tab, empty, icon, more, query_text, tabs},
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        discover::{Discover, people_to_follow, tag_row},
        people::{PersonLine, person_line},
    },
    view::{HashtagView, Page},
};

/// What was found.
#[derive(Debug, Clone)]
pub enum Found {
    /// Nothing was asked yet; these tags are in use, and these people can be followed.
    Nothing(Discover),
    /// People.
    People(Page<PersonLine>),
    /// Tags.
    Hashtags(Page<HashtagView>),
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchPage<'a> {
    /// What was typed.
    pub query: &'a str,
    /// `true` if tags are looked for.
    pub hashtags: bool,
    /// What was found.
    pub found: Found,
}

/// The page for searching, with what was found.
pub fn search_page(shell: &Shell<'_>, view: &SearchPage<'_>) -> Markup {
    let kind = if view.hashtags { "hashtags" } else { "people" };
    let people = format!("/search?kind=people&q={}", query_text(view.query));
    let hashtags = format!("/search?kind=hashtags&q={}", query_text(view.query));
    let here = if view.hashtags { &hashtags } else { &people };
    shell.page(
        &Head { title: "Search", active: "search", ..Head::default() },
        &html! {
            h1 .sr-only { "Search" }
            form .search-box.large method="get" action="/search" role="search" data-get {
                (icon("search"))
                input type="hidden" name="kind" value=(kind);
                input type="search" name="q" value=(view.query) placeholder="Search people and tags"
                    data-search
                    aria-label="Search people and tags" autocomplete="off"
                        autofocus[view.query.is_empty()];
                button .button.small.primary { "Search" }
            }
            (tabs("What to search", &[
                Tab { label: "People", href: &people, current: !view.hashtags },
                Tab { label: "Tags", href: &hashtags, current: view.hashtags },
            ]))
            @match &view.found {
                Found::Nothing(beside) => {
                    @if beside.hashtags.is_empty() && beside.people.is_empty() {
                        (empty("search", "Find people and tags", "Type a name, a handle or a tag.",
                            None))
                    }
                    @if !beside.hashtags.is_empty() {
                        section .card aria-labelledby="in-use" {
                            h2 #in-use { "Tags in use" }
                            ul .plain-list.tag-columns
                                { @for tag in &beside.hashtags { li { (tag_row(tag)) } } }
                        }
                    }
                    (people_to_follow(shell, &beside.people))
                }
                Found::People(page) => {
                    @if page.items.is_empty() { (none(view.query)) } @else {
                        ul .card.plain-list.roomy data-list="people"
                            { @for line in &page.items { (person_line(shell, line)) } }
                        (more(page.next_cursor.as_deref().map(|cursor|
                            component::with_cursor(here, cursor)).as_deref(), "Show more people"))
                    }
                }
                Found::Hashtags(page) => {
                    @if page.items.is_empty() { (none(view.query)) } @else {
                        ul .card.plain-list data-list="tags"
                            { @for tag in &page.items { li { (tag_row(tag)) } } }
                        (more(page.next_cursor.as_deref().map(|cursor|
                            component::with_cursor(here, cursor)).as_deref(), "Show more tags"))
                    }
                }
            }
        },
    )
}

fn none(query: &str) -> Markup {
    empty(
        "search",
        &format!("Nothing matches “{query}”"),
        "Check the spelling, or try fewer letters: only the beginnings of words match.",
        None,
    )
}
