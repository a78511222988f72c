// Package shop shows tests that each have a database of their own.
package shop

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	testpool "github.com/testpool/testpool/clients/go"
)

func add(t *testing.T, db *sql.DB, name string) {
	if _, err := db.Exec("INSERT INTO item (name) VALUES ($1), ('shared')", name); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, db *sql.DB) (names string) {
	if err := db.QueryRow("SELECT string_agg(name, ' ' ORDER BY id) FROM item").Scan(&names); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFindsTheTemplateAndItsOwnRows(t *testing.T) {
	for _, name := range []string{"pear", "plum", "fig", "date"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testpool.New(t, testpool.Config{}, testpool.SQL("../migrations"))
			add(t, db, name)
			if got := names(t, db); got != "apple "+name+" shared" {
				t.Error(got)
			}
		})
	}
}

func TestFailsOnPurpose(t *testing.T) {
	db := testpool.New(t, testpool.Config{}, testpool.SQL("../migrations"))
	add(t, db, "evidence")
	if got := names(t, db); got != "apple" {
		t.Error(got)
	}
}
