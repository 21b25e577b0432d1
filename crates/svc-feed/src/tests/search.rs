//! People and tags are found.

use super::*;

impl Town {
    async fn found(&self, viewer: Option<UserId>, query: &str) -> Vec<String> {
        let page = self.feed.search_people(viewer, query, 100, None).await.unwrap();
        page.items.into_iter().map(|person| person.handle).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_the_beginnings_of_all_words_the_exact_handle_first() {
    for town in towns().await {
        let (ada, adam, eve) =
            (town.person("ada").await, town.person("adam").await, town.person("eve").await);
        let named = crate::service::EditProfile {
            display_name: Some("Ádám Lovelace".into()),
            ..Default::default()
        };
        town.feed.edit_profile(&eve, named, IfMatch::Any, None).await.unwrap();
        town.tie(&ada, &eve, Tie::Follow, true).await.unwrap();
        town.tie(&ada, &adam, Tie::Follow, true).await.unwrap();
        town.tie(&eve, &adam, Tie::Follow, true).await.unwrap();
        assert_eq!(town.found(None, "ada").await, ["ada", "adam", "eve"]);
        assert_eq!(town.found(None, "@ADA").await, ["ada", "adam", "eve"]);
        assert_eq!(town.found(None, "lovel adam").await, ["eve"]);
        assert_eq!(town.found(None, "adam nobody").await, [""; 0]);
        town.tie(&adam, &eve, Tie::Block, true).await.unwrap();
        assert_eq!(town.found(Some(eve.user), "ada").await, ["ada", "eve"]);
        // Page by page the same.
        let (mut paged, mut cursor) = (Vec::new(), None);
        loop {
            let page = town.feed.search_people(None, "ada", 1, cursor.as_deref()).await.unwrap();
            paged.extend(page.items.into_iter().map(|person| person.handle));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(paged, ["ada", "adam", "eve"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_found_by_their_beginning_the_most_used_first() {
    for town in towns().await {
        let ada = town.person("ada").await;
        for caption in ["#berlin", "#Berlin #bern", "#bern #berlin", "#rome"] {
            town.post(&ada, caption).await;
        }
        let page = town.feed.search_hashtags("#BER", 1, None).await.unwrap();
        assert_eq!((&*page.items[0].tag, page.items[0].post_count), ("berlin", 3));
        let next = page.next_cursor.as_deref();
        let page = town.feed.search_hashtags("#BER", 1, next).await.unwrap();
        assert_eq!((&*page.items[0].tag, page.next_cursor), ("bern", None));
        for query in ["", "  ", &"x".repeat(101)] {
            let refused = town.feed.search_hashtags(query, 1, None).await;
            assert!(matches!(refused, Err(Error::Invalid(_))));
        }
    }
}
