package io.github.testpool;

import java.lang.reflect.Method;
import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import javax.sql.DataSource;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestInstanceFactoryContext;
import org.junit.jupiter.api.extension.TestInstancePreConstructCallback;
import org.junit.platform.commons.support.AnnotationSupport;

/** Leases a database before a test, gives it back after, and keeps it if the test has failed. */
final class TestPoolExtension implements BeforeAllCallback, TestInstancePreConstructCallback, BeforeEachCallback,
        AfterTestExecutionCallback, AfterEachCallback, ParameterResolver {
    private static final Namespace NAMESPACE = Namespace.create(TestPoolExtension.class);

    /** What one process has. */
    @SuppressWarnings("deprecation") // JUnit before 5.13 closes these, later ones want AutoCloseable
    private static final class State implements ExtensionContext.Store.CloseableResource, AutoCloseable {
        final Pool pool;
        final Map<String, Template> templates = new ConcurrentHashMap<>();

        State(Settings settings) {
            pool = settings.pool();
        }

        @Override
        public void close() throws SQLException {
            pool.close();
        }
    }

    /** What one test has. */
    private static final class Leases {
        Database own;
        boolean failed; // and told
        final List<Database> clones = new ArrayList<>();

        List<Database> all() {
            var all = new ArrayList<Database>();
            if (own != null) all.addAll(own.withMore());
            clones.forEach(clone -> all.addAll(clone.withMore()));
            return all;
        }
    }

    private static State state(ExtensionContext context) {
        return context.getRoot().getStore(NAMESPACE)
                .getOrComputeIfAbsent(State.class, key -> new State(new Settings(context)), State.class);
    }

    private static Leases leases(ExtensionContext context) {
        return context.getStore(NAMESPACE).getOrComputeIfAbsent(Leases.class, key -> new Leases(), Leases.class);
    }

    // ---- which template --------------------------------------------------------------------------------------

    /** The annotation of the method, its class, or a class around that. */
    private static Optional<TestPool> annotation(ExtensionContext context) {
        for (var at = Optional.of(context); at.isPresent(); at = at.get().getParent()) {
            var found = AnnotationSupport.findAnnotation(at.get().getElement(), TestPool.class);
            if (found.isPresent()) return found;
        }
        return Optional.empty();
    }

    private static Template template(ExtensionContext context, TestPool wanted) throws Exception {
        var settings = new Settings(context);
        var own = wanted.migrator() != Migrator.class;
        var text = !wanted.value().isEmpty() ? wanted.value() : settings.parameter("migrations").orElse("");
        var templates = state(context).templates;
        var key = own ? wanted.migrator().getName() : text + "\0";
        var template = templates.get(key);
        if (template == null) {
            var migrator = own ? newInstance(wanted.migrator()) : Migrations.of(text);
            template = Template.of(settings.project(), migrator);
            templates.put(key, template);
        }
        return template;
    }

    private static Migrator newInstance(Class<? extends Migrator> type) throws ReflectiveOperationException {
        var constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        return constructor.newInstance();
    }

    // ---- the application's URL -------------------------------------------------------------------------------

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        setProperty(context);
    }

    @Override
    public void preConstructTestInstance(TestInstanceFactoryContext factory, ExtensionContext context) throws Exception {
        setProperty(context);
    }

    /** An application that reads its URL from a property finds it before it starts. */
    private static void setProperty(ExtensionContext context) throws Exception {
        var property = new Settings(context).parameter("property");
        var wanted = annotation(context);
        if (property.isEmpty() || wanted.isEmpty()) return;
        var pool = state(context).pool;
        System.setProperty(property.get(), pool.urlOf(pool.mainName(template(context, wanted.get()))).jdbc());
    }

    // ---- a test ----------------------------------------------------------------------------------------------

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        var wanted = annotation(context);
        if (wanted.isPresent()) leases(context).own = lease(context, wanted.get());
    }

    private static Database lease(ExtensionContext context, TestPool wanted) throws Exception {
        var template = template(context, wanted);
        var pool = state(context).pool;
        return switch (wanted.mode()) {
            case REWIND -> pool.take(template);
            case CLONE -> pool.acquire(template);
            case SHARED -> pool.shared(template);
        };
    }

    /** Before the test's own clean-up. */
    @Override
    public void afterTestExecution(ExtensionContext context) {
        keepIfFailed(context);
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        keepIfFailed(context);
        var leases = leases(context);
        var own = leases.own;
        leases.own = null;
        try {
            for (var clone : leases.clones) clone.end();
        } finally {
            leases.clones.clear();
            if (own != null) giveBack(context, own);
        }
    }

    private static void giveBack(ExtensionContext context, Database own) throws SQLException {
        if (!own.named) {
            own.end();
        } else if (own.isShared()) {
            own.endTest();
        } else {
            state(context).pool.giveBack(own);
        }
    }

    /** The failure tells of it, whatever shows that, and the report has an entry. */
    private static void keepIfFailed(ExtensionContext context) {
        var failure = context.getExecutionException();
        var leases = leases(context);
        if (failure.isEmpty() || isSkip(failure.get()) || leases.failed) return;
        leases.failed = true;
        var test = context.getTestClass().map(Class::getSimpleName).orElse("") + "."
                + context.getTestMethod().map(Method::getName).orElse("") + " " + context.getDisplayName();
        for (var database : leases.all()) {
            var lines = database.isShared() ? null : state(context).pool.keep(database, test);
            if (lines == null) continue;
            context.publishReportEntry("testpool", lines);
            failure.get().addSuppressed(new Kept(lines));
        }
    }

    private static boolean isSkip(Throwable failure) {
        return failure instanceof org.opentest4j.TestAbortedException;
    }

    /** Stands among a failure's suppressed exceptions. */
    private static final class Kept extends Exception {
        private static final long serialVersionUID = 1;

        Kept(String lines) {
            super(lines, null, false, false);
        }

        @Override
        public String toString() {
            return "testpool: " + getMessage();
        }
    }

    // ---- its parameters --------------------------------------------------------------------------------------

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        var type = parameter.getParameter().getType();
        return (type == DataSource.class || type == Connection.class || type == URI.class || type == Database.class)
                && (parameter.isAnnotated(TestPool.class) || annotation(context).isPresent());
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        if (context.getTestMethod().isEmpty()) {
            throw new ParameterResolutionException("a database is one test's: take it as a parameter of the test, or of @BeforeEach");
        }
        try {
            return as(parameter.getParameter().getType(), database(parameter, context));
        } catch (Exception error) {
            throw new ParameterResolutionException(error.getMessage(), error);
        }
    }

    private static Database database(ParameterContext parameter, ExtensionContext context) throws Exception {
        var another = parameter.findAnnotation(TestPool.class);
        if (another.isEmpty()) return leases(context).own;
        var template = template(context, another.get());
        if (another.get().mode() == TestPool.Mode.SHARED) return state(context).pool.shared(template);
        var clone = state(context).pool.acquire(template);
        leases(context).clones.add(clone);
        return clone;
    }

    private static Object as(Class<?> type, Database database) throws SQLException {
        if (type == DataSource.class) return database.dataSource();
        if (type == Connection.class) return database.connection();
        return type == URI.class ? database.url() : database;
    }
}
