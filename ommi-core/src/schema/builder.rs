//! Building a schema, and the checks that every schema passes.

use super::version::FIRST_VERSION;
use super::{Auto, ColumnSchema, IndexSchema, ModelSchema, Name, ReferenceSchema};
use crate::driver::DatePrecision;
use crate::error::DBError;
use crate::value::{ColumnType, FieldType, InvalidValue, Value};

/// Builds a [`ModelSchema`].
///
/// ```
/// use ommi_core::schema::{ColumnBuilder, ModelSchema};
/// use ommi_core::value::ColumnType;
///
/// let schema = ModelSchema::builder("User", "users")
///     .column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment())
///     .column(ColumnBuilder::new("email", ColumnType::Text).unique())
///     .column(ColumnBuilder::new("birthday", ColumnType::Date).stored_as("born").nullable())
///     .build()?;
/// assert_eq!(schema.column_index("birthday"), Some(2));
/// # Ok::<(), ommi_core::DBError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct ModelBuilder {
    schema: ModelSchema,
    error: Option<DBError>,
}

/// Describes one column.
#[derive(Debug)]
#[must_use]
pub struct ColumnBuilder {
    column: ColumnSchema,
    key: bool,
    unique: bool,
    index: bool,
    version: bool,
    invalid: Option<InvalidValue>,
}

impl ColumnBuilder {
    /// A required column that is stored under its own name.
    pub fn new(field: impl Into<Name>, ty: ColumnType) -> ColumnBuilder {
        let field = field.into();
        let column = ColumnSchema {
            name: field.clone(),
            field,
            ty,
            nullable: false,
            auto: None,
            default: None,
            precision: None,
            truncate: false,
        };
        ColumnBuilder { column, key: false, unique: false, index: false, version: false, invalid: None }
    }

    /// The column of a field of type `T`.
    pub fn of<T: FieldType>(field: impl Into<Name>) -> ColumnBuilder {
        let mut this = ColumnBuilder::new(field, T::TYPE);
        this.column.nullable = T::NULLABLE;
        this
    }

    /// Stores the column under another name.
    pub fn stored_as(mut self, name: impl Into<Name>) -> ColumnBuilder {
        self.column.name = name.into();
        self
    }

    /// Takes NULL.
    pub fn nullable(mut self) -> ColumnBuilder {
        self.column.nullable = true;
        self
    }

    /// Makes the column the key, or a part of it.
    pub fn key(mut self) -> ColumnBuilder {
        self.key = true;
        self
    }

    /// Lets the database count.
    pub fn auto_increment(self) -> ColumnBuilder {
        self.auto(Auto::Increment)
    }

    /// Says who makes the value of a new row that names none.
    pub fn auto(mut self, auto: Auto) -> ColumnBuilder {
        self.column.auto = Some(auto);
        self
    }

    /// No two rows have the same value.
    pub fn unique(mut self) -> ColumnBuilder {
        self.unique = true;
        self
    }

    /// Indexes the column.
    pub fn index(mut self) -> ColumnBuilder {
        self.index = true;
        self
    }

    /// Makes the column the model's version: a new row has 1 there, every write to a row raises it by one, and a write of a row that was
    /// changed since it was read is a [`Conflict`](crate::ErrorKind::Conflict) that changes nothing. One integer column of a model may be it,
    /// which is required, no part of the key or of a reference, and not unique.
    pub fn version(mut self) -> ColumnBuilder {
        self.version = true;
        self.column.default = Some(Value::Int(FIRST_VERSION));
        self
    }

    /// How finely the column keeps times. What is finer is refused, unless it is [truncated](ColumnBuilder::truncated).
    pub fn precision(mut self, precision: DatePrecision) -> ColumnBuilder {
        self.column.precision = Some(precision);
        self
    }

    /// Cuts off what is finer than the precision, towards the past.
    pub fn truncated(mut self) -> ColumnBuilder {
        self.column.truncate = true;
        self
    }

    /// The value of a new row that names none.
    pub fn default_value(mut self, value: impl FieldType) -> ColumnBuilder {
        match value.into_value().and_then(|value| value.check().map(|()| value)) {
            Ok(value) => self.column.default = Some(value),
            Err(invalid) => self.invalid = Some(invalid),
        }
        self
    }
}

impl ModelBuilder {
    pub(super) fn new(name: Name, table: Name) -> ModelBuilder {
        let schema = ModelSchema {
            name,
            schema: None,
            table,
            columns: Vec::new(),
            key: Vec::new(),
            uniques: Vec::new(),
            indexes: Vec::new(),
            references: Vec::new(),
            version: None,
            problem: None,
            all: Box::default(),
            without_generated: Box::default(),
            generated: Box::default(),
        };
        ModelBuilder { schema, error: None }
    }

    /// Puts the table into a schema of the database.
    pub fn in_schema(mut self, schema: impl Into<Name>) -> ModelBuilder {
        self.schema.schema = Some(schema.into());
        self
    }

    /// Adds a column.
    pub fn column(mut self, column: ColumnBuilder) -> ModelBuilder {
        let Ok(index) = u16::try_from(self.schema.columns.len()) else {
            self.fail("it has more than 65 535 columns".to_owned());
            return self;
        };
        if let Some(invalid) = column.invalid {
            self.fail(format!("the default of `{}` is not valid: {invalid}", column.column.field));
        }
        if column.key {
            self.schema.key.push(index);
        }
        if column.unique {
            self.schema.uniques.push(IndexSchema::new(vec![index]));
        }
        if column.index {
            self.schema.indexes.push(IndexSchema::new(vec![index]));
        }
        if column.version && self.schema.version.replace(index).is_some() {
            self.fail(format!("`{}` is a second version, and a model has one at most", column.column.field));
        }
        self.schema.columns.push(column.column);
        self
    }

    /// Makes a set of columns unique.
    pub fn unique(mut self, columns: &[u16]) -> ModelBuilder {
        self.schema.uniques.push(IndexSchema::new(columns.to_vec()));
        self
    }

    /// Indexes a set of columns.
    pub fn index(mut self, columns: &[u16]) -> ModelBuilder {
        self.schema.indexes.push(IndexSchema::new(columns.to_vec()));
        self
    }

    /// Adds a reference.
    pub fn reference(mut self, reference: ReferenceSchema) -> ModelBuilder {
        self.schema.references.push(reference);
        self
    }

    /// Checks and finishes the schema.
    ///
    /// # Errors
    /// [`ErrorKind::Schema`](crate::ErrorKind::Schema) that says what is wrong: no key, a name that cannot be stored everywhere,
    /// two stored names that differ only in case, an automatic value or a default that does not fit its column, a version that cannot be one.
    pub fn build(self) -> Result<ModelSchema, DBError> {
        let schema = self.finish();
        schema.usable().map(|()| schema)
    }

    /// Finishes the schema also when something is wrong with it; every operation then gives that error.
    /// For schemas that are made where no error can be returned, as the derive's are.
    pub fn finish(mut self) -> ModelSchema {
        self.check();
        let schema = &mut self.schema;
        schema.problem = self.error;
        let count = schema.columns.len() as u16;
        schema.all = (0..count).collect();
        let is_generated = |index: u16| schema.column(index).is_some_and(|c| c.auto == Some(Auto::Increment));
        let (generated, others): (Vec<u16>, Vec<u16>) = (0..count).partition(|&index| is_generated(index));
        schema.generated = generated.into();
        schema.without_generated = others.into();
        self.schema
    }

    fn fail(&mut self, problem: String) {
        let mismatch = format!("model {}: {problem}", self.schema.name);
        self.error.get_or_insert_with(|| DBError::schema(vec![mismatch]));
    }

    fn check(&mut self) {
        let schema = &self.schema;
        let mut problems: Vec<String> = schema.unfit_version().into_iter().collect();
        if let Some(problem) = bad_name(&schema.table) {
            problems.push(format!("table name `{}` {problem}", schema.table));
        }
        if let Some(name) = &schema.schema
            && let Some(problem) = bad_name(name)
        {
            problems.push(format!("schema name `{name}` {problem}"));
        }
        if schema.key.is_empty() {
            problems.push("it has no key".to_owned());
        }
        for (i, column) in schema.columns.iter().enumerate() {
            let field = &column.field;
            if let Some(problem) = bad_name(&column.name) {
                problems.push(format!("column name `{}` {problem}", column.name));
            }
            if let Some(other) = schema.columns.iter().take(i).find(|o| o.name.eq_ignore_ascii_case(&column.name)) {
                problems.push(format!("`{}` and `{field}` are stored under one name, `{}`", other.field, column.name));
            }
            if column
                .default
                .as_ref()
                .is_some_and(|value| !column.ty.accepts(value) || (value.is_null() && !column.nullable))
            {
                problems.push(format!("the default of `{field}` does not fit a column of type {}", column.ty));
            }
            if column.precision.is_some() && !column.ty.has_time() {
                problems.push(format!("`{field}` has a precision, which only times have"));
            }
            if column.truncate && column.precision.is_none() {
                problems.push(format!("`{field}` truncates and does not say to which precision"));
            }
            if let Some(Err(problem)) = column.default.clone().map(|default| column.keep(default)) {
                problems.push(format!("the default of `{field}` is not valid: {problem}"));
            }
            let is_key = schema.key.contains(&(i as u16));
            if is_key && column.nullable {
                problems.push(format!("`{field}` is part of the key and cannot be optional"));
            }
            match column.auto {
                Some(Auto::Increment) if column.ty.integer_range().is_none() || schema.key != [i as u16] => {
                    problems
                        .push(format!("`{field}` cannot count by itself: only an integer that is the whole key can"));
                }
                Some(Auto::UuidV4 | Auto::UuidV7) if column.ty != ColumnType::Uuid => {
                    problems.push(format!("`{field}` is no UUID and cannot be made as one"));
                }
                Some(Auto::ObjectId) if column.ty != ColumnType::ObjectId => {
                    problems.push(format!("`{field}` is no ObjectId and cannot be made as one"));
                }
                _ => {}
            }
            if column.auto.is_some() && column.default.is_some() {
                problems.push(format!("`{field}` has both a default and an automatic value"));
            }
        }
        let within = |columns: &[u16]| !columns.is_empty() && columns.iter().all(|&c| schema.column(c).is_some());
        if !schema.uniques.iter().chain(&schema.indexes).all(|index| within(&index.columns)) {
            problems.push("an index names no column, or one that does not exist".to_owned());
        }
        for reference in &schema.references {
            if !within(&reference.columns) || reference.columns.len() != reference.target_columns.len() {
                problems.push("a reference names another number of columns than its target, or none".to_owned());
            }
        }
        for problem in problems {
            self.fail(problem);
        }
    }
}

/// What no store can address: see MongoDB's "Naming Restrictions" for dots, dollars and NUL.
fn bad_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.contains('\0') {
        Some("contains a NUL character")
    } else if name.starts_with('$') {
        Some("begins with a dollar sign")
    } else if name.contains('.') {
        Some("contains a dot")
    } else {
        None
    }
}

impl ColumnSchema {
    /// Whether a new row may leave the column out.
    pub fn is_optional_in_new_rows(&self) -> bool {
        self.nullable || self.auto.is_some() || self.default.is_some()
    }

    /// The value of a new row that names none, where the client makes it: the default, NULL, or a new
    /// UUID. `None` for required columns and for those that the database generates.
    pub(crate) fn value_for_new_row(&self) -> Option<Value<'static>> {
        match self.auto {
            Some(Auto::Increment) => None,
            #[cfg(feature = "uuid")]
            Some(Auto::UuidV4) => Some(Value::Uuid(uuid::Uuid::new_v4().into_bytes())),
            #[cfg(feature = "uuid")]
            Some(Auto::UuidV7) => Some(Value::Uuid(uuid::Uuid::now_v7().into_bytes())),
            #[cfg(not(feature = "uuid"))]
            Some(Auto::UuidV4 | Auto::UuidV7) => None,
            #[cfg(feature = "bson")]
            Some(Auto::ObjectId) => Some(Value::ObjectId(bson::oid::ObjectId::new().bytes())),
            #[cfg(not(feature = "bson"))]
            Some(Auto::ObjectId) => None,
            None => self.default.clone().or_else(|| self.nullable.then_some(Value::Null)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(builder: ModelBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    fn id() -> ColumnBuilder {
        ColumnBuilder::new("id", ColumnType::I64).key()
    }

    #[test]
    fn what_cannot_be_stored_is_named() {
        let model = || ModelSchema::builder("User", "users");
        let text = |name: &'static str| ColumnBuilder::new(name, ColumnType::Text);
        for (builder, expected) in [
            (model(), "no key"),
            (model().column(id()).column(text("a.b")), "contains a dot"),
            (model().column(id()).column(text("$a")), "dollar"),
            (model().column(id()).column(text("a\0")), "NUL"),
            (
                model().column(id()).column(text("Name")).column(text("name")),
                "`Name` and `name` are stored under one name",
            ),
            (ModelSchema::builder("User", "").column(id()), "is empty"),
            (model().in_schema("a.b").column(id()), "schema name `a.b` contains a dot"),
            (model().column(id().nullable()), "cannot be optional"),
            (model().column(text("id").key().auto_increment()), "cannot count"),
            (model().column(id()).column(text("x").auto(Auto::UuidV7)), "no UUID"),
            (model().column(id()).column(text("x").default_value(3i64)), "default of `x` does not fit"),
            (model().column(id()).column(text("x").default_value(f64::NAN)), "default of `x` is not valid: NaN"),
            (model().column(id()).unique(&[7]), "does not exist"),
            (model().column(id()).index(&[]), "names no column"),
        ] {
            let text = problem(builder);
            assert!(text.contains(expected) && text.contains("User"), "{text}");
        }
    }

    #[test]
    fn the_lists_of_columns_leave_out_what_is_generated() {
        let schema = ModelSchema::builder("User", "users")
            .column(ColumnBuilder::of::<String>("name"))
            .column(id().auto_increment())
            .build()
            .unwrap();
        assert_eq!(*schema.all_columns(), [0, 1]);
        assert_eq!(*schema.columns_without_generated(), [0]);
        assert!(schema.is_unique(&[1]) && !schema.is_unique(&[0]));
    }
}
