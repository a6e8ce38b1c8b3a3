//! A virtual machine with the scripts and libraries it has compiled.
//!
//! Invariants
//! - What was compiled is found by the SHA-1 of its text, so that it never goes out of date; forgetting is a matter of memory.
//! - After a run the stack is empty, KEYS and ARGV belong to nobody, and the machine is within its memory limit or gone.

use crate::api::{Host, Run, Sha, hex};
use crate::cache::{Cache, Script};
use crate::library::{Libraries, Library, Loaded, Registration};
use crate::reply::is_counted;
use crate::sandbox::{self, Purpose, Scene};
use crate::{answer, header};
use foldhash::fast::RandomState;
use ochre_engine::error::printed;
use ochre_lua::{Failure, Fault, Kind, Raise, Ref, Stack, State};
use ochre_resp::{Out, Protocol, RequestBuf};
use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::Arc;

/// Shared by all workers inside, and counted outside by one machine and what it runs: a run writes no line of memory
/// that other workers write.
#[allow(clippy::redundant_allocation)] // the second count is the purpose
pub(crate) type Own<T> = Arc<Arc<T>>;

/// How scripts and functions are called in messages.
const SCRIPT_NAME: &CStr = c"@user_script";
const LIBRARY_NAME: &CStr = c"@user_function";
/// Compiled scripts that one machine keeps; the text of each stays in the cache of all.
const COMPILED_MAX: usize = 1000;
/// An argument buffer above this is given back after a run, in bytes.
const REQUEST_MAX: usize = 64 * 1024;

/// Text of an error that the script ended with, code included.
pub type ScriptError = Vec<u8>;

/// How a script ended with an error.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The error, code included.
    pub(crate) text: ScriptError,
    /// It is that of a command, which was counted already.
    pub(crate) counted: bool,
}

/// A script that was compiled.
struct Compiled {
    function: Ref,
    /// The script as the cache has it, or had it at [`Self::epoch`]. The outer count belongs to this machine, so that a
    /// run writes nothing that other workers look at.
    script: Own<Script>,
    epoch: u64,
}

/// A machine.
pub struct Vm {
    state: State,
    scene: Option<Scene>,
    compiled: HashMap<Sha, Compiled, RandomState>,
    loaded: HashMap<u64, Loaded>,
    /// The state of the libraries that `loaded` was compared with.
    pub(crate) epoch: u64,
    /// The libraries at that time. The outer count belongs to this machine.
    pub(crate) libraries: Own<Libraries>,
    /// Room for replies, kept from one run to the next.
    pub(crate) reply: ochre_engine::exec::Out,
    request: RequestBuf,
    keys: GivenList,
    args: GivenList,
    limit: usize,
    spoilt: bool,
}

/// A table of globals that each run of a script gets its arguments in.
struct GivenList {
    name: &'static str,
    /// The last run's.
    last: Option<Ref>,
}

/// What is put on the stack as arguments.
pub(crate) type List<'a> = &'a mut dyn ExactSizeIterator<Item = &'a [u8]>;

impl Vm {
    /// A machine with a memory limit in bytes.
    ///
    /// # Errors
    /// When the limit is too small even for the libraries.
    pub fn new(purpose: Purpose, limit: usize) -> Result<Vm, ScriptError> {
        let built = sandbox::build(purpose);
        let (mut state, scene) =
            built.map_err(|_| b"ERR cannot prepare the script engine".to_vec())?;
        state.collect();
        state.set_limit(limit);
        Ok(Vm {
            state,
            scene,
            compiled: HashMap::default(),
            libraries: Arc::default(),
            loaded: HashMap::new(),
            epoch: 0,
            reply: ochre_engine::exec::Out::default(),
            request: RequestBuf::default(),
            keys: GivenList::new("KEYS"),
            args: GivenList::new("ARGV"),
            limit,
            spoilt: false,
        })
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn used(&self) -> usize {
        self.state.used() + self.state.kept()
    }

    /// Whether it must not be used again: a run left it full, or in a state that nobody vouches for.
    #[must_use]
    pub fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    /// Its memory limit.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The script that can be called by `sha`; looks into `cache` only where something may have changed.
    pub(crate) fn script(&mut self, sha: &Sha, cache: &Cache) -> Option<Own<Script>> {
        let epoch = cache.epoch();
        if let Some(compiled) = self.compiled.get(sha)
            && compiled.epoch == epoch
        {
            return Some(compiled.script.clone());
        }
        let script = Arc::new(cache.get(sha)?);
        if let Some(compiled) = self.compiled.get_mut(sha) {
            compiled.script = script.clone();
            compiled.epoch = epoch;
        }
        Some(script)
    }

    /// Compiles a script, to see whether it is one, and leaves it on the stack.
    ///
    /// # Errors
    /// The text for a script that is none.
    fn compile(&mut self, program: &[u8]) -> Result<(), ScriptError> {
        self.state.compile(SCRIPT_NAME, program).map_err(|error| {
            [
                b"ERR Error compiling script (new function): ".as_slice(),
                &error.0,
            ]
            .concat()
        })
    }

    /// Whether a text is a script.
    ///
    /// # Errors
    /// The text for one that is none.
    pub(crate) fn check(&mut self, program: &[u8]) -> Result<(), ScriptError> {
        self.compile(program)?;
        self.state.stack().truncate(0);
        Ok(())
    }

    /// Lets the compiled scripts go.
    fn forget_compiled(&mut self) {
        for (_, compiled) in self.compiled.drain() {
            self.state.forget(compiled.function);
        }
        self.state.collect();
    }

    /// Pushes the function of a script.
    fn push_script(&mut self, script: &Own<Script>) -> Result<(), ScriptError> {
        if let Some(compiled) = self.compiled.get(&script.sha) {
            self.state.push_ref(&compiled.function);
            return Ok(());
        }
        if self.compiled.len() >= COMPILED_MAX {
            self.forget_compiled();
        }
        self.compile(&script.program)?;
        let function = self.state.keep();
        self.state.push_ref(&function);
        let compiled = Compiled {
            function,
            script: script.clone(),
            // Compared with the cache when it is next asked for.
            epoch: u64::MAX,
        };
        self.compiled.insert(script.sha, compiled);
        Ok(())
    }

    /// Runs a script and writes its reply.
    ///
    /// # Errors
    /// The error that it ended with; nothing is written then.
    pub(crate) fn eval<'a, S: AsRef<[u8]>>(
        &mut self,
        script: &Own<Script>,
        (keys, args): (List<'a>, List<'a>),
        host: &mut dyn Host,
        out: &mut Out<S>,
    ) -> Result<(), Ended> {
        self.push_script(script)?;
        let prepared = self
            .keys
            .set(&mut self.state, keys)
            .and_then(|()| self.args.set(&mut self.state, args));
        let name = || hex(&script.sha).to_vec();
        match prepared {
            Ok(()) => self.run(0, name, host, out),
            Err(_) => Err(self.fail(Failure::Memory, name)),
        }
    }

    /// Calls a function of a library, which is loaded first where this machine does not know it, and writes its reply.
    ///
    /// # Errors
    /// The error that it ended with; nothing is written then.
    pub(crate) fn call<'a, S: AsRef<[u8]>>(
        &mut self,
        (library, function): (&Library, &[u8]),
        (keys, args): (List<'a>, List<'a>),
        host: &mut dyn Host,
        out: &mut Out<S>,
    ) -> Result<(), Ended> {
        if !self.loaded.contains_key(&library.id) {
            self.load(library.id, &library.text, host)?;
        }
        let name = || function.to_vec();
        let Some(callback) = self
            .loaded
            .get(&library.id)
            .and_then(|loaded| loaded.get(function))
        else {
            return Err(b"ERR Function not found".to_vec().into());
        };
        self.state.push_ref(callback);
        let stack = &mut self.state.stack();
        let prepared = push_list(stack, keys).and_then(|()| push_list(stack, args));
        match prepared {
            Ok(()) => self.run(2, name, host, out),
            Err(_) => Err(self.fail(Failure::Memory, name)),
        }
    }

    /// Loads a library, and tells what it registers.
    ///
    /// # Errors
    /// Redis's texts for a library that is none.
    pub fn load(
        &mut self,
        id: u64,
        text: &Arc<[u8]>,
        host: &mut dyn Host,
    ) -> Result<Registration, ScriptError> {
        let (name, at) = header::library(text).map_err(|error| error.text().to_vec())?;
        self.state
            .compile(LIBRARY_NAME, &text[at..])
            .map_err(|error| [b"ERR Error compiling function: ".as_slice(), &error.0].concat())?;
        let scene = self.scene.as_ref();
        let shown = scene.map_or(Ok(()), |scene| scene.show(&mut self.state, true));
        let mut registration = Registration::new(name);
        let mut run = Run {
            host,
            request: &mut self.request,
            protocol: Protocol::Resp2,
            registration: Some(&mut registration),
        };
        let outcome = match shown {
            Ok(()) => self.state.call(&mut run, 0, 0),
            Err(_) => Err(Failure::Memory),
        };
        let shown = scene.map_or(Ok(()), |scene| scene.show(&mut self.state, false));
        self.spoilt |= shown.is_err();
        if let Err(failure) = outcome {
            let message = self.message(&failure);
            registration.abandon(&mut self.state);
            self.settle(Some(&failure));
            return Err([b"ERR Error registering functions: ".as_slice(), &message].concat());
        }
        self.settle(None);
        if registration.functions.is_empty() {
            return Err(b"ERR No functions registered".to_vec());
        }
        self.loaded.insert(id, registration.take_callbacks());
        Ok(registration)
    }

    /// Lets the libraries go that `wanted` does not name.
    pub(crate) fn keep_libraries(&mut self, wanted: &dyn Fn(u64) -> bool) {
        let gone: Vec<u64> = self
            .loaded
            .keys()
            .copied()
            .filter(|id| !wanted(*id))
            .collect();
        for id in gone {
            let callbacks = self.loaded.remove(&id).unwrap_or_default();
            callbacks
                .into_values()
                .for_each(|callback| self.state.forget(callback));
        }
    }

    /// Calls the function below the last `args` values, and writes what it returns.
    fn run<S: AsRef<[u8]>>(
        &mut self,
        args: i32,
        name: impl FnOnce() -> Vec<u8>,
        host: &mut dyn Host,
        out: &mut Out<S>,
    ) -> Result<(), Ended> {
        let mut run = Run {
            host,
            request: &mut self.request,
            protocol: Protocol::Resp2,
            registration: None,
        };
        let outcome = self.state.call(&mut run, args, 1);
        let resp3 = run.protocol == Protocol::Resp3;
        let host = run.host;
        if let Err(failure) = outcome {
            return Err(self.fail(failure, name));
        }
        let mark = out.mark();
        let mut tell = |error: &[u8], counted| host.failed(error, counted);
        if answer::write(&mut self.state.stack(), out, resp3, &mut tell).is_err() {
            out.truncate(mark);
            return Err(self.fail(Failure::Memory, name));
        }
        self.settle(None);
        Ok(())
    }

    fn fail(&mut self, failure: Failure, name: impl FnOnce() -> Vec<u8>) -> Ended {
        let counted = self.is_counted(&failure);
        let text = self.error(&failure, &name());
        self.settle(Some(&failure));
        Ended { text, counted }
    }

    /// Whether the error on top is one of a command.
    fn is_counted(&mut self, failure: &Failure) -> bool {
        let mut stack = self.state.stack();
        let value = stack.top();
        if !matches!(failure, Failure::Error(_)) || stack.kind(value) != Kind::Table {
            return false;
        }
        is_counted(&mut stack, value).unwrap_or(false)
    }

    /// Cleans up after a run.
    fn settle(&mut self, failure: Option<&Failure>) {
        let mut stack = self.state.stack();
        if stack.top() > 0 {
            stack.truncate(0);
        }
        if self.request.heap_bytes() > REQUEST_MAX {
            self.request = RequestBuf::default();
        }
        let tight = self.limit > 0 && self.state.used() > self.limit / 2;
        if tight || matches!(failure, Some(Failure::Memory | Failure::Stopped(..))) {
            self.clear_lists();
            self.state.collect();
            self.spoilt |= self.limit > 0 && self.state.used() > self.limit / 2;
        }
    }

    /// Lets the last run's KEYS and ARGV go.
    fn clear_lists(&mut self) {
        if self.scene.is_some() {
            return;
        }
        self.state.set_limit(0);
        for list in [&mut self.keys, &mut self.args] {
            let cleared = list.set(&mut self.state, &mut std::iter::empty());
            self.spoilt |= cleared.is_err();
        }
        self.state.set_limit(self.limit);
    }

    /// The reply for a run that failed: the error, who raised it and where.
    fn error(&mut self, failure: &Failure, name: &[u8]) -> ScriptError {
        let fault = match failure {
            Failure::Memory => None,
            Failure::Error(fault) | Failure::Stopped(_, fault) => fault.as_ref(),
        };
        let mut text = self.message(failure);
        text.extend_from_slice(b" script: ");
        text.extend_from_slice(name);
        if let Some(Fault { source, line }) = fault {
            text.extend_from_slice(format!(", on {source}:{line}").as_bytes());
        }
        text.push(b'.');
        text
    }

    fn message(&mut self, failure: &Failure) -> Vec<u8> {
        match failure {
            Failure::Memory => return b"ERR not enough memory".to_vec(),
            Failure::Stopped(text, _) => return format!("ERR {text}").into_bytes(),
            Failure::Error(_) => {}
        }
        let mut stack = self.state.stack();
        let value = stack.top();
        let mut text = b"ERR ".to_vec();
        match stack.kind(value) {
            Kind::Table => {
                let field = stack.field(value, "err").unwrap_or(Kind::Nil);
                match field {
                    Kind::String => {
                        return printed(stack.bytes(value + 1).unwrap_or_default()).to_vec();
                    }
                    Kind::Number => {
                        text.clear();
                        ochre_lua::general(
                            &mut text,
                            stack.number(value + 1).unwrap_or_default(),
                            14,
                        );
                    }
                    _ => text.extend_from_slice(b"unknown error"),
                }
            }
            Kind::String => text.extend_from_slice(printed(stack.bytes(value).unwrap_or_default())),
            Kind::Number => {
                ochre_lua::general(&mut text, stack.number(value).unwrap_or_default(), 14)
            }
            Kind::Boolean if stack.boolean(value) => text.extend_from_slice(b"true"),
            Kind::Boolean => text.extend_from_slice(b"false"),
            Kind::Light => text.extend_from_slice(b"userdata: (nil)"),
            kind => text.extend_from_slice(kind.name().as_bytes()),
        }
        text
    }
}

impl GivenList {
    fn new(name: &'static str) -> GivenList {
        GivenList { name, last: None }
    }

    /// Sets the global. Nothing of the last run is left that could still have its table, so that this is used again
    /// unless the number of items differs or the script changed more than those.
    fn set<'a>(&mut self, state: &mut State, items: List<'a>) -> Result<(), Raise> {
        if let Some(last) = &self.last {
            state.push_ref(last);
            let stack = &mut state.stack();
            if stack.is_list_of(stack.top(), room_for(items.len())) {
                clear_behind(stack, items.len())?;
                fill_list(stack, items)?;
                stack.pop(1);
                return Ok(());
            }
            stack.pop(1);
        }
        let stack = &mut state.stack();
        push_list(stack, items)?;
        stack.copy(stack.top())?;
        let kept = stack.keep()?;
        let globals = stack.globals();
        let set = stack.force_field(globals, self.name);
        let stale = match &set {
            Ok(()) => self.last.replace(kept),
            // The global is still the last run's.
            Err(_) => Some(kept),
        };
        if let Some(stale) = stale {
            state.forget(stale);
        }
        set
    }
}

/// The room of a table that got `len` items one by one.
///
/// compat: the length operator shows it when a script takes items out; Redis's lists of arguments grow from nothing.
fn room_for(len: usize) -> usize {
    if len == 0 { 0 } else { len.next_power_of_two() }
}

/// Pushes a table of `items`.
fn push_list<'a>(stack: &mut Stack<'_>, items: List<'a>) -> Result<(), Raise> {
    stack.new_table(room_for(items.len()), 0)?;
    fill_list(stack, items)
}

/// Empties the room behind the first `len` items of the table on top.
fn clear_behind(stack: &mut Stack<'_>, len: usize) -> Result<(), Raise> {
    let table = stack.top();
    for number in len + 1..=room_for(len) {
        stack.nil()?;
        stack.fill(table, i32::try_from(number).map_err(|_| Raise::Memory)?)?;
    }
    Ok(())
}

/// Fills the table on top.
fn fill_list<'a>(stack: &mut Stack<'_>, items: List<'a>) -> Result<(), Raise> {
    let table = stack.top();
    for (number, item) in (1..).zip(items) {
        stack.push_bytes(item)?;
        stack.fill(table, number)?;
    }
    Ok(())
}
