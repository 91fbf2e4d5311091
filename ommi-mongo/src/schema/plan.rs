//! What a collection lacks for its model, and where the two contradict each other.

use mongodb::bson::{Bson, Document, doc};
use ommi_core::schema::SchemaRef;

use super::indexes::{WantedIndex, same_key, wanted};
use super::{Collection, REFUSED, STRICT, default_of, validator};
use crate::names::ID;
use crate::references;
use crate::value::{TOO_FINE, rounded_down};

/// What has to happen for a model.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In their order.
    pub(super) steps: Vec<Step>,
    /// What cannot be helped.
    pub(super) misfits: Vec<String>,
    /// Whether there is no collection yet.
    pub(super) is_new: bool,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Make the collection, with its validator.
    Create,
    /// Give a field a value where it has none.
    Fill { field: String, value: Bson, nullable: bool },
    /// Give the collection these rules.
    Validate(Document),
    /// Note the defaults of new columns.
    Defaults(Document),
    /// Note references that are new, or say something else of `on_delete`.
    References(Document),
    /// Make an index.
    Index(WantedIndex),
}

/// Compares a model with its collection, if there is one.
pub(super) fn plan(schema: &SchemaRef, collection: Option<&Collection>) -> Plan {
    let mut plan = Plan { is_new: collection.is_none(), ..Plan::default() };
    for (index, column) in (0u16..).zip(&schema.columns) {
        if column.name == ID && schema.key != [index] {
            plan.misfit(schema, &column.name, "cannot be stored beside the key, which has this name");
        }
        if column.default.as_ref().is_some_and(|default| rounded_down(default).is_some()) {
            plan.misfit(schema, &column.name, &format!("has a default that cannot be stored: {TOO_FINE}"));
        }
    }
    match collection {
        None => {
            plan.steps.push(Step::Create);
            plan.defaults(schema, &Document::new());
            plan.references(schema, &Document::new());
            plan.steps.extend(wanted(schema).into_iter().map(Step::Index));
        }
        Some(collection) if collection.kind != "collection" => {
            plan.misfits.push(format!("`{}` is a {}, not a collection", schema.table, collection.kind));
        }
        Some(collection) => {
            if collection.options.contains_key("collation") {
                plan.misfits
                    .push(format!("collection `{}` has a collation, and text is compared by its bytes", schema.table));
            }
            if collection.options.get_bool("capped").unwrap_or(false) {
                plan.misfits.push(format!("collection `{}` is capped: it forgets its first documents", schema.table));
            }
            plan.rules(schema, collection);
            plan.defaults(schema, &collection.defaults);
            plan.references(schema, &collection.references);
            plan.indexes(schema, collection);
        }
    }
    plan
}

impl Plan {
    fn misfit(&mut self, schema: &SchemaRef, column: &str, what: &str) {
        self.misfits.push(format!("column `{column}` of collection `{}` {what}", schema.table));
    }

    /// The unique indexes that are to be made.
    pub(super) fn unique_indexes(&self) -> impl Iterator<Item = &WantedIndex> {
        self.steps.iter().filter_map(|step| match step {
            Step::Index(index) if index.unique => Some(index),
            _ => None,
        })
    }

    /// The first model that names a default decides it, as on every other store.
    fn defaults(&mut self, schema: &SchemaRef, there: &Document) {
        let mut added = Document::new();
        for (index, column) in (0u16..).zip(&schema.columns) {
            if schema.key.contains(&index) || there.contains_key(&*column.name) {
                continue;
            }
            // What cannot be stored has been reported.
            if let Ok(Some(value)) = default_of(schema, index) {
                added.insert(column.name.to_string(), value);
            }
        }
        if !added.is_empty() {
            self.steps.push(Step::Defaults(added));
        }
    }

    /// Of one reference, what the last model says holds: nothing is stored that would contradict it.
    fn references(&mut self, schema: &SchemaRef, there: &Document) {
        match references::notes(schema) {
            Ok(notes) => {
                let added: Document = notes.into_iter().filter(|(name, note)| there.get(name) != Some(note)).collect();
                if !added.is_empty() {
                    self.steps.push(Step::References(added));
                }
            }
            Err(error) => self.misfits.push(format!("a reference of `{}`: {error}", schema.table)),
        }
    }

    /// A collection without rules is left so: somebody else made it.
    fn rules(&mut self, schema: &SchemaRef, collection: &Collection) {
        let Ok(there) = collection.options.get_document("validator").and_then(|v| v.get_document("$jsonSchema")) else {
            return;
        };
        // Rules that warn, or look at some documents only, hold nobody up.
        let says = |option: &str, wanted: &str| collection.options.get_str(option).unwrap_or(wanted) == wanted;
        let is_lax = !(says("validationLevel", STRICT) && says("validationAction", REFUSED));
        if validator::same_rule(there, &validator::schema(schema)) {
            if is_lax {
                self.steps.push(Step::Validate(there.clone()));
            }
            return;
        }
        let no_rules = Document::new();
        let properties = there.get_document("properties").unwrap_or(&no_rules);
        let required: Vec<&str> = match there.get_array("required") {
            Ok(names) => names.iter().filter_map(Bson::as_str).collect(),
            Err(_) => Vec::new(),
        };
        match properties.get_document(ID) {
            Ok(rule) if validator::same_rule(rule, &validator::id(schema)) => {}
            Ok(_) => {
                let key = schema.names(&schema.key).collect::<Vec<_>>().join("`, `");
                self.misfits.push(format!("the key `{key}` of collection `{}` has another type", schema.table));
            }
            Err(_) => {}
        }
        let mut union = there.clone();
        let mut added = doc! {};
        let mut names: Vec<String> = Vec::new();
        for (index, column) in (0u16..).zip(&schema.columns) {
            if schema.key.contains(&index) {
                continue;
            }
            let name = &*column.name;
            let wanted = validator::property(column);
            match properties.get_document(name) {
                Ok(rule) if validator::same_rule(rule, &wanted) => {
                    if !column.nullable && !required.contains(&name) {
                        self.misfit(schema, name, "may be missing, and the field may not");
                    }
                }
                Ok(rule) => {
                    let found = rule.get("bsonType").map(list).unwrap_or_default();
                    let expected = wanted.get("bsonType").map(list).unwrap_or_default();
                    let what = match found == expected {
                        true => "takes another range of numbers than the field".to_owned(),
                        false => format!("holds {found}, and a field of type {} needs {expected}", column.ty),
                    };
                    self.misfit(schema, name, &what);
                }
                Err(_) => {
                    added.insert(name, wanted);
                    if !column.nullable {
                        names.push(name.to_owned());
                    }
                    match default_of(schema, index) {
                        _ if collection.is_empty => {}
                        Ok(Some(value)) => {
                            self.steps.push(Step::Fill { field: name.to_owned(), value, nullable: column.nullable });
                        }
                        Ok(None) if column.nullable => {}
                        Ok(None) => self.misfit(schema, name, "is missing, and is neither optional nor has a default"),
                        Err(error) => self.misfit(schema, name, &error.to_string()),
                    }
                }
            }
        }
        for name in required.iter().filter(|name| **name != ID) {
            let known = validator::columns(schema).any(|column| *column.name == **name);
            if !known && !collection.defaults.contains_key(name) {
                self.misfit(schema, name, "is required, has no default, and the model does not have it");
            }
        }
        if added.is_empty() && !is_lax {
            return;
        }
        let mut all = properties.clone();
        all.extend(added);
        union.insert("properties", all);
        let required: Vec<String> = required.into_iter().map(str::to_owned).chain(names).collect();
        union.insert("required", required);
        self.steps.push(Step::Validate(union));
    }

    fn indexes(&mut self, schema: &SchemaRef, collection: &Collection) {
        let all = wanted(schema);
        let fits = |index: &WantedIndex, there: &Document| {
            let fields = there.get_document("key").cloned().unwrap_or_default();
            same_key(&fields, &index.key(schema))
        };
        // Such a one is in nobody's way: two indexes may be on the same fields, one of which leaves documents out.
        let is_anothers = |index: &WantedIndex, there: &Document| {
            all.iter().any(|other| other != index && fits(other, there) && other.differs(there).is_none())
        };
        for index in &all {
            let there = collection.indexes.iter();
            let same_fields = there.clone().filter(|there| fits(index, there) && !is_anothers(index, there));
            let columns = schema.names(&index.columns).collect::<Vec<_>>().join("`, `");
            // Several indexes may be on the same fields: one of them must serve.
            let mut difference = None;
            let mut serves = false;
            for candidate in same_fields {
                match index.differs(candidate) {
                    None => serves = true,
                    other => difference = difference.or(other),
                }
            }
            if serves {
                continue;
            }
            if let Some(difference) = difference {
                self.misfits.push(format!("the index on `{columns}` of collection `{}` {difference}", schema.table));
                continue;
            }
            let named = |name: &str| there.clone().find(|there| there.get_str("name").is_ok_and(|other| other == name));
            let mut index = index.clone();
            // The name may be that of an index which was made when the model did not want this one.
            while named(&index.name).is_some_and(|there| is_anothers(&index, there)) {
                index.name.push('_');
                while all.iter().any(|other| other.name == index.name) {
                    index.name.push('_');
                }
            }
            if named(&index.name).is_some() {
                self.misfits
                    .push(format!("the index `{}` of collection `{}` is on other fields", index.name, schema.table));
                continue;
            }
            self.steps.push(Step::Index(index));
        }
    }
}

/// The types that a rule lists.
fn list(types: &Bson) -> String {
    match types {
        Bson::String(name) => name.clone(),
        Bson::Array(names) => {
            let mut names: Vec<&str> = names.iter().filter_map(Bson::as_str).collect();
            names.sort_unstable_by_key(|name| (*name == "null", *name));
            names.join(" or ")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ommi_core::schema::{ColumnBuilder, ModelBuilder, ModelSchema};
    use ommi_core::value::{ColumnType, Moment, Value};

    use super::*;

    fn model() -> ModelBuilder {
        ModelSchema::builder("T", "t").column(ColumnBuilder::new("id", ColumnType::I64).key())
    }

    fn misfits(model: ModelBuilder, collection: Option<&Collection>) -> String {
        plan(&SchemaRef::from(Arc::new(model.build().unwrap())), collection).misfits.join("; ")
    }

    #[test]
    fn what_no_document_can_hold_is_a_misfit_of_a_new_collection_too() {
        assert_eq!(misfits(model(), None), "");
        let beside_the_key = misfits(model().column(ColumnBuilder::new(ID, ColumnType::I64)), None);
        assert!(beside_the_key.contains("beside the key"), "{beside_the_key}");
        let builder = ModelSchema::builder("T", "t");
        assert_eq!(misfits(builder.column(ColumnBuilder::new(ID, ColumnType::I64).key()), None), "");
        // Of one key in several parts, each lies below `_id`.
        let parts = ["a", ID].map(|name| ColumnBuilder::new(name, ColumnType::I64).key());
        let [a, id] = parts;
        let composite = misfits(ModelSchema::builder("T", "t").column(a).column(id), None);
        assert!(composite.contains("beside the key"), "{composite}");
        let at = |nanos| {
            let default = Value::Timestamp(Moment::new(0, nanos).unwrap());
            let mut schema = model().column(ColumnBuilder::new("at", ColumnType::Timestamp)).build().unwrap();
            schema.columns[1].default = Some(default);
            plan(&SchemaRef::from(Arc::new(schema)), None).misfits.join("; ")
        };
        assert_eq!(at(1_000_000), "");
        assert!(at(1).contains("default that cannot be stored"), "{}", at(1));
    }

    /// A collection with the model's rules, and these options beside them.
    fn with_rules(schema: &SchemaRef, options: Document) -> Collection {
        let mut all = doc! { "validator": { "$jsonSchema": validator::schema(schema) } };
        all.extend(options);
        Collection { kind: "collection".to_owned(), options: all, ..Collection::default() }
    }

    #[test]
    fn rules_that_hold_nobody_up_are_made_strict() {
        let schema = SchemaRef::from(Arc::new(model().build().unwrap()));
        let wider = model().column(ColumnBuilder::new("note", ColumnType::Text).nullable()).build().unwrap();
        let wider = SchemaRef::from(Arc::new(wider));
        for (options, is_strict) in [
            (doc! {}, true),
            (doc! { "validationLevel": "strict", "validationAction": "error" }, true),
            (doc! { "validationLevel": "moderate" }, false),
            (doc! { "validationLevel": "off" }, false),
            (doc! { "validationLevel": "strict", "validationAction": "warn" }, false),
        ] {
            let same = plan(&schema, Some(&with_rules(&schema, options.clone())));
            let more = plan(&schema, Some(&with_rules(&wider, options.clone())));
            for (plan, rules) in [(same, validator::schema(&schema)), (more, validator::schema(&wider))] {
                assert_eq!(plan.misfits, Vec::<String>::new());
                match &plan.steps[..] {
                    [] => assert!(is_strict, "{options}"),
                    [Step::Validate(kept)] => assert!(!is_strict && validator::same_rule(kept, &rules), "{options}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn an_index_for_null_is_made_beside_one_that_leaves_it_out() {
        let with = |nick: ColumnBuilder| SchemaRef::from(Arc::new(model().column(nick).build().unwrap()));
        let nick = || ColumnBuilder::new("nick", ColumnType::Text).nullable();
        let both = with(nick().unique().index());
        let of = |schema: &SchemaRef| -> Vec<Document> {
            wanted(schema).iter().map(|index| index.specification(schema)).collect()
        };
        // What is to be made where there are these.
        let made = |indexes: Vec<Document>| -> Vec<Document> {
            let collection = Collection { indexes, ..with_rules(&both, doc! {}) };
            let plan = plan(&both, Some(&collection));
            assert_eq!(plan.misfits, Vec::<String>::new());
            let index = |step: &Step| match step {
                Step::Index(index) => index.specification(&both),
                other => panic!("{other:?}"),
            };
            plan.steps.iter().map(index).collect()
        };
        let [unique, plain] = &of(&both)[..] else { panic!("two indexes") };
        assert_eq!(made(vec![unique.clone(), plain.clone()]), [] as [Document; 0]);
        assert_eq!(made(of(&with(nick().unique()))), std::slice::from_ref(plain));
        // The plain one has the name, from when the column was not unique yet.
        let mut renamed = unique.clone();
        renamed.insert("name", "ommi_t_nick__");
        assert_eq!(made(of(&with(nick().index()))), [renamed]);
        // One that serves neither is still in the way.
        let mut sparse = plain.clone();
        sparse.insert("sparse", true);
        let collection = Collection { indexes: vec![sparse], ..with_rules(&both, doc! {}) };
        assert_eq!(plan(&both, Some(&collection)).misfits.len(), 2);
    }

    #[test]
    fn a_collection_that_works_otherwise_is_a_misfit() {
        let there = |kind: &str, options: Document| {
            let collection = Collection { kind: kind.to_owned(), options, ..Collection::default() };
            misfits(model(), Some(&collection))
        };
        assert_eq!(there("collection", doc! { "capped": false }), "");
        for (kind, options, what) in [
            ("view", doc! {}, "is a view"),
            ("timeseries", doc! {}, "is a timeseries"),
            ("collection", doc! { "collation": { "locale": "en" } }, "has a collation"),
            ("collection", doc! { "capped": true }, "is capped"),
        ] {
            let misfits = there(kind, options);
            assert!(misfits.contains(what), "{misfits}");
        }
    }
}
