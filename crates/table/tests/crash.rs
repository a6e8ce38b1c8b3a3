//! The disk store's process is killed while it writes: nothing that was acknowledged and synced is lost, and writes of
//! several keys are there as a whole or not at all. Then its journal is cut somewhere in its last bytes, as a crash of
//! the machine may leave it: it opens, and what is there is whole.
//!
//! A program of its own, because it runs itself as the process that is killed. `OCHRE_SEED` repeats a run.

use ochre_table::{DiskOptions, DiskTable, Kvpair, Storage as _, SyncPolicy, Value};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Names the folder to the process that is to be killed.
const FOLDER: &str = "OCHRE_CRASH_FOLDER";
const WRITERS: usize = 4;
const ROUNDS: u64 = 6;

fn main() {
    match std::env::var_os(FOLDER) {
        Some(folder) => write_until_killed(Path::new(&folder)),
        None => kill_and_look(),
    }
}

fn open(folder: &Path) -> DiskTable {
    let options = DiskOptions {
        sync: SyncPolicy::Always,
        ..DiskOptions::default()
    };
    DiskTable::open(folder, options).expect("the store opens")
}

/// A value of some size that tells which one it is.
fn value(n: u64) -> Value {
    format!(
        "{n}:{}",
        "x".repeat(usize::try_from(n % 3000).expect("small"))
    )
    .into()
}

/// Writer `w` sets `w:n` for n = 1, 2, … and, in one call, both sides of a pair; it says `w n` when they are settled.
fn write_until_killed(folder: &Path) {
    let store = Arc::new(open(folder));
    let last = |w: usize| match store.get("last", &w.to_string()).expect("readable") {
        Some(last) => u64::try_from(i64::try_from(last).expect("a number")).expect("positive"),
        None => 0,
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|w| {
            let (store, first) = (store.clone(), last(w) + 1);
            std::thread::spawn(move || {
                for n in first.. {
                    let both = i64::try_from(n).expect("small");
                    store
                        .set("one", &format!("{w}:{n}"), value(n))
                        .expect("set");
                    let sides =
                        ["left", "right"].map(|side| Kvpair::new(format!("{w}:{side}"), both));
                    store.mset("pair", &sides).expect("set");
                    store.set("last", &w.to_string(), both.into()).expect("set");
                    if n > 1 {
                        store
                            .del("one", &format!("{w}:{}", n - 1))
                            .expect("deleted");
                    }
                    store.settle().expect("settled");
                    // One write, so that lines of several threads do not mix.
                    let line = format!("{w} {n}\n");
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("no panic");
    }
}

/// Lets the other process acknowledge `many` writes and kills it. Gives what it acknowledged.
fn kill_after(folder: &Path, many: u64) -> HashMap<usize, u64> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut acknowledged = HashMap::new();
    let mut note = |line: String| {
        // The last line may be torn.
        if let Some((w, n)) = line.split_once(' ')
            && let (Ok(w), Ok(n)) = (w.parse(), n.parse::<u64>())
        {
            acknowledged.insert(w, n);
        }
    };
    for _ in 0..many {
        note(lines.next().expect("it goes on").expect("a line"));
    }
    child.kill().expect("it was running");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    // Without its end, a number might be another one: the line before it counts.
    rest.into_iter().rev().skip(1).rev().for_each(note);
    child.wait().expect("it ended");
    acknowledged
}

/// What holds of the store whatever was lost: pairs are whole, values are those that were written.
fn check_whole(store: &DiskTable) {
    for w in 0..WRITERS {
        let side = |side| store.get("pair", &format!("{w}:{side}")).expect("readable");
        assert_eq!(side("left"), side("right"), "writer {w}");
    }
    for pair in store.get_iter("one") {
        let pair = pair.expect("readable");
        let (_, n) = pair.key.split_once(':').expect("a key of ours");
        assert_eq!(pair.value, Some(value(n.parse().expect("a number"))));
    }
}

fn check_acknowledged(store: &DiskTable, acknowledged: &HashMap<usize, u64>) {
    for (w, n) in acknowledged {
        let last = store.get("last", &w.to_string()).expect("readable");
        let last = i64::try_from(last.expect("it is there")).expect("a number");
        let last = u64::try_from(last).expect("positive");
        assert!(
            last >= *n,
            "writer {w}: {n} was acknowledged, {last} is there"
        );
        // The last one was written before its number, and is deleted after the next one's.
        let there = store.get("one", &format!("{w}:{last}")).expect("readable");
        assert_eq!(there, Some(value(last)), "writer {w}");
        let pair = store.get("pair", &format!("{w}:left")).expect("readable");
        let pair = i64::try_from(pair.expect("it is there")).expect("a number");
        assert!(u64::try_from(pair).expect("positive") >= last);
    }
}

fn journals(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let paths = files.map(|file| file.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == "jnl"))
        .collect()
}

/// Cuts up to `bytes` from the journal that was written last.
fn tear(folder: &Path, bytes: u64) {
    let newest = journals(folder).into_iter().max_by_key(|path| {
        let name = path.file_stem().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<u64>().ok())
    });
    let path = newest.expect("there is a journal");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("writable");
    let len = file.metadata().expect("a file").len();
    file.set_len(len.saturating_sub(bytes)).expect("cut");
}

fn kill_and_look() {
    let seed = match std::env::var("OCHRE_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => u64::from(std::process::id()),
    };
    println!("OCHRE_SEED={seed}");
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = |below: u64| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let folder = std::env::temp_dir().join(format!("ochre-table-crash-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    for round in 0..ROUNDS {
        let acknowledged = kill_after(&folder, 20 + random(200));
        println!("round {round}: acknowledged {acknowledged:?}");
        let store = open(&folder);
        check_acknowledged(&store, &acknowledged);
        check_whole(&store);
    }
    for _ in 0..ROUNDS {
        kill_after(&folder, 20);
        let bytes = 1 + random(5000);
        println!("{bytes} bytes of the journal are cut");
        tear(&folder, bytes);
        check_whole(&open(&folder));
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}
