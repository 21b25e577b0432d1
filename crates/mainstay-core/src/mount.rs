//! What a service hands to the program: one plain value.

use crate::{
    db::Sql,
    events::{Log, consumer::Consumer},
    http::Route,
    jobs::{Job, Periodic},
};

/// A service, ready to be run. The program builds its router, consumers, jobs and documents from nothing else.
pub struct Mount {
    /// Its name: its schema, its configuration section, its metric prefix.
    pub name: &'static str,
    /// Its records and log.
    pub log: Log,
    /// Its API, files and pages.
    pub routes: Vec<Route>,
    /// Facts it takes, its own or others'.
    pub consumers: Vec<Consumer>,
    /// Work it promises.
    pub jobs: Vec<Job>,
    /// Work it does again and again.
    pub periodic: Vec<Periodic>,
    /// Every statement it runs, for the test that prepares them on both engines.
    pub statements: Vec<&'static Sql>,
}
