//! A certificate for a server on 127.0.0.1, signed by an authority of its own. Both are made with `openssl` and are good for a day.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The authority's certificate.
pub(super) const AUTHORITY: &str = "authority.crt";
/// The server's.
pub(super) const CERTIFICATE: &str = "server.crt";
/// The server's key.
pub(super) const KEY: &str = "server.key";

const STEPS: &[&str] = &[
    "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=authority -keyout authority.key -out authority.crt",
    "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr",
    "x509 -req -days 1 -in server.csr -CA authority.crt -CAkey authority.key -set_serial 1 -extfile server.ext -out server.crt",
];

/// Makes the files in a folder. `command` starts a program as the user who is to own them.
pub(super) fn make(folder: &Path, command: impl Fn(&OsStr) -> Command) -> Result<(), String> {
    fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .map_err(|error| format!("no certificate: {error}"))?;
    for step in STEPS {
        let mut openssl = command(OsStr::new("openssl"));
        openssl.args(step.split(' ')).current_dir(folder).stdin(Stdio::null());
        let made =
            openssl.output().map_err(|error| format!("openssl, which makes certificates, is missing: {error}"))?;
        if !made.status.success() {
            return Err(format!("openssl failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
    }
    Ok(())
}
