//! Collections as a stripe keeps them: small ones packed inside their key's entry, others as objects.
//!
//! Invariants
//! - What lies in an entry is exactly what the collection's packed form holds; its kind says which form.
//! - A stored collection is never empty: the key goes with its last element.
//! - An object that shrank well below the entry's room moves back into the entry.
//!
//! Nothing here knows a command; the structures themselves are in `ochre_ds`.

use super::entry::Kind;
use super::value::Value;
use ochre_ds::hash::{Hash, HashRef};
use ochre_ds::list::{List, ListRef};
use ochre_ds::set::{Set, SetRef};
use ochre_ds::zset::{Zset, ZsetRef};

/// A collection outside its entry. Cloning a large one is one atomic increment.
#[derive(Clone, Debug)]
pub enum Object {
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    Zset(Zset),
    /// A hash.
    Hash(Hash),
}

impl Object {
    /// Bytes held for it, itself included.
    pub fn bytes(&self) -> usize {
        std::mem::size_of::<Object>()
            + match self {
                Object::List(v) => v.heap_bytes(),
                Object::Set(v) => v.heap_bytes(),
                Object::Zset(v) => v.heap_bytes(),
                Object::Hash(v) => v.heap_bytes(),
            }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Object::List(v) => v.len(),
            Object::Set(v) => v.len(),
            Object::Zset(v) => v.len(),
            Object::Hash(v) => v.len(),
        }
    }

    /// Whether there is no element. Never true for a stored one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// To read.
    pub fn value(&self) -> Value<'_> {
        match self {
            Object::List(v) => Value::List(v.view()),
            Object::Set(v) => Value::Set(v.view()),
            Object::Zset(v) => Value::Zset(v.view()),
            Object::Hash(v) => Value::Hash(v.view()),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Object::List(_) => Kind::List,
            Object::Set(_) => Kind::Set,
            Object::Zset(_) => Kind::Zset,
            Object::Hash(_) => Kind::Hash,
        }
    }

    /// Kind and bytes of the packed form, if that is what it has.
    pub(crate) fn packed(&self) -> Option<(Kind, &[u8])> {
        match self {
            Object::List(v) => v.packed(),
            Object::Set(v) => v.packed(),
            Object::Zset(v) => v.packed(),
            Object::Hash(v) => v.packed(),
        }
    }

    /// The collection that an entry's bytes are. `None` for a string's.
    pub(crate) fn from_packed(kind: Kind, bytes: Vec<u8>) -> Option<Object> {
        Some(match kind {
            Kind::PackedList => Object::List(List::Packed(bytes)),
            Kind::PackedSet => Object::Set(Set::Packed(bytes)),
            Kind::IntSet => Object::Set(Set::Ints(bytes)),
            Kind::PackedZset => Object::Zset(Zset::Packed(bytes)),
            Kind::PackedHash => Object::Hash(Hash::Packed(bytes)),
            _ => return None,
        })
    }
}

/// What the keyspace needs to know of a type of collection.
pub trait Collection: Default + 'static {
    /// How a handler reads it.
    type Ref<'a>: Copy;

    /// Kind and bytes of the packed form, if that is what it has.
    #[allow(private_interfaces)]
    fn packed(&self) -> Option<(Kind, &[u8])>;
    /// The packed form's bytes, if that is what it has.
    fn into_packed(self) -> Option<Vec<u8>>;
    /// The collection that an entry's bytes are; `None` if they are another type's.
    #[allow(private_interfaces)]
    fn from_packed(kind: Kind, bytes: Vec<u8>) -> Option<Self>;
    /// An empty one that uses the room of `bytes`.
    fn empty(bytes: Vec<u8>) -> Self;
    /// The same without copying.
    #[allow(private_interfaces)]
    fn view_packed(kind: Kind, bytes: &[u8]) -> Option<Self::Ref<'_>>;
    /// How a handler reads it.
    fn view(&self) -> Self::Ref<'_>;
    /// Whether there is no element.
    fn is_empty(&self) -> bool;
    /// As an object of any type.
    fn wrap(self) -> Object;
    /// Of an object, if it has this type.
    fn of(object: &Object) -> Option<&Self>;
    /// Of an object, if it has this type, to change it.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
}

macro_rules! collection {
    ($type:ident, $reference:ident, $($form:ident is $kind:ident),+) => {
        impl Collection for $type {
            type Ref<'a> = $reference<'a>;

            #[allow(private_interfaces)]
            #[inline]
            fn packed(&self) -> Option<(Kind, &[u8])> {
                match self {
                    $($type::$form(bytes) => Some((Kind::$kind, bytes)),)+
                    _ => None,
                }
            }

            fn into_packed(self) -> Option<Vec<u8>> {
                match self {
                    $($type::$form(bytes) => Some(bytes),)+
                    _ => None,
                }
            }

            #[allow(private_interfaces)]
            #[inline]
            fn from_packed(kind: Kind, bytes: Vec<u8>) -> Option<Self> {
                match kind {
                    $(Kind::$kind => Some($type::$form(bytes)),)+
                    _ => None,
                }
            }

            fn empty(bytes: Vec<u8>) -> Self {
                $type::Packed(bytes)
            }

            #[allow(private_interfaces)]
            #[inline]
            fn view_packed(kind: Kind, bytes: &[u8]) -> Option<$reference<'_>> {
                match kind {
                    $(Kind::$kind => Some($reference::$form(bytes)),)+
                    _ => None,
                }
            }

            #[inline]
            fn view(&self) -> $reference<'_> {
                $type::view(self)
            }

            #[inline]
            fn is_empty(&self) -> bool {
                $type::is_empty(self)
            }

            fn wrap(self) -> Object {
                Object::$type(self)
            }

            #[inline]
            fn of(object: &Object) -> Option<&Self> {
                match object {
                    Object::$type(value) => Some(value),
                    _ => None,
                }
            }

            #[inline]
            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                match object {
                    Object::$type(value) => Some(value),
                    _ => None,
                }
            }
        }
    };
}

collection!(List, ListRef, Packed is PackedList);
collection!(Set, SetRef, Packed is PackedSet, Ints is IntSet);
collection!(Zset, ZsetRef, Packed is PackedZset);
collection!(Hash, HashRef, Packed is PackedHash);
