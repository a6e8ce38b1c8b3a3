//! Values on Lua's stack above the arguments of a call: what a function makes.
//!
//! Invariants
//! - Only slots above those that [`Args`](crate::Args) reads are changed.
//! - Every index given to Lua is positive; one beyond the top reads as nil.
//! - Nothing here raises a Lua error, as `State` and the entry of native functions switch the limit's error off;
//!   what would exceed the limit by more than [`SLACK`] is refused with [`Raise::Memory`].
#![allow(unsafe_code)]

use crate::args::{Kind, number_at, string_at};
use crate::native::{Native, Raise};
use crate::raw;
use crate::state::{Ref, core_of};
use std::marker::PhantomData;
use std::ptr;

/// Bytes by which a call of the host may exceed the memory limit before that is noticed.
const SLACK: usize = 4096;
/// Stack slots that are asked for at once.
const ROOM: i32 = 32;
/// What an empty table takes, in bytes.
pub const TABLE_BYTES: usize = 64;
/// A slot of a table's array part and of its hash part, in bytes.
const ITEM_BYTES: usize = 16;
const PAIR_BYTES: usize = 40;

/// The stack above a call's arguments. Indexes count from 1, arguments included.
pub struct Stack<'l> {
    raw: *mut raw::lua_State,
    /// Slots that may not be changed.
    base: i32,
    /// Slots that are known to be free.
    room: i32,
    /// Bytes that may be allocated before the memory limit is looked at.
    slack: usize,
    scope: PhantomData<&'l mut ()>,
}

impl<'l> Stack<'l> {
    /// # Safety
    /// `raw` is a state whose limit raises nothing as long as `'l`, its first `base` slots are lent out, and nobody
    /// else changes those above, of which `room` are free.
    pub(crate) unsafe fn new(raw: *mut raw::lua_State, base: i32, room: i32) -> Stack<'l> {
        Stack {
            raw,
            base,
            room,
            slack: SLACK,
            scope: PhantomData,
        }
    }

    /// The number of values, arguments included: the index of the last one.
    #[inline]
    #[must_use]
    pub fn top(&self) -> i32 {
        // SAFETY: asks a number of the state.
        unsafe { raw::lua_gettop(self.raw) }
    }

    /// Drops the last `n` values, as far as they are above the arguments.
    #[inline]
    pub fn pop(&mut self, n: i32) {
        let top = self.top();
        let to = (top - n.max(0)).max(self.base.min(top));
        self.room += top - to;
        // SAFETY: the new top lies between base and top.
        unsafe { raw::lua_settop(self.raw, to) };
    }

    /// Drops all above `top`.
    pub fn truncate(&mut self, top: i32) {
        self.pop(self.top() - top);
    }

    /// Takes note of a slot about to be used, and of `bytes` about to be allocated.
    #[inline]
    fn reserve(&mut self, bytes: usize) -> Result<(), Raise> {
        if self.room <= 0 {
            // SAFETY: checkstack changes no value.
            if unsafe { raw::lua_checkstack(self.raw, ROOM) } == 0 {
                return Err(Raise::at("stack overflow"));
            }
            self.room = ROOM;
        }
        self.spend(bytes)?;
        self.room -= 1;
        Ok(())
    }

    /// Fails if `bytes` more would exceed the memory limit.
    ///
    /// # Errors
    /// [`Raise::Memory`].
    pub fn afford(&self, bytes: usize) -> Result<(), Raise> {
        let limit = core_of(self.raw).limit;
        // SAFETY: asks a number of the state.
        if limit != 0 && unsafe { raw::ochre_used(self.raw) }.saturating_add(bytes) > limit {
            return Err(Raise::Memory);
        }
        Ok(())
    }

    /// [`Self::afford`], looked at once for many small values.
    #[inline]
    fn spend(&mut self, bytes: usize) -> Result<(), Raise> {
        if let Some(rest) = self.slack.checked_sub(bytes) {
            self.slack = rest;
            return Ok(());
        }
        self.afford(bytes)?;
        self.slack = SLACK;
        Ok(())
    }

    /// Lets the count hook come sooner for work that was done: as many instructions.
    pub fn charge(&mut self, instructions: usize) {
        // SAFETY: changes the hook's counter only.
        unsafe { raw::ochre_charge(self.raw, instructions) };
    }

    /// The type of the value at `index`.
    #[inline]
    #[must_use]
    pub fn kind(&self, index: i32) -> Kind {
        if index < 1 {
            return Kind::None;
        }
        // SAFETY: an index beyond the top reads as no value.
        Kind::of(unsafe { raw::lua_type(self.raw, index) })
    }

    /// The string at `index`, if it is one.
    #[inline]
    #[must_use]
    pub fn bytes(&self, index: i32) -> Option<&[u8]> {
        if index < 1 {
            return None;
        }
        // SAFETY: an index beyond the top reads as no value; the borrow of self keeps the slot as it is.
        unsafe { string_at(self.raw, index) }
    }

    /// The number at `index`, if it is one.
    #[inline]
    #[must_use]
    pub fn number(&self, index: i32) -> Option<f64> {
        // SAFETY: the slot holds a number.
        (self.kind(index) == Kind::Number).then(|| unsafe { raw::lua_tonumber(self.raw, index) })
    }

    /// The number at `index`, or that which the string there reads as.
    #[must_use]
    pub fn to_number(&self, index: i32) -> Option<f64> {
        match self.kind(index) {
            // SAFETY: the slot holds a number or a string.
            Kind::Number | Kind::String => unsafe { number_at(self.raw, index) },
            _ => None,
        }
    }

    /// Whether the value at `index` is neither nil nor false.
    #[must_use]
    pub fn boolean(&self, index: i32) -> bool {
        // SAFETY: an index beyond the top reads as nil.
        index >= 1 && unsafe { raw::lua_toboolean(self.raw, index) } != 0
    }

    /// Whether the value at `index` is the null pointer.
    #[must_use]
    pub fn is_null(&self, index: i32) -> bool {
        // SAFETY: the slot holds a light userdata.
        self.kind(index) == Kind::Light && unsafe { raw::lua_touserdata(self.raw, index) }.is_null()
    }

    /// A border of the table, or the length of the string, at `index`.
    #[must_use]
    pub fn len(&self, index: i32) -> usize {
        match self.kind(index) {
            // SAFETY: the slot holds a table or a string; lua_objlen converts only numbers.
            Kind::Table | Kind::String => unsafe { raw::lua_objlen(self.raw, index) },
            _ => 0,
        }
    }

    /// Pushes nil.
    ///
    /// # Errors
    /// All pushes fail where the stack or the memory limit is exhausted.
    #[inline]
    pub fn nil(&mut self) -> Result<(), Raise> {
        self.reserve(0)?;
        // SAFETY: a slot is free.
        unsafe { raw::lua_pushnil(self.raw) };
        Ok(())
    }

    /// Pushes true or false.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn push_boolean(&mut self, value: bool) -> Result<(), Raise> {
        self.reserve(0)?;
        // SAFETY: a slot is free.
        unsafe { raw::lua_pushboolean(self.raw, i32::from(value)) };
        Ok(())
    }

    /// Pushes a number.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    #[inline]
    pub fn push_number(&mut self, value: f64) -> Result<(), Raise> {
        self.reserve(0)?;
        // SAFETY: a slot is free.
        unsafe { raw::lua_pushnumber(self.raw, value) };
        Ok(())
    }

    /// Pushes a copy of `bytes` as a string.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), Raise> {
        self.reserve(bytes.len())?;
        // SAFETY: a slot is free; the bytes are copied.
        unsafe { raw::lua_pushlstring_(self.raw, bytes.as_ptr().cast(), bytes.len()) };
        Ok(())
    }

    /// Pushes the null pointer.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn push_null(&mut self) -> Result<(), Raise> {
        self.reserve(0)?;
        // SAFETY: a slot is free.
        unsafe { raw::lua_pushlightuserdata(self.raw, ptr::null_mut()) };
        Ok(())
    }

    /// Pushes what is at `index`.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn copy(&mut self, index: i32) -> Result<(), Raise> {
        if self.kind(index) == Kind::None {
            return self.nil();
        }
        self.reserve(0)?;
        // SAFETY: the index is at most the top, and a slot is free.
        unsafe { raw::lua_pushvalue(self.raw, index) };
        Ok(())
    }

    /// Pushes an empty table with room for `items` numbered from 1 and `pairs` others.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    #[inline]
    pub fn new_table(&mut self, items: usize, pairs: usize) -> Result<(), Raise> {
        let bytes = items
            .saturating_mul(ITEM_BYTES)
            .saturating_add(pairs.saturating_mul(PAIR_BYTES))
            .saturating_add(TABLE_BYTES);
        self.reserve(bytes)?;
        let (items, pairs) = (i32::try_from(items), i32::try_from(pairs));
        let (Ok(items), Ok(pairs)) = (items, pairs) else {
            return Err(Raise::Memory);
        };
        // SAFETY: a slot is free, and there is memory.
        unsafe { raw::lua_createtable(self.raw, items, pairs) };
        Ok(())
    }

    /// Pushes a function of the host.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn push_native(&mut self, function: Native) -> Result<(), Raise> {
        self.reserve(0)?;
        self.reserve(0)?;
        crate::native::push(self.raw, function, false);
        self.room += 1;
        Ok(())
    }

    /// Replaces the value on top by a function of the host that finds it with [`Stack::push_bound`].
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn bind_native(&mut self, function: Native) -> Result<(), Raise> {
        self.reserve(0)?;
        if self.top() <= self.base {
            return Err(Raise::at("stack underflow"));
        }
        crate::native::push(self.raw, function, true);
        self.room += 1;
        Ok(())
    }

    /// Inside a function made with [`Stack::bind_native`]: pushes the value it is bound to.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn push_bound(&mut self) -> Result<(), Raise> {
        self.reserve(0)?;
        // SAFETY: a missing upvalue reads as nil.
        unsafe { raw::lua_pushvalue(self.raw, raw::lua_upvalueindex(2)) };
        Ok(())
    }

    /// Pushes a function that asks the [`crate::Interface`] of the running call for operation `number`.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn push_operation(&mut self, number: u32) -> Result<(), Raise> {
        self.reserve(0)?;
        crate::native::push_operation(self.raw, number);
        Ok(())
    }

    /// Replaces the key on top by what the table at `table` has under it, metatables aside.
    #[inline]
    pub fn raw_get(&mut self, table: i32) {
        if self.kind(table) == Kind::Table && self.top() > self.base {
            // SAFETY: there is a table and a key.
            unsafe { raw::lua_rawget_(self.raw, table) };
        }
    }

    /// Pushes what the table at `table` has under `name`, metatables aside.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn field(&mut self, table: i32, name: &str) -> Result<Kind, Raise> {
        self.push_bytes(name.as_bytes())?;
        self.raw_get(table);
        Ok(self.kind(self.top()))
    }

    /// Pushes item `number` of the table at `table`, metatables aside.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    #[inline]
    pub fn item(&mut self, table: i32, number: i32) -> Result<Kind, Raise> {
        if self.kind(table) != Kind::Table {
            self.nil()?;
            return Ok(Kind::Nil);
        }
        self.reserve(0)?;
        // SAFETY: there is a table, and a slot is free.
        unsafe { raw::lua_rawgeti_(self.raw, table, number) };
        Ok(self.kind(self.top()))
    }

    /// Takes key and value from the top into the table at `table`, metatables aside.
    ///
    /// # Errors
    /// When the key is nil or not a number, the table read-only, or memory exhausted. Both values are then still there.
    #[inline]
    pub fn raw_set(&mut self, table: i32) -> Result<(), Raise> {
        self.spend(PAIR_BYTES)?;
        if self.top() < self.base + 2 {
            return Err(Raise::at("stack underflow"));
        }
        // SAFETY: two values lie on top; the function checks table and key.
        if unsafe { raw::ochre_rawset(self.raw, table) } == 0 {
            return Err(Raise::at("table index is nil or NaN"));
        }
        self.room += 2;
        Ok(())
    }

    /// Takes the value on top as item `number` of the table at `table`.
    ///
    /// # Errors
    /// As [`Stack::raw_set`].
    #[inline]
    pub fn set_item(&mut self, table: i32, number: usize) -> Result<(), Raise> {
        #[allow(clippy::cast_precision_loss)] // a table has fewer items than a double has integers
        self.push_number(number as f64)?;
        self.swap();
        self.raw_set(table)
    }

    /// Whether the value at `index` is a table that nothing but its items tells from one that [`Stack::new_table`] makes
    /// with room for `items` items: once each of them is [filled](Stack::fill) anew it is as good as a new one.
    #[must_use]
    pub fn is_list_of(&self, index: i32, items: usize) -> bool {
        // SAFETY: asks about a value.
        i32::try_from(items)
            .is_ok_and(|items| unsafe { raw::ochre_islist(self.raw, index, items) != 0 })
    }

    /// Takes the value on top as item `number` of a table made by [`Stack::new_table`] with room for it.
    ///
    /// # Errors
    /// When there is no table that may be changed, or memory is exhausted.
    #[inline]
    pub fn fill(&mut self, table: i32, number: i32) -> Result<(), Raise> {
        self.afford(0)?;
        // SAFETY: a value lies on top; the function checks the table.
        if self.top() <= self.base || unsafe { raw::ochre_rawseti(self.raw, table, number) } == 0 {
            return Err(Raise::at("no table to fill"));
        }
        self.room += 1;
        Ok(())
    }

    /// Takes the value on top into the table at `table` under `name`.
    ///
    /// # Errors
    /// As [`Stack::raw_set`].
    pub fn set_field(&mut self, table: i32, name: &str) -> Result<(), Raise> {
        self.push_bytes(name.as_bytes())?;
        self.swap();
        self.raw_set(table)
    }

    /// [`Stack::raw_set`] that a read-only table does not refuse: how the host changes what scripts cannot.
    ///
    /// # Errors
    /// As [`Stack::raw_set`], but for read-only tables.
    pub fn force_set(&mut self, table: i32) -> Result<(), Raise> {
        self.spend(PAIR_BYTES)?;
        let key = self.top() - 1;
        let usable = match self.kind(key) {
            Kind::Nil | Kind::None => false,
            Kind::Number => self.number(key).is_some_and(|number| !number.is_nan()),
            _ => true,
        };
        if key <= self.base || !usable || !self.is_table(table) {
            return Err(Raise::at("table index is nil or NaN"));
        }
        // SAFETY: two values lie on top, the key can be one, and there is a table.
        unsafe { raw::ochre_forceset(self.raw, table) };
        self.room += 2;
        Ok(())
    }

    /// [`Stack::set_field`] that a read-only table does not refuse.
    ///
    /// # Errors
    /// As [`Stack::force_set`].
    pub fn force_field(&mut self, table: i32, name: &str) -> Result<(), Raise> {
        self.push_bytes(name.as_bytes())?;
        self.swap();
        self.force_set(table)
    }

    /// Whether there is a table at `index`; the table of globals counts.
    fn is_table(&self, index: i32) -> bool {
        // SAFETY: the only pseudo-index is that of the globals.
        unsafe { raw::lua_type(self.raw, index) == raw::LUA_TTABLE }
    }

    /// Takes the value on top and keeps it in the state; see [`crate::State::push_ref`].
    ///
    /// # Errors
    /// When memory is exhausted.
    pub fn keep(&mut self) -> Result<Ref, Raise> {
        self.spend(ITEM_BYTES)?;
        if self.top() <= self.base {
            return Err(Raise::at("stack underflow"));
        }
        self.ensure(4, "stack overflow")?;
        self.room += 1;
        // SAFETY: a value lies on top; luaL_ref takes it.
        Ok(Ref(unsafe {
            raw::luaL_ref(self.raw, raw::LUA_REGISTRYINDEX)
        }))
    }

    /// Exchanges the two values on top.
    #[inline]
    pub fn swap(&mut self) {
        if self.top() >= self.base + 2 {
            // SAFETY: two values lie above the arguments.
            unsafe { raw::lua_insert(self.raw, -2) };
        }
    }

    /// Replaces the key on top by the pair of the table at `table` that follows it, nil being before the first. False
    /// after the last pair: the key is then gone. An unknown key ends the walk too.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    #[inline]
    pub fn next(&mut self, table: i32) -> Result<bool, Raise> {
        if self.kind(table) != Kind::Table || self.top() <= self.base {
            return Ok(false);
        }
        self.reserve(0)?;
        // SAFETY: there are a table and a key; while the limit raises nothing, neither does an unknown key.
        let more = unsafe { raw::lua_next(self.raw, table) } != 0;
        if !more {
            self.room += 2;
        }
        Ok(more)
    }

    /// The string at `index`, or the number as Lua prints it.
    #[must_use]
    pub fn text(&self, index: i32) -> Option<Vec<u8>> {
        if let Some(bytes) = self.bytes(index) {
            return Some(bytes.to_vec());
        }
        let number = self.number(index)?;
        let mut text = Vec::new();
        crate::general(&mut text, number, 14);
        Some(text)
    }

    /// Takes the value on top to `index`, in the place of what is there.
    pub fn replace(&mut self, index: i32) {
        if index > self.base && index < self.top() {
            // SAFETY: the index lies above the arguments and below the top.
            unsafe { raw::lua_replace(self.raw, index) };
            self.room += 1;
        }
    }

    /// Moves the value on top to `index`, and what is there and above up by one.
    pub fn insert(&mut self, index: i32) {
        if index > self.base && index <= self.top() {
            // SAFETY: the index lies above the arguments.
            unsafe { raw::lua_insert(self.raw, index) };
        }
    }

    /// Fails with `message` where `slots` more values have no room.
    ///
    /// # Errors
    /// `message` behind the place of the call.
    pub fn ensure(&mut self, slots: i32, message: &str) -> Result<(), Raise> {
        // SAFETY: checkstack changes no value.
        if self.room < slots && unsafe { raw::lua_checkstack(self.raw, slots) } == 0 {
            return Err(Raise::at(message));
        }
        self.room = self.room.max(slots);
        Ok(())
    }

    /// Makes the table at `index` read-only for scripts.
    pub fn freeze(&mut self, index: i32) {
        // SAFETY: does nothing to a value of another type.
        unsafe { raw::ochre_freeze(self.raw, index) };
    }

    /// Takes the table on top as the metatable of the table at `index`.
    ///
    /// # Errors
    /// When either is no table, or the latter is read-only.
    pub fn set_metatable(&mut self, index: i32) -> Result<(), Raise> {
        let top = self.top();
        // SAFETY: asks a flag of the table.
        let frozen = unsafe { raw::ochre_frozen(self.raw, index) } != 0;
        if frozen || !self.is_table(index) || self.kind(top) != Kind::Table || top <= self.base {
            return Err(Raise::at("no metatable can be set"));
        }
        // SAFETY: both are tables, and the first may be changed.
        unsafe { raw::lua_setmetatable(self.raw, index) };
        self.room += 1;
        Ok(())
    }

    /// Pushes the metatable of the value at `index`, or nil.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn metatable(&mut self, index: i32) -> Result<(), Raise> {
        self.nil()?;
        // SAFETY: the index is positive.
        if index >= 1 && unsafe { raw::lua_getmetatable(self.raw, index) } != 0 {
            let top = self.top();
            // SAFETY: moves the metatable over the nil.
            unsafe { raw::lua_replace(self.raw, top - 1) };
        }
        Ok(())
    }

    /// The index of the table of globals, for functions that take a table's index.
    #[must_use]
    pub fn globals(&self) -> i32 {
        raw::LUA_GLOBALSINDEX
    }

    /// Pushes the table of globals.
    ///
    /// # Errors
    /// As [`Stack::nil`].
    pub fn push_globals(&mut self) -> Result<(), Raise> {
        self.reserve(0)?;
        // SAFETY: a slot is free.
        unsafe { raw::lua_pushvalue(self.raw, raw::LUA_GLOBALSINDEX) };
        Ok(())
    }

    /// Takes the table on top as the table of globals of what is compiled from here on.
    ///
    /// # Errors
    /// When it is no table.
    pub fn set_globals(&mut self) -> Result<(), Raise> {
        let top = self.top();
        if self.kind(top) != Kind::Table || top <= self.base {
            return Err(Raise::at("globals must be a table"));
        }
        // SAFETY: a table lies on top.
        unsafe { raw::lua_replace(self.raw, raw::LUA_GLOBALSINDEX) };
        self.room += 1;
        Ok(())
    }
}
