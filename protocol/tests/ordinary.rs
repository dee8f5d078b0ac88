//! What people and engines really write is not masked: this repository, and recorded runs.

use std::{fs, path::Path};

use fleet_protocol::secret::Mask;

/// Every text file below these, with its path.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        // A link leads to what is not ours.
        let meta = fs::symlink_metadata(&path).expect("it is there");
        if meta.is_dir() {
            texts(&path, found);
        } else if meta.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn the_sources_the_documents_and_recorded_runs_stay_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = vec![("Cargo.lock".to_owned(), fs::read_to_string(root.join("Cargo.lock")).expect("a lock file"))];
    for folder in ["src", "protocol/src", "coordinator/src", "docs", "profiles", "tasks", "selftest"] {
        texts(&root.join(folder), &mut found);
    }
    let mask = Mask::default();
    let mut masked = Vec::new();
    // Of the secrets themselves: their definition, and what the fuzzer found there.
    let of_secrets = |path: &str| path.contains("protocol/src/secret/") || path.contains("selftest/fuzz/kept/mask/");
    for (path, text) in found.iter().filter(|(path, _)| !of_secrets(path)) {
        for (nth, (line, seen)) in text.lines().zip(mask.text(text).lines()).enumerate() {
            // Tests of how passwords in addresses are treated.
            let is_example = line.contains("://me:") || line.contains("://:p@");
            if line != seen && !is_example {
                masked.push(format!("{path}:{}: {line}", nth + 1));
            }
        }
    }
    assert!(found.len() > 300 && masked.is_empty(), "{} files:\n{}", found.len(), masked.join("\n"));
}
