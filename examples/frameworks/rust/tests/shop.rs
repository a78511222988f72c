mod common;

use common::TestDatabase;

fn finds_the_template_and_its_own_rows(name: &str) -> Result<(), postgres::Error> {
    let mut test = TestDatabase::acquire()?;
    test.db.execute("INSERT INTO item (name) VALUES ($1), ('shared')", &[&name])?;
    let rows = test.db.query("SELECT name FROM item ORDER BY id", &[])?;
    let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["apple", name, "shared"]);
    Ok(())
}

#[test]
fn pear() -> Result<(), postgres::Error> {
    finds_the_template_and_its_own_rows("pear")
}

#[test]
fn plum() -> Result<(), postgres::Error> {
    finds_the_template_and_its_own_rows("plum")
}
