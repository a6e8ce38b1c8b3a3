//! Walks over the keyspace: `--scan`, `--bigkeys`, `--memkeys`, `--hotkeys`.
//!
//! The server is asked for a batch of keys at a time, and about all keys of a batch in one exchange. Memory is needed
//! for one batch only.

use crate::format::{Style, quoted};
use crate::link::LinkError;
use crate::reply::Reply;
use crate::session::{Session, write_out};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Batches between two pauses of `-i`.
const BATCHES_PER_PAUSE: u64 = 100;
/// Keys that `--hotkeys` tells.
const HOTTEST: usize = 16;
/// Sampled keys between two lines that say so.
const KEYS_PER_LINE: u64 = 1_000_000;

/// What the size of a key is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    Elements,
    /// By so many sampled elements, if said.
    Memory(Option<u64>),
}

/// How often a long walk says how far it is.
const PROGRESS: Duration = Duration::from_millis(250);

/// A line at the terminal that says how far a walk is; nothing where the standard error stream is none.
struct Progress {
    shown: Option<Instant>,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            shown: std::io::stderr().is_terminal().then(Instant::now),
        }
    }

    /// The next line is written over it.
    fn tell(&mut self, percent: f64, sampled: u64) {
        if self.shown.is_some_and(|shown| shown.elapsed() > PROGRESS) {
            self.shown = Some(Instant::now());
            eprint!("\r\x1b[K[{percent:05.2}%] {sampled} keys\r");
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

/// What is known of a type of keys.
struct Type {
    name: String,
    /// The command that tells the size, and what it counts.
    size: Option<(&'static str, &'static str)>,
    keys: u64,
    total: u64,
    biggest: Option<(Vec<u8>, u64)>,
}

impl Type {
    fn new(name: &str, size: Option<(&'static str, &'static str)>) -> Type {
        Type {
            name: name.to_owned(),
            size,
            keys: 0,
            total: 0,
            biggest: None,
        }
    }

    /// In the order of redis-cli's summary.
    fn all() -> Vec<Type> {
        [
            ("list", "LLEN", "items"),
            ("hash", "HLEN", "fields"),
            ("string", "STRLEN", "bytes"),
            ("stream", "XLEN", "entries"),
            ("set", "SCARD", "members"),
            ("zset", "ZCARD", "members"),
        ]
        .map(|(name, command, unit)| Type::new(name, Some((command, unit))))
        .into()
    }

    fn unit(&self, measure: Measure) -> &'static str {
        match (measure, self.size) {
            (Measure::Memory(_), _) => "bytes",
            (Measure::Elements, Some((_, unit))) => unit,
            (Measure::Elements, None) => "?",
        }
    }
}

/// A walk over all keys.
struct Walk {
    cursor: Option<Vec<u8>>,
    batches: u64,
}

impl Walk {
    fn new() -> Walk {
        Walk {
            cursor: Some(b"0".to_vec()),
            batches: 0,
        }
    }

    /// The next batch of keys; `None` at the end. Pauses as the session's interval says.
    async fn next(&mut self, session: &mut Session) -> Result<Option<Vec<Vec<u8>>>, String> {
        let Some(cursor) = self.cursor.take() else {
            return Ok(None);
        };
        if let Some(interval) = session.options.interval
            && self.batches > 0
            && self.batches.is_multiple_of(BATCHES_PER_PAUSE)
        {
            tokio::time::sleep(interval).await;
        }
        self.batches += 1;
        let mut words = vec![b"SCAN".to_vec(), cursor];
        if let Some(pattern) = &session.options.pattern {
            words.extend([b"MATCH".to_vec(), pattern.clone()]);
        }
        let mut replies = pipeline(session, &[words]).await?;
        let reply = replies.pop().unwrap_or(Reply::Nil);
        let (Some(cursor), Some(keys)) = (
            reply.items().and_then(|i| i.first()?.bytes()),
            reply.items().and_then(|i| i.get(1)?.items()),
        ) else {
            return Err(refusal(&reply, "SCAN"));
        };
        self.cursor = (cursor != b"0").then(|| cursor.to_vec());
        let keys = keys.iter().filter_map(|k| Some(k.bytes()?.to_vec()));
        Ok(Some(keys.collect()))
    }
}

fn refusal(reply: &Reply, command: &str) -> String {
    match reply {
        Reply::Error(text) => String::from_utf8_lossy(text).into_owned(),
        _ => format!("Non ARRAY response from {command}!"),
    }
}

/// Sends all requests, then reads their replies.
pub(crate) async fn pipeline(
    session: &mut Session,
    requests: &[Vec<Vec<u8>>],
) -> Result<Vec<Reply>, String> {
    let Some(link) = session.link.as_mut() else {
        return Err(LinkError::Ended.to_string());
    };
    let mut wire = Vec::new();
    for request in requests {
        ochre_resp::write_request(&mut wire, request.iter().map(Vec::as_slice));
    }
    link.exchange_raw(&wire).await.map_err(|e| e.to_string())?;
    let mut replies = Vec::with_capacity(requests.len());
    while replies.len() < requests.len() {
        match link.read().await.map_err(|e| e.to_string())? {
            Reply::Push(_) => {}
            reply => replies.push(reply),
        }
    }
    Ok(replies)
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("Error: {text}");
            ExitCode::FAILURE
        }
    }
}

/// `--scan`: every key on a line.
pub(crate) async fn list(session: &mut Session) -> ExitCode {
    done(try_list(session).await)
}

async fn try_list(session: &mut Session) -> Result<(), String> {
    let mut walk = Walk::new();
    while let Some(keys) = walk.next(session).await? {
        let mut out = Vec::new();
        for key in keys {
            match session.options.style {
                Style::Standard => quoted(&key, &mut out),
                _ => out.extend(key),
            }
            out.push(b'\n');
        }
        write_out(&out);
    }
    Ok(())
}

fn name_of(key: &[u8]) -> String {
    let mut name = Vec::new();
    quoted(key, &mut name);
    String::from_utf8_lossy(&name).into_owned()
}

fn say(text: &str) {
    write_out(text.as_bytes());
}

fn introduce(what: &str) {
    say(&format!(
        "\n# Scanning the entire keyspace to find {what} keys as well as\n\
         # average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n\
         # per 100 SCAN commands (not usually needed).\n\n"
    ));
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// How many keys there are.
async fn key_count(session: &mut Session) -> Result<u64, String> {
    let replies = pipeline(session, &[vec![b"DBSIZE".to_vec()]]).await?;
    let reply = replies.first().unwrap_or(&Reply::Nil);
    let count = reply.integer().ok_or_else(|| refusal(reply, "DBSIZE"))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// `--bigkeys` and `--memkeys`.
pub(crate) async fn survey(session: &mut Session, measure: Measure) -> ExitCode {
    done(try_survey(session, measure).await)
}

async fn try_survey(session: &mut Session, measure: Measure) -> Result<(), String> {
    let total = key_count(session).await?;
    introduce("biggest");
    let mut types = Type::all();
    let (mut sampled, mut name_bytes) = (0_u64, 0_u64);
    let (mut walk, mut progress) = (Walk::new(), Progress::new());
    while let Some(keys) = walk.next(session).await? {
        let percent = 100.0 * ratio(sampled, total);
        progress.tell(percent, sampled);
        let found = sizes(session, &mut types, &keys, measure).await?;
        for (key, (index, size)) in keys.into_iter().zip(found) {
            // A key that went between the two exchanges has no type.
            let Some(index) = index else { continue };
            let kind = &mut types[index];
            kind.keys += 1;
            kind.total += size;
            sampled += 1;
            name_bytes += key.len() as u64;
            if kind
                .biggest
                .as_ref()
                .is_none_or(|(_, biggest)| *biggest < size)
            {
                say(&format!(
                    "[{percent:05.2}%] Biggest {:<6} found so far '{}' with {size} {}\n",
                    kind.name,
                    name_of(&key),
                    kind.unit(measure),
                ));
                kind.biggest = Some((key, size));
            }
            if sampled.is_multiple_of(KEYS_PER_LINE) {
                say(&format!(
                    "[{percent:05.2}%] Sampled {sampled} keys so far\n"
                ));
            }
        }
    }
    progress.end();
    summarize(&types, measure, sampled, name_bytes);
    Ok(())
}

/// The type, as a place in `types`, and the size of each key.
async fn sizes(
    session: &mut Session,
    types: &mut Vec<Type>,
    keys: &[Vec<u8>],
    measure: Measure,
) -> Result<Vec<(Option<usize>, u64)>, String> {
    let about = |command: &str, key: &Vec<u8>| vec![command.as_bytes().to_vec(), key.clone()];
    let requests: Vec<_> = keys.iter().map(|k| about("TYPE", k)).collect();
    let replies = pipeline(session, &requests).await?;
    let mut found = Vec::new();
    for reply in &replies {
        let name = reply.text().filter(|_| !reply.is_error());
        let name = name.ok_or_else(|| refusal(reply, "TYPE"))?;
        if name == "none" {
            found.push((None, 0));
            continue;
        }
        let index = types
            .iter()
            .position(|t| t.name == name)
            .unwrap_or_else(|| {
                types.push(Type::new(&name, None));
                types.len() - 1
            });
        found.push((Some(index), 0));
    }
    let (mut requests, mut asked) = (Vec::new(), Vec::new());
    for (i, (index, _)) in found.iter().enumerate() {
        let Some(kind) = index.map(|index| &types[index]) else {
            continue;
        };
        let request = match (measure, kind.size) {
            (Measure::Elements, Some((command, _))) => about(command, &keys[i]),
            (Measure::Elements, None) => continue,
            (Measure::Memory(samples), _) => {
                let mut words = vec![b"MEMORY".to_vec(), b"USAGE".to_vec(), keys[i].clone()];
                if let Some(samples) = samples {
                    words.extend([b"SAMPLES".to_vec(), samples.to_string().into_bytes()]);
                }
                words
            }
        };
        requests.push(request);
        asked.push(i);
    }
    for (i, reply) in asked.into_iter().zip(pipeline(session, &requests).await?) {
        match reply.integer() {
            Some(size) => found[i].1 = u64::try_from(size).unwrap_or(0),
            // It went, or became another type.
            None => {
                let text = refusal(&reply, "its size");
                eprintln!(
                    "Warning:  {text} on '{}' (may have been deleted)",
                    name_of(&keys[i])
                );
            }
        }
    }
    Ok(found)
}

fn summarize(types: &[Type], measure: Measure, sampled: u64, name_bytes: u64) {
    say(&format!(
        "\n-------- summary -------\n\nSampled {sampled} keys in the keyspace!\n\
         Total key length in bytes is {name_bytes} (avg len {:.2})\n\n",
        ratio(name_bytes, sampled)
    ));
    for kind in types {
        if let Some((key, size)) = &kind.biggest {
            say(&format!(
                "Biggest {:>6} found '{}' has {size} {}\n",
                kind.name,
                name_of(key),
                kind.unit(measure)
            ));
        }
    }
    say("\n");
    for kind in types {
        say(&format!(
            "{} {}s with {} {} ({:05.2}% of keys, avg size {:.2})\n",
            kind.keys,
            kind.name,
            kind.total,
            kind.unit(measure),
            100.0 * ratio(kind.keys, sampled),
            ratio(kind.total, kind.keys)
        ));
    }
}

/// `--hotkeys`: needs an LFU policy on the server.
pub(crate) async fn hot(session: &mut Session) -> ExitCode {
    done(try_hot(session).await)
}

async fn try_hot(session: &mut Session) -> Result<(), String> {
    let total = key_count(session).await?;
    introduce("hot");
    let mut hottest: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut sampled = 0_u64;
    let (mut walk, mut progress) = (Walk::new(), Progress::new());
    while let Some(keys) = walk.next(session).await? {
        let percent = 100.0 * ratio(sampled, total);
        progress.tell(percent, sampled);
        let freq = |key: &Vec<u8>| vec![b"OBJECT".to_vec(), b"FREQ".to_vec(), key.clone()];
        let requests: Vec<_> = keys.iter().map(freq).collect();
        let replies = pipeline(session, &requests).await?;
        for (key, reply) in keys.into_iter().zip(replies) {
            let counter = match reply {
                Reply::Integer(n) => u64::try_from(n).unwrap_or(0),
                // The key went between the two exchanges.
                Reply::Nil => 0,
                other => return Err(refusal(&other, "OBJECT FREQ")),
            };
            sampled += 1;
            if sampled.is_multiple_of(KEYS_PER_LINE) {
                say(&format!(
                    "[{percent:05.2}%] Sampled {sampled} keys so far\n"
                ));
            }
            let coolest = hottest.last().map_or(0, |(counter, _)| *counter);
            if counter == 0 || (hottest.len() == HOTTEST && counter <= coolest) {
                continue;
            }
            let name = name_of(&key);
            say(&format!(
                "[{percent:05.2}%] Hot key '{name}' found so far with counter {counter}\n"
            ));
            let place = hottest.partition_point(|(other, _)| *other >= counter);
            hottest.insert(place, (counter, key));
            hottest.truncate(HOTTEST);
        }
    }
    progress.end();
    say(&format!(
        "\n-------- summary -------\n\nSampled {sampled} keys in the keyspace!\n"
    ));
    for (counter, key) in &hottest {
        let name = name_of(key);
        say(&format!(
            "hot key found with counter: {counter}\tkeyname: {name}\n"
        ));
    }
    Ok(())
}
