//! The administrator who writes scores.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::client::{Connection, Load, callers_from_afar, request};

const PASSWORD: &str = "correct horse battery";

/// Makes the administrator in the folder `data` of a program that does not run; `settings` are variables of its
/// environment.
///
/// # Errors
/// If it is refused.
pub fn make(program: &Path, data: &Path, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command
        .args(["user", "create", "keeper", "--email", "keeper@example.org", "--role", "admin"])
        .args(["--password-stdin", "--data"])
        .arg(data)
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = command.spawn().context("make an administrator")?;
    let mut input = child.stdin.take().context("write a password")?;
    std::io::Write::write_all(&mut input, PASSWORD.as_bytes())?;
    drop(input);
    ensure!(child.wait()?.success(), "an administrator was refused");
    Ok(())
}

/// The administrator, signed in.
pub struct Keeper {
    /// Where the program listens.
    pub address: SocketAddr,
    authorization: Arc<str>,
}

impl Keeper {
    /// Signs in at a program that runs.
    ///
    /// # Errors
    /// If that is refused.
    pub async fn sign_in(address: SocketAddr) -> anyhow::Result<Self> {
        let stranger = Self { address, authorization: "".into() };
        let login = format!("{{\"login\":\"keeper\",\"password\":\"{PASSWORD}\"}}");
        let answer = stranger.send("POST", "/api/v1/auth/login", &login).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let token = answer["access_token"].as_str().context("a sign-in has no token")?;
        Ok(Self { address, authorization: format!("authorization: Bearer {token}\r\n").into() })
    }

    /// The body of an answer that is a success.
    ///
    /// # Errors
    /// If it is none.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Vec<u8>> {
        let mut connection = Connection::new(self.address);
        let request = request(&self.authorization, method, path, body);
        let (status, answer) = connection.send(request.as_bytes()).await?;
        ensure!(status < 300, "{method} {path}: {status}: {}", String::from_utf8_lossy(answer));
        Ok(answer.to_vec())
    }

    /// Lets `count` callers send what `next` says for `time`.
    ///
    /// # Errors
    /// As [`callers_from_afar`].
    pub async fn load(
        &self,
        count: usize,
        time: Duration,
        next: impl Fn(u64) -> (&'static str, String, String) + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Load> {
        let (authorization, address) = (self.authorization.clone(), self.address);
        let call = move |mut connection: Connection, number: u64| {
            let (method, path, body) = next(number);
            let request = request(&authorization, method, &path, &body);
            async move {
                let (status, _) = connection.send(request.as_bytes()).await?;
                Ok((connection, status == 200))
            }
        };
        callers_from_afar(count, time, move || Connection::new(address), call).await
    }
}
