//! MongoDB: Ommi beside the official client's typed collections, in the same run, on the same collections of the server that
//! `OMMI_TEST_MONGO_URL` names.
//!
//! `cargo xtask with-servers cargo bench -p ommi-benches --bench mongo` starts a server for it; `-- --ratios [NAME]` is as for SQLite.
//!
//! "mongodb" is what the client offers: `find_one`, `find` and `insert_many` of a `Collection<User>`, decoded by serde, with the write concern
//! that Ommi uses. Its keys come from a number in the process, and `insert_many` may stop half-way. "atomic" does by hand what `add_all`
//! promises: it takes keys from a counter in the database and adds within a transaction.

mod by_client;
mod relations;
mod server;
mod workloads;

use ommi_benches::allocations;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() {
    let Some(server) = server::Server::from_environment() else {
        eprintln!(
            "The MongoDB benches need a server: set OMMI_TEST_MONGO_URL, or run them with `cargo xtask with-servers`."
        );
        std::process::exit(2);
    };
    ommi_benches::run(&["mongodb", "atomic"], |runtime| workloads::all(&server, runtime));
    server.clean();
}
