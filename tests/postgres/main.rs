//! What is PostgreSQL's own, beside the conformance suite: what the server is asked to do, and what becomes of it.

mod explain;
mod schemas;
mod server;
mod stored;
mod support;
