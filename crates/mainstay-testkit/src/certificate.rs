//! Certificates for engines that speak TLS.

use std::path::Path;
use std::process::Command;

use crate::EngineError;
use crate::child::{as_engine, run, unprivileged};

/// A new key and certificate, without those who vouch for it.
const NEW: &str =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test";
/// Whose name the authority has; another than those it vouches for.
const AUTHORITY: &str = "/CN=authority";

/// A certificate for an address that signed itself, `server.crt` with `server.key` in `folder`; `openssl` is the
/// program, with whatever runs it as another user.
///
/// # Errors
/// When OpenSSL is not installed or refuses.
pub fn self_signed(openssl: &mut Command, folder: &Path, address: &str) -> Result<(), EngineError> {
    openssl.args(NEW.split(' ')).args(["-addext", &format!("subjectAltName=IP:{address}")]);
    openssl.arg("-keyout").arg(folder.join("server.key"));
    openssl.arg("-out").arg(folder.join("server.crt"));
    run(openssl, "make a certificate")
}

/// Makes an authority (`ca.crt`) and the key and certificate of a server at `address` that it vouches for
/// (`server.key`, `server.crt`) in `folder`, all of them the user's who runs engines.
///
/// # Errors
/// When OpenSSL is not installed.
pub(crate) fn vouched_for(folder: &Path, address: &str) -> Result<(), EngineError> {
    let (key, certificate) = (folder.join("ca.key"), folder.join("ca.crt"));
    let mut authority = as_engine("openssl", unprivileged());
    authority
        .args(NEW.split(' '))
        .args(["-subj", AUTHORITY])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    run(&mut authority, "make an authority")?;
    let mut server = as_engine("openssl", unprivileged());
    server.args(NEW.split(' ')).arg("-CA").arg(&certificate).arg("-CAkey").arg(&key);
    server.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    server.args(["-addext", &format!("subjectAltName=IP:{address}")]);
    server.arg("-keyout").arg(folder.join("server.key"));
    server.arg("-out").arg(folder.join("server.crt"));
    run(&mut server, "make a certificate")
}
