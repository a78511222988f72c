package io.github.testpool;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import javax.sql.DataSource;

/** What the tests do in a database. */
final class Items {
    private Items() {}

    /** Inserts a row, and expects it to be the second. */
    static void add(DataSource source, String name) throws SQLException {
        try (var connection = source.getConnection()) {
            add(connection, name);
        }
    }

    static void add(Connection connection, String name) throws SQLException {
        assertEquals("2", ask(connection, "INSERT INTO item (name) VALUES ('" + name + "') RETURNING id"));
    }

    static String ask(Connection connection, String sql) throws SQLException {
        try (var statement = connection.createStatement(); var rows = statement.executeQuery(sql)) {
            return rows.next() ? rows.getString(1) : null;
        }
    }

    static String ask(DataSource source, String sql) throws SQLException {
        try (var connection = source.getConnection()) {
            return ask(connection, sql);
        }
    }

    /** Of the home database. */
    static String askHome(String sql) throws SQLException {
        return askAt(Urls.home(System::getenv).jdbc(), sql);
    }

    static String askAt(String jdbcUrl, String sql) throws SQLException {
        try (var connection = DriverManager.getConnection(jdbcUrl)) {
            return ask(connection, sql);
        }
    }
}
