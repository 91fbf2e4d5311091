//! Options from a URL.

use std::time::Duration;

use ommi_core::{DBError, DBResult};

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
        path => SqliteOptions::file(decode(path, None)?),
    };
    let mut seen = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decode(name, None)?;
        let value = decode(value, Some(&name))?;
        options = set(options, &name, &value)?;
        if seen.contains(&name) {
            return Err(DBError::configuration(Some(&name), "it is given twice"));
        }
        seen.push(name);
    }
    if options.path.is_none() && options.mode != Mode::Memory {
        return Err(DBError::configuration(
            seen.iter().any(|name| name == "mode").then_some("mode"),
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

/// Percent-decoding, to UTF-8.
fn decode(text: &str, option: Option<&str>) -> DBResult<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let decoded = rest.split_first_chunk::<2>().and_then(|([high, low], after)| {
            rest = after;
            Some(digit(*high)? << 4 | digit(*low)?)
        });
        bytes.push(decoded.ok_or_else(|| {
            DBError::configuration(
                option,
                "a `%` in the URL must be followed by two hexadecimal digits; `%25` is a `%`",
            )
        })?);
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(DBError::configuration(option, "the URL decodes to a NUL character or to bytes that are no UTF-8")),
    }
}
