package io.github.testpool;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/**
 * Where the home database is, and the same server with another database: as libpq's connection URI, and as
 * the URL of the JDBC driver, which names user and password among the parameters.
 */
final class Urls {
    private static final Pattern URI =
            Pattern.compile("postgres(?:ql)?://(?:([^@/?:]*)(?::([^@/?]*))?@)?([^/?]*)(?:/([^?]*))?(?:\\?(.*))?");

    private final String user;
    private final String password;
    private final String hosts; // with ports; several have commas between
    private final Map<String, String> parameters;
    final String database;

    private Urls(String user, String password, String hosts, Map<String, String> parameters, String database) {
        this.user = user;
        this.password = password;
        this.hosts = hosts;
        this.parameters = parameters;
        this.database = database;
    }

    /** TESTPOOL_URL, else libpq's variables. */
    static Urls home(UnaryOperator<String> environment) {
        var url = environment.apply("TESTPOOL_URL");
        return url != null && !url.isEmpty() ? parse(url, environment) : ofVariables(environment);
    }

    private static Urls parse(String url, UnaryOperator<String> environment) {
        var match = URI.matcher(url);
        if (!match.matches()) throw new IllegalArgumentException("TESTPOOL_URL is no postgresql:// URI");
        var parameters = new LinkedHashMap<String, String>();
        if (match.group(5) != null) {
            for (var each : match.group(5).split("&")) {
                var pair = each.split("=", 2);
                parameters.put(decoded(pair[0]), pair.length == 2 ? decoded(pair[1]) : "");
            }
        }
        var user = match.group(1) == null || match.group(1).isEmpty() ? userOf(environment) : decoded(match.group(1));
        var password = match.group(2) == null ? environment.apply("PGPASSWORD") : decoded(match.group(2));
        var hosts = match.group(3);
        if (parameters.containsKey("host")) {
            hosts = withPorts(parameters.remove("host"), or(parameters.remove("port"), "5432"));
        }
        return new Urls(user, password, or(hosts, "localhost"), parameters, or(decoded(or(match.group(4), "")), "postgres"));
    }

    static String databaseOf(String uri) {
        return parse(uri, name -> null).database;
    }

    private static Urls ofVariables(UnaryOperator<String> environment) {
        var hosts = withPorts(or(environment.apply("PGHOST"), "localhost"), or(environment.apply("PGPORT"), "5432"));
        return new Urls(userOf(environment), environment.apply("PGPASSWORD"), hosts, Map.of(),
                or(environment.apply("PGDATABASE"), "postgres"));
    }

    private static String userOf(UnaryOperator<String> environment) {
        return or(environment.apply("PGUSER"), or(environment.apply("USER"), "postgres"));
    }

    /** Several hosts have a port each, or one for all, as in libpq. The driver knows no socket: localhost serves. */
    private static String withPorts(String hosts, String ports) {
        var each = hosts.split(",");
        var port = ports.split(",");
        for (int i = 0; i < each.length; i++) {
            var host = each[i].startsWith("/") ? "localhost" : each[i].contains(":") ? "[" + each[i] + "]" : each[i];
            each[i] = host + ":" + port[port.length == 1 ? 0 : i];
        }
        return String.join(",", each);
    }

    Urls withDatabase(String name) {
        return new Urls(user, password, hosts, parameters, name);
    }

    Urls withParameter(String name, String value) {
        var more = new LinkedHashMap<>(parameters);
        more.put(name, value);
        return new Urls(user, password, hosts, more, database);
    }

    /** {@code postgresql://…} */
    String uri() {
        return uri(password == null ? "" : ":" + encoded(password));
    }

    String withoutPassword() {
        return uri("");
    }

    private String uri(String password) {
        var query = new StringBuilder();
        parameters.forEach((name, value) -> query.append(query.isEmpty() ? "?" : "&").append(name).append("=").append(encoded(value)));
        return "postgresql://" + encoded(user) + password + "@" + hosts + "/" + encoded(database) + query;
    }

    /** {@code jdbc:postgresql://…} */
    String jdbc() {
        var url = new StringBuilder("jdbc:postgresql://" + hosts + "/" + encoded(database) + "?user=" + encoded(user));
        if (password != null) url.append("&password=").append(encoded(password));
        parameters.forEach((name, value) -> url.append("&").append(asParameter(name, value)));
        return url.toString();
    }

    /** What libpq and the driver call by different names. */
    private static String asParameter(String name, String value) {
        return switch (name) {
            case "application_name" -> "ApplicationName=" + encoded(value);
            case "connect_timeout" -> "connectTimeout=" + encoded(value);
            case "target_session_attrs" ->
                "targetServerType=" + (value.equals("read-write") || value.equals("primary") ? "primary" : "any");
            default -> name + "=" + encoded(value);
        };
    }

    static String with(String jdbcUrl, String parameter) {
        return jdbcUrl + (jdbcUrl.contains("?") ? "&" : "?") + parameter;
    }

    private static String or(String value, String otherwise) {
        return value == null || value.isEmpty() ? otherwise : value;
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("%7E", "~");
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }
}
