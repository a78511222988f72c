package io.github.testpool;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Gives the tests of a class, or a test, a database that is as its template. They take it as a parameter:
 * {@link javax.sql.DataSource}, {@link java.sql.Connection}, {@link java.net.URI} or {@link Database}.
 * On a parameter it is one more database, of whatever template, until the test ends.
 */
@Documented
@Inherited
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.METHOD, ElementType.PARAMETER})
@ExtendWith(TestPoolExtension.class)
public @interface TestPool {
    /**
     * What builds the template: a folder of .sql files, {@code schema.sql}, {@code flyway:classpath:db/migration},
     * or {@code liquibase:db/changelog/db.changelog-master.yaml}. Default: the configuration parameter
     * {@code testpool.migrations}, else what Flyway's or Liquibase's own default location holds.
     */
    String value() default "";

    /** Builds the template instead. */
    Class<? extends Migrator> migrator() default Migrator.class;

    Mode mode() default Mode.REWIND;

    enum Mode {
        /** One database for each thread of tests, rewound after each: connections to it stay. */
        REWIND,
        /** Another database for each test. */
        CLONE,
        /** One that all tests which only read share. Writing is an error. */
        SHARED
    }
}
