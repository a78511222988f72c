package io.github.testpool;

import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * What is set: JUnit's configuration parameters {@code testpool.url}, {@code testpool.run}, {@code testpool.keep},
 * else the variables {@code TESTPOOL_URL} and so on.
 */
final class Settings {
    /** Surefire starts each of a run's processes with its start in the command. */
    private static final Pattern SUREFIRE = Pattern.compile("surefire (\\S+)-jvmRun\\d+ ");

    private final ExtensionContext context;

    Settings(ExtensionContext context) {
        this.context = context;
    }

    Optional<String> parameter(String name) {
        return context.getConfigurationParameter("testpool." + name).filter(value -> !value.isEmpty());
    }

    private Optional<String> set(String name) {
        return parameter(name).or(() -> Optional.ofNullable(System.getenv("TESTPOOL_" + name.toUpperCase())).filter(value -> !value.isEmpty()));
    }

    Pool pool() {
        UnaryOperator<String> environment = name -> name.equals("TESTPOOL_URL") ? set("url").orElse(null) : System.getenv(name);
        return new Pool(Urls.home(environment), run(), set("keep").map(Integer::valueOf).orElse(3));
    }

    /** What all processes of one run have in common. */
    private String run() {
        var command = SUREFIRE.matcher(System.getProperty("sun.java.command", ""));
        return set("run").orElseGet(() -> "junit-" + Sources.hashOf(command.find()
                ? project() + command.group(1) : String.valueOf(new SecureRandom().nextLong())).substring(0, 8));
    }

    /** What the template's name begins with. */
    String project() {
        return parameter("project").orElseGet(() -> String.valueOf(Path.of("").toAbsolutePath().getFileName()));
    }
}
