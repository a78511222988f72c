package io.github.testpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.jar.JarOutputStream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What builds a template, what its hash is made of, and connection URIs. */
class TemplatesTest {
    @Test
    @TestPool("flyway:filesystem:src/test/resources/db/migration")
    void flywayBuilds(Connection connection) throws SQLException {
        Items.add(connection, "x");
    }

    @Test
    @TestPool("liquibase:db/changelog/master.xml")
    void liquibaseBuilds(Connection connection) throws SQLException {
        Items.add(connection, "x");
        assertEquals("2", Items.ask(connection, "SELECT count(*) FROM databasechangelog"));
    }

    static class Own implements Migrator {
        @Override
        public String hash() throws IOException {
            return Sources.of(Path.of("src/test/resources/more")).hash("own");
        }

        @Override
        public void migrate(String jdbcUrl) throws SQLException {
            try (var connection = DriverManager.getConnection(jdbcUrl); var statement = connection.createStatement()) {
                statement.execute("CREATE TABLE own (a int)");
            }
        }
    }

    @Test
    @TestPool(migrator = Own.class)
    void aClassBuilds(Connection connection) throws SQLException {
        assertEquals("0", Items.ask(connection, "SELECT count(*) FROM own"));
    }

    @TestPool
    static class DefaultSample {
        @Test
        void hasFlyways(Connection connection) throws SQLException {
            assertEquals("1", Items.ask(connection, "SELECT count(*) FROM flyway_schema_history WHERE success"));
        }
    }

    @Test
    void flywaysDefaultLocationIsTheDefault() {
        var run = Run.of(DefaultSample.class, Map.of("testpool.migrations", ""));
        assertEquals(1, run.passed(), run::toString);
    }

    @TestPool
    static class ApplicationSample {
        private static final String URL = System.getProperty("shop.url"); // before the first test, as applications do

        @Test
        void findsItsUrlSet(Connection connection, Database database) throws SQLException {
            assertEquals(database.jdbcUrl(), URL);
            assertEquals("1", Items.askAt(URL, "SELECT count(*) FROM item"));
        }
    }

    @Test
    void anApplicationsPropertyIsSet() {
        var run = Run.of(ApplicationSample.class, Map.of("testpool.property", "shop.url"));
        assertEquals(1, run.passed(), run::toString);
    }

    @Test
    void theHashIsOfNamesAndContentsAndNotOfThePlace(@TempDir Path folder) throws IOException {
        var first = hash(folder.resolve("1"), Map.of("a", "1", "x/b", "2"));
        assertEquals(first, hash(folder.resolve("2"), Map.of("a", "1", "x/b", "2")));
        assertNotEquals(first, hash(folder.resolve("3"), Map.of("a", "12", "x/b", "")));
        assertNotEquals(first, hash(folder.resolve("4"), Map.of("a", "1", "x/c", "2")));
        assertThrows(IOException.class, () -> Sources.of(folder.resolve("5")));
        Files.createDirectory(folder.resolve("6"));
        assertThrows(IOException.class, () -> Migrations.of(folder.resolve("6").toString()));
        assertThrows(IOException.class, () -> Migrations.of("classpath:nowhere"));
    }

    private static String hash(Path folder, Map<String, String> files) throws IOException {
        for (var file : files.entrySet()) {
            var path = folder.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.writeString(path, file.getValue());
        }
        return Sources.of(folder).hash("sql");
    }

    @Test
    void migrationsMayLieInAJar(@TempDir Path folder) throws Exception {
        var jar = folder.resolve("x.jar");
        try (var out = new JarOutputStream(Files.newOutputStream(jar))) {
            for (var name : new String[] {"packed/", "packed/1.sql"}) {
                out.putNextEntry(new ZipEntry(name));
                if (name.endsWith("sql")) out.write("SELECT 1".getBytes());
            }
        }
        var thread = Thread.currentThread();
        var usual = thread.getContextClassLoader();
        try (var loader = new java.net.URLClassLoader(new java.net.URL[] {jar.toUri().toURL()}, usual)) {
            thread.setContextClassLoader(loader);
            var packed = hash(folder.resolve("7"), Map.of("1.sql", "SELECT 1"));
            assertEquals(packed, Migrations.of("classpath:packed").hash());
            assertEquals(packed, Sources.ofClassPath("packed").hash("sql"));
        } finally {
            thread.setContextClassLoader(usual);
        }
    }

    @Test
    void connectionUris() {
        var home = Urls.home(Map.of("TESTPOOL_URL", "postgres://a:p%40s@h1:1,h2:2?sslmode=require&target_session_attrs=read-write")::get);
        assertEquals("postgresql://a:p%40s@h1:1,h2:2/postgres?sslmode=require&target_session_attrs=read-write", home.uri());
        assertEquals("jdbc:postgresql://h1:1,h2:2/shop~1?user=a&password=p%40s&sslmode=require&targetServerType=primary",
                home.withDatabase("shop~1").jdbc());
        assertEquals("postgresql://a@h1:1,h2:2/postgres?sslmode=require&target_session_attrs=read-write", home.withoutPassword());
        var variables = Urls.home(Map.of("PGHOST", "h1,::1", "PGPORT", "5433", "PGUSER", "a b", "PGDATABASE", "x")::get);
        assertEquals("postgresql://a%20b@h1:5433,[::1]:5433/x", variables.uri());
        assertEquals("jdbc:postgresql://localhost:5433/x?user=a",
                Urls.home(Map.of("TESTPOOL_URL", "postgresql://a@/x?host=/run/pg&port=5433")::get).jdbc());
        assertEquals("shop~ä", Urls.databaseOf("postgresql://a@h/shop~%C3%A4?x=y"));
        assertThrows(IllegalArgumentException.class, () -> Urls.home(Map.of("TESTPOOL_URL", "host=x")::get));
    }
}
