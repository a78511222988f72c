// A HikariCP pool of four JDBC connections that stays open over fifty rewinds. The driver prepares a
// statement on the server once it has run five times.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.util.ArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Pool {
    private static final int ROUNDS = 50;
    private static final String[] DDL = {
        "ALTER TYPE mood ADD VALUE 'mad'", "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'", "CREATE TABLE other (a int)",
        "TRUNCATE item", "DROP TABLE item"};

    public static void main(String[] arguments) throws Exception {
        var config = new HikariConfig();
        config.setJdbcUrl(System.getenv("JDBC_DATABASE_URL"));
        config.setMaximumPoolSize(4);

        var threads = Executors.newFixedThreadPool(4);
        try (var pool = new HikariDataSource(config)) {
            for (int round = 0; round < ROUNDS; round++) {
                var inserts = new ArrayList<Future<?>>();
                for (int i = 0; i < 20; i++) inserts.add(threads.submit(() -> insert(pool)));
                for (var insert : inserts) insert.get();
                expect(120, number(pool, "SELECT count(*) FROM item WHERE m = ?::mood"));
                run(pool, DDL[round % DDL.length]);
                run(pool, "SET testpool.rewind = now");
                expect(100, number(pool, "SELECT max(id) FROM item WHERE m = ?::mood"));
            }
        }
        threads.shutdown();
        System.out.println("JDBC with HikariCP: " + ROUNDS + " tests on one pool");
    }

    private static Void insert(HikariDataSource pool) throws Exception {
        try (var connection = pool.getConnection();
                var statement = connection.prepareStatement("INSERT INTO item (name) VALUES (?)")) {
            statement.setString(1, "new");
            statement.executeUpdate();
        }
        return null;
    }

    private static void run(HikariDataSource pool, String sql) throws Exception {
        try (var connection = pool.getConnection(); var statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static long number(HikariDataSource pool, String sql) throws Exception {
        try (var connection = pool.getConnection(); var statement = connection.prepareStatement(sql)) {
            statement.setString(1, "sad");
            try (var rows = statement.executeQuery()) {
                rows.next();
                return rows.getLong(1);
            }
        }
    }

    private static void expect(long wanted, long found) {
        if (found != wanted) throw new AssertionError(found + " instead of " + wanted);
    }
}
