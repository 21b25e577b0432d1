//! Errors as clients see them: a closed list of codes, and problems as RFC 9457 describes them.

use std::borrow::Cow;

use serde::Serialize;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// Why a request was not done. Each service maps its own errors to one of these in one `match`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// Every code, for the documents.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The stable name in `code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status),* }
            }

            /// A short title that does not change with the occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }
        }
    };
}

codes! {
    /// The body could not be read as what it says it is.
    MalformedBody = "malformed_body", 400, "The body cannot be read";
    /// A parameter in the address, or a header, could not be read.
    MalformedParameter = "malformed_parameter", 400, "A parameter cannot be read";
    /// The cursor was not made by this server, or for another list.
    MalformedCursor = "malformed_cursor", 400, "The cursor is not valid";
    /// No, or no valid, credentials.
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    /// Signed in, but not allowed.
    Forbidden = "forbidden", 403, "Not allowed";
    /// The form or script did not prove that it is ours.
    CsrfFailed = "csrf_failed", 403, "The request did not come from this site";
    /// The account was suspended.
    Suspended = "suspended", 403, "The account is suspended";
    /// There is no such thing, or the caller may not know of it.
    NotFound = "not_found", 404, "Not found";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    /// Somebody has it already.
    Taken = "taken", 409, "Already taken";
    /// The present state does not allow it.
    Conflict = "conflict", 409, "Not possible in the present state";
    /// The frozen list behind the cursor is gone.
    CursorExpired = "cursor_expired", 410, "The list has expired";
    /// It is at another version than `If-Match` names.
    PreconditionFailed = "precondition_failed", 412, "Changed since it was read";
    /// Body, field or file is larger than allowed.
    TooLarge = "too_large", 413, "Too large";
    /// The address is longer than allowed.
    UriTooLong = "uri_too_long", 414, "The address is too long";
    /// The content type is not accepted here.
    UnsupportedMediaType = "unsupported_media_type", 415, "This content type is not accepted here";
    /// The range cannot be satisfied.
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range is outside of the file";
    /// Well formed, but not valid; `errors` says where.
    Invalid = "invalid", 422, "Not valid";
    /// The idempotency key was used with another request.
    KeyReused = "idempotency_key_reused", 422, "The idempotency key was used for another request";
    /// The address speaks another protocol.
    UpgradeRequired = "upgrade_required", 426, "Another protocol is spoken here";
    /// Headers are larger than allowed.
    HeadersTooLarge = "headers_too_large", 431, "The headers are too large";
    /// Too many requests.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// A fault of ours.
    Internal = "internal", 500, "Something went wrong here";
    /// A part that is needed does not answer.
    Unavailable = "unavailable", 503, "Not available at the moment";
    /// More is under way than can be served.
    Overloaded = "overloaded", 503, "Too busy at the moment";
    /// The time for this request ran out.
    TimedOut = "timed_out", 503, "It took too long";
    /// The write that the token names has not arrived here yet.
    NotYet = "not_yet", 503, "Not up to date yet";
}

/// One fault in the input: where it is and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Fault {
    /// A JSON pointer into the body, such as `/caption`; for a parameter `?limit`, for a header its name.
    pub pointer: Cow<'static, str>,
    /// A stable word for the kind of fault, such as `too_long`.
    pub code: Cow<'static, str>,
    /// A sentence that says what to do.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(
        pointer: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }
}

/// A refusal or failure on its way to the client.
///
/// `detail` and `faults` are for the caller; `cause` is for the log alone and never leaves the program.
#[derive(Debug)]
pub struct Problem {
    /// Which of the closed codes.
    pub code: Code,
    /// What happened and what to do, for the caller.
    pub detail: Cow<'static, str>,
    /// Each fault of the input, all at once.
    pub faults: Vec<Fault>,
    /// When to try again.
    pub retry_after_s: Option<u32>,
    /// The cause, for the log.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A problem with a sentence for the caller.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), faults: Vec::new(), retry_after_s: None, cause: None }
    }

    /// Input that is not valid, with every fault.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let mut problem =
            Self::new(Code::Invalid, "Correct what `errors` names and send it again.");
        problem.faults = faults;
        problem
    }

    /// The same with its cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same with a time to wait.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// A fault of ours: the caller learns that it is not theirs, the log learns the cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Code::Internal,
            "The request was not carried out. Try again; if it stays, tell the operator the request id.",
        )
        .because(cause)
    }
}

/// A list of faults that is collected before anything is refused, so that a caller sees all of them at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault unless `ok`.
    pub fn check(
        &mut self,
        ok: bool,
        pointer: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl FnOnce() -> String,
    ) {
        if !ok {
            self.0.push(Fault::new(pointer, code, detail()));
        }
    }

    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Whether nothing was found so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults.
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }
}

/// What a panic says, for the log.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a text".to_owned())
}

/// The only way to drop an error: it says why that is right.
pub trait Tolerate {
    /// Drops the error; `why` says what makes it harmless.
    fn tolerate(self, why: &'static str);
}

impl<T, E: std::fmt::Debug> Tolerate for Result<T, E> {
    fn tolerate(self, why: &'static str) {
        if let Err(error) = self {
            tracing::trace!(?error, why, "tolerated");
        }
    }
}
