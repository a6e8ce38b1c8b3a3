//! Libraries of functions: what they register, and the set of those that are loaded.
//!
//! Invariant: a function's name, whatever its case, belongs to one library. Within a library names differ in case too, as
//! in Redis; a caller then gets the last one.

use crate::api::fail;
use crate::cache::Learnt;
use crate::header::{Flags, NAMES, is_name};
use ochre_engine::error::CommandError;
use ochre_lua::{Args, Kind, Raise, Ref, Stack, State};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Functions that one library may have.
const FUNCTIONS_MAX: usize = 1 << 16;

/// The callbacks of a library in one machine, by name.
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
    /// Another one for each time that a library was loaded.
    pub id: u64,
    /// What is known of the keys each function touches.
    pub(crate) reach: Vec<Learnt>,
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
        self.callbacks
            .into_values()
            .for_each(|callback| state.forget(callback));
    }

    /// `redis.register_function`, with a name and a function or with a table of named arguments.
    pub(crate) fn register(&mut self, args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
        let (function, callback) = match args.len() {
            1 => named(args, stack)?,
            2 => plain(args, stack)?,
            _ => {
                return Err(fail(
                    stack,
                    "wrong number of arguments to redis.register_function",
                ));
            }
        };
        if !is_name(&function.name) {
            // compat: Redis says so of functions too.
            return Err(fail(stack, &format!("Library {NAMES}")));
        }
        let key = function.name.clone();
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
    pub fn library(self, id: u64, text: Arc<[u8]>) -> Library {
        Library {
            name: self.name,
            text,
            id,
            reach: self.functions.iter().map(|_| Learnt::default()).collect(),
            functions: self.functions,
        }
    }
}

impl Library {
    /// A number for a library that is loaded.
    #[must_use]
    pub fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Relaxed)
    }
}

/// The arguments name and callback; the index of the latter.
fn plain(args: Args<'_>, stack: &mut Stack<'_>) -> Result<(Function, i32), Raise> {
    let Some(name) = args.text(1) else {
        return Err(fail(
            stack,
            "first argument to redis.register_function must be a string",
        ));
    };
    if args.kind(2) != Kind::Function {
        return Err(fail(
            stack,
            "second argument to redis.register_function must be a function",
        ));
    }
    let function = Function {
        name: name.into_owned(),
        description: None,
        flags: Flags::default(),
    };
    Ok((function, 2))
}

/// What a table of named arguments says so far.
#[derive(Default)]
struct Named {
    name: Option<Vec<u8>>,
    description: Option<Vec<u8>>,
    flags: Flags,
    /// Where the callback lies.
    callback: Option<i32>,
}

/// One table of arguments; the index of the callback, which lies on the stack.
fn named(args: Args<'_>, stack: &mut Stack<'_>) -> Result<(Function, i32), Raise> {
    if args.kind(1) != Kind::Table {
        let text = "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).";
        return Err(fail(stack, text));
    }
    let mut named = Named::default();
    // The callback's place, below the walk.
    stack.nil()?;
    stack.nil()?;
    let key = stack.top();
    while stack.next(1)? {
        let Some(field) = stack.text(key) else {
            return Err(fail(
                stack,
                "named argument key given to redis.register_function is not a string",
            ));
        };
        named.take(&field, stack, key)?;
        stack.truncate(key);
    }
    let Some(name) = named.name else {
        return Err(fail(
            stack,
            "redis.register_function must get a function name argument",
        ));
    };
    let Some(callback) = named.callback else {
        return Err(fail(
            stack,
            "redis.register_function must get a callback argument",
        ));
    };
    let (description, flags) = (named.description, named.flags);
    Ok((
        Function {
            name,
            description,
            flags,
        },
        callback,
    ))
}

impl Named {
    /// Takes the argument called `field`, whose value lies above `key`; the callback is copied below it.
    fn take(&mut self, field: &[u8], stack: &mut Stack<'_>, key: i32) -> Result<(), Raise> {
        let value = key + 1;
        let must = match field {
            b"function_name" => {
                self.name = stack.text(value);
                self.name.is_none().then_some(
                    "function_name argument given to redis.register_function must be a string",
                )
            }
            b"description" => {
                self.description = stack.text(value);
                self.description.is_none().then_some(
                    "description argument given to redis.register_function must be a string",
                )
            }
            b"callback" if stack.kind(value) == Kind::Function => {
                stack.copy(value)?;
                stack.replace(key - 1);
                self.callback = Some(key - 1);
                None
            }
            b"callback" => {
                Some("callback argument given to redis.register_function must be a function")
            }
            b"flags" if stack.kind(value) == Kind::Table => {
                self.flags = read_flags(stack, value)?;
                None
            }
            b"flags" => Some(
                "flags argument to redis.register_function must be a table representing function flags",
            ),
            _ => Some("unknown argument given to redis.register_function"),
        };
        match must {
            Some(text) => Err(fail(stack, text)),
            None => Ok(()),
        }
    }
}

fn read_flags(stack: &mut Stack<'_>, table: i32) -> Result<Flags, Raise> {
    let mut flags = Flags::default();
    for item in 1.. {
        if stack.item(table, item)? == Kind::Nil {
            break;
        }
        let top = stack.top();
        let Some(flag) = stack.bytes(top).and_then(Flags::named) else {
            return Err(fail(stack, "unknown flag given"));
        };
        flags = flags.with(flag);
        stack.pop(1);
    }
    stack.pop(1);
    Ok(flags)
}

/// The libraries that are loaded, and whose function is whose.
#[derive(Clone, Default)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    /// Functions by their names in lower case: the library, and which of its functions.
    functions: HashMap<Vec<u8>, (Arc<Library>, usize)>,
}

/// What a function called by a client is.
pub(crate) struct Found {
    pub(crate) library: Arc<Library>,
    pub(crate) index: usize,
}

impl Found {
    pub(crate) fn function(&self) -> &Function {
        &self.library.functions[self.index]
    }
}

impl Libraries {
    /// Adds a library; with `replace` one of the same name makes room.
    ///
    /// # Errors
    /// When its name, or that of a function, is taken.
    pub fn add(&mut self, library: Library, replace: bool) -> Result<(), CommandError> {
        if !replace && self.by_name.contains_key(&library.name) {
            return Err(CommandError::quoting(
                "ERR Library ",
                &library.name,
                " already exists",
            ));
        }
        for function in &library.functions {
            let taken = self.functions.get(&function.name.to_ascii_lowercase());
            if taken.is_some_and(|(owner, _)| owner.name != library.name) {
                return Err(CommandError::quoting(
                    "ERR Function ",
                    &function.name,
                    " already exists",
                ));
            }
        }
        self.remove(&library.name);
        let library = Arc::new(library);
        for (index, function) in library.functions.iter().enumerate() {
            let key = function.name.to_ascii_lowercase();
            self.functions.insert(key, (library.clone(), index));
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }

    /// # Errors
    /// When a library is called `name`; FUNCTION LOAD words it otherwise than [`Self::add`].
    pub fn must_be_new(&self, name: &[u8]) -> Result<(), CommandError> {
        if self.by_name.contains_key(name) {
            return Err(CommandError::quoting(
                "ERR Library '",
                name,
                "' already exists",
            ));
        }
        Ok(())
    }

    /// Removes the library called `name`; whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else {
            return false;
        };
        for function in &library.functions {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        true
    }

    /// The function called `name`, in any case.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Found> {
        let (library, index) = self.functions.get(&name.to_ascii_lowercase())?;
        Some(Found {
            library: library.clone(),
            index: *index,
        })
    }

    /// All libraries, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// How many libraries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many functions there are.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Bytes that names and texts take, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const ENTRY: usize = 128;
        self.iter()
            .map(|library| {
                let functions = library
                    .functions
                    .iter()
                    .map(|function| function.name.len() + ENTRY);
                library.text.len() + library.name.len() + ENTRY + functions.sum::<usize>()
            })
            .sum()
    }
}
