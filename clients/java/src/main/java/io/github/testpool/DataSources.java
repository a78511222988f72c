package io.github.testpool;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/** HikariCP's if it is in the class path, else the driver's. */
final class DataSources {
    private static final boolean POOLED = Migrations.isThere("com.zaxxer.hikari.HikariDataSource");

    private DataSources() {}

    static DataSource of(String jdbcUrl) {
        return POOLED ? Hikari.of(jdbcUrl) : simple(jdbcUrl);
    }

    private static DataSource simple(String jdbcUrl) {
        var source = new PGSimpleDataSource();
        source.setUrl(jdbcUrl);
        return source;
    }

    /** No connection of before is used any more. */
    static void evict(DataSource source) {
        if (POOLED && source != null) Hikari.evict(source);
    }

    static void close(DataSource source) throws SQLException {
        if (POOLED && source != null) Hikari.close(source);
    }

    /** A class of its own, which is loaded only if HikariCP is there. */
    private static final class Hikari {
        static DataSource of(String jdbcUrl) {
            var config = new HikariConfig();
            config.setJdbcUrl(jdbcUrl);
            config.setMinimumIdle(0);
            return new HikariDataSource(config);
        }

        static void evict(DataSource source) {
            ((HikariDataSource) source).getHikariPoolMXBean().softEvictConnections();
        }

        static void close(DataSource source) {
            ((HikariDataSource) source).close();
        }
    }
}
