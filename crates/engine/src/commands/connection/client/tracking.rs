//! Client-side caching: CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO.
//!
//! Invariant: no prefix of a connection begins with another one of its prefixes, but for what a later CLIENT TRACKING ON
//! BCAST without prefixes adds.

use super::SUBCOMMAND;
use crate::error::CommandError;
use crate::exec::{Session, SessionCx, Tracker, TrackingMode, Tracks};
use crate::spec::{Arg, Command, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const TRACKING: Command = Command {
    name: "tracking",
    summary: "Has the connection, or another one, be told of changes to keys that it may have cached.",
    since: "6.0.0",
    complexity: "O(1). Some options may introduce additional complexity.",
    arity: -3,
    args: &[
        Arg::one_of("status", &[Arg::word("on", "ON"), Arg::word("off", "OFF")]),
        Arg::integer("client-id").token("REDIRECT").optional(),
        Arg::string("prefix")
            .token("PREFIX")
            .optional()
            .multiple()
            .multiple_token(),
        Arg::word("bcast", "BCAST").optional(),
        Arg::word("optin", "OPTIN").optional(),
        Arg::word("optout", "OPTOUT").optional(),
        Arg::word("noloop", "NOLOOP").optional(),
    ],
    run: Run::Session(tracking),
    ..SUBCOMMAND
};

/// What CLIENT TRACKING is given behind ON or OFF.
#[derive(Default)]
struct Options<'a> {
    redirect: u64,
    prefixes: Vec<&'a [u8]>,
    bcast: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
}

impl<'a> Options<'a> {
    fn parse(cx: &SessionCx<'_>, args: Request<'a>) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        let mut words = args.tail(3).iter();
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("REDIRECT") {
                let id = words.next().ok_or(CommandError::SYNTAX)?;
                if options.redirect != 0 {
                    return Err(CommandError::REDIRECT_TWICE);
                }
                let id = parse_i64(id).ok_or(CommandError::NOT_INTEGER)?;
                let client = u64::try_from(id)
                    .ok()
                    .and_then(|id| cx.env.engine.clients.get(id));
                options.redirect = client.ok_or(CommandError::REDIRECT_NOBODY)?.id;
            } else if is("PREFIX") {
                options
                    .prefixes
                    .push(words.next().ok_or(CommandError::SYNTAX)?);
            } else if is("BCAST") {
                options.bcast = true;
            } else if is("OPTIN") {
                options.optin = true;
            } else if is("OPTOUT") {
                options.optout = true;
            } else if is("NOLOOP") {
                options.noloop = true;
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }

    /// The mode asked for, if it goes with the other options and with the mode that is on.
    fn mode(&self, before: Option<&Tracks>) -> Result<TrackingMode, CommandError> {
        let before = before.map(|tracks| tracks.tracker.mode);
        if !self.bcast && !self.prefixes.is_empty() {
            return Err(CommandError::PREFIX_WITHOUT_BCAST);
        }
        if before.is_some_and(|mode| self.bcast != (mode == TrackingMode::Broadcast)) {
            return Err(CommandError::BCAST_SWITCH);
        }
        if self.bcast && (self.optin || self.optout) {
            return Err(CommandError::BCAST_WITH_OPT);
        }
        if self.optin && self.optout {
            return Err(CommandError::OPTIN_WITH_OPTOUT);
        }
        match (before, self.optin, self.optout) {
            (Some(TrackingMode::OptOut), true, _) | (Some(TrackingMode::OptIn), _, true) => {
                Err(CommandError::OPT_SWITCH)
            }
            (_, true, _) => Ok(TrackingMode::OptIn),
            (_, _, true) => Ok(TrackingMode::OptOut),
            _ if self.bcast => Ok(TrackingMode::Broadcast),
            _ => Ok(TrackingMode::Reads),
        }
    }

    fn check_prefixes(&self, before: Option<&Tracks>) -> Outcome {
        for (i, prefix) in self.prefixes.iter().enumerate() {
            let overlaps = |other: &[u8]| other.starts_with(prefix) || prefix.starts_with(other);
            let held = before.iter().flat_map(|tracks| &tracks.prefixes);
            if let Some(other) = held.into_iter().find(|other| overlaps(other)) {
                return Err(CommandError::prefixes_overlap(prefix, "an existing", other));
            }
            if let Some(other) = self.prefixes[i + 1..].iter().find(|other| overlaps(other)) {
                return Err(CommandError::prefixes_overlap(
                    prefix,
                    "another provided",
                    other,
                ));
            }
        }
        Ok(())
    }
}

fn tracking(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    // Options are looked at before the word, and also when it is OFF.
    let options = Options::parse(cx, args)?;
    let on = super::on_off(&args[2])?;
    let (engine, session) = (cx.env.engine, &mut *cx.session);
    if on {
        let mode = options.mode(session.tracks.as_deref())?;
        options.check_prefixes(session.tracks.as_deref())?;
        let client = session.client.clone();
        let tracker = Tracker::new(client, mode, options.redirect, options.noloop);
        let prefixes = options.prefixes.iter().map(|p| p.to_vec()).collect();
        engine.track(session, tracker, prefixes);
    } else {
        engine.stop_tracking(session);
    }
    cx.out.ok();
    Ok(())
}

pub(super) const CACHING: Command = Command {
    name: "caching",
    summary: "Says whether the keys that the next request reads are to be tracked.",
    since: "6.0.0",
    arity: 3,
    args: &[Arg::one_of(
        "mode",
        &[Arg::word("yes", "YES"), Arg::word("no", "NO")],
    )],
    run: Run::Session(caching),
    ..SUBCOMMAND
};

fn caching(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let mode = mode_of(cx.session).ok_or(CommandError::CACHING_WITHOUT_OPT)?;
    let wanted = if args[2].eq_ignore_ascii_case(b"YES") {
        (TrackingMode::OptIn, CommandError::CACHING_YES)
    } else if args[2].eq_ignore_ascii_case(b"NO") {
        (TrackingMode::OptOut, CommandError::CACHING_NO)
    } else {
        return Err(CommandError::SYNTAX);
    };
    if mode != wanted.0 {
        return Err(wanted.1);
    }
    cx.session.set_caching();
    cx.out.ok();
    Ok(())
}

fn mode_of(session: &Session) -> Option<TrackingMode> {
    session.tracks.as_ref().map(|tracks| tracks.tracker.mode)
}

pub(super) const GETREDIR: Command = Command {
    name: "getredir",
    summary: "Returns the client that is told of changed keys in place of the connection: 0 for none, -1 without tracking.",
    since: "6.0.0",
    arity: 2,
    run: Run::Session(getredir),
    ..SUBCOMMAND
};

fn getredir(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let redirect = redirect(cx.session.tracks.as_deref());
    cx.out.integer(redirect);
    Ok(())
}

fn redirect(tracks: Option<&Tracks>) -> i64 {
    tracks.map_or(-1, |t| {
        i64::try_from(t.tracker.redirect).unwrap_or(i64::MAX)
    })
}

pub(super) const TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    summary: "Describes how the connection tracks keys.",
    since: "6.2.0",
    arity: 2,
    run: Run::Session(trackinginfo),
    ..SUBCOMMAND
};

fn trackinginfo(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let (out, tracks) = (&mut *cx.out, cx.session.tracks.as_deref());
    let mut flags: Vec<&[u8]> = vec![if tracks.is_some() { b"on" } else { b"off" }];
    if let Some(tracks) = tracks {
        let words: &[&[u8]] = match (tracks.tracker.mode, tracks.caching) {
            (TrackingMode::Reads, _) => &[],
            (TrackingMode::Broadcast, _) => &[b"bcast"],
            (TrackingMode::OptIn, false) => &[b"optin"],
            (TrackingMode::OptIn, true) => &[b"optin", b"caching-yes"],
            (TrackingMode::OptOut, false) => &[b"optout"],
            (TrackingMode::OptOut, true) => &[b"optout", b"caching-no"],
        };
        flags.extend(words);
        if tracks.tracker.no_loop {
            flags.push(b"noloop");
        }
        if tracks.tracker.is_broken() {
            flags.push(b"broken_redirect");
        }
    }
    out.map(3);
    out.bulk(b"flags");
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag));
    out.bulk(b"redirect");
    out.integer(redirect(tracks));
    out.bulk(b"prefixes");
    out.array(tracks.map_or(0, |t| t.prefixes.len()));
    for prefix in tracks.iter().flat_map(|t| &t.prefixes) {
        out.bulk(prefix);
    }
    Ok(())
}
