//! What the server says of its commands (`COMMAND DOCS`): for help, completion and hints.

use crate::reply::Reply;

/// Depth to which arguments are looked into; the deepest of Redis's commands has four.
const DEPTH_MAX: usize = 8;

/// One command, or a subcommand under both its words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Command {
    /// In capitals.
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) since: String,
    pub(crate) group: String,
    pub(crate) args: Vec<Arg>,
}

/// One argument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arg {
    /// How it is written, without brackets of its own.
    core: String,
    token: Option<String>,
    /// Words that it takes, the token included; `None` where that depends.
    words: Option<usize>,
    /// The words that it may begin with to be known by, and the words that it takes then.
    openings: Vec<(String, Option<usize>)>,
    optional: bool,
    multiple: bool,
    multiple_token: bool,
}

/// All commands, by name.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    pub(crate) commands: Vec<Command>,
}

fn text(reply: &Reply, name: &str) -> String {
    reply.get(name).and_then(Reply::text).unwrap_or_default()
}

impl Docs {
    /// From the reply to `COMMAND DOCS`, of either protocol.
    pub(crate) fn from_reply(reply: &Reply) -> Docs {
        let mut commands = Vec::new();
        for (name, about) in reply.pairs() {
            let Some(name) = name.text() else { continue };
            let name = name.to_uppercase();
            for (sub, about) in about
                .get("subcommands")
                .map(Reply::pairs)
                .unwrap_or_default()
            {
                let sub = sub
                    .text()
                    .unwrap_or_default()
                    .to_uppercase()
                    .replace('|', " ");
                commands.push(Command::from_reply(sub, about));
            }
            commands.push(Command::from_reply(name, about));
        }
        commands.sort_by(|a, b| a.name.cmp(&b.name));
        Docs { commands }
    }

    /// The command that `words` begin with, and how many of them are its name.
    pub(crate) fn find(&self, words: &[String]) -> Option<(&Command, usize)> {
        (1..=words.len().min(2)).rev().find_map(|count| {
            let name = words[..count].join(" ").to_uppercase();
            let at = self
                .commands
                .binary_search_by(|c| c.name.as_str().cmp(&name))
                .ok()?;
            Some((&self.commands[at], count))
        })
    }

    /// The groups, in the order of the alphabet.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.commands.iter().map(|c| c.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|g| !g.is_empty());
        groups
    }
}

impl Command {
    fn from_reply(name: String, about: &Reply) -> Command {
        let args = about
            .get("arguments")
            .and_then(Reply::items)
            .unwrap_or_default();
        Command {
            name,
            summary: text(about, "summary"),
            since: text(about, "since"),
            group: text(about, "group"),
            args: args.iter().map(|a| Arg::from_reply(a, 0)).collect(),
        }
    }

    /// The arguments in one line.
    pub(crate) fn syntax(&self) -> String {
        let all: Vec<String> = self.args.iter().map(Arg::syntax).collect();
        all.join(" ")
    }

    /// The arguments that may follow `typed`, which are whole words.
    pub(crate) fn hint(&self, typed: &[String]) -> String {
        let mut left: Vec<(Arg, bool)> = self.args.iter().map(|a| (a.clone(), false)).collect();
        let mut at = 0;
        while at < typed.len() {
            let word = &typed[at];
            let opening = |arg: &Arg| {
                let mut openings = arg.openings.iter();
                openings.position(|(o, _)| o.eq_ignore_ascii_case(word))
            };
            // An option is known by its word, wherever it stands; everything else by its place.
            let option = left
                .iter()
                .position(|(arg, _)| arg.optional && opening(arg).is_some());
            let place = option.or_else(|| left.iter().position(|(arg, _)| !arg.optional));
            let place = place.or_else(|| (!left.is_empty()).then_some(0));
            let Some(place) = place else { break };
            let (arg, seen) = &mut left[place];
            let opened = opening(arg).map(|i| arg.openings[i].1);
            at += opened.unwrap_or(arg.words).unwrap_or(1).max(1);
            if arg.multiple {
                *seen = true;
                arg.optional = true;
                if option.is_none() && place > 0 {
                    left.drain(..place);
                }
            } else {
                left.remove(place);
            }
        }
        let all: Vec<String> = left
            .iter()
            .map(|(arg, seen)| match seen {
                true => format!("[{} ...]", arg.once()),
                false => arg.syntax(),
            })
            .collect();
        all.join(" ")
    }
}

impl Arg {
    fn from_reply(about: &Reply, depth: usize) -> Arg {
        let flags = about
            .get("flags")
            .and_then(Reply::items)
            .unwrap_or_default();
        let flag = |name: &str| flags.iter().any(|f| f.bytes() == Some(name.as_bytes()));
        let kind = text(about, "type");
        let token = about.get("token").and_then(Reply::text);
        let under = match depth < DEPTH_MAX {
            true => about
                .get("arguments")
                .and_then(Reply::items)
                .unwrap_or_default(),
            false => &[],
        };
        let under: Vec<Arg> = under
            .iter()
            .map(|a| Arg::from_reply(a, depth + 1))
            .collect();
        let join = |by: &str| under.iter().map(Arg::syntax).collect::<Vec<_>>().join(by);
        let (core, words) = match kind.as_str() {
            "pure-token" => (token.clone().unwrap_or_default(), Some(1)),
            "oneof" => {
                let first = under.first().and_then(|a| a.words);
                let same = under.iter().all(|a| a.words == first);
                (join("|"), first.filter(|_| same))
            }
            "block" => (join(" "), under.iter().map(|a| a.words).sum()),
            _ => {
                let shown = text(about, "display_text");
                let name = if shown.is_empty() {
                    text(about, "name")
                } else {
                    shown
                };
                (name, Some(1))
            }
        };
        let shown = token.clone().filter(|_| kind != "pure-token");
        let multiple = flag("multiple");
        let words = words
            .filter(|_| !multiple)
            .map(|words| words + usize::from(shown.is_some()));
        let openings = match (token, kind.as_str()) {
            (Some(token), _) => vec![(token, words)],
            (None, "oneof") => under.into_iter().flat_map(|a| a.openings).collect(),
            // Its words are those of the whole block.
            (None, "block") => under
                .into_iter()
                .take(1)
                .flat_map(|a| a.openings)
                .map(|(o, _)| (o, words))
                .collect(),
            (None, _) => Vec::new(),
        };
        let token = shown;
        Arg {
            words,
            openings,
            core,
            token,
            optional: flag("optional"),
            multiple,
            multiple_token: flag("multiple_token"),
        }
    }

    fn once(&self) -> String {
        match &self.token {
            Some(token) if self.multiple_token || !self.multiple => {
                format!("{token} {}", self.core)
            }
            _ => self.core.clone(),
        }
    }

    fn syntax(&self) -> String {
        let mut syntax = self.once();
        if self.multiple {
            let once = syntax.clone();
            if let Some(token) = self.token.as_ref().filter(|_| !self.multiple_token) {
                syntax = format!("{token} {once}");
            }
            syntax.push_str(&format!(" [{once} ...]"));
        }
        match self.optional {
            true => format!("[{syntax}]"),
            false => syntax,
        }
    }
}
