//! What options mean together.

use super::{Format, Options, Stop, wrong};
use crate::keys::Distribution;
use std::io::Read as _;

/// Most bytes that `-x` reads.
const INPUT_LIMIT: u64 = 512 << 20;

impl Options {
    /// Refuses what does not go together, and fills in what follows from the rest.
    pub(super) fn settle(&mut self, has_requests: bool) -> Result<(), Stop> {
        if self.duration.is_some() && !has_requests {
            self.requests = None;
        }
        if !self.command.is_empty() {
            if self.tests.take().is_some() {
                eprintln!("WARNING: Option -t is ignored.");
            }
            if !self.mixture.is_empty() {
                return Err(wrong("--ratio mixes tests, not a command"));
            }
        }
        if !self.mixture.is_empty() && self.tests.is_some() {
            return Err(wrong(
                "--ratio names its tests itself; -t does not go with it",
            ));
        }
        if self.keyspace.is_none() && self.distribution != Distribution::Uniform {
            return Err(wrong("--distribution needs a keyspace: -r"));
        }
        if self.login.user.is_some() && self.login.password.is_none() {
            return Err(wrong("--user needs -a"));
        }
        if self.rate.is_some() && !self.keep_alive {
            return Err(wrong("--rate does not go with -k 0"));
        }
        if self
            .tls
            .as_ref()
            .is_some_and(|t| t.certificate.is_some() != t.key.is_some())
        {
            return Err(wrong("--cert and --key go together"));
        }
        self.settle_comparison()?;
        self.settle_threads();
        if self.last_from_stdin {
            self.read_last()?;
        }
        Ok(())
    }

    fn settle_comparison(&self) -> Result<(), Stop> {
        let servers = 1 + usize::from(self.compare.is_some());
        if self.server_pids.len() > servers || (servers == 2 && self.server_pids.len() == 1) {
            let text = format!("--server-pid takes {servers}, one of each server");
            return Err(wrong(text));
        }
        if self.compare.is_some() && (self.is_idle || self.is_endless) {
            return Err(wrong("--compare does not go with -I and -l"));
        }
        if self.is_endless && self.format == Format::Json {
            return Err(wrong("--json does not go with -l: there is no end"));
        }
        Ok(())
    }

    /// A thread without a connection has nothing to do.
    fn settle_threads(&mut self) {
        if let Some(threads) = &mut self.threads
            && *threads > self.clients
        {
            *threads = self.clients;
            eprintln!("WARNING: Too many threads, limiting threads to {threads}.");
        }
    }

    fn read_last(&mut self) -> Result<(), Stop> {
        if self.command.is_empty() {
            return Err(wrong("-x needs a command"));
        }
        let mut input = Vec::new();
        let read = std::io::stdin()
            .take(INPUT_LIMIT + 1)
            .read_to_end(&mut input);
        read.map_err(|e| wrong(format!("the standard input: {e}")))?;
        if input.len() as u64 > INPUT_LIMIT {
            return Err(wrong(format!("-x reads up to {INPUT_LIMIT} bytes")));
        }
        self.command.push(input);
        Ok(())
    }
}
