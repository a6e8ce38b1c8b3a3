//! Scenarios of several connections, played to a server; what each connection receives is written down.
//!
//! A line of a scenario is one step:
//!
//! | step | does |
//! |---|---|
//! | `a> GET k` | connection `a` sends a request; several, with ` \| ` between, leave in one write |
//! | `a% HELLO 3` | the same, and does not write down the first reply |
//! | `a& BLPOP k 0` | `a` sends a request that blocks, and is left alone |
//! | `a= ` | `a` does not wait any more |
//! | `a! ` | `a` closes |
//! | `a? flags redir` | writes down fields of `a` in CLIENT LIST |
//! | `? tracking_clients` | writes down lines of INFO |
//! | `. 20` | lets so many milliseconds pass, for keys to expire |
//!
//! A connection opens where it is first named, in RESP3 if its name begins with a capital letter.
//! `{a}` in a request is the number of that connection.
//!
//! After each step every connection is asked twice for an answer that nothing else gives, and what came before is what
//! the step caused: a message is handed over before its cause is answered, and sent with the next reply at the latest.

use ochre_testkit::reference::Wire;
use ochre_testkit::waiting::wait_until;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// Plays scenarios to one server.
pub(crate) struct Stage {
    address: String,
    control: Wire,
    cast: BTreeMap<String, Actor>,
    asked: u64,
}

struct Actor {
    wire: Wire,
    id: u64,
    /// Waits in a blocking command.
    waits: bool,
}

fn words(request: &str) -> Vec<Vec<u8>> {
    request
        .split_whitespace()
        .map(|word| if word == "\"\"" { "" } else { word })
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

fn number(reply: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(reply);
    let digits = text.trim().trim_start_matches(':');
    digits.parse().expect("a number")
}

/// The value of `name` in a line of CLIENT LIST.
fn field(line: &str, name: &str) -> String {
    let prefix = format!("{name}=");
    let found = line
        .split_whitespace()
        .find_map(|f| f.strip_prefix(&prefix));
    found.unwrap_or("(none)").to_owned()
}

impl Stage {
    /// Connects to a server, whose next connections get the numbers from `first` on, and empties it.
    pub(crate) fn new(address: &str, first: u64) -> io::Result<Stage> {
        let control = loop {
            let mut wire = Wire::connect(address)?;
            if number(&wire.call(&["CLIENT", "ID"])?) + 1 >= first {
                break wire;
            }
        };
        let mut stage = Stage {
            address: address.to_owned(),
            control,
            cast: BTreeMap::new(),
            asked: 0,
        };
        stage.control.call(&["FLUSHALL"])?;
        Ok(stage)
    }

    /// Plays a scenario and returns what was received.
    ///
    /// What the connections receive in one step is sorted where `unordered`.
    pub(crate) fn play(&mut self, steps: &[&str], unordered: bool) -> io::Result<Vec<String>> {
        let mut transcript = Vec::new();
        for step in steps {
            let mut seen = Vec::new();
            let kinds = ['>', '%', '&', '=', '!', '?', '.'];
            let at = step.find(kinds).expect("a step");
            let (name, rest) = (step[..at].trim(), step[at + 1..].trim());
            match &step[at..=at] {
                ">" => self.send(name, rest, &mut seen)?,
                "%" => {
                    self.send(name, rest, &mut seen)?;
                    seen.remove(0);
                }
                "&" => self.send_and_wait(name, rest)?,
                "=" => self.actor(name)?.waits = false,
                "!" => self.close(name)?,
                "." => std::thread::sleep(Duration::from_millis(rest.parse().expect("a time"))),
                _ => self.describe(name, rest, &mut seen)?,
            }
            self.collect(&mut seen)?;
            // Each connection by itself: which of two is told first is nobody's business.
            if unordered {
                seen.sort();
            } else {
                seen.sort_by_key(|line| line.split_once(": ").map(|(name, _)| name.to_owned()));
            }
            transcript.push(step.to_string());
            transcript.extend(seen);
        }
        let names: Vec<String> = self.cast.keys().cloned().collect();
        names.iter().try_for_each(|name| self.close(name))?;
        Ok(transcript)
    }

    fn actor(&mut self, name: &str) -> io::Result<&mut Actor> {
        if !self.cast.contains_key(name) {
            let mut wire = Wire::connect(&self.address)?;
            if name.starts_with(|c: char| c.is_uppercase()) {
                wire.call(&["HELLO", "3"])?;
            }
            let id = number(&wire.call(&["CLIENT", "ID"])?);
            let actor = Actor {
                wire,
                id,
                waits: false,
            };
            self.cast.insert(name.to_owned(), actor);
        }
        Ok(self.cast.get_mut(name).expect("just put there"))
    }

    /// The words of a request, with the numbers of connections in it.
    fn resolved(&mut self, requests: &str) -> io::Result<String> {
        let mut text = requests.to_owned();
        while let Some((before, rest)) = text.split_once('{') {
            let (name, after) = rest.split_once('}').expect("a name in braces");
            text = format!("{before}{}{after}", self.actor(name)?.id);
        }
        Ok(text)
    }

    fn send(&mut self, name: &str, requests: &str, seen: &mut Vec<String>) -> io::Result<()> {
        self.actor(name)?;
        let requests = self.resolved(requests)?;
        let requests: Vec<_> = requests.split(" | ").map(words).collect();
        let frames = self.exchange(name, requests)?;
        seen.extend(frames);
        Ok(())
    }

    fn send_and_wait(&mut self, name: &str, request: &str) -> io::Result<()> {
        let actor = self.actor(name)?;
        actor.waits = true;
        actor.wire.send(&[words(request)])?;
        let id = actor.id.to_string();
        let control = &mut self.control;
        wait_until("the wait", || {
            let line = control.call(&["CLIENT", "LIST", "ID", &id]);
            let line = String::from_utf8_lossy(&line.expect("an answer")).into_owned();
            field(&line, "flags").contains('b')
        });
        Ok(())
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        let Some(actor) = self.cast.remove(name) else {
            return Ok(());
        };
        let id = actor.id.to_string();
        drop(actor);
        let control = &mut self.control;
        wait_until("the end of a connection", || {
            let line = control.call(&["CLIENT", "LIST", "ID", &id]);
            !String::from_utf8_lossy(&line.expect("an answer")).contains("addr=")
        });
        Ok(())
    }

    fn describe(&mut self, name: &str, what: &str, seen: &mut Vec<String>) -> io::Result<()> {
        if name.is_empty() {
            let info = self.control.call(&["INFO"])?;
            let info = String::from_utf8_lossy(&info).into_owned();
            for name in what.split_whitespace() {
                let prefix = format!("{name}:");
                let line = info.lines().find(|line| line.starts_with(&prefix));
                seen.push(format!("  {}", line.unwrap_or("(none)")));
            }
            return Ok(());
        }
        let id = self.actor(name)?.id.to_string();
        let line = self.control.call(&["CLIENT", "LIST", "ID", &id])?;
        let line = String::from_utf8_lossy(&line).into_owned();
        for name in what.split_whitespace() {
            seen.push(format!("  {name}={}", field(&line, name)));
        }
        Ok(())
    }

    /// What every connection has received meanwhile.
    fn collect(&mut self, seen: &mut Vec<String>) -> io::Result<()> {
        let here: Vec<String> = self.cast.keys().cloned().collect();
        for name in here {
            if !self.cast[&name].waits {
                let frames = self.exchange(&name, Vec::new())?;
                seen.extend(frames);
            }
        }
        Ok(())
    }

    /// Sends requests and returns everything that comes, in readable form.
    fn exchange(&mut self, name: &str, requests: Vec<Vec<Vec<u8>>>) -> io::Result<Vec<String>> {
        let mut frames = Vec::new();
        let rounds = if requests.is_empty() { 2 } else { 1 };
        let mut requests = requests;
        for _ in 0..rounds {
            self.asked += 1;
            let mark = format!("sync-{}", self.asked);
            let end = format!("\r\n{mark}\r\n");
            let wire = &mut self.cast.get_mut(name).expect("an actor").wire;
            wire.send(&std::mem::take(&mut requests))?;
            frames.extend(wire.until(&["PING", &mark], |frame| frame.ends_with(end.as_bytes()))?);
        }
        let readable = frames.iter().map(|frame| self.readable(frame));
        Ok(readable
            .flatten()
            .map(|frame| format!("  {name}: {frame}"))
            .collect())
    }

    /// A frame in letters. Lines of MONITOR lose time and address, and those that we caused are left out.
    fn readable(&self, frame: &[u8]) -> Option<String> {
        let text = frame.escape_ascii().to_string();
        let (Some((time, rest)), true) = (text.split_once(" ["), text.starts_with('+')) else {
            return Some(text);
        };
        let Some((db, rest)) = rest.split_once(' ') else {
            return Some(text);
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let seconds = time[1..].split_once('.');
        if !seconds.is_some_and(|(s, us)| digits(s) && digits(us) && us.len() == 6) {
            return Some(text);
        }
        let (address, rest) = rest.split_once(']').expect("an address in brackets");
        if rest.contains("\\\"sync-") || rest.contains("\"sync-") || address == self.control.local()
        {
            return None;
        }
        let actor = self.cast.iter().find(|(_, a)| a.wire.local() == address);
        let who = actor.map_or(address, |(name, _)| name);
        Some(format!("+TIME [{db} {who}]{rest}"))
    }
}
