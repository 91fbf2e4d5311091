//! The order in which tables can be made.

use super::SchemaRef;

/// The schemas, each after those it refers to as far as circles allow, without repetition.
pub fn creation_order(schemas: &[SchemaRef]) -> Vec<SchemaRef> {
    let mut order = Vec::with_capacity(schemas.len());
    let mut visited = Vec::new();
    for schema in schemas {
        visit(schema, schemas, &mut visited, &mut order);
    }
    order
}

fn visit(schema: &SchemaRef, all: &[SchemaRef], visited: &mut Vec<SchemaRef>, order: &mut Vec<SchemaRef>) {
    if visited.contains(schema) {
        return;
    }
    visited.push(schema.clone());
    for reference in &schema.references {
        let target = reference.target.resolve(schema);
        if all.contains(&target) {
            visit(&target, all, visited, order);
        }
    }
    order.push(schema.clone());
}

/// Says of each reference whose target columns are no key or unique set, or of another type, what is wrong with it.
pub fn missing_targets(schemas: &[SchemaRef]) -> Vec<String> {
    let mut problems = Vec::new();
    for schema in schemas {
        for reference in &schema.references {
            let target = reference.target.resolve(schema);
            let columns = || schema.names(&reference.columns).collect::<Vec<_>>().join(", ");
            let targets = || target.names(&reference.target_columns).collect::<Vec<_>>().join(", ");
            if !target.is_unique(&reference.target_columns) {
                problems.push(format!(
                    "{}.{} refers to {}.{}, which is neither the key nor unique",
                    schema.qualified_table(),
                    columns(),
                    target.qualified_table(),
                    targets()
                ));
            }
            let types = |schema: &SchemaRef, columns: &[u16]| -> Vec<_> {
                columns.iter().map(|&c| schema.column(c).map(|c| c.ty)).collect()
            };
            if types(schema, &reference.columns) != types(&target, &reference.target_columns) {
                problems.push(format!(
                    "{}.{} refers to {}.{}, which is of another type",
                    schema.qualified_table(),
                    columns(),
                    target.qualified_table(),
                    targets()
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::{ColumnBuilder, ModelSchema, ReferenceSchema, Target};
    use crate::value::ColumnType;

    fn model(name: &'static str, targets: &[&Arc<ModelSchema>]) -> Arc<ModelSchema> {
        let mut builder = ModelSchema::builder(name, name).column(ColumnBuilder::new("id", ColumnType::I64).key());
        for target in targets {
            builder = builder.reference(ReferenceSchema::new(vec![0], Target::Schema((*target).clone()), vec![0]));
        }
        Arc::new(builder.build().unwrap())
    }

    #[test]
    fn what_is_referred_to_comes_first_and_only_once() {
        let a = model("a", &[]);
        let b = model("b", &[&a]);
        let c = model("c", &[&b, &a]);
        let refs: Vec<SchemaRef> = [&c, &b, &a, &b].into_iter().cloned().map(SchemaRef::from).collect();
        let names: Vec<_> = creation_order(&refs).iter().map(|s| s.name.to_string()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_reference_must_lead_to_something_unique_of_its_own_type() {
        let target = ModelSchema::builder("t", "t")
            .column(ColumnBuilder::new("id", ColumnType::Text).key())
            .column(ColumnBuilder::new("other", ColumnType::I64))
            .build()
            .unwrap();
        let target = Arc::new(target);
        let make = |column| {
            let schema = ModelSchema::builder("s", "s")
                .column(ColumnBuilder::new("id", ColumnType::I64).key())
                .reference(ReferenceSchema::new(vec![0], Target::Schema(target.clone()), vec![column]))
                .build()
                .unwrap();
            missing_targets(&[SchemaRef::from(Arc::new(schema))])
        };
        assert_eq!(make(0), ["s.id refers to t.id, which is of another type"]);
        assert_eq!(make(1), ["s.id refers to t.other, which is neither the key nor unique"]);
    }
}
