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
    /// Names in lower case, and the reference of each callback.
    names: BTreeMap<Vec<u8>, usize>,
    /// Functions wait here, in the order of registration.
    waiting: bool,
}

/// The key in the table of globals' registry under which callbacks wait to be kept.
impl Registration {
    pub(crate) fn new(name: Vec<u8>) -> Registration {
        Registration {
            name,
            functions: Vec::new(),
            names: BTreeMap::new(),
            waiting: false,
        }
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
