package testpool

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Config says where testpool's home database is. Its fields are those of pgtestdb.Config. The zero value
// is TESTPOOL_URL, a postgresql:// URI with one host or several, else libpq's PG* variables.
type Config struct {
	DriverName string // for database/sql; empty: "pgx" or "postgres", whichever is registered
	Host       string
	Port       string
	User       string
	Password   string
	Database   string // the home database; empty: postgres
	Options    string // of the URI's query, such as "sslmode=disable"
}

// URL returns the connection URI.
func (c Config) URL() string {
	user := url.User(c.User)
	if c.Password != "" {
		user = url.UserPassword(c.User, c.Password)
	}
	hosts, options := c.Host, c.Options
	if strings.HasPrefix(c.Host, "/") {
		socket := url.Values{"host": {c.Host}, "port": {c.Port}}.Encode()
		hosts, options = "", strings.Trim(socket+"&"+options, "&")
	} else if strings.Contains(c.Port, ",") || !strings.Contains(c.Host, ",") {
		hosts = withPorts(c.Host, c.Port)
	} else {
		hosts = withPorts(c.Host, strings.Repeat(c.Port+",", strings.Count(c.Host, ",")+1))
	}
	if options != "" {
		options = "?" + options
	}
	return "postgresql://" + user.String() + "@" + hosts + "/" + url.PathEscape(c.Database) + options
}

func withPorts(hosts, ports string) string {
	var list []string
	each := strings.Split(ports, ",")
	for i, host := range strings.Split(hosts, ",") {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if i < len(each) && each[i] != "" {
			host += ":" + each[i]
		}
		list = append(list, host)
	}
	return strings.Join(list, ",")
}

// complete fills what the caller left to the environment.
func (c Config) complete() (Config, error) {
	if c.DriverName == "" {
		for _, name := range []string{"pgx", "postgres"} {
			if slices.Contains(sql.Drivers(), name) {
				c.DriverName = name
				break
			}
		}
	}
	if !slices.Contains(sql.Drivers(), c.DriverName) {
		return c, fmt.Errorf("no driver %q: import _ %q, or set DriverName", c.DriverName, "github.com/jackc/pgx/v5/stdlib")
	}
	if c.Host != "" {
		return c.withDefaults(), nil
	}
	if uri := os.Getenv("TESTPOOL_URL"); uri != "" {
		return parse(c, uri)
	}
	c.Host = or(os.Getenv("PGHOST"), "localhost")
	c.Port = or(c.Port, os.Getenv("PGPORT"))
	c.User = or(c.User, os.Getenv("PGUSER"), os.Getenv("USER"))
	c.Password = or(c.Password, os.Getenv("PGPASSWORD"))
	c.Database = or(c.Database, os.Getenv("PGDATABASE"))
	return c.withDefaults(), nil
}

func (c Config) withDefaults() Config {
	c.Port, c.User, c.Database = or(c.Port, "5432"), or(c.User, "postgres"), or(c.Database, "postgres")
	return c
}

// parse takes a URI apart by hand: url.Parse knows no URI with several hosts.
func parse(c Config, uri string) (Config, error) {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || scheme != "postgres" && scheme != "postgresql" {
		return c, fmt.Errorf("TESTPOOL_URL is no postgresql:// URI")
	}
	rest, c.Options, _ = strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		c.User, c.Password = unescape(user), unescape(password)
		authority = authority[i+1:]
	}
	var hosts, ports []string
	for _, each := range strings.Split(authority, ",") {
		host, port := each, "5432"
		if i := strings.LastIndex(each, ":"); i > strings.LastIndex(each, "]") {
			host, port = each[:i], each[i+1:]
		}
		hosts, ports = append(hosts, strings.Trim(host, "[]")), append(ports, port)
	}
	c.Host, c.Port, c.Database = strings.Join(hosts, ","), strings.Join(ports, ","), or(unescape(database), "postgres")
	if query, err := url.ParseQuery(c.Options); err == nil && query.Has("host") {
		c.Host, c.Port = query.Get("host"), or(query.Get("port"), "5432")
		query.Del("host")
		query.Del("port")
		c.Options = query.Encode()
	}
	return c.withDefaults(), nil
}

func unescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

func or(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
