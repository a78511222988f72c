package io.github.testpool;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;

/** A session of the home database. What it has leased ends with it. */
final class Home implements AutoCloseable {
    private final Connection connection;

    Home(Urls url) throws SQLException {
        try {
            connection = DriverManager.getConnection(url.withParameter("application_name", "testpool").jdbc());
        } catch (SQLException error) {
            throw new SQLException("no PostgreSQL server at " + url.withoutPassword() + ": " + error.getMessage()
                    + "\nSet TESTPOOL_URL, or PGHOST, PGPORT and PGUSER, to a server that has testpool.", error.getSQLState(), error);
        }
        if (ask("SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)')")[0] == null) {
            close();
            throw new SQLException("testpool is not in the database " + url.withoutPassword()
                    + ": load it with shared_preload_libraries = 'testpool', then CREATE EXTENSION testpool there.");
        }
    }

    /** The first row of the answer; {@code {null}} if there is none. */
    synchronized String[] ask(String sql, Object... values) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            try (var rows = statement.executeQuery()) {
                var row = new String[rows.getMetaData().getColumnCount()];
                if (rows.next()) {
                    for (int i = 0; i < row.length; i++) row[i] = rows.getString(i + 1);
                }
                return row;
            }
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
