//! What is kept, for how long, and what goes: the database, logs, workspaces, refs.

mod database;
mod flood;
mod landing;
mod leftovers;
mod retention;
mod room;
