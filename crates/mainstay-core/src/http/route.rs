//! A route, as data: what it is for, who may call it, and its bounds.

use std::sync::Arc;

use axum::{extract::Request, handler::Handler, response::Response};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{
    auth::{Role, Scope},
    db::BoxFuture,
    error::Code,
};

/// A handler with its state.
pub(super) type Endpoint = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody; a caller who shows credentials is known to the handler.
    Public,
    /// Whoever is signed in, or an API key with the scope.
    SignedIn(Scope),
    /// An account of at least this role, and the scope if it is an API key.
    Role(Role, Scope),
    /// The machine itself only, without forwarding headers.
    Loopback,
}

/// Which rate limit counts a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitClass {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Signing in, registering, refreshing.
    Auth,
    /// Uploading.
    Upload,
    /// Searching.
    Search,
    /// Health, metrics, static files and media: not counted, but for credentials that are no good.
    Free,
}

/// How a route speaks with its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON in, JSON out; problems as `application/problem+json`.
    Api,
    /// A page or a form of the console; problems as a page.
    Page,
    /// Files, sockets and streams.
    Raw,
}

/// What a body may be.
#[derive(Clone, Copy)]
pub enum BodyKind {
    /// None is read.
    None,
    /// JSON of this shape.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// A form.
    Form,
    /// Parts; read as a stream.
    Multipart,
}

/// One answer that a route gives.
#[derive(Clone, Copy)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The JSON's shape; none for an empty body or another content type.
    pub schema: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// The content type, if there is a body.
    pub content_type: Option<&'static str>,
}

/// A parameter in the address or a header, for the document.
#[derive(Clone, Copy)]
pub struct Parameters(pub fn(&mut SchemaGenerator) -> Schema);

/// A route. Made with [`Routes`], which binds the handlers of one service to its handle.
#[derive(Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with parameters as `{id}`.
    pub path: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What it does in full; Markdown.
    pub description: &'static str,
    /// The group it is shown in.
    pub group: &'static str,
    /// How it speaks.
    pub kind: Kind,
    /// Who may call it.
    pub access: Access,
    /// Which limit counts it.
    pub limit: LimitClass,
    /// The longest it may take; 0 for streams, which end by themselves.
    pub timeout_ms: u32,
    /// The largest body.
    pub body_bytes_max: usize,
    /// What the body is.
    pub body: BodyKind,
    /// What it answers when all is well.
    pub answers: Vec<Answer>,
    /// Which problems of its own it answers, besides those that every route can.
    pub problems: &'static [Code],
    /// Its query parameters.
    pub query: Option<Parameters>,
    /// The consumers whose effect it shows: a read with a consistency token waits for them too.
    pub shows: &'static [&'static str],
    /// Whether its body, if it takes one, must be there.
    pub body_required: bool,
    /// Whether it makes a difference who calls: credentials are looked up only then.
    pub asks: bool,
    /// Whether a repeat with the same idempotency key gets the first answer. Never for strangers, who have no keys.
    pub keyed: bool,
    /// Whether it heeds `If-Match`: it changes a record whose `version` its caller has read.
    pub versioned: bool,
    pub(super) endpoint: Endpoint,
}

/// Starts the routes of one service: each binds its handler to the same state.
pub struct Routes<S> {
    state: S,
    group: &'static str,
    kind: Kind,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Routes of the API in the group `group`, whose handlers take `State<S>`.
    pub fn api(state: &S, group: &'static str) -> Self {
        Self { state: state.clone(), group, kind: Kind::Api }
    }

    /// Pages and forms of the console.
    pub fn pages(state: &S) -> Self {
        Self { state: state.clone(), group: "Console", kind: Kind::Page }
    }

    /// Files and streams.
    pub fn raw(state: &S, group: &'static str) -> Self {
        Self { state: state.clone(), group, kind: Kind::Raw }
    }

    /// `GET path`: reads; public, counted as reading, without a body, until said otherwise.
    pub fn get<H: Handler<T, S>, T: 'static>(&self, path: &'static str, handler: H) -> Route {
        self.route(Method::GET, path, handler)
    }

    /// `POST path`: writes; for whoever is signed in, until said otherwise.
    pub fn post<H: Handler<T, S>, T: 'static>(&self, path: &'static str, handler: H) -> Route {
        self.route(Method::POST, path, handler)
    }

    /// `PUT path`: writes; for whoever is signed in, until said otherwise.
    pub fn put<H: Handler<T, S>, T: 'static>(&self, path: &'static str, handler: H) -> Route {
        self.route(Method::PUT, path, handler)
    }

    /// `PATCH path`: writes; for whoever is signed in, until said otherwise.
    pub fn patch<H: Handler<T, S>, T: 'static>(&self, path: &'static str, handler: H) -> Route {
        self.route(Method::PATCH, path, handler)
    }

    /// `DELETE path`: writes; for whoever is signed in, until said otherwise.
    pub fn delete<H: Handler<T, S>, T: 'static>(&self, path: &'static str, handler: H) -> Route {
        self.route(Method::DELETE, path, handler)
    }

    fn route<H: Handler<T, S>, T: 'static>(
        &self,
        method: Method,
        path: &'static str,
        handler: H,
    ) -> Route {
        let reads = method == Method::GET;
        let state = self.state.clone();
        let endpoint = move |request: Request| -> BoxFuture<'static, Response> {
            Box::pin(handler.clone().call(request, state.clone()))
        };
        Route {
            method,
            path,
            summary: "",
            description: "",
            group: self.group,
            kind: self.kind,
            access: if reads { Access::Public } else { Access::SignedIn(Scope::Write) },
            limit: if reads { LimitClass::Read } else { LimitClass::Write },
            timeout_ms: 10_000,
            body_bytes_max: if reads { 0 } else { 64 << 10 },
            body: BodyKind::None,
            answers: Vec::new(),
            problems: &[],
            query: None,
            shows: &[],
            asks: true,
            body_required: true,
            keyed: !reads,
            versioned: false,
            endpoint: Arc::new(endpoint),
        }
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    /// What it does, in a few words, for the documents.
    #[must_use]
    pub fn about(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// More about it, as Markdown.
    #[must_use]
    pub fn details(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Who may call it.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Everybody may call it.
    #[must_use]
    pub fn public(self) -> Self {
        self.access(Access::Public)
    }

    /// Whoever is signed in may call it.
    #[must_use]
    pub fn signed_in(self) -> Self {
        let scope = if self.method == Method::GET { Scope::Read } else { Scope::Write };
        self.access(Access::SignedIn(scope))
    }

    /// Moderators and administrators may call it.
    #[must_use]
    pub fn moderators(self) -> Self {
        self.access(Access::Role(Role::Moderator, Scope::Moderate))
    }

    /// Administrators may call it.
    #[must_use]
    pub fn admins(self) -> Self {
        self.access(Access::Role(Role::Admin, Scope::Admin))
    }

    /// Which limit counts it.
    #[must_use]
    pub fn limit(mut self, class: LimitClass) -> Self {
        self.limit = class;
        self
    }

    /// The longest it may take, in milliseconds; 0 for a stream.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }

    /// It takes JSON of the shape `T`, at most `bytes_max`.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self, bytes_max: usize) -> Self {
        self.body = BodyKind::Json(schema_of::<T>);
        self.body_bytes_max = bytes_max;
        self
    }

    /// As [`Route::takes`], or no body at all.
    #[must_use]
    pub fn may_take<T: JsonSchema>(mut self, bytes_max: usize) -> Self {
        self.body_required = false;
        self.takes::<T>(bytes_max)
    }

    /// It takes a form of at most `bytes_max`.
    #[must_use]
    pub fn takes_form(mut self, bytes_max: usize) -> Self {
        self.body = BodyKind::Form;
        self.body_bytes_max = bytes_max;
        self
    }

    /// It takes parts as a stream, at most `bytes_max` in all.
    #[must_use]
    pub fn takes_parts(mut self, bytes_max: usize) -> Self {
        self.body = BodyKind::Multipart;
        self.body_bytes_max = bytes_max;
        self
    }

    /// It answers everybody alike: nobody asks who calls, and credentials that are no good do not matter.
    #[must_use]
    pub fn asks_nobody(mut self) -> Self {
        self.asks = false;
        self
    }

    /// It does not heed idempotency keys: its answer must not be kept, or a repeat does no harm.
    #[must_use]
    pub fn unkeyed(mut self) -> Self {
        self.keyed = false;
        self
    }

    /// It heeds `If-Match`: its handler takes [`IfMatch`](super::IfMatch) and asks it in the transaction of the change.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// Its query parameters are the fields of `T`.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(Parameters(schema_of::<T>));
        self
    }

    /// It shows what these consumers write, so that whoever reads after a write sees its effect there.
    #[must_use]
    pub fn shows(mut self, consumers: &'static [&'static str]) -> Self {
        self.shows = consumers;
        self
    }

    /// It answers `status` with JSON of the shape `T`.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        let answer =
            Answer { status, schema: Some(schema_of::<T>), content_type: Some("application/json") };
        self.answers.push(answer);
        self
    }

    /// It answers `status` with another content type.
    #[must_use]
    pub fn answers_as(mut self, status: u16, content_type: &'static str) -> Self {
        self.answers.push(Answer { status, schema: None, content_type: Some(content_type) });
        self
    }

    /// It answers `status` without a body.
    #[must_use]
    pub fn answers_empty(mut self, status: u16) -> Self {
        self.answers.push(Answer { status, schema: None, content_type: None });
        self
    }

    /// It can answer with these problems, besides those that every route can.
    #[must_use]
    pub fn refuses(mut self, problems: &'static [Code]) -> Self {
        self.problems = problems;
        self
    }

    /// Its name in metrics and logs: method and path.
    pub fn name(&self) -> Arc<str> {
        format!("{} {}", self.method, self.path).into()
    }
}
