//! ACL DELUSER, GETUSER, LIST, SETUSER and USERS.

use super::{EVERYWHERE, SUB};
use crate::exec::{Out, SessionCx};
use crate::spec::{Arg, Command, Outcome, Run};
use ochre_resp::Request;

/// Names and rules.
///
/// compat: as Redis 8; before, GETUSER and DELUSER were shown.
const SECRET: Option<fn(Request<'_>) -> Vec<usize>> = Some(|args| (2..args.len()).collect());

pub(super) const DELUSER: Command = Command {
    name: "deluser",
    secret: SECRET,
    summary: "Deletes users and closes their connections.",
    complexity: "O(1) amortized time considering the typical user.",
    arity: -3,
    args: &[Arg::string("username").multiple()],
    tips: EVERYWHERE,
    run: Run::Session(deluser),
    ..SUB
};

fn deluser(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let names = args.tail(2);
    let count = cx.env.engine.delete_users(cx.session, names.iter())?;
    cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const GETUSER: Command = Command {
    name: "getuser",
    secret: SECRET,
    summary: "Returns the rules of a user.",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    arity: 3,
    args: &[Arg::string("username")],
    history: &[
        ("6.2.0", "Patterns of channels."),
        (
            "7.0.0",
            "Selectors; patterns of keys and channels are one text instead of a list.",
        ),
    ],
    run: Run::Session(getuser),
    ..SUB
};

fn getuser(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let Some(user) = cx.env.engine.acl.user(&args[2]) else {
        cx.out.null();
        return Ok(());
    };
    let (rules, out) = (user.rules(), &mut *cx.out);
    out.map(6);
    out.bulk(b"flags");
    out.set(rules.flags().count());
    rules.flags().for_each(|flag| out.bulk(flag.as_bytes()));
    out.bulk(b"passwords");
    let passwords: Vec<String> = rules.passwords().collect();
    out.array(passwords.len());
    passwords.iter().for_each(|p| out.bulk(p.as_bytes()));
    let mut selectors = rules.permissions().into_iter();
    if let Some(root) = selectors.next() {
        permissions(out, &root);
    }
    out.bulk(b"selectors");
    out.array(selectors.len());
    for selector in selectors {
        out.map(3);
        permissions(out, &selector);
    }
    Ok(())
}

fn permissions(out: &mut Out, texts: &[Vec<u8>; 3]) {
    for (name, text) in ["commands", "keys", "channels"].iter().zip(texts) {
        out.bulk(name.as_bytes());
        out.bulk(text);
    }
}

pub(super) const LIST: Command = Command {
    name: "list",
    summary: "Lists the rules of all users, as an ACL file holds them.",
    arity: 2,
    run: Run::Session(list),
    ..SUB
};

fn list(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let users = cx.env.engine.acl.users();
    cx.out.array(users.len());
    for user in users {
        cx.out.bulk(&user.rules().describe(user.name()));
    }
    Ok(())
}

pub(super) const USERS: Command = Command {
    name: "users",
    summary: "Lists the names of all users.",
    arity: 2,
    run: Run::Session(users),
    ..SUB
};

fn users(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let users = cx.env.engine.acl.users();
    cx.out.array(users.len());
    users.iter().for_each(|user| cx.out.bulk(user.name()));
    Ok(())
}

pub(super) const SETUSER: Command = Command {
    name: "setuser",
    secret: SECRET,
    summary: "Creates a user or changes its rules.",
    complexity: "O(N). Where N is the number of rules provided.",
    arity: -3,
    args: &[
        Arg::string("username"),
        Arg::string("rule").optional().multiple(),
    ],
    history: &[
        ("6.2.0", "Patterns of channels."),
        ("7.0.0", "Selectors, and reading and writing told apart."),
    ],
    tips: EVERYWHERE,
    run: Run::Session(setuser),
    ..SUB
};

fn setuser(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    engine.set_user(&args[2], args.tail(3).iter())?;
    // The next request of this batch is under the new rules already.
    cx.session.refresh_rules(engine);
    cx.out.ok();
    Ok(())
}
