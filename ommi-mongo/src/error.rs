//! What a server or the client reports, as Ommi's errors.
//!
//! A server's messages quote the documents they are about. They stay reachable, through [`ServerError::message`], and are printed by nothing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use mongodb::bson::{Bson, Document};
use ommi_core::schema::ModelSchema;
use ommi_core::{Constraint, ConstraintKind, DBError, ErrorKind};

use crate::driver::whole;
use crate::duplicate::duplicate;
use crate::names::NAME;
use crate::sum::OVERFLOW;

/// A failure that a server reported: the cause of the [`DBError`] it became.
///
/// `Display` and `Debug` show its code and name, not its message, which may quote stored values.
#[derive(Clone)]
pub struct ServerError {
    code: i32,
    name: String,
    message: String,
    labels: Vec<String>,
    details: Document,
}

impl ServerError {
    /// The server's number for it.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The server's name for it, as `DuplicateKey`; empty where it gives none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's message. It may quote values of documents.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the server gave it this label.
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own == label)
    }

    fn of(report: &Document, labels: &[String]) -> ServerError {
        let text = |key| report.get_str(key).unwrap_or_default().to_owned();
        ServerError {
            code: whole(report.get("code")).and_then(|code| i32::try_from(code).ok()).unwrap_or_default(),
            name: text("codeName"),
            message: text("errmsg"),
            labels: labels.to_vec(),
            details: report.clone(),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "the server reported error {}", self.code),
            name => write!(f, "the server reported error {} ({name})", self.code),
        }
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerError")
            .field("code", &self.code)
            .field("name", &self.name)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Error for ServerError {}

/// A statement on a collection that does not exist. A server would read it as an empty one, and make it when it is written to.
#[derive(Debug)]
pub(crate) struct NoCollection(pub(crate) String);

impl fmt::Display for NoCollection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no collection `{}`; `create_tables` makes it", self.0)
    }
}

impl Error for NoCollection {}

/// Why a command gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A server refused it.
    Server(Box<ServerError>),
    /// It did not get there, or the answer did not get back.
    Client(mongodb::error::Error),
    /// Ommi's own: the answer could not be decoded, the limit of time was exceeded.
    Own(DBError),
}

impl From<DBError> for Failure {
    fn from(error: DBError) -> Failure {
        Failure::Own(error)
    }
}

impl From<mongodb::error::Error> for Failure {
    fn from(error: mongodb::error::Error) -> Failure {
        use mongodb::error::{ErrorKind as Kind, WriteFailure};
        let (code, name, message, details) = match &*error.kind {
            Kind::Command(failed) => {
                let details = error.server_response().and_then(|reply| Document::try_from(reply.as_ref()).ok());
                (failed.code, &failed.code_name, &failed.message, details)
            }
            // It was written, and is not known to last. The reply holds the row.
            Kind::Write(WriteFailure::WriteConcernError(failed)) => {
                (failed.code, &failed.code_name, &failed.message, None)
            }
            _ => return Failure::Client(error),
        };
        Failure::Server(Box::new(ServerError {
            code,
            name: name.clone(),
            message: message.clone(),
            labels: error.labels().iter().cloned().collect(),
            details: details.unwrap_or_default(),
        }))
    }
}

/// The number of documents that a write reached, or the first error that its reply lists.
pub(crate) fn affected(reply: &Document) -> Result<u64, Failure> {
    let labels: Vec<String> = match reply.get_array("errorLabels") {
        Ok(labels) => labels.iter().filter_map(|label| label.as_str().map(str::to_owned)).collect(),
        Err(_) => Vec::new(),
    };
    let first = reply.get_array("writeErrors").ok().and_then(|errors| errors.first()).and_then(Bson::as_document);
    if let Some(error) = first.or_else(|| reply.get_document("writeConcernError").ok()) {
        return Err(Failure::Server(Box::new(ServerError::of(error, &labels))));
    }
    Ok(whole(reply.get("n")).and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
}

const TRANSIENT: &str = mongodb::error::TRANSIENT_TRANSACTION_ERROR;
const UNKNOWN_COMMIT: &str = mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT;

impl Failure {
    /// Whether another transaction was in the way, so that the same work may succeed when it is run again.
    pub(crate) fn is_conflict(&self) -> bool {
        match self {
            Failure::Server(error) => is_conflict(error),
            Failure::Client(_) | Failure::Own(_) => false,
        }
    }

    /// Whether the same document, or an index entry, was there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Failure::Server(error) if is_duplicate(error))
    }

    /// Whether the validator of a collection refused a document.
    pub(crate) fn is_invalid_document(&self) -> bool {
        matches!(self, Failure::Server(error) if error.code == INVALID_DOCUMENT)
    }

    /// Whether a read may succeed on another connection, or on the server that takes over.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Failure::Server(error) => is_not_serving(error.code),
            Failure::Client(error) => is_network(&error.kind),
            Failure::Own(_) => false,
        }
    }

    /// Whether a commit that failed so may have taken place: no answer came, or one that leaves it open.
    pub(crate) fn leaves_commit_unknown(&self) -> bool {
        match self {
            Failure::Server(error) => error.has_label(UNKNOWN_COMMIT) || is_not_serving(error.code),
            Failure::Client(error) => error.contains_label(UNKNOWN_COMMIT) || is_network(&error.kind),
            Failure::Own(_) => false,
        }
    }

    /// As an error of a statement on this model. `limit` is the time that it was given.
    pub(crate) fn on_model(self, model: &ModelSchema, limit: Option<Duration>) -> DBError {
        match self {
            Failure::Server(error) => match of_rows(&error, model) {
                Some(kind) => DBError::new(kind).with_source(*error),
                None if is_too_large(error.code) => DBError::new(ErrorKind::TooLarge)
                    .with_detail(format!("a row of {} takes 16 MB at most", model.name))
                    .with_source(*error),
                None => of_server(*error, limit),
            },
            other => other.general(limit),
        }
    }

    /// As an error that has nothing to do with the rows of one model.
    pub(crate) fn general(self, limit: Option<Duration>) -> DBError {
        match self {
            Failure::Own(error) => error,
            Failure::Server(error) => of_server(*error, limit),
            Failure::Client(error) => of_client(error),
        }
    }
}

/// DocumentValidationFailure.
const INVALID_DOCUMENT: i32 = 121;

fn is_duplicate(error: &ServerError) -> bool {
    matches!(error.code, 11_000 | 11_001 | 12_582)
}

/// A server that has stopped being primary, or is stopping.
fn is_not_serving(code: i32) -> bool {
    matches!(code, 6 | 7 | 89 | 91 | 189 | 9_001 | 10_107 | 11_600 | 11_602 | 13_435 | 13_436)
}

/// BSONObjectTooLarge, and the sizes of documents after an update.
fn is_too_large(code: i32) -> bool {
    matches!(code, 10_334 | 17_419 | 17_420 | 17_260 | 17_280)
}

fn is_network(kind: &mongodb::error::ErrorKind) -> bool {
    use mongodb::error::ErrorKind as Kind;
    matches!(
        kind,
        Kind::Io(_) | Kind::ConnectionPoolCleared { .. } | Kind::ServerSelection { .. } | Kind::DnsResolve { .. }
    )
}

/// TransactionTooLarge, and TransactionTooLargeForCache. The same transaction is as large the next time, whatever its label.
fn is_too_large_a_transaction(code: i32) -> bool {
    matches!(code, 257 | 313)
}

/// Another transaction was in the way: a lock that was not got in time, snapshots that are gone or not there yet, and what the server says of others.
fn is_conflict(error: &ServerError) -> bool {
    matches!(error.code, 112 | 24 | 239 | 246)
        || (error.has_label(TRANSIENT) && !is_too_large_a_transaction(error.code))
}

fn of_server(error: ServerError, limit: Option<Duration>) -> DBError {
    match error.code {
        50 | 262 => DBError::timeout(limit.unwrap_or_default()).with_source(error),
        code if is_not_serving(code) => DBError::new(ErrorKind::Connection).retryable().with_source(error),
        // NoSuchTransaction, and TransactionExceededLifetimeLimitSeconds. Within a transaction they are labelled as what may be run again.
        251 | 290 => {
            let kind = if is_conflict(&error) { ErrorKind::Conflict } else { ErrorKind::TransactionAborted };
            DBError::new(kind)
                .with_detail(
                    "the server has ended the transaction; one lives 60 seconds unless the server is told otherwise",
                )
                .with_source(error)
        }
        code if is_too_large_a_transaction(code) => DBError::new(ErrorKind::TooLarge)
            .with_detail("the transaction changes more than the server keeps of one")
            .with_source(error),
        _ if is_conflict(&error) => DBError::new(ErrorKind::Conflict).with_source(error),
        code if is_too_large(code) => DBError::new(ErrorKind::TooLarge).with_source(error),
        20 | 263 if error.message.contains("replica set") => {
            DBError::unsupported(NAME, "transactions on a server that is no replica set").with_source(error)
        }
        13 | 18 | 8_000 => {
            DBError::new(ErrorKind::Connection).with_detail("the server denies access").with_source(error)
        }
        _ => DBError::new(ErrorKind::Database).with_source(error),
    }
}

fn of_client(error: mongodb::error::Error) -> DBError {
    use mongodb::error::ErrorKind as Kind;
    if is_network(&error.kind) {
        return DBError::new(ErrorKind::Connection).retryable().with_source(error);
    }
    match &*error.kind {
        Kind::Authentication { .. } | Kind::Shutdown => DBError::new(ErrorKind::Connection).with_source(error),
        Kind::InvalidTlsConfig { .. } => {
            DBError::configuration(Some("tls"), "the TLS settings cannot be used").with_source(error)
        }
        Kind::SessionsNotSupported => DBError::unsupported(NAME, "sessions on this server").with_source(error),
        _ if error.contains_label(TRANSIENT) => DBError::new(ErrorKind::Conflict).with_source(error),
        _ => DBError::new(ErrorKind::Database).with_source(error),
    }
}

/// What a refused row violated.
fn of_rows(error: &ServerError, model: &ModelSchema) -> Option<ErrorKind> {
    match error.code {
        _ if is_duplicate(error) => Some(ErrorKind::Constraint(duplicate(&error.message, &error.details, model))),
        INVALID_DOCUMENT => Some(invalid(error, model)),
        // A sum beyond 64 bits: of `$inc`, and of the expression that fails on purpose.
        2 if error.message.contains("Failed to apply $inc") => Some(out_of_range(model, None)),
        241 if error.message.contains(OVERFLOW) => Some(out_of_range(model, None)),
        // `$toInt`, which is written for nothing else.
        241 if error.message.contains("overflow") => Some(out_of_range(model, None)),
        _ => None,
    }
}

/// The error has no public constructor with fields, so that it can grow; the kind is taken from one that is made.
fn out_of_range(model: &ModelSchema, column: Option<&str>) -> ErrorKind {
    DBError::out_of_range(model.table.to_string(), column.map(str::to_owned)).kind().clone()
}

/// A document that the validator refused.
fn invalid(error: &ServerError, model: &ModelSchema) -> ErrorKind {
    let check = Constraint::new(ConstraintKind::Check).on_table(&*model.table);
    let rules = error
        .details
        .get_document("errInfo")
        .and_then(|info| info.get_document("details"))
        .and_then(|details| details.get_array("schemaRulesNotSatisfied"));
    let Some(rule) = rules.ok().and_then(|rules| rules.first()).and_then(Bson::as_document) else {
        return ErrorKind::Constraint(check);
    };
    let not_null = |columns: Vec<&str>| {
        ErrorKind::Constraint(Constraint::new(ConstraintKind::NotNull).on_table(&*model.table).on_columns(columns))
    };
    if let Ok(missing) = rule.get_array("missingProperties") {
        return not_null(missing.iter().filter_map(Bson::as_str).collect());
    }
    let property =
        rule.get_array("propertiesNotSatisfied").ok().and_then(|list| list.first()).and_then(Bson::as_document);
    let Some(property) = property else { return ErrorKind::Constraint(check) };
    let column = property.get_str("propertyName").unwrap_or_default();
    let reason = property.get_array("details").ok().and_then(|list| list.first()).and_then(Bson::as_document);
    let operator = reason.and_then(|reason| reason.get_str("operatorName").ok()).unwrap_or_default();
    let found = reason.and_then(|reason| reason.get_str("consideredType").ok()).unwrap_or_default();
    let is_integer = model.columns.iter().any(|c| *c.name == *column && c.ty.integer_range().is_some());
    match operator {
        "minimum" | "maximum" => out_of_range(model, Some(column)),
        "bsonType" if found == "null" => not_null(vec![column]),
        // A sum that outgrew its type became one of the next.
        "bsonType" if is_integer && matches!(found, "long" | "double" | "decimal") => out_of_range(model, Some(column)),
        _ => ErrorKind::Constraint(check.on_columns([column])),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;
    use crate::duplicate::tests::model;

    fn mapped(report: Document) -> DBError {
        match affected(&doc! { "n": 0, "writeErrors": [report], "ok": 1 }) {
            Err(failure) => failure.on_model(&model(), None),
            Ok(_) => panic!("no error was read"),
        }
    }

    fn columns(error: &DBError) -> (ConstraintKind, Vec<&str>) {
        let constraint = error.constraint().unwrap();
        assert_eq!(constraint.table(), Some("t"));
        (constraint.kind(), constraint.columns().iter().map(String::as_str).collect())
    }

    /// As the client reports it of the commands that it writes itself, and as it stands in the reply of one that it is given.
    #[test]
    fn a_write_that_is_not_known_to_last_is_the_servers_error() {
        use mongodb::error::{Error, ErrorKind as Kind, WriteFailure};
        let report =
            doc! { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out" };
        let failed = mongodb::bson::deserialize_from_document(report.clone()).unwrap();
        let own = Failure::from(Error::from(Kind::Write(WriteFailure::WriteConcernError(failed))));
        let given = affected(&doc! { "n": 1, "writeConcernError": report, "ok": 1 }).unwrap_err();
        for failure in [own, given] {
            let error = failure.on_model(&model(), None);
            assert!(matches!(error.kind(), ErrorKind::Database), "{error}");
            let cause = error.source().unwrap().downcast_ref::<ServerError>().unwrap();
            assert_eq!((cause.code(), cause.name()), (64, "WriteConcernFailed"));
        }
    }

    #[test]
    fn refused_documents_say_which_rule() {
        let refused = |rule: Document| {
            mapped(doc! { "code": 121, "errmsg": "Document failed validation",
            "errInfo": { "details": { "schemaRulesNotSatisfied": [rule] } } })
        };
        let property = |details: Document| {
            refused(doc! { "operatorName": "properties",
            "propertiesNotSatisfied": [{ "propertyName": "a b", "details": [details] }] })
        };
        let missing = refused(doc! { "operatorName": "required", "missingProperties": ["c"] });
        assert_eq!(columns(&missing), (ConstraintKind::NotNull, vec!["c"]));
        let null = property(doc! { "operatorName": "bsonType", "consideredType": "null" });
        assert_eq!(columns(&null), (ConstraintKind::NotNull, vec!["a b"]));
        let text = property(doc! { "operatorName": "bsonType", "consideredType": "string" });
        assert_eq!(columns(&text), (ConstraintKind::Check, vec!["a b"]));
        for details in [
            doc! { "operatorName": "maximum", "consideredValue": 300 },
            doc! { "operatorName": "bsonType", "consideredType": "long" },
        ] {
            assert!(matches!(property(details).kind(), ErrorKind::OutOfRange { .. }));
        }
        assert_eq!(columns(&mapped(doc! { "code": 121 })), (ConstraintKind::Check, vec![]));
    }

    #[test]
    fn what_may_succeed_when_run_again_says_so() {
        let conflict = mapped(doc! { "code": 112, "codeName": "WriteConflict", "errmsg": "" });
        assert!(matches!(conflict.kind(), ErrorKind::Conflict) && conflict.is_retryable());
        let stepped_down = mapped(doc! { "code": 10107, "errmsg": "not primary" });
        assert!(matches!(stepped_down.kind(), ErrorKind::Connection) && stepped_down.is_retryable());
        let expired = mapped(doc! { "code": 50, "errmsg": "operation exceeded time limit" });
        assert!(matches!(expired.kind(), ErrorKind::Timeout { .. }));
        let gone = mapped(doc! { "code": 251, "errmsg": "" });
        assert!(matches!(gone.kind(), ErrorKind::TransactionAborted) && !gone.is_retryable());
    }

    #[test]
    fn what_became_of_a_transaction_is_said() {
        let labelled = |code: i32| {
            let report = doc! { "code": code, "errmsg": "" };
            let reply = doc! { "writeErrors": [report], "errorLabels": [TRANSIENT] };
            let failure = affected(&reply).unwrap_err();
            (failure.is_conflict(), failure.on_model(&model(), None))
        };
        for code in [251, 290] {
            let (again, error) = labelled(code);
            assert!(again && matches!(error.kind(), ErrorKind::Conflict) && error.is_retryable(), "{error}");
            assert!(error.to_string().contains("60 seconds"), "{error}");
            let error = mapped(doc! { "code": code, "errmsg": "" });
            assert!(matches!(error.kind(), ErrorKind::TransactionAborted) && !error.is_retryable(), "{error}");
            assert!(error.to_string().contains("60 seconds"), "{error}");
        }
        for code in [257, 313] {
            let (again, error) = labelled(code);
            assert!(!again && matches!(error.kind(), ErrorKind::TooLarge) && !error.is_retryable(), "{error}");
        }
    }

    /// What a server by itself answers to a transaction, in the words of several versions.
    #[test]
    fn a_transaction_on_a_server_by_itself_is_unsupported() {
        for (code, message) in [
            (20, "Transaction numbers are only allowed on a replica set member or mongos"),
            (263, "Cannot run commands in a multi-document transaction on a server that is no replica set member"),
        ] {
            let error = mapped(doc! { "code": code, "errmsg": message });
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }) && !error.is_retryable(), "{error}");
            assert!(error.to_string().contains("replica set"), "{error}");
            // The same codes stand for other mistakes too.
            let other = mapped(doc! { "code": code, "errmsg": "another illegal operation" });
            assert!(matches!(other.kind(), ErrorKind::Database), "{other}");
        }
    }

    #[test]
    fn many_documents_are_counted() {
        for (n, count) in [(Bson::Int32(7), 7), (Bson::Int64(3_000_000_000), 3_000_000_000), (Bson::Double(2.0), 2)] {
            assert_eq!(affected(&doc! { "n": n, "ok": 1 }).unwrap(), count);
        }
    }

    #[test]
    fn no_value_is_printed() {
        let error = mapped(doc! { "code": 11000, "errmsg": "E11000 … index: x dup key: { a: \"secret\" }" });
        let source = std::error::Error::source(&error).unwrap();
        let printed = format!("{error} {error:?} {source} {source:?}");
        assert!(!printed.contains("secret"), "{printed}");
        assert!(source.downcast_ref::<ServerError>().unwrap().message().contains("secret"));
    }
}
