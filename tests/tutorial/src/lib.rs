//! Programs in the shape of the public Tokio tutorial; see `src/bin` and `tests`.

/// The address that a program's first argument names; the tutorial's own otherwise.
#[must_use]
pub fn address() -> String {
    std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:6379".to_owned())
}
