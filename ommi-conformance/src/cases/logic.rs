//! `&`, `|`, `!`, and conditions that are put together at run time.

use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Product {
    id: i64,
    category: String,
    price: i64,
    in_stock: Option<bool>,
}

async fn products(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Product>().await?;
    let rows = [
        (1, "tools", 10, Some(true)),
        (2, "tools", 30, Some(false)),
        (3, "books", 20, Some(true)),
        (4, "books", 40, None),
        (5, "food", 5, Some(true)),
        (6, "food", 50, None),
    ];
    let rows =
        rows.map(|(id, category, price, in_stock)| Product { id, category: category.to_owned(), price, in_stock });
    db.add_all(rows).await?;
    Ok(())
}

async fn ids(find: ommi::Find<'_, Product>) -> DBResult<Vec<i64>> {
    Ok(find.sort(Product::id).all().await?.iter().map(|row| row.id).collect())
}

fn is(category: &str) -> Predicate<Product> {
    Product::category.eq(category)
}

/// Parentheses stay where they were written.
pub(crate) async fn precedence_is_as_written(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let cheap = || Product::price.lt(25);
    let stocked = || Product::in_stock.eq(true);
    assert_eq!(ids(db.find((is("tools") | cheap()) & stocked())).await?, [1, 3, 5]);
    assert_eq!(ids(db.find(is("tools") | (cheap() & stocked()))).await?, [1, 2, 3, 5]);
    assert_eq!(ids(db.find(is("tools") | cheap() & stocked())).await?, [1, 2, 3, 5], "& binds closer than |");
    assert_eq!(ids(db.find(!(is("tools") | cheap()))).await?, [4, 6]);
    assert_eq!(ids(db.find(!is("tools") | cheap())).await?, [1, 3, 4, 5, 6], "! binds closest");
    let both = (is("books") & Product::price.gt(25)) | (is("food") & Product::price.lt(60));
    assert_eq!(ids(db.find(both & stocked())).await?, [5]);
    Ok(())
}

pub(crate) async fn unknown_in_and_or_and_not(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let stocked = || Product::in_stock.eq(true);
    assert_eq!(ids(db.find(stocked() | !stocked())).await?, [1, 2, 3, 5], "not the unknown");
    assert_eq!(ids(db.find(stocked() | Product::price.ge(40))).await?, [1, 3, 4, 5, 6], "true wins over unknown in or");
    assert_eq!(
        ids(db.find(!(stocked() & Product::price.ge(40)))).await?,
        [1, 2, 3, 5],
        "unknown and true stays unknown"
    );
    assert_eq!(
        ids(db.find(!(stocked() & Product::price.lt(0)))).await?,
        [1, 2, 3, 4, 5, 6],
        "false wins over unknown in and"
    );
    assert_eq!(ids(db.find(!(stocked() | Product::price.lt(0)))).await?, [2]);
    Ok(())
}

pub(crate) async fn de_morgan_holds(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let a = || Product::in_stock.eq(true);
    let b = || Product::price.gt(15);
    assert_eq!(ids(db.find(!(a() & b()))).await?, ids(db.find(!a() | !b())).await?);
    assert_eq!(ids(db.find(!(a() | b()))).await?, ids(db.find(!a() & !b())).await?);
    assert_eq!(ids(db.find(!!(a() & b()))).await?, ids(db.find(a() & b())).await?);
    Ok(())
}

pub(crate) async fn all_of_none_is_true_and_any_of_none_is_false(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let nothing: [Predicate<Product>; 0] = [];
    assert_eq!(ids(db.find(all_of(nothing.clone()))).await?, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(db.find(any_of(nothing.clone()))).await?, [] as [i64; 0]);
    assert_eq!(ids(db.find(!all_of(nothing.clone()))).await?, [] as [i64; 0]);
    assert_eq!(ids(db.find(!any_of(nothing.clone()))).await?, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(db.find(is("food") & any_of(nothing.clone()))).await?, [] as [i64; 0]);
    assert_eq!(ids(db.find(is("food") | any_of(nothing))).await?, [5, 6]);
    Ok(())
}

pub(crate) async fn all_of_and_any_of_iterators(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    assert_eq!(ids(db.find(any_of(["tools", "food"].map(is)))).await?, [1, 2, 5, 6]);
    assert_eq!(ids(db.find(all_of([is("food"), Product::price.gt(10)]))).await?, [6]);
    let ranges = [(0, 6), (35, 45)];
    let any = any_of(ranges.iter().map(|(low, high)| Product::price.between(*low, *high)));
    assert_eq!(ids(db.find(any & !is("food"))).await?, [4], "or within, and around it");
    Ok(())
}

/// A form whose fields are filled in or not.
pub(crate) async fn optional_conditions(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let search = |category: Option<&str>, least: Option<i64>| {
        all_of([category.map(is), least.map(|least| Product::price.ge(least))])
    };
    assert_eq!(ids(db.find(search(None, None))).await?, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(db.find(search(Some("books"), None))).await?, [3, 4]);
    assert_eq!(ids(db.find(search(None, Some(40)))).await?, [4, 6]);
    assert_eq!(ids(db.find(search(Some("books"), Some(40)))).await?, [4]);
    assert_eq!(ids(db.find(None::<Predicate<Product>>)).await?, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(db.find(Some(is("food")))).await?, [5, 6]);
    Ok(())
}

pub(crate) async fn filter_narrows_what_was_found(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    assert_eq!(ids(db.find(is("tools") | is("books")).filter(Product::price.gt(15))).await?, [2, 3, 4]);
    assert_eq!(ids(db.find_all::<Product>().filter(is("food")).filter(None)).await?, [5, 6]);
    assert_eq!(ids(db.find(is("food")).filter(is("tools") | is("books"))).await?, [] as [i64; 0]);
    Ok(())
}

/// As a program makes it from a list.
pub(crate) async fn two_thousand_alternatives(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let any = any_of((4..2_004).map(|id| Product::id.eq(id)));
    assert_eq!(ids(db.find(any)).await?, [4, 5, 6]);
    let all = all_of((4..2_004).map(|id| Product::id.ne(id)));
    assert_eq!(ids(db.find(all)).await?, [1, 2, 3]);
    Ok(())
}

pub(crate) async fn conditions_nested_deeply(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let mut condition = Product::id.eq(1);
    for n in 0..60 {
        condition = !(condition & Product::price.gt(-1 - n)) | Product::id.eq(n + 100);
    }
    assert_eq!(ids(db.find(condition)).await?, [1], "an even number of contraries");
    Ok(())
}

pub(crate) async fn a_condition_is_used_many_times(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let food = is("food");
    let dear = Product::price.gt(30);
    assert_eq!(ids(db.find(food.clone() & dear.clone())).await?, [6]);
    assert_eq!(ids(db.find(food.clone() | dear.clone())).await?, [4, 5, 6]);
    assert_eq!(ids(db.find(food)).await?, [5, 6], "unchanged by what it became part of");
    assert_eq!(ids(db.find(dear)).await?, [4, 6]);
    Ok(())
}
