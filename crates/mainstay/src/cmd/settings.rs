//! The flags that set the configuration, for every command that has one.

use std::path::PathBuf;

use mainstay_core::config::{Config, Flag, Sources};

use crate::{exit::Misuse, services};

/// Flags of the configuration. They are stronger than the environment and the file.
#[derive(Debug, clap::Args)]
pub(super) struct SettingFlags {
    /// The configuration file [default: mainstay.toml in the working directory, if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder (data.dir).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Set any key, as in --set log.level=debug. Other people of this machine can see flags, so give no secrets here.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl SettingFlags {
    /// The configuration of this process.
    pub(super) fn load(self) -> anyhow::Result<Config> {
        self.load_with(Vec::new())
    }

    /// The same with the flags that one command has beside these.
    pub(super) fn load_with(self, own: Vec<Flag>) -> anyhow::Result<Config> {
        let mut flags = Vec::new();
        for (key, value) in self.set {
            flags.push(Flag { name: format!("--set {key}"), key, value });
        }
        if let Some(dir) = self.data {
            let value = dir.into_os_string().into_string().map_err(|dir| {
                Misuse(format!("take `{}` for --data; its name is no UTF-8", dir.display()))
            })?;
            flags.push(Flag { name: "--data".to_owned(), key: "data.dir".to_owned(), value });
        }
        flags.extend(own);
        let sources = Sources::of_process(self.config, flags);
        Ok(Config::load(services::sections(), sources)?)
    }
}

/// Flags of the commands that listen.
#[derive(Debug, clap::Args)]
pub(super) struct ServeFlags {
    #[command(flatten)]
    settings: SettingFlags,
    /// The address to listen on (http.listen); port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
}

impl ServeFlags {
    pub(super) fn load(self) -> anyhow::Result<Config> {
        let listen = self.listen.map(|value| Flag {
            name: "--listen".to_owned(),
            key: "http.listen".to_owned(),
            value,
        });
        self.settings.load_with(listen.into_iter().collect())
    }
}
