//! Profiles: the catalogue, its layers, what a profile gives to a job.

use serde_json::Value;

use crate::selftest::{
    call::Output,
    expect::{holds, in_order, is, says, says_not},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, list_of, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![catalogue(), jobs()]
}

struct Seen {
    builtin: Vec<Value>,
    layered: Vec<Value>,
    valid: Output,
    invalid: Output,
    unknown: Output,
}

const MINE: &str = "---\ndescription: Mine\n---\nYou are mine.\n";

fn see(world: &World) -> Result<Seen, Stop> {
    let list = || Ok::<_, Stop>(list_of(&world.json(&["profile", "list"])?, "profiles"));
    let builtin = list()?;
    let valid = world.run(&["profile", "validate"])?;
    world.write("../home/.config/fleet/profiles/developer.md", MINE)?;
    world.write("../home/.config/fleet/profiles/qa.md", MINE)?;
    world.write("profiles/developer.md", "---\ndescription: The project's\n---\nYou are of the project.\n")?;
    let layered = list()?;
    world.write("profiles/broken.md", "---\nreview-policy: sometimes\n---\nYou are broken.\n")?;
    let invalid = world.run(&["profile", "validate"])?;
    std::fs::remove_dir_all(world.repo().join("profiles")).map_err(|error| Stop::because(error.to_string()))?;
    let unknown = world.task_file("unknown", task("unknown").with("profile: develper").text())?;
    Ok(Seen { builtin, layered, valid, invalid, unknown: world.run(&["submit", &unknown])? })
}

fn source(profiles: &[Value], name: &str) -> String {
    let found = profiles.iter().find(|profile| profile["name"] == name);
    found.map_or_else(String::new, |profile| profile["source"].to_string())
}

fn catalogue() -> Box<dyn Scenario> {
    story("profiles", see)
        .check("the built-in catalogue holds developer, reviewer and qa", |seen| {
            let mut names: Vec<String> = seen.builtin.iter().map(|profile| word(&profile["name"])).collect();
            names.sort();
            in_order(&names, &["developer", "qa", "reviewer"])
        })
        .check("each built-in one has a persona and is valid", |seen| {
            is(&seen.valid.code, 0)?;
            holds(seen.builtin.iter().all(|profile| word(&profile["persona"]).len() > 40), || {
                format!("{:?}", seen.builtin)
            })
        })
        .check("the project's profile wins over the user's, and the user's over the built-in one", |seen| {
            says(&source(&seen.layered, "developer"), &["project"])?;
            says(&source(&seen.layered, "qa"), &["user"])?;
            says(&source(&seen.layered, "reviewer"), &["built"])
        })
        .check("a mistake in a profile is told with its line", |seen| {
            is(&seen.invalid.code, 2)?;
            says(&seen.invalid.stderr, &["broken.md:2", "sometimes"])
        })
        .check("an unknown profile is refused with the nearest name", |seen| {
            is(&seen.unknown.code, 2)?;
            says(&seen.unknown.stderr, &["develper", "developer"])
        })
        .told()
}

struct Work {
    preview: Value,
    first: Value,
    second: Value,
    prompt: String,
    held: Value,
}

fn see_jobs(world: &World) -> Result<Work, Stop> {
    world.write("fleet.toml", "[engines.copy]\ncommand = [\"sh\", \"-c\", \"cat > got\"]\nprompt = \"stdin\"\n[defaults]\nverify = 'test -s got'\n")?;
    let profile = |persona: &str| format!("---\nreview-policy: manual\nretry: 2\n---\n{persona}\n");
    world.write("profiles/tester.md", profile("You test one way."))?;
    let text = "---\nengine: copy\nprofile: tester\nreview-policy: auto\n---\n# Tested\n";
    let preview = world.preview("tested", text)?;
    let path = world.task_file("tested", text)?;
    let submit = || world.run(&["submit", &path])?.done()?.line();
    let first = submit()?;
    world.write("profiles/tester.md", profile("You test another way."))?;
    let second = submit()?;
    world.run_once()?;
    let (first, second) = (world.job(&first)?, world.job(&second)?);
    Ok(Work {
        preview,
        prompt: world.file_at(&word(&first["branch"]), "got")?,
        held: world.jobs()?.into(),
        first,
        second,
    })
}

fn jobs() -> Box<dyn Scenario> {
    story("profiles", see_jobs)
        .check("the task wins over the profile, and the profile over the defaults", |seen| {
            let (m, from) = (&seen.preview["manifest"], &seen.preview["origins"]);
            is(&m["reviewPolicy"], "auto")?;
            is(&from["review-policy"], "job")?;
            is(&m["retry"]["max"], 2)?;
            is(&from["retry"], "profile")?;
            is(&m["verify"], "test -s got")?;
            is(&from["verify"], "default")
        })
        .check("a job keeps the version of the profile that it was submitted with", |seen| {
            let version = |job: &Value| word(&job["profile"]["version"]);
            holds(!version(&seen.first).is_empty() && version(&seen.first) != version(&seen.second), || {
                format!("{} and {}", seen.first["profile"], seen.second["profile"])
            })
        })
        .check("the agent is told the persona of that version", |seen| {
            says(&seen.prompt, &["You test one way."])?;
            says_not(&seen.prompt, &["You test another way."])
        })
        .check("a job with a profile is worked on like any other", |seen| {
            let stages: Vec<String> =
                seen.held.as_array().into_iter().flatten().map(|job| word(&job["stage"])).collect();
            is(&stages, vec!["testing".to_owned(); 2])
        })
        .told()
}
