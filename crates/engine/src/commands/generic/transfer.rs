//! Giving a value another name, another database, or both.
//!
//! Source and destination are both in the plan, so both stripes are held and nobody sees the value
//! at two names or at none. A destination in another database is planned through `Command::elsewhere`,
//! which reads the same options as the handler.

use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

const MOVED: Access = Access::RW.with(Access::ACCESS).with(Access::DELETE);
const TWO_NAMES: &[Arg] = &[Arg::key("key"), Arg::key("newkey").of_spec(1)];

pub(super) const RENAME: Command = Command {
    name: "rename",
    summary: "Renames a key, replacing what has the new name.",
    group: Group::Generic,
    arity: 3,
    categories: Categories::KEYSPACE,
    keys: &[key(1).access(MOVED), key(2).overwrite()],
    args: TWO_NAMES,
    run: Run::Write(rename),
    ..Command::NEW
};

fn rename(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if !cx.keys.exists(0) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    if args[1] != args[2] {
        give_name(cx)?;
    }
    cx.out.ok();
    Ok(())
}

/// Moves the first key's value to the second key.
fn give_name(cx: &mut WriteCx<'_>) -> Outcome {
    let before = cx.keys.type_name(1);
    cx.keys.relocate(0, 1)?;
    cx.notify_new(1);
    cx.notify(EventClasses::GENERIC, "rename_from", 0);
    cx.notify(EventClasses::GENERIC, "rename_to", 1);
    cx.notify_replaced(1, before);
    Ok(())
}

pub(super) const RENAMENX: Command = Command {
    name: "renamenx",
    summary: "Renames a key unless the new name is taken.",
    group: Group::Generic,
    arity: 3,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE,
    keys: &[
        key(1).access(MOVED),
        key(2).access(Access::OW.with(Access::INSERT)),
    ],
    args: TWO_NAMES,
    history: &[("3.2.0", "Renaming a key to its own name is no error.")],
    run: Run::Write(renamenx),
    ..Command::NEW
};

fn renamenx(cx: &mut WriteCx<'_>, _: Request<'_>) -> Outcome {
    if !cx.keys.exists(0) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let free = !cx.keys.exists(1);
    if free {
        give_name(cx)?;
    }
    cx.out.integer(i64::from(free));
    Ok(())
}

pub(super) const COPY: Command = Command {
    name: "copy",
    summary: "Copies a value to another key.",
    since: "6.2.0",
    group: Group::Generic,
    complexity: "O(N) in the size of a collection, O(1) for strings.",
    arity: -3,
    flags: Flags::DENYOOM,
    categories: Categories::KEYSPACE,
    keys: &[key(1).read(), key(2).overwrite()],
    elsewhere: Some(copy_elsewhere),
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        Arg::integer("destination-db").token("DB").optional(),
        Arg::word("replace", "REPLACE").optional(),
    ],
    run: Run::Write(copy),
    ..Command::NEW
};

#[derive(Clone, Copy, Default)]
struct CopyOptions {
    db: Option<usize>,
    replace: bool,
}

impl CopyOptions {
    /// Reads the options; of several databases the last counts, but each must exist.
    fn parse(args: Request<'_>, databases: usize) -> Result<CopyOptions, CommandError> {
        let mut options = CopyOptions::default();
        let mut rest = args.tail(3).iter();
        while let Some(word) = rest.next() {
            if word.eq_ignore_ascii_case(b"REPLACE") {
                options.replace = true;
            } else if word.eq_ignore_ascii_case(b"DB")
                && let Some(db) = rest.next()
            {
                options.db = Some(database(db, databases)?);
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn copy_elsewhere(args: Request<'_>) -> Option<(usize, usize)> {
    let db = CopyOptions::parse(args, usize::MAX).ok()?.db?;
    Some((2, db))
}

fn copy(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let options = CopyOptions::parse(args, cx.env.engine.keyspace.count())?;
    if options.db.is_none_or(|db| db == cx.env.db) && args[1] == args[2] {
        return Err(CommandError::SAME_OBJECT);
    }
    let to = if options.db.is_some() { 2 } else { 1 };
    let value = if cx.keys.exists(0) && (options.replace || !cx.keys.exists(to)) {
        cx.keys.duplicate(0)
    } else {
        None
    };
    let copied = value.is_some();
    if let Some(value) = value {
        let before = cx.keys.type_name(to);
        cx.keys.put(to, value)?;
        let clock = cx.keys.rule().fresh();
        cx.keys.set_access_clock(to, clock);
        cx.notify_new(to);
        cx.notify(EventClasses::GENERIC, "copy_to", to);
        cx.notify_replaced(to, before);
    }
    cx.out.integer(i64::from(copied));
    Ok(())
}

pub(super) const MOVE: Command = Command {
    name: "move",
    summary: "Moves a key to another database unless it is there already.",
    group: Group::Generic,
    arity: 3,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))],
    elsewhere: Some(move_elsewhere),
    args: &[Arg::key("key"), Arg::integer("db")],
    run: Run::Write(move_key),
    ..Command::NEW
};

fn move_elsewhere(args: Request<'_>) -> Option<(usize, usize)> {
    let db = database(args.get(2)?, usize::MAX).ok()?;
    Some((1, db))
}

fn move_key(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let db = database(&args[2], cx.env.engine.keyspace.count())?;
    if db == cx.env.db {
        return Err(CommandError::SAME_OBJECT);
    }
    let moves = cx.keys.exists(0) && !cx.keys.exists(1);
    if moves {
        cx.keys.relocate(0, 1)?;
        cx.notify_new(1);
        cx.notify(EventClasses::GENERIC, "move_from", 0);
        cx.notify(EventClasses::GENERIC, "move_to", 1);
    }
    cx.out.integer(i64::from(moves));
    Ok(())
}

/// A database index below `count`.
fn database(text: &[u8], count: usize) -> Result<usize, CommandError> {
    let n = parse_i64(text).ok_or(CommandError::NOT_INTEGER)?;
    let n = i32::try_from(n).map_err(|_| CommandError::DB_NOT_INT32)?;
    usize::try_from(n)
        .ok()
        .filter(|n| *n < count)
        .ok_or(CommandError::DB_RANGE)
}
