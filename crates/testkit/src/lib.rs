//! Test tools of Ochre: reference servers, differential runs, command grammar.
