//! What services add to the console: its navigation, links in the settings, and how the person who looks is shown.
//!
//! Plain data, added while services are opened and read at each page. The console draws it; the core only carries it,
//! so that no service needs to know another.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::{auth::Caller, db::BoxFuture};

/// Who sees an item of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Everybody,
    /// Who is signed in.
    SignedIn,
    /// Moderators.
    Moderators,
    /// Administrators.
    Administrators,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the side, and in the bar of small screens.
    SideAndBar,
    /// At the side; on small screens in the menu.
    Side,
    /// In the menu of the person who is signed in.
    Menu,
    /// The one act that stands out, such as writing a post.
    Primary,
    /// In the palette only, for what has its link on a page of its service.
    Palette,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    /// What a page names to say that it is the current one.
    pub key: &'static str,
    /// What it is part of, such as `posts`: on small screens the act that stands out is at hand on pages of its part.
    pub part: &'static str,
    /// The word.
    pub label: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// The icon's name in the console's sprite.
    pub icon: &'static str,
    /// Who sees it.
    pub audience: Audience,
    /// Where it stands.
    pub place: Place,
    /// Whether the count of unread notifications is shown on it.
    pub counts_unread: bool,
    /// The letter that leads there after `g`.
    pub letter: Option<char>,
}

/// A link in the account's settings to settings of a service.
#[derive(Debug, Clone, Copy)]
pub struct SettingsLink {
    /// The icon's name in the console's sprite.
    pub icon: &'static str,
    /// What is set there, in a few words.
    pub title: &'static str,
    /// The same in a sentence.
    pub text: &'static str,
    /// Where it leads.
    pub href: &'static str,
}

/// How the person who looks is shown beside the navigation.
#[derive(Debug, Clone, Default)]
pub struct Face {
    /// The name they chose.
    pub display_name: String,
    /// Their picture's address.
    pub avatar_url: Option<String>,
    /// Their own page.
    pub profile_href: String,
    /// Unread notifications.
    pub unread_count: i64,
}

/// Finds how a person is shown; `None` if nothing is known of them but their handle.
pub type FindFace = Box<dyn Fn(&Caller) -> BoxFuture<'static, Option<Face>> + Send + Sync>;

/// What services add to the console. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Front {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    nav: ArcSwap<Vec<NavItem>>,
    settings: ArcSwap<Vec<SettingsLink>>,
    face: OnceLock<FindFace>,
}

impl Front {
    /// Adds entries to the navigation, after those that are there.
    pub fn add_nav(&self, items: &[NavItem]) {
        self.inner.nav.rcu(|nav| nav.iter().chain(items).copied().collect::<Vec<_>>());
    }

    /// Adds links to the settings.
    pub fn add_settings(&self, links: &[SettingsLink]) {
        self.inner.settings.rcu(|known| known.iter().chain(links).copied().collect::<Vec<_>>());
    }

    /// Names who knows how people are shown; the first one named stays.
    pub fn show_faces(&self, find: FindFace) {
        self.inner.face.get_or_init(|| find);
    }

    /// The navigation, in the order in which services were opened.
    pub fn nav(&self) -> Arc<Vec<NavItem>> {
        self.inner.nav.load_full()
    }

    /// The links in the settings.
    pub fn settings(&self) -> Arc<Vec<SettingsLink>> {
        self.inner.settings.load_full()
    }

    /// How `caller` is shown; `None` if no service knows.
    pub async fn face(&self, caller: &Caller) -> Option<Face> {
        let find = self.inner.face.get()?;
        find(caller).await
    }
}
