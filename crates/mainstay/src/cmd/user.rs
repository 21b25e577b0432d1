//! `mainstay user`.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::Context as _;
use mainstay_core::auth::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{order::Program, settings::SettingFlags};
use crate::{
    exit::{Exit, Misuse},
    output,
    services::House,
};

/// The order that the running program takes.
pub(super) const CREATE: &str = "user.create";
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Make accounts.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:
  mainstay user create ada --email ada@example.org --role admin --password-stdin < password.txt")]
pub(super) enum Command {
    /// Make an account, whether the program runs or not.
    ///
    /// The password is the first line of standard input, so that it is in no list of processes and no history.
    #[command(after_help = "Example:
  mainstay user create ada --email ada@example.org --role admin --password-stdin < password.txt")]
    Create {
        /// The name that others see, such as ada.
        handle: String,
        /// The address that belongs to the account.
        #[arg(long)]
        email: String,
        /// What the account may do.
        #[arg(long, value_enum, default_value = "user")]
        role: RoleName,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleName {
    /// Use the services.
    User,
    /// Also hide, remove and suspend.
    Moderator,
    /// Everything.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::User => Self::User,
            RoleName::Moderator => Self::Moderator,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// An account to be made. It has no `Debug`, because it holds the password.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    pub(crate) handle: String,
    pub(crate) email: String,
    pub(crate) role: RoleName,
    pub(crate) password: String,
}

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    let Command::Create { handle, email, role, password_stdin, settings } = command;
    if !password_stdin {
        let said = "make the account without a password; add --password-stdin and give it on standard input";
        return Err(Misuse(said.to_owned()).into());
    }
    let config = settings.load()?;
    let user = NewUser { handle, email, role, password: read_password()? };
    let arguments = serde_json::to_value(&user).context("write the order")?;
    let program = Program::find(&config).await?;
    let made = program.order(CREATE, arguments).await;
    program.close().await;
    let made = made?;
    if json {
        output::json(&made)?;
    } else {
        let part = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default();
        output::line(&format!("made {} ({}), role {}", part("handle"), part("id"), part("role")))?;
    }
    Ok(Exit::Done)
}

/// Carries out [`CREATE`].
pub(super) async fn create(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let user: NewUser = serde_json::from_value(arguments).context("read the order")?;
    house.create_user(user).await
}

/// The first line of standard input.
fn read_password() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        output::error("Type the password and press Enter; it is shown while you type.");
    }
    let mut line = String::new();
    let mut bounded = io::BufReader::new(io::stdin().take(PASSWORD_BYTES_MAX + 1));
    io::BufRead::read_line(&mut bounded, &mut line)
        .context("read the password from standard input")?;
    if line.len() as u64 > PASSWORD_BYTES_MAX {
        let said = format!("take a password of more than {PASSWORD_BYTES_MAX} bytes");
        return Err(Misuse(said).into());
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let said = "find a password on standard input; its first line is empty";
        return Err(Misuse(said.to_owned()).into());
    }
    Ok(password.to_owned())
}
