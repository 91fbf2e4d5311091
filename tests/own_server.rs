//! A database server for one test, which stops and starts it as it likes. A process of `cargo xtask` keeps it, and stops it and deletes
//! its data however the test ends.
//!
//! Several test binaries have this module, and none of them uses all of it.
#![allow(dead_code)]

use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct OwnServer {
    keeper: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
    /// The certificate of the authority that signed the server's, where it has one.
    pub(crate) authority: String,
}

impl OwnServer {
    /// PostgreSQL, with plain connections.
    pub(crate) fn postgres() -> OwnServer {
        OwnServer::with(&["keep-postgres"])
    }

    /// PostgreSQL, with encrypted connections only.
    pub(crate) fn encrypted() -> OwnServer {
        OwnServer::with(&["keep-postgres", "tls"])
    }

    /// MongoDB, or what stands in for it, which keeps its data on the disk.
    pub(crate) fn mongo() -> OwnServer {
        OwnServer::with(&["keep-mongo"])
    }

    fn with(arguments: &[&str]) -> OwnServer {
        let xtask =
            env::var_os("OMMI_TEST_XTASK").expect("this test starts a server of its own: run `cargo xtask test`");
        let mut command = Command::new(xtask);
        // Ctrl-C is for the test: the keeper sees the end of its input, and cleans up.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut keeper = command.spawn().unwrap();
        let (input, output) = (keeper.stdin.take(), BufReader::new(keeper.stdout.take().unwrap()).lines());
        let mut server = OwnServer { keeper, input, output, url: String::new(), authority: String::new() };
        loop {
            let line = server.line();
            match line.split_once('=') {
                Some(("url", url)) => server.url = url.to_owned(),
                Some(("authority", file)) => server.authority = file.to_owned(),
                _ if line == "ready" => return server,
                _ => panic!("{line}"),
            }
        }
    }

    fn line(&mut self) -> String {
        self.output.next().expect("the server did not start: see the standard error").unwrap()
    }

    /// Ends all its processes at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.tell("kill");
    }

    /// Starts it again at the same place.
    pub(crate) fn start_again(&mut self) {
        self.tell("start");
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        assert_eq!(self.line(), "ready");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}
