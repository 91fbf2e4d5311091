//! Options from a URL.

use std::time::Duration;

use ommi_core::{DBError, DBResult};
use ommi_sql::url;

use crate::options::{Mode, SqliteOptions, Synchronous};

const NAMES: &str =
    "mode, busy_timeout, acquire_timeout, synchronous, readers, foreign_keys, qpsg, statement_cache, cache_size";

pub(crate) fn parse(url: &str) -> DBResult<SqliteOptions> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return Err(DBError::configuration(None, "the URL of an SQLite database begins with `sqlite:`"));
    };
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    let mut options = match path {
        ":memory:" => SqliteOptions::memory(),
        "" => SqliteOptions::memory().mode(Mode::ReadWrite),
        path => SqliteOptions::file(url::decode(path, None)?),
    };
    let given = url::options(parameters, |name, value| {
        options = set(options.clone(), name, value)?;
        Ok(())
    })?;
    if options.path.is_none() && options.mode != Mode::Memory {
        return Err(DBError::configuration(
            given.iter().any(|name| name == "mode").then_some("mode"),
            "the URL names no file; a database in memory is `sqlite::memory:`",
        ));
    }
    options.check()?;
    Ok(options)
}

fn set(options: SqliteOptions, name: &str, value: &str) -> DBResult<SqliteOptions> {
    let wrong = |takes: &str| DBError::configuration(Some(name), format!("it takes {takes}"));
    let number = || value.parse::<u64>().map_err(|_| wrong("a whole number"));
    let size = || value.parse::<usize>().map_err(|_| wrong("a whole number"));
    let time = || Ok(Duration::from_millis(number().map_err(|_| wrong("a time in milliseconds"))?));
    let switch = || match value {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(wrong("`on` or `off`")),
    };
    Ok(match name {
        "mode" => options.mode(match value {
            "ro" => Mode::ReadOnly,
            "rw" => Mode::ReadWrite,
            "rwc" => Mode::ReadWriteCreate,
            "memory" => Mode::Memory,
            _ => return Err(wrong("`ro`, `rw`, `rwc` or `memory`")),
        }),
        "busy_timeout" => options.busy_timeout(time()?),
        "acquire_timeout" => options.acquire_timeout(time()?),
        "synchronous" => options.synchronous(match value {
            "off" => Synchronous::Off,
            "normal" => Synchronous::Normal,
            "full" => Synchronous::Full,
            "extra" => Synchronous::Extra,
            _ => return Err(wrong("`off`, `normal`, `full` or `extra`")),
        }),
        "readers" => options.readers(size()?),
        "foreign_keys" => options.foreign_keys(switch()?),
        "qpsg" => options.qpsg(switch()?),
        "statement_cache" => options.statement_cache(size()?),
        "cache_size" => options.cache_size(value.parse().map_err(|_| wrong("a whole number"))?),
        _ => return Err(DBError::configuration(Some(name), format!("there is no such option; there are {NAMES}"))),
    })
}
