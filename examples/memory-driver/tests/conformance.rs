//! The whole suite on this driver.

use ommi::prelude::*;
use ommi_conformance::Database;
use ommi_memory_driver::MemoryDriver;

async fn empty() -> DBResult<Database> {
    Ok(Database::new(Ommi::new(MemoryDriver::new())))
}

ommi_conformance::suite!(empty);
