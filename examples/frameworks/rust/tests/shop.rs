use tokio_postgres::{Client, Error};

async fn add(db: &Client, name: &str) -> Result<(), Error> {
    db.execute("INSERT INTO item (name) VALUES ($1), ('shared')", &[&name]).await.map(drop)
}

async fn names(db: &Client) -> Result<String, Error> {
    Ok(db.query_one("SELECT string_agg(name, ' ' ORDER BY id) FROM item", &[]).await?.get(0))
}

#[testpool::test]
async fn finds_the_template_and_its_own_rows_pear(db: Client) -> Result<(), Error> {
    add(&db, "pear").await?;
    assert_eq!(names(&db).await?, "apple pear shared");
    Ok(())
}

#[testpool::test]
async fn finds_the_template_and_its_own_rows_plum(db: Client) -> Result<(), Error> {
    add(&db, "plum").await?;
    assert_eq!(names(&db).await?, "apple plum shared");
    Ok(())
}

#[testpool::test]
async fn fails_on_purpose(db: Client) -> Result<(), Error> {
    add(&db, "evidence").await?;
    assert_eq!(names(&db).await?, "apple");
    Ok(())
}
