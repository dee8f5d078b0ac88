//! What an agent and a verify command can reach, seen from inside, and that nobody is confined by surprise.

mod attempts;
mod outside;
