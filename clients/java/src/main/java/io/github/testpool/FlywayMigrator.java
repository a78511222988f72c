package io.github.testpool;

import java.io.IOException;
import java.nio.file.Path;
import org.flywaydb.core.Flyway;

final class FlywayMigrator implements Migrator {
    private final String[] locations;

    FlywayMigrator(String... locations) {
        this.locations = locations;
    }

    @Override
    public String hash() throws IOException {
        var sources = new Sources();
        for (var location : locations) sources.addAll(of(location.strip()));
        return sources.hash("flyway " + Flyway.class.getPackage().getImplementationVersion());
    }

    private static Sources of(String location) throws IOException {
        if (location.startsWith("filesystem:")) return Sources.of(Path.of(location.substring("filesystem:".length())));
        return Sources.ofClassPath(location.replaceFirst("^classpath:", "").replaceFirst("^/", ""));
    }

    @Override
    public void migrate(String jdbcUrl) {
        Flyway.configure(Thread.currentThread().getContextClassLoader())
                .dataSource(jdbcUrl, null, null).locations(locations).load().migrate();
    }
}
