//! What a function of the host was called with, and the types of values.
//!
//! Invariant: the slots of the arguments stay as they are during the call, so that what [`Args`] lends stays alive and in
//! place; what the function makes goes above them, by [`Stack`](crate::Stack).
#![allow(unsafe_code)]

use crate::native::Raise;
use crate::raw;
use std::borrow::Cow;
use std::marker::PhantomData;

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No value at all: beyond the arguments.
    None,
    /// nil.
    Nil,
    /// true or false.
    Boolean,
    /// A pointer; the null pointer stands for JSON's null.
    Light,
    /// A number.
    Number,
    /// A string.
    String,
    /// A table.
    Table,
    /// A function.
    Function,
    /// An object of the host.
    Userdata,
    /// A coroutine.
    Thread,
}

impl Kind {
    pub(crate) fn of(raw: i32) -> Kind {
        match raw {
            raw::LUA_TNIL => Kind::Nil,
            raw::LUA_TBOOLEAN => Kind::Boolean,
            raw::LUA_TLIGHTUSERDATA => Kind::Light,
            raw::LUA_TNUMBER => Kind::Number,
            raw::LUA_TSTRING => Kind::String,
            raw::LUA_TTABLE => Kind::Table,
            raw::LUA_TFUNCTION => Kind::Function,
            raw::LUA_TUSERDATA => Kind::Userdata,
            raw::LUA_TTHREAD => Kind::Thread,
            _ => {
                debug_assert_eq!(raw, raw::LUA_TNONE);
                Kind::None
            }
        }
    }

    /// As Lua calls it in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::Light | Kind::Userdata => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
        }
    }
}

/// The arguments of a call; the first is number 1.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    raw: *mut raw::lua_State,
    len: i32,
    scope: PhantomData<&'a ()>,
}

impl<'a> Args<'a> {
    /// # Safety
    /// `raw` is inside a call with `len` arguments that outlives `'a`, and nobody changes its first `len` slots.
    pub(crate) unsafe fn new(raw: *mut raw::lua_State, len: i32) -> Args<'a> {
        Args {
            raw,
            len,
            scope: PhantomData,
        }
    }

    /// How many there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> i32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the caller takes a result; a call that is a statement takes none.
    #[inline]
    #[must_use]
    pub fn takes_result(&self) -> bool {
        // SAFETY: asks a number of the call in which these arguments are.
        unsafe { raw::ochre_wanted(self.raw) != 0 }
    }

    /// The type of argument `index`.
    #[inline]
    #[must_use]
    pub fn kind(&self, index: i32) -> Kind {
        if index < 1 || index > self.len {
            return Kind::None;
        }
        // SAFETY: the index lies within the arguments.
        Kind::of(unsafe { raw::lua_type(self.raw, index) })
    }

    /// Argument `index`, if it is a string.
    #[inline]
    #[must_use]
    pub fn bytes(&self, index: i32) -> Option<&'a [u8]> {
        if index < 1 || index > self.len {
            return None;
        }
        // SAFETY: the index lies within the arguments. A string does not move, and lives as long as it is one.
        unsafe { string_at(self.raw, index) }
    }

    /// Argument `index`, if it is a number.
    #[inline]
    #[must_use]
    pub fn number(&self, index: i32) -> Option<f64> {
        // SAFETY: the index lies within the arguments.
        (self.kind(index) == Kind::Number).then(|| unsafe { raw::lua_tonumber(self.raw, index) })
    }

    /// Whether argument `index` is neither nil nor false.
    #[must_use]
    pub fn boolean(&self, index: i32) -> bool {
        // SAFETY: the index lies within the arguments.
        self.kind(index) != Kind::None && unsafe { raw::lua_toboolean(self.raw, index) } != 0
    }

    /// A string, or a number as Lua prints it.
    #[must_use]
    pub fn text(&self, index: i32) -> Option<Cow<'a, [u8]>> {
        if let Some(bytes) = self.bytes(index) {
            return Some(Cow::Borrowed(bytes));
        }
        let number = self.number(index)?;
        let mut text = Vec::new();
        crate::general(&mut text, number, 14);
        Some(Cow::Owned(text))
    }

    /// [`Args::text`], or Lua's error for an argument of another type.
    ///
    /// # Errors
    /// "string expected, got …".
    pub fn check_text(&self, index: i32) -> Result<Cow<'a, [u8]>, Raise> {
        self.text(index).ok_or_else(|| self.wrong(index, "string"))
    }

    /// A number, or a string that reads as one.
    #[must_use]
    pub fn to_number(&self, index: i32) -> Option<f64> {
        match self.kind(index) {
            // SAFETY: the index lies within the arguments.
            Kind::Number | Kind::String => unsafe { number_at(self.raw, index) },
            _ => None,
        }
    }

    /// [`Args::to_number`], or Lua's error for an argument of another type.
    ///
    /// # Errors
    /// "number expected, got …".
    pub fn check_number(&self, index: i32) -> Result<f64, Raise> {
        self.to_number(index)
            .ok_or_else(|| self.wrong(index, "number"))
    }

    /// Lua's error for argument `index` not being what was expected.
    #[must_use]
    pub fn wrong(&self, index: i32, expected: &str) -> Raise {
        let got = self.kind(index).name();
        Raise::argument(index, format!("{expected} expected, got {got}"))
    }
}

/// The string at `index`, if there is one.
///
/// # Safety
/// `index` is positive, and its slot stays as it is while the result is used.
#[inline]
pub(crate) unsafe fn string_at<'a>(raw: *mut raw::lua_State, index: i32) -> Option<&'a [u8]> {
    let mut len = 0;
    // SAFETY: as the caller promises; Lua's strings are contiguous bytes.
    unsafe {
        let at = raw::ochre_string(raw, index, &mut len);
        (!at.is_null()).then(|| std::slice::from_raw_parts(at.cast(), len))
    }
}

/// The number at `index`, or that which the string there reads as; the slot is left as it is.
///
/// # Safety
/// `index` is a slot that holds a value.
pub(crate) unsafe fn number_at(raw: *mut raw::lua_State, index: i32) -> Option<f64> {
    // SAFETY: as the caller promises.
    unsafe { (raw::lua_isnumber(raw, index) != 0).then(|| raw::lua_tonumber(raw, index)) }
}
