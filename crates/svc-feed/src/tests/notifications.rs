//! Who is told of what, in which lines.

use super::*;
use crate::{
    service::NotificationsPage,
    view::{NotificationKind, NotificationView},
};

impl Town {
    async fn told(&self, person: &Caller) -> NotificationsPage {
        self.take_facts().await;
        self.feed.notifications(person.user, 100, None).await.unwrap()
    }

    async fn kinds(&self, person: &Caller) -> Vec<NotificationKind> {
        self.told(person).await.items.iter().map(|line| line.kind).collect()
    }

    async fn only(&self, person: &Caller) -> NotificationView {
        let mut told = self.told(person).await;
        assert_eq!(told.items.len(), 1, "{told:?}");
        told.items.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn likes_of_one_post_are_one_line_that_goes_with_the_last_of_them() {
    for town in towns().await {
        let ada = town.person("ada").await;
        let post = town.post(&ada, "a post").await.id;
        let mut fans = Vec::new();
        for handle in ["bob", "cem", "dee", "eve"] {
            let fan = town.person(handle).await;
            town.clock.advance_s(1);
            town.feed.like(fan.user, post, None).await.unwrap();
            fans.push(fan);
            town.take_facts().await;
        }
        town.feed.like(ada.user, post, None).await.unwrap();
        let line = town.only(&ada).await;
        assert_eq!((line.kind, line.actor_count, line.read), (NotificationKind::Like, 4, false));
        let actors: Vec<&str> = line.actors.iter().map(|actor| actor.handle.as_str()).collect();
        assert_eq!(actors, ["eve", "dee", "cem"]);
        assert_eq!(line.post.unwrap().excerpt, "a post");
        town.feed.unlike(fans[3].user, post, None).await.unwrap();
        assert_eq!(town.only(&ada).await.actor_count, 3);
        for fan in &fans {
            town.feed.unlike(fan.user, post, None).await.unwrap();
        }
        assert_eq!(town.told(&ada).await.items, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_unread_again_with_new_activity() {
    for town in towns().await {
        let (ada, bob, eve) =
            (town.person("ada").await, town.person("bob").await, town.person("eve").await);
        let (one, two) = (town.post(&ada, "one").await.id, town.post(&ada, "two").await.id);
        town.feed.like(bob.user, one, None).await.unwrap();
        town.take_facts().await;
        town.clock.advance_s(1);
        town.feed.like(bob.user, two, None).await.unwrap();
        let told = town.told(&ada).await;
        assert_eq!((told.items.len(), told.unread_count), (2, 2));
        let older = &told.items[1].id;
        let unread = town.feed.read_notifications(ada.user, older, None).await.unwrap();
        assert_eq!(unread.unread_count, 1);
        let newest = &told.items[0].id;
        let unread = town.feed.read_notifications(ada.user, newest, None).await.unwrap();
        assert_eq!(unread.unread_count, 0);
        let stranger = town.feed.read_notifications(bob.user, newest, None).await;
        assert!(matches!(stranger, Err(Error::Invalid(_))), "ids are bound to their person");
        let again = town.feed.read_notifications(ada.user, older, None).await.unwrap();
        assert_eq!(again.unread_count, 0, "an older mark takes nothing back");
        // At the same instant, or by a clock that is behind.
        town.feed.like(eve.user, one, None).await.unwrap();
        let told = town.told(&ada).await;
        assert_eq!(told.unread_count, 1);
        assert_eq!(told.items[0].post.as_ref().unwrap().id, one);
        assert!(!told.items[0].read && told.items[1].read);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_answers_and_mentions_reach_whom_they_concern_and_go_with_the_comment() {
    for town in towns().await {
        let (ada, bob, eve) =
            (town.person("ada").await, town.person("bob").await, town.person("eve").await);
        let post = town.post(&ada, "hi @eve and @ada").await.id;
        assert_eq!(town.kinds(&eve).await, [NotificationKind::Mention]);
        assert_eq!(town.kinds(&ada).await, [], "nobody is told of what they did themselves");
        let first = town.comment(&bob, post, "look @eve").await;
        assert_eq!(town.kinds(&ada).await, [NotificationKind::Comment]);
        assert_eq!(town.kinds(&eve).await.len(), 2);
        let answer = NewComment { text: "@bob yes".into(), reply_to: Some(first.id) };
        let answer = town.feed.comment(&eve, post, answer, None).await.unwrap();
        assert_eq!(town.kinds(&bob).await, [NotificationKind::Reply]);
        town.feed.set_comment_like(ada.user, first.id, true, None).await.unwrap();
        assert_eq!(town.kinds(&bob).await.len(), 2);
        let line = town.only(&ada).await;
        assert_eq!((line.actor_count, line.comment_id), (2, Some(answer.id)));
        town.feed.delete_comment(eve.user, answer.id, IfMatch::Any, None).await.unwrap();
        assert_eq!(town.kinds(&bob).await, [NotificationKind::CommentLike]);
        let line = town.only(&ada).await;
        assert_eq!((line.actor_count, line.comment_id), (1, Some(first.id)));
        town.feed.delete_post(ada.user, post, IfMatch::Any, None).await.unwrap();
        for person in [&ada, &bob, &eve] {
            let told = town.told(person).await;
            assert_eq!((told.items.len(), told.unread_count), (0, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_tells_only_those_who_were_not_mentioned_before() {
    for town in towns().await {
        let (ada, bob, eve) =
            (town.person("ada").await, town.person("bob").await, town.person("eve").await);
        let post = town.post(&ada, "with @bob").await.id;
        let told = town.only(&bob).await;
        town.feed.read_notifications(bob.user, &told.id, None).await.unwrap();
        let edit = crate::service::EditPost {
            caption: Some("with @bob and @eve".into()),
            ..Default::default()
        };
        town.feed.edit_post(ada.user, post, edit, IfMatch::Any, None).await.unwrap();
        assert_eq!(town.kinds(&eve).await, [NotificationKind::Mention]);
        assert!(town.only(&bob).await.read);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_those_they_mute_or_block_or_of_what_they_may_not_see() {
    for town in towns().await {
        let (ada, bob, eve) =
            (town.person("ada").await, town.person("bob").await, town.person("eve").await);
        let post = town.post(&ada, "a post").await.id;
        town.feed.like(bob.user, post, None).await.unwrap();
        town.take_facts().await;
        town.tie(&ada, &eve, Tie::Mute, true).await.unwrap();
        town.feed.like(eve.user, post, None).await.unwrap();
        assert_eq!(town.only(&ada).await.actor_count, 1);
        town.tie(&ada, &bob, Tie::Block, true).await.unwrap();
        let told = town.told(&ada).await;
        let left = (told.items.len(), told.unread_count);
        assert_eq!(left, (0, 0), "a block takes the blocked out of the lines");
        town.tie(&ada, &eve, Tie::Mute, false).await.unwrap();
        town.clock.advance_s(1);
        town.feed.like(town.person("cem").await.user, post, None).await.unwrap();
        let line = town.only(&ada).await;
        let actors: Vec<&str> = line.actors.iter().map(|actor| actor.handle.as_str()).collect();
        assert_eq!(
            (line.actor_count, actors),
            (2, vec!["cem", "eve"]),
            "an end of muting is an end"
        );
        let fay = town.person("fay").await;
        let other = town.post(&ada, "another").await.id;
        town.feed.like(fay.user, other, None).await.unwrap();
        assert_eq!(town.told(&ada).await.unread_count, 2);
        town.tie(&ada, &fay, Tie::Mute, true).await.unwrap();
        let told = town.told(&ada).await;
        assert_eq!((told.items.len(), told.unread_count), (1, 1), "nobody is left in that line");
        town.make_private(&ada).await;
        town.post(&ada, "only for followers @eve").await;
        assert_eq!(town.kinds(&eve).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_becomes_news_for_the_one_who_asked() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        town.tie(&ada, &bob, Tie::Follow, true).await.unwrap();
        assert_eq!(town.kinds(&bob).await, [NotificationKind::Follow]);
        town.make_private(&ada).await;
        town.tie(&bob, &ada, Tie::Follow, true).await.unwrap();
        assert_eq!(town.kinds(&ada).await, [NotificationKind::FollowRequest]);
        town.feed.answer_request(ada.user, bob.user, true, None).await.unwrap();
        assert_eq!(town.kinds(&ada).await, []);
        let kinds = town.kinds(&bob).await;
        assert!(kinds.contains(&NotificationKind::FollowAccepted) && kinds.len() == 2, "{kinds:?}");
        town.tie(&ada, &bob, Tie::Follow, false).await.unwrap();
        assert_eq!(town.kinds(&bob).await, [NotificationKind::FollowAccepted]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_without_activity_for_ninety_days_end() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        town.tie(&bob, &ada, Tie::Follow, true).await.unwrap();
        assert_eq!(town.told(&ada).await.items.len(), 1);
        town.clock.advance_s(crate::model::NOTIFICATION_LIFE_S);
        town.feed.trim_notifications().await.unwrap();
        let kept = town.feed.notifications(ada.user, 20, None).await.unwrap();
        assert_eq!(kept.items.len(), 1);
        town.clock.advance_s(1);
        town.feed.trim_notifications().await.unwrap();
        let kept = town.feed.notifications(ada.user, 20, None).await.unwrap();
        assert_eq!((kept.items.len(), kept.unread_count), (0, 0));
    }
}
