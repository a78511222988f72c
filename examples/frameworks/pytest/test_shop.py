import pytest


@pytest.mark.parametrize("name", ["pear", "plum", "fig", "date"])
def test_finds_the_template_and_its_own_rows(testpool_connection, name):
    db = testpool_connection
    db.execute("INSERT INTO item (name) VALUES (%s), ('shared')", [name])
    db.commit()
    assert [row[0] for row in db.execute("SELECT name FROM item ORDER BY id")] == ["apple", name, "shared"]


def test_fails_on_purpose(testpool_connection):
    testpool_connection.execute("INSERT INTO item (name) VALUES ('evidence')")
    testpool_connection.commit()
    assert testpool_connection.execute("SELECT count(*) FROM item").fetchone() == (1,)
