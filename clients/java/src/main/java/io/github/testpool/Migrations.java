package io.github.testpool;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Which migrator a text such as {@code flyway:classpath:db/migration} means. */
final class Migrations {
    private static final List<String> CHANGELOGS = List.of("yaml", "yml", "xml", "json", "sql");

    private Migrations() {}

    static Migrator of(String text) throws IOException {
        if (text.isEmpty()) return found();
        if (text.startsWith("flyway:")) return new FlywayMigrator(text.substring("flyway:".length()).split(","));
        if (text.startsWith("liquibase:")) return new LiquibaseMigrator(text.substring("liquibase:".length()));
        if (text.startsWith("classpath:")) return new SqlMigrator(text, Sources.ofClassPath(text.substring("classpath:".length())));
        return new SqlMigrator(text, Sources.of(Path.of(text)));
    }

    /** The tool whose own default location is there. */
    private static Migrator found() throws IOException {
        if (isThere("org.flywaydb.core.Flyway") && !Sources.resources("db/migration").isEmpty()) {
            return new FlywayMigrator("classpath:db/migration");
        }
        for (var format : CHANGELOGS) {
            var changelog = "db/changelog/db.changelog-master." + format;
            if (isThere("liquibase.Liquibase") && !Sources.resources(changelog).isEmpty()) return new LiquibaseMigrator(changelog);
        }
        throw new IOException("say what builds the template: @TestPool(\"migrations\"), "
                + "or testpool.migrations = migrations in junit-platform.properties");
    }

    static boolean isThere(String className) {
        try {
            Class.forName(className, false, Migrations.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException error) {
            return false;
        }
    }
}
