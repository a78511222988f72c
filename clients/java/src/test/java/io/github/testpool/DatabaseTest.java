package io.github.testpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a test finds, in one thread. */
@TestPool
class DatabaseTest {
    private static final Set<String> SESSIONS = ConcurrentHashMap.newKeySet();

    @BeforeEach
    void everyTestFindsTheTemplate(DataSource source) throws SQLException {
        assertEquals("1", Items.ask(source, "SELECT count(*) FROM item"));
    }

    @RepeatedTest(5)
    void theApplicationsConnectionsStay(DataSource source) throws SQLException {
        Items.add(source, "pear");
        SESSIONS.add(Items.ask(source, "SELECT pg_backend_pid()"));
        assertEquals(1, SESSIONS.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"pear", "plum"})
    void argumentsComeFirst(String name, Connection connection) throws SQLException {
        Items.add(connection, name);
        Items.ask(connection, "SELECT first()");
    }

    @Test
    void allParametersAreOfOneDatabase(DataSource source, Connection connection, URI url, Database database) throws SQLException {
        assertEquals(connection.getCatalog(), Items.ask(source, "SELECT current_database()"));
        assertEquals(database.url(), url);
        assertEquals("/" + database.name(), url.getPath());
        assertEquals("1", Items.askAt(database.jdbcUrl(), "SELECT count(*) FROM item"));
        Items.add(connection, "fig");
        database.rewind();
        Items.add(connection, "fig");
    }

    @Test
    void aTestMayHaveSeveral(Database database, @TestPool DataSource another, @TestPool("classpath:more") Connection other) throws Exception {
        Items.add(database.dataSource(), "x");
        Items.add(another, "x");
        Items.add(database.acquire().dataSource(), "x");
        assertEquals("0", Items.ask(other, "SELECT count(*) FROM more"));
    }

    @Test
    @TestPool("flyway:classpath:db/migration")
    void aTestMayHaveAnotherTemplate(DataSource source, @TestPool DataSource usual) throws SQLException {
        assertEquals("1", Items.ask(source, "SELECT count(*) FROM flyway_schema_history WHERE success"));
        Items.add(source, "x");
        Items.add(usual, "x");
    }

    @Nested
    class OfANestedClass {
        @Test
        void finds(Connection connection) throws SQLException {
            Items.add(connection, "x");
        }
    }

    @Nested
    @TestPool(mode = TestPool.Mode.CLONE)
    class Clones {
        private static final Set<String> NAMES = ConcurrentHashMap.newKeySet();

        @RepeatedTest(2)
        void areOtherOnes(Database database) throws SQLException {
            Items.add(database.dataSource(), "x");
            assertTrue(NAMES.add(database.name()));
        }
    }

    @Nested
    @TestPool(mode = TestPool.Mode.SHARED)
    class Shared {
        @RepeatedTest(2)
        void onlyReads(Database database) {
            assertEquals("25006", assertThrows(SQLException.class, () -> Items.add(database.dataSource(), "x")).getSQLState());
        }

        @Test
        void isNotTheTestsOwn(Database database, @TestPool(mode = TestPool.Mode.SHARED) Database again, @TestPool Database own) {
            assertEquals(database.name(), again.name());
            assertNotEquals(database.name(), own.name());
            assertTrue(database.name().contains("~shared-"));
        }
    }
}
