//! What this crate's sources add to Lua's C interface; see `lua-5.1.5/README.md`.

pub(crate) use mlua_sys::lua51::{
    LUA_ERRMEM, LUA_GCCOLLECT, LUA_GCRESTART, LUA_GCSETPAUSE, LUA_GLOBALSINDEX, LUA_MASKCOUNT,
    LUA_MINSTACK, LUA_REGISTRYINDEX, LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, LUA_TNIL,
    LUA_TNONE, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, LUA_TTHREAD, LUA_TUSERDATA, lua_Debug,
    lua_State, lua_checkstack, lua_close, lua_concat, lua_createtable, lua_error, lua_gc,
    lua_getallocf, lua_getinfo, lua_getmetatable, lua_getstack, lua_gettop, lua_insert,
    lua_isnumber, lua_load, lua_newstate, lua_next, lua_objlen, lua_pcall, lua_pushboolean,
    lua_pushcclosure, lua_pushlightuserdata, lua_pushlstring_, lua_pushnil, lua_pushnumber,
    lua_pushvalue, lua_rawget_, lua_rawgeti_, lua_replace, lua_sethook, lua_setmetatable,
    lua_settop, lua_toboolean, lua_tolstring, lua_tonumber, lua_touserdata, lua_type,
    lua_upvalueindex, luaL_argerror, luaL_ref, luaL_unref, luaL_where, luaopen_base, luaopen_math,
    luaopen_string, luaopen_table,
};
use std::os::raw::{c_char, c_int};

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    pub(crate) fn ochre_freeze(state: *mut lua_State, index: c_int);
    pub(crate) fn ochre_frozen(state: *mut lua_State, index: c_int) -> c_int;
    pub(crate) fn ochre_rawset(state: *mut lua_State, index: c_int) -> c_int;
    pub(crate) fn ochre_rawseti(state: *mut lua_State, index: c_int, number: c_int) -> c_int;
    pub(crate) fn ochre_forceset(state: *mut lua_State, index: c_int);
    pub(crate) fn ochre_limit(state: *mut lua_State, limit: usize);
    pub(crate) fn ochre_used(state: *mut lua_State) -> usize;
    pub(crate) fn ochre_nothrow(state: *mut lua_State, change: c_int) -> c_int;
    pub(crate) fn ochre_charge(state: *mut lua_State, work: usize);
    pub(crate) fn ochre_memory_error(state: *mut lua_State);
    pub(crate) fn ochre_string(
        state: *mut lua_State,
        index: c_int,
        len: *mut usize,
    ) -> *const c_char;
    pub(crate) fn ochre_wanted(state: *mut lua_State) -> c_int;
    pub(crate) fn ochre_islist(state: *mut lua_State, index: c_int, items: c_int) -> c_int;
}
