// Pools of pgx and of database/sql that stay open over fifty rewinds each.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
)

const rounds = 50

var ddl = []string{"ALTER TYPE mood ADD VALUE 'mad'", "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'",
	"CREATE TABLE other (a int)", "TRUNCATE item", "DROP TABLE item"}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func tests(name string, exec func(string, ...any) error, number func(string, ...any) int) {
	for round := range rounds {
		var all sync.WaitGroup
		for i := range 20 {
			all.Add(1)
			go func() {
				defer all.Done()
				check(exec("INSERT INTO item (name) VALUES ($1)", fmt.Sprint("item ", i)))
			}()
		}
		all.Wait()
		if n := number("SELECT count(*) FROM item WHERE m = $1::mood", "sad"); n != 120 {
			panic(fmt.Sprint(n, " items"))
		}
		check(exec(ddl[round%len(ddl)]))
		check(exec("SET testpool.rewind = now"))
		if n := number("SELECT max(id) FROM item"); n != 100 {
			panic(fmt.Sprint(n, " is the last item"))
		}
	}
	fmt.Printf("%s: %d tests on one pool\n", name, rounds)
}

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	check(err)
	tests("pgx", func(sql string, values ...any) error {
		_, err := pool.Exec(ctx, sql, values...)
		return err
	}, func(sql string, values ...any) (n int) {
		check(pool.QueryRow(ctx, sql, values...).Scan(&n))
		return n
	})
	pool.Close()

	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	check(err)
	db.SetMaxOpenConns(4)
	tests("database/sql", func(sql string, values ...any) error {
		_, err := db.Exec(sql, values...)
		return err
	}, func(sql string, values ...any) (n int) {
		check(db.QueryRow(sql, values...).Scan(&n))
		return n
	})
	check(db.Close())
}
