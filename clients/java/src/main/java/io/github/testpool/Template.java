package io.github.testpool;

import java.util.Locale;

/** A template as its migrator names it: another hash, another template. */
record Template(String name, String hash, Migrator migrator) {
    static Template of(String project, Migrator migrator) throws Exception {
        var label = project.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9_]+", "_").replaceAll("^_+|_+$", "");
        label = label.isEmpty() ? "tests" : label.substring(0, Math.min(label.length(), 20));
        var hash = Sources.hashOf(label + "\0" + migrator.hash());
        return new Template(label + "-" + hash.substring(0, 12), hash, migrator);
    }
}
