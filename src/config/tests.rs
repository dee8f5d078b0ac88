//! Layers, origins, mistakes: the configuration as a whole.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::mistake::Invalid;
use super::{
    Audience, Config, ConfigError, Entry, Environment, Origin, Overrides, Request,
    keys::{self, Info, Reach},
    resolve,
    resolve::Mode,
};

/// A folder with a `fleet.toml`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = Self::empty();
        std::fs::write(folder.path().join("fleet.toml"), text).expect("a file");
        folder
    }

    fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn request(&self) -> Request {
        Request { cwd: self.path().to_owned(), ..Request::default() }
    }
}

fn valid(request: &Request) -> Config {
    resolve(request).unwrap_or_else(|error| match error {
        ConfigError::Invalid(invalid) => panic!("{:#?}", invalid.mistakes),
        error => panic!("{error}"),
    })
}

fn invalid(request: &Request) -> Invalid {
    match resolve(request) {
        Err(ConfigError::Invalid(invalid)) => *invalid,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the configuration is valid"),
    }
}

fn messages(invalid: &Invalid) -> Vec<String> {
    invalid.mistakes.iter().map(ToString::to_string).collect()
}

fn entry<'c>(config: &'c Config, name: &str) -> &'c Entry {
    config.entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no entry {name}"))
}

/// A right value for the file (TOML), the environment and a flag, all different where the type has three.
fn samples(info: &Info) -> (&'static str, &'static str, &'static str) {
    match info.expected {
        "text" => ("\"one\"", "two", "three"),
        "a path" => ("\"one\"", "two", "three"),
        "a whole number from 1" => ("1", "2", "3"),
        "true or false" => ("true", "0", "true"),
        "auto, text or json" => ("\"auto\"", "text", "json"),
        "auto, required or off" => ("\"required\"", "off", "auto"),
        "local or docker" => ("\"local\"", "local", "local"),
        expected if expected.starts_with("a name") => ("\"A <a@b>\"", "B <b@c>", "C <c@d>"),
        expected if expected.starts_with("a duration") => ("\"70s\"", "71s", "72s"),
        expected if expected.starts_with("a size") => ("\"1GiB\"", "2GiB", "3GiB"),
        expected if expected.starts_with("a list") => ("[\"one\"]", "two", "three, four"),
        expected if expected.starts_with("a table such as { pattern") => (
            "{ pattern = \"one\", message = \"one\" }",
            "{ pattern = 'two', message = 'two' }",
            "{ pattern = 'three', message = 'three', otherwise = 'refuse' }",
        ),
        expected if expected.starts_with("a command") => ("[\"one\"]", "two", "three"),
        expected if expected.starts_with("auto, manual") => ("{ approvals = 1 }", "auto", "manual"),
        other => panic!("no samples of {other}"),
    }
}

fn as_toml(info: &Info, value: &str) -> String {
    match info.name.split_once('.') {
        Some((section, key)) => format!("[{section}]\n{key} = {value}\n"),
        None => format!("{} = {value}\n", info.name),
    }
}

#[test]
fn each_setting_follows_default_file_environment_flag() {
    for info in keys::ALL.iter().filter(|info| info.reach == Reach::Everywhere) {
        let (file, variable, flag) = samples(info);
        let folder = Folder::with(&as_toml(info, file));
        let mut request = folder.request();
        let from = |request: &Request| entry(&valid(request), info.name).origin.clone();
        assert!(matches!(from(&request), Origin::File { .. }), "{}", info.name);
        request.environment = Environment::from([(info.variable.name, variable)]);
        assert_eq!(from(&request), Origin::Variable(info.variable.name), "{}", info.name);
        request.overrides.set(info, "--set", flag);
        assert_eq!(from(&request), Origin::Flag("--set".to_owned()), "{}", info.name);
        let empty = Folder::empty();
        assert_eq!(from(&empty.request()), Origin::Default, "{}", info.name);
    }
}

#[test]
fn what_runs_may_reach_lies_below_home_beside_the_file_or_where_one_stands() {
    let folder = Folder::with("[confinement]\nread = [\"~/models\", \"data\", \"/srv\", \"~other/x\"]\n");
    let mut request = folder.request();
    request.environment = Environment::from([("HOME", "/home/ann"), ("FLEET_CONFINEMENT_WRITE", "~,cache")]);
    let confinement = valid(&request).confinement;
    let beside = |name: &str| request.cwd.join(name);
    assert_eq!(
        confinement.read,
        [PathBuf::from("/home/ann/models"), beside("data"), PathBuf::from("/srv"), beside("~other/x")]
    );
    assert_eq!(confinement.write, [PathBuf::from("/home/ann"), beside("cache")]);
    assert_eq!(confinement.mode, crate::confinement::Mode::Auto);
}

#[test]
fn the_value_of_the_last_layer_counts() {
    let folder = Folder::with("[worker]\nmax = 2\ncapabilities = [\"a\"]\n");
    let mut request = folder.request();
    assert_eq!(valid(&request).worker.max.get(), 2);
    request.environment = Environment::from([("FLEET_WORKER_MAX", "3"), ("FLEET_WORKER_CAPABILITIES", "b, c")]);
    assert_eq!(valid(&request).worker.max.get(), 3);
    assert_eq!(valid(&request).worker.capabilities, ["b", "c"]);
    request.overrides.set(keys::WORKER_MAX.info, "--max", "4");
    let config = valid(&request);
    assert_eq!(config.worker.max.get(), 4);
    assert_eq!(entry(&config, "worker.max").origin.to_string(), "--max");
    assert_eq!(entry(&config, "worker.max").value, json!(4));
}

#[test]
fn all_mistakes_are_reported_at_once_with_line_column_and_type() {
    let folder = Folder::with(concat!(
        "queue = 7\n",
        "[worker]\n",
        "max = \"many\"\n",
        "checkpoint = \"soon\"\n",
        "memory = \"2GiB\"\n",
    ));
    let found = invalid(&folder.request());
    let file = folder.path().join("fleet.toml");
    let file = file.display();
    assert_eq!(
        messages(&found),
        [
            format!("{file}:1:9: queue: expected a path, found the number 7"),
            format!("{file}:3:7: worker.max: expected a whole number from 1, found the text \"many\""),
            format!(
                "{file}:4:14: worker.checkpoint: expected a duration such as 90s, 45m, 2h or 1d, found the text \"soon\""
            ),
        ]
    );
}

#[test]
fn mistakes_of_other_layers_stand_beside_those_of_the_file_even_where_a_later_layer_wins() {
    let folder = Folder::with("[worker]\nmax = 0\n");
    let mut request = folder.request();
    request.environment = Environment::from([("FLEET_WORKER_MAX", "none")]);
    request.overrides.set(keys::WORKER_MAX.info, "--max", "3");
    let found = invalid(&request);
    assert_eq!(found.mistakes.len(), 2, "{:?}", messages(&found));
    assert_eq!(messages(&found)[1], "FLEET_WORKER_MAX: worker.max: expected a whole number from 1, found `none`");
}

#[test]
fn mistakes_of_syntax_have_a_place() {
    let folder = Folder::with("queue = \"tasks\"\n[worker\nmax = 3\n");
    let found = invalid(&folder.request());
    assert!(messages(&found)[0].contains("fleet.toml:2:"), "{:?}", messages(&found));
}

#[test]
fn a_section_that_is_no_table_is_a_mistake() {
    let folder = Folder::with("worker = 3\n");
    assert!(messages(&invalid(&folder.request()))[0].ends_with("worker: expected a table, found the number 3"));
}

#[test]
fn unknown_keys_are_warned_about_with_the_nearest_known_one() {
    let folder = Folder::with("qeue = \"x\"\n[worker]\nmaximum = 3\nmax = 1\n[enginse.a]\ncommand = []\n");
    let config = valid(&folder.request());
    let told: Vec<(String, Option<&str>)> =
        config.warnings.iter().map(|warning| (warning.message.clone(), warning.help.as_deref())).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.contains(&("unknown key `qeue`".to_owned(), Some("did you mean `queue`?"))), "{told:?}");
    assert!(
        told.contains(&("unknown key `worker.maximum`".to_owned(), Some("did you mean `worker.max`?"))),
        "{told:?}"
    );
    assert!(told.contains(&("unknown key `enginse`".to_owned(), Some("did you mean `engines`?"))), "{told:?}");
}

#[test]
fn a_convention_that_cannot_be_kept_to_is_a_mistake_at_once() {
    for (rule, said) in [
        (
            "{ pattern = \"^(x\", message = \"x\" }",
            "defaults.commits.pattern: `^(x` is not a regular expression: unclosed group",
        ),
        (
            "{ pattern = \"^x\", message = \"y\" }",
            "defaults.commits.message: `y`, which it makes, does not match the pattern",
        ),
        ("{ pattern = \"^x\" }", "defaults.commits: expected a table such as"),
    ] {
        let found = invalid(&Folder::with(&format!("[defaults]\ncommits = {rule}\n")).request());
        assert!(messages(&found)[0].contains(said), "{:?}", messages(&found));
    }
    let config = valid(&Folder::with("[defaults.commits]\npattern = \"^x\"\nmessage = \"x {subject}\"\n").request());
    assert_eq!(config.defaults.commits.map(|rule| rule.pattern).as_deref(), Some("^x"));
}

#[test]
fn a_mistake_does_not_hide_a_misspelt_key() {
    let found = invalid(&Folder::with("qeue = \"x\"\n[worker]\nmax = 0\n").request());
    assert_eq!((found.mistakes.len(), found.warnings.len()), (1, 1));
    assert_eq!(found.warnings[0].message, "unknown key `qeue`");
}

#[test]
fn names_of_the_seed_are_aliases_and_a_disagreement_names_both() {
    let folder = Folder::empty();
    let mut request = folder.request();
    request.environment = Environment::from([("AQ_PRODUCT_ID", "shop")]);
    let config = valid(&request);
    assert_eq!(config.product, "shop");
    assert_eq!(entry(&config, "product").origin.to_string(), "AQ_PRODUCT_ID");
    request.environment = Environment::from([("AQ_PRODUCT_ID", "shop"), ("FLEET_PRODUCT", "other")]);
    let found = invalid(&request);
    assert_eq!(messages(&found), ["FLEET_PRODUCT and AQ_PRODUCT_ID are set to different values; unset one of them"]);
}

#[test]
fn every_name_of_the_seed_is_known() {
    let aliases: Vec<&str> = keys::ALL.iter().flat_map(|info| info.variable.aliases).copied().collect();
    for name in ["AQ_FLEET", "AQ_FLEET_ROUTE", "AQ_FLEET_SHADOW", "AQ_FLEET_DASH", "AQ_FLEET_API", "AQ_FLEET_TOKEN"] {
        assert!(aliases.contains(&name), "{name}");
    }
}

#[test]
fn features_are_off_by_default_listed_with_origin_and_refused_when_on() {
    let folder = Folder::empty();
    let mut request = folder.request();
    let config = valid(&request);
    for name in ["features.worker", "features.route", "features.shadow", "features.dash"] {
        assert_eq!((&entry(&config, name).value, &entry(&config, name).origin), (&json!(false), &Origin::Default));
    }
    request.environment = Environment::from([("AQ_FLEET", "0"), ("FLEET_ROUTE", "0")]);
    valid(&request);
    request.environment = Environment::from([("FLEET_API", "http://127.0.0.1:7070"), ("AQ_FLEET", "1")]);
    assert_eq!(invalid(&request).mistakes.len(), 2);
}

#[test]
fn secrets_are_places_never_values() {
    let folder = Folder::with(concat!(
        "[secrets]\n",
        "A = { env = \"MY_A\" }\n",
        "B = { file = \"b.txt\" }\n",
        "C = { command = [\"pass\", \"show\", \"canary-argument\"] }\n",
    ));
    let mut request = folder.request();
    request.environment = Environment::from([("FLEET_TOKEN", "canary-token")]);
    let config = valid(&request);
    assert_eq!(config.secrets["B"].source, super::SecretSource::File(folder.path().join("b.txt")));
    let shown = format!("{:?}", config.entries);
    assert!(shown.contains("MY_A") && shown.contains("pass"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_project_is_read_and_its_repository_lies_from_the_file() {
    let folder = Folder::with(concat!(
        "[projects.web]\nrepo = \"https://host/web.git\"\n",
        "[projects.shop]\nrepo = \"./code/shop\"\nbase = \"trunk\"\nverify = [\"npm\", \"test\"]\n",
        "review-policy = \"manual\"\nsecrets = [\"NPM_TOKEN\"]\nbudget = { usd = 2.5, wall = \"30m\" }\n",
    ));
    let config = valid(&Request { cwd: folder.path().join("code"), ..folder.request() });
    let names: Vec<&str> = config.projects.iter().map(|project| project.name.as_str()).collect();
    assert_eq!(names, ["shop", "web"]);
    let repo = folder.path().join("code/shop").to_string_lossy().into_owned();
    assert_eq!(config.projects[0].repo, repo);
    assert_eq!(config.projects[1].repo, "https://host/web.git");
    assert_eq!(entry(&config, "projects.shop.repo").value, json!(repo));
    assert!(entry(&config, "projects.shop.base").origin.to_string().ends_with("fleet.toml:5"));
    assert_eq!(config.warnings, []);
}

#[test]
fn every_mistake_of_a_project_is_told_at_its_place_and_an_unknown_key_beside_it() {
    let folder = Folder::with(concat!(
        "[projects.shop]\nverfy = \"x\"\nbase = \"a b\"\nbudget = { usd = \"much\" }\n",
        "[projects]\nweb = 3\n",
    ));
    let found = invalid(&folder.request());
    let told = messages(&found);
    let at = |place: &str, said: &str| {
        told.iter().any(|told| told.contains(&format!("fleet.toml:{place}: ")) && told.contains(said))
    };
    assert!(at("1:11", "projects.shop: names no repository"), "{told:?}");
    assert!(at("3:8", "`base`: `a b` is not the name of a branch"), "{told:?}");
    assert!(at("6:1", "projects.web: expected a table, found the number 3"), "{told:?}");
    assert_eq!(
        found.warnings.iter().map(|odd| odd.message.as_str()).collect::<Vec<_>>(),
        ["unknown key `projects.shop.verfy`"]
    );
    assert_eq!(found.warnings[0].help.as_deref(), Some("did you mean `verify`?"));
    assert!(at("4:10", "`budget.usd`: `much` is not an amount above 0"), "{told:?}");
}

#[test]
fn a_value_in_a_project_that_looks_like_a_secret_is_not_shown() {
    let token = format!("gh{}", "p_0123456789abcdefghij");
    let folder = Folder::with(&format!("[projects.shop]\nrepo = \".\"\nverify = \"T={token} make\"\n"));
    let found = invalid(&folder.request());
    assert_eq!(found.mistakes.len(), 1);
    assert_eq!(found.mistakes[0].excerpt, super::Excerpt::Hide);
    assert!(!found.mistakes[0].to_string().contains("0123456789"), "{}", found.mistakes[0]);
}

#[test]
fn tokens_of_forges_are_for_helpers_unless_the_entry_says_otherwise() {
    let folder = Folder::with(concat!(
        "[secrets]\n",
        "GH_TOKEN = { env = \"MY_GH\" }\n",
        "GITLAB_TOKEN = { env = \"MY_GL\", for = \"agent\" }\n",
        "PUSH = { command = [\"pass\"], for = \"helper\" }\n",
        "NPM_TOKEN = { env = \"MY_NPM\" }\n",
    ));
    let config = valid(&folder.request());
    let audience = |name: &str| config.secrets[name].audience;
    assert_eq!((audience("GH_TOKEN"), audience("PUSH")), (Audience::Helper, Audience::Helper));
    assert_eq!((audience("GITLAB_TOKEN"), audience("NPM_TOKEN")), (Audience::Agent, Audience::Agent));
    assert!(format!("{:?}", config.entries).contains("no agent is given it"));
}

#[test]
fn an_entry_that_names_no_place_or_several_or_nobody_is_refused() {
    for entry in [
        "{}",
        "{ for = \"agent\" }",
        "{ env = \"A\", file = \"b\" }",
        "{ env = \"A\", for = \"everybody\" }",
        "{ env = \"A\", to = \"x\" }",
    ] {
        let found = invalid(&Folder::with(&format!("[secrets]\nA = {entry}\n")).request());
        assert_eq!(found.mistakes.len(), 1, "{entry}");
    }
}

#[test]
fn a_secret_written_into_the_file_is_refused_without_showing_it() {
    let folder = Folder::with("[secrets]\nA = \"canary\"\n[coordinator]\ntoken = \"canary\"\n");
    let found = invalid(&folder.request());
    assert_eq!(found.mistakes.len(), 2);
    for mistake in &found.mistakes {
        assert!(!mistake.to_string().contains("canary"), "{mistake}");
        assert_eq!(mistake.excerpt, super::Excerpt::Hide);
    }
}

#[test]
fn the_line_of_a_secret_that_cannot_be_parsed_is_not_shown() {
    for (text, excerpt) in [
        ("[secrets]\nA = \"canary\n", super::Excerpt::Hide),
        ("secrets = { A = canary }\n", super::Excerpt::Hide),
        ("[worker]\nmax = \n[secrets]\n", super::Excerpt::Show),
    ] {
        let found = invalid(&Folder::with(text).request());
        assert_eq!(found.mistakes[0].excerpt, excerpt, "{text}");
        assert!(!found.mistakes[0].to_string().contains("canary"), "{text}");
    }
}

#[test]
fn a_lease_whose_renewal_looks_stale_is_refused() {
    let folder = Folder::with("[coordinator]\nlease-ttl = \"6m\"\nstale-after = \"90s\"\n");
    let found = invalid(&folder.request());
    assert!(messages(&found)[0].contains("fleet.toml:2:13"), "{:?}", messages(&found));
    assert!(messages(&found)[0].contains("renews every 2m"), "{:?}", messages(&found));
    assert_eq!(found.mistakes[0].help.as_deref(), Some("lease-ttl at most 2m15s, or stale-after at least 4m"));
    valid(&Folder::with("[coordinator]\nlease-ttl = \"2m15s\"\n").request());
    valid(&Folder::with("[coordinator]\nlease-ttl = \"6m\"\nstale-after = \"4m\"\n").request());
}

#[test]
fn nothing_that_repeats_may_have_no_length() {
    let folder = Folder::with("[worker]\npoll = \"0s\"\n");
    assert!(messages(&invalid(&folder.request()))[0].ends_with("worker.poll: must be longer than nothing"));
}

#[test]
fn engines_are_handed_over_as_written() {
    let folder = Folder::with("\n[engines.mine]\ncommand = [\"./agent.sh\"]\nodd = 1\n");
    let config = valid(&folder.request());
    let engine = &config.engines["mine"];
    assert_eq!(engine.table["odd"].as_integer(), Some(1));
    assert_eq!(engine.file, folder.path().join("fleet.toml"));
    assert_eq!(engine.line, 2);
    assert_eq!(config.warnings, []);
}

#[test]
fn the_nearest_file_wins_over_the_user_s_and_a_named_one_over_both() {
    let outer = Folder::with("product = \"outer\"\n");
    let inner = outer.path().join("a").join("b");
    std::fs::create_dir_all(&inner).expect("folders");
    let user = Folder::empty();
    let user_file = user.path().join("fleet").join("config.toml");
    std::fs::create_dir_all(user.path().join("fleet")).expect("a folder");
    std::fs::write(&user_file, "product = \"user\"\n").expect("a file");
    let named = user.path().join("other.toml");
    std::fs::write(&named, "product = \"named\"\n").expect("a file");

    let xdg = user.path().to_str().expect("a plain path");
    let mut request =
        Request { cwd: inner, environment: Environment::from([("XDG_CONFIG_HOME", xdg)]), ..Request::default() };
    let config = valid(&request);
    assert_eq!(config.product, "outer");
    assert_eq!(config.place().expect("a place").queue, outer.path().join("tasks"));

    request.environment =
        Environment::from([("XDG_CONFIG_HOME", xdg), ("FLEET_CONFIG", named.to_str().expect("a plain path"))]);
    let config = valid(&request);
    assert_eq!((config.product.as_str(), config.file.as_deref()), ("named", Some(named.as_path())));
    assert_eq!(config.place().expect("a place").root, user.path());

    request.file = Some(user_file);
    assert_eq!(valid(&request).product, "user");
}

#[test]
fn with_the_user_s_file_only_the_fleet_lies_at_the_root_of_the_repository() {
    let user = Folder::empty();
    std::fs::create_dir_all(user.path().join(".config/fleet")).expect("a folder");
    std::fs::write(user.path().join(".config/fleet/config.toml"), "queue = \"q\"\n").expect("a file");
    let repository = Folder::empty();
    let below = repository.path().join("src");
    std::fs::create_dir_all(repository.path().join(".git")).expect("a folder");
    std::fs::create_dir_all(&below).expect("a folder");
    let home = user.path().to_str().expect("a plain path");
    let request = Request { cwd: below, environment: Environment::from([("HOME", home)]), ..Request::default() };
    let config = valid(&request);
    let place = config.place().expect("a place");
    assert_eq!(place.root, repository.path());
    assert_eq!(place.queue, repository.path().join("q"));
    assert_eq!(place.state, repository.path().join(".fleet"));
}

#[test]
fn folders_named_by_flag_are_relative_to_where_one_stands() {
    let folder = Folder::with("queue = \"tasks\"\n");
    let below = folder.path().join("below");
    std::fs::create_dir_all(&below).expect("a folder");
    let mut request = Request { cwd: below.clone(), ..Request::default() };
    request.overrides.set(keys::QUEUE.info, "--queue", "q");
    request.environment = Environment::from([("FLEET_HOME", "h")]);
    let config = valid(&request);
    let place = config.place().expect("a place");
    assert_eq!((&place.queue, &place.state, place.root.as_path()), (&below.join("q"), &below.join("h"), folder.path()));
}

#[test]
fn outside_of_everything_there_is_no_place_unless_both_folders_are_named() {
    let folder = Folder::empty();
    let mut request = folder.request();
    assert!(matches!(valid(&request).place(), Err(ConfigError::NoPlace)));
    request.environment = Environment::from([("FLEET_HOME", "h"), ("FLEET_QUEUE", "q")]);
    assert_eq!(valid(&request).place().expect("a place").root, folder.path());
}

#[test]
fn a_new_fleet_has_the_named_folders_and_the_usual_ones_otherwise() {
    let folder = Folder::with("queue = \"elsewhere\"\n");
    let mut request = folder.request();
    let new = folder.path().join("new");
    let place = valid(&request).new_place(&new);
    assert_eq!((place.queue, place.state), (new.join("tasks"), new.join(".fleet")));
    request.overrides.set(keys::QUEUE.info, "--queue", "q");
    assert_eq!(valid(&request).new_place(&new).queue, folder.path().join("q"));
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let folder = Folder::empty();
    let request = Request { file: Some(PathBuf::from("none.toml")), ..folder.request() };
    match resolve(&request) {
        Err(ConfigError::Read { path, .. }) => assert_eq!(path, folder.path().join("none.toml")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_test_clock_counts_in_test_mode_only() {
    let folder = Folder::empty();
    let mut request = folder.request();
    request.environment = Environment::from([("FLEET_TEST_CLOCK", "/now")]);
    assert_eq!(valid(&request).clock_file, None);
    request.mode = Mode::Test;
    assert_eq!(valid(&request).clock_file, Some(PathBuf::from("/now")));
}

#[test]
fn each_default_is_a_value_of_its_type() {
    let folder = Folder::empty();
    let config = valid(&folder.request());
    for info in keys::ALL {
        let value = &entry(&config, info.name).value;
        assert!(info.default.is_none() || !value.is_null(), "{}", info.name);
    }
}

#[test]
fn no_two_settings_share_a_name_or_variable() {
    let mut names: Vec<&str> = keys::ALL
        .iter()
        .flat_map(|info| {
            std::iter::once(info.name).chain([info.variable.name]).chain(info.variable.aliases.iter().copied())
        })
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn who_acts_is_the_login_of_the_environment_else_of_the_account() {
    let folder = Folder::empty();
    let account = || Some("root".to_owned());
    for (environment, account, actor) in [
        (Environment::from([("USER", "ann"), ("LOGNAME", "bo")]), account(), "operator:ann"),
        (Environment::from([("LOGNAME", "bo")]), account(), "operator:bo"),
        (Environment::from([("USER", "")]), account(), "operator:root"),
        (Environment::default(), None, "operator:unknown"),
    ] {
        assert_eq!(valid(&Request { environment, account, ..folder.request() }).actor, actor);
    }
}

#[test]
fn who_commits_has_a_name_and_an_address() {
    let config = valid(&Folder::with("[git]\nidentity = \"Fleet Bot <bot@example.org>\"\n").request());
    let identity = config.identity.expect("an identity");
    assert_eq!((identity.name.as_str(), identity.email.as_str()), ("Fleet Bot", "bot@example.org"));
    assert_eq!(valid(&Folder::empty().request()).identity, None);
    for wrong in ["Bot", "<bot@example.org>", "Bot <>", "Bot <a> <b>", "Bot <a", ""] {
        let found = invalid(&Folder::with(&format!("[git]\nidentity = \"{wrong}\"\n")).request());
        let messages = messages(&found);
        assert!(messages.len() == 1 && messages[0].contains("a name and an address"), "{wrong}: {messages:?}");
    }
}

#[test]
fn the_defaults_of_retries_are_settings() {
    let config = valid(&Folder::with("[retry]\nmax = 7\nbase = \"10s\"\nmultiplier = 3\ncap = \"2m\"\n").request());
    let series = config.defaults.backoff.map(|series| series.to_string());
    assert_eq!((config.defaults.retry_max, series.as_deref()), (Some(7), Some("10s x3 to 2m")));
    let usual = valid(&Folder::empty().request()).defaults;
    assert_eq!((usual.retry_max, usual.backoff), (Some(3), Some(fleet_protocol::manifest::Series::USUAL)));
    assert_eq!(invalid(&Folder::with("[retry]\nbase = \"0s\"\n").request()).mistakes.len(), 1);
}

#[test]
fn overrides_of_an_unset_setting_win() {
    let mut overrides = Overrides::default();
    overrides.set(keys::DEFAULT_ENGINE.info, "--set", "codex");
    let folder = Folder::empty();
    let config = valid(&Request { overrides, ..folder.request() });
    assert_eq!(config.defaults.engine.as_deref(), Some("codex"));
}
