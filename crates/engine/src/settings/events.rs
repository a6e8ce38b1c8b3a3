//! The classes of keyspace events, as `notify-keyspace-events` names them by letters.

/// The letters in the order in which they are printed; a class's bit is its letter's position here.
const LETTERS: &[u8; 16] = b"g$lshzxetdnKEmoc";

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EventClasses(u32);

const fn class(letter: u8) -> EventClasses {
    let mut position = 0;
    while LETTERS[position] != letter {
        position += 1;
    }
    EventClasses(1 << position)
}

impl EventClasses {
    /// Commands on keys of any type.
    pub const GENERIC: EventClasses = class(b'g');
    /// Strings.
    pub const STRING: EventClasses = class(b'$');
    /// Lists.
    pub const LIST: EventClasses = class(b'l');
    /// Sets.
    pub const SET: EventClasses = class(b's');
    /// Hashes.
    pub const HASH: EventClasses = class(b'h');
    /// Sorted sets.
    pub const ZSET: EventClasses = class(b'z');
    /// Keys whose time had come.
    pub const EXPIRED: EventClasses = class(b'x');
    /// Keys removed for want of memory.
    pub const EVICTED: EventClasses = class(b'e');
    /// Keys that did not exist before.
    pub const NEW: EventClasses = class(b'n');
    /// Lookups of keys that do not exist.
    pub const MISSED: EventClasses = class(b'm');
    /// Keys that got another value.
    pub const OVERWRITTEN: EventClasses = class(b'o');
    /// Keys that got a value of another type.
    pub const TYPE_CHANGED: EventClasses = class(b'c');
    /// Not a class: events are published under the name of the key.
    pub const BY_KEY: EventClasses = class(b'K');
    /// Not a class: events are published under their own name.
    pub const BY_EVENT: EventClasses = class(b'E');

    /// What `A` stands for.
    const ALL: EventClasses = EventClasses(class(b'n').0 - 1);

    /// No class.
    pub const NONE: EventClasses = EventClasses(0);

    /// The classes with these bits.
    pub(crate) const fn from_bits(bits: u32) -> EventClasses {
        EventClasses(bits)
    }

    /// The set as bits.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// Both together.
    pub const fn with(self, other: EventClasses) -> EventClasses {
        EventClasses(self.0 | other.0)
    }

    /// Whether the sets have something in common.
    pub const fn any(self, other: EventClasses) -> bool {
        self.0 & other.0 != 0
    }

    /// Reads letters; `None` for an unknown one.
    pub fn parse(letters: &[u8]) -> Option<EventClasses> {
        let mut classes = EventClasses::NONE;
        for letter in letters {
            let meant = match LETTERS.iter().position(|known| known == letter) {
                Some(position) => EventClasses(1 << position),
                None if *letter == b'A' => EventClasses::ALL,
                None => return None,
            };
            classes = classes.with(meant);
        }
        Some(classes)
    }

    /// The letters, as few as possible.
    pub fn letters(self) -> String {
        let all = self.0 & EventClasses::ALL.0 == EventClasses::ALL.0;
        let mut shown = String::from(if all { "A" } else { "" });
        for (position, letter) in LETTERS.iter().enumerate() {
            let bit = EventClasses(1 << position);
            if self.any(bit) && !(all && bit.any(EventClasses::ALL)) {
                shown.push(char::from(*letter));
            }
        }
        shown
    }
}
