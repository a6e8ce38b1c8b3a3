//! CONFIG: reading and changing settings, writing them to the file, starting the counters over.

use crate::error::CommandError;
use crate::exec::{Endpoint, SessionCx};
use crate::settings::{self, Origin, rewrite};
use crate::spec::{Arg, Command, Flags, Group, Outcome, Run, help};
use ochre_ds::glob::glob_match;
use ochre_resp::Request;

/// Asked of every node, and all have to succeed.
const EVERYWHERE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// What the subcommands have in common.
const SUB: Command = Command {
    since: "2.0.0",
    group: Group::Server,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::LOADING)
        .with(Flags::STALE),
    ..Command::NEW
};

pub(super) const CONFIG: Command = Command {
    name: "config",
    summary: "Groups the commands on settings.",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::NONE,
    subcommands: &[GET, HELP, RESETSTAT, REWRITE, SET],
    run: Run::Container,
    ..SUB
};

/// Whether a connection comes from this machine.
pub(super) fn origin(endpoint: &Endpoint) -> Origin {
    let ip = endpoint.addr.parse().map(|a: std::net::SocketAddr| a.ip());
    let loopback = ip.is_ok_and(|ip| ip.to_canonical().is_loopback());
    if endpoint.unix || loopback {
        Origin::Local
    } else {
        Origin::Remote
    }
}

const GET: Command = Command {
    name: "get",
    summary: "Returns the values of settings.",
    complexity: "O(N) when N is the number of configuration parameters provided",
    arity: -3,
    args: &[Arg::string("parameter").multiple()],
    history: &[("7.0.0", "Takes several patterns.")],
    run: Run::Session(get),
    ..SUB
};

fn get(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let patterns: Vec<&[u8]> = args.tail(2).iter().collect();
    let matches = |pattern: &[u8], name: &[u8]| glob_match(pattern, name, true);
    let found = cx.env.engine.settings.get(&patterns, matches);
    cx.out.map(found.len());
    for (name, value) in found {
        cx.out.bulk(&name);
        cx.out.bulk(&value);
    }
    Ok(())
}

const SET: Command = Command {
    name: "set",
    summary: "Changes settings, all of the given ones or none.",
    complexity: "O(N) when N is the number of configuration parameters provided",
    arity: -4,
    // The hook may rebind listeners.
    flags: SUB.flags.with(Flags::LONG).with(Flags::KEYSPACE),
    args: &[Arg::block("data", &[Arg::string("parameter"), Arg::string("value")]).multiple()],
    history: &[("7.0.0", "Changes several settings at once.")],
    tips: EVERYWHERE,
    secret: Some(secret_values),
    run: Run::Session(set),
    ..SUB
};

/// The values of sensitive settings.
fn secret_values(args: Request<'_>) -> Vec<usize> {
    let is_secret = |at: &usize| {
        let setting = args.get(at - 1).and_then(settings::lookup);
        setting.is_some_and(|setting| setting.flags.has(settings::Flags::SENSITIVE))
    };
    (3..args.len()).step_by(2).filter(is_secret).collect()
}

fn set(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let words: Vec<&[u8]> = args.tail(2).iter().collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CommandError::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    let engine = cx.env.engine;
    let origin = origin(&cx.session.client.endpoint);
    engine
        .settings
        .set(&pairs, origin, &*engine.apply)
        .map_err(|e| CommandError::config_set(&e))?;
    engine.settings_changed(&cx.stripes);
    // The default user's password may be another one: the next request of this batch sees it.
    cx.session.refresh_rules(engine);
    cx.out.ok();
    Ok(())
}

const REWRITE: Command = Command {
    name: "rewrite",
    summary: "Writes the settings to the file that the server was started with.",
    since: "2.8.0",
    arity: 2,
    flags: SUB.flags.with(Flags::LONG),
    tips: EVERYWHERE,
    run: Run::Session(rewrite_file),
    ..SUB
};

fn rewrite_file(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    let file = &engine.settings_file;
    if file.path().is_none() {
        return Err(CommandError::NO_CONFIG_FILE);
    }
    let failed = |e: std::io::Error| CommandError::config_rewrite(&e);
    let old = file.read().map_err(failed)?;
    let new = String::from_utf8(rewrite(
        &engine.settings,
        &engine.user_lines(),
        old.as_bytes(),
    ))
    .map_err(|e| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))?;
    file.write(&new).map_err(failed)?;
    cx.out.ok();
    Ok(())
}

const RESETSTAT: Command = Command {
    name: "resetstat",
    summary: "Starts the counters over.",
    arity: 2,
    tips: EVERYWHERE,
    run: Run::Session(resetstat),
    ..SUB
};

fn resetstat(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    // What this batch counted so far belongs to the time before.
    cx.session.tally.flush(&engine.stats);
    engine.stats.reset(cx.env.now_ms);
    engine.rates.reset();
    cx.out.ok();
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: "5.0.0",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(show_help),
    ..SUB
};

fn show_help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    help(&CONFIG, cx.out);
    Ok(())
}
