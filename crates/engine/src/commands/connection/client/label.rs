//! What a connection is called: CLIENT GETNAME, ID, SETINFO and SETNAME.

use super::SUBCOMMAND;
use crate::commands::connection::is_plain;
use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::spec::{Arg, Command, Outcome, Run};
use ochre_resp::Request;

pub(super) const GETNAME: Command = Command {
    name: "getname",
    summary: "Returns the name of the connection.",
    since: "2.6.9",
    arity: 2,
    run: Run::Session(getname),
    ..SUBCOMMAND
};

fn getname(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let labels = cx.session.client.labels.lock();
    if labels.name.is_empty() {
        cx.out.null();
    } else {
        cx.out.bulk(&labels.name);
    }
    Ok(())
}

pub(super) const ID: Command = Command {
    name: "id",
    summary: "Returns the number of the connection, which no other one ever has.",
    since: "5.0.0",
    arity: 2,
    run: Run::Session(client_id),
    ..SUBCOMMAND
};

fn client_id(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let id = i64::try_from(cx.session.client.id).unwrap_or(i64::MAX);
    cx.out.integer(id);
    Ok(())
}

pub(super) const SETNAME: Command = Command {
    name: "setname",
    summary: "Names the connection; an empty name takes the name away.",
    since: "2.6.9",
    arity: 3,
    args: &[Arg::string("connection-name")],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: Run::Session(setname),
    ..SUBCOMMAND
};

fn setname(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let name = &args[2];
    if !is_plain(name) {
        return Err(CommandError::CLIENT_NAME);
    }
    cx.session.client.labels.lock().name = name.to_vec();
    cx.out.ok();
    Ok(())
}

pub(super) const SETINFO: Command = Command {
    name: "setinfo",
    summary: "Describes the library that the client uses.",
    since: "7.2.0",
    arity: 4,
    args: &[Arg::one_of(
        "attr",
        &[
            Arg::string("libname").token("LIB-NAME"),
            Arg::string("libver").token("LIB-VER"),
        ],
    )],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: Run::Session(setinfo),
    ..SUBCOMMAND
};

fn setinfo(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let (attribute, value) = (&args[2], &args[3]);
    let mut labels = cx.session.client.labels.lock();
    let label = if attribute.eq_ignore_ascii_case(b"LIB-NAME") {
        &mut labels.lib_name
    } else if attribute.eq_ignore_ascii_case(b"LIB-VER") {
        &mut labels.lib_ver
    } else {
        return Err(CommandError::client_attribute(attribute));
    };
    if !is_plain(value) {
        return Err(CommandError::client_attribute_value(attribute));
    }
    *label = value.to_vec();
    cx.out.ok();
    Ok(())
}
