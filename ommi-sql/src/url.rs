//! The options of a URL: `name=value&..`, percent-encoded (RFC 3986, section 2.1). A `+` is a `+`.

use ommi_core::{DBError, DBResult};

/// Hands each option to `set`, decoded, in order, and gives the names of those that were there.
///
/// # Errors
/// Those of [`decode`] and of `set`, and `Configuration` for an option that is given twice.
pub fn options(parameters: &str, mut set: impl FnMut(&str, &str) -> DBResult<()>) -> DBResult<Vec<String>> {
    let mut seen = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decode(name, None)?;
        let value = decode(value, Some(&name))?;
        set(&name, &value)?;
        if seen.contains(&name) {
            return Err(DBError::configuration(Some(&name), "it is given twice"));
        }
        seen.push(name);
    }
    Ok(seen)
}

/// Percent-decoding, to UTF-8.
///
/// # Errors
/// `Configuration`, with the option's name, for what is no percent-encoding, and for what decodes to NUL or to no UTF-8.
pub fn decode(text: &str, option: Option<&str>) -> DBResult<String> {
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
