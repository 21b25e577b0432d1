//! `mainstay board`.

use std::{fs, io::Read as _, path::PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{order::Program, settings::SettingFlags};
use crate::{
    exit::{Exit, Misuse, Refusal},
    output,
};

/// The most that is read of a file of settings or scores.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// The order that makes a board.
const PUT: &str = "board.put";
/// Boards of one answer.
const PAGE: usize = 50;
/// Scores of one order: with their answers they must fit into a line of the private socket.
const SCORES_AT_ONCE: usize = 1_000;

/// Make boards, submit scores and see who ranks where, whether the program runs or not.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:
  mainstay board create weekly --title \"Steps of the week\" --column steps --operator incr --reset \"0 0 * * 1\"
  mainstay board submit weekly ada 1200
  mainstay board top weekly")]
pub(super) enum Command {
    /// List boards by name.
    #[command(after_help = "Example:
  mainstay board list --json | jq -r '.items[].id'")]
    List {
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Show how a board is configured.
    #[command(after_help = "Example:
  mainstay board show weekly")]
    Show {
        /// Its name.
        board: String,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Make a board, or with --replace give one other settings.
    ///
    /// Scores that were submitted are kept; the board is built anew where the new settings make others of them. What is
    /// not said has its default, also where the board had something else.
    #[command(after_help = "Examples:
  mainstay board create weekly --title Steps --column steps --operator incr --reset \"0 0 * * 1\" --time-zone Asia/Kolkata
  mainstay board create lap-times --title Laps --column seconds:asc:3
  mainstay board create weekly --from weekly.json")]
    Create {
        /// Its name.
        board: String,
        /// A file with the settings as JSON, as `board show --json` prints them; `-` for standard input.
        #[arg(long = "from", value_name = "FILE", conflicts_with_all = ["title", "column", "operator", "ties", "reset", "time_zone", "players"])]
        settings_file: Option<PathBuf>,
        /// What people see.
        #[arg(long, required_unless_present = "settings_file")]
        title: Option<String>,
        /// A column: NAME, NAME:asc or NAME:desc, and with decimals NAME:desc:2. Up to five.
        #[arg(long, required_unless_present = "settings_file")]
        column: Vec<String>,
        /// What a new score does to the one before.
        #[arg(long, default_value = "best", value_parser = ["best", "set", "incr", "decr"])]
        operator: String,
        /// Who is first among equals: who got there first, or by name, or all of them.
        #[arg(long, default_value = "earliest", value_parser = ["earliest", "owner", "shared", "dense"])]
        ties: String,
        /// When it begins anew: minute, hour, day of the month, month, day of the week.
        #[arg(long)]
        reset: Option<String>,
        /// On whose clocks.
        #[arg(long, default_value = "UTC", requires = "reset")]
        time_zone: String,
        /// People submit their own scores.
        #[arg(long)]
        players: bool,
        /// Give a board that is there these settings instead of all of its own.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Delete a board with all that it holds.
    #[command(after_help = "Example:
  mainstay board delete weekly --yes")]
    Delete {
        /// Its name.
        board: String,
        /// Do it: it cannot be taken back.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Show who is first.
    #[command(after_help = "Example:
  mainstay board top weekly --limit 3 --window previous")]
    Top {
        /// Its name.
        board: String,
        /// How many.
        #[arg(long, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// `current`, `previous`, a period's number, or an instant in it.
        #[arg(long)]
        window: Option<String>,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Show how one owner stands.
    #[command(after_help = "Example:
  mainstay board rank weekly ada")]
    Rank {
        /// The board's name.
        board: String,
        /// Whose entry.
        owner: String,
        /// `current`, `previous`, a period's number, or an instant in it.
        #[arg(long)]
        window: Option<String>,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Submit a score, or many from a file.
    #[command(after_help = "Examples:
  mainstay board submit weekly ada 1200
  mainstay board submit lap-times ada 61.250
  mainstay board submit weekly --file scores.json")]
    Submit {
        /// The board's name.
        board: String,
        /// Whose.
        #[arg(required_unless_present = "file")]
        owner: Option<String>,
        /// One for each column.
        #[arg(required_unless_present = "file", allow_negative_numbers = true)]
        scores: Vec<String>,
        /// A file with a JSON list of objects with `owner` and `scores`; `-` for standard input.
        #[arg(long, conflicts_with_all = ["owner", "scores"])]
        file: Option<PathBuf>,
        #[command(flatten)]
        settings: SettingFlags,
    },
}

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    match command {
        Command::List { settings } => list(settings, json).await,
        Command::Show { board, settings } => {
            let board = ask(settings, "board.show", json!({ "board": board })).await?;
            show_board(&board, json)
        }
        Command::Create {
            board,
            settings_file,
            title,
            column,
            operator,
            ties,
            reset,
            time_zone,
            players,
            replace,
            settings,
        } => {
            let wanted = match settings_file {
                Some(file) => only_settings(read_json(&file)?),
                None => {
                    let columns: Result<Vec<Value>, Misuse> =
                        column.iter().map(|one| column_of(one)).collect();
                    let mut wanted = json!({
                        "title": title, "operator": operator, "ties": ties, "columns": columns?,
                        "authoritative": !players,
                    });
                    if let Some(cron) = reset {
                        wanted["reset"] = json!({ "cron": cron, "time_zone": time_zone });
                    }
                    wanted
                }
            };
            let order = json!({ "board": board, "settings": wanted, "replace": replace });
            let board = ask(settings, PUT, order).await?;
            show_board(&board, json)
        }
        Command::Delete { board, yes, settings } => {
            if !yes {
                let said = format!("delete `{board}` with all its scores; add --yes to do it");
                return Err(Misuse(said).into());
            }
            ask(settings, "board.delete", json!({ "board": board })).await?;
            if json {
                output::json(&json!({ "deleted": board }))?;
            } else {
                output::line(&format!("deleted {board}"))?;
            }
            Ok(Exit::Done)
        }
        Command::Top { board, limit, window, settings } => {
            let order = json!({ "board": board, "limit": limit, "window": window });
            let page = ask(settings, "board.top", order).await?;
            if json {
                output::json(&page)?;
                return Ok(Exit::Done);
            }
            for entry in page["items"].as_array().into_iter().flatten() {
                output::line(&line_of(entry))?;
            }
            let count = page["count"].as_u64().unwrap_or_default();
            output::line(&if count == 1 { "1 entry".into() } else { format!("{count} entries") })?;
            Ok(Exit::Done)
        }
        Command::Rank { board, owner, window, settings } => {
            let order = json!({ "board": board, "owner": owner, "window": window });
            let entry = ask(settings, "board.rank", order).await?;
            if json {
                output::json(&entry)?;
            } else {
                output::line(&format!("{}  of {}", line_of(&entry), entry["count"]))?;
            }
            Ok(Exit::Done)
        }
        Command::Submit { board, owner, scores, file, settings } => {
            let list = match (file, owner) {
                (Some(file), _) => match read_json(&file)? {
                    Value::Array(list) => list,
                    one => vec![one],
                },
                (None, owner) => vec![json!({ "owner": owner, "scores": scores })],
            };
            submit(settings, &board, list, json).await
        }
    }
}

async fn ask(settings: SettingFlags, order: &str, arguments: Value) -> anyhow::Result<Value> {
    let config = settings.load()?;
    let program = match order {
        PUT => Program::find_or_make(&config).await?,
        _ => Program::find(&config).await?,
    };
    let answer = program.order(order, arguments).await;
    program.close().await;
    answer
}

async fn list(settings: SettingFlags, json: bool) -> anyhow::Result<Exit> {
    let program = Program::find(&settings.load()?).await?;
    let (mut all, mut after) = (Vec::new(), String::new());
    let listed = loop {
        let order = json!({ "after": after, "limit": PAGE });
        let page = match program.order("board.list", order).await {
            Ok(page) => page,
            Err(error) => break Err(error),
        };
        all.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break Ok(()),
        }
    };
    program.close().await;
    listed?;
    if json {
        output::json(&json!({ "items": all }))?;
        return Ok(Exit::Done);
    }
    for board in &all {
        let text = |name: &str| board[name].as_str().unwrap_or_default().to_owned();
        output::line(&format!("{:24} {:6} {}", text("id"), text("operator"), text("title")))?;
    }
    if all.is_empty() {
        output::line("no boards yet; make one with `mainstay board create`")?;
    }
    Ok(Exit::Done)
}

async fn submit(
    settings: SettingFlags,
    board: &str,
    list: Vec<Value>,
    json: bool,
) -> anyhow::Result<Exit> {
    let program = Program::find(&settings.load()?).await?;
    let mut items = Vec::new();
    let mut failed = None;
    for some in list.chunks(SCORES_AT_ONCE) {
        match program.order("board.submit", json!({ "board": board, "scores": some })).await {
            Ok(answer) => items.extend(answer["items"].as_array().into_iter().flatten().cloned()),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    program.close().await;
    if let Some(error) = failed.take_if(|_| items.is_empty()) {
        return Err(error);
    }
    let refused = items.iter().filter(|item| item.get("refused").is_some()).count();
    if json {
        output::json(&json!({ "items": items }))?;
    } else if let [one] = &*items
        && let Some(entry) = one.get("entry")
    {
        output::line(&line_of(entry))?;
    } else {
        let taken = items.len() - refused;
        let scores = if taken == 1 { "score" } else { "scores" };
        output::line(&format!("{taken} {scores} taken, {refused} refused"))?;
    }
    if let Some(error) = failed {
        let taken = items.len() - refused;
        return Err(error.context(format!("submit all of them; {taken} were taken before")));
    }
    let first = items.iter().zip(0..).find_map(|(item, place)| {
        Some(format!("score {place}: {}", item.get("refused")?.as_str()?))
    });
    match first {
        None => Ok(Exit::Done),
        Some(first) => Err(Refusal(format!("take {refused} of the scores; {first}")).into()),
    }
}

fn show_board(board: &Value, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(board)?;
        return Ok(Exit::Done);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    output::line(&format!("{}  {}", text(&board["id"]), text(&board["title"])))?;
    for column in board["columns"].as_array().into_iter().flatten() {
        let scale = column["scale"].as_u64().unwrap_or_default();
        let decimals = if scale > 0 { format!(", {scale} decimals") } else { String::new() };
        let (name, direction) = (text(&column["name"]), text(&column["direction"]));
        output::line(&format!("  column    {name}, {direction}{decimals}"))?;
    }
    output::line(&format!("  operator  {}", text(&board["operator"])))?;
    output::line(&format!("  ties      {}", text(&board["ties"])))?;
    if let Some(reset) = board.get("reset") {
        output::line(&format!(
            "  reset     {} ({})",
            text(&reset["cron"]),
            text(&reset["time_zone"])
        ))?;
    }
    let period = &board["period"];
    let ends = period["ends_at"].as_str().map_or("open".to_owned(), |at| format!("ends {at}"));
    output::line(&format!("  period    {}, {ends}", period["number"]))?;
    Ok(Exit::Done)
}

/// `  1  1200  ada`.
fn line_of(entry: &Value) -> String {
    let scores = entry["scores"].as_array().into_iter().flatten();
    let scores: Vec<String> =
        scores.map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
    let owner = entry["owner"].as_str().unwrap_or_default();
    format!("{:>6}  {:>14}  {owner}", entry["rank"].to_string(), scores.join("  "))
}

/// `NAME`, `NAME:asc`, `NAME:desc:2`.
fn column_of(text: &str) -> Result<Value, Misuse> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let direction = parts.next().unwrap_or("desc");
    let scale: Option<u8> = parts.next().map_or(Some(0), |scale| scale.parse().ok());
    match (direction, scale, parts.next()) {
        ("asc" | "desc", Some(scale), None) => {
            Ok(json!({ "name": name, "direction": direction, "scale": scale }))
        }
        _ => Err(Misuse(format!(
            "understand the column `{text}`; write NAME, NAME:asc, or NAME:desc:2 for two decimals"
        ))),
    }
}

/// What of a shown board are its settings.
fn only_settings(mut board: Value) -> Value {
    if let Some(fields) = board.as_object_mut() {
        for shown in ["id", "competition_id", "period", "created_at", "updated_at", "version"] {
            fields.remove(shown);
        }
    }
    board
}

fn read_json(file: &PathBuf) -> anyhow::Result<Value> {
    let mut text = String::new();
    let from = match file.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => format!("`{}`", file.display()),
    };
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().take(FILE_BYTES_MAX + 1).read_to_string(&mut text),
        false => {
            let file = fs::File::open(file).with_context(|| format!("open {from}"))?;
            file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
        }
    };
    read.with_context(|| format!("read {from}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(
            Misuse(format!("take more than {FILE_BYTES_MAX} bytes of {from} at once")).into()
        );
    }
    serde_json::from_str(&text)
        .map_err(|error| Misuse(format!("read {from} as JSON: {error}")).into())
}
