//! Where a job's agent is to stand: the repository and the folder in it, as text. Whether they exist is not asked here.

use super::model::Manifest;

/// The repository of a task that was submitted from `standing`: its own `repo`, a relative one from there, else that place.
pub fn repository(manifest: &Manifest, standing: Option<&str>) -> Option<String> {
    match (&manifest.repo, standing) {
        (Some(repo), Some(standing)) => Some(anchored(repo, standing)),
        (Some(repo), None) => Some(repo.clone()),
        (None, standing) => standing.map(str::to_owned),
    }
}

/// The folder of `manifest` in `repo`: the repository itself, `cwd` within it, or an absolute `cwd` instead of it.
pub fn site(manifest: &Manifest, repo: Option<&str>) -> Option<String> {
    match (&manifest.cwd, repo) {
        (Some(cwd), Some(repo)) if is_relative(cwd) => Some(joined(repo, cwd)),
        (Some(cwd), _) => Some(cwd.clone()),
        (None, repo) => repo.map(str::to_owned),
    }
}

/// A repository that was written down in `folder`: a relative path from there, else as it is.
pub fn anchored(repo: &str, folder: &str) -> String {
    if is_relative(repo) { joined(folder, repo) } else { repo.to_owned() }
}

fn joined(folder: &str, rest: &str) -> String {
    format!("{}/{rest}", folder.trim_end_matches('/'))
}

/// A path that does not begin at the root and is no address (`scheme://…`, `host:path`).
fn is_relative(path: &str) -> bool {
    let address = path.contains("://") || path.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
    !path.starts_with('/') && !address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(repo: Option<&str>, cwd: Option<&str>) -> Manifest {
        Manifest { repo: repo.map(str::to_owned), cwd: cwd.map(str::to_owned), ..Manifest::default() }
    }

    #[test]
    fn relative_places_start_where_the_submitter_stands() {
        for (repo, cwd, repository_is, site_is) in [
            (None, None, "/here", "/here"),
            (Some("sub/x.git"), None, "/here/sub/x.git", "/here/sub/x.git"),
            (Some("/else"), None, "/else", "/else"),
            (Some("file:///a/x.git"), None, "file:///a/x.git", "file:///a/x.git"),
            (Some("git@host:x.git"), None, "git@host:x.git", "git@host:x.git"),
            (None, Some("part"), "/here", "/here/part"),
            (None, Some("/there"), "/here", "/there"),
        ] {
            let manifest = manifest(repo, cwd);
            let found = repository(&manifest, Some("/here"));
            assert_eq!(found.as_deref(), Some(repository_is), "{repo:?}");
            assert_eq!(site(&manifest, found.as_deref()).as_deref(), Some(site_is), "{cwd:?}");
        }
    }
}
