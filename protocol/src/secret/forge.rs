//! Variables in which the tokens of forges are usually kept.

/// They open more than a job needs (push, merge, release), so no agent is given one unless somebody says so by its name.
pub const FORGE_TOKENS: [&str; 14] = [
    "AZURE_DEVOPS_EXT_PAT",
    "BITBUCKET_TOKEN",
    "CI_JOB_TOKEN",
    "FORGEJO_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "GH_TOKEN",
    "GITEA_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN",
    "GITHUB_PAT",
    "GITHUB_TOKEN",
    "GITLAB_ACCESS_TOKEN",
    "GITLAB_TOKEN",
    "GL_TOKEN",
    "SYSTEM_ACCESSTOKEN",
];
