package io.github.testpool;

import java.io.IOException;
import java.nio.file.Files;
import java.sql.DriverManager;
import java.sql.SQLException;

/** Runs .sql files by name, each in a transaction. */
final class SqlMigrator implements Migrator {
    private final Sources sources;

    SqlMigrator(String place, Sources sources) throws IOException {
        this.sources = sources.ending(".sql");
        if (this.sources.files().isEmpty()) throw new IOException("there is no .sql file in " + place);
    }

    @Override
    public String hash() throws IOException {
        return sources.hash("sql");
    }

    @Override
    public void migrate(String jdbcUrl) throws IOException, SQLException {
        // A simple query is sent as it stands, whatever statements and question marks it has.
        try (var connection = DriverManager.getConnection(Urls.with(jdbcUrl, "preferQueryMode=simple"));
                var statement = connection.createStatement()) {
            statement.setEscapeProcessing(false);
            for (var file : sources.files().entrySet()) {
                try {
                    statement.execute(Files.readString(file.getValue()));
                } catch (SQLException error) {
                    throw new SQLException(file.getKey() + ": " + error.getMessage(), error.getSQLState(), error);
                }
            }
        }
    }
}
