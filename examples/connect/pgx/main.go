// A pgxpool of four connections to DATABASE_URL, shared by four goroutines.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for range 5 {
				_, err := pool.Exec(ctx, "INSERT INTO item (name) VALUES ($1)", fmt.Sprintf("worker %d", worker))
				if err != nil {
					log.Fatal(err)
				}
			}
		}()
	}
	workers.Wait()

	var count int
	var database string
	err = pool.QueryRow(ctx, "SELECT count(*), current_database() FROM item").Scan(&count, &database)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d items in %s\n", count, database)
}
