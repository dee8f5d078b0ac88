//! The Messages API: `POST /v1/messages`, streamed or not.

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
    let place = place(body["messages"].as_array().map_or(&[], Vec::as_slice));
    // Titles and summaries are asked for without tools; they are no step of the conversation.
    let side = body["tools"].as_array().is_none_or(Vec::is_empty);
    let reply = if side {
        Reply::says("side request")
    } else {
        shared.note(name, &place.prompt);
        shared.script(name).reply(place.turn, place.step).at(&working_folder(body))
    };
    if let Some(Fault::Status(status, kind, message)) = reply.fault {
        let status = StatusCode::from_u16(status).expect("a script names a real status");
        let error = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        return (status, Json(error)).into_response();
    }
    let id = format!("msg_{}_{}", place.turn, place.step);
    let stop = if reply.calls.is_empty() { "end_turn" } else { "tool_use" };
    let blocks = blocks(&reply, &place);
    let head = json!({"id": id, "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": null});
    if body["stream"] != true {
        let mut whole = head;
        whole["content"] = json!(blocks);
        whole["stop_reason"] = json!(stop);
        whole["usage"] = usage(&reply, reply.output_tokens);
        return Json(whole).into_response();
    }
    let silent = matches!(reply.fault, Some(Fault::Silence));
    stream(&events(&reply, head, &blocks, stop, silent), silent)
}

struct Place {
    turn: usize,
    step: usize,
    prompt: String,
}

/// A turn starts at a user message that is no tool result.
fn place(messages: &[Value]) -> Place {
    let (mut turns, mut step, mut prompt) = (0usize, 0, String::new());
    for message in messages {
        if message["role"] == "assistant" {
            step += 1;
            continue;
        }
        let parts = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        if message["role"] != "user" || parts.iter().any(|part| part["type"] == "tool_result") {
            continue;
        }
        (turns, step) = (turns + 1, 0);
        let texts =
            message["content"].as_str().into_iter().chain(parts.iter().filter_map(|part| part["text"].as_str()));
        for text in texts.filter(|text| !text.trim_start().starts_with('<')) {
            text.clone_into(&mut prompt);
        }
    }
    Place { turn: turns.saturating_sub(1), step, prompt }
}

fn blocks(reply: &Reply, place: &Place) -> Vec<Value> {
    let words = (!reply.text.is_empty()).then(|| json!({"type": "text", "text": reply.text}));
    let calls = reply.calls.iter().enumerate().map(|(i, call)| {
        let id = format!("toolu_{}_{}_{i}", place.turn, place.step);
        json!({"type": "tool_use", "id": id, "name": call.name, "input": call.input})
    });
    words.into_iter().chain(calls).collect()
}

fn usage(reply: &Reply, output: u64) -> Value {
    json!({"input_tokens": reply.input_tokens, "cache_creation_input_tokens": 0,
           "cache_read_input_tokens": reply.cached_tokens, "output_tokens": output})
}

fn events(reply: &Reply, mut head: Value, blocks: &[Value], stop: &str, silent: bool) -> Vec<Value> {
    head["content"] = json!([]);
    head["stop_reason"] = json!(null);
    head["usage"] = usage(reply, 1);
    let mut events = vec![json!({"type": "message_start", "message": head})];
    if silent {
        return events;
    }
    for (index, block) in blocks.iter().enumerate() {
        let (start, delta) = if block["type"] == "text" {
            (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": block["text"]}))
        } else {
            let mut start = block.clone();
            start["input"] = json!({});
            (start, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": usage(reply, reply.output_tokens)}));
    events.push(json!({"type": "message_stop"}));
    events
}
