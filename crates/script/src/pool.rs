//! Machines, lent to one run at a time.
//!
//! Each thread has a place of its own, so that lending takes a lock that nobody else wants; a thread whose place is
//! empty takes a machine from another's, or a new one.
//!
//! Invariants
//! - There are at most as many machines as runs at the same time, and idle ones at most as many as places.
//! - A spoilt machine is dropped when it comes back.

use crate::sandbox::Purpose;
use crate::vm::{ScriptError, Vm};
use parking_lot::Mutex;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Places for idle machines.
const PLACES: usize = 64;

/// A place in a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
struct Place(Mutex<Option<Box<Vm>>>);

/// See the module's documentation.
pub struct Pool {
    purpose: Purpose,
    places: Vec<Place>,
    /// New machines get this limit, in bytes.
    limit: AtomicUsize,
    /// Machines that exist.
    alive: AtomicUsize,
}

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The number of the present thread's place.
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    PLACE.with(|place| {
        if place.get() == usize::MAX {
            place.set(NEXT.fetch_add(1, Relaxed) % PLACES);
        }
        place.get()
    })
}

impl Pool {
    /// A pool without machines; those to come get `limit` bytes each.
    #[must_use]
    pub fn new(purpose: Purpose, limit: usize) -> Pool {
        Pool {
            purpose,
            places: (0..PLACES).map(|_| Place::default()).collect(),
            limit: AtomicUsize::new(limit),
            alive: AtomicUsize::new(0),
        }
    }

    /// Lends a machine.
    ///
    /// # Errors
    /// When a new one has no room within its limit.
    pub fn lend(&self) -> Result<Lease<'_>, ScriptError> {
        let own = place();
        let mine = self.places[own].0.lock().take();
        let vm = mine.or_else(|| {
            let others = (1..PLACES).map(|step| &self.places[(own + step) % PLACES]);
            let idle = self.alive.load(Relaxed) > 0;
            idle.then(|| others.filter_map(|place| place.0.try_lock()?.take()).next())
                .flatten()
        });
        let limit = self.limit.load(Relaxed);
        let vm = match vm.filter(|vm| vm.limit() == limit) {
            Some(vm) => vm,
            None => {
                let vm = Box::new(Vm::new(self.purpose, limit)?);
                self.alive.fetch_add(1, Relaxed);
                vm
            }
        };
        Ok(Lease {
            pool: self,
            vm: Some(vm),
        })
    }

    /// Changes the memory limit of the machines to come; idle ones go.
    pub fn set_limit(&self, bytes: usize) {
        if self.limit.swap(bytes, Relaxed) != bytes {
            self.clear();
        }
    }

    /// Drops the idle machines.
    pub fn clear(&self) {
        drop(self.take_all());
    }

    /// Takes the idle machines out.
    #[allow(clippy::vec_box)] // they are boxed in their places
    pub(crate) fn take_all(&self) -> Vec<Box<Vm>> {
        let idle: Vec<Box<Vm>> = self
            .places
            .iter()
            .filter_map(|place| place.0.lock().take())
            .collect();
        self.alive.fetch_sub(idle.len(), Relaxed);
        idle
    }

    /// Bytes that idle machines hold.
    #[must_use]
    pub fn used(&self) -> usize {
        let idle = self
            .places
            .iter()
            .filter_map(|place| Some(place.0.try_lock()?.as_ref()?.used()));
        idle.sum()
    }
}

/// A machine on loan; dropping it gives it back.
pub struct Lease<'p> {
    pool: &'p Pool,
    vm: Option<Box<Vm>>,
}

impl Deref for Lease<'_> {
    type Target = Vm;

    /// # Panics
    /// Never: the machine leaves with the lease.
    fn deref(&self) -> &Vm {
        self.vm
            .as_deref()
            .expect("a lease has its machine until it is dropped")
    }
}

impl DerefMut for Lease<'_> {
    /// # Panics
    /// Never: the machine leaves with the lease.
    fn deref_mut(&mut self) -> &mut Vm {
        self.vm
            .as_deref_mut()
            .expect("a lease has its machine until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(vm) = self.vm.take() else { return };
        let stale = vm.limit() != self.pool.limit.load(Relaxed);
        if vm.is_spoilt() || stale || std::thread::panicking() {
            self.pool.alive.fetch_sub(1, Relaxed);
            return;
        }
        let own = place();
        let mut mine = self.pool.places[own].0.lock();
        if mine.is_none() {
            *mine = Some(vm);
            return;
        }
        drop(mine);
        for step in 1..PLACES {
            let Some(mut other) = self.pool.places[(own + step) % PLACES].0.try_lock() else {
                continue;
            };
            if other.is_none() {
                *other = Some(vm);
                return;
            }
        }
        self.pool.alive.fetch_sub(1, Relaxed);
    }
}
