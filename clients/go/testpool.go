// Package testpool gives every Go test a real PostgreSQL database that is as the migrations made it, from the
// pool of a server that has the extension testpool. It depends on no driver: import the one that you use.
package testpool

import (
	"context"
	"database/sql"
	"strings"
	"testing"
)

// A Database is leased for a test. It ends with the test.
type Database struct {
	Name string
	URL  string

	config Config
	pool   *pool
	home   *sql.Conn
}

// New returns a connection pool on a database of the test's own. The test fails at once if there is none to
// be had. When the test has ended, the database goes back; if it has failed, it is kept, and t.Log tells
// where it is and what the test changed.
//
//	db := testpool.New(t, testpool.Config{}, testpool.SQL("migrations"))
func New[C any](t testing.TB, config Config, migrator Migrator[C]) *sql.DB {
	t.Helper()
	return Acquire(t, config, migrator).Open(t)
}

// Custom is New for those who connect in another way, such as pgxpool:
//
//	pool, err := pgxpool.New(ctx, testpool.Custom(t, testpool.Config{}, testpool.SQL("migrations")).URL())
func Custom[C any](t testing.TB, config Config, migrator Migrator[C]) *Config {
	t.Helper()
	database := Acquire(t, config, migrator)
	return &database.config
}

// Acquire leases a database for the test.
func Acquire[C any](t testing.TB, config Config, migrator Migrator[C]) *Database {
	t.Helper()
	ctx := context.Background()
	p, err := poolOf(config)
	if err != nil {
		t.Fatalf("testpool: %v", err)
	}
	hash, err := build(ctx, p, migrator)
	if err != nil {
		t.Fatalf("testpool: %v", err)
	}
	d := &Database{pool: p}
	if d.home, err = p.session(ctx); err != nil {
		t.Fatalf("testpool: %v", err)
	}
	if err = d.home.QueryRowContext(ctx, "SELECT testpool.acquire($1)", hash).Scan(&d.Name); err != nil {
		d.home.Close()
		t.Fatalf("testpool: %v", err)
	}
	d.config = p.config
	d.config.Database = d.Name
	d.URL = d.config.URL()
	t.Cleanup(func() { d.giveBack(t) })
	return d
}

// Open returns a connection pool on the database, which is closed when the test has ended.
func (d *Database) Open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.config.DriverName, d.URL)
	if err != nil {
		t.Fatalf("testpool: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Rewind makes the database as the template again. Connections to it stay, so subtests that run one after
// the other can share an application and its pool.
func (d *Database) Rewind(t testing.TB) {
	t.Helper()
	if _, err := d.home.ExecContext(context.Background(), "SELECT testpool.rewind($1)", d.Name); err != nil {
		t.Fatalf("testpool: %v", err)
	}
}

func (d *Database) giveBack(t testing.TB) {
	ctx := context.Background()
	defer d.home.Close()
	if t.Failed() && d.keep(ctx, t) {
		return
	}
	if _, err := d.home.ExecContext(ctx, "SELECT testpool.release($1)", d.Name); err != nil {
		t.Errorf("testpool: %v", err)
	}
}

// keep leaves a failed test's database for a person, unless enough are kept of this run.
func (d *Database) keep(ctx context.Context, t testing.TB) bool {
	var url, changes sql.NullString
	err := d.home.QueryRowContext(ctx, "SELECT url, changes FROM testpool.keep_failed($1, $2, $3, $4)",
		d.Name, t.Name(), run(), keepAtMost()).Scan(&url, &changes)
	if err != nil {
		t.Logf("testpool: not kept: %v", err)
	}
	if !url.Valid {
		return false
	}
	t.Logf("testpool: kept: %s\nthe test's changes:\n  %s", url.String, strings.ReplaceAll(changes.String, "\n", "\n  "))
	return true
}
