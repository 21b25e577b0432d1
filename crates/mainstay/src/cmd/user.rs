//! `mainstay user`.

mod change;
mod create;
mod find;

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::Context as _;
use mainstay_core::auth::{AuthError, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::{
    change::{PASSWORD, ROLE, SUSPEND, set_password, set_role, set_suspended},
    create::{CREATE, create},
    find::{LIST, SHOW, list, show},
};
use super::{order::Program, settings::SettingFlags};
use crate::{
    exit::{Exit, Misuse, Refusal},
    output,
};

const PASSWORD_BYTES_MAX: u64 = 4096;

/// Make accounts, look them up and change them, whether the program runs or not.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:
  mainstay user create ada --email ada@example.org --role admin --password-stdin < password.txt
  mainstay user list --role admin
  mainstay user role bob moderator")]
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
    /// Show an account: its id, address, role, state, and when it was made.
    ///
    /// The state is active, suspended, or forgotten; who was forgotten has no address any more.
    #[command(after_help = "Example:
  mainstay user show ada --json | jq -r .email")]
    Show {
        /// Its handle.
        handle: String,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// List accounts in the order of their handles, without addresses.
    #[command(after_help = "Examples:
  mainstay user list --role admin
  mainstay user list --limit 500 --after grace")]
    List {
        /// Only those with this role.
        #[arg(long, value_enum)]
        role: Option<RoleName>,
        /// How many are listed at most.
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// Begin after this handle: the last one of the page before.
        #[arg(long, value_name = "HANDLE")]
        after: Option<String>,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Change what an account may do, from its next request on.
    ///
    /// The last administrator who is neither suspended nor forgotten keeps the role: make somebody else one first.
    #[command(after_help = "Example:
  mainstay user role bob moderator")]
    Role {
        /// Its handle.
        handle: String,
        /// What it may do from now on.
        #[arg(value_enum)]
        role: RoleName,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Give an account another password and end all its sign-ins, such as for somebody who forgot theirs.
    ///
    /// The password is the first line of standard input, so that it is in no list of processes and no history. API keys
    /// stay, and a suspension does. Wrong passwords that the running program has counted for the account are forgiven;
    /// other instances forget them within 15 minutes.
    #[command(after_help = "Example:
  mainstay user password ada --password-stdin < password.txt")]
    Password {
        /// Its handle.
        handle: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Shut somebody out: end all sign-ins of an account and refuse it until it is restored.
    ///
    /// Its API keys rest until then. Administrators can be suspended too, even the last one: a stolen account is shut
    /// out at once, and `user restore` or `user role` gives the server an administrator again.
    #[command(after_help = "Example:
  mainstay user suspend bob")]
    Suspend {
        /// Its handle.
        handle: String,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Lift a suspension, whoever decided it. The person signs in anew; API keys work again.
    #[command(after_help = "Example:
  mainstay user restore bob")]
    Restore {
        /// Its handle.
        handle: String,
        #[command(flatten)]
        settings: SettingFlags,
    },
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoleName {
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

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    match command {
        Command::Create { handle, email, role, password_stdin, settings } => {
            let password = given_password(password_stdin, "make the account")?;
            create::run(settings, create::NewUser { handle, email, role, password }, json).await
        }
        Command::Show { handle, settings } => find::run_show(settings, handle, json).await,
        Command::List { role, limit, after, settings } => {
            let page = find::Page { role, limit, after };
            find::run_list(settings, page, json).await
        }
        Command::Role { handle, role, settings } => {
            change::run_role(settings, change::NewRole { handle, role }, json).await
        }
        Command::Password { handle, password_stdin, settings } => {
            let password = given_password(password_stdin, "change the password")?;
            change::run_password(settings, change::NewPassword { handle, password }, json).await
        }
        Command::Suspend { handle, settings } => {
            let suspension = change::Suspension { handle, suspended: true };
            change::run_suspension(settings, suspension, json).await
        }
        Command::Restore { handle, settings } => {
            let suspension = change::Suspension { handle, suspended: false };
            change::run_suspension(settings, suspension, json).await
        }
    }
}

/// Has an order carried out and returns what there is to show.
async fn ask(
    settings: SettingFlags,
    order: &str,
    arguments: &impl Serialize,
) -> anyhow::Result<Value> {
    let config = settings.load()?;
    let arguments = serde_json::to_value(arguments).context("write the order")?;
    let program = match order {
        CREATE => Program::find_or_make(&config).await?,
        _ => Program::find(&config).await?,
    };
    let answer = program.order(order, arguments).await;
    program.close().await;
    answer
}

/// A text of an answer.
fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Why `doing` was not done, with each fault by its name.
fn failed(doing: &str, error: AuthError) -> anyhow::Error {
    match error {
        AuthError::Invalid(faults) | AuthError::Taken(faults) => {
            let said = faults.iter().map(|fault| {
                format!("{}: {}", fault.pointer.trim_start_matches('/'), fault.detail)
            });
            let said: Vec<String> = said.collect();
            Refusal(format!("{doing}: {}", said.join(" "))).into()
        }
        AuthError::Conflict(why) => Refusal(format!("{doing}: {why}")).into(),
        error => anyhow::Error::from(error).context(doing.to_owned()),
    }
}

/// The password on standard input, if it was said that it is there.
fn given_password(stdin: bool, doing: &str) -> anyhow::Result<String> {
    if stdin {
        return read_password();
    }
    let said =
        format!("{doing} without a password; add --password-stdin and give it on standard input");
    Err(Misuse(said).into())
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
