package testpool

import (
	"os"
	"testing"
	"testing/fstest"
)

func TestURLs(t *testing.T) {
	for _, each := range []struct{ given, want string }{
		{"postgresql://a@h1:1,h2:2/home?sslmode=require", "postgresql://a@h1:1,h2:2/home?sslmode=require"},
		{"postgres://a:p%40ss@h", "postgresql://a:p%40ss@h:5432/postgres"},
		{"postgresql://a@[::1]:5433/x", "postgresql://a@[::1]:5433/x"},
		{"postgresql://a@/x?host=/run/pg&port=5433&sslmode=disable", "postgresql://a@/x?host=%2Frun%2Fpg&port=5433&sslmode=disable"},
	} {
		if config, err := parse(Config{}, each.given); err != nil || config.URL() != each.want {
			t.Errorf("%s: got %s, %v", each.given, config.URL(), err)
		}
	}
	if _, err := parse(Config{}, "host=x"); err == nil {
		t.Error("what is no URI is taken")
	}
	if url := (Config{Host: "h1,h2", Port: "5433", User: "a b"}).withDefaults().URL(); url != "postgresql://a%20b@h1:5433,h2:5433/postgres" {
		t.Error(url)
	}
}

func TestTheHashIsOfNamesAndContents(t *testing.T) {
	hash := func(files fstest.MapFS) string {
		hash, err := SQLFS(files).Hash()
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	first := hash(fstest.MapFS{"a": file("1"), "b": file("2")})
	if first != hash(fstest.MapFS{"b": file("2"), "a": file("1")}) || first == hash(fstest.MapFS{"a": file("12"), "b": file("")}) ||
		first == hash(fstest.MapFS{"a": file("1"), "c": file("2")}) {
		t.Error("another hash is wanted")
	}
	if _, err := SQL(t.TempDir()).Hash(); err == nil {
		t.Error("no migrations are taken for some")
	}
	if _, err := SQLFS(os.DirFS("nowhere")).Hash(); err == nil {
		t.Error("a folder that is not there is taken for one")
	}
}

func TestAConfigOfAnotherPackageIsFilled(t *testing.T) {
	type other struct{ Host, Database, More string }
	if got := configAs[other](Config{Host: "h", Database: "d"}); got != (other{"h", "d", ""}) {
		t.Error(got)
	}
}
