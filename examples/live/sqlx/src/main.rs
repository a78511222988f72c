//! A pool of sqlx that stays open over fifty rewinds. Each connection keeps its prepared statements.

use futures::future::try_join_all;
use sqlx::postgres::PgPoolOptions;

const ROUNDS: usize = 50;
const DDL: [&str; 5] = [
    "ALTER TYPE mood ADD VALUE 'mad'",
    "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'",
    "CREATE TABLE other (a int)",
    "TRUNCATE item",
    "DROP TABLE item",
];

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let pool = PgPoolOptions::new().min_connections(4).max_connections(4).connect(&url).await?;
    for round in 0..ROUNDS {
        try_join_all((0..20).map(|i| {
            sqlx::query("INSERT INTO item (name) VALUES ($1)").bind(format!("item {i}")).execute(&pool)
        }))
        .await?;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM item WHERE m = $1::text::mood")
            .bind("sad")
            .fetch_one(&pool)
            .await?;
        assert_eq!(count, 120);
        sqlx::query(DDL[round % DDL.len()]).execute(&pool).await?;
        sqlx::query("SET testpool.rewind = now").execute(&pool).await?;
        let max: i32 = sqlx::query_scalar("SELECT max(id) FROM item").fetch_one(&pool).await?;
        assert_eq!(max, 100);
    }
    pool.close().await;
    println!("sqlx: {ROUNDS} tests on one pool");
    Ok(())
}
