//! Options from a URL.

use std::time::Duration;

use ommi_core::{DBError, DBResult};
use ommi_sql::url;

use crate::options::{PostgresOptions, SslMode};

const NAMES: &str = "host, port, user, password, dbname, sslmode, sslrootcert, sslcert, sslkey, application_name, search_path, \
    statement_timeout, statement_cache, prepared, max_connections, min_connections, acquire_timeout, idle_timeout, max_lifetime";

pub(crate) fn parse(url: &str) -> DBResult<PostgresOptions> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(DBError::configuration(None, "the URL of a PostgreSQL database begins with `postgres://`"));
    }
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let mut options = PostgresOptions::base(base)?;
    url::options(parameters, |name, value| {
        options = set(options.clone(), name, value)?;
        Ok(())
    })?;
    options.check()?;
    Ok(options)
}

fn set(options: PostgresOptions, name: &str, value: &str) -> DBResult<PostgresOptions> {
    let wrong = |takes: &str| DBError::configuration(Some(name), format!("it takes {takes}"));
    let number = || value.parse::<u32>().map_err(|_| wrong("a whole number"));
    let time = || Ok(Duration::from_millis(value.parse().map_err(|_| wrong("a time in milliseconds"))?));
    let for_ever = |time: Duration| Some(time).filter(|time| !time.is_zero());
    let text = || if value.is_empty() { Err(wrong("a text that is not empty")) } else { Ok(value) };
    Ok(match name {
        "host" => options.host(text()?),
        "port" => options.port(value.parse().map_err(|_| wrong("a port from 0 to 65535"))?),
        "user" => options.user(text()?),
        "password" => options.password(value),
        "dbname" => options.database(text()?),
        "sslmode" => options.sslmode(match value {
            "disable" => SslMode::Disable,
            "allow" => SslMode::Allow,
            "prefer" => SslMode::Prefer,
            "require" => SslMode::Require,
            "verify-ca" => SslMode::VerifyCa,
            "verify-full" => SslMode::VerifyFull,
            _ => return Err(wrong("`disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`")),
        }),
        "sslrootcert" => options.sslrootcert(text()?),
        "sslcert" => options.sslcert(text()?),
        "sslkey" => options.sslkey(text()?),
        "application_name" => options.application_name(text()?),
        "search_path" => options.search_path(text()?),
        "statement_timeout" => options.statement_timeout(time()?),
        "statement_cache" => options.statement_cache(value.parse().map_err(|_| wrong("a whole number"))?),
        "prepared" => options.prepared(match value {
            "on" | "true" | "1" => true,
            "off" | "false" | "0" => false,
            _ => return Err(wrong("`on` or `off`")),
        }),
        "max_connections" => options.max_connections(number()?),
        "min_connections" => options.min_connections(number()?),
        "acquire_timeout" => options.acquire_timeout(time()?),
        "idle_timeout" => options.idle_timeout(for_ever(time()?)),
        "max_lifetime" => options.max_lifetime(for_ever(time()?)),
        _ => return Err(DBError::configuration(Some(name), format!("there is no such option; there are {NAMES}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_option_is_named() {
        for (parameters, option) in [
            ("colour=red", "colour"),
            ("sslmode=maybe", "sslmode"),
            ("max_connections=0", "max_connections"),
            ("max_connections=many", "max_connections"),
            ("min_connections=11", "min_connections"),
            ("prepared=perhaps", "prepared"),
            ("application_name=a&application_name=b", "application_name"),
            ("search_path=%zz", "search_path"),
            ("acquire_timeout=0", "acquire_timeout"),
            ("port=70000", "port"),
        ] {
            let error = parse(&format!("postgres://u:secret@h/db?{parameters}")).unwrap_err();
            let named =
                matches!(error.kind(), ommi_core::ErrorKind::Configuration { option: Some(o), .. } if o == option);
            assert!(named && !error.to_string().contains("secret"), "{error}");
        }
        for url in ["mysql://x", "postgres:x", "postgres://[::1/db", "postgres://u:secret@h:port/db"] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error.kind(), ommi_core::ErrorKind::Configuration { .. }), "{error}");
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
    }

    #[test]
    fn options_are_read() {
        let url = "postgresql://ann@localhost/shop?search_path=a%2Cb&statement_timeout=250&prepared=off&idle_timeout=0&sslmode=disable";
        let options = parse(url).unwrap();
        assert_eq!(options.settings.first().map(|(_, value)| value.as_str()), Some("a,b"));
        assert!(!options.prepared && options.idle_timeout.is_none());
        assert_eq!(options.connect.get_database(), Some("shop"));
    }

    #[test]
    fn no_time_for_a_statement_is_no_limit() {
        let set = |options: &PostgresOptions| {
            let setting = options.settings.iter().find(|(name, _)| name == "statement_timeout");
            (setting.unwrap().1.clone(), options.statement_timeout)
        };
        let options = |value: &str| parse(&format!("postgres://h/db?statement_timeout={value}")).unwrap();
        assert_eq!(set(&options("0")), ("0".to_owned(), None));
        assert_eq!(set(&options("250")), ("250".to_owned(), Some(Duration::from_millis(250))));
        let short = Duration::from_micros(3);
        assert_eq!(set(&options("250").statement_timeout(short)).1, Some(short));
        assert_eq!(set(&PostgresOptions::new().statement_timeout(short)), ("1".to_owned(), Some(short)));
    }

    #[test]
    fn credentials_are_not_printed() {
        let options = parse("postgres://ann:secret@db.example.org/shop?sslkey=key.pem").unwrap();
        for options in [options.clone().password("secret"), options.setting("role", "secret")] {
            let printed = format!("{options:?} {options:#?}");
            assert!(printed.contains("shop"), "{printed}");
            for hidden in ["secret", "ann", "example", "key.pem"] {
                assert!(!printed.contains(hidden), "{printed}");
            }
        }
    }
}
