//! COMMAND GETKEYS: the keys of a request, from the key specifications of its command.

use crate::error::CommandError;
use crate::exec::Lookup;
use crate::spec::{Access, Flags};
use ochre_resp::Request;

/// The arguments of `request` that are keys, and what is done with each.
///
/// # Errors
/// Redis's texts for an unknown command, one without keys, and arguments that do not fit.
pub(super) fn of(
    lookup: &Lookup,
    request: Request<'_>,
) -> Result<Vec<(usize, Access)>, CommandError> {
    let named = lookup.named(request);
    let command = named.map_err(|_| CommandError::GETKEYS_COMMAND)?.command;
    if command.keys.is_empty() {
        return Err(CommandError::GETKEYS_NONE);
    }
    if !command.accepts(request.len()) {
        return Err(CommandError::GETKEYS_ARITY);
    }
    let mut found = Vec::new();
    let complete = command.each_key(request, &mut |at, access| found.push((at, access)));
    if complete.is_err() {
        found.clear();
    }
    if found.is_empty() && !command.all_flags().has(Flags::NO_MANDATORY_KEYS) {
        return Err(CommandError::GETKEYS_ARGUMENTS);
    }
    Ok(found)
}
