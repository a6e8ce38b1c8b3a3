//! Data structures and number, pattern and compression routines for Ochre.
