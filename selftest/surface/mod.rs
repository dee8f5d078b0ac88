//! The product as people meet it: what the documents promise, what commands print, and how they end.

mod capabilities;
mod counts;
mod debug;
mod doctor;
mod documents;
mod drawing;
mod exit_codes;
mod json;
mod log_lines;
mod markdown;
mod output;
mod picture;
mod reader;
mod readme;
mod record;
mod routes;
