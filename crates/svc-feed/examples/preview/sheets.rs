//! Every page, in every state.

use mainstay_console::{
    account::{
        gate::{Gate, Typed},
        keys::{Keys, keys},
        settings::{Security, overview, security},
    },
    fault::{Fault, fault_page},
    form::{FieldError, FormErrors},
    shell::{Flash, Shell, Theme, Viewer},
};
use mainstay_contract::{feed::VisibilityV1, id::PostId};
use mainstay_core::{
    auth::{ApiKeyId, ApiKeyView, NewApiKey, Scope, SessionId, SessionView},
    front::SettingsLink,
};
use maud::Markup;
use svc_feed::{
    pages::{
        NAV,
        compose::{ComposeForm, compose_page},
        decided::{DecidedPage, decided_page},
        discover::Discover,
        moderation::{ModerationPage, moderation_page},
        notifications::notifications_page,
        people::{PeoplePage, RequestLine, people_page, requests_page},
        post::{PostPage, post_gone, post_page},
        profile::{ProfileForm, ProfilePage, ProfileTab, profile_form, profile_page},
        search::{Found, SearchPage, search_page},
        shelf::drafts_page,
        timeline::{Timeline, Which, timeline},
    },
    view::{
        DecidedView, HashtagView, NotificationKind, NotificationView, NotifiedPostView, Page,
        PostState, ProfileView, RelationView, ReportedView,
    },
};

use crate::fixtures::{Fixtures, NOW};

type Sheet = (&'static str, Markup);

fn page<T>(items: Vec<T>) -> Page<T> {
    Page { items, next_cursor: None }
}

fn shell<'a>(made: &Fixtures, signed_in: bool) -> Shell<'a> {
    let me = &made.people[0];
    Shell {
        viewer: signed_in.then(|| Viewer {
            id: me.id,
            handle: me.handle.clone(),
            display_name: me.display_name.clone(),
            avatar_url: me
                .avatar
                .as_ref()
                .and_then(|media| media.variants.first())
                .map(|copy| copy.url.clone()),
            profile_href: format!("/people/{}", me.handle),
            moderator: true,
            admin: true,
        }),
        nav: &NAV,
        csrf: "csrf-token",
        unread_count: if signed_in { 12 } else { 0 },
        theme: Theme::System,
        flash: None,
        locale: "en-GB",
        now: NOW,
        path: "/home",
        fragment: false,
    }
}

fn wrong(errors: &[(&str, &str)]) -> FormErrors {
    let make = |(pointer, detail): &(&str, &str)| FieldError {
        pointer: (*pointer).into(),
        detail: (*detail).into(),
    };
    FormErrors(errors.iter().map(make).collect())
}

/// Name and page of each.
pub(crate) fn all(made: &Fixtures) -> Vec<Sheet> {
    let mut sheets = timelines(made);
    sheets.extend(accounts(made));
    sheets.extend(one_post(made));
    sheets.extend(profiles(made));
    sheets.extend(writing(made));
    sheets.extend(lists(made));
    sheets.push(("moderation", moderation(made)));
    sheets.push(("moderation-decided", decided(made)));
    sheets.extend(faults(made));
    sheets
}

fn beside(made: &Fixtures) -> Discover {
    let tag = |tag: &str, post_count| HashtagView { tag: tag.into(), post_count };
    Discover {
        hashtags: vec![
            tag("alps", 1_204),
            tag("morning", 318),
            tag("القاهرة", 77),
            tag("boats", 1),
        ],
        people: made.people.iter().skip(2).take(3).cloned().collect(),
    }
}

fn timelines(made: &Fixtures) -> Vec<Sheet> {
    let (reader, stranger) = (shell(made, true), shell(made, false));
    let with = |which, posts| Timeline { which, posts, discover: beside(made) };
    let full = Page { items: made.posts.clone(), next_cursor: Some("abc".into()) };
    let flash = Some(Flash { good: true, text: "Your post is published.".into() });
    let told = Shell { flash, ..reader.clone() };
    vec![
        ("home", timeline(&reader, &with(Which::Home, full.clone()))),
        ("home-empty", timeline(&told, &with(Which::Home, page(vec![])))),
        ("explore", timeline(&stranger, &with(Which::Explore, page(made.posts.clone())))),
        ("latest", timeline(&reader, &with(Which::Latest, full))),
        ("tag", timeline(&reader, &with(Which::Tag("alps"), page(made.posts[..2].to_vec())))),
        ("tag-empty", timeline(&stranger, &with(Which::Tag("nothing"), page(vec![])))),
    ]
}

fn accounts(made: &Fixtures) -> Vec<Sheet> {
    let (reader, stranger) = (shell(made, true), shell(made, false));
    let refused = Typed {
        name: "ines_m",
        errors: wrong(&[("", "The name or the password is wrong.")]),
        ..Typed::default()
    };
    let taken = Typed {
        name: "mira_k",
        email: "mira@",
        return_to: "/drafts",
        errors: wrong(&[
            ("/handle", "This handle is taken. Try another one."),
            ("/email", "This is not an e-mail address."),
            ("/password", "Use at least 8 characters."),
        ]),
    };
    let links = [SettingsLink {
        icon: "user",
        title: "Profile",
        text: "Your name, picture, what you say of yourself, and who sees your posts.",
        href: "/settings/profile",
    }];
    let bad = wrong(&[
        ("/current_password", "This is not your present password."),
        ("/new_password", "Use at least 8 characters."),
    ]);
    let signed_in = |errors| Security { sessions: sessions(), errors };
    vec![
        ("sign-in", Gate::SignIn.page(&stranger, &Typed::default())),
        ("sign-in-error", Gate::SignIn.page(&stranger, &refused)),
        ("register", Gate::Register.page(&stranger, &Typed::default())),
        ("register-error", Gate::Register.page(&stranger, &taken)),
        ("settings", overview(&reader, &links, Some("ines@example.org"))),
        ("security", security(&reader, &signed_in(FormErrors::default()))),
        ("security-error", security(&reader, &signed_in(bad))),
        ("keys", keys(&reader, &api_keys(true, FormErrors::default()))),
        ("keys-empty", keys(&reader, &Keys { offered: Scope::ALL.to_vec(), ..Keys::default() })),
        (
            "keys-error",
            keys(&reader, &api_keys(false, wrong(&[("/scopes", "Name at least one scope.")]))),
        ),
    ]
}

fn sessions() -> Vec<SessionView> {
    let agents = [
        Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        Some("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"),
        Some("curl/8.5.0"),
        None,
    ];
    let made = agents.into_iter().enumerate().map(|(at, agent)| SessionView {
        id: SessionId::from_bits(at as u128 + 1),
        kind: if at < 2 { "console" } else { "token" }.to_owned(),
        address: (at != 3).then(|| format!("2001:db8:85a3:8d3:1319:8a2e:370:{at}")),
        agent: agent.map(str::to_owned),
        created_at: NOW.plus_s(-86_400 * 9 * (at as i64 + 1)),
        last_used_at: NOW.plus_s(-3_000 * at as i64),
        expires_at: NOW.plus_s(86_400),
        current: at == 0,
    });
    made.collect()
}

fn api_keys(with_secret: bool, errors: FormErrors) -> Keys {
    let key = |at: i64, name: &str, scopes: &[Scope]| ApiKeyView {
        id: ApiKeyId::from_bits(at as u128 + 1),
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        created_at: NOW.plus_s(-86_400 * 40),
        last_used_at: (at != 1).then(|| NOW.plus_s(-60 * at)),
        secret_count: 1 + at % 2,
        old_secret_ends_at: (at == 1).then(|| NOW.plus_s(50_000)),
    };
    let long = "The program that copies pictures from the old camera to this place every night";
    let keys = vec![
        key(0, "Calendar", &[Scope::Read]),
        key(1, long, &[Scope::Read, Scope::Write, Scope::Moderate]),
    ];
    let made = with_secret.then(|| NewApiKey {
        key: keys[0].clone(),
        secret: "mk_0123456789abcdefghijklmnopqrstuvwxyzABCDEF".to_owned(),
    });
    let (name, scopes) = ("Calendar".to_owned(), Vec::new());
    Keys { keys, offered: Scope::ALL.to_vec(), made, name, scopes, errors }
}

fn one_post(made: &Fixtures) -> Vec<Sheet> {
    let (reader, stranger) = (shell(made, true), shell(made, false));
    let of = |at: usize, comments, typed: &str, errors| PostPage {
        post: made.posts[at].clone(),
        comments,
        more_href: Some("/posts/x?cursor=y".into()),
        typed: typed.into(),
        errors,
        discover: beside(made),
    };
    let tree = made.tree(&made.posts[1]);
    vec![
        ("post", post_page(&reader, &of(1, tree.clone(), "", FormErrors::default()))),
        ("post-stranger", post_page(&stranger, &of(0, tree, "", FormErrors::default()))),
        ("post-no-comments", post_page(&reader, &of(2, vec![], "", FormErrors::default()))),
        (
            "post-comment-error",
            post_page(&reader, &of(5, vec![], " ", wrong(&[("/text", "Write something first.")]))),
        ),
        ("post-tall", post_page(&reader, &of(7, vec![], "", FormErrors::default()))),
        ("post-gone", post_gone(&reader)),
    ]
}

fn profile(made: &Fixtures, at: usize, relation: Option<RelationView>) -> ProfileView {
    ProfileView {
        person: made.people[at].clone(),
        bio:
            "Mountains before breakfast, boats after. Friend of @mira_k. #alps\nhttps://example.org"
                .into(),
        private: at == 2,
        post_count: 214,
        follower_count: 12_804,
        following_count: 391,
        relation,
        created_at: NOW.plus_s(-86_400 * 500),
        version: 1,
    }
}

fn profiles(made: &Fixtures) -> Vec<Sheet> {
    let reader = shell(made, true);
    let posts = || Some(page(made.posts.clone()));
    let of = |at, relation, tab, posts| ProfilePage {
        profile: profile(made, at, relation),
        mentions: made.mentions(),
        tab,
        posts,
        discover: beside(made),
    };
    let follows =
        Some(RelationView { following: true, followed_by: true, ..RelationView::default() });
    let asked = Some(RelationView { requested: true, muting: true, ..RelationView::default() });
    let blocked = Some(RelationView { blocking: true, ..RelationView::default() });
    let form = |errors| ProfileForm { profile: profile(made, 0, None), errors };
    let bad = wrong(&[
        ("/display_name", "A name has at most 60 characters."),
        ("/avatar", "This is not a picture."),
    ]);
    vec![
        ("profile", profile_page(&reader, &of(1, follows, ProfileTab::Posts, posts()))),
        ("profile-own", profile_page(&reader, &of(0, None, ProfileTab::Posts, Some(page(vec![]))))),
        (
            "profile-media",
            profile_page(
                &reader,
                &of(3, Some(RelationView::default()), ProfileTab::Media, posts()),
            ),
        ),
        ("profile-private", profile_page(&reader, &of(2, asked, ProfileTab::Posts, None))),
        ("profile-blocked", profile_page(&reader, &of(5, blocked, ProfileTab::Posts, None))),
        ("profile-edit", profile_form(&reader, &form(FormErrors::default()))),
        ("profile-edit-error", profile_form(&reader, &form(bad))),
    ]
}

fn writing(made: &Fixtures) -> Vec<Sheet> {
    let reader = shell(made, true);
    let bad = ComposeForm {
        caption: "x".repeat(2_201),
        visibility: VisibilityV1::Followers,
        publish_at: Some(NOW.plus_s(-60)),
        media: made.pictures[..3].to_vec(),
        post: Some(PostId::from_bits(1)),
        errors: wrong(&[
            ("/caption", "A caption has at most 2,200 characters; this one has 2,201."),
            ("/publish_at", "Choose a time that is still to come."),
        ]),
        ..ComposeForm::default()
    };
    let edit = ComposeForm {
        post: Some(made.posts[1].id),
        published: true,
        caption: made.posts[1].caption.clone(),
        media: made.posts[1].media.clone(),
        ..ComposeForm::default()
    };
    let mut shelf: Vec<_> = made.posts[..4].to_vec();
    for (at, post) in shelf.iter_mut().enumerate() {
        post.state = if at == 1 { PostState::Scheduled } else { PostState::Draft };
        post.published_at = (at == 1).then_some(NOW.plus_s(90_000));
    }
    vec![
        ("compose", compose_page(&reader, &ComposeForm::default())),
        ("compose-error", compose_page(&reader, &bad)),
        ("edit", compose_page(&reader, &edit)),
        ("drafts", drafts_page(&reader, &page(shelf))),
        ("drafts-empty", drafts_page(&reader, &page(vec![]))),
    ]
}

fn lists(made: &Fixtures) -> Vec<Sheet> {
    let reader = shell(made, true);
    let (requests, lines) = (
        made.people[1..4]
            .iter()
            .map(|person| RequestLine { person: person.clone(), asked_at: NOW.plus_s(-7_300) })
            .collect(),
        made.lines(),
    );
    let people = |following, people| PeoplePage {
        person: made.people[1].clone(),
        following,
        people,
        discover: beside(made),
    };
    let found = |query, hashtags, found| SearchPage { query, hashtags, found };
    let tags = beside(made).hashtags;
    vec![
        ("notifications", notifications_page(&reader, &page(notes(made)), &beside(made))),
        (
            "notifications-empty",
            notifications_page(
                &Shell { unread_count: 0, ..reader.clone() },
                &page(vec![]),
                &Discover::default(),
            ),
        ),
        ("requests", requests_page(&reader, &page(requests))),
        ("requests-empty", requests_page(&reader, &page(vec![]))),
        ("followers", people_page(&reader, &people(false, page(lines.clone())))),
        ("following-empty", people_page(&reader, &people(true, page(vec![])))),
        ("search", search_page(&reader, &found("", false, Found::Nothing(beside(made))))),
        ("search-people", search_page(&reader, &found("mi", false, Found::People(page(lines))))),
        ("search-tags", search_page(&reader, &found("a", true, Found::Hashtags(page(tags))))),
        ("search-none", search_page(&reader, &found("zzzz", false, Found::People(page(vec![]))))),
    ]
}

fn notes(made: &Fixtures) -> Vec<NotificationView> {
    let kinds = [
        (NotificationKind::Like, 43, true),
        (NotificationKind::FollowRequest, 1, false),
        (NotificationKind::Comment, 2, true),
        (NotificationKind::Reply, 1, true),
        (NotificationKind::Mention, 1, true),
        (NotificationKind::Follow, 3, false),
        (NotificationKind::CommentLike, 1, true),
        (NotificationKind::FollowAccepted, 1, false),
    ];
    let make =
        |(at, (kind, count, post)): (usize, &(NotificationKind, i64, bool))| NotificationView {
            id: format!("n{at}"),
            kind: *kind,
            actors: made
                .people
                .iter()
                .cycle()
                .skip(at + 1)
                .take((*count).min(3) as usize)
                .cloned()
                .collect(),
            actor_count: *count,
            post: post.then(|| {
                let post = &made.posts[at % made.posts.len()];
                NotifiedPostView {
                    id: post.id,
                    excerpt: post.caption.chars().take(80).collect(),
                    thumbnail: post.media.first().cloned(),
                }
            }),
            comment_id: None,
            updated_at: NOW.plus_s(-600 * (at as i64 * at as i64 * 9 + 1)),
            read: at > 2,
        };
    kinds.iter().enumerate().map(make).collect()
}

fn moderation(made: &Fixtures) -> Markup {
    let of = |at: usize, status: &str| ReportedView {
        target: made.posts[at].id.to_string(),
        report_count: 3,
        reasons: vec![
            "Not theirs: I took this picture.".into(),
            "Spam, the third time this week".into(),
        ],
        first_reported_at: NOW.plus_s(-80_000),
        post: Some(Box::new(made.posts[at].clone())),
        comment: None,
        person: made.posts[at].author.clone(),
        status: status.into(),
    };
    let comment = made.tree(&made.posts[0]).swap_remove(2).comment;
    let talk = ReportedView {
        target: comment.id.to_string(),
        person: comment.author.clone(),
        post: None,
        comment: Some(comment),
        ..of(0, "hidden")
    };
    let person = ReportedView {
        target: made.people[4].id.to_string(),
        person: made.people[4].clone(),
        post: None,
        ..of(0, "visible")
    };
    let first = of(3, "visible");
    let view = ModerationPage {
        refused: Some(first.target.clone()),
        queue: page(vec![first, talk, person]),
        errors: wrong(&[("/reason", "Give a reason: it is kept in the audit log.")]),
    };
    moderation_page(&shell(made, true), &view)
}

fn decided(made: &Fixtures) -> Markup {
    let post = &made.posts[3];
    let hidden = DecidedView {
        target: post.id.to_string(),
        action: "hide".into(),
        reason: "Not theirs: the picture is of somebody else.".into(),
        moderator_id: made.people[0].id,
        moderator: Some(made.people[0].clone()),
        decided_at: NOW.plus_s(-4_000),
        post: Some(Box::new(post.clone())),
        comment: None,
        person: post.author.clone(),
        status: "hidden".into(),
        restorable: true,
    };
    let person = DecidedView {
        target: made.people[4].id.to_string(),
        action: "suspend".into(),
        moderator: None,
        post: None,
        person: made.people[4].clone(),
        status: "suspended".into(),
        ..hidden.clone()
    };
    let gone = DecidedView {
        target: made.posts[1].id.to_string(),
        action: "remove".into(),
        post: Some(Box::new(made.posts[1].clone())),
        person: made.posts[1].author.clone(),
        status: "removed".into(),
        restorable: false,
        ..hidden.clone()
    };
    let view = DecidedPage {
        refused: Some(person.target.clone()),
        decided: page(vec![hidden, person, gone]),
        errors: wrong(&[("/reason", "Say why.")]),
    };
    decided_page(&shell(made, true), &view)
}

fn faults(made: &Fixtures) -> Vec<Sheet> {
    let (reader, stranger) = (shell(made, true), shell(made, false));
    let of = |status| Fault {
        status,
        title: "",
        detail: "",
        list_href: if status == 410 { "/explore" } else { "" },
        request_id: "req_01k3h7j1x2mre9kz6m4yt1a0bc",
    };
    let empty =
        ModerationPage { queue: page(vec![]), refused: None, errors: FormErrors::default() };
    let _tall = &made.tall;
    vec![
        ("error-500", fault_page(&reader, &of(500))),
        ("error-404", fault_page(&stranger, &of(404))),
        ("error-403", fault_page(&reader, &of(403))),
        ("error-410", fault_page(&stranger, &of(410))),
        ("moderation-empty", moderation_page(&reader, &empty)),
    ]
}
