//! `mainstay demo`.

mod bar;

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context as _;
use mainstay_core::{
    config::{Config, Flag, Sources},
    data_dir::DataDir,
    ids,
    telemetry::{Logs, Metrics},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use svc_feed::demo::{self, SIGN_INS};
use tempfile::TempDir;

use self::bar::Bar;
use super::serve::{self, Running, Signals};
use crate::{
    exit::{Exit, Misuse, Refusal},
    output, services,
};

/// Start on a temporary folder that is filled with people, posts and a competition that goes on, to look around in.
///
/// It prints its address and how to sign in. Neither a configuration file nor the environment is read. The folder goes
/// when the program ends; with --data it stays, and a demo that is in it already is shown again.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// Says that a folder holds a complete demo, and how much.
const MARK: &str = "demo.json";

pub(super) async fn run(args: Args, json: bool) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let place = Place::choose(args.data)?;
    let config = config(place.path(), args.listen)?;
    let metrics = Metrics::new();
    let logs = Logs::install(&config.core().log.log(), &metrics)?;
    let ended = show(&config, &metrics, &logs, signals, (&place, args.size), json).await;
    logs.flush(serve::LOG_FLUSH_MAX);
    place.leave()?;
    ended.map(|()| Exit::Done)
}

async fn show(
    config: &Config,
    metrics: &Metrics,
    logs: &Logs,
    signals: Signals,
    (place, size): (&Place, Size),
    json: bool,
) -> anyhow::Result<()> {
    let data_dir = DataDir::open(place.path())?;
    // Taken before the filling, so that a port that is taken is said at once.
    let listener = serve::listen(config).await?;
    let password = password();
    let size = match place.held {
        Some(held) => held,
        None => {
            let bar = Bar::new();
            let (Size { people, posts }, stop) = (size, signals.shutdown.begun());
            let wanted = (demo::Size { people, posts }, password.as_str());
            let filled =
                services::fill_demo(config, &data_dir, wanted, &|at| bar.show(at), stop).await;
            bar.end();
            if !filled.context("fill the demo")? {
                return Ok(());
            }
            place.mark(size)?;
            size
        }
    };
    let house = services::open_demo(config, &data_dir, metrics).await?;
    if place.held.is_some() {
        // Passwords are kept hashed, so those of the first time cannot be said again.
        house.renew_passwords(SIGN_INS.iter().map(|(handle, _)| *handle), &password).await?;
    }
    let running = Running { config, logs, signals, data_dir: &data_dir, house };
    running.serve(listener, |address| say(address, place, size, &password, json)).await
}

fn say(address: &str, place: &Place, size: Size, password: &str, json: bool) -> anyhow::Result<()> {
    let folder = place.path().display();
    if json {
        let sign_ins = SIGN_INS.map(|(handle, role)| json!({ "handle": handle, "role": role }));
        let ready = json!({
            "ready": address,
            "sign_ins": sign_ins,
            "password": password,
            "people": size.people,
            "posts": size.posts,
            "data": place.path(),
        });
        return output::line(&ready.to_string());
    }
    let fate = if place.temporary.is_some() { "goes with the program" } else { "stays" };
    let Size { people, posts } = size;
    output::line(&format!(
        "mainstay is ready at {address}

  Sign in as  demo       to look around
              moderator  to see what was reported
              admin      to see everything else
              treasurer  to approve prizes, which takes a second administrator
  Password    {password}

{people} people, {posts} posts, and a competition whose players walk on: /competitions. The data is in {folder} and {fate}. Ctrl-C ends the demo."
    ))
}

/// Where the data is.
struct Place {
    path: PathBuf,
    temporary: Option<TempDir>,
    /// The demo that is there already.
    held: Option<Size>,
}

impl Place {
    fn choose(data: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = data else {
            let made = tempfile::Builder::new().prefix("mainstay-demo-").tempdir();
            let folder = made.context("make a temporary folder")?;
            let path = folder.path().to_owned();
            return Ok(Self { path, temporary: Some(folder), held: None });
        };
        let held = match fs::read(path.join(MARK)) {
            Ok(mark) => Some(serde_json::from_slice(&mark).context("read what demo it is")?),
            Err(_) if is_empty(&path) => None,
            Err(_) => {
                return Err(Refusal(format!(
                    "put the demo into `{}`, which holds something else or a demo that was interrupted; \
                     choose another folder with --data, or remove this one",
                    path.display()
                ))
                .into());
            }
        };
        Ok(Self { path, temporary: None, held })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn mark(&self, size: Size) -> anyhow::Result<()> {
        let mark = serde_json::to_vec(&size).context("write what demo it is")?;
        fs::write(self.path.join(MARK), mark).context("write what demo it is")
    }

    /// Removes a temporary folder.
    fn leave(self) -> anyhow::Result<()> {
        let Some(folder) = self.temporary else { return Ok(()) };
        folder.close().with_context(|| {
            format!("remove the temporary folder `{}`; remove it by hand", self.path.display())
        })
    }
}

/// Whether nothing is there; a folder that does not exist is empty too.
fn is_empty(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The built-in configuration with what the command line says.
fn config(data: &Path, listen: String) -> anyhow::Result<Config> {
    let dir = data.to_str().ok_or_else(|| {
        Misuse(format!("take `{}` for --data; its name is no UTF-8", data.display()))
    })?;
    let flag = |name: &str, key: &str, value: String| Flag {
        name: name.to_owned(),
        key: key.to_owned(),
        value,
    };
    let flags = vec![
        flag("--data", "data.dir", dir.to_owned()),
        flag("--listen", "http.listen", listen),
        // What the demo prints is not to drown in its log.
        flag("mainstay demo", "log.level", "warn".to_owned()),
        // The board of the creators, from the likes that the demo's people give.
        flag("mainstay demo", "boards.creators", "true".to_owned()),
    ];
    let sources = Sources { flags, ..Sources::default() };
    Ok(Config::load(services::sections(), sources)?)
}

/// A new password: 80 random bits, in groups that can be typed.
fn password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; 16];
    ids::fill_random(&mut random);
    let letters = random.iter().map(|byte| LETTERS.get(usize::from(byte % 32)).copied());
    let mut password = String::with_capacity(19);
    for (at, letter) in letters.flatten().enumerate() {
        if at > 0 && at % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(letter));
    }
    password
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
