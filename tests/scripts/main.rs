//! Scripts from outside: the server program beside a real Redis, and scripts that mean harm.
//!
//! | module | does |
//! |---|---|
//! | `peers` | the servers, and connections to them |
//! | `compared` | the corpus, on Ochre and on Redis 7.0 |
//! | `contained` | scripts that loop, allocate, recurse, or reach for what is not theirs |
//! | `units` | scripts among other clients: atomicity, kills, stripes taken late |

mod compared;
mod contained;
mod peers;
mod units;
