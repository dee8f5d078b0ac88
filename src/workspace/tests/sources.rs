//! Each kind of repository works, or is refused with the reason and what to do.

use std::{fs, path::Path};

use super::{
    super::{Source, WorkspaceError},
    fixture::{User, agent_commits, collected, git, write},
};

fn open(path: &Path) -> Result<Source, WorkspaceError> {
    Source::open(path.to_str().unwrap(), None)
}

fn refusal(path: &Path) -> String {
    open(path).unwrap_err().to_string()
}

#[test]
fn a_folder_that_is_no_repository_is_told_to_become_one() {
    let dir = tempfile::tempdir().unwrap();
    let said = refusal(dir.path());
    assert!(said.contains("not in a git repository") && said.contains("git init"), "{said}");
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let error = open(Path::new("/no/such/folder")).unwrap_err();
    assert!(matches!(&error, WorkspaceError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("/no/such/folder"));
}

#[test]
fn an_address_on_the_network_is_told_to_be_cloned() {
    for address in ["https://example.org/x.git", "git@example.org:x.git", "ssh://example.org/x"] {
        let said = Source::open(address, None).unwrap_err().to_string();
        assert!(said.contains("clone it"), "{said}");
    }
}

#[test]
fn a_repository_without_a_commit_is_told_to_commit() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), ["init", "-q"]);
    assert!(refusal(dir.path()).contains("no commit yet"));
}

#[test]
fn a_detached_head_needs_a_base_and_takes_one() {
    let user = User::new();
    user.git(["checkout", "-q", "--detach"]);
    let said = refusal(&user.repo);
    assert!(said.contains("detached") && said.contains("base:"), "{said}");
    let source = Source::open(user.repo.to_str().unwrap(), Some("main")).unwrap();
    assert_eq!(source.base, "main");
}

#[test]
fn an_unknown_base_is_answered_with_the_nearest_branches() {
    let user = User::new();
    user.git(["branch", "develop"]);
    let said = Source::open(user.repo.to_str().unwrap(), Some("mian")).unwrap_err().to_string();
    assert!(said.contains("`mian`") && said.contains("there is `main`"), "{said}");
}

#[test]
fn a_branch_named_fleet_stands_in_the_way() {
    let user = User::new();
    user.git(["branch", "fleet"]);
    assert!(refusal(&user.repo).contains("git branch -m"));
}

#[test]
fn a_partial_clone_is_told_how_to_become_whole() {
    let user = User::new();
    user.git(["config", "remote.origin.url", "x"]);
    user.git(["config", "remote.origin.promisor", "true"]);
    assert!(refusal(&user.repo).contains("partial clone"));
}

#[test]
fn a_folder_within_the_repository_is_where_the_agent_starts() {
    let user = User::new();
    let source = open(&user.repo.join("src")).unwrap();
    assert_eq!(source.inside, Path::new("src"));
    let workspace = super::super::Workspace::prepare(&source, user.wanted(1), &mut |_| {}).unwrap();
    assert_eq!(workspace.cwd(), workspace.tree().join("src"));
}

#[test]
fn a_dirty_checkout_works_and_gives_only_what_is_committed() {
    let user = User::new();
    write(&user.repo, &[("README.md", "changed\n"), ("new.txt", "new\n")]);
    user.git(["add", "new.txt"]);
    let before = user.snapshot();
    let workspace = user.prepare();
    assert_eq!(fs::read_to_string(workspace.tree().join("README.md")).unwrap(), "hello\n");
    assert!(!workspace.tree().join("new.txt").exists());
    assert_eq!(user.source().dirty().unwrap(), 2);
    assert_eq!(user.snapshot(), before);
}

#[test]
fn a_bare_repository_works_by_path_and_by_address() {
    let user = User::named("with space é");
    let bare = user.root.path().join("bare é.git");
    git(user.root.path(), ["clone", "-q", "--bare", user.repo.to_str().unwrap(), bare.to_str().unwrap()]);
    let address = format!("file://{}", bare.to_str().unwrap().replace(' ', "%20").replace('é', "%C3%A9"));
    for (nth, path) in [(1, bare.to_str().unwrap()), (2, &address)] {
        let source = Source::open(path, None).unwrap();
        assert_eq!((source.checkout.as_deref(), source.base.as_str()), (None, "main"));
        assert_eq!(source.dirty().unwrap(), 0);
        let workspace = super::super::Workspace::prepare(&source, user.wanted(nth), &mut |_| {}).unwrap();
        agent_commits(&workspace, &[("a", "b\n")], "work");
        let head = collected(&workspace).head.to_string();
        assert_eq!(git(&bare, ["rev-parse", &format!("refs/fleet/wip/{}", workspace.job())]), head);
    }
}

#[test]
fn spaces_and_letters_beyond_ascii_work_everywhere() {
    let user = User::named("mein Projekt – 日本語 \"x\"");
    user.commit(&[("ordner mit leerzeichen/größe.txt", "1\n")], "names");
    let before = user.snapshot();
    let workspace = user.prepare();
    agent_commits(&workspace, &[("neue datei – ñ.txt", "2\n")], "work");
    write(&workspace.tree(), &[("übrig.txt", "3\n")]);
    let work = collected(&workspace);
    assert_eq!(work.paths, ["neue datei – ñ.txt", "übrig.txt"]);
    assert_eq!(user.show(&work.head.to_string(), "übrig.txt"), "3");
    assert_eq!(user.snapshot(), before);
}

#[test]
fn a_linked_worktree_works_and_its_branch_is_the_base() {
    let user = User::new();
    let linked = user.root.path().join("linked");
    user.git(["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let source = open(&linked).unwrap();
    assert_eq!(source.base, "side");
    assert_eq!(source.git_dir.canonicalize().unwrap(), user.git_dir().canonicalize().unwrap());
}

#[test]
fn a_repository_that_borrows_objects_itself_works() {
    let user = User::new();
    let second = user.root.path().join("second");
    git(user.root.path(), ["clone", "-q", "--shared", user.repo.to_str().unwrap(), second.to_str().unwrap()]);
    let source = open(&second).unwrap();
    let workspace = super::super::Workspace::prepare(&source, user.wanted(1), &mut |_| {}).unwrap();
    agent_commits(&workspace, &[("a", "b\n")], "work");
    assert_eq!(git(&second, ["show", &format!("{}:a", collected(&workspace).head)]), "b");
}

#[test]
fn a_shallow_repository_works() {
    let user = User::new();
    let shallow = user.root.path().join("shallow");
    let address = format!("file://{}", user.repo.display());
    git(user.root.path(), ["clone", "-q", "--depth=1", &address, shallow.to_str().unwrap()]);
    let source = open(&shallow).unwrap();
    let workspace = super::super::Workspace::prepare(&source, user.wanted(1), &mut |_| {}).unwrap();
    agent_commits(&workspace, &[("a", "b\n")], "work");
    let work = collected(&workspace);
    assert_eq!((work.commits.len(), work.paths.as_slice()), (1, ["a".to_owned()].as_slice()));
    git(&shallow, ["fsck"]);
}

#[test]
fn submodules_are_filled_from_the_users_repository() {
    let (user, library) = (User::new(), User::named("library"));
    user.git(["submodule", "add", "-q", library.repo.to_str().unwrap(), "libs/own"]);
    user.git(["commit", "-qm", "submodule"]);
    let before = user.snapshot();
    let workspace = user.prepare();
    assert!(workspace.notes().is_empty(), "{:?}", workspace.notes());
    assert_eq!(fs::read_to_string(workspace.tree().join("libs/own/README.md")).unwrap(), "hello\n");
    assert_eq!(super::fixture::agent(&workspace, ["status", "--porcelain"]), "");
    let work = collected(&workspace);
    assert!(work.clean && !work.changed, "{work:?}");
    assert_eq!(user.snapshot(), before);
}

#[test]
fn work_in_a_submodule_is_kept_and_said_to_be_elsewhere() {
    let (user, library) = (User::new(), User::named("library"));
    user.git(["submodule", "add", "-q", library.repo.to_str().unwrap(), "own"]);
    user.git(["commit", "-qm", "submodule"]);
    let workspace = user.prepare();
    write(&workspace.tree(), &[("own/new.txt", "kept\n")]);
    let work = collected(&workspace);
    assert!(!work.clean, "{work:?}");
    let said = work.notes.iter().find(|note| note.contains("submodule `own`")).unwrap();
    assert!(said.contains("refs/fleet/wip/"), "{said}");
    let module = user.git_dir().join("modules/own");
    assert_eq!(git(&module, ["show", &format!("refs/fleet/wip/{}:new.txt", workspace.job())]), "kept");
    let next = user.try_prepare(user.wanted(1)).unwrap();
    assert_eq!(fs::read_to_string(next.tree().join("own/new.txt")).unwrap(), "kept\n");
}

#[test]
fn a_submodule_that_is_not_there_stays_empty_with_the_remedy() {
    let (user, library) = (User::new(), User::named("library"));
    user.git(["submodule", "add", "-q", library.repo.to_str().unwrap(), "own"]);
    user.git(["commit", "-qm", "submodule"]);
    let plain = user.root.path().join("plain");
    git(user.root.path(), ["clone", "-q", user.repo.to_str().unwrap(), plain.to_str().unwrap()]);
    let source = open(&plain).unwrap();
    let workspace = super::super::Workspace::prepare(&source, user.wanted(1), &mut |_| {}).unwrap();
    let said = workspace.notes().join("\n");
    assert!(said.contains("git submodule update --init own"), "{said}");
    assert!(collected(&workspace).clean);
}

#[test]
fn large_files_stay_pointers_and_are_mentioned() {
    let user = User::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    user.commit(&[(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"), ("a.bin", pointer)], "lfs");
    let workspace = user.prepare();
    assert_eq!(fs::read_to_string(workspace.tree().join("a.bin")).unwrap(), pointer);
    assert!(workspace.notes().join("\n").contains("Git LFS"));
    assert!(!collected(&workspace).changed);
}
