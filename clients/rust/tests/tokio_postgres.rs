//! Tests as users of tokio-postgres write them.

use testpool::Database;
use tokio_postgres::{Client, Config, Error, NoTls};

/// Inserts a row, and expects it to be the second.
async fn add(client: &Client) -> Result<(), Error> {
    let id: i32 = client.query_one("INSERT INTO item (name) VALUES ('x') RETURNING id", &[]).await?.get(0);
    assert_eq!(id, 2);
    Ok(())
}

#[testpool::test(sql = "tests/sql")]
async fn tests_in_threads(client: Client) -> Result<(), Error> {
    add(&client).await
}

#[testpool::test(sql = "tests/sql/1.sql")]
async fn have_a_database_each(client: Client) -> Result<(), Error> {
    add(&client).await
}

#[testpool::test(migrations = "tests/migrations")]
async fn all_arguments_are_of_one_database(client: Client, config: Config, database: Database) -> Result<(), Error> {
    assert_eq!(config.get_dbname(), Some(database.name()));
    let (another, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    add(&client).await?;
    database.rewind().await.unwrap();
    add(&another).await?;
    add(&tests::connect(&database.acquire().await.unwrap()).await?).await
}

mod tests {
    use super::*;

    pub async fn connect(database: &Database) -> Result<Client, Error> {
        let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}
