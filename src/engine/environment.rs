//! The complete environment of an agent: an allow-list, never the worker's own.
//!
//! Later sources win over earlier ones: base, the engine's allow-list, the job's secrets, the engine's fixed variables,
//! the gateway's address, the run's own variables. What is nowhere named does not get through, so neither does the
//! mark of an agent's session that `fleet` may itself run in. Tokens of forges and whatever the configuration keeps for
//! helpers are withheld even from an engine whose list covers them.

use std::collections::BTreeMap;

use fleet_protocol::secret::{FORGE_TOKENS, SHORTEST};

use super::{
    definition::Definition,
    invocation::{Approval, Request, RunsAs},
};

/// What any program needs to find itself, its user and the network. `XDG_*` because logins are kept there.
const BASE: [&str; 27] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "CURL_CA_BUNDLE",
];

const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Every variable of the agent.
pub(super) fn environment(
    definition: &Definition,
    request: &Request<'_>,
    (tmpdir, home): (&str, Option<&str>),
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    let allowed = |name: &str| {
        let mut listed = BASE.into_iter().chain(definition.env.iter().map(String::as_str));
        // A pattern that happens to cover a forge's token does not mean it.
        let is_listed = if FORGE_TOKENS.contains(&name) {
            definition.env.iter().any(|listed| listed == name)
        } else {
            listed.any(|pattern| matches(pattern, name))
        };
        is_listed && !request.withheld.contains(name) && !definition.nested.iter().any(|mark| mark == name)
    };
    variables.extend(request.environment.iter().filter(|(name, _)| allowed(name)).map(owned));
    if let Some(home) = home {
        variables.retain(|name, _| !name.starts_with("XDG_"));
        variables.insert("HOME".to_owned(), home.to_owned());
    }
    for name in ["TMPDIR", "TMP", "TEMP"] {
        variables.insert(name.to_owned(), tmpdir.to_owned());
    }
    variables.insert("TERM".to_owned(), "dumb".to_owned());
    variables.insert("NO_COLOR".to_owned(), "1".to_owned());
    variables.extend(request.secrets.iter().map(owned));
    variables.extend(definition.set.iter().map(owned));
    if (request.approval, request.runs_as) == (Approval::Everything, RunsAs::Root) {
        variables.extend(definition.approve_as_root.iter().map(owned));
    }
    if let (Some(name), Some(address)) = (&definition.gateway_env, &definition.gateway) {
        variables.insert(name.clone(), address.clone());
    }
    variables.extend(request.variables.iter().map(owned));
    variables
}

/// Values that must not appear in any log: the job's secrets, and the engine's own keys.
pub(super) fn redactions(
    definition: &Definition,
    request: &Request<'_>,
    environment: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys = definition.credentials.env.iter().filter_map(|name| environment.get(name));
    let mut values: Vec<String> =
        request.secrets.values().chain(keys).filter(|value| value.len() >= SHORTEST).cloned().collect();
    values.sort();
    values.dedup();
    values
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}
