//! Compiles the C `long double` routines, which Rust has no type for.

fn main() {
    println!("cargo::rerun-if-changed=src/long_double.c");
    cc::Build::new()
        .file("src/long_double.c")
        .std("c11")
        .warnings(true)
        .compile("ochre_long_double");
}
