//! The conformance suite over the storages that need nothing around them.

use ochre_table::{MemTable, conformance};

#[test]
fn memory() {
    conformance::check(&MemTable::new());
}

#[cfg(feature = "disk")]
mod disk {
    use ochre_table::{DiskOptions, DiskTable, Storage, SyncPolicy, conformance};
    use std::time::Duration;

    /// A folder of this test's own, gone at its end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                std::env::temp_dir().join(format!("ochre-table-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn disk() {
        for sync in [
            SyncPolicy::Every(Duration::from_millis(1)),
            SyncPolicy::Always,
            SyncPolicy::Never,
        ] {
            let folder = Folder::new("conformance");
            let options = DiskOptions {
                sync,
                ..DiskOptions::default()
            };
            let store = DiskTable::open(&folder.0, options).unwrap();
            assert_eq!(store.settles(), sync == SyncPolicy::Always);
            conformance::check(&store);
            store.settle().unwrap();
        }
    }

    #[test]
    fn one_process_has_it_open_and_what_was_written_is_there_again() {
        let folder = Folder::new("reopened");
        let store = ochre_table::SledDb::new(&folder.0);
        assert!(DiskTable::open(&folder.0, DiskOptions::default()).is_err());
        store.set("t", "k", 5_i64.into()).unwrap();
        drop(store);
        let store = DiskTable::open(&folder.0, DiskOptions::default()).unwrap();
        assert_eq!(store.get("t", "k").unwrap(), Some(5_i64.into()));
    }

    #[test]
    fn long_keys_are_refused() {
        let folder = Folder::new("long");
        let store = ochre_table::SledDb::new(&folder.0);
        assert!(store.set("t", &"k".repeat(65_535), true.into()).is_err());
        assert!(store.set(&"t".repeat(65_536), "k", true.into()).is_err());
        let key = "k".repeat(65_532);
        store.set("t", &key, true.into()).unwrap();
        assert_eq!(store.get_all("t", 1 << 20).unwrap().len(), 1);
    }
}
