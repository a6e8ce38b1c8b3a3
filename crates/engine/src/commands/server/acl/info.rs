//! ACL CAT, DRYRUN, GENPASS and WHOAMI: questions that change nobody.

use super::{OPEN, SUB};
use crate::acl::hex;
use crate::error::CommandError;
use crate::exec::{SessionCx, wrong_arity};
use crate::ports::LogLevel;
use crate::spec::{Arg, Categories, Command, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const CAT: Command = Command {
    name: "cat",
    summary: "Lists the categories, or the commands of one.",
    complexity: "O(1) since the categories and commands are a fixed set.",
    arity: -2,
    flags: OPEN,
    args: &[Arg::string("category").optional()],
    run: Run::Session(cat),
    ..SUB
};

fn cat(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(CommandError::subcommand_syntax("ACL", &args[1]));
    }
    let Some(name) = args.get(2) else {
        cx.out.array(Categories::NAMED.len());
        let names = Categories::NAMED.iter();
        names.for_each(|(_, name)| cx.out.bulk(name.as_bytes()));
        return Ok(());
    };
    let category = Categories::named(name).ok_or_else(|| CommandError::acl_category(name))?;
    let entries = cx.env.engine.lookup.entries().iter();
    let members = entries.filter(|e| e.command.all_categories().has(category));
    let names: Vec<String> = members.map(|e| e.full_name()).collect();
    cx.out.array(names.len());
    names.iter().for_each(|n| cx.out.bulk(n.as_bytes()));
    Ok(())
}

pub(super) const DRYRUN: Command = Command {
    name: "dryrun",
    summary: "Says whether a user may make a request, without making it.",
    since: "7.0.0",
    complexity: "O(1).",
    arity: -4,
    args: &[
        Arg::string("username"),
        Arg::string("command"),
        Arg::string("arg").optional().multiple(),
    ],
    run: Run::Session(dryrun),
    ..SUB
};

fn dryrun(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    let user = engine.acl.user(&args[2]);
    let user = user.ok_or_else(|| CommandError::acl_no_user(&args[2]))?;
    let request = args.tail(3);
    let named = engine.lookup.named(request);
    let entry = named.map_err(|_| CommandError::acl_no_command(&request[0]))?;
    if !entry.command.accepts(request.len()) {
        return Err(wrong_arity(&entry.full_name()));
    }
    match user.rules().check(&entry, request) {
        Ok(()) => cx.out.ok(),
        Err(denied) => cx.out.bulk(&denied.details(&user, &entry, request)),
    }
    Ok(())
}

/// Bits of a password when no number is given.
const PASSWORD_BITS: i64 = 256;
/// Most bits of a password.
const PASSWORD_BITS_MAX: i64 = 4096;

pub(super) const GENPASS: Command = Command {
    name: "genpass",
    summary: "Returns a password that nobody can guess.",
    complexity: "O(1)",
    arity: -2,
    flags: OPEN,
    args: &[Arg::integer("bits").optional()],
    run: Run::Session(genpass),
    ..SUB
};

fn genpass(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(CommandError::subcommand_syntax("ACL", &args[1]));
    }
    let bits = match args.get(2) {
        None => PASSWORD_BITS,
        Some(bits) => parse_i64(bits).ok_or(CommandError::NOT_INTEGER)?,
    };
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        return Err(CommandError::ACL_GENPASS);
    }
    // Lossless: at most PASSWORD_BITS_MAX / 4.
    let digits = (bits as usize).div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    let runtime = &cx.env.engine.runtime;
    runtime.entropy(&mut bytes).map_err(|error| {
        runtime.log(LogLevel::Warning, &format!("No random numbers: {error}"));
        CommandError::ACL_NO_ENTROPY
    })?;
    cx.out.bulk(&hex(&bytes).as_bytes()[..digits]);
    Ok(())
}

pub(super) const WHOAMI: Command = Command {
    name: "whoami",
    summary: "Returns the name of the user that the connection acts for.",
    complexity: "O(1)",
    arity: 2,
    flags: OPEN,
    run: Run::Session(whoami),
    ..SUB
};

fn whoami(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.out.bulk(cx.session.user.name());
    Ok(())
}
