package io.github.testpool;

/** What builds a template. Implementations of one's own have a constructor without parameters. */
public interface Migrator {
    /** Tells what is built: another hash, another template. {@link Sources} is of use here. */
    String hash() throws Exception;

    /** Fills the empty database at this JDBC URL. */
    void migrate(String jdbcUrl) throws Exception;
}
