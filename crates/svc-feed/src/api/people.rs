//! People: profiles, relations, search.

use axum::{extract::State, response::Response};
use http::StatusCode;
use mainstay_contract::id::{PostId, UserId};
use mainstay_core::{
    auth::Caller,
    error::{Code, Problem},
    http::{
        Body, IfMatch, Json, MaybeCaller, NoBody, NoContent, PageQuery, Path, Query, Route,
        reply::whole,
        route::{LimitClass, Routes},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    service::{Circle, EditProfile, Feed, FollowRequestView, SearchKind, Tie},
    view::{HashtagView, Page, PersonView, ProfileView, RelationView},
};

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    [profiles(feed), relations(feed), search_routes(feed)].into_iter().flatten().collect()
}

fn profiles(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "People");
    vec![
        r.get("/api/v1/users/{id}", profile).about("Read a profile").answers::<ProfileView>(200),
        r.get("/api/v1/users/by-handle/{handle}", by_handle)
            .about("Read a profile by its handle")
            .answers::<ProfileView>(200),
        r.patch("/api/v1/profile", edit)
            .about("Change your profile")
            .details("Requests to follow that wait when `private` is turned off still wait to be answered.")
            .versioned()
            .takes::<EditProfile>(16 << 10)
            .answers::<ProfileView>(200),
        r.get("/api/v1/users/{id}/followers", followers)
            .about("List a person's followers")
            .query::<PageQuery>()
            .answers::<Page<PersonView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/users/{id}/following", following)
            .about("List whom a person follows")
            .query::<PageQuery>()
            .answers::<Page<PersonView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/posts/{id}/likes", likers)
            .about("List who likes a post")
            .query::<PageQuery>()
            .answers::<Page<PersonView>>(200)
            .refuses(&[Code::MalformedCursor]),
    ]
}

fn relations(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "People");
    vec![
        r.put("/api/v1/users/{id}/follow", follow)
            .about("Follow a person")
            .details("A private account is asked instead. One can follow 10,000 people.")
            .answers::<RelationView>(200)
            .refuses(&[Code::Conflict]),
        r.delete("/api/v1/users/{id}/follow", unfollow)
            .about("Unfollow a person, or take a request back")
            .answers::<RelationView>(200),
        r.put("/api/v1/users/{id}/block", block)
            .about("Block a person")
            .details("Ends follows and requests of both; neither sees the other's posts and comments.")
            .answers::<RelationView>(200),
        r.delete("/api/v1/users/{id}/block", unblock)
            .about("Unblock a person")
            .answers::<RelationView>(200),
        r.put("/api/v1/users/{id}/mute", mute)
            .about("Mute a person")
            .details("Leaves their posts out of lists and their acts out of notifications. They are not told.")
            .answers::<RelationView>(200),
        r.delete("/api/v1/users/{id}/mute", unmute)
            .about("Unmute a person")
            .answers::<RelationView>(200),
        r.get("/api/v1/follow-requests", requests)
            .signed_in()
            .about("List who asks to follow you")
            .query::<PageQuery>()
            .answers::<Page<FollowRequestView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.post("/api/v1/follow-requests/{user_id}/accept", accept)
            .about("Accept a request to follow you")
            .answers_empty(204)
            .refuses(&[Code::Conflict]),
        r.post("/api/v1/follow-requests/{user_id}/reject", reject)
            .about("Reject a request to follow you")
            .answers_empty(204),
    ]
}

fn search_routes(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "Search");
    vec![
        r.get("/api/v1/search", search)
            .about("Search for people or tags")
            .details("People by the beginnings of the words of handle and name, tags by their beginning.")
            .limit(LimitClass::Search)
            .query::<SearchQuery>()
            .answers::<Found>(200)
            .refuses(&[Code::MalformedCursor]),
    ]
}

/// What is searched for.
#[derive(Debug, Deserialize, JsonSchema)]
struct SearchQuery {
    /// 1 to 100 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    q: String,
    /// People if absent.
    #[serde(default)]
    kind: SearchKind,
    /// How many items, 1 to 100; 20 if absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of people or of tags, as `kind` asked.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Found {
    /// For `kind=people`.
    People(Page<PersonView>),
    /// For `kind=hashtags`.
    Hashtags(Page<HashtagView>),
}

async fn profile(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(user): Path<UserId>,
) -> Result<Json<ProfileView>, Error> {
    feed.profile(caller.as_ref(), user).await.map(Json)
}

async fn by_handle(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(handle): Path<String>,
) -> Result<Json<ProfileView>, Error> {
    feed.profile_by_handle(caller.as_ref(), &handle).await.map(Json)
}

async fn edit(
    State(feed): State<Feed>,
    caller: Caller,
    wanted: IfMatch,
    body: Body<EditProfile>,
) -> Result<Json<ProfileView>, Error> {
    feed.edit_profile(&caller, body.value, wanted, body.once).await.map(Json)
}

async fn followers(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(user): Path<UserId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PersonView>>, Error> {
    circle(&feed, caller, user, Circle::Followers, page).await
}

async fn following(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(user): Path<UserId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PersonView>>, Error> {
    circle(&feed, caller, user, Circle::Following, page).await
}

async fn circle(
    feed: &Feed,
    caller: Option<Caller>,
    user: UserId,
    circle: Circle,
    page: PageQuery,
) -> Result<Json<Page<PersonView>>, Error> {
    let viewer = caller.map(|caller| caller.user);
    feed.circle(viewer, user, circle, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn likers(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(post): Path<PostId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PersonView>>, Error> {
    let viewer = caller.map(|caller| caller.user);
    feed.likers(viewer, post, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn follow(
    State(feed): State<Feed>,
    caller: Caller,
    Path(target): Path<UserId>,
    body: NoBody,
) -> Result<Json<RelationView>, Error> {
    feed.set_tie(&caller, target, Tie::Follow, true, body.once).await.map(Json)
}

async fn unfollow(
    State(feed): State<Feed>,
    caller: Caller,
    Path(target): Path<UserId>,
    body: NoBody,
) -> Result<Json<RelationView>, Error> {
    feed.set_tie(&caller, target, Tie::Follow, false, body.once).await.map(Json)
}

async fn block(
    State(feed): State<Feed>,
    caller: Caller,
    Path(target): Path<UserId>,
    body: NoBody,
) -> Result<Json<RelationView>, Error> {
    feed.set_tie(&caller, target, Tie::Block, true, body.once).await.map(Json)
}

async fn unblock(
    State(feed): State<Feed>,
    caller: Caller,
    Path(target): Path<UserId>,
    body: NoBody,
) -> Result<Json<RelationView>, Error> {
    feed.set_tie(&caller, target, Tie::Block, false, body.once).await.map(Json)
}

async fn mute(
    State(feed): State<Feed>,
    caller: Caller,
    Path(target): Path<UserId>,
    body: NoBody,
) -> Result<Json<RelationView>, Error> {
    feed.set_tie(&caller, target, Tie::Mute, true, body.once).await.map(Json)
}

async fn unmute(
    State(feed): State<Feed>,
    caller: Caller,
    Path(target): Path<UserId>,
    body: NoBody,
) -> Result<Json<RelationView>, Error> {
    feed.set_tie(&caller, target, Tie::Mute, false, body.once).await.map(Json)
}

async fn requests(
    State(feed): State<Feed>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<FollowRequestView>>, Error> {
    feed.follow_requests(caller.user, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn accept(
    State(feed): State<Feed>,
    caller: Caller,
    Path(from): Path<UserId>,
    body: NoBody,
) -> Result<NoContent, Error> {
    feed.answer_request(caller.user, from, true, body.once).await.map(|()| NoContent)
}

async fn reject(
    State(feed): State<Feed>,
    caller: Caller,
    Path(from): Path<UserId>,
    body: NoBody,
) -> Result<NoContent, Error> {
    feed.answer_request(caller.user, from, false, body.once).await.map(|()| NoContent)
}

async fn search(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Error> {
    let viewer = caller.map(|caller| caller.user);
    let limit = PageQuery { limit: query.limit, cursor: None }.limit()?;
    let cursor = query.cursor.as_deref();
    let found = match query.kind {
        SearchKind::People => {
            Found::People(feed.search_people(viewer, &query.q, limit, cursor).await?)
        }
        SearchKind::Hashtags => {
            Found::Hashtags(feed.search_hashtags(&query.q, limit, cursor).await?)
        }
    };
    let json = serde_json::to_vec(&found).map_err(Problem::internal)?;
    Ok(whole(StatusCode::OK, "application/json", json))
}
