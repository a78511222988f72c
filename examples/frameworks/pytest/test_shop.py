import pytest


@pytest.mark.parametrize("name", ["pear", "plum", "fig", "date"])
def test_finds_the_template_and_its_own_rows(db, name):
    db.execute("INSERT INTO item (name) VALUES (%s), ('shared')", [name])
    db.commit()
    assert [row[0] for row in db.execute("SELECT name FROM item ORDER BY id")] == ["apple", name, "shared"]
