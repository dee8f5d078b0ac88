//! The Responses API: `POST /v1/responses`, streamed or not.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    script::{Fault, Reply},
    server::{Shared, stream, working_folder},
};

pub(super) fn answer(shared: &Shared, name: &str, body: &Value) -> Response {
    let place = place(body["input"].as_array().map_or(&[], Vec::as_slice));
    shared.note(name, &place.prompt);
    let reply = shared.script(name).reply(place.turn, place.step).at(&working_folder(body));
    if let Some(Fault::Status(status, kind, message)) = reply.fault {
        let status = StatusCode::from_u16(status).expect("a script names a real status");
        return (status, Json(json!({"error": {"message": message, "type": kind, "code": null}}))).into_response();
    }
    let output = items(&reply, &place);
    let total = reply.input_tokens + reply.cached_tokens;
    let done = json!({
        "id": format!("resp_{}_{}", place.turn, place.step), "object": "response", "status": "completed",
        "model": body["model"], "output": output,
        "usage": {"input_tokens": total, "input_tokens_details": {"cached_tokens": reply.cached_tokens},
                  "output_tokens": reply.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
                  "total_tokens": total + reply.output_tokens}});
    if body["stream"] != true {
        return Json(done).into_response();
    }
    let silent = matches!(reply.fault, Some(Fault::Silence));
    stream(&events(&reply, &done, silent), silent)
}

struct Place {
    turn: usize,
    step: usize,
    prompt: String,
}

/// A turn starts at a plain user message once the model has spoken; context that the agent adds does not count.
fn place(items: &[Value]) -> Place {
    let (mut turns, mut step, mut prompt, mut spoken) = (0usize, 0, String::new(), true);
    for item in items {
        let kind = item["type"].as_str().unwrap_or("message");
        if kind.ends_with("_call_output") {
            (step, spoken) = (step + 1, true);
        } else if kind == "message" && item["role"] == "assistant" {
            spoken = true;
        } else if kind == "message" && item["role"] == "user" {
            let text = text(&item["content"]);
            if text.trim_start().starts_with('<') || text.starts_with("# AGENTS") {
                continue;
            }
            if spoken {
                (turns, step, spoken) = (turns + 1, 0, false);
            }
            prompt = text;
        }
    }
    Place { turn: turns.saturating_sub(1), step, prompt }
}

fn text(content: &Value) -> String {
    let parts = content.as_array().map_or(&[][..], Vec::as_slice);
    let texts = content.as_str().into_iter().chain(parts.iter().filter_map(|part| part["text"].as_str()));
    texts.collect::<Vec<_>>().join("\n")
}

fn items(reply: &Reply, place: &Place) -> Vec<Value> {
    let id = format!("{}_{}", place.turn, place.step);
    let words = (!reply.text.is_empty()).then(|| {
        json!({"type": "message", "id": format!("msg_{id}"), "role": "assistant", "status": "completed",
               "content": [{"type": "output_text", "text": reply.text, "annotations": []}]})
    });
    let calls = reply.calls.iter().enumerate().map(|(i, call)| {
        let call_id = format!("call_{id}_{i}");
        json!({"type": "function_call", "id": format!("fc_{call_id}"), "call_id": call_id, "status": "completed",
               "name": call.name, "arguments": call.input.to_string()})
    });
    words.into_iter().chain(calls).collect()
}

fn events(reply: &Reply, done: &Value, silent: bool) -> Vec<Value> {
    let mut opening = done.clone();
    opening["status"] = json!("in_progress");
    opening["output"] = json!([]);
    opening["usage"] = json!(null);
    let mut events = vec![json!({"type": "response.created", "response": opening})];
    if !silent {
        for (index, item) in done["output"].as_array().into_iter().flatten().enumerate() {
            let mut added = item.clone();
            added["status"] = json!("in_progress");
            if item["type"] == "message" {
                added["content"] = json!([]);
            }
            events.push(json!({"type": "response.output_item.added", "output_index": index, "item": added}));
            if item["type"] == "message" {
                events.push(json!({"type": "response.output_text.delta", "item_id": item["id"], "output_index": index,
                                   "content_index": 0, "delta": reply.text}));
            }
            events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
        }
        events.push(json!({"type": "response.completed", "response": done}));
    }
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    events
}
