//! The demo's repository and tasks, embedded from `demo/`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature};

/// Files of the repository: path, text, whether it is executable.
const FILES: [(&str, &str, Mode); 3] = [
    ("README.md", include_str!("../../demo/project/README.md"), Mode::Plain),
    ("lib/greet.sh", include_str!("../../demo/project/lib/greet.sh"), Mode::Plain),
    ("check.sh", include_str!("../../demo/project/check.sh"), Mode::Executable),
];

/// The tasks, in the order in which they are submitted: file name, text.
const TASKS: [(&str, &str); 3] = [
    ("fix-greeting.md", include_str!("../../demo/tasks/fix-greeting.md")),
    ("count-words.md", include_str!("../../demo/tasks/count-words.md")),
    ("write-usage.md", include_str!("../../demo/tasks/write-usage.md")),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Executable,
}

/// Why the demo's project could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot make the demo's repository")]
    Git(#[from] git2::Error),
}

/// Makes the repository on `main` with one commit.
pub(super) fn create(folder: &Path) -> Result<(), ProjectError> {
    for (path, text, mode) in FILES {
        write(&folder.join(path), text, mode)?;
    }
    let repo =
        Repository::init_opts(folder, RepositoryInitOptions::new().initial_head("main").external_template(false))?;
    let mut index = repo.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repo.find_tree(index.write_tree()?)?;
    let author = Signature::now("fleet demo", "demo@fleet.invalid")?;
    repo.commit(Some("HEAD"), &author, &author, "a small project", &tree, &[])?;
    Ok(())
}

fn write(path: &Path, text: &str, mode: Mode) -> Result<(), ProjectError> {
    let wrong = |source| ProjectError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(wrong)?;
    }
    fs::write(path, text).map_err(wrong)?;
    if mode == Mode::Executable {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(wrong)?;
    }
    Ok(())
}

/// The tasks for `engine`: file name and text. Only the scripted engine is shown the scripts.
pub(super) fn tasks(engine: &str) -> Vec<(&'static str, String)> {
    TASKS
        .into_iter()
        .map(|(name, text)| {
            let text = text.replacen("---\n", &format!("---\nengine: {engine}\n"), 1);
            (
                name,
                if engine == "scripted" {
                    text
                } else {
                    without_scripts(&text).replacen("---\n", "---\nyolo: true\n", 1)
                },
            )
        })
        .collect()
}

fn without_scripts(text: &str) -> String {
    let mut inside = false;
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with("```script") {
            inside = true;
        } else if inside {
            inside = line != "```";
        } else if !(line.is_empty() && kept.last().is_some_and(|last| last.is_empty())) {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_engine_is_not_shown_the_scripts() {
        for (name, text) in tasks("claude") {
            assert!(text.contains("engine: claude\n") && text.contains("yolo: true\n"), "{name}: {text}");
            assert!(!text.contains("```") && text.contains("\n# "), "{name}: {text}");
        }
    }

    #[test]
    fn the_project_is_a_repository_with_one_commit_and_its_checks_fail_at_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        create(folder.path()).expect("the project can be made");
        let repo = Repository::open(folder.path()).expect("a repository");
        assert_eq!(repo.head().expect("a head").shorthand(), Ok("main"));
        let check = std::process::Command::new("./check.sh")
            .arg("greeting")
            .current_dir(folder.path())
            .output()
            .expect("the check runs");
        assert!(!check.status.success());
    }
}
