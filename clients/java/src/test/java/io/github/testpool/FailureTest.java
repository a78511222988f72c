package io.github.testpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests that fail on purpose, what is said of them, and what is left. */
class FailureTest {
    private static final Pattern KEPT = Pattern.compile("kept: (postgresql://\\S+/(\\w+))");

    @TestPool
    static class FailingSample {
        @ParameterizedTest
        @ValueSource(strings = {"pear", "plum", "fig", "date"})
        void fails(String name, DataSource source) throws SQLException {
            Items.add(source, name);
            if (!name.equals("fig")) fail("on purpose");
        }

        @Test
        void fails(Connection connection, @TestPool Connection another) throws SQLException {
            Items.add(connection, "both");
            Items.add(another, "both");
            fail("on purpose");
        }

        @Test
        void isSkipped() {
            assumeTrue(false);
        }

        @AfterEach
        void cleanUp(DataSource source) throws SQLException {
            Items.ask(source, "DELETE FROM item RETURNING id");
        }
    }

    @Test
    void aFailedTestsDatabaseIsKeptAndToldAndTheNextTestHasAnother() throws SQLException {
        var run = Run.of(FailingSample.class, Map.of("testpool.run", "kept"));
        assertEquals(1, run.passed(), run::toString);
        assertEquals(4, run.failures.size(), run::toString);
        assertEquals(3, run.entries.size(), run::toString);
        for (var entry : run.entries) {
            assertTrue(run.failures.stream().anyMatch(failure -> failure.contains("Suppressed: testpool: " + entry.lines().findFirst().get())));
            assertTrue(entry.contains("changed table public.item: 1 "), entry);
            var kept = KEPT.matcher(entry);
            assertTrue(kept.find(), entry);
            var names = List.of("pear", "plum", "date", "both");
            var url = Urls.home(System::getenv).withDatabase(kept.group(2)).jdbc();
            assertTrue(names.contains(Items.askAt(url, "SELECT name FROM item WHERE id = 2")));
            Items.askHome("SELECT testpool.release('" + kept.group(2) + "')");
        }
        assertEquals(List.of(), Run.of(FailingSample.class, Map.of("testpool.keep", "0")).entries);
    }

    /** As each of its processes would find the same run. */
    @Test
    void aRunIsOneOfSurefire() throws SQLException {
        assumeTrue(System.getProperty("surefire.test.class.path") != null, "Surefire does not run this");
        var first = Run.of(FailingSample.class, Map.of());
        assertEquals(3, first.entries.size(), first::toString);
        assertEquals(List.of(), Run.of(FailingSample.class, Map.of()).entries);
        for (var entry : first.entries) {
            var kept = KEPT.matcher(entry);
            assertTrue(kept.find(), entry);
            Items.askHome("SELECT testpool.release('" + kept.group(2) + "')");
        }
    }

    @TestPool("src/test/resources/broken")
    static class BrokenSample {
        @ParameterizedTest
        @ValueSource(ints = {1, 2})
        void cannotBegin(int number) {}
    }

    @Test
    void aFailedMigrationIsTold() throws SQLException {
        var run = Run.of(BrokenSample.class, Map.of());
        assertEquals(2, run.failures.stream().filter(failure -> failure.contains("1.sql: ERROR: division by zero")).count(), run::toString);
        assertEquals("t", Items.askHome(
                "SELECT bool_or(reason LIKE '1.sql: %division by zero%') FROM testpool.templates WHERE state = 'discarded'"));
    }

    @Test
    void whatIsMissingIsTold() {
        var nowhere = Run.of(FailingSample.class, Map.of("testpool.url", "postgresql://somebody:secret@127.0.0.1:1/postgres"));
        assertTrue(nowhere.failures.get(0).contains("no PostgreSQL server at postgresql://somebody@127.0.0.1:1/postgres"), nowhere::toString);
        assertFalse(nowhere.toString().contains("secret"), nowhere::toString);
        var without = Run.of(FailingSample.class, Map.of("testpool.url", Urls.home(System::getenv).withDatabase("template1").uri()));
        assertTrue(without.failures.get(0).contains("CREATE EXTENSION testpool"), without::toString);
        var empty = Run.of(BrokenSample.class, Map.of("testpool.url", "host=x"));
        assertTrue(empty.failures.get(0).contains("TESTPOOL_URL is no postgresql:// URI"), empty::toString);
    }

    @TestPool
    static class BeforeAllSample {
        @BeforeAll
        static void wants(DataSource source) {
            fail("on a database of no test");
        }

        @Test
        void passes() {}
    }

    @Test
    void aDatabaseIsATests() {
        var run = Run.of(BeforeAllSample.class, Map.of());
        assertTrue(run.failures.get(0).contains("a database is one test's"), run::toString);
    }
}
