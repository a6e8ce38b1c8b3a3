//! The generated code is what the .proto file says. `OCHRE_BLESS=1 cargo test -p ochre-table --test generated` writes it anew.
//!
//! It is committed, so that a build of Ochre needs neither `protoc` nor a generator.

use std::path::Path;

#[test]
fn generated_code_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let set = protox::compile(["ochre_table.proto"], [root.join("proto")]).unwrap();
    let descriptor = prost::Message::encode_to_vec(&set);
    let mut config = prost_build::Config::new();
    config.out_dir(scratch).bytes(["."]).enable_type_names();
    tonic_prost_build::configure()
        .out_dir(scratch)
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(set, config)
        .unwrap();
    let code = std::fs::read(scratch.join("ochre.table.rs")).unwrap();
    let (messages, services) = split(&String::from_utf8(code).unwrap());
    for (name, fresh) in [
        ("messages.rs", messages.into_bytes()),
        ("grpc.rs", services.into_bytes()),
        ("descriptor.bin", descriptor),
    ] {
        let path = root.join("src/generated").join(name);
        if std::env::var_os("OCHRE_BLESS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let committed = std::fs::read(&path).unwrap_or_default();
        assert!(
            committed == fresh,
            "{} is stale: run with OCHRE_BLESS=1",
            path.display()
        );
    }
}

/// The messages, which everybody needs, and what only gRPC does.
fn split(code: &str) -> (String, String) {
    let at = code
        .find("/// Generated client implementations")
        .expect("a service");
    (code[..at].to_owned(), code[at..].to_owned())
}
