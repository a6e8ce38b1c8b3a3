//! Which arguments of a command name channels: what access control looks at.

use ochre_resp::Request;

/// Where a command names channels that it sends to or listens to.
///
/// Ceasing to listen needs no permission, so commands that do have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Channels {
    /// Nowhere.
    #[default]
    None,
    /// The first argument is a channel.
    First,
    /// Every argument is a channel.
    All,
    /// Every argument is a pattern of channels.
    Patterns,
}

impl Channels {
    /// The positions of the arguments that name channels.
    pub fn positions(self, args: Request<'_>) -> std::ops::Range<usize> {
        match self {
            Channels::None => 0..0,
            Channels::First => 1..args.len().min(2),
            Channels::All | Channels::Patterns => 1..args.len(),
        }
    }
}
