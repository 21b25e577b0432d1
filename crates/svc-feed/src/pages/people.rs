//! Lists of people: followers, people followed, follow requests; and the button that follows.

use mainstay_console::{
    component::{self, Tab, empty, icon, more, page_head, page_head_back},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

use crate::{
    pages::{
        card::{face, person_href},
        discover::{Discover, discover},
    },
    view::{Page, PersonView, RelationView},
};

/// A person in a list.
#[derive(Debug, Clone)]
pub struct PersonLine {
    /// Who.
    pub person: PersonView,
    /// The first words they say of themselves; may be empty.
    pub bio: String,
    /// Only accepted followers see the posts.
    pub private: bool,
    /// How the reader stands to them; absent for strangers and for oneself.
    pub relation: Option<RelationView>,
}

/// A line for a person.
pub(super) fn person_line(shell: &Shell<'_>, line: &PersonLine) -> Markup {
    let href = person_href(&line.person);
    html! {
        li .person-row.wide tabindex="-1" data-item data-open=(href) {
            a .face-link href=(href) tabindex="-1" aria-hidden="true" { (face(&line.person, "m")) }
            div .who {
                a .name href=(href) dir="auto" title=(line.person.display_name)
                    { (line.person.display_name) }
                span .handle {
                    "@" (line.person.handle)
                    @if line.private { " " (icon("lock")) span .sr-only { "private" } }
                    @if line.relation.is_some_and(|relation| relation.followed_by)
                        { span .mark { "Follows you" } }
                }
                @if !line.bio.is_empty() { p .bio-line dir="auto" { (line.bio) } }
            }
            (follow_button(shell, &line.person, line.relation, line.private))
        }
    }
}

/// Follow, requested or following: a form first; the script shows the change at once.
pub(super) fn follow_button(
    shell: &Shell<'_>,
    person: &PersonView,
    relation: Option<RelationView>,
    private: bool,
) -> Markup {
    let path = format!("/people/{}", person.id);
    html! {
        @if shell.is_viewer(person.id) {
        } @else if shell.viewer.is_none() {
            a .button.small href="/sign-in" { "Follow" }
        } @else if let Some(relation) = relation {
            @let on = relation.following || relation.requested;
            @let act = if on { "unfollow" } else { "follow" };
            @let on_word = if relation.following || !private { "Following" } else { "Requested" };
            form .inline method="post" action=(format!("{path}/{act}"))
                data-toggle=(format!("/api/v1/users/{}/follow", person.id))
                data-on=(format!("{path}/unfollow")) data-off=(format!("{path}/follow"))
                data-state=(if on { "on" } else { "off" }) {
                (shell.hidden())
                button .button.small.follow {
                    span .when-on { (on_word) }
                    span .when-off { @if relation.followed_by { "Follow back" } @else { "Follow" } }
                    span .sr-only { " " (person.display_name) }
                }
            }
        }
    }
}

/// Followers, or people followed.
#[derive(Debug, Clone)]
pub struct PeoplePage {
    /// Whose.
    pub person: PersonView,
    /// `true` for the people whom they follow.
    pub following: bool,
    /// The people.
    pub people: Page<PersonLine>,
    /// What stands beside them.
    pub discover: Discover,
}

/// Followers of a person, or whom they follow.
pub fn people_page(shell: &Shell<'_>, view: &PeoplePage) -> Markup {
    let base = person_href(&view.person);
    let (followers, following) = (format!("{base}/followers"), format!("{base}/following"));
    let here = if view.following { &following } else { &followers };
    let next =
        view.people.next_cursor.as_deref().map(|cursor| component::with_cursor(here, cursor));
    let title = if view.following {
        format!("People @{} follows", view.person.handle)
    } else {
        format!("Followers of @{}", view.person.handle)
    };
    shell.page(
        &Head { title: &title, aside: Some(discover(shell, &view.discover)), ..Head::default() },
        &html! {
            (page_head_back(&view.person.display_name, &base, "Back to the profile", &html! {}))
            (component::tabs("People", &[
                Tab { label: "Followers", href: &followers, current: !view.following },
                Tab { label: "Following", href: &following, current: view.following },
            ]))
            @if view.people.items.is_empty() {
                @if view.following {
                    (empty("users", "Follows nobody yet", "Whom they follow appears here.", None))
                } @else {
                    (empty("users", "No followers yet", "Who follows them appears here.", None))
                }
            } @else {
                ul .card.plain-list.roomy data-list="people"
                    { @for line in &view.people.items { (person_line(shell, line)) } }
                (more(next.as_deref(), "Show more people"))
            }
        },
    )
}

/// Somebody who asks to follow.
#[derive(Debug, Clone)]
pub struct RequestLine {
    /// Who.
    pub person: PersonView,
    /// Since when.
    pub asked_at: Ts,
}

/// The people who ask to follow the reader.
pub fn requests_page(shell: &Shell<'_>, requests: &Page<RequestLine>) -> Markup {
    let next =
        requests.next_cursor.as_deref().map(|cursor| component::with_cursor("/requests", cursor));
    shell.page(
        &Head { title: "Follow requests", active: "requests", ..Head::default() },
        &html! {
            (page_head("Follow requests", &html! {}))
            @if requests.items.is_empty() {
                (empty("user-plus", "Nobody is waiting",
                    "While your profile is private, people ask before they follow. They wait here.",
                    Some(("Edit profile", "/settings/profile"))))
            } @else {
                ul .card.plain-list.roomy data-list="requests" {
                    @for line in &requests.items { (request_line(shell, line)) }
                }
                (more(next.as_deref(), "Show more requests"))
            }
        },
    )
}

fn request_line(shell: &Shell<'_>, line: &RequestLine) -> Markup {
    let href = person_href(&line.person);
    let path = format!("/requests/{}", line.person.id);
    html! {
        li .person-row.wide tabindex="-1" data-item data-open=(href) {
            a .face-link href=(href) tabindex="-1" aria-hidden="true" { (face(&line.person, "m")) }
            div .who {
                a .name href=(href) dir="auto" { (line.person.display_name) }
                span .handle { "@" (line.person.handle) " · asked "
                    (format::time(line.asked_at, shell.now)) }
            }
            div .row {
                form method="post" action=(format!("{path}/accept")) data-swap {
                    (shell.hidden())
                    button .button.small.primary aria-label=(format!("Accept {}",
                        line.person.display_name)) { "Accept" }
                }
                form method="post" action=(format!("{path}/reject")) data-swap {
                    (shell.hidden())
                    button .button.small aria-label=(format!("Reject {}", line.person.display_name))
                        { "Reject" }
                }
            }
        }
    }
}
