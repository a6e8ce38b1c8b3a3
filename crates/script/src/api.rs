//! The table `redis`, which is also called `server`: what scripts ask of the server.
//!
//! Functions that need the running command are operations, answered by [`Run`]; the others are plain functions.

use crate::library::Registration;
use crate::{answer, reply};
use ochre_engine::ports::LogLevel;
use ochre_lua::{Args, Interface, Kind, Native, Raise, Stack, Verdict};
use ochre_resp::{Protocol, Request, RequestBuf};
use sha1::{Digest, Sha1};

/// What a running script asks for.
pub trait Host {
    /// Runs a command for the script. The reply, an error included, is in `protocol` and stays until the next call.
    ///
    /// # Errors
    /// When the script cannot go on, which it does not notice.
    fn call(&mut self, request: Request<'_>, protocol: Protocol) -> Result<&[u8], &'static str>;
    /// Writes a line to the server's log.
    fn log(&mut self, level: LogLevel, message: &[u8]);
    /// Whether the user may run a command; `None` if there is no such command.
    fn may(&mut self, request: Request<'_>) -> Option<bool>;
    /// What the script answers is this error, or has it in it; `counted` if it is a command's, and was counted with it.
    fn failed(&mut self, error: &[u8], counted: bool);
    /// Where the effects of the commands from here on go.
    fn replicate(&mut self, to: Replication);
    /// Called every 100000 instructions or so.
    fn tick(&mut self) -> Verdict;
}

/// Where effects go: `redis.set_repl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replication {
    /// Into the append-only file.
    pub file: bool,
    /// To replicas.
    pub replicas: bool,
}

const CALL: u32 = 0;
const PCALL: u32 = 1;
const LOG: u32 = 2;
const SETRESP: u32 = 3;
const SET_REPL: u32 = 4;
const MAY: u32 = 5;
const REGISTER: u32 = 6;

const OPERATIONS: &[(&str, u32)] = &[
    ("call", CALL),
    ("pcall", PCALL),
    ("log", LOG),
    ("setresp", SETRESP),
    ("set_repl", SET_REPL),
    ("acl_check_cmd", MAY),
];

const FUNCTIONS: &[(&str, Native)] = &[
    ("error_reply", error_reply),
    ("status_reply", status_reply),
    ("sha1hex", sha1hex),
];

/// Functions that only EVAL has.
const EVAL_FUNCTIONS: &[(&str, Native)] = &[
    ("replicate_commands", |_, stack| {
        stack.push_boolean(true)?;
        Ok(1)
    }),
    // There is no debugger to stop at.
    ("breakpoint", |_, stack| {
        stack.push_boolean(false)?;
        Ok(1)
    }),
    ("debug", |_, _| Ok(0)),
];

const REPL_AOF: i64 = 1;
const REPL_REPLICA: i64 = 2;

const LEVELS: &[(&str, LogLevel)] = &[
    ("LOG_DEBUG", LogLevel::Debug),
    ("LOG_VERBOSE", LogLevel::Verbose),
    ("LOG_NOTICE", LogLevel::Notice),
    ("LOG_WARNING", LogLevel::Warning),
];

/// Which functions the table has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// All but registration: for EVAL.
    Eval,
    /// For functions that run.
    Function,
    /// For libraries that are loaded.
    Load,
}

/// Pushes the table `redis`.
pub(crate) fn table(stack: &mut Stack<'_>, part: Part) -> Result<(), Raise> {
    stack.new_table(0, 32)?;
    let table = stack.top();
    for (name, number) in OPERATIONS {
        if part != Part::Load || *number == LOG {
            stack.push_operation(*number)?;
            stack.set_field(table, name)?;
        }
    }
    let mut natives = |functions: &[(&str, Native)]| {
        for (name, function) in functions {
            stack.push_native(*function)?;
            stack.set_field(table, name)?;
        }
        Ok(())
    };
    if part != Part::Load {
        natives(FUNCTIONS)?;
    }
    if part == Part::Eval {
        natives(EVAL_FUNCTIONS)?;
    }
    if part == Part::Load {
        stack.push_operation(REGISTER)?;
        stack.set_field(table, "register_function")?;
    }
    for (number, (name, _)) in LEVELS.iter().enumerate() {
        #[allow(clippy::cast_precision_loss)] // 0 to 3
        stack.push_number(number as f64)?;
        stack.set_field(table, name)?;
    }
    if part != Part::Load {
        for (name, value) in [
            ("NONE", 0.0),
            ("AOF", 1.0),
            ("REPLICA", 2.0),
            ("SLAVE", 2.0),
            ("ALL", 3.0),
        ] {
            stack.push_number(value)?;
            stack.set_field(table, &format!("REPL_{name}"))?;
        }
    }
    let version = ochre_engine::REDIS_VERSION;
    let number = version
        .split('.')
        .fold(0u32, |number, part| number << 8 | part.parse().unwrap_or(0));
    stack.push_bytes(version.as_bytes())?;
    stack.set_field(table, "REDIS_VERSION")?;
    stack.push_number(f64::from(number))?;
    stack.set_field(table, "REDIS_VERSION_NUM")?;
    stack.push_bytes(b"ochre")?;
    stack.set_field(table, "SERVER_NAME")
}

/// One run of a script: what its operations need.
pub(crate) struct Run<'h> {
    pub(crate) host: &'h mut dyn Host,
    /// The arguments of the command being called.
    pub(crate) request: &'h mut RequestBuf,
    pub(crate) protocol: Protocol,
    /// What a library that is being loaded registers.
    pub(crate) registration: Option<&'h mut Registration>,
}

/// An error of the server's own functions: a table, as those of commands are.
pub(crate) fn fail(stack: &mut Stack<'_>, text: &str) -> Raise {
    match reply::push_error(stack, format!("ERR {text}").as_bytes(), false) {
        Ok(()) => Raise::Top,
        Err(raise) => raise,
    }
}

impl Interface for Run<'_> {
    fn operation(
        &mut self,
        number: u32,
        args: Args<'_>,
        stack: &mut Stack<'_>,
    ) -> Result<u32, Raise> {
        match number {
            CALL => self.call(args, stack, true),
            PCALL => self.call(args, stack, false),
            LOG => self.log(args, stack),
            SETRESP => self.set_protocol(args, stack),
            SET_REPL => self.set_replication(args, stack),
            MAY => self.may(args, stack),
            REGISTER => match &mut self.registration {
                Some(registration) => registration.register(args, stack),
                None => Err(fail(
                    stack,
                    "redis.register_function can only be called on FUNCTION LOAD command",
                )),
            },
            _ => Err(Raise::at("unknown operation")),
        }
    }

    fn tick(&mut self) -> Verdict {
        self.host.tick()
    }
}

impl Run<'_> {
    /// Gathers a command; what is wrong with it otherwise.
    fn gather(&mut self, args: Args<'_>) -> Result<(), &'static str> {
        if args.is_empty() {
            return Err("Please specify at least one argument for this redis lib call");
        }
        self.request.clear();
        for index in 1..=args.len() {
            if let Some(bytes) = args.bytes(index) {
                self.request.push(bytes);
            } else if let Some(number) = args.number(index) {
                push_number(self.request, number);
            } else {
                return Err("Lua redis lib command arguments must be strings or integers");
            }
        }
        Ok(())
    }

    #[inline]
    fn call(&mut self, args: Args<'_>, stack: &mut Stack<'_>, raises: bool) -> Result<u32, Raise> {
        if let Err(text) = self.gather(args) {
            let raise = fail(stack, text);
            return if raises || raise != Raise::Top {
                Err(raise)
            } else {
                Ok(1)
            };
        }
        let reply = self
            .host
            .call(self.request.as_request(), self.protocol)
            .map_err(Raise::Stop)?;
        let failed = reply.first() == Some(&b'-');
        if !failed && !args.takes_result() {
            return Ok(0);
        }
        reply::push(stack, reply)?;
        if failed && raises {
            Err(Raise::Top)
        } else {
            Ok(1)
        }
    }

    fn log(&mut self, args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
        if args.len() < 2 {
            return Err(fail(stack, "redis.log() requires two arguments or more."));
        }
        let Some(level) = args.to_number(1) else {
            return Err(fail(stack, "First argument must be a number (log level)."));
        };
        #[allow(clippy::cast_possible_truncation)] // Lua's cast
        let level = usize::try_from(level as i64)
            .ok()
            .and_then(|level| LEVELS.get(level));
        let Some((_, level)) = level else {
            return Err(fail(stack, "Invalid log level."));
        };
        let mut message = Vec::new();
        for index in 2..=args.len() {
            if let Some(text) = args.text(index) {
                if !message.is_empty() {
                    message.push(b' ');
                }
                stack.afford(message.len() + text.len())?;
                message.extend_from_slice(&text);
            }
        }
        self.host.log(*level, &message);
        Ok(0)
    }

    fn set_protocol(&mut self, args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
        if args.len() != 1 {
            return Err(fail(stack, "redis.setresp() requires one argument."));
        }
        #[allow(clippy::float_cmp)] // 2 and 3 are exact
        match args.to_number(1).map(f64::trunc) {
            Some(2.0) => self.protocol = Protocol::Resp2,
            Some(3.0) => self.protocol = Protocol::Resp3,
            _ => return Err(fail(stack, "RESP version must be 2 or 3.")),
        }
        Ok(0)
    }

    fn set_replication(&mut self, args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
        if args.len() != 1 {
            return Err(fail(stack, "redis.set_repl() requires one argument."));
        }
        #[allow(clippy::cast_possible_truncation)] // Lua's cast
        let flags = args.to_number(1).unwrap_or(0.0) as i64;
        if flags & !(REPL_AOF | REPL_REPLICA) != 0 {
            return Err(fail(
                stack,
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            ));
        }
        self.host.replicate(Replication {
            file: flags & REPL_AOF != 0,
            replicas: flags & REPL_REPLICA != 0,
        });
        Ok(0)
    }

    fn may(&mut self, args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
        if let Err(text) = self.gather(args) {
            return Err(fail(stack, text));
        }
        let Some(allowed) = self.host.may(self.request.as_request()) else {
            return Err(fail(
                stack,
                "Invalid command passed to redis.acl_check_cmd()",
            ));
        };
        stack.push_boolean(allowed)?;
        Ok(1)
    }
}

/// A number as the argument of a command: an integer where it is one, else its shortest digits.
fn push_number(request: &mut RequestBuf, number: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, clippy::float_cmp)] // compared first
    if number.abs() <= EXACT && number.trunc() == number {
        return request.push(itoa::Buffer::new().format(number as i64).as_bytes());
    }
    let mut text = Vec::with_capacity(24);
    if number.is_nan() && number.is_sign_negative() {
        text.push(b'-');
    }
    ochre_resp::write_double(&mut text, number);
    request.push(&text);
}

fn error_reply(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let (1, Some(given)) = (args.len(), args.bytes(1)) else {
        reply::push_error(stack, b"ERR wrong number or type of arguments", false)?;
        return Ok(1);
    };
    let given = answer::ended(given);
    let text = given.strip_prefix(b"-").unwrap_or(given);
    if text.contains(&b' ') {
        reply::push_error(stack, text, false)?;
    } else {
        // A text of one word has no code, and no line ends before it.
        let first = text.iter().position(|b| !matches!(b, b'\r' | b'\n'));
        let text = &text[first.unwrap_or(text.len())..];
        reply::push_error(stack, &[b"ERR ", text].concat(), false)?;
    }
    Ok(1)
}

fn status_reply(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let (1, Kind::String) = (args.len(), args.kind(1)) else {
        reply::push_error(stack, b"ERR wrong number or type of arguments", false)?;
        return Ok(1);
    };
    stack.new_table(0, 1)?;
    let table = stack.top();
    stack.copy(1)?;
    stack.set_field(table, "ok")?;
    Ok(1)
}

fn sha1hex(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    if args.len() != 1 {
        return Err(fail(stack, "wrong number of arguments"));
    }
    // compat: what is no text counts as an empty one.
    let text = args.text(1).unwrap_or_default();
    stack.charge(text.len() / 4);
    stack.push_bytes(&hex(&digest(&text)))?;
    Ok(1)
}

/// SHA-1 of a script's text, by which it is known.
pub type Sha = [u8; 20];

/// The SHA-1 of `text`.
#[must_use]
pub fn digest(text: &[u8]) -> Sha {
    let mut sha = Sha::default();
    sha.copy_from_slice(Sha1::digest(text).as_slice());
    sha
}

/// Forty hexadecimal digits.
#[must_use]
pub fn hex(sha: &Sha) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 40];
    for (at, byte) in sha.iter().enumerate() {
        text[2 * at] = DIGITS[usize::from(byte >> 4)];
        text[2 * at + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// The SHA-1 that forty hexadecimal digits of any case spell.
#[must_use]
pub fn parse_sha(text: &[u8]) -> Option<Sha> {
    const NO_DIGIT: u8 = 0xFF;
    const VALUES: [u8; 256] = {
        let mut values = [NO_DIGIT; 256];
        let digits = b"0123456789ABCDEF";
        let mut value = 0;
        while value < 16 {
            values[digits[value as usize] as usize] = value;
            values[digits[value as usize].to_ascii_lowercase() as usize] = value;
            value += 1;
        }
        values
    };
    let mut sha = Sha::default();
    if text.len() != 2 * sha.len() {
        return None;
    }
    let mut seen = 0;
    for (byte, pair) in sha.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    (seen < 16).then_some(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_bytes() {
        let sha: Sha = std::array::from_fn(|at| u8::try_from(at * 13 % 256).expect("a byte"));
        let text = hex(&sha);
        assert_eq!(parse_sha(&text), Some(sha));
        assert_eq!(parse_sha(&text.to_ascii_uppercase()), Some(sha));
        assert_eq!(parse_sha(&text[1..]), None);
        for (at, byte) in (0..text.len()).flat_map(|at| b"g/:@`G \xFF".map(|byte| (at, byte))) {
            let mut wrong = text;
            wrong[at] = byte;
            assert_eq!(parse_sha(&wrong), None);
        }
    }
}
