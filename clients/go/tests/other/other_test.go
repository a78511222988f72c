// Package other is one more package of the same `go test`: it races for the same template.
package other

import (
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	testpool "github.com/testpool/testpool/clients/go"
)

func TestOfAnotherPackage(t *testing.T) {
	var id int
	db := testpool.New(t, testpool.Config{}, testpool.SQL("../migrations"))
	if err := db.QueryRow("INSERT INTO item (name) VALUES ('x') RETURNING id").Scan(&id); err != nil || id != 2 {
		t.Fatal(id, err)
	}
}
