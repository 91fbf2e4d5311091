//! The models of the topics on relations: people in teams, who write posts with comments and have tags.

use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_teams")]
pub(crate) struct Team {
    #[ommi(auto)]
    pub(crate) id: i64,
    #[ommi(unique)]
    pub(crate) name: String,
    pub(crate) members: HasMany<User>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_users")]
pub(crate) struct User {
    #[ommi(auto)]
    pub(crate) id: i64,
    pub(crate) name: String,
    #[ommi(references = Team::id, on_delete = "set null")]
    pub(crate) team_id: Option<i64>,
    pub(crate) team: BelongsTo<Option<Team>>,
    pub(crate) posts: HasMany<Post>,
    pub(crate) profile: HasOne<Profile>,
    pub(crate) tags: HasMany<Tag, Through<UserTag>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_posts")]
pub(crate) struct Post {
    #[ommi(auto)]
    pub(crate) id: i64,
    #[ommi(references = User::id)]
    pub(crate) author_id: i64,
    pub(crate) title: String,
    pub(crate) score: Option<i64>,
    pub(crate) author: BelongsTo<User>,
    pub(crate) comments: HasMany<Comment>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_comments")]
pub(crate) struct Comment {
    #[ommi(auto)]
    pub(crate) id: i64,
    #[ommi(references = Post::id)]
    pub(crate) post_id: i64,
    pub(crate) text: String,
    pub(crate) post: BelongsTo<Post>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_profiles")]
pub(crate) struct Profile {
    #[ommi(auto)]
    pub(crate) id: i64,
    #[ommi(unique, references = User::id)]
    pub(crate) user_id: i64,
    pub(crate) about: String,
    pub(crate) user: BelongsTo<User>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_tags")]
pub(crate) struct Tag {
    #[ommi(auto)]
    pub(crate) id: i64,
    #[ommi(unique)]
    pub(crate) name: String,
    pub(crate) users: HasMany<User, Through<UserTag>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "blog_user_tags")]
pub(crate) struct UserTag {
    #[ommi(key, references = User::id)]
    pub(crate) user_id: i64,
    #[ommi(key, references = Tag::id)]
    pub(crate) tag_id: i64,
    #[ommi(default = 1)]
    pub(crate) weight: i64,
}

/// Two teams, the second without members; four people: Ann and Bob in the first team, Cid in none, Dan in it too, without posts or tags. Ann wrote
/// three posts, of which the first has two comments and the second one; Bob one, without comments; Cid one.
pub(crate) async fn filled(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Team, User, Post, Comment, Profile, Tag, UserTag)>().await?;
    let teams = db.add_all(["core", "empty"].map(|name| new!(Team { name }))).await?;
    let core = teams.first().map(|team| team.id);
    let users = db
        .add_all(
            [("Ann", core), ("Bob", core), ("Cid", None), ("Dan", core)]
                .map(|(name, team_id)| new!(User { name, team_id })),
        )
        .await?;
    let id = |name: &str| users.iter().find(|user| user.name == name).map_or(0, |user| user.id);
    let (ann, bob, cid) = (id("Ann"), id("Bob"), id("Cid"));
    let posts = db
        .add_all([
            new!(Post { author_id: ann, title: "a1", score: 5 }),
            new!(Post { author_id: bob, title: "b1" }),
            new!(Post { author_id: ann, title: "a2", score: 1 }),
            new!(Post { author_id: cid, title: "c1", score: 3 }),
            new!(Post { author_id: ann, title: "a3" }),
        ])
        .await?;
    let comment = |post: usize, text: &'static str| new!(Comment { post_id: posts[post].id, text });
    db.add_all([comment(0, "x"), comment(2, "y"), comment(0, "z")]).await?;
    db.add_all([new!(Profile { user_id: ann, about: "first" }), new!(Profile { user_id: cid, about: "third" })])
        .await?;
    let tags = db.add_all(["rust", "sql", "unused"].map(|name| new!(Tag { name }))).await?;
    db.add_all([
        new!(UserTag { user_id: ann, tag_id: tags[1].id, weight: 3 }),
        new!(UserTag { user_id: ann, tag_id: tags[0].id }),
        new!(UserTag { user_id: bob, tag_id: tags[0].id }),
    ])
    .await?;
    Ok(())
}

/// The users by their names.
pub(crate) async fn users(db: &impl Handle) -> DBResult<Vec<User>> {
    db.find_all::<User>().sort(User::name).all().await
}

pub(crate) fn titles<'a>(posts: impl IntoIterator<Item = &'a Post>) -> Vec<&'a str> {
    posts.into_iter().map(|post| post.title.as_str()).collect()
}

pub(crate) fn names<'a>(users: impl IntoIterator<Item = &'a User>) -> Vec<&'a str> {
    users.into_iter().map(|user| user.name.as_str()).collect()
}

pub(crate) fn tags<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Vec<&'a str> {
    tags.into_iter().map(|tag| tag.name.as_str()).collect()
}
