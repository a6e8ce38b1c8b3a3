//! `--table`: requests to a server's table front, from the command line or a line each from the standard input.
//!
//! Values are written as they are shown: `5`, `1.5`, `true`, `false`, `empty`, and quoted strings; `b"\xff"` are bytes, and
//! any other word is a string, too.
//!
//! Does not have what only RESP has: users, databases, Unix sockets, and the formats of its replies.

use crate::format::{Style, quoted};
use crate::options::{Options, unquote};
use crate::session::write_out;
use ochre_table::client::{ClientError, Config};
use ochre_table::{Client, CommandRequest, CommandResponse, Kvpair, Value, ValueRef};
use std::future::poll_fn;
use std::io::{BufRead as _, IsTerminal as _};
use std::pin::Pin;
use std::process::ExitCode;

const HELP: &str = "\
hget TABLE KEY                 hset TABLE KEY VALUE                  hdel TABLE KEY
hmget TABLE KEY...             hmset TABLE KEY VALUE...              hmdel TABLE KEY...
hexist TABLE KEY               hmexist TABLE KEY...                  hgetall TABLE
publish TOPIC VALUE...         subscribe TOPIC                       unsubscribe TOPIC ID
Values: 5, 1.5, true, false, empty, \"a string\", b\"\\xff\"; every other word is a string.
";

/// What a line asks for.
enum Asked {
    Request(CommandRequest),
    Subscribe(String),
}

/// Runs the command of the options, or those of the standard input.
pub(crate) async fn run(options: Options) -> ExitCode {
    let client = match connect(&options).await {
        Ok(client) => client,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    if options.words.is_empty() {
        return lines(&client, &options).await;
    }
    let mut left = options.repeat;
    while left != Some(0) {
        if !command(&client, &options, &options.words).await {
            return ExitCode::FAILURE;
        }
        left = left.map(|n| n - 1);
        if let Some(interval) = options.interval
            && left != Some(0)
        {
            tokio::time::sleep(interval).await;
        }
    }
    ExitCode::SUCCESS
}

async fn connect(options: &Options) -> Result<Client, String> {
    if let Some(option) = options.only_resp() {
        return Err(format!("{option} is not supported with --table"));
    }
    let place = options.place();
    let tls = match options.tls_config()? {
        Some(tls) => Some(tls.rustls(&options.host).await.map_err(|e| e.to_string())?),
        None => None,
    };
    let config = Config {
        tls,
        ..Config::new(place.as_str())
    };
    let connected = Client::connect(config).await;
    connected.map_err(|e| format!("Could not connect to the table front at {place}: {e}"))
}

/// A command a line, until the end or `quit`.
async fn lines(client: &Client, options: &Options) -> ExitCode {
    if std::io::stdin().is_terminal() {
        return prompt(client, options).await;
    }
    for line in std::io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                eprintln!("Error: {error}");
                return ExitCode::FAILURE;
            }
        };
        match take(client, options, &line).await {
            Some(good) if good || !options.fail => {}
            Some(_) => return ExitCode::FAILURE,
            None => break,
        }
    }
    ExitCode::SUCCESS
}

async fn prompt(client: &Client, options: &Options) -> ExitCode {
    let mut editor = match rustyline::DefaultEditor::new() {
        Ok(editor) => editor,
        Err(error) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let prompt = format!("{} (tables)> ", options.place());
    while let Ok(line) = editor.readline(&prompt) {
        // A history that cannot be kept is no reason to stop working.
        let _ = editor.add_history_entry(&line);
        if take(client, options, &line).await.is_none() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Does what a line says; `None` at `quit`, else whether it was done.
async fn take(client: &Client, options: &Options, line: &str) -> Option<bool> {
    let Some(words) = split(line) else {
        eprintln!("Invalid argument(s)");
        return Some(false);
    };
    match words.first().map(Vec::as_slice) {
        None => Some(true),
        Some(b"quit" | b"exit") => None,
        Some(b"help") => {
            write_out(HELP.as_bytes());
            Some(true)
        }
        Some(_) => Some(command(client, options, &words).await),
    }
}

/// The words of a line; quotes stay, as they tell a string from a number.
fn split(line: &str) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), Vec::new(), false, false);
    for byte in line.trim().bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(byte);
    }
    words.extend((!word.is_empty()).then_some(word));
    (!quoted).then_some(words)
}

/// Runs one command and shows its response. Whether it was done.
async fn command(client: &Client, options: &Options, words: &[Vec<u8>]) -> bool {
    match parse(words) {
        Err(text) => {
            eprintln!("(error) {text}");
            false
        }
        Ok(Asked::Subscribe(topic)) => listen(client, options, topic).await,
        Ok(Asked::Request(request)) => match client.execute(&request).await {
            Ok(response) => {
                write_out(shown(&response, options.style).as_bytes());
                response.is_ok() || !options.fail
            }
            Err(error) => {
                eprintln!("Error: {error}");
                false
            }
        },
    }
}

/// Shows the messages of a topic until the connection fails or Ctrl-C.
async fn listen(client: &Client, options: &Options, topic: String) -> bool {
    let mut messages = match client.subscribe(topic).await {
        Ok(messages) => messages,
        Err(error) => {
            eprintln!("Error: {error}");
            return false;
        }
    };
    loop {
        let next = poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut messages), cx));
        tokio::select! {
            message = next => match message {
                Some(Ok(values)) => {
                    let response = CommandResponse::from(values);
                    write_out(shown(&response, options.style).as_bytes());
                }
                Some(Err(ClientError::Refused(end))) if end.is_ok() => return true,
                Some(Err(error)) => {
                    eprintln!("Error: {error}");
                    return false;
                }
                None => return true,
            },
            _ = tokio::signal::ctrl_c() => return true,
        }
    }
}

/// The commands that [`parse`] knows.
#[rustfmt::skip]
const NAMES: [&str; 12] = [
    "hget", "hgetall", "hmget", "hset", "hmset", "hdel", "hmdel", "hexist", "hmexist",
    "subscribe", "unsubscribe", "publish",
];

fn parse(words: &[Vec<u8>]) -> Result<Asked, String> {
    let text = |word: &Vec<u8>| {
        let plain = match word.first() {
            Some(b'"') => unquote(word).ok_or("Invalid quoted string")?,
            _ => word.clone(),
        };
        String::from_utf8(plain).map_err(|_| "Tables, keys and topics are UTF-8".to_owned())
    };
    let name = String::from_utf8_lossy(&words[0]).to_lowercase();
    if !NAMES.contains(&name.as_str()) {
        return Err(format!("Unknown command '{name}'; try help"));
    }
    let number = || format!("Wrong number of arguments for '{name}'");
    let first = text(words.get(1).ok_or_else(number)?)?;
    let rest = &words[2..];
    let keys = || rest.iter().map(text).collect::<Result<Vec<_>, _>>();
    let request = match (name.as_str(), rest) {
        ("subscribe", []) => return Ok(Asked::Subscribe(first)),
        ("hgetall", []) => CommandRequest::new_hgetall(first),
        ("hget", [key]) => CommandRequest::new_hget(first, text(key)?),
        ("hset", [key, new]) => CommandRequest::new_hset(first, text(key)?, value(new)?),
        ("hdel", [key]) => CommandRequest::new_hdel(first, text(key)?),
        ("hexist", [key]) => CommandRequest::new_hexist(first, text(key)?),
        ("hmget", [_, ..]) => CommandRequest::new_hmget(first, keys()?),
        ("hmdel", [_, ..]) => CommandRequest::new_hmdel(first, keys()?),
        ("hmexist", [_, ..]) => CommandRequest::new_hmexist(first, keys()?),
        ("hmset", [_, ..]) if rest.len().is_multiple_of(2) => {
            let pair = |pair: &[Vec<u8>]| Ok(Kvpair::new(text(&pair[0])?, value(&pair[1])?));
            let pairs = rest.chunks(2).map(pair).collect::<Result<Vec<_>, String>>();
            CommandRequest::new_hmset(first, pairs?)
        }
        ("publish", [_, ..]) => {
            let values = rest.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            CommandRequest::new_publish(first, values)
        }
        ("unsubscribe", [id]) => {
            let id = text(id)?.parse().map_err(|_| "The id is a number")?;
            CommandRequest::new_unsubscribe(first, id)
        }
        _ => return Err(number()),
    };
    Ok(Asked::Request(request))
}

/// The value that a word stands for.
fn value(word: &Vec<u8>) -> Result<Value, String> {
    let bad = || "Invalid quoted string".to_owned();
    if let Some(bytes) = word
        .strip_prefix(b"b")
        .filter(|rest| rest.first() == Some(&b'"'))
    {
        return Ok(unquote(bytes).ok_or_else(bad)?.into());
    }
    if word.first() == Some(&b'"') {
        let text = String::from_utf8(unquote(word).ok_or_else(bad)?);
        return text
            .map(Value::from)
            .map_err(|_| "Strings are UTF-8; write b\"…\"".to_owned());
    }
    let Ok(text) = std::str::from_utf8(word) else {
        return Ok(word.as_slice().into());
    };
    Ok(match text {
        "true" => true.into(),
        "false" => false.into(),
        "empty" => Value::default(),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(n), _) => n.into(),
            (_, Ok(n)) => n.into(),
            _ => text.into(),
        },
    })
}

/// A response as text, a line for each value or pair.
fn shown(response: &CommandResponse, style: Style) -> String {
    if !response.is_ok() {
        return format!("(error) {} {}\n", response.status, response.message);
    }
    let mut lines: Vec<String> = Vec::new();
    lines.extend(
        response
            .values
            .iter()
            .map(|value| of_value(value.into(), style)),
    );
    lines.extend(response.pairs.iter().map(|pair| {
        let key = of_value(ValueRef::String(&pair.key), style);
        format!("{key} {}", of_value(pair.value_ref(), style))
    }));
    if lines.is_empty() {
        lines.push("OK".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn of_value(value: ValueRef<'_>, style: Style) -> String {
    let in_quotes = |bytes: &[u8]| {
        let mut out = Vec::new();
        quoted(bytes, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    match value {
        ValueRef::String(text) if style == Style::Raw => text.to_owned(),
        ValueRef::String(text) => in_quotes(text.as_bytes()),
        ValueRef::Binary(bytes) => format!("b{}", in_quotes(bytes)),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Float(n) => format!("{n:?}"),
        ValueRef::Bool(b) => b.to_string(),
        ValueRef::Empty => "empty".to_owned(),
    }
}
