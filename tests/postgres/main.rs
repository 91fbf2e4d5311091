//! What is PostgreSQL's own, beside the conformance suite: what the server is asked to do, and what becomes of it.

mod encrypted;
mod explain;
mod levels;
#[path = "../own_server.rs"]
mod own_server;
mod pool;
mod pooler;
mod restart;
mod schemas;
mod server;
mod stored;
mod support;
mod unheard;
