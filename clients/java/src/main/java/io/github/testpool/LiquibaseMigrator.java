package io.github.testpool;

import java.io.IOException;
import java.sql.DriverManager;
import liquibase.Contexts;
import liquibase.Liquibase;
import liquibase.database.DatabaseFactory;
import liquibase.database.jvm.JdbcConnection;
import liquibase.resource.ClassLoaderResourceAccessor;

final class LiquibaseMigrator implements Migrator {
    private final String changelog;

    LiquibaseMigrator(String changelog) {
        this.changelog = changelog.replaceFirst("^classpath:", "").replaceFirst("^/", "");
    }

    /** A changelog includes others: those of its folder count. */
    @Override
    public String hash() throws IOException {
        var sources = Sources.ofClassPath(changelog);
        int slash = changelog.lastIndexOf('/');
        if (slash > 0) sources.addAll(Sources.ofClassPath(changelog.substring(0, slash)));
        return sources.hash("liquibase " + Liquibase.class.getPackage().getImplementationVersion() + " " + changelog);
    }

    @Override
    public void migrate(String jdbcUrl) throws Exception {
        var resources = new ClassLoaderResourceAccessor(Thread.currentThread().getContextClassLoader());
        var connection = new JdbcConnection(DriverManager.getConnection(jdbcUrl));
        var database = DatabaseFactory.getInstance().findCorrectDatabaseImplementation(connection);
        try (var liquibase = new Liquibase(changelog, resources, database)) { // which closes the connection
            liquibase.update(new Contexts());
        }
    }
}
