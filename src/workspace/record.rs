//! What a workspace is of, kept beside it so that a worker that starts later can go on.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use fleet_protocol::{JobId, convention::Convention};
use git2::Oid;
use serde::{Deserialize, Serialize};

use super::{
    error::{During, WorkspaceError},
    source::Identity,
};

/// The content of `workspace.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) job: JobId,
    /// The user's repository.
    pub(super) git_dir: PathBuf,
    /// Where in the tree the agent starts.
    pub(super) inside: PathBuf,
    pub(super) branch: String,
    pub(super) base: String,
    #[serde(with = "hex")]
    pub(super) base_commit: Oid,
    /// The commit of the branch that the coordinator knows of.
    pub(super) recorded: Option<String>,
    /// Where this run started: the base, or a checkpoint.
    #[serde(with = "hex")]
    pub(super) start: Oid,
    pub(super) name: String,
    pub(super) email: String,
    /// For messages of commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) convention: Option<Convention>,
    pub(super) submodules: Vec<SubmoduleRecord>,
    pub(super) notes: Vec<String>,
}

/// A submodule that was populated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SubmoduleRecord {
    /// Below the tree.
    pub(super) path: PathBuf,
    /// Its repository inside the user's.
    pub(super) git_dir: PathBuf,
    /// The commit that was checked out.
    #[serde(with = "hex")]
    pub(super) commit: Oid,
}

/// What `collect` decided, so that doing it again changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Verdict {
    #[serde(with = "hex")]
    pub(super) head: Oid,
    /// The ref that keeps it.
    pub(super) kept: String,
    #[serde(with = "hex::list")]
    pub(super) leftovers: Vec<Oid>,
    #[serde(with = "hex::list")]
    pub(super) commits: Vec<Oid>,
    pub(super) changed: bool,
    pub(super) whole: bool,
    pub(super) notes: Vec<String>,
}

impl Record {
    pub(super) fn identity(&self) -> Identity {
        Identity { name: self.name.clone(), email: self.email.clone() }
    }
}

/// Writes a value as JSON so that a reader sees the old file or the new one, never half of it.
pub(super) fn save(path: &Path, value: &impl Serialize) -> Result<(), WorkspaceError> {
    let text =
        serde_json::to_vec_pretty(value).map_err(|source| WorkspaceError::Record { path: path.to_owned(), source })?;
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new).during("create", &new)?;
    file.write_all(&text).during("write", &new)?;
    file.sync_all().during("write", &new)?;
    fs::rename(&new, path).during("write", path)
}

/// Reads what [`save`] wrote; none when there is no such file.
pub(super) fn load<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, WorkspaceError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).during("read", path),
    };
    serde_json::from_slice(&text).map(Some).map_err(|source| WorkspaceError::Record { path: path.to_owned(), source })
}

/// Object ids as hex text.
mod hex {
    use git2::Oid;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(oid: &Oid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(oid)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Oid, D::Error> {
        Oid::from_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }

    pub(super) mod list {
        use super::{Deserialize, Deserializer, Error, Oid, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(oids: &[Oid], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(oids.iter().map(Oid::to_string))
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Oid>, D::Error> {
            let texts = Vec::<String>::deserialize(from)?;
            texts.iter().map(|text| Oid::from_str(text).map_err(D::Error::custom)).collect()
        }
    }
}
