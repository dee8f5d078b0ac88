//! A reader of a document: a world in which its blocks are carried out from top to bottom.
//!
//! `fleet` is on the reader's PATH, and a `claude` that does what the quick start asks and reports as the real one does.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use super::markdown::Block;
use crate::world::{Output, World};

/// Writes `done.txt` when the prompt asks for it, else a file of its own; no prompt, no work.
const CLAUDE: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo '2.1.328 (Claude Code)'; exit; }
prompt=$(cat)
case $prompt in
    *done.txt*) echo yes > done.txt ;;
    ?*) echo tidy > tidy.txt ;;
    *) exit 1 ;;
esac
cat <<'EVENTS'
{"type":"system","subtype":"init","session_id":"b2640405-6948-4203-b271-2a9f8a8c5432","model":"a-model","tools":["Write"],"claude_code_version":"2.1.328"}
{"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"a-model","content":[{"type":"text","text":"The file is written."}],"usage":{"input_tokens":1200,"output_tokens":1}},"session_id":"b2640405-6948-4203-b271-2a9f8a8c5432"}
{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"The file is written.","total_cost_usd":0.012,"usage":{"input_tokens":1200,"output_tokens":40},"session_id":"b2640405-6948-4203-b271-2a9f8a8c5432"}
EVENTS
"#;

pub(super) struct Reader {
    world: World,
    programs: PathBuf,
}

impl Reader {
    pub(super) fn new() -> Self {
        let world = World::new();
        let programs = world.folder().join("bin");
        fs::create_dir(&programs).expect("a folder for programs");
        symlink(env!("CARGO_BIN_EXE_fleet"), programs.join("fleet")).expect("fleet can be linked");
        let claude = programs.join("claude");
        fs::write(&claude, CLAUDE).expect("the stub can be written");
        fs::set_permissions(&claude, fs::Permissions::from_mode(0o755)).expect("permissions can be set");
        fs::create_dir(world.folder().join("tmp")).expect("a folder for temporary files");
        symlink(world.repo(), world.folder().join("home/project")).expect("the repository can be linked");
        world.write("nightly.md", "---\nverify: 'true'\n---\n# Look after the dependencies\n");
        Self { world, programs }
    }

    /// Carries out a block; the test fails when it does not end well.
    pub(super) fn follow(&self, block: &Block, name: &str) {
        match block.language.as_str() {
            "sh" => drop(self.shell(&block.text.replace("cargo run --release --", "fleet")).succeeds(block, name)),
            "crontab" => self.follow_crontab(block, name),
            "markdown" => {
                let path = self.world.write("a-task.md", &block.text);
                let path = path.to_str().expect("a UTF-8 path");
                self.shell(&format!("fleet submit --dry-run '{path}'")).succeeds(block, name);
                fs::remove_file(path).expect("the task can be removed");
            }
            "toml" => {
                let path = self.world.folder().join("fragment.toml");
                fs::write(&path, &block.text).expect("the fragment can be written");
                let output = self.shell(&format!("fleet --config '{}' config validate", path.display()));
                let output = output.succeeds(block, name);
                assert!(!output.stderr.contains("warning"), "{} {name}:\n{}", block.place, output.stderr);
            }
            other => panic!("{}: nobody knows how to test `{other}`", block.place),
        }
    }

    /// As cron does: an environment with next to nothing, no terminal, and mail for whatever is printed.
    fn follow_crontab(&self, block: &Block, name: &str) {
        let lines = block.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let fields: Vec<&str> = line.splitn(6, char::is_whitespace).collect();
            let [_, _, _, _, _, command] = fields[..] else { panic!("{}: no schedule in {line:?}", block.place) };
            let mut cron = self.world.command("/bin/sh");
            cron.env_clear()
                .env("HOME", self.world.folder().join("home"))
                .env("LOGNAME", "ann")
                .env("SHELL", "/bin/sh")
                .env("PATH", format!("{}:/usr/bin:/bin", self.programs.display()))
                .args(["-c", command.trim()]);
            let output = Output::of(&mut cron).succeeds(block, name);
            assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""), "cron would mail this: {line}");
        }
    }

    fn shell(&self, script: &str) -> Output {
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").expect("a PATH"));
        let mut shell = self.world.command("/bin/sh");
        shell.env("PATH", path).env("TMPDIR", self.world.folder().join("tmp")).args(["-euc", script]);
        Output::of(&mut shell)
    }
}

trait Succeeds {
    fn succeeds(self, block: &Block, name: &str) -> Self;
}

impl Succeeds for Output {
    #[track_caller]
    fn succeeds(self, block: &Block, name: &str) -> Self {
        let Block { place, text, .. } = block;
        assert_eq!(self.code, 0, "{place} ({name})\n{text}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
