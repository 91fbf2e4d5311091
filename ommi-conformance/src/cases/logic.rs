//! `&`, `|`, `!`, and conditions that are put together at run time.

use ommi::ast::{Assignment, Change, CompareOp, Condition, Delete, Expr, MAX_DEPTH, Select, Statement, Update};
use ommi::driver::Context;
use ommi::prelude::*;
use ommi::value::Value;

use crate::expect::assert_kind;
use crate::rows::Rows;

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
    for n in 0..20 {
        condition = !(condition & Product::price.gt(-1 - n)) | Product::id.eq(n + 100);
    }
    assert_eq!(ids(db.find(condition)).await?, [1], "an even number of contraries");
    Ok(())
}

/// A condition of so many rounds of three levels each. After an even number of them it is met by product 1 alone.
fn nested(rounds: i64) -> Predicate<Product> {
    let deeper = |condition: Predicate<Product>, n| !(condition & Product::price.gt(-1 - n)) | Product::id.eq(n + 100);
    (0..rounds).fold(Product::id.eq(1), deeper)
}

/// Runs a future on a thread whose stack is small, as those of servers may be.
async fn on_a_small_stack<T, F>(work: F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    let (done, result) = tokio::sync::oneshot::channel();
    let work = move || drop(done.send(runtime.block_on(work)));
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(work);
    assert!(thread.is_ok(), "no thread: {thread:?}");
    match result.await {
        Ok(value) => value,
        Err(_) => panic!("the work on a small stack panicked"),
    }
}

/// As deep as conditions may be, or `TooLarge` where a store takes less.
pub(crate) async fn conditions_as_deep_as_they_may_be(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let deepest = || nested(MAX_DEPTH as i64 / 3 / 2 * 2);
    let db = db.clone();
    on_a_small_stack(async move {
        match ids(db.find(deepest())).await {
            Ok(found) => assert_eq!(found, [1]),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");
                return Ok(());
            }
        }
        assert_eq!(db.find(deepest()).sort(Product::id).limit(3).count().await?, 1);
        assert_eq!(db.find(deepest()).update(Product::price.set(1_000)).await?, 1);
        assert_eq!(db.find(deepest() & Product::price.eq(1_000)).delete().await?, 1);
        assert_eq!(ids(db.find(!deepest())).await?, [2, 3, 4, 5, 6]);
        Ok(())
    })
    .await
}

/// However they are built, and before anything is sent: there is no table.
pub(crate) async fn conditions_nested_too_deep_are_refused(db: &Ommi) -> DBResult<()> {
    let db = db.clone();
    on_a_small_stack(async move {
        let raw = || {
            let product = || Condition::compare(CompareOp::Eq, Expr::Column(0), Expr::Value(Value::Int(1)));
            let either = |inner| Condition::Or(vec![Condition::Not(Box::new(inner)), product()]);
            (0..100_000).fold(product(), |inner, _| either(inner))
        };
        for deep in [100, 100_000].map(|rounds| move || nested(rounds)) {
            let find = || db.find(deep()).filter(Product::id.ge(0));
            let error = assert_kind!(find().all().await, ErrorKind::TooLarge);
            assert!(error.to_string().contains("Product"), "{error}");
            assert_kind!(find().first().await, ErrorKind::TooLarge);
            assert_kind!(find().count().await, ErrorKind::TooLarge);
            assert_kind!(find().exists().await, ErrorKind::TooLarge);
            assert_kind!(find().stream().try_next().await, ErrorKind::TooLarge);
            assert_kind!(find().update(Product::price.set(1)).await, ErrorKind::TooLarge);
            assert_kind!(find().delete().await, ErrorKind::TooLarge);
            assert_kind!(find().explain(), ErrorKind::TooLarge);
            assert_kind!(find().explain_delete(), ErrorKind::TooLarge);
        }
        assert_kind!(db.find(Predicate::<Product>::new(raw())).count().await, ErrorKind::TooLarge);
        // As whoever builds the tree without the typed edge meets the driver.
        let (driver, context) = (db.driver(), Context::new());
        let select = || {
            let mut select = Select::new(Product::schema());
            select.filter = raw();
            select
        };
        assert_kind!(driver.fetch(&select(), &mut Rows::new(3), &context).await, ErrorKind::TooLarge);
        let stream = driver.stream(select(), Box::new(Rows::new(3)), context.clone()).await.map(drop);
        assert_kind!(stream, ErrorKind::TooLarge);
        let change = vec![Assignment::new(1, Change::Set(Expr::Value(Value::Text("x".into()))))];
        let update = Update::new(Product::schema(), change, raw());
        assert_kind!(driver.update(&update, &context).await, ErrorKind::TooLarge);
        assert_kind!(driver.delete(&Delete::new(Product::schema(), raw()), &context).await, ErrorKind::TooLarge);
        assert_kind!(driver.explain(&Statement::Select(select())), ErrorKind::TooLarge);
        Ok(())
    })
    .await
}

/// It was found before anything was sent.
pub(crate) async fn a_condition_nested_too_deep_leaves_a_transaction_usable(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let tx = db.begin().await?;
    tx.find(is("food")).delete().await?;
    assert_kind!(tx.find(nested(1_000)).delete().await, ErrorKind::TooLarge);
    tx.commit().await?;
    assert_eq!(ids(db.find_all::<Product>()).await?, [1, 2, 3, 4]);
    Ok(())
}

/// Chains of one operator do not nest, however they are put together.
pub(crate) async fn long_chains_do_not_nest(db: &Ommi) -> DBResult<()> {
    products(db).await?;
    let one = |n: i64| Product::id.eq(n);
    let any = (3..2_000).fold(one(2), |any, n| any | one(n));
    assert_eq!(ids(db.find(any)).await?, [2, 3, 4, 5, 6]);
    let any = (3..2_000).fold(one(2), |any, n| one(n) | any);
    assert_eq!(ids(db.find(any)).await?, [2, 3, 4, 5, 6]);
    let all = (3..2_000).fold(!one(2), |all, n| all & !one(n));
    assert_eq!(ids(db.find(all)).await?, [1]);
    let halves = |from, to| any_of((from..to).map(one));
    assert_eq!(ids(db.find(halves(2, 500) | (halves(500, 1_000) | halves(1_000, 1_500)))).await?, [2, 3, 4, 5, 6]);
    // Too many for any store to be asked, but not to be built and dropped.
    let endless = (0..100_000).fold(one(1), |any, n| any | one(n));
    drop(endless.clone() & endless);
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
