// A HikariCP pool of four JDBC connections to JDBC_DATABASE_URL, shared by four threads.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.util.ArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Pool {
    public static void main(String[] arguments) throws Exception {
        var config = new HikariConfig();
        config.setJdbcUrl(System.getenv("JDBC_DATABASE_URL"));
        config.setMaximumPoolSize(4);

        try (var pool = new HikariDataSource(config)) {
            var threads = Executors.newFixedThreadPool(4);
            var inserts = new ArrayList<Future<?>>();
            for (int i = 0; i < 20; i++) inserts.add(threads.submit(() -> insert(pool)));
            for (var insert : inserts) insert.get();
            threads.shutdown();

            try (var connection = pool.getConnection();
                    var statement = connection.createStatement();
                    var rows = statement.executeQuery("SELECT count(*), current_database() FROM item")) {
                rows.next();
                System.out.println(rows.getLong(1) + " items in " + rows.getString(2));
            }
        }
    }

    private static Void insert(HikariDataSource pool) throws Exception {
        try (var connection = pool.getConnection();
                var statement = connection.prepareStatement("INSERT INTO item (name) VALUES (?)")) {
            statement.setString(1, "jdbc");
            statement.executeUpdate();
        }
        return null;
    }
}
