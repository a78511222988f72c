package io.github.testpool;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.reporting.ReportEntry;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** A run of a class whose tests may fail on purpose, and what it reports. */
final class Run implements TestExecutionListener {
    final List<String> entries = new ArrayList<>();
    final List<String> failures = new ArrayList<>(); // with stack traces, as a person sees them
    private int passed;

    static Run of(Class<?> sample, Map<String, String> parameters) {
        var run = new Run();
        var request = LauncherDiscoveryRequestBuilder.request().selectors(selectClass(sample))
                .configurationParameters(parameters).build();
        LauncherFactory.create(LauncherConfig.builder().enableTestExecutionListenerAutoRegistration(false).build()).execute(request, run);
        return run;
    }

    int passed() {
        return passed;
    }

    @Override
    public synchronized void reportingEntryPublished(TestIdentifier test, ReportEntry entry) {
        entries.addAll(entry.getKeyValuePairs().values());
    }

    @Override
    public synchronized void executionFinished(TestIdentifier test, TestExecutionResult result) {
        if (result.getStatus() == TestExecutionResult.Status.FAILED) failures.add(told(result.getThrowable().orElseThrow()));
        if (test.isTest() && result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) passed++;
    }

    private static String told(Throwable failure) {
        var text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    @Override
    public String toString() {
        return passed + " passed\n" + String.join("\n", failures);
    }
}
