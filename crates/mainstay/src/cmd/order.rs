//! Orders: what a command asks of the program that owns the data folder, whether that is this process or another.

use std::path::PathBuf;

use mainstay_core::{
    config::Config,
    control::{self, Request, Response},
    data_dir::{DataDir, DataDirError},
    error::{Code, Problem},
    telemetry::Metrics,
};
use serde_json::Value;

use super::{audit, facts, signing_key, user};
use crate::{
    exit::Refusal,
    services::{self, House},
};

/// Whoever carries out a command's orders.
pub(super) enum Program {
    /// This process: no other uses the data folder, which is ours until the end.
    Own { house: House, _data_dir: DataDir },
    /// The program that runs on this data folder; its process, if it has written that down already.
    Running(PathBuf, Option<u32>),
}

impl Program {
    /// Opens the records, or finds the program that has them open.
    ///
    /// # Errors
    /// If there are none yet: whoever asks for what is kept in the wrong folder must not be told that it is gone.
    pub(super) async fn find(config: &Config) -> anyhow::Result<Self> {
        let folder = &config.core().data.dir;
        if config.core().db.is_in_data_folder() && !DataDir::is_one(folder) {
            anyhow::bail!(
                "find the data folder `{}`; name it with --data, or make one with `mainstay serve` or `mainstay user create`",
                folder.display()
            );
        }
        Self::find_or_make(config).await
    }

    /// The same, in a folder that may be new.
    pub(super) async fn find_or_make(config: &Config) -> anyhow::Result<Self> {
        let folder = config.core().data.dir.clone();
        match DataDir::open(&folder) {
            Ok(data_dir) => {
                let house = services::open(config, &data_dir, &Metrics::new(), None).await?;
                Ok(Self::Own { house, _data_dir: data_dir })
            }
            Err(DataDirError::InUse { pid, .. }) => Ok(Self::Running(folder, pid)),
            Err(error) => Err(error.into()),
        }
    }

    /// Has `order` carried out and returns what there is to show.
    pub(super) async fn order(&self, order: &str, arguments: Value) -> anyhow::Result<Value> {
        let request = Request { order: order.to_owned(), arguments };
        match self {
            Self::Own { house, .. } => carry_out(house, request).await,
            Self::Running(folder, pid) => match control::call(folder, &request).await? {
                Some(Response::Done(done)) => Ok(done),
                Some(Response::Refused(why)) => Err(Refusal(why).into()),
                None => {
                    let said = "reach the running program, which is starting or ending; try again";
                    let in_use = DataDirError::InUse { path: folder.clone(), pid: *pid };
                    Err(anyhow::Error::from(in_use).context(said))
                }
            },
        }
    }

    /// Closes the records if they are ours.
    pub(super) async fn close(self) {
        if let Self::Own { house, _data_dir } = self {
            house.close().await;
        }
    }
}

/// Carries out an order on the records that this process has open.
async fn carry_out(house: &House, request: Request) -> anyhow::Result<Value> {
    match request.order.as_str() {
        user::CREATE => user::create(house, request.arguments).await,
        user::SHOW => user::show(house, request.arguments).await,
        user::LIST => user::list(house, request.arguments).await,
        user::ROLE => user::set_role(house, request.arguments).await,
        user::PASSWORD => user::set_password(house, request.arguments).await,
        user::SUSPEND => user::set_suspended(house, request.arguments).await,
        signing_key::ROTATE => signing_key::rotate(house).await,
        audit::VERIFY => audit::verify(house, request.arguments).await,
        facts::DEAD => facts::list(house, request.arguments).await,
        facts::RETRY => facts::retry(house, request.arguments).await,
        facts::REPLAY => facts::tell(house, request.arguments).await,
        other => match house.service_order(other, request.arguments).await {
            Some(Ok(done)) => Ok(done),
            Some(Err(problem)) => Err(Refusal(said(&problem)).into()),
            None => Err(Refusal(format!(
                "carry out `{other}`, which the running program does not know; use the program of its version"
            ))
            .into()),
        },
    }
}

/// What a problem says on the command line.
fn said(problem: &Problem) -> String {
    let faults = problem.faults.iter();
    let faults: Vec<String> = faults
        .map(|fault| match fault.pointer.trim_start_matches('/') {
            "" => fault.detail.to_string(),
            place => format!("{place}: {}", fault.detail),
        })
        .collect();
    match faults.is_empty() {
        true if problem.code == Code::NotFound => {
            format!("find what was named: {}", problem.detail)
        }
        true => format!("do that: {}", problem.detail),
        false => format!("do that: {}", faults.join(" ")),
    }
}

/// The same for another process, which is told the causes.
pub(super) async fn answer(house: &House, request: Request) -> Response {
    match carry_out(house, request).await {
        Ok(done) => Response::Done(done),
        Err(error) => {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            Response::Refused(causes.join(": "))
        }
    }
}
