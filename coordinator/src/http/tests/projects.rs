//! Projects, and other things that a task names.

use axum::http::StatusCode;
use fleet_protocol::route;
use serde_json::json;

use super::fixture::{Fleet, on_both};

on_both! {
    async fn a_job_inherits_from_its_project(fleet: &Fleet) {
        let job = fleet.task_with("---\nproject: shop\n---\nx", "?repo=%2Fsrv%2Felsewhere").await.body;
        assert_eq!((&job["repo"], &job["manifest"]["repo"]), (&json!("/srv/shop"), &json!("/srv/shop")));
        assert_eq!(job["manifest"]["base"], "trunk");
        assert_eq!(job["manifest"]["secrets"], json!(["NPM_TOKEN"]));
        assert_eq!(job["profile"]["name"], "careful");
        assert_eq!(job["manifest"]["verify"], "npm test", "the profile is nearer to the job than the project");
        assert_eq!(fleet.claim("f1").await.body["persona"], "You are careful.\n");
    }

    async fn a_dry_run_names_the_project_as_the_origin(fleet: &Fleet) {
        let text = "---\nproject: shop\nbase: main\ncwd: api\n---\n# T\n";
        let preview = fleet.task_with(text, "?dryRun=true&repo=%2Fsrv%2Felsewhere").await.body;
        let origins = &preview["origins"];
        assert_eq!((&origins["base"], &origins["profile"]), (&json!("job"), &json!("project")), "{preview}");
        assert_eq!(preview["repo"], "/srv/shop");
        assert_eq!(preview["manifest"]["repo"], json!(null), "its folder stands beside the project");
    }

    async fn a_job_s_own_values_beat_those_of_its_project(fleet: &Fleet) {
        let text = "---\nproject: shop\nrepo: /else\nbase: main\nverify: ./mine\nsecrets: [MINE]\n---\nx";
        let job = fleet.task(text).await.body;
        assert_eq!((&job["repo"], &job["manifest"]["base"]), (&json!("/else"), &json!("main")));
        assert_eq!((&job["manifest"]["verify"], &job["manifest"]["secrets"]), (&json!("./mine"), &json!(["MINE"])));
    }

    async fn what_is_named_and_not_there_is_told_with_what_is(fleet: &Fleet) {
        let answer = fleet.task("---\nproject: shpo\nengine: cluade\nprofile: nobody\n---\nx").await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "invalid_request"));
        let told: Vec<&str> = answer.message().lines().collect();
        assert_eq!(told, [
            "2:10: unknown project `shpo` (did you mean `shop`?); known: shop, web (`fleet project list` lists the \
             projects; [projects.NAME] in fleet.toml makes one)",
            "3:9: unknown engine `cluade` (did you mean `claude`?); known: claude, codex (any program is an engine: a \
             few lines of [engines.NAME] in fleet.toml name it)",
            "4:10: unknown profile `nobody`; known: careful",
        ]);
        let web = fleet.task("---\nproject: web\n---\nx").await;
        assert_eq!(web.body["manifest"]["base"], "trunk", "{:?}", web.body);
    }

    async fn a_dropped_file_with_an_unknown_engine_is_kept_as_failed(fleet: &Fleet) {
        let answer = fleet.task_with("---\nengine: cluade\n---\nx", "?keepInvalid=true&file=dropped.md").await;
        assert_eq!((&answer.body["stage"], &answer.body["result"]), (&json!("failed"), &json!("invalid_manifest")));
        assert!(answer.body["message"].as_str().unwrap().contains("did you mean `claude`?"), "{:?}", answer.body);
    }

    async fn projects_are_listed_and_shown(fleet: &Fleet) {
        let list = fleet.get(route::PROJECTS).await.body;
        let names: Vec<&str> =
            list["projects"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect();
        assert_eq!((names, &list["next"]), (vec!["shop", "web"], &json!(null)));
        let shop = fleet.get(&route::fill(route::PROJECT, &["shop"])).await.body;
        assert_eq!((&shop["repo"], &shop["verify"]), (&json!("/srv/shop"), &json!("make check")));
        let missing = fleet.get(&route::fill(route::PROJECT, &["shpo"])).await;
        assert_eq!((missing.status, missing.code()), (StatusCode::NOT_FOUND, "not_found"));
        assert!(missing.message().contains("did you mean `shop`?"), "{}", missing.message());
    }
}
