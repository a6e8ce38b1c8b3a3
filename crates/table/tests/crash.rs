//! The disk store's process is killed while it writes: nothing that was acknowledged and synced is lost, and writes of
//! several keys are there as a whole or not at all. Then its journal is damaged as a crash of the machine may leave it,
//! cut or with garbage at its end: it opens, what is there is whole, and nothing is lost that was acknowledged when the
//! journal ended before the damage. Damage before that end is no such thing: the store does not open, and says why.
//! Last, the disk fails to sync: nothing is acknowledged from then on.
//!
//! A program of its own, because it runs itself as the process that is killed, and as the one whose disk fails, by
//! means of `failing_sync.c`. `OCHRE_SEED` repeats a run.

use ochre_table::{DiskOptions, DiskTable, KvError, Kvpair, Storage as _, SyncPolicy, Value};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Names the folder to the process that is to be killed.
const FOLDER: &str = "OCHRE_CRASH_FOLDER";
/// Tells that process after how many syncs the disk fails; it goes on then until it is refused.
const SYNCS: &str = "OCHRE_CRASH_SYNCS";
const WRITERS: usize = 4;
const ROUNDS: u64 = 6;

fn main() {
    match std::env::var_os(FOLDER) {
        Some(folder) if std::env::var_os(SYNCS).is_some() => {
            write_until_refused(Path::new(&folder));
        }
        Some(folder) => write_until_killed(Path::new(&folder)),
        None => kill_and_look(),
    }
}

/// What the other process said of a writer's last write that it acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    n: u64,
    /// Where the journal ended then, or a little later.
    journal: u64,
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

/// Writer `w` sets `w:n` for n = 1, 2, … and, in one call, both sides of a pair; it says `w n journal` when they are
/// settled.
fn write_until_killed(folder: &Path) {
    let store = Arc::new(open(folder));
    let last = |w: usize| match store.get("last", &w.to_string()).expect("readable") {
        Some(last) => u64::try_from(i64::try_from(last).expect("a number")).expect("positive"),
        None => 0,
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|w| {
            let (store, first) = (store.clone(), last(w) + 1);
            let journal = newest_journal(folder);
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
                    let len = std::fs::metadata(&journal).expect("a file").len();
                    let line = format!("{w} {n} {len}\n");
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

/// Runs this program on a folder, as `set` sets it up.
fn spawn(folder: &Path, set: impl FnOnce(&mut Command) -> &mut Command) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let command = command.env(FOLDER, folder).stdout(Stdio::piped());
    set(command).spawn().expect("it starts")
}

/// Lets the other process acknowledge `many` writes and kills it. Gives all that it acknowledged, in order.
fn kill_after(folder: &Path, many: u64) -> Vec<(usize, Acknowledged)> {
    let mut child = spawn(folder, |command| command);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut acknowledged = Vec::new();
    let mut note = |line: String| {
        let numbers: Vec<u64> = line.split(' ').map_while(|n| n.parse().ok()).collect();
        // The last line may be torn.
        if let [w, n, journal] = numbers[..] {
            let w = usize::try_from(w).expect("small");
            acknowledged.push((w, Acknowledged { n, journal }));
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

fn check_acknowledged<'a>(
    store: &DiskTable,
    acknowledged: impl Iterator<Item = &'a (usize, Acknowledged)>,
) {
    for (w, Acknowledged { n, .. }) in acknowledged {
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

/// The journal that was written last.
fn newest_journal(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).expect("a folder");
    let paths = files.map(|file| file.expect("an entry").path());
    let journals = paths.filter(|path| path.extension().is_some_and(|e| e == "jnl"));
    let newest = journals.max_by_key(|path| {
        let name = path.file_stem().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<u64>().ok())
    });
    newest.expect("there is a journal")
}

/// Cuts the newest journal at `at`, and puts `garbage` there.
fn tear(folder: &Path, at: u64, garbage: &[u8]) {
    let path = newest_journal(folder);
    let mut file = OpenOptions::new().write(true).open(path).expect("writable");
    file.set_len(at).expect("cut");
    file.seek(SeekFrom::Start(at)).expect("a file");
    file.write_all(garbage).expect("written");
}

/// Kills the process and damages the end of the journal, behind something that was acknowledged.
fn damage_and_look(folder: &Path, random: &mut impl FnMut(u64) -> u64) {
    // An opened journal ends with its data; a new one is larger.
    drop(open(folder));
    let acknowledged = kill_after(folder, 30 + random(30));
    let len = std::fs::metadata(newest_journal(folder))
        .expect("a file")
        .len();
    let journals: Vec<u64> = acknowledged.iter().map(|(_, a)| a.journal).collect();
    let (first, last) = (journals[0], journals[journals.len() - 1]);
    assert!(first < last && last <= len, "{first} {last} {len}");
    let at = first + random(len - first);
    let garbage: Vec<u8> = match random(3) {
        0 => Vec::new(),
        1 => vec![0; 1 + random(5000) as usize],
        _ => (0..1 + random(5000)).map(|_| random(256) as u8).collect(),
    };
    println!(
        "journal of {len} bytes, cut at {at}, {} bytes of garbage",
        garbage.len()
    );
    tear(folder, at, &garbage);
    let store = open(folder);
    let before = acknowledged.iter().filter(|(_, a)| a.journal <= at);
    assert!(before.clone().count() > 0);
    check_acknowledged(&store, before);
    check_whole(&store);
}

/// Changes a byte of a value in the middle of the journal: that is no crash, and nobody may be served the rest.
fn damage_the_middle(folder: &Path) {
    drop(open(folder));
    kill_after(folder, 30);
    let path = newest_journal(folder);
    let bytes = std::fs::read(&path).expect("readable");
    // Values are mostly x.
    let run = [b'x'; 100];
    let middle = bytes.windows(run.len()).position(|w| w == run);
    let at = middle.expect("a value") + run.len() / 2;
    let mut damaged = bytes.clone();
    damaged[at] = b'y';
    std::fs::write(&path, damaged).expect("written");
    let refused = DiskTable::open(folder, DiskOptions::default());
    println!("{}", refused.err().expect("it is not opened"));
    // The refusal has destroyed nothing.
    std::fs::write(&path, bytes).expect("written");
    check_whole(&open(folder));
}

/// Sets keys until the disk fails; says which were acknowledged. From then on nothing may be.
fn write_until_refused(folder: &Path) {
    let store = open(folder);
    let refused = (1_i64..).find_map(|n| {
        store.set("synced", "n", n.into()).expect("set");
        match store.settle() {
            Ok(()) => {
                println!("{n}");
                None
            }
            Err(error) => Some(error),
        }
    });
    assert!(matches!(refused, Some(KvError::Storage(_))), "{refused:?}");
    let pair = Kvpair::new("n", -1_i64);
    let errors = [
        store.set("synced", "n", (-1_i64).into()).map(drop),
        store.del("synced", "n").map(drop),
        store.mset("synced", &[pair]).map(drop),
        store.settle(),
    ];
    for error in errors {
        assert!(matches!(error, Err(KvError::Storage(_))), "{error:?}");
    }
    // What is there can be read.
    assert!(store.get("synced", "n").expect("readable").is_some());
    println!("refused");
}

/// Runs the process on a disk that fails to sync after a while.
fn fail_to_sync(folder: &Path) {
    const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/failing_sync.c");
    let library = folder.with_extension("so");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    let compiled = compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(SOURCE);
    assert!(compiled.status().expect("a C compiler").success());
    let syncs = 20;
    let child = spawn(folder, |command| {
        let command = command.env("LD_PRELOAD", &library);
        command.env(SYNCS, syncs.to_string())
    });
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success());
    let text = String::from_utf8(done.stdout).expect("text");
    let mut lines = text.lines().rev();
    assert_eq!(lines.next(), Some("refused"));
    let last: i64 = lines.next().expect("some were").parse().expect("a number");
    println!("{last} acknowledged on a disk with {syncs} syncs");
    assert!((1..=syncs).contains(&last));
    let there = open(folder).get("synced", "n").expect("readable");
    let there = i64::try_from(there.expect("it is there")).expect("a number");
    assert!(there >= last, "{last} was acknowledged, {there} is there");
    std::fs::remove_file(library).expect("removed");
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
        println!("round {round}: {} acknowledged", acknowledged.len());
        let store = open(&folder);
        check_acknowledged(&store, acknowledged.iter());
        check_whole(&store);
    }
    for _ in 0..ROUNDS {
        damage_and_look(&folder, &mut random);
    }
    damage_the_middle(&folder);
    if cfg!(target_os = "linux") {
        fail_to_sync(&folder);
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}
