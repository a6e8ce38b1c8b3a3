//! One session: the connection with its login and database, and what is known of its state.

use crate::format::{self, Style};
use crate::link::{Link, LinkError};
use crate::options::Options;
use crate::reply::Reply;
use std::future::Future as _;
use std::io::Write as _;
use std::task::Poll;

/// Commands whose replies are texts to be printed as they are, in every style.
const TEXTS: [&[&str]; 12] = [
    &["INFO"],
    &["LOLWUT"],
    &["DEBUG", "HTSTATS"],
    &["DEBUG", "HTSTATS-KEY"],
    &["DEBUG", "CLIENT-EVICTION"],
    &["MEMORY", "MALLOC-STATS"],
    &["MEMORY", "DOCTOR"],
    &["CLUSTER", "NODES"],
    &["CLUSTER", "INFO"],
    &["CLIENT", "LIST"],
    &["CLIENT", "INFO"],
    &["LATENCY", "DOCTOR"],
];

/// Redirections of one command that are followed.
const REDIRECTIONS: usize = 16;

/// What a command's replies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One reply.
    Plain,
    /// One reply, a text for people.
    Text,
    /// `MONITOR`: lines without an end.
    Monitor,
    /// Subscriptions: messages without an end.
    Subscribe,
    /// Redis's own replication: bytes that are no replies.
    Replication,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// With an error.
    Refused,
    /// It was not sent.
    Unsupported,
    /// The connection failed; it was said why.
    Lost,
}

/// See the module's documentation.
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) link: Option<Link>,
    /// The database that the connection has.
    pub(crate) database: i64,
    /// The database that the next connection is to have.
    wanted: i64,
    /// Whether login, database and protocol are as wished.
    pub(crate) is_settled: bool,
    pub(crate) in_transaction: bool,
    /// Whether somebody types at a prompt.
    pub(crate) interactive: bool,
}

fn is(word: Option<&Vec<u8>>, name: &str) -> bool {
    word.is_some_and(|w| w.eq_ignore_ascii_case(name.as_bytes()))
}

/// What the replies of a command will be.
pub(crate) fn kind(words: &[Vec<u8>]) -> Kind {
    let starts = |names: &[&str]| {
        words.len() >= names.len() && names.iter().zip(words).all(|(n, w)| is(Some(w), n))
    };
    let name = words.first();
    if is(name, "MONITOR") {
        Kind::Monitor
    } else if ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]
        .iter()
        .any(|n| is(name, n))
    {
        Kind::Subscribe
    } else if is(name, "SYNC") || is(name, "PSYNC") {
        Kind::Replication
    } else if TEXTS.iter().any(|names| starts(names)) || starts(&["LATENCY", "GRAPH"]) {
        Kind::Text
    } else {
        Kind::Plain
    }
}

impl Session {
    pub(crate) fn new(options: Options) -> Session {
        Session {
            database: 0,
            wanted: options.database,
            options,
            link: None,
            is_settled: false,
            in_transaction: false,
            interactive: false,
        }
    }

    /// Connects anew, logs in and selects the database. Says what goes wrong; a refused login or database is no
    /// reason to end.
    pub(crate) async fn connect(&mut self) -> bool {
        self.link = None;
        self.in_transaction = false;
        self.is_settled = false;
        self.database = 0;
        let place = self.options.place();
        let config = match self.options.config() {
            Ok(config) => config,
            Err(reason) => {
                eprintln!("Could not negotiate a TLS connection: {reason}");
                return false;
            }
        };
        let mut link = match Link::open(&config).await {
            Ok(link) => link,
            Err(reason) => {
                eprintln!("Could not connect to Redis at {place}: {reason}");
                return false;
            }
        };
        self.tell(|| format!("Connected to {place}"));
        match self.greet(&mut link).await {
            Ok(()) => {
                self.link = Some(link);
                true
            }
            Err(error) => {
                eprintln!("Error: {error}");
                false
            }
        }
    }

    /// Says on the standard error stream what is being done, if that is wished.
    fn tell(&self, text: impl FnOnce() -> String) {
        if self.options.verbose {
            eprintln!("{}", text());
        }
    }

    async fn greet(&mut self, link: &mut Link) -> Result<(), LinkError> {
        if let Some(password) = &self.options.password {
            let mut login = vec!["AUTH"];
            login.extend(self.options.user.as_deref());
            login.push(password);
            if let Reply::Error(text) = link.ask(&login).await? {
                eprintln!("AUTH failed: {}", String::from_utf8_lossy(&text));
                // compat: what needs the login is not tried without it.
                return Ok(());
            }
            self.tell(|| "AUTH accepted".to_owned());
        }
        self.choose(link).await
    }

    /// Selects the database and the protocol that are wished.
    async fn choose(&mut self, link: &mut Link) -> Result<(), LinkError> {
        if self.wanted != self.database {
            let number = self.wanted.to_string();
            match link.ask(&["SELECT", &number]).await? {
                Reply::Error(text) => {
                    eprintln!("SELECT {number} failed: {}", String::from_utf8_lossy(&text));
                    return Ok(());
                }
                _ => self.database = self.wanted,
            }
            self.tell(|| format!("Database {}", self.database));
        }
        if let Some(version) = self.options.protocol {
            let version = version.to_string();
            if let Reply::Error(text) = link.ask(&["HELLO", &version]).await? {
                eprintln!("HELLO {version} failed: {}", String::from_utf8_lossy(&text));
                return Ok(());
            }
            self.tell(|| format!("RESP{version}"));
        }
        self.is_settled = true;
        Ok(())
    }

    /// After a login by hand: what was refused before it.
    async fn choose_again(&mut self) -> Result<(), LinkError> {
        let Some(mut link) = self.link.take() else {
            return Ok(());
        };
        self.choose(&mut link).await?;
        self.link = Some(link);
        Ok(())
    }

    /// The connection, made if there is none.
    pub(crate) async fn linked(&mut self) -> Option<&mut Link> {
        if self.link.is_none() && !self.connect().await {
            return None;
        }
        self.link.as_mut()
    }

    /// Sends a command and gives its reply, without printing it. Says what is wrong with the connection.
    pub(crate) async fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Option<Reply> {
        let link = self.linked().await?;
        match link.ask(words).await {
            Ok(reply) => Some(reply),
            Err(error) => {
                self.lose(&error);
                None
            }
        }
    }

    pub(crate) fn lose(&mut self, error: &LinkError) {
        eprintln!("Error: {error}");
        self.link = None;
        self.in_transaction = false;
    }

    /// Runs a command and prints its replies. It is not sent again when the connection fails: it may have been executed,
    /// and a transaction, or what was watched, ended with the connection.
    pub(crate) async fn run(&mut self, words: &[Vec<u8>]) -> Outcome {
        match self.try_run(words).await {
            Ok(outcome) => outcome,
            Err(error) => {
                // A server told to stop has nothing to say.
                if is(words.first(), "SHUTDOWN") && matches!(error, LinkError::Ended) {
                    self.link = None;
                    return Outcome::Answered;
                }
                self.lose(&error);
                Outcome::Lost
            }
        }
    }

    /// Goes where the server of a cluster points, if that is wished and `reply` points anywhere.
    async fn redirect(&mut self, reply: &Reply) -> Result<bool, LinkError> {
        let Reply::Error(text) = reply else {
            return Ok(false);
        };
        let text = String::from_utf8_lossy(text).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        let (["MOVED" | "ASK", slot, place], true) = (&words[..], self.options.follow) else {
            return Ok(false);
        };
        let Some((host, port)) = place.rsplit_once(':') else {
            return Ok(false);
        };
        let Ok(port) = port.parse() else {
            return Ok(false);
        };
        self.tell(|| format!("{} to {place}", words[0]));
        if self.options.style == Style::Standard {
            write_out(format!("-> Redirected to slot [{slot}] located at {place}\n").as_bytes());
        }
        // No host means the one that answered.
        if !host.is_empty() {
            host.clone_into(&mut self.options.host);
        }
        (self.options.port, self.options.socket) = (port, None);
        if !self.connect().await {
            return Err(LinkError::Ended);
        }
        if words[0] == "ASK"
            && let Some(link) = self.link.as_mut()
        {
            link.ask(&["ASKING"]).await?;
        }
        Ok(true)
    }

    async fn try_run(&mut self, words: &[Vec<u8>]) -> Result<Outcome, LinkError> {
        for _ in 0..REDIRECTIONS {
            if let Some(outcome) = self.run_once(words).await? {
                return Ok(outcome);
            }
        }
        eprintln!("Error: more than {REDIRECTIONS} redirections");
        Ok(Outcome::Refused)
    }

    /// `None` when it has to be sent again, elsewhere.
    async fn run_once(&mut self, words: &[Vec<u8>]) -> Result<Option<Outcome>, LinkError> {
        let kind = kind(words);
        if self.linked().await.is_none() {
            return Ok(Some(Outcome::Lost));
        }
        let Some(link) = self.link.as_mut() else {
            return Ok(Some(Outcome::Lost));
        };
        if kind == Kind::Replication {
            eprintln!(
                "Error: {} is not supported as a command; --replica shows what it would",
                String::from_utf8_lossy(&words[0])
            );
            return Ok(Some(Outcome::Unsupported));
        }
        link.send(words).await?;
        match kind {
            Kind::Monitor | Kind::Subscribe => self.listen(kind).await.map(Some),
            _ => match self.reply().await? {
                Some(reply) if self.redirect(&reply).await? => Ok(None),
                Some(reply) => {
                    let outcome = self.answered(words, kind, &reply);
                    if outcome == Outcome::Answered && is(words.first(), "AUTH") {
                        self.choose_again().await?;
                    }
                    Ok(Some(outcome))
                }
                None => {
                    self.given_up().await;
                    Ok(Some(Outcome::Refused))
                }
            },
        }
    }

    /// The next reply; push messages before it are printed if wished. `None` after Ctrl-C at a prompt.
    async fn reply(&mut self) -> Result<Option<Reply>, LinkError> {
        loop {
            match self.next_or_interrupt().await? {
                Some(push @ Reply::Push(_)) => {
                    if self.options.show_pushes {
                        self.print(&push, Kind::Plain);
                    }
                }
                reply => return Ok(reply),
            }
        }
    }

    /// Back to the prompt: what is still to come belongs to the old connection.
    async fn given_up(&mut self) {
        write_out(b"\n");
        self.connect().await;
    }

    fn answered(&mut self, words: &[Vec<u8>], kind: Kind, reply: &Reply) -> Outcome {
        if let Reply::Error(text) = reply
            && self.options.fail
            && !self.interactive
        {
            eprintln!("{}", String::from_utf8_lossy(text));
            return Outcome::Refused;
        }
        self.print(reply, kind);
        self.follow_state(words, reply);
        match reply {
            Reply::Error(_) => Outcome::Refused,
            _ => Outcome::Answered,
        }
    }

    /// Keeps up with what the prompt shows.
    fn follow_state(&mut self, words: &[Vec<u8>], reply: &Reply) {
        let name = words.first();
        if is(name, "EXEC") || is(name, "DISCARD") {
            self.in_transaction &= reply.is_error() && is_no_abort(reply);
        }
        if reply.is_error() {
            return;
        }
        if is(name, "SELECT") && words.len() == 2 && !self.in_transaction {
            let number = std::str::from_utf8(&words[1]).ok();
            self.database = number.and_then(|n| n.parse().ok()).unwrap_or(self.database);
            self.wanted = self.database;
        } else if is(name, "MULTI") {
            self.in_transaction = true;
        } else if is(name, "RESET") {
            self.in_transaction = false;
            (self.database, self.wanted) = (0, 0);
        } else if is(name, "AUTH") && words.len() >= 2 {
            let text = |w: &Vec<u8>| String::from_utf8_lossy(w).into_owned();
            self.options.user = (words.len() == 3).then(|| text(&words[1]));
            self.options.password = words.last().map(text);
        } else if is(name, "HELLO") && words.len() >= 2 {
            self.options.protocol = (words[1] == b"3").then_some(3);
        }
    }

    /// Prints a reply in the session's style.
    pub(crate) fn print(&self, reply: &Reply, kind: Kind) {
        let style = match kind {
            Kind::Text => Style::Raw,
            _ => self.options.style,
        };
        let mut text = format::format(reply, style, &self.options.delimiter);
        if style == Style::Raw {
            if kind == Kind::Text {
                // For people, who want the prompt on a line of its own.
                if self.interactive && text.last() != Some(&b'\n') {
                    text.push(b'\n');
                }
            } else {
                text.extend(&self.options.between);
            }
        }
        write_out(&text);
    }

    /// Prints what comes until the connection ends or, at a prompt, the user has enough.
    async fn listen(&mut self, kind: Kind) -> Result<Outcome, LinkError> {
        if kind == Kind::Subscribe && self.options.style != Style::Raw {
            write_out(b"Reading messages... (press Ctrl-C to quit)\n");
        }
        loop {
            let next = self.next_or_interrupt().await?;
            let Some(reply) = next else {
                self.given_up().await;
                return Ok(Outcome::Answered);
            };
            if let Reply::Error(text) = &reply {
                match self.options.fail && !self.interactive {
                    true => eprintln!("{}", String::from_utf8_lossy(text)),
                    false => self.print(&reply, Kind::Plain),
                }
                return Ok(Outcome::Refused);
            }
            self.print(&reply, Kind::Plain);
        }
    }

    /// `None` after Ctrl-C, which outside of a prompt ends the program as it always does.
    async fn next_or_interrupt(&mut self) -> Result<Option<Reply>, LinkError> {
        let interactive = self.interactive;
        let Some(link) = self.link.as_mut() else {
            return Err(LinkError::Ended);
        };
        let interrupt = async {
            match interactive {
                true => drop(tokio::signal::ctrl_c().await),
                false => std::future::pending().await,
            }
        };
        let mut interrupt = std::pin::pin!(interrupt);
        let mut reading = std::pin::pin!(link.read());
        std::future::poll_fn(|cx| {
            if interrupt.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(None));
            }
            reading.as_mut().poll(cx).map_ok(Some)
        })
        .await
    }

    /// The prompt.
    pub(crate) fn prompt(&self) -> String {
        if self.link.is_none() {
            return "not connected> ".to_owned();
        }
        let mut prompt = match &self.options.socket {
            Some(path) => format!("redis {path}"),
            None => self.options.place(),
        };
        if self.database != 0 {
            prompt.push_str(&format!("[{}]", self.database));
        }
        if self.in_transaction {
            prompt.push_str("(TX)");
        }
        prompt.push_str("> ");
        prompt
    }
}

/// Whether EXEC or DISCARD failed without ending the transaction.
fn is_no_abort(reply: &Reply) -> bool {
    let ends = [
        &b"EXECABORT"[..],
        b"ERR EXEC without",
        b"ERR DISCARD without",
    ];
    reply
        .bytes()
        .is_some_and(|text| !ends.iter().any(|e| text.starts_with(e)))
}

/// Writes to the standard output; a reader that has gone ends the program, as it ends others.
pub(crate) fn write_out(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
