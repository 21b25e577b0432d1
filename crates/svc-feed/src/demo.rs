//! A demonstration: people who post photographs, follow, like and talk, so that there is something to look at.
//!
//! Reading order: `script` (who and what, from `demo/`), `plan` (when; pure), `stage` (plays the plan through Feed's
//! own use cases on a clock that it moves), `bulk` (what is beyond the script, written in large transactions).
//!
//! # Invariants
//! - What the plan does goes through the use cases: facts, counters, places and notifications are those of real use.
//! - What is written in bulk leaves every counter equal to its rows; it emits no facts, like an import.

mod bulk;
mod chance;
mod photos;
mod plan;
mod script;
mod stage;
mod store;
mod talk;
#[cfg(test)]
mod tests;

use mainstay_contract::ts::Ts;
use mainstay_core::{
    auth::{AuthError, Caller, NewUser, Role},
    mount::{Core, Mount},
};

use self::{bulk::Bulk, photos::Photo, script::Person, stage::Stage};
use crate::Feed;

pub(crate) use self::store::STATEMENTS;

const DAY_S: i64 = 86_400;
/// How long the people of the demo have been there.
const SPAN_S: i64 = 10 * DAY_S;
/// Posts that are planned one by one; more are written in bulk.
const PLANNED_POSTS_MAX: usize = 160;
/// Accounts made between two reports of progress.
const ACCOUNTS_STEP: usize = 1_000;

/// The handles that can sign in, with what they may do.
pub const SIGN_INS: [(&str, Role); 4] = [
    ("demo", Role::User),
    ("moderator", Role::Moderator),
    ("admin", Role::Admin),
    // For what takes two administrators.
    ("treasurer", Role::Admin),
];
/// Those of them who are staff.
const STAFF: usize = SIGN_INS.len() - 1;

/// How much there is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// People, without the staff; at least 2.
    pub people: u32,
    /// Published posts.
    pub posts: u32,
}

/// How far the filling is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being made, as in "photographs".
    pub step: &'static str,
    /// How many of them are done.
    pub done: u64,
    /// How many there will be.
    pub total: u64,
}

/// Why a demo could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A line of what the demo is made of cannot be read.
    #[error("read line {line} of the demo's {file}")]
    Script {
        /// Which file.
        file: &'static str,
        /// Which line, from 1.
        line: usize,
    },
    /// An account could not be made.
    #[error("make the accounts of the demo")]
    Accounts(#[source] AuthError),
    /// Something could not be written.
    #[error("make the {step} of the demo")]
    Step {
        /// What was being made.
        step: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DemoError {
    fn script(file: &'static str, line: usize) -> Self {
        Self::Script { file, line }
    }

    fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        step: &'static str,
    ) -> impl Fn(E) -> Self {
        move |error| Self::Step { step, source: error.into() }
    }
}

/// When a demo begins that is to reach until `now`: `core` is opened with a manual clock that stands there.
pub fn begins(now: Ts) -> Ts {
    now.plus_s(-SPAN_S)
}

/// Fills empty records. `core` stands on a manual clock at [`begins`], which is moved to the present; the program is
/// opened anew on the machine's clock afterwards. Those of [`SIGN_INS`] get `password`; nobody else can sign in.
/// Returns those of the script and the staff, for what other services do with them.
///
/// # Errors
/// What the engine says. The records are then of no use and are thrown away.
pub async fn fill(
    core: &Core,
    feed: &Feed,
    mount: &Mount,
    size: Size,
    password: &str,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Vec<Caller>, DemoError> {
    let begin = core.clock.now();
    let cast = cast(size)?;
    let callers = accounts(core, &cast, password).await?;
    let mut stage = Stage::new(core, feed, mount, callers.clone());
    let topics = script::topics()?;
    let posts = PLANNED_POSTS_MAX.min(size.posts as usize);
    let plan = plan::plan(&cast, &topics, posts, cast.len());
    // What is written in bulk may show any of them.
    let bulk = size.posts as usize > posts;
    let shown = |photo: &&Photo| bulk || plan.posts.iter().any(|post| post.shows(photo.name));
    stage.dress(&cast, photos::PHOTOS.iter().filter(shown).collect(), progress).await?;
    stage.play(&plan, progress).await?;
    let bulk = Bulk::new(core, feed, size, cast.len(), posts, begin.plus_s(SPAN_S));
    bulk.fill(&stage, &topics, progress).await?;
    stage.strike().await?;
    Ok(callers)
}

/// The one who looks around, and as many of the script as there is room for.
fn cast(size: Size) -> Result<Vec<Person>, DemoError> {
    let mut cast = vec![Person {
        handle: "demo",
        name: "Demo",
        avatar: Some("river"),
        private: false,
        bio: "Having a look around.",
    }];
    cast.extend(script::people()?);
    cast.truncate(size.people as usize);
    Ok(cast)
}

async fn accounts(core: &Core, cast: &[Person], password: &str) -> Result<Vec<Caller>, DemoError> {
    let handles = cast.iter().map(|person| person.handle);
    let staff = SIGN_INS.iter().map(|(handle, _)| *handle).filter(|handle| *handle != "demo");
    let new = handles.chain(staff).map(|handle| {
        let role = SIGN_INS.iter().find(|(name, _)| *name == handle).map(|(_, role)| *role);
        NewUser {
            handle: handle.to_owned(),
            email: format!("{handle}@example.org"),
            password: role.map(|_| password.to_owned()),
            role: role.unwrap_or(Role::User),
        }
    });
    let made = core.auth.create_users(new.collect()).await.map_err(DemoError::Accounts)?;
    Ok(made.iter().map(stage::caller).collect())
}
