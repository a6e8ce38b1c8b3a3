//! The client's typed commands are those of the table.

use ochre_testkit::client_commands::{files, replies};
use std::collections::BTreeSet;
use std::path::PathBuf;

#[test]
fn the_generated_commands_are_up_to_date() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../client/src/commands/generated");
    let wanted = files();
    if std::env::var_os("OCHRE_BLESS").is_some() {
        for entry in std::fs::read_dir(&folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            std::fs::remove_file(path).expect("an old file goes");
        }
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).expect("a written file");
        }
    }
    let there: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        there,
        wanted.keys().cloned().collect(),
        "run this with OCHRE_BLESS=1"
    );
    for (name, text) in wanted {
        let have = std::fs::read_to_string(folder.join(&name)).expect("a file");
        assert!(have == text, "{name} is old: run this with OCHRE_BLESS=1");
    }
}

#[test]
fn replies_are_known_for_the_commands_of_every_day() {
    for name in [
        "get", "set", "hgetall", "zrange", "lpop", "scan", "incr", "mget",
    ] {
        assert_ne!(replies::of(name), "Value", "{name}");
    }
}
