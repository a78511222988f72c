//! Tests as users of sqlx write them.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use testpool::Database;

/// Inserts a row, and expects it to be the second.
async fn add(pool: &PgPool) -> sqlx::Result<()> {
    let id: i32 = sqlx::query_scalar("INSERT INTO item (name) VALUES ('x') RETURNING id").fetch_one(pool).await?;
    assert_eq!(id, 2);
    Ok(())
}

#[testpool::test(migrations = "tests/migrations")]
async fn tests_in_threads(pool: PgPool) -> sqlx::Result<()> {
    add(&pool).await
}

#[testpool::test(migrations = "tests/migrations")]
async fn have_a_database_each(pool: PgPool) -> sqlx::Result<()> {
    add(&pool).await?;
    let done: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success").fetch_one(&pool).await?;
    assert_eq!(done, 2);
    Ok(())
}

#[testpool::test(migrations = "tests/migrations")]
async fn all_arguments_are_of_one_database(
    options: PgPoolOptions,
    to: PgConnectOptions,
    mut connection: PgConnection,
    database: Database,
) {
    assert_eq!(to.get_database(), Some(database.name()));
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, database.name());
    let pool = options.max_connections(1).connect_with(to).await.unwrap();
    let mut sessions = Vec::<i32>::new();
    for _ in 0..3 {
        add(&pool).await.unwrap();
        sessions.push(sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&pool).await.unwrap());
        database.rewind().await.unwrap();
    }
    assert_eq!(sessions, [sessions[0]; 3], "connections stay");
}

#[testpool::test(migrations = "tests/migrations")]
async fn a_test_may_have_several(pool: PgPool, database: Database) -> Result<(), Box<dyn std::error::Error>> {
    let another = database.acquire().await?;
    add(&pool).await?;
    add(&PgPool::connect(another.url()).await?).await?;
    Ok(())
}

#[testpool::test(sql = "tests/sql")]
async fn sql_files_build(pool: PgPool) -> sqlx::Result<()> {
    add(&pool).await
}
