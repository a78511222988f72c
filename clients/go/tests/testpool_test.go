// Package tests tries package testpool with the drivers and tools that its users have, on the server that the
// environment names.
package tests

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	_ "github.com/golang-migrate/migrate/v4/source/file"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/peterldowns/pgtestdb"
	"github.com/pressly/goose/v3"
	testpool "github.com/testpool/testpool/clients/go"
)

var ctx = context.Background()

// add inserts a row, and expects it to be the second.
func add(t *testing.T, db *sql.DB) {
	t.Helper()
	var id int
	if err := db.QueryRow("INSERT INTO item (name) VALUES ($1) RETURNING id", t.Name()).Scan(&id); err != nil || id != 2 {
		t.Fatal(id, err)
	}
}

func TestParallelTestsHaveADatabaseEach(t *testing.T) {
	for i := range 6 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			add(t, testpool.New(t, testpool.Config{}, testpool.SQL("migrations")))
		})
	}
}

func TestATestMayHaveSeveral(t *testing.T) {
	add(t, testpool.New(t, testpool.Config{}, testpool.SQL("migrations")))
	add(t, testpool.New(t, testpool.Config{}, testpool.SQL("migrations")))
	add(t, testpool.New(t, testpool.Config{}, testpool.SQLFS(os.DirFS("migrations"))))
}

func TestServesPgxPool(t *testing.T) {
	pool, err := pgxpool.New(ctx, testpool.Custom(t, testpool.Config{}, testpool.SQL("migrations")).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var count int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&count); err != nil || count != 1 {
		t.Fatal(count, err)
	}
}

func TestServesLibPq(t *testing.T) {
	add(t, testpool.New(t, testpool.Config{DriverName: "postgres", Options: "sslmode=disable"}, testpool.SQL("migrations")))
}

func TestSubtestsRewindUnderOnePool(t *testing.T) {
	database := testpool.Acquire(t, testpool.Config{}, testpool.SQL("migrations"))
	db := database.Open(t)
	db.SetMaxOpenConns(1)
	var first int
	for i := range 5 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			database.Rewind(t)
			add(t, db)
			var pid int
			if err := db.QueryRow("SELECT pg_backend_pid()").Scan(&pid); err != nil || first != 0 && pid != first {
				t.Fatal("another connection", err)
			}
			first = pid
		})
	}
}

func TestGooseBuilds(t *testing.T) {
	goose.SetLogger(goose.NopLogger())
	add(t, testpool.New(t, testpool.Config{}, testpool.Func("goose", os.DirFS("goose"), func(ctx context.Context, db *sql.DB, _ testpool.Config) error {
		return goose.UpContext(ctx, db, "goose")
	})))
}

// forPgtestdb is a migrator as pgtestdb's are, which are told the address in its own type.
type forPgtestdb struct{}

var _ pgtestdb.Migrator = forPgtestdb{}

func (forPgtestdb) Hash() (string, error) { return "one", nil }

func (forPgtestdb) Migrate(ctx context.Context, _ *sql.DB, config pgtestdb.Config) error {
	db, err := sql.Open("pgx", config.URL())
	if err != nil {
		return err
	}
	defer db.Close()
	return goose.UpContext(ctx, db, "goose")
}

func TestPgtestdbsMigratorsBuild(t *testing.T) {
	config := testpool.Config{Host: "127.0.0.1", Port: os.Getenv("PGPORT"), User: os.Getenv("PGUSER")}
	add(t, testpool.New(t, config, forPgtestdb{}))
}

func TestGolangMigrateBuilds(t *testing.T) {
	add(t, testpool.New(t, testpool.Config{}, testpool.Func("golang-migrate", os.DirFS("migrate"), func(_ context.Context, _ *sql.DB, config testpool.Config) error {
		m, err := migrate.New("file://migrate", "pgx5"+strings.TrimPrefix(config.URL(), "postgresql"))
		if err != nil {
			return err
		}
		defer m.Close()
		return m.Up()
	})))
}

// again runs one of the tests below as a program of its own, which fails on purpose.
func again(t *testing.T, name string, environment ...string) string {
	t.Helper()
	program := exec.Command(os.Args[0], "-test.run", "^"+name+"$", "-test.v")
	program.Env = append(os.Environ(), append(environment, "FAIL_ON_PURPOSE=1")...)
	output, err := program.CombinedOutput()
	if err == nil {
		t.Fatalf("it has not failed:\n%s", output)
	}
	return string(output)
}

func purpose(t *testing.T) {
	if os.Getenv("FAIL_ON_PURPOSE") == "" {
		t.Skip("fails on purpose, for another test")
	}
}

func TestFailsFiveTimes(t *testing.T) {
	purpose(t)
	for i := range 5 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			add(t, testpool.New(t, testpool.Config{}, testpool.SQL("migrations")))
			t.Fail()
		})
	}
}

func TestAFailedTestsDatabaseIsKeptAndTold(t *testing.T) {
	output := again(t, "TestFailsFiveTimes")
	kept := regexp.MustCompile(`kept: (\S+)\n.*the test's changes:\n(?:.*\n)*?.*changed table public.item: `).FindAllStringSubmatch(output, -1)
	if len(kept) != 3 {
		t.Fatalf("%d are kept, not 3:\n%s", len(kept), output)
	}
	for _, each := range kept {
		db, err := sql.Open("pgx", each[1])
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var name string
		if err = db.QueryRow("SELECT name FROM item WHERE id = 2").Scan(&name); err != nil || !strings.HasPrefix(name, "TestFailsFiveTimes/") {
			t.Error(name, err)
		}
		if _, err = home(t).Exec("SELECT testpool.release($1)", regexp.MustCompile(`testpool_\d+_\d+`).FindString(each[1])); err != nil {
			t.Error(err)
		}
	}
	if output := again(t, "TestFailsFiveTimes", "TESTPOOL_KEEP=0"); strings.Contains(output, "kept:") {
		t.Error(output)
	}
}

func home(t *testing.T) *sql.DB {
	db, err := sql.Open("pgx", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestCannotBuild(t *testing.T) {
	purpose(t)
	testpool.New(t, testpool.Config{}, testpool.Func("failing", os.DirFS("goose"), func(ctx context.Context, db *sql.DB, _ testpool.Config) error {
		_, err := db.ExecContext(ctx, "SELECT 1/0")
		return err
	}))
}

func TestAFailedMigrationIsTold(t *testing.T) {
	if output := again(t, "TestCannotBuild"); !strings.Contains(output, "division by zero") {
		t.Error(output)
	}
	var discarded bool
	err := home(t).QueryRow("SELECT bool_or(reason LIKE '%division by zero%') FROM testpool.templates WHERE state = 'discarded'").Scan(&discarded)
	if err != nil || !discarded {
		t.Error("its template is not discarded with the reason", err)
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	output := again(t, "TestFailsFiveTimes", "TESTPOOL_URL=postgresql://somebody:secret@127.0.0.1:1/postgres")
	if !strings.Contains(output, "no PostgreSQL server at postgresql://somebody@127.0.0.1:1/postgres") || strings.Contains(output, "secret") {
		t.Error(output)
	}
	if output := again(t, "TestFailsFiveTimes", "PGDATABASE=template1"); !strings.Contains(output, "CREATE EXTENSION testpool") {
		t.Error(output)
	}
}
