//! Made-up people, posts and pictures, with the difficult ones: long names, right-to-left text, emoji, a 1 : 5 picture.

use std::{error::Error, fs, path::Path};

use image::{DynamicImage, GenericImageView, imageops::FilterType};
use mainstay_contract::{
    feed::VisibilityV1,
    id::{CommentId, MediaId, PostId, UserId},
    ts::Ts,
};
use svc_feed::{
    pages::{comments::CommentNode, people::PersonLine},
    view::{
        CommentView, MediaKind, MediaView, MentionView, PersonView, PostState, PostView,
        RelationView, VariantView,
    },
};

/// The time of all previews.
pub(crate) const NOW: Ts = Ts::from_micros(1_795_232_475_000_000);

/// Everything that the pages are filled with.
pub(crate) struct Fixtures {
    pub(crate) pictures: Vec<MediaView>,
    pub(crate) tall: MediaView,
    pub(crate) people: Vec<PersonView>,
    pub(crate) posts: Vec<PostView>,
}

const ALTS: [&str; 14] = [
    "Acanthus in bloom",
    "The wing of an airplane over clouds",
    "Pink alliums close up",
    "An astronaut in an orange suit",
    "A dark canyon with a river at its bottom",
    "A tabby cat looks past the camera",
    "A cup of coffee on a wooden table",
    "A farm house half buried in dust",
    "Snowy mountains above a green valley",
    "Thousands of galaxies on black",
    "A cat walking, in a series of photographs",
    "A meadow in March",
    "Boats at a pier in Nagasaki",
    "",
];

impl Fixtures {
    /// Reads the pictures and copies them, and narrower copies, to `out`; what is no picture is left out.
    pub(crate) fn load(photos: &Path, out: &Path) -> Result<Self, Box<dyn Error>> {
        let mut files: Vec<_> = fs::read_dir(photos)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(std::fs::DirEntry::file_name);
        let mut pictures = Vec::new();
        let mut last = None;
        for file in files {
            let Ok(picture) = image::open(file.path()) else { continue };
            let number = pictures.len();
            let alt = ALTS.get(number).copied().unwrap_or_default();
            pictures.push(picture_view(&picture, number, alt, out)?);
            last = Some(picture);
        }
        let tall =
            last.ok_or("no picture in the folder")?.resize_exact(240, 1_200, FilterType::Triangle);
        let tall = picture_view(&tall, 90, "A picture five times as high as wide", out)?;
        let people = people(&pictures);
        let posts = posts(&people, &pictures, &tall);
        Ok(Self { pictures, tall, people, posts })
    }

    /// A few people with the reader's relation to them.
    pub(crate) fn lines(&self) -> Vec<PersonLine> {
        let relations = [
            RelationView { following: true, followed_by: true, ..RelationView::default() },
            RelationView { followed_by: true, ..RelationView::default() },
            RelationView { requested: true, ..RelationView::default() },
            RelationView::default(),
            RelationView { following: true, ..RelationView::default() },
        ];
        let bios = [
            "Pictures of mountains, mostly.",
            "",
            "Asks before you follow.",
            "مصوّر من القاهرة",
            "Boats.",
        ];
        let rest = relations.iter().zip(bios).enumerate();
        self.people
            .iter()
            .skip(1)
            .zip(rest)
            .map(|(person, (at, (relation, bio)))| PersonLine {
                person: person.clone(),
                bio: bio.to_owned(),
                private: at == 2,
                relation: Some(*relation),
            })
            .collect()
    }

    /// A tree of comments under `post`.
    pub(crate) fn tree(&self, post: &PostView) -> Vec<CommentNode> {
        let leaf = |at: usize, text: &str, minutes: i64| CommentNode {
            comment: self.comment(post, at, text, minutes),
            replies: Vec::new(),
            more_href: None,
        };
        let mut first = leaf(
            1,
            "What a morning. Which lens did you use? In #march I saw nothing but fog.",
            190,
        );
        let mut answer =
            leaf(0, "@mira_k a very old 50 mm. The fog came back ten minutes later 😄", 180);
        let mut third = leaf(4, "Then you were lucky twice.", 120);
        third.replies.push(leaf(5, "Thrice! The bus was on time.", 60));
        answer.replies.push(third);
        first.replies.push(answer);
        first.more_href = Some(format!("/posts/{}?thread={}", post.id, first.comment.id));
        first.comment.reply_count = 14;
        let long =
            "Supercalifragilisticexpialidociousandthensomemorewithoutanyspacetobreakat ".repeat(2);
        vec![first, leaf(3, "صورة جميلة جدًا، شكرًا على المشاركة", 70), leaf(2, &long, 12)]
    }

    fn comment(&self, post: &PostView, at: usize, text: &str, minutes: i64) -> CommentView {
        let author = self.people[at % self.people.len()].clone();
        CommentView {
            id: CommentId::from_bits(0x0188_0000_0000_7000_8000_0000_0000_0000 + minutes as u128),
            post_id: post.id,
            author,
            text: text.to_owned(),
            reply_to: None,
            mentions: self.mentions(),
            reply_count: 0,
            like_count: minutes % 9,
            liked_by_me: minutes % 9 > 0 && minutes % 2 == 0,
            created_at: NOW.plus_s(-60 * minutes),
            edited_at: (minutes == 120).then_some(NOW),
            version: 1,
        }
    }

    /// The people who can be mentioned.
    pub(crate) fn mentions(&self) -> Vec<MentionView> {
        self.people
            .iter()
            .map(|who| MentionView { id: who.id, handle: who.handle.clone() })
            .collect()
    }
}

fn picture_view(
    picture: &DynamicImage,
    number: usize,
    alt: &str,
    out: &Path,
) -> Result<MediaView, Box<dyn Error>> {
    let (width, height) = picture.dimensions();
    let small = picture.resize_exact(32, 32, FilterType::Triangle).to_rgba8();
    let mut variants = Vec::new();
    for side in svc_feed::media::VARIANT_WIDTHS {
        if side >= width {
            break;
        }
        let copy = picture.resize(side, u32::MAX, FilterType::Triangle);
        copy.to_rgb8().save(out.join(format!("{number}-{side}.jpg")))?;
        variants.push(VariantView {
            width: side,
            height: copy.height(),
            url: format!("/photos/{number}-{side}.jpg"),
        });
    }
    let full = picture.resize(width.min(2_000), u32::MAX, FilterType::Triangle);
    full.to_rgb8().save(out.join(format!("{number}.jpg")))?;
    Ok(MediaView {
        id: MediaId::from_bits(number as u128 + 1),
        kind: MediaKind::Image,
        alt: alt.to_owned(),
        width,
        height,
        blurhash: blurhash::encode(4, 3, 32, 32, small.as_raw())?,
        content_type: "image/jpeg".to_owned(),
        size_bytes: 481_000,
        url: format!("/photos/{number}.jpg"),
        variants,
    })
}

fn people(pictures: &[MediaView]) -> Vec<PersonView> {
    let names = [
        ("ines_m", "Inés Martín", Some(2)),
        ("mira_k", "Mira Kowalczyk", Some(5)),
        (
            "the_longest_handle_of_all",
            "Wolfeschlegelsteinhausenbergerdorff the Elder of Somewhere Far",
            None,
        ),
        ("cairo_light", "نور القاهرة", Some(12)),
        ("j", "J", None),
        ("bo_at_sea", "Bo at sea 🌊⛵", Some(1)),
    ];
    let make = |(at, (handle, name, face)): (usize, &(&str, &str, Option<usize>))| PersonView {
        id: UserId::from_bits(0x0190_0000_0000_7000_8000_0000_0000_0000 + at as u128),
        handle: (*handle).to_owned(),
        display_name: (*name).to_owned(),
        avatar: face.and_then(|face| pictures.get(face)).cloned(),
    };
    names.iter().enumerate().map(make).collect()
}

fn posts(people: &[PersonView], pictures: &[MediaView], tall: &MediaView) -> Vec<PostView> {
    let pick = |which: &[usize]| {
        which.iter().filter_map(|&at| pictures.get(at)).cloned().collect::<Vec<_>>()
    };
    let film = MediaView {
        kind: MediaKind::Video,
        width: 0,
        height: 0,
        blurhash: String::new(),
        content_type: "video/mp4".into(),
        alt: "Waves against the pier".into(),
        url: "/photos/none.mp4".into(),
        variants: Vec::new(),
        ..tall.clone()
    };
    let long = "A long walk, told at length. ".repeat(30);
    let made: [(usize, &str, Vec<MediaView>, i64); 10] = [
        (1, "First light over the valley. Worth getting up for. #alps #morning", pick(&[8]), 4),
        (
            0,
            "Two from the garden, with thanks to @mira_k for the names. \
             https://plants.example/journal/2026/november/alliums-and-acanthus",
            pick(&[2, 0]),
            42,
        ),
        (3, "ضوء الصباح على النيل، وصوت المدينة يستيقظ ببطء. #القاهرة", Vec::new(), 95),
        (5, "Three days at sea 🌊⛵ and not one of us is sick 🎉 #boats", pick(&[12, 1, 4]), 190),
        (2, &long, Vec::new(), 400),
        (4, "", pick(&[5, 6, 9, 11]), 1_500),
        (
            1,
            "Everything I brought home this month, in order. #month",
            pick(&[11, 8, 4, 1, 12, 7, 2]),
            3_000,
        ),
        (5, "As high as the mast.", vec![tall.clone()], 4_400),
        (0, "Sound on.", vec![film], 9_000),
        (3, "#نجوم", pick(&[9]), 90_000),
    ];
    made.into_iter()
        .enumerate()
        .map(|(at, (who, caption, media, minutes))| {
            post(at, people, &people[who], caption, media, NOW.plus_s(-60 * minutes))
        })
        .collect()
}

fn post(
    at: usize,
    people: &[PersonView],
    author: &PersonView,
    caption: &str,
    media: Vec<MediaView>,
    when: Ts,
) -> PostView {
    let likes = [41, 1_284, 0, 7, 23_410, 3, 96, 2, 12, 1];
    PostView {
        id: PostId::from_bits(0x0191_0000_0000_7000_8000_0000_0000_0000 + at as u128),
        author: author.clone(),
        caption: caption.to_owned(),
        media,
        hashtags: Vec::new(),
        mentions: people
            .iter()
            .map(|who| MentionView { id: who.id, handle: who.handle.clone() })
            .collect(),
        visibility: if at == 3 { VisibilityV1::Followers } else { VisibilityV1::Public },
        comments_enabled: at != 2,
        state: PostState::Published,
        like_count: likes.get(at).copied().unwrap_or(5),
        comment_count: (at as i64 * 7) % 19,
        view_count: 5_120 + at as i64,
        liked_by_me: at % 3 == 1,
        created_at: when,
        published_at: Some(when),
        edited_at: (at == 1).then_some(NOW),
        version: 1,
        explain: None,
    }
}
