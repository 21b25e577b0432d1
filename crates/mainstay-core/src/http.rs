//! HTTP: routes as data, and one middleware around each handler.
//!
//! Reading order: [`route`] (what a route declares), [`extract`] and [`parts`] (what a handler takes), [`reply`] (what
//! it answers), [`middleware`] (what happens to every request, top to bottom), [`router`] (finds the route of a
//! request), [`openapi`] (the same list as a document), [`server`] (sockets and draining), `activity` (which connection
//! is ended for doing nothing).
//!
//! **Invariant:** a handler is reached only through a [`route::Route`], so nothing is served without an access rule, a
//! limit class, a time limit and a body limit.

mod activity;
pub mod compress;
pub mod cursor;
pub mod extract;
pub mod if_match;
pub mod key;
pub mod middleware;
pub mod openapi;
pub mod parts;
pub mod reply;
pub mod route;
pub mod router;
pub mod server;
mod wording;

pub use self::{
    cursor::Cursors,
    extract::{
        Body, Form, ListBody, MaybeBody, MaybeCaller, NoBody, OneOrList, PageQuery, Path, Path2,
        Query, read_value,
    },
    if_match::IfMatch,
    key::Key,
    parts::Parts,
    reply::{Created, Html, Json, NoContent},
    route::{Access, Kind, LimitClass, Route},
};
