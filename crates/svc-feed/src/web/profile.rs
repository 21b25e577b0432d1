//! The form in which a person describes themselves.

use axum::extract::{Request, State};
use mainstay_console::{form::FormErrors, visit::Visit};
use mainstay_core::{
    auth::Caller,
    error::Problem,
    http::{IfMatch, LimitClass, Route, route::Routes},
};

use super::{
    Answer, FORM_BYTES_MAX, REFUSED, Web,
    parts::{self, Parts},
    said,
};
use crate::{
    pages::profile::{ProfileForm, profile_form},
    service::{EditProfile, Feed},
};

/// A form with a picture may take this long.
const UPLOAD_MS: u32 = 120_000;

pub(super) fn routes(page: &Routes<Web>, feed: &Feed) -> Vec<Route> {
    vec![
        page.get("/settings/profile", show).signed_in(),
        page.post("/settings/profile", save)
            .takes_parts(feed.upload_bytes_max() + FORM_BYTES_MAX)
            .limit(LimitClass::Upload)
            .timeout_ms(UPLOAD_MS),
    ]
}

async fn show(State(web): State<Web>, caller: Caller, visit: Visit) -> Answer {
    let profile = web.feed.own_profile(&caller).await?;
    let view = ProfileForm { profile, errors: FormErrors::default() };
    Ok(visit.page(profile_form(&visit.shell(), &view)))
}

async fn save(State(web): State<Web>, caller: Caller, visit: Visit, request: Request) -> Answer {
    let mut parts = Parts::read(request).await?;
    let mut edit = EditProfile { private: Some(false), ..EditProfile::default() };
    let mut faults = Vec::new();
    while let Some((name, field)) = parts.next().await? {
        match name.as_str() {
            "display_name" => edit.display_name = Some(parts::text(field).await?),
            "bio" => edit.bio = Some(parts::text(field).await?),
            "private" => edit.private = Some(true),
            "remove_avatar" if edit.avatar.is_none() => edit.avatar = Some(None),
            "avatar" => match parts::file(&web.feed, caller.user, field, "/avatar").await? {
                Some(Ok(media)) => edit.avatar = Some(Some(media.id)),
                Some(Err(refused)) => faults.extend(refused),
                None => {}
            },
            _ => {}
        }
    }
    let typed = edit.clone();
    let errors = if faults.is_empty() {
        match web.feed.edit_profile(&caller, edit, IfMatch::Any, None).await {
            Ok(profile) => {
                let to = crate::pages::card::person_href(&profile.person);
                return Ok(web.site.go_and_say(&to, "Profile saved."));
            }
            Err(error) => said(error)?,
        }
    } else {
        FormErrors::of(&Problem::invalid(faults))
    };
    let mut profile = web.feed.own_profile(&caller).await?;
    profile.person.display_name = typed.display_name.unwrap_or(profile.person.display_name);
    profile.bio = typed.bio.unwrap_or(profile.bio);
    profile.private = typed.private.unwrap_or(profile.private);
    let view = ProfileForm { profile, errors };
    let visit = visit.at("/settings/profile");
    Ok(visit.page_as(REFUSED, profile_form(&visit.shell(), &view)))
}
