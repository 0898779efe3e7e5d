//! What the fuzz target `spec` does with its bytes: they are a spec file, beside a hardware file and a base that it may name.
//!
//! A plain function: `fuzz/` calls it from libFuzzer, `tests/it/fuzz.rs` with the kept corpus.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use nestcheck::spec;

/// A folder of this process's own, in memory where the system has such a place.
fn room() -> &'static PathBuf {
    static ROOM: OnceLock<PathBuf> = OnceLock::new();
    ROOM.get_or_init(|| {
        let shm = PathBuf::from("/dev/shm");
        let above = if shm.is_dir() {
            shm
        } else {
            std::env::temp_dir()
        };
        let room = above.join(format!("nestcheck-fuzz-{}", std::process::id()));
        fs::create_dir_all(room.join("hardware")).expect("a folder can be made");
        let put = |name: &str, text: &str| {
            fs::write(room.join(name), text).expect("a file can be written")
        };
        put(
            "hardware/smmuv3.toml",
            include_str!("../../../specs/hardware/smmuv3.toml"),
        );
        put(
            "batched.toml",
            include_str!("../../good-specs/batched.toml"),
        );
        room
    })
}

/// Reads the bytes as a spec, and prints what is wrong with it.
pub fn run(bytes: &[u8]) {
    let path = room().join("fuzzed.toml");
    fs::write(&path, bytes).expect("a file can be written");
    match spec::read(&path) {
        Ok(read) => assert!(!read.code.instrs.is_empty(), "a variant without programs"),
        Err(errors) => {
            assert!(errors.count() > 0, "refused without a reason");
            let _ = errors.to_string();
        }
    }
    spec::has_claims(&path);
}

/// Takes the folder away.
pub fn clean() {
    let _ = fs::remove_dir_all(room());
}
