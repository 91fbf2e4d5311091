//! The shapes that relations come in: within one model, in a circle, by several columns, by columns of every kind, on one side only.

use ommi::prelude::*;
use ommi::testing::assert_queries;
use uuid::Uuid;

use super::blog::{Comment, Post, Team, User, filled};

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_categories")]
struct Category {
    #[ommi(auto)]
    id: i64,
    name: String,
    #[ommi(references = Self::id)]
    parent_id: Option<i64>,
    parent: BelongsTo<Option<Category>>,
    children: HasMany<Category>,
}

fn categories<'a>(rows: impl IntoIterator<Item = &'a Category>) -> Vec<&'a str> {
    rows.into_iter().map(|row| row.name.as_str()).collect()
}

/// `root` with `a` and `b`, `a` with `a1` and `a2`; and `lone`.
async fn tree(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Category>().await?;
    let root = db.add(new!(Category { name: "root" })).await?;
    let below = db.add_all(["a", "b"].map(|name| new!(Category { name, parent_id: root.id }))).await?;
    db.add_all(["a1", "a2"].map(|name| new!(Category { name, parent_id: below[0].id }))).await?;
    db.add(new!(Category { name: "lone" })).await?;
    Ok(())
}

pub(crate) async fn a_tree_of_one_model_upwards(db: &Ommi) -> DBResult<()> {
    tree(db).await?;
    assert_queries(3, db, async |db| {
        let leaves = db.find(Category::name.starts_with("a") & Category::name.ne("a")).sort(Category::id).all().await?;
        for leaf in &leaves {
            let parent = leaf.parent.load(db).await?.expect("a leaf has a parent");
            let root = parent.parent.load(db).await?.expect("its parent has one");
            assert_eq!((parent.name.as_str(), root.name.as_str()), ("a", "root"), "{}", leaf.name);
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn a_tree_of_one_model_downwards(db: &Ommi) -> DBResult<()> {
    tree(db).await?;
    assert_queries(4, db, async |db| {
        // A level is one statement, however many rows it has; the last finds that there is none below.
        let roots = db.find(Category::parent.is_none()).sort(Category::name).all().await?;
        assert_eq!(categories(&roots), ["lone", "root"]);
        assert!(roots[0].children.load(db).await?.is_empty());
        let below = roots[1].children.load(db).await?;
        assert_eq!(categories(below), ["a", "b"]);
        let leaves = below[0].children.load(db).await?;
        assert_eq!(categories(leaves), ["a1", "a2"]);
        assert!(below[1].children.load(db).await?.is_empty());
        for leaf in leaves {
            assert!(leaf.children.load(db).await?.is_empty());
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn a_tree_of_one_model_is_included(db: &Ommi) -> DBResult<()> {
    tree(db).await?;
    let include = Category::children.include(Category::children.include(Category::parent));
    let root =
        assert_queries(4, db, async |db| db.find(Category::name.eq("root")).include(include).one().await).await?;
    let below = root.children.get().unwrap_or_default();
    assert_eq!(categories(below), ["a", "b"]);
    let leaves = below[0].children.get().unwrap_or_default();
    assert_eq!(categories(leaves), ["a1", "a2"]);
    assert_eq!(leaves[1].parent.get().map(|parent| parent.name.as_str()), Some("a"));
    assert_eq!(below[1].children.get(), Some(&[][..]));
    Ok(())
}

pub(crate) async fn conditions_within_one_model(db: &Ommi) -> DBResult<()> {
    tree(db).await?;
    let found = async |predicate: Predicate<Category>| {
        let rows = db.find(predicate).sort(Category::name).all().await?;
        DBResult::Ok(rows.into_iter().map(|row| row.name).collect::<Vec<_>>())
    };
    assert_eq!(found(Category::parent.is(Category::name.eq("root"))).await?, ["a", "b"]);
    assert_eq!(found(Category::children.any(Category::children.any(None))).await?, ["root"]);
    assert_eq!(found(Category::parent.is(Category::parent.is_some())).await?, ["a1", "a2"]);
    assert_eq!(found(Category::children.is_empty()).await?, ["a1", "a2", "b", "lone"]);
    // The name inside is the child's, the name outside the parent's.
    let both = Category::name.eq("a") & Category::children.any(Category::name.eq("a2"));
    assert_eq!(found(both).await?, ["a"]);
    Ok(())
}

pub(crate) async fn sorted_within_one_model(db: &Ommi) -> DBResult<()> {
    tree(db).await?;
    let sort = (Category::parent.then(Category::name).desc(), Category::name.desc());
    let rows = db.find_all::<Category>().sort(sort).all().await?;
    assert_eq!(categories(&rows), ["b", "a", "a2", "a1", "root", "lone"]);
    Ok(())
}

pub(crate) async fn a_tree_of_one_model_is_added(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Category>().await?;
    let draft = new!(Category { name: "r", children: [{ name: "x", children: [{ name: "x1" }] }, { name: "y" }] });
    let added = db.add(draft).await?;
    let stored = db.get::<Category>(added.id).await?;
    let below = stored.children.load(db).await?;
    assert_eq!(categories(below), ["x", "y"]);
    assert_eq!(categories(below[0].children.load(db).await?), ["x1"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_people")]
struct Person {
    #[ommi(auto)]
    id: i64,
    name: String,
    #[ommi(references = Person::id)]
    friend_id: Option<i64>,
    #[ommi(by = friend_id)]
    best_friend: BelongsTo<Option<Person>>,
}

/// Ann and Bob are each other's best friend, Cid is his own.
pub(crate) async fn rows_that_refer_to_each_other_and_to_themselves(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Person>().await?;
    let mut people = db.add_all(["Ann", "Bob", "Cid"].map(|name| new!(Person { name }))).await?;
    let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
    for (person, friend) in people.iter_mut().zip([ids[1], ids[0], ids[2]]) {
        person.friend_id = Some(friend);
        db.save(person).await?;
    }
    let people = db.find_all::<Person>().sort(Person::name).include(Person::best_friend).all().await?;
    let friends: Vec<_> = people.iter().map(|p| p.best_friend.get().map(|friend| friend.name.as_str())).collect();
    assert_eq!(friends, [Some("Bob"), Some("Ann"), Some("Cid")]);
    let back = people[0].best_friend.load(db).await?.expect("Ann has a friend").best_friend.load(db).await?;
    assert_eq!(back, Some(&people[0]));
    let own = Person::best_friend.is(Person::best_friend.is(Person::name.eq("Ann")));
    assert_eq!(db.find(own).one().await?.name, "Ann");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_countries")]
struct Country {
    id: i64,
    name: String,
    // Each table cannot be made before the other.
    #[ommi(references = City::id, constraint = false)]
    capital_id: Option<i64>,
    capital: BelongsTo<Option<City>>,
    cities: HasMany<City>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_cities")]
struct City {
    id: i64,
    name: String,
    #[ommi(references = Country::id)]
    country_id: i64,
    country: BelongsTo<Country>,
    capital_of: HasOne<Country>,
}

async fn countries(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Country, City)>().await?;
    db.add_all([
        new!(Country { id: 1, name: "France", capital_id: 11 }),
        new!(Country { id: 2, name: "Italy", capital_id: 12 }),
        new!(Country { id: 3, name: "Nowhere" }),
    ])
    .await?;
    db.add_all(
        [(10, "Nice", 1), (11, "Paris", 1), (12, "Rome", 2)]
            .map(|(id, name, country_id)| new!(City { id, name, country_id })),
    )
    .await?;
    Ok(())
}

pub(crate) async fn models_that_refer_to_each_other(db: &Ommi) -> DBResult<()> {
    countries(db).await?;
    let countries = db.find_all::<Country>().sort(Country::id).all().await?;
    let mut capitals = Vec::new();
    for country in &countries {
        capitals.push(country.capital.load(db).await?.map(|city| city.name.as_str()));
        assert_eq!(country.cities.load(db).await?.len(), [2, 1, 0][country.id as usize - 1]);
    }
    assert_eq!(capitals, [Some("Paris"), Some("Rome"), None]);
    let paris = countries[0].capital.get().expect("it is loaded");
    assert_eq!(paris.country.load(db).await?, &countries[0]);
    assert_eq!(paris.capital_of.load(db).await?, Some(&countries[0]));
    Ok(())
}

pub(crate) async fn a_circle_in_conditions_and_includes(db: &Ommi) -> DBResult<()> {
    countries(db).await?;
    let provincial = City::capital_of.is_none() & City::country.is(Country::capital.is(City::name.eq("Paris")));
    assert_eq!(db.find(provincial).one().await?.name, "Nice");
    let round = Country::capital.include(City::country.include(Country::cities));
    let all = db.find(Country::capital.is_some()).sort(Country::id).include(round).all().await?;
    let cities: Vec<usize> =
        all.iter().filter_map(|country| Some(country.capital.get()?.country.get()?.cities.get()?.len())).collect();
    assert_eq!(cities, [2, 1]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_accounts")]
struct Account {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    email: String,
    logins: HasMany<Login>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_logins")]
struct Login {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Account::email)]
    email: String,
    account: BelongsTo<Account>,
}

/// The keys count the other way, so that going by them would show.
pub(crate) async fn by_a_unique_column_that_is_no_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Account, Login)>().await?;
    db.add_all(["c@x", "b@x", "a@x"].map(|email| new!(Account { email }))).await?;
    db.add_all(["a@x", "b@x", "a@x"].map(|email| new!(Login { email }))).await?;
    for login in db.find_all::<Login>().all().await? {
        assert_eq!(login.account.load(db).await?.email, login.email);
        assert_eq!(db.get::<Login>(login.id).await?.account.load(db).await?.email, login.email, "alone");
    }
    let accounts = db.find_all::<Account>().sort(Account::email).include(Account::logins).all().await?;
    let logins: Vec<_> = accounts.iter().map(|account| account.logins.get().map(<[Login]>::len)).collect();
    assert_eq!(logins, [Some(2), Some(1), Some(0)]);
    assert_eq!(db.find(Login::account.is(Account::id.eq(accounts[0].id))).count().await?, 2);
    assert_eq!(accounts[2].logins.add(db, new!(Login { .. })).await?.email, "c@x");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_languages")]
struct Language {
    #[ommi(key)]
    code: String,
    words: HasMany<Word>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_words")]
struct Word {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Language::code)]
    code: Option<String>,
    language: BelongsTo<Option<Language>>,
}

/// Texts that some stores take for the same, and the empty one.
const CODES: [&str; 7] = ["a", "A", "a ", "ä", "", "it's", "漢"];

async fn words(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Language, Word)>().await?;
    db.add_all(CODES.map(|code| new!(Language { code }))).await?;
    let words = CODES.iter().enumerate().flat_map(|(n, code)| vec![new!(Word { code: *code }); n]);
    let mut words: Vec<_> = words.collect();
    words.insert(0, new!(Word { .. }));
    db.add_all(words).await?;
    Ok(())
}

pub(crate) async fn by_text_keys_of_many_rows(db: &Ommi) -> DBResult<()> {
    words(db).await?;
    for language in db.find_all::<Language>().all().await? {
        let expected = CODES.iter().position(|code| *code == language.code);
        assert_eq!(Some(language.words.load(db).await?.len()), expected, "{:?}", language.code);
    }
    for word in db.find_all::<Word>().sort(Word::id).all().await? {
        assert_eq!(word.language.load(db).await?.map(|language| &language.code), word.code.as_ref());
    }
    Ok(())
}

pub(crate) async fn by_the_text_key_of_one_row(db: &Ommi) -> DBResult<()> {
    words(db).await?;
    for (expected, code) in CODES.iter().enumerate() {
        let language = db.get::<Language>(*code).await?;
        assert_eq!(language.words.load(db).await?.len(), expected, "{code:?}");
    }
    let none = db.find(Word::code.is_null()).one().await?;
    assert_eq!(none.language.load(db).await?, None);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_documents")]
struct Document {
    #[ommi(auto = "uuid_v7")]
    id: Uuid,
    name: String,
    pages: HasMany<Page>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_pages")]
struct Page {
    #[ommi(auto = "uuid_v4")]
    id: Uuid,
    number: i64,
    #[ommi(references = Document::id)]
    document_id: Option<Uuid>,
    document: BelongsTo<Option<Document>>,
}

async fn documents(db: &Ommi) -> DBResult<Vec<Document>> {
    db.create_tables::<(Document, Page)>().await?;
    let documents = db.add_all(["x", "y", "z"].map(|name| new!(Document { name }))).await?;
    let page = |n: i64| new!(Page { number: n, document_id: documents[usize::from(n > 2)].id });
    db.add_all([page(1), page(2), page(3), new!(Page { number: 4 })]).await?;
    Ok(documents)
}

pub(crate) async fn by_uuid_keys_of_many_rows(db: &Ommi) -> DBResult<()> {
    documents(db).await?;
    let mut counts = Vec::new();
    for document in &db.find_all::<Document>().sort(Document::name).all().await? {
        let mut numbers: Vec<i64> = document.pages.load(db).await?.iter().map(|page| page.number).collect();
        numbers.sort_unstable();
        counts.push(numbers);
    }
    assert_eq!(counts, [vec![1, 2], vec![3], vec![]]);
    let pages = db.find_all::<Page>().sort(Page::number).include(Page::document).all().await?;
    let names: Vec<_> = pages.iter().map(|page| page.document.get().map(|of| of.name.as_str())).collect();
    assert_eq!(names, [Some("x"), Some("x"), Some("y"), None]);
    Ok(())
}

pub(crate) async fn by_the_uuid_key_of_one_row(db: &Ommi) -> DBResult<()> {
    let documents = documents(db).await?;
    let second = db.get::<Document>(documents[1].id).await?;
    assert_eq!(second.pages.load(db).await?.iter().map(|page| page.number).collect::<Vec<_>>(), [3]);
    let page = db.find(Page::number.eq(3)).one().await?;
    assert_eq!(page.document.load(db).await?, Some(&second));
    assert_eq!(db.find(Page::number.eq(4)).one().await?.document.load(db).await?, None);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_buyers")]
struct Buyer {
    #[ommi(auto)]
    id: i64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape_invoices")]
struct Invoice {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Buyer::id)]
    buyer_id: i64,
    buyer: BelongsTo<Buyer>,
}

pub(crate) async fn known_to_one_side_only(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Buyer, Invoice)>().await?;
    let buyers = db.add_all(["Eve", "Dan"].map(|name| new!(Buyer { name }))).await?;
    db.add_all([0, 1, 0].map(|n: usize| new!(Invoice { buyer_id: buyers[n].id }))).await?;
    let sort = (Invoice::buyer.then(Buyer::name).asc(), Invoice::id);
    let invoices = db.find_all::<Invoice>().sort(sort).include(Invoice::buyer).all().await?;
    let names: Vec<_> = invoices.iter().map(|invoice| invoice.buyer.get().map(|buyer| buyer.name.as_str())).collect();
    assert_eq!(names, [Some("Dan"), Some("Eve"), Some("Eve")]);
    assert_eq!(db.find(Invoice::buyer.is(Buyer::name.eq("Eve"))).count().await?, 2);
    Ok(())
}

pub(crate) async fn a_chain_of_models(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(4, db, async |db| {
        for comment in db.find_all::<Comment>().sort(Comment::id).all().await? {
            let author = comment.post.load(db).await?.author.load(db).await?;
            assert_eq!(author.name, "Ann");
            assert_eq!(author.team.load(db).await?.map(|team| team.name.as_str()), Some("core"));
        }
        DBResult::Ok(())
    })
    .await?;
    let in_core = Comment::post.is(Post::author.is(User::team.is(Team::name.eq("core"))));
    assert_eq!(db.find(in_core).count().await?, 3);
    let sort = (Comment::post.then(Post::author.then(User::team.then(Team::name))).asc(), Comment::text.desc());
    let last = db.find_all::<Comment>().sort(sort).first().await?;
    assert_eq!(last.map(|comment| comment.text), Some("z".to_owned()));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape owners")]
struct Owner {
    #[ommi(key, column = "the key")]
    id: i64,
    #[ommi(column = "select")]
    name: String,
    things: HasMany<Thing>,
    #[ommi(skip)]
    cached: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shape \"things\"")]
struct Thing {
    #[ommi(auto, column = "from")]
    id: i64,
    #[ommi(column = "of owner", references = Owner::id)]
    owner_id: i64,
    #[ommi(skip)]
    seen: bool,
    #[ommi(column = "where")]
    place: Option<i64>,
    owner: BelongsTo<Owner>,
}

async fn things(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Owner, Thing)>().await?;
    db.add_all([(1, "x"), (2, "y")].map(|(id, name)| new!(Owner { id, name }))).await?;
    db.add_all([(1, 5), (2, 6), (1, 7)].map(|(owner_id, place)| new!(Thing { owner_id, place }))).await?;
    Ok(())
}

pub(crate) async fn of_tables_and_columns_with_other_names(db: &Ommi) -> DBResult<()> {
    things(db).await?;
    let include = Owner::things.filter(Thing::place.gt(4)).sort(Thing::place.desc()).limit(1);
    let owners = db.find_all::<Owner>().sort(Owner::name).include(include).all().await?;
    let places: Vec<_> = owners.iter().flat_map(|owner| owner.things.get().unwrap_or_default()).collect();
    assert_eq!(places.iter().map(|thing| thing.place).collect::<Vec<_>>(), [Some(7), Some(6)]);
    let sort = (Thing::owner.then(Owner::name).desc(), Thing::place);
    let sorted = db.find(Thing::owner.is(Owner::name.ne(""))).sort(sort).all().await?;
    assert_eq!(sorted.iter().map(|thing| thing.place).collect::<Vec<_>>(), [Some(6), Some(5), Some(7)]);
    assert_eq!(db.find(Owner::things.count().eq(2)).update(Owner::name.set("two")).await?, 1);
    assert_eq!(sorted[1].owner.load(db).await?.name, "two");
    Ok(())
}

pub(crate) async fn beside_fields_that_are_no_columns(db: &Ommi) -> DBResult<()> {
    things(db).await?;
    for mut thing in db.find_all::<Thing>().sort(Thing::place).all().await? {
        assert!(!thing.seen);
        thing.seen = true;
        let owner = thing.owner.load(db).await?;
        assert_eq!((owner.id, &owner.cached), (thing.owner_id, &None));
        assert_eq!(owner.things.load(db).await?.len(), if owner.id == 1 { 2 } else { 1 });
    }
    Ok(())
}

mod clash {
    use ommi::prelude::*;

    #[derive(Debug, Clone, PartialEq, Model)]
    #[ommi(table = "shape_boxes", columns = BoxColumns)]
    pub(super) struct Box {
        pub(super) id: i64,
        pub(super) lids: HasMany<Lid>,
    }

    #[derive(Debug, Clone, PartialEq, Model)]
    #[ommi(table = "shape_lids", columns = LidColumns)]
    pub(super) struct Lid {
        pub(super) id: i64,
        #[ommi(references = BoxColumns::id)]
        pub(super) box_id: i64,
        pub(super) of: BelongsTo<Box>,
    }

    impl Lid {
        pub(super) fn of(&self) -> i64 {
            self.box_id
        }
    }
}

pub(crate) async fn with_columns_on_a_type_of_their_own(db: &Ommi) -> DBResult<()> {
    use clash::{Box, BoxColumns, Lid, LidColumns};

    db.create_tables::<(Box, Lid)>().await?;
    db.add_all([1, 2].map(|id| new!(Box { id }))).await?;
    db.add_all([(1, 2), (2, 2)].map(|(id, box_id)| new!(Lid { id, box_id }))).await?;
    let boxes = db.find(BoxColumns::lids.any(None)).include(BoxColumns::lids).all().await?;
    assert_eq!(boxes.iter().map(|one| (one.id, one.lids.get().map(<[Lid]>::len))).collect::<Vec<_>>(), [(2, Some(2))]);
    let lid =
        db.find(LidColumns::of.is(BoxColumns::id.eq(2))).sort(LidColumns::id).first().await?.expect("it is there");
    assert_eq!(lid.of.load(db).await?.id, lid.of());
    Ok(())
}
