//! The photographs that ship with the program; `demo/README.md` says whose they are.

/// A picture, its name, and what it shows.
pub(super) struct Photo {
    pub(super) name: &'static str,
    pub(super) alt: &'static str,
    pub(super) bytes: &'static [u8],
}

macro_rules! photos {
    ($folder:literal: $($name:literal $alt:literal,)*) => {
        &[$(Photo {
            name: $name,
            alt: $alt,
            bytes: include_bytes!(concat!("../../demo/", $folder, "/", $name, ".jpg")),
        }),*]
    };
}

/// What is posted.
pub(super) static PHOTOS: &[Photo] = photos! { "photos":
    "acanthus-mollis" "A tall acanthus stem with spiny leaves against a plain ground",
    "acanthus-mollis-crown" "The spiny crown of an acanthus stem, close",
    "airplane-from-above" "A biplane with roundels on its wings, seen from above over clouds and fields",
    "airplane-from-above-roundel" "The roundel on a biplane's wing, ribs showing through the fabric",
    "allium-oreophilum" "An allium head with closed buds on a straight stem",
    "allium-oreophilum-buds" "Closed allium buds, close",
    "astronaut" "An astronaut in an orange suit beside a helmet, a flag and a model of a shuttle",
    "black-canyon" "A boat on the still water of a river between dark cliffs",
    "black-canyon-boat" "A small boat at a stony river bank",
    "chelsea" "The face of a ginger tabby cat",
    "coffee" "A cup of coffee on a red saucer with a spoon, on a wooden table",
    "dust-bowl-home" "A wooden house with an open door on a bare plain under clouds",
    "dust-bowl-home-house" "An abandoned wooden house with an open door",
    "french-alpine-landscape" "Dark pines before a long chain of snowy mountains",
    "french-alpine-landscape-summits" "Snowy summits above a wooded slope",
    "hubble-deep-field" "Hundreds of galaxies of many colours on black",
    "hubble-deep-field-close" "Galaxies on black, closer",
    "locomotion-house-cat" "Four rows of small photographs of a cat walking and running",
    "locomotion-house-cat-gallop" "Two rows of small photographs of a cat running",
    "march-pastoral" "Sheep and lambs in tall grass at the edge of a field",
    "march-pastoral-lamb" "A ewe and a lamb that drinks",
    "nagasaki-boats" "Wooden boats in a harbour before houses and hills",
    "nagasaki-boats-barge" "A covered barge in a harbour",
    "nagasaki-boats-mast" "A sailing boat with a tall mast before houses",
    "rocket" "A white rocket on its pad at night between four towers",
    "rocket-pad" "Floodlights around a rocket on its pad",
};

/// What people show beside their names.
pub(super) static AVATARS: &[Photo] = photos! { "avatars":
    "acanthus" "A plant", "allium" "Buds", "biplane" "A biplane", "canyon" "A cliff", "cat" "A cat",
    "cat-eye" "A cat's eye", "clouds" "Clouds", "cup" "A cup", "floodlights" "A floodlight",
    "galaxy" "A galaxy", "helmet" "A helmet", "house" "A house", "junk" "A boat", "lamb" "A lamb",
    "peak" "A peak", "pines" "Pines", "river" "A river", "rocket" "A rocket", "roundel" "A roundel",
    "running-cat" "A running cat", "sheep" "Sheep", "shuttle" "A shuttle", "spiral" "Galaxies",
    "spoon" "A spoon", "stars" "Galaxies", "stem" "A stem", "summit" "A summit", "thorn" "Thorns",
    "village" "A village",
};
