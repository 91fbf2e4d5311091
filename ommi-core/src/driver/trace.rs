//! What a driver adds to the span of the operation that it runs.

/// Notes what is sent to the database, without its values, in the operation's span: its field `statement`. A driver calls it where it has
/// compiled a statement, or found it compiled.
pub fn record_statement(text: &str) {
    if tracing::enabled!(target: "ommi", tracing::Level::DEBUG) {
        let span = tracing::Span::current();
        // A span of the application's own may have such a field too.
        if span.metadata().is_some_and(|metadata| metadata.target() == "ommi") {
            span.record("statement", text);
        }
    }
}
