//! Ochre in process, for documentation examples and tests of the client.
