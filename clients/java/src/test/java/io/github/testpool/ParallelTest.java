package io.github.testpool;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.sql.SQLException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests that run beside each other: a database for each thread, which it keeps. */
class ParallelTest {
    private static final Map<String, Set<String>> DATABASES = new ConcurrentHashMap<>();
    private static final CyclicBarrier BESIDE = new CyclicBarrier(2);

    @TestPool
    @Execution(ExecutionMode.CONCURRENT)
    static class Sample {
        @Test void pear(Database database) throws Exception { add("pear", database); }
        @Test void plum(Database database) throws Exception { add("plum", database); }
        @Test void fig(Database database) throws Exception { add("fig", database); }
        @Test void date(Database database) throws Exception { add("date", database); }
        @Test void kiwi(Database database) throws Exception { add("kiwi", database); }
        @Test void lime(Database database) throws Exception { add("lime", database); }

        private static void add(String name, Database database) throws Exception {
            Items.add(database.dataSource(), name);
            BESIDE.await(1, TimeUnit.MINUTES); // another test is in its database now
            DATABASES.computeIfAbsent(database.name(), any -> ConcurrentHashMap.newKeySet())
                    .add(Items.ask(database.dataSource(), "SELECT pg_backend_pid()"));
        }
    }

    @Test
    void threadsHaveADatabaseEachAndKeepIt() throws SQLException {
        var run = Run.of(Sample.class, Map.of("junit.jupiter.execution.parallel.enabled", "true",
                "junit.jupiter.execution.parallel.config.strategy", "fixed",
                "junit.jupiter.execution.parallel.config.fixed.parallelism", "2",
                "junit.jupiter.execution.parallel.config.fixed.max-pool-size", "2"));
        assertEquals(6, run.passed(), run::toString);
        assertEquals(2, DATABASES.size());
        DATABASES.forEach((name, sessions) -> assertEquals(1, sessions.size(), name));
        assertEquals("0", Items.askHome("SELECT count(*) FROM testpool.databases WHERE state = 'leased' AND database IN ("
                + "'" + String.join("','", DATABASES.keySet()) + "')"));
    }

    @Test
    void aDataSourceIsTheSameFromTestToTest() {
        assertEquals(2, Run.of(SameSource.class, Map.of()).passed());
    }

    @TestPool
    static class SameSource {
        private static DataSource first;

        @ParameterizedTest
        @ValueSource(ints = {1, 2})
        void isTheSame(int number, DataSource source) {
            if (number == 1) first = source;
            assertEquals(first, source);
        }
    }
}
