package testpool

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// A pool is a server as this process sees it.
type pool struct {
	config    Config
	home      *sql.DB
	mutex     sync.Mutex
	templates map[string]*template
}

type template struct {
	once sync.Once
	err  error
}

var (
	pools      = map[Config]*pool{}
	poolsMutex sync.Mutex
)

func poolOf(config Config) (*pool, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	poolsMutex.Lock()
	defer poolsMutex.Unlock()
	if p := pools[config]; p != nil {
		return p, nil
	}
	home, err := sql.Open(config.DriverName, config.URL())
	if err != nil {
		return nil, err
	}
	home.SetMaxIdleConns(64) // a session that ends gives up what it leased
	p := &pool{config: config, home: home, templates: map[string]*template{}}
	pools[config] = p
	return p, nil
}

// session is one of the home database's, which holds what is claimed or leased in it.
func (p *pool) session(ctx context.Context) (*sql.Conn, error) {
	session, err := p.home.Conn(ctx)
	if err != nil {
		shown := p.config
		shown.Password = ""
		return nil, fmt.Errorf("no PostgreSQL server at %s: %w\nSet TESTPOOL_URL, or PGHOST, PGPORT and PGUSER, to a server that has testpool",
			shown.URL(), err)
	}
	var there bool
	const known = "SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)') IS NOT NULL"
	if err = session.QueryRowContext(ctx, known).Scan(&there); err == nil && !there {
		err = fmt.Errorf("testpool is not in the database %q: load it with shared_preload_libraries = 'testpool', then CREATE EXTENSION testpool there",
			p.config.Database)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return session, nil
}

// build sees that a template is there: of all processes and goroutines that come, one builds.
func build[C any](ctx context.Context, p *pool, migrator Migrator[C]) (hash string, err error) {
	own, err := migrator.Hash()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("go\x00%T\x00%s", migrator, own)))
	hash = hex.EncodeToString(sum[:])
	p.mutex.Lock()
	t := p.templates[hash]
	if t == nil {
		t = &template{}
		p.templates[hash] = t
	}
	p.mutex.Unlock()
	t.once.Do(func() { t.err = claim(ctx, p, hash, migrator) })
	return hash, t.err
}

func claim[C any](ctx context.Context, p *pool, hash string, migrator Migrator[C]) error {
	session, err := p.session(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	if _, err = session.ExecContext(ctx, "SET testpool.template_timeout = '10min'"); err != nil {
		return err
	}
	var database sql.NullString
	name := or(os.Getenv("TESTPOOL_PROJECT"), "go") + "-" + hash[:12]
	err = session.QueryRowContext(ctx, "SELECT testpool.init_template($1, name => $2)", hash, name).Scan(&database)
	if err != nil || !database.Valid {
		return err
	}
	if err = fill(ctx, p, database.String, migrator); err != nil {
		reason := err.Error()
		session.ExecContext(ctx, "SELECT testpool.discard($1, $2)", hash, reason[:min(len(reason), 1000)])
		return fmt.Errorf("the template %s could not be built: %w", name, err)
	}
	_, err = session.ExecContext(ctx, "SELECT testpool.finalize($1)", hash)
	return err
}

func fill[C any](ctx context.Context, p *pool, database string, migrator Migrator[C]) error {
	config := p.config
	config.Database = database
	db, err := sql.Open(config.DriverName, config.URL())
	if err != nil {
		return err
	}
	defer db.Close()
	return migrator.Migrate(ctx, db, configAs[C](config))
}

// run is what all packages of one `go test` have in common: their parent, which is one process.
var run = sync.OnceValue(func() string {
	if given := os.Getenv("TESTPOOL_RUN"); given != "" {
		return given
	}
	parent := strconv.Itoa(os.Getppid())
	started := "0"
	if stat, err := os.ReadFile("/proc/" + parent + "/stat"); err == nil {
		if fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])); len(fields) > 19 {
			started = fields[19]
		}
	}
	host, _ := os.Hostname()
	sum := sha256.Sum256([]byte(host + " " + parent + " " + started))
	return "go-" + hex.EncodeToString(sum[:4])
})

func keepAtMost() int {
	if most, err := strconv.Atoi(os.Getenv("TESTPOOL_KEEP")); err == nil {
		return most
	}
	return 3
}
