//! What string commands leave in the journal: deterministic commands with absolute deadlines, and nothing
//! for what changed nothing.

use ochre_resp::Protocol;
use ochre_testkit::{InProcess, Lines};
use std::sync::Arc;

#[test]
fn effects_are_deterministic() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    server.engine.journals.attach(lines.clone());
    let mut connection = server.connect(Protocol::Resp2);
    // The clock stands at 1700000000000.
    for (command, expected) in [
        ("SET k v", "SET k v"),
        ("SET k v EX 10", "SET k v PXAT 1700000010000"),
        ("SET k w XX GET KEEPTTL", "SET k w KEEPTTL"),
        ("SET k w NX", ""),
        ("SET k x IFEQ w PX 5", "SET k x PXAT 1700000000005"),
        ("SET k x IFEQ w", ""),
        ("SET k x EXAT 1", "DEL k"),
        // Stored and removed at once, as Redis tells its listeners too.
        ("SET k x EXAT 1", "DEL k"),
        ("SETEX k 10 v", "SET k v PXAT 1700000010000"),
        ("PSETEX k 10 v", "SET k v PXAT 1700000000010"),
        ("SETNX k v", ""),
        ("GETSET k 1", "SET k 1"),
        ("GETEX k", ""),
        ("GETEX k PERSIST", ""),
        ("GETEX k PX 7", "PEXPIREAT k 1700000000007"),
        ("GETEX k PERSIST", "PERSIST k"),
        ("GETEX none EX 10", ""),
        ("INCR k", "INCR k"),
        ("INCRBYFLOAT k 0.5", "SET k 2.5 KEEPTTL"),
        ("INCRBYFLOAT k x", ""),
        ("INCREX n EX 1 ENX", "SET n 1 PXAT 1700000001000"),
        ("INCREX n EX 9 ENX", "SET n 2 KEEPTTL"),
        ("INCREX n BYFLOAT 0.5 PERSIST", "SET n 2.5"),
        ("INCREX n BYFLOAT 1 UBOUND 3", ""),
        ("INCREX n BYFLOAT 1 PXAT 1", "DEL n"),
        ("GETEX k PXAT 1", "DEL k"),
        ("GETDEL k", ""),
        ("APPEND k v", "APPEND k v"),
        ("SETRANGE k 0 \"\"", ""),
        ("DELEX k IFEQ w", ""),
        ("DELEX k IFEQ v", "DEL k"),
        ("DELEX k", ""),
        ("MSET a 1 b 2", "MSET a 1 b 2"),
        ("MSETNX a 1 c 2", ""),
        ("MSETEX 2 a 1 b 2", "MSETEX 2 a 1 b 2"),
        ("MSETEX 2 a 1 c 2 NX EX 1", ""),
        (
            "MSETEX 2 a 1 b 2 XX EX 1",
            "MSETEX 2 a 1 b 2 PXAT 1700000001000",
        ),
        ("MSETEX 2 a 1 b 2 PXAT 1", "DEL a b"),
        ("GETDEL a", ""),
    ] {
        connection.line(command);
        let got = lines.take();
        assert_eq!(got.join("\n"), expected, "{command}");
    }
}
