//! PostgreSQL: Ommi beside tokio-postgres and plain sqlx, in the same run, on the same tables of the server that `OMMI_TEST_POSTGRES_URL` names.
//!
//! `cargo xtask with-servers cargo bench -p ommi-benches --bench postgres` starts a server for it; `-- --ratios [NAME]` is as for SQLite.
//!
//! "tokio-postgres" is one client that keeps its prepared statements, and no pool but where the workload has one. "sqlx" is a pool with its
//! defaults, whose connections keep prepared statements, as Ommi's do; "sqlx connection" is a connection without a pool, or eight where the workload has a pool.

mod by_sqlx;
mod by_tokio;
mod relations;
mod server;
mod workloads;

use ommi_benches::allocations;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() {
    let Some(server) = server::Server::from_environment() else {
        eprintln!(
            "The PostgreSQL benches need a database: set OMMI_TEST_POSTGRES_URL, or run them with `cargo xtask with-servers`."
        );
        std::process::exit(2);
    };
    ommi_benches::run(&["tokio-postgres", "sqlx", workloads::KEPT], |runtime| workloads::all(&server, runtime));
    server.clean();
}
