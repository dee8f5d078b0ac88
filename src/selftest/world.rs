//! A world: one temporary folder with a home, a git repository and this program, and nothing of the machine's settings.

use std::{
    cell::{Cell, RefCell},
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    call::{Call, LOOK, Output},
    story::Stop,
    task::Task,
};

/// A throw-away world.
pub(super) struct World {
    folder: PathBuf,
    exe: PathBuf,
    patience: Duration,
    interrupted: Arc<AtomicBool>,
    outputs: Cell<u32>,
    calls: RefCell<Vec<String>>,
}

impl World {
    /// A world in this folder, which does not exist yet: a repository on `main` with one commit, a README and `check.sh`, which passes
    /// when `done.txt` says `yes`.
    pub(super) fn make(folder: PathBuf, exe: PathBuf, interrupted: Arc<AtomicBool>) -> Result<Self, Stop> {
        let world = Self::bare(folder, exe, Duration::from_secs(30), interrupted)?;
        world.git(&["init", "-q", "-b", "main"])?;
        world.write("README.md", "# A small project\n")?;
        world
            .write("check.sh", "#!/bin/sh\ngrep -qx yes done.txt || { echo 'done.txt does not say yes'; exit 1; }\n")?;
        let script = world.repo().join("check.sh");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
            .map_err(|error| io("change", &script, &error))?;
        world.commit("first")?;
        Ok(world)
    }

    /// The same without a repository; `patience` is how long it waits for what must come.
    pub(super) fn bare(
        folder: PathBuf,
        exe: PathBuf,
        patience: Duration,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, Stop> {
        for inner in ["home", "tmp", "repo", "calls", "shared"] {
            let path = folder.join(inner);
            fs::create_dir_all(&path).map_err(|error| io("create", &path, &error))?;
        }
        Ok(Self { folder, exe, patience, interrupted, outputs: Cell::new(0), calls: RefCell::default() })
    }

    /// The folder that holds everything of this world.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn repo(&self) -> PathBuf {
        self.folder.join("repo")
    }

    /// The only folder outside of its workspace that an agent may write to.
    pub(super) fn shared(&self) -> PathBuf {
        self.folder.join("shared")
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// A program in the repository, with this world's environment and nothing else.
    pub(super) fn program(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Call<'_> {
        let home = self.folder.join("home");
        let program = program.as_ref();
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.repo())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("TMPDIR", self.folder.join("tmp"))
            .env("FLEET_CONFINEMENT_WRITE", self.shared())
            // What is tried here is small, wherever the disk stands.
            .env("FLEET_WORKSPACES_MIN_FREE", "0")
            .env("USER", "ann")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.org");
        }
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
        Call::new(self, command, format!("{name} {}", args.join(" ")))
    }

    /// This program.
    pub(super) fn fleet(&self, args: &[&str]) -> Call<'_> {
        self.program(&self.exe, args)
    }

    /// Runs `fleet` to its end, whatever that is.
    pub(super) fn run(&self, args: &[&str]) -> Result<Output, Stop> {
        self.fleet(args).run()
    }

    /// Works on the queue until nothing is runnable.
    pub(super) fn run_once(&self) -> Result<Output, Stop> {
        self.run(&["run", "--once"])?.done()
    }

    /// Runs git to success; its output without the last line end.
    pub(super) fn git(&self, args: &[&str]) -> Result<String, Stop> {
        Ok(self.program("git", args).run()?.done()?.stdout.trim_end_matches('\n').to_owned())
    }

    /// Commits everything but fleet's own.
    pub(super) fn commit(&self, message: &str) -> Result<(), Stop> {
        self.git(&["add", "-A", "--", ".", ":!tasks", ":!fleet.toml"])?;
        self.git(&["commit", "-q", "-m", message]).map(drop)
    }

    /// Writes a file of the repository, with its folders.
    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> Result<PathBuf, Stop> {
        let path = self.repo().join(path);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).map_err(|error| io("create", folder, &error))?;
        fs::write(&path, text).map_err(|error| io("write", &path, &error))?;
        Ok(path)
    }

    /// Moves a file of the repository.
    pub(super) fn mv(&self, from: &str, to: &str) -> Result<(), Stop> {
        let from = self.repo().join(from);
        fs::rename(&from, self.repo().join(to)).map_err(|error| io("move", &from, &error))
    }

    /// What a file of the repository holds; nothing where there is none.
    pub(super) fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.repo().join(path)).unwrap_or_default()).into_owned()
    }

    /// Where everything lies below a folder of the repository, relative to it, in order.
    pub(super) fn list(&self, folder: &str) -> Vec<String> {
        let folder = self.repo().join(folder);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    /// Writes the task outside of the repository, and answers its path.
    pub(super) fn task_file(&self, name: &str, text: impl AsRef<[u8]>) -> Result<String, Stop> {
        let path = self.folder.join(format!("{name}.md"));
        fs::write(&path, text).map_err(|error| io("write", &path, &error))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Submits the task; its id.
    pub(super) fn submit(&self, task: &Task) -> Result<String, Stop> {
        let path = self.task_file(&task.name, task.text())?;
        self.run(&["submit", &path])?.done()?.line()
    }

    /// What submitting the task would make of it.
    pub(super) fn preview(&self, name: &str, text: &str) -> Result<Value, Stop> {
        let path = self.task_file(name, text)?;
        self.run(&["submit", "--dry-run", "--json", &path])?.done()?.json()
    }

    /// What a verb prints with `--json`.
    pub(super) fn json(&self, args: &[&str]) -> Result<Value, Stop> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        self.run(&args)?.done()?.json()
    }

    pub(super) fn job(&self, id: &str) -> Result<Value, Stop> {
        self.json(&["show", id])
    }

    /// Every job, oldest first.
    pub(super) fn jobs(&self) -> Result<Vec<Value>, Stop> {
        Ok(list_of(&self.json(&["jobs"])?, "jobs"))
    }

    pub(super) fn runs(&self, id: &str) -> Result<Vec<Value>, Stop> {
        Ok(list_of(&self.json(&["runs", id])?, "runs"))
    }

    pub(super) fn events(&self, id: &str) -> Result<Vec<Value>, Stop> {
        Ok(list_of(&self.json(&["events", id])?, "events"))
    }

    /// What happened to the job, in a word each.
    pub(super) fn history(&self, id: &str) -> Result<Vec<String>, Stop> {
        Ok(self.events(id)?.iter().map(|event| word(&event["type"])).collect())
    }

    /// What a stream of the job's last run holds.
    pub(super) fn log(&self, id: &str, stream: &str) -> Result<String, Stop> {
        Ok(self.run(&["logs", id, "--stream", stream])?.stdout)
    }

    /// A file as the commit holds it; nothing where it does not.
    pub(super) fn file_at(&self, commit: &str, path: &str) -> Result<String, Stop> {
        Ok(self.program("git", &["show", &format!("{commit}:{path}")]).run()?.stdout)
    }

    /// Asks until there is an answer.
    pub(super) fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Result<Option<T>, Stop>) -> Result<T, Stop> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask()? {
                return Ok(answer);
            }
            if self.is_interrupted() {
                return Err(Stop::Interrupted);
            }
            if begun.elapsed() > self.patience {
                return Err(Stop::because(format!("waited {:?} for {what}", self.patience)));
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits until a file of this world is there; what it says.
    pub(super) fn until_file(&self, path: &Path) -> Result<String, Stop> {
        self.until(&format!("{} to be written", path.display()), || {
            Ok(fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')))
        })
    }

    /// Where the next call's output goes.
    pub(super) fn next_output(&self) -> PathBuf {
        self.outputs.set(self.outputs.get() + 1);
        self.folder.join("calls").join(self.outputs.get().to_string())
    }

    pub(super) fn remember(&self, output: &Output) {
        self.calls.borrow_mut().push(told(&format!("`{}` ended with {}", output.shown, output.code), &output.stderr));
    }

    pub(super) fn remember_unfinished(&self, shown: &str, stderr: &Path) {
        let stderr = fs::read(stderr).unwrap_or_default();
        self.calls.borrow_mut().push(told(&format!("`{shown}` had not ended"), &String::from_utf8_lossy(&stderr)));
    }

    /// The calls so far, with the end of what each said.
    pub(super) fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }
}

fn told(what: &str, stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    if last.is_empty() { what.to_owned() } else { format!("{what}: {}", last.join(" / ")) }
}

fn io(verb: &str, path: &Path, error: &std::io::Error) -> Stop {
    Stop::because(format!("cannot {verb} {}: {error}", path.display()))
}

/// The list under this key.
pub(super) fn list_of(value: &Value, key: &str) -> Vec<Value> {
    value[key].as_array().cloned().unwrap_or_default()
}

/// A text value; empty where it is none.
pub(super) fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
