//! What the tree itself tells an agent: the repository's notes for those who work in it, and what earlier runs changed.

use std::path::Path;

use crate::workspace::{FileStat, Source, Workspace, WorkspaceError, files};

/// Names under which repositories keep such notes.
const NAMES: [&str; 5] = ["AGENTS.md", "CLAUDE.md", "GEMINI.md", ".github/copilot-instructions.md", "CONTRIBUTING.md"];

/// The notes there are: at the top, and in the folder that the agent starts in. Paths from the top, without repeats.
pub(super) fn of_repository(workspace: &Workspace) -> Vec<String> {
    let (tree, cwd) = (workspace.tree(), workspace.cwd());
    let inside = cwd.strip_prefix(&tree).unwrap_or(Path::new("")).to_owned();
    let mut found: Vec<String> = Vec::new();
    for folder in [Path::new(""), &inside] {
        for path in NAMES.iter().map(|name| folder.join(name)).filter(|path| tree.join(path).is_file()) {
            let path = path.to_string_lossy().into_owned();
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// What the commit that a run starts from changed against the base; nothing in a first run.
pub(super) fn work_of(source: &Source, workspace: &Workspace) -> Result<Vec<FileStat>, WorkspaceError> {
    let (base, start) = (workspace.base_commit(), workspace.start());
    if base == start {
        return Ok(Vec::new());
    }
    files(&source.git_dir, &base.to_string(), &start.to_string())
}
