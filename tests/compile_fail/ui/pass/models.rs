//! Models at the edges of what the derive takes, quiet under every lint that is not a matter of taste.

#![deny(
    warnings,
    future_incompatible,
    let_underscore,
    missing_debug_implementations,
    missing_docs,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    unnameable_types,
    unreachable_pub,
    unused,
    unused_lifetimes,
    unused_qualifications,
    unused_results
)]
#![allow(unused_crate_dependencies)]

extern crate self as renamed;

use ommi::prelude::*;
use uuid::Uuid;

/// Where an application re-exports Ommi under a name of its own.
pub mod orm {
    pub use ommi::*;
}

/// An identifier of its own type, which is made like the integer it is.
#[derive(Debug, Clone, Copy, PartialEq, FieldType)]
#[ommi(crate = "orm")]
pub struct AccountId(i64);

/// Text with a meaning.
#[derive(Debug, Clone, PartialEq, FieldType)]
pub struct Email {
    text: String,
}

/// Everything under another name.
#[derive(Debug, Clone, Model)]
#[ommi(crate = "renamed::orm", table = "select", unique(r#type, email), index(email))]
pub struct Account {
    /// Generated.
    #[ommi(auto)]
    pub id: AccountId,
    /// A raw identifier, stored under a keyword.
    pub r#type: String,
    /// A newtype.
    #[ommi(column = "from")]
    pub email: Email,
    /// A default of another literal type.
    #[ommi(default = -1)]
    pub(crate) balance: i16,
    /// A default by its type.
    #[ommi(default)]
    pub active: bool,
    /// A version of its own type, stored under a keyword.
    #[ommi(version, column = "where")]
    pub revision: AccountId,
    #[ommi(default = "none")]
    note: Option<String>,
}

/// Fields whose names are those of functions: the columns stand elsewhere.
#[derive(Debug, Default, Model)]
#[ommi(columns = PartColumns, index(parent_whole, parent_new))]
#[ommi(references((parent_whole, parent_new) = (Self::whole, Part::new), on_delete = "set null"))]
pub struct Part {
    /// The first half of the key.
    #[ommi(key)]
    pub whole: i64,
    /// The second half, which is made; and no function of this name is lost.
    #[ommi(key, auto = "uuid_v4")]
    pub new: Uuid,
    /// Hides no `Default`.
    pub default: Option<i64>,
    /// A reference of two columns.
    pub parent_whole: Option<i64>,
    /// The other.
    pub parent_new: Option<Uuid>,
    /// A reference that the database does not enforce.
    #[ommi(references = Account::id, constraint = false)]
    pub owner: Option<AccountId>,
    /// No column.
    #[ommi(skip)]
    pub cache: Vec<u8>,
}

mod private {
    use ommi::prelude::*;

    // Nothing of this is used but the type: that is nobody's fault.
    #[derive(Debug, Model)]
    struct Unused {
        #[ommi(key)]
        is_key: u8,
        #[ommi(references = Unused::is_key, on_delete = "cascade", on_update = "no action")]
        parent: Option<u8>,
    }

    pub(crate) fn schema() -> ommi::schema::SchemaRef {
        <Unused as Model>::schema()
    }
}

mod other {
    use ommi::prelude::*;

    #[derive(Debug, Model)]
    pub(crate) struct Tag {
        pub(crate) id: i64,
    }
}

impl Part {
    fn whole(&self) -> i64 {
        self.whole
    }
}

fn main() {
    let r#type = "admin";
    let email = Email { text: "ann@x.org".to_owned() };
    let row = new!(Account { r#type, email: email.clone(), balance: 3 });
    assert!(row.r#type.is_set() && !row.note.is_set());
    assert_eq!(row.balance.get(), Some(&3));
    assert!(!format!("{row:?}").contains("ann@x.org"));

    let at_run_time = AccountDraft::new().r#type(r#type).email(email).note("a note");
    assert_eq!(at_run_time.note.get(), Some(&Some("a note".to_owned())));
    // A method of a column hides the function of the same name.
    let part = <PartDraft as Default>::default().new(Uuid::nil()).default(3);
    assert_eq!(part.default.get(), Some(&Some(3)));
    assert_eq!(new!(other::Tag { id: 1 }).id.get(), Some(&1));

    let account = Account::schema();
    account.usable().expect("a usable schema");
    let names: Vec<&str> = account.names(account.all_columns()).collect();
    assert_eq!(names, ["id", "type", "from", "balance", "active", "where", "note"]);
    assert_eq!(account.version, Some(5));
    assert!(!new!(Account { r#type, email: Email { text: String::new() }, balance: 3 }).revision.is_set());
    assert_eq!((&*account.table, account.generated_column()), ("select", Some(0)));
    assert_eq!((account.uniques.len(), account.indexes.len()), (1, 1));

    let part = Part::schema();
    part.usable().expect("a usable schema");
    assert_eq!((&*part.table, part.key.as_slice()), ("parts", [0, 1].as_slice()));
    let [single, composite] = part.references.as_slice() else { panic!("two references") };
    assert!(!single.enforced && single.target.resolve(&part) == account);
    assert_eq!(
        (composite.columns.as_slice(), composite.target_columns.as_slice()),
        ([3, 4].as_slice(), [0, 1].as_slice())
    );
    assert!(composite.target.resolve(&part) == part);

    let _: (Column<Part, Uuid>, fn() -> Part) = (PartColumns::new, Part::default);
    assert_eq!(Part { whole: 3, ..Part::default() }.whole(), 3);
    assert_eq!(private::schema().references.len(), 1);
}
