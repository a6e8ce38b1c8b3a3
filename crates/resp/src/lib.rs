//! RESP2 and RESP3 decoding and encoding.
