package io.github.testpool;

import java.security.SecureRandom;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** The server as this process sees it: which templates are built, and which databases are whose. */
final class Pool {
    private final Urls url;
    final String run;
    private final int keepAtMost;
    private final String token;
    private final Map<String, Building> built = new HashMap<>();
    private final Map<String, Deque<Database>> idle = new HashMap<>();
    private final Map<String, Database> shared = new HashMap<>();
    private final Map<String, Integer> named = new HashMap<>();
    private final List<Database> all = new ArrayList<>();

    Pool(Urls url, String run, int keepAtMost) {
        this.url = url;
        this.run = run;
        this.keepAtMost = keepAtMost;
        var random = new byte[4];
        new SecureRandom().nextBytes(random);
        token = HexFormat.of().formatHex(random);
    }

    Urls urlOf(String database) {
        return url.withDatabase(database);
    }

    /** The name of the first database that this process rewinds: known before the server is asked. */
    String mainName(Template template) {
        return nameOf(template, 1);
    }

    private String nameOf(Template template, int number) {
        return template.name() + "~junit" + number + "-" + token;
    }

    /** A database that is as the template, which {@link #giveBack} rewinds. There are as many as tests run at once. */
    Database take(Template template) throws Exception {
        build(template);
        int number;
        synchronized (this) {
            var waiting = idle.computeIfAbsent(template.hash(), hash -> new ArrayDeque<>());
            if (!waiting.isEmpty()) return waiting.pop();
            number = named.merge(template.hash(), 1, Integer::sum);
        }
        return enter(template, nameOf(template, number));
    }

    void giveBack(Database database) throws SQLException {
        try {
            database.renew();
        } catch (SQLException error) {
            database.end(); // the next test has another
            synchronized (this) {
                all.remove(database);
            }
            throw error;
        }
        synchronized (this) {
            idle.get(database.template.hash()).push(database);
        }
    }

    /** Another database, which ends with the test. */
    Database acquire(Template template) throws Exception {
        build(template);
        var home = new Home(url);
        try {
            var name = home.ask("SELECT testpool.acquire(?)", template.hash())[0];
            return new Database(this, template, home, urlOf(name), false);
        } catch (SQLException error) {
            home.close();
            throw error;
        }
    }

    /** The one that tests which only read share. */
    synchronized Database shared(Template template) throws Exception {
        var database = shared.get(template.hash());
        if (database == null) {
            build(template);
            database = enter(template, template.name() + "~shared-" + token);
            shared.put(template.hash(), database);
        }
        return database.shared();
    }

    /** Leases the clone of this name for a home session of ours: the lease lasts as long as that. */
    private Database enter(Template template, String name) throws SQLException {
        var home = new Home(url);
        try {
            enter(home, name);
        } catch (SQLException error) {
            home.close();
            throw error;
        }
        var database = new Database(this, template, home, urlOf(name), true);
        synchronized (this) {
            all.add(database);
        }
        return database;
    }

    void enter(Home home, String name) throws SQLException {
        var visitor = DriverManager.getConnection(urlOf(name).jdbc());
        try {
            home.ask("SELECT testpool.renew(?)", name);
        } finally {
            visitor.close();
        }
    }

    /** Keeps a failed test's database; returns the lines of a report, or null if enough are kept. */
    String keep(Database database, String test) {
        try {
            var kept = database.home.ask("SELECT url, changes FROM testpool.keep_failed(?, ?, ?, ?)", database.name(), test, run, keepAtMost);
            if (kept[0] == null) return null;
            database.kept = kept[0];
            return "kept: " + kept[0] + "\nthe test's changes:\n  " + kept[1].replace("\n", "\n  ") + moveOn(database);
        } catch (SQLException error) {
            return "not kept: " + error.getMessage();
        }
    }

    private static String moveOn(Database database) {
        try {
            database.moveOn();
            return "";
        } catch (SQLException error) {
            return "\nno fresh one of its name: " + error.getMessage();
        }
    }

    /** Sees that the template is there: of all threads and processes that come, one builds. */
    private void build(Template template) throws Exception {
        Building building;
        synchronized (built) {
            building = built.computeIfAbsent(template.hash(), hash -> new Building());
        }
        building.see(template);
    }

    private final class Building {
        private boolean done;
        private Exception failed;

        synchronized void see(Template template) throws Exception {
            if (failed != null) throw new IllegalStateException(failed.getMessage(), failed);
            if (done) return;
            try {
                claim(template);
                done = true;
            } catch (Exception error) {
                failed = error;
                throw error;
            }
        }
    }

    private void claim(Template template) throws Exception {
        try (var home = new Home(url)) {
            home.ask("SELECT set_config('testpool.template_timeout', '10min', false)");
            var database = home.ask("SELECT testpool.init_template(?, name => ?)", template.hash(), template.name())[0];
            if (database == null) return;
            try {
                template.migrator().migrate(urlOf(database).jdbc());
            } catch (Exception error) {
                var reason = String.valueOf(error.getMessage());
                home.ask("SELECT testpool.discard(?, ?)", template.hash(), reason.substring(0, Math.min(reason.length(), 900)));
                throw error;
            }
            home.ask("SELECT testpool.finalize(?)", template.hash());
        }
    }

    synchronized void close() throws SQLException {
        for (var database : all) database.end();
        all.clear();
    }
}
