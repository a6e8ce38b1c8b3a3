//! Libraries of functions: what they register, and the set of those that are loaded.
//!
//! Invariant: a function's name, whatever its case, belongs to one library.

use crate::api::{Sha, digest, fail};
use crate::header::{Flags, NAMES, is_name};
use ochre_engine::error::CommandError;
use ochre_lua::{Args, Kind, Raise, Ref, Stack, State};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Functions that one library may have.
const FUNCTIONS_MAX: usize = 1 << 16;

/// The callbacks of a library in one machine, by their names in lower case.
pub(crate) type Loaded = HashMap<Vec<u8>, Ref>;

/// A registered function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// As it was given.
    pub name: Vec<u8>,
    /// What it is for.
    pub description: Option<Vec<u8>>,
    /// What it does and may.
    pub flags: Flags,
}

/// A library, as all machines share it.
#[derive(Debug)]
pub struct Library {
    /// Its name.
    pub name: Vec<u8>,
    /// The whole text, first line included.
    pub text: Arc<[u8]>,
    /// Of the text.
    pub sha: Sha,
    /// In the order of their registration.
    pub functions: Vec<Function>,
}

/// What a library registers while it is loaded.
pub struct Registration {
    name: Vec<u8>,
    /// In order.
    pub functions: Vec<Function>,
    callbacks: Loaded,
}

impl Registration {
    pub(crate) fn new(name: Vec<u8>) -> Registration {
        Registration {
            name,
            functions: Vec::new(),
            callbacks: Loaded::new(),
        }
    }

    /// The callbacks, for the machine that loaded the library.
    pub(crate) fn take_callbacks(&mut self) -> Loaded {
        std::mem::take(&mut self.callbacks)
    }

    /// Lets the callbacks of a library go that failed to load.
    pub(crate) fn abandon(self, state: &mut State) {
        self.callbacks.into_values().for_each(|callback| state.forget(callback));
    }

    /// `redis.register_function`, with a name and a function or with a table of named arguments.
    pub(crate) fn register(&mut self, args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
        let (function, callback) = match args.len() {
            1 => named(args, stack)?,
            2 => plain(args, stack)?,
            _ => return Err(fail(stack, "wrong number of arguments to redis.register_function")),
        };
        if !is_name(&function.name) {
            return Err(fail(stack, &format!("Function {NAMES}")));
        }
        let key = function.name.to_ascii_lowercase();
        if self.callbacks.contains_key(&key) {
            return Err(fail(stack, "Function already exists in the library"));
        }
        if self.functions.len() >= FUNCTIONS_MAX {
            return Err(fail(stack, "too many functions in the library"));
        }
        stack.copy(callback)?;
        let kept = stack.keep()?;
        self.callbacks.insert(key, kept);
        self.functions.push(function);
        Ok(0)
    }

    /// The library that was registered from `text`.
    #[must_use]
    pub fn library(self, text: Arc<[u8]>) -> Library {
        let sha = digest(&text);
        Library {
            name: self.name,
            text,
            sha,
            functions: self.functions,
        }
    }
}

/// The arguments name and callback; the index of the latter.
fn plain(args: Args<'_>, stack: &mut Stack<'_>) -> Result<(Function, i32), Raise> {
    let Some(name) = args.text(1) else {
        return Err(fail(stack, "first argument to redis.register_function must be a string"));
    };
    if args.kind(2) != Kind::Function {
        return Err(fail(stack, "second argument to redis.register_function must be a function"));
    }
    let function = Function {
        name: name.into_owned(),
        description: None,
        flags: Flags::default(),
    };
    Ok((function, 2))
}

/// One table of arguments; the index of the callback, which lies on the stack.
fn named(args: Args<'_>, stack: &mut Stack<'_>) -> Result<(Function, i32), Raise> {
    if args.kind(1) != Kind::Table {
        let text = "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).";
        return Err(fail(stack, text));
    }
    let (mut name, mut description, mut flags, mut callback) = (None, None, Flags::default(), None);
    stack.nil()?;
    let key = stack.top();
    while stack.next(1)? {
        let value = key + 1;
        let Some(field) = stack.bytes(key).map(<[u8]>::to_vec) else {
            return Err(fail(stack, "named argument key given to redis.register_function is not a string"));
        };
        match field.as_slice() {
            b"function_name" => match text(stack, value) {
                Some(text) => name = Some(text),
                None => return Err(fail(stack, "function_name argument given to redis.register_function must be a string")),
            },
            b"description" => match text(stack, value) {
                Some(text) => description = Some(text),
                None => return Err(fail(stack, "description argument given to redis.register_function must be a string")),
            },
            b"callback" if stack.kind(value) == Kind::Function => callback = Some(stack.keep_at(value)?),
            b"callback" => return Err(fail(stack, "callback argument given to redis.register_function must be a function")),
            b"flags" if stack.kind(value) == Kind::Table => flags = read_flags(stack, value)?,
            b"flags" => return Err(fail(stack, "flags argument to redis.register_function must be a table representing function flags")),
            _ => return Err(fail(stack, "unknown argument given to redis.register_function")),
        }
        stack.truncate(key);
    }
    todo(name, description, flags, callback)
}
