//! Compiles the Lua sources of this crate, which the bindings of `mlua-sys` are then linked against.

fn main() {
    println!("cargo:rerun-if-changed=lua-5.1.5");
    let mut build = cc::Build::new();
    build
        .warnings(false)
        // Lua computes with overflowing integers in places; what they give is defined this way.
        .flag_if_supported("-fwrapv");
    let folder =
        std::fs::read_dir("lua-5.1.5").expect("the folder of Lua's sources is part of this crate");
    for file in folder.flatten() {
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            build.file(path);
        }
    }
    // The bindings are another crate, which may come later in the linker's order: nothing may be left out before it.
    build.cargo_metadata(false).compile("ochre_lua");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static:+whole-archive=ochre_lua");
}
