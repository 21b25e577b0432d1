//! Profiles, accounts, and explore under other weights.

use mainstay_contract::account::{AccountCreatedV1, AccountStateV1, AccountSuspensionChangedV1};

use super::*;
use crate::{
    model::rank::Weights,
    service::{EditProfile, profiles},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_counts_only_posts_that_the_reader_may_see() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        for visibility in ["public", "followers", "private"] {
            let new = format!(r#"{{"caption": "x", "visibility": "{visibility}"}}"#);
            let new = serde_json::from_str(&new).unwrap();
            town.feed.create_post(&ada, new, None).await.unwrap();
        }
        let count = async |viewer: Option<&Caller>| {
            town.feed.profile(viewer, ada.user).await.unwrap().post_count
        };
        assert_eq!((count(None).await, count(Some(&bob)).await), (1, 1));
        town.tie(&bob, &ada, Tie::Follow, true).await.unwrap();
        assert_eq!((count(Some(&bob)).await, count(Some(&ada)).await), (2, 3));
        town.make_private(&ada).await;
        assert_eq!(count(None).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_name_is_found_and_too_long_ones_are_refused_with_every_fault() {
    for town in towns().await {
        let ada = town.person("ada").await;
        let edit = EditProfile {
            display_name: Some(" Ada\nL. ".into()),
            bio: Some("I count.".into()),
            ..Default::default()
        };
        let view = town.feed.edit_profile(&ada, edit, IfMatch::Any, None).await.unwrap();
        assert_eq!((&*view.person.display_name, &*view.bio), ("Ada L.", "I count."));
        let by_handle = town.feed.profile_by_handle(None, "ADA").await.unwrap();
        assert_eq!(by_handle.person.id, ada.user);
        let edit = EditProfile {
            display_name: Some("x".repeat(61)),
            bio: Some("x".repeat(501)),
            ..Default::default()
        };
        match town.feed.edit_profile(&ada, edit, IfMatch::Any, None).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults.len(), 2),
            other => panic!("{other:?}"),
        }
        let no_picture: EditProfile =
            serde_json::from_str(r#"{"avatar": "media_01h2xcejqtf2nbrexx3vqjhp41"}"#).unwrap();
        let refused = town.feed.edit_profile(&ada, no_picture, IfMatch::Any, None).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_weights_are_tried_without_changing_explore() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        let (liked, talked) = (town.post(&ada, "one").await.id, town.post(&ada, "two").await.id);
        for fan in [&ada, &bob] {
            town.feed.like(fan.user, liked, None).await.unwrap();
        }
        town.comment(&bob, talked, "hm").await;
        let weights = Weights { like: 0.5, comment: 9.0, ..Weights::default() };
        let run = town.feed.dry_run(weights).await.unwrap();
        let ranks: Vec<_> =
            run.items.iter().map(|item| (item.post.id, item.old_rank, item.new_rank)).collect();
        assert_eq!(ranks, [(talked, 2, 1), (liked, 1, 2)]);
        let explore = town.feed.explore(None, 20, None).await.unwrap().view();
        assert_eq!(explore.items[0].id, liked);
        let nothing = Weights { like: 0.0, comment: 0.0, view: 0.0, decay_per_hour: 0.1 };
        assert!(matches!(town.feed.dry_run(nothing).await, Err(Error::Invalid(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_core_says_of_accounts_is_taken_over_and_an_older_word_is_ignored() {
    for town in towns().await {
        let user = UserId::from_bits(77);
        town.write(move |tx| {
            Box::pin(async move {
                let created = AccountCreatedV1 { user, handle: "newcomer".into() };
                profiles::account_created(tx, &created).await?;
                profiles::account_created(tx, &created).await
            })
        })
        .await;
        assert!(town.feed.profile(None, user).await.is_ok(), "met before they ever acted");
        for (suspended, version, gone) in [(true, 3, true), (false, 2, true), (false, 4, false)] {
            town.write(move |tx| {
                let person_version = 0;
                let fact = AccountSuspensionChangedV1 { user, suspended, version, person_version };
                Box::pin(async move { profiles::account_suspension(tx, &fact).await })
            })
            .await;
            assert_eq!(town.feed.profile(None, user).await.is_err(), gone, "version {version}");
        }
        for (suspended, version, gone) in [(true, 4, false), (true, 3, false), (true, 5, true)] {
            town.write(move |tx| {
                let (handle, role) = ("newcomer".to_owned(), "user".to_owned());
                let person_version = 0;
                let fact =
                    AccountStateV1 { user, handle, role, suspended, version, person_version };
                Box::pin(async move { profiles::account_state(tx, &fact).await })
            })
            .await;
            assert_eq!(town.feed.profile(None, user).await.is_err(), gone, "state {version}");
        }
    }
}
