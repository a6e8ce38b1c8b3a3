//! Runs every transcript in `tests/transcripts`, in RESP2 and RESP3.

#[test]
fn transcripts() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the transcripts folder") {
        let path = entry.expect("a folder entry").path();
        let text = std::fs::read_to_string(&path).expect("a readable transcript");
        ochre_testkit::transcript::check(&path.display().to_string(), &text);
        count += 1;
    }
    assert!(count > 0);
}
