package io.github.testpool;

import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;

/** A leased database. Its URL stays what it is, also if a failed test's contents are kept aside. */
public final class Database {
    private final Pool pool;
    final Template template;
    final Home home;
    final boolean named; // by us: it is rewound, and not given away
    private final Urls url;
    private final Database origin; // of one that is shared
    private DataSource source;
    private final List<Connection> connections = new ArrayList<>(); // of the test
    private final List<Database> more = new ArrayList<>();          // of the test
    String kept; // the URI of what was kept

    Database(Pool pool, Template template, Home home, Urls url, boolean named) {
        this(pool, template, home, url, named, null);
    }

    private Database(Pool pool, Template template, Home home, Urls url, boolean named, Database origin) {
        this.pool = pool;
        this.template = template;
        this.home = home;
        this.url = url;
        this.named = named;
        this.origin = origin;
    }

    /** The same as a test that only reads sees it. */
    Database shared() {
        return new Database(pool, template, home, url.withParameter("options", "-c default_transaction_read_only=on"), named, this);
    }

    boolean isShared() {
        return origin != null;
    }

    public String name() {
        return url.database;
    }

    /** {@code postgresql://…} */
    public URI url() {
        return URI.create(url.uri());
    }

    /** {@code jdbc:postgresql://…} */
    public String jdbcUrl() {
        return url.jdbc();
    }

    /** With HikariCP in the class path a connection pool that stays open from test to test, else each connection is new. */
    public synchronized DataSource dataSource() {
        if (source == null) source = origin == null ? DataSources.of(jdbcUrl()) : origin.dataSource(jdbcUrl());
        return source;
    }

    private synchronized DataSource dataSource(String readOnlyUrl) {
        if (source == null) source = DataSources.of(readOnlyUrl);
        return source;
    }

    /** A connection that is closed when the test has ended. */
    public Connection connection() throws SQLException {
        var connection = dataSource().getConnection();
        synchronized (this) {
            connections.add(connection);
        }
        return connection;
    }

    /** Makes the database as the template again in the middle of a test. Connections stay. */
    public void rewind() throws SQLException {
        home.ask("SELECT testpool.rewind(?)", name());
    }

    /** One more database of the same template, until the test ends. */
    public Database acquire() throws Exception {
        var another = pool.acquire(template);
        synchronized (this) {
            more.add(another);
        }
        return another;
    }

    synchronized List<Database> withMore() {
        var databases = new ArrayList<>(List.of(this));
        more.forEach(each -> databases.addAll(each.withMore()));
        return databases;
    }

    /** As the template is, for the next test. Sessions stay. */
    void renew() throws SQLException {
        endTest();
        rewind();
    }

    /** What was kept is left alone from now on, by the test's clean-up too: a fresh database has its name. */
    void moveOn() throws SQLException {
        if (!named) return;
        DataSources.evict(source);
        home.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ?", Urls.databaseOf(kept));
        kept = null;
        pool.enter(home, name());
    }

    /** What a test has opened ends with it. */
    synchronized void endTest() throws SQLException {
        for (var connection : connections) connection.close();
        connections.clear();
        for (var each : more) each.end();
        more.clear();
    }

    void end() throws SQLException {
        try (home) {
            endTest();
            DataSources.close(source);
            if (kept == null) home.ask("SELECT testpool.release(?)", name());
        }
    }
}
