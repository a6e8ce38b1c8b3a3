//! Waits for sockets, and for points in time more precisely than by milliseconds.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::time::Duration;

/// Events taken at once.
const EVENTS: usize = 256;
/// Marks the timer among the sockets.
const TIMER: u64 = u64::MAX;

/// An epoll instance with a timer.
pub(crate) struct Poller {
    epoll: OwnedFd,
    timer: Option<OwnedFd>,
    is_armed: bool,
    events: Vec<Event>,
}

impl Poller {
    /// # Errors
    /// When there are no file descriptors left.
    pub(crate) fn new() -> io::Result<Poller> {
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            timer: None,
            is_armed: false,
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// Tells of `socket` by `token` from now on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn add(
        &self,
        socket: &socket2::Socket,
        token: usize,
        interest: EventFlags,
    ) -> io::Result<()> {
        let data = EventData::new_u64(token as u64);
        Ok(epoll::add(&self.epoll, socket, data, interest)?)
    }

    /// Tells of other things about `socket`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn modify(
        &self,
        socket: &socket2::Socket,
        token: usize,
        interest: EventFlags,
    ) -> io::Result<()> {
        let data = EventData::new_u64(token as u64);
        Ok(epoll::modify(&self.epoll, socket, data, interest)?)
    }

    /// Ends the next wait after so long, or `None`: does not.
    ///
    /// # Errors
    /// When the kernel has no timers.
    pub(crate) fn wake_in(&mut self, nanos: Option<u64>) -> io::Result<()> {
        if nanos.is_none() && !self.is_armed {
            return Ok(());
        }
        let timer = match &self.timer {
            Some(timer) => timer,
            None => {
                let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
                let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
                epoll::add(
                    &self.epoll,
                    &timer,
                    EventData::new_u64(TIMER),
                    EventFlags::IN,
                )?;
                self.timer.insert(timer)
            }
        };
        // 0 would disarm it. Setting it also takes back that it has expired.
        let value = nanos.map_or(Duration::ZERO, |n| Duration::from_nanos(n.max(1)));
        let setting = Itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(value),
        };
        timerfd_settime(timer, TimerfdTimerFlags::empty(), &setting)?;
        self.is_armed = nanos.is_some();
        Ok(())
    }

    /// Waits for sockets, the timer, or as long as `timeout` (which is rounded up to milliseconds).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        self.events.clear();
        let waited = epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timespec(timeout)),
        );
        match waited {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Number of events of the last wait.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The socket of event `at`, and what it is ready for; `None` for the timer.
    #[inline]
    pub(crate) fn event(&self, at: usize) -> Option<(usize, EventFlags)> {
        let event = self.events[at];
        let (flags, data) = (event.flags, event.data);
        match data.u64() {
            TIMER => None,
            token => usize::try_from(token).ok().map(|token| (token, flags)),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
