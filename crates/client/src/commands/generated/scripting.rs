// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `scripting`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use super::words::{ScriptDebugMode};

declare! {
    /// Runs a Lua script.
    ///
    /// `EVAL script numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Since 2.6.0. Depends on the script that is executed.
    everywhere eval Eval ["EVAL"]
    (script: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(script).with_counted(key).gap(0)
}

impl<E, R> Call<E, Eval, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Runs a Lua script that must not write.
    ///
    /// `EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Since 7.0.0. Depends on the script that is executed.
    everywhere eval_ro EvalRo ["EVAL_RO"]
    (script: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(script).with_counted(key).gap(0)
}

impl<E, R> Call<E, EvalRo, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Runs a Lua script that is known by its SHA-1.
    ///
    /// `EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Since 2.6.0. Depends on the script that is executed.
    everywhere evalsha Evalsha ["EVALSHA"]
    (sha1: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(sha1).with_counted(key).gap(0)
}

impl<E, R> Call<E, Evalsha, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Runs a Lua script that is known by its SHA-1 and must not write.
    ///
    /// `EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Since 7.0.0. Depends on the script that is executed.
    everywhere evalsha_ro EvalshaRo ["EVALSHA_RO"]
    (sha1: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(sha1).with_counted(key).gap(0)
}

impl<E, R> Call<E, EvalshaRo, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Calls a function of a library.
    ///
    /// `FCALL function numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Since 7.0.0. Depends on the function that is executed.
    everywhere fcall Fcall ["FCALL"]
    (function: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(function).with_counted(key).gap(0)
}

impl<E, R> Call<E, Fcall, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Calls a function of a library that must not write.
    ///
    /// `FCALL_RO function numkeys [key [key ...]] [arg [arg ...]]`
    ///
    /// Since 7.0.0. Depends on the function that is executed.
    everywhere fcall_ro FcallRo ["FCALL_RO"]
    (function: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(function).with_counted(key).gap(0)
}

impl<E, R> Call<E, FcallRo, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Deletes a library.
    ///
    /// `FUNCTION DELETE library-name`
    ///
    /// Since 7.0.0. O(1).
    everywhere function_delete FunctionDelete ["FUNCTION", "DELETE"]
    (library_name: impl Arg) -> Value;
    call => call.with(library_name)
}

declare! {
    /// Returns all libraries as one payload.
    ///
    /// `FUNCTION DUMP`
    ///
    /// Since 7.0.0. O(N) where N is the number of functions.
    everywhere function_dump FunctionDump ["FUNCTION", "DUMP"]
    () -> Value;
    call => call
}

declare! {
    /// Deletes all libraries.
    ///
    /// `FUNCTION FLUSH [ASYNC | SYNC]`
    ///
    /// Since 7.0.0. O(N) where N is the number of functions deleted.
    everywhere function_flush FunctionFlush ["FUNCTION", "FLUSH"]
    () -> ();
    call => call.gap(0)
}

impl<E, R> Call<E, FunctionFlush, R> {
    /// `ASYNC`
    pub fn async_(self) -> Self {
        self.option(0, |r| r.push(b"ASYNC"))
    }

    /// `SYNC`
    pub fn sync(self) -> Self {
        self.option(0, |r| r.push(b"SYNC"))
    }
}

declare! {
    /// Prints this help.
    ///
    /// `FUNCTION HELP`
    ///
    /// Since 7.0.0. O(1).
    everywhere function_help FunctionHelp ["FUNCTION", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Ends the functions that have been running for long and changed nothing.
    ///
    /// `FUNCTION KILL`
    ///
    /// Since 7.0.0. O(1).
    everywhere function_kill FunctionKill ["FUNCTION", "KILL"]
    () -> Value;
    call => call
}

declare! {
    /// Lists the libraries and their functions.
    ///
    /// `FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]`
    ///
    /// Since 7.0.0. O(N) where N is the number of functions.
    everywhere function_list FunctionList ["FUNCTION", "LIST"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, FunctionList, R> {
    /// `LIBRARYNAME library-name-pattern`
    pub fn libraryname(self, library_name_pattern: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"LIBRARYNAME");
            library_name_pattern.add_to(r);
        })
    }

    /// `WITHCODE`
    pub fn withcode(self) -> Self {
        self.option(0, |r| r.push(b"WITHCODE"))
    }
}

declare! {
    /// Loads a library.
    ///
    /// `FUNCTION LOAD [REPLACE] function-code`
    ///
    /// Since 7.0.0. O(1) (considering compilation time is redundant).
    everywhere function_load FunctionLoad ["FUNCTION", "LOAD"]
    (function_code: impl Arg) -> Value;
    call => call.gap(0).with(function_code)
}

impl<E, R> Call<E, FunctionLoad, R> {
    /// `REPLACE`
    pub fn replace(self) -> Self {
        self.option(0, |r| r.push(b"REPLACE"))
    }
}

declare! {
    /// Loads the libraries of a payload.
    ///
    /// `FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]`
    ///
    /// Since 7.0.0. O(N) where N is the number of functions on the payload.
    everywhere function_restore FunctionRestore ["FUNCTION", "RESTORE"]
    (serialized_value: impl Arg) -> ();
    call => call.with(serialized_value).gap(0)
}

impl<E, R> Call<E, FunctionRestore, R> {
    /// `FLUSH`
    pub fn flush(self) -> Self {
        self.option(0, |r| r.push(b"FLUSH"))
    }

    /// `APPEND`
    pub fn append(self) -> Self {
        self.option(0, |r| r.push(b"APPEND"))
    }

    /// `REPLACE`
    pub fn replace(self) -> Self {
        self.option(0, |r| r.push(b"REPLACE"))
    }
}

declare! {
    /// Tells what has been running for long, and how many functions there are.
    ///
    /// `FUNCTION STATS`
    ///
    /// Since 7.0.0. O(1).
    everywhere function_stats FunctionStats ["FUNCTION", "STATS"]
    () -> Value;
    call => call
}

declare! {
    /// Would start the script debugger, which Ochre does not have.
    ///
    /// `SCRIPT DEBUG <YES | SYNC | NO>`
    ///
    /// Since 3.2.0. O(1).
    everywhere script_debug ScriptDebug ["SCRIPT", "DEBUG"]
    (mode: ScriptDebugMode) -> Value;
    call => call.with(mode)
}
