// Package shop shows tests that each have a database of their own.
package shop

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	ctx  = context.Background()
	hash = os.Getenv("SCHEMA_HASH")
	home *pgxpool.Pool
)

func TestMain(m *testing.M) {
	var err error
	if home, err = pgxpool.New(ctx, "dbname=postgres"); err != nil {
		panic(err)
	}
	code := m.Run()
	home.Close()
	os.Exit(code)
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	var name string
	if err := home.QueryRow(ctx, "SELECT testpool.acquire($1)", hash).Scan(&name); err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(ctx, "dbname="+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db.Close(ctx)
		if _, err := home.Exec(ctx, "SELECT testpool.release($1)", name); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestFindsTheTemplateAndItsOwnRows(t *testing.T) {
	for _, name := range []string{"pear", "plum", "fig", "date"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := connect(t)
			if _, err := db.Exec(ctx, "INSERT INTO item (name) VALUES ($1), ('shared')", name); err != nil {
				t.Fatal(err)
			}
			rows, _ := db.Query(ctx, "SELECT name FROM item ORDER BY id")
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || !slices.Equal(names, []string{"apple", name, "shared"}) {
				t.Error(names, err)
			}
		})
	}
}
