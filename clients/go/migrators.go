package testpool

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"sort"
)

// A Migrator builds a template. C is the type that its Migrate is told the database's address in: [Config]
// for new ones, pgtestdb.Config for those of pgtestdb, all of which can be used here.
type Migrator[C any] interface {
	// Hash tells what is built: another hash, another template.
	Hash() (string, error)
	// Migrate fills the empty database.
	Migrate(ctx context.Context, db *sql.DB, config C) error
}

// SQL is a migrator of a folder: it runs its *.sql files by name, each in a transaction.
func SQL(folder string) Migrator[Config] { return SQLFS(os.DirFS(folder)) }

// SQLFS is the same for a file system, such as an embedded one.
func SQLFS(files fs.FS) Migrator[Config] {
	return Func("sql", files, func(ctx context.Context, db *sql.DB, _ Config) error {
		names, err := namesIn(files)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := runFile(ctx, db, files, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

func runFile(ctx context.Context, db *sql.DB, files fs.FS, name string) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, string(text)) // without arguments: as many statements as there are
	return err
}

// Func is a migrator of any tool. tool names it, best with its version; files are what it reads.
//
//	testpool.Func("goose", os.DirFS("migrations"), func(ctx context.Context, db *sql.DB, _ testpool.Config) error {
//		return goose.UpContext(ctx, db, "migrations")
//	})
func Func(tool string, files fs.FS, migrate func(ctx context.Context, db *sql.DB, config Config) error) Migrator[Config] {
	return function{tool, files, migrate}
}

type function struct {
	tool    string
	files   fs.FS
	migrate func(context.Context, *sql.DB, Config) error
}

func (f function) Migrate(ctx context.Context, db *sql.DB, config Config) error {
	return f.migrate(ctx, db, config)
}

// Hash is over names, sizes and contents, and not over the place where they lie.
func (f function) Hash() (string, error) {
	names, err := namesIn(f.files)
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	io.WriteString(digest, f.tool)
	for _, name := range names {
		contents, err := fs.ReadFile(f.files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(digest, "\x00%s\x00%d\x00", name, len(contents))
		digest.Write(contents)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

func namesIn(files fs.FS) ([]string, error) {
	var names []string
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there are no migrations")
	}
	sort.Strings(names)
	return names, err
}

// configAs gives the address as C: the fields of the same names, whatever package the type is from.
func configAs[C any](config Config) C {
	var other C
	if same, ok := any(&other).(*Config); ok {
		*same = config
		return other
	}
	from, to := reflect.ValueOf(config), reflect.ValueOf(&other).Elem()
	if to.Kind() == reflect.Struct {
		for i := range from.NumField() {
			if field := to.FieldByName(from.Type().Field(i).Name); field.IsValid() && field.Kind() == reflect.String {
				field.SetString(from.Field(i).String())
			}
		}
	}
	return other
}
