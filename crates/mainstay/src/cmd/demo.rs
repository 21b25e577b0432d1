//! `mainstay demo`.

use std::{path::PathBuf, str::FromStr};

use crate::exit::Exit;

/// Start on a temporary folder that is filled with people, follows and posts, to look around in.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mainstay demo
  mainstay demo --size people=100000,posts=1000000 --data ./big")]
pub(super) struct Args {
    /// How much there is.
    #[arg(long, value_name = "people=N,posts=N", default_value = "people=40,posts=160")]
    size: Size,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Keep the data in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How much a demo has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) people: u32,
    pub(crate) posts: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut size = Self { people: 40, posts: 160 };
        for part in text.split(',') {
            let (name, number) =
                part.split_once('=').ok_or("write it as people=N,posts=N".to_owned())?;
            let number = number
                .replace('_', "")
                .parse()
                .map_err(|error| format!("`{number}` is no number: {error}"))?;
            match name.trim() {
                "people" if (2..=1_000_000).contains(&number) => size.people = number,
                "posts" if number <= 10_000_000 => size.posts = number,
                "people" => return Err("there can be 2 to 1 000 000 people".to_owned()),
                "posts" => return Err("there can be at most 10 000 000 posts".to_owned()),
                other => return Err(format!("`{other}` is neither people nor posts")),
            }
        }
        Ok(size)
    }
}

pub(super) async fn run(args: Args, json: bool) -> anyhow::Result<Exit> {
    {
        drop((args.size, args.listen, args.data, json));
        anyhow::bail!("start the demo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_names_people_and_posts_in_any_order() {
        assert_eq!("posts=5,people=1_000".parse(), Ok(Size { people: 1000, posts: 5 }));
        assert_eq!("people=7".parse(), Ok(Size { people: 7, posts: 160 }));
        for wrong in ["people", "people=x", "people=1", "likes=3", "people=-4", ""] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
