package io.github.testpool;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** The files that a template is made of, in the order of their names, which are paths below their folder. */
public final class Sources {
    private final SortedMap<String, Path> files = new TreeMap<>();

    /** Those of a folder and its subfolders, or one file. */
    public static Sources of(Path... places) throws IOException {
        var sources = new Sources();
        for (var place : places) sources.add(place);
        return sources;
    }

    /** Those of a folder of the class path, which may lie in several places, or one file. */
    static Sources ofClassPath(String location) throws IOException {
        var sources = new Sources();
        for (var url : resources(location)) sources.add(pathOf(url));
        if (sources.files.isEmpty()) throw new IOException("there is no " + location + " in the class path");
        return sources;
    }

    static List<URL> resources(String location) throws IOException {
        var loader = Thread.currentThread().getContextClassLoader();
        return new ArrayList<>(java.util.Collections.list(loader.getResources(location)));
    }

    private static Path pathOf(URL url) throws IOException {
        try {
            var uri = url.toURI();
            if (uri.getScheme().equals("jar")) openJar(uri);
            return Path.of(uri);
        } catch (URISyntaxException error) {
            throw new IOException(error);
        }
    }

    /** A jar's file system stays open: others may read it too. */
    private static synchronized void openJar(URI uri) throws IOException {
        try {
            FileSystems.getFileSystem(uri);
        } catch (FileSystemNotFoundException notYet) {
            FileSystems.newFileSystem(uri, Map.of());
        }
    }

    void add(Path place) throws IOException {
        if (!Files.isDirectory(place)) {
            if (!Files.exists(place)) throw new IOException("there is no " + place.toAbsolutePath());
            files.put(place.getFileName().toString(), place);
            return;
        }
        try (var all = Files.walk(place)) {
            all.filter(Files::isRegularFile).forEach(file -> files.put(place.relativize(file).toString().replace('\\', '/'), file));
        }
    }

    void addAll(Sources more) {
        files.putAll(more.files);
    }

    /** Those whose name ends so. */
    Sources ending(String suffix) {
        var sources = new Sources();
        files.forEach((name, file) -> {
            if (name.endsWith(suffix)) sources.files.put(name, file);
        });
        return sources;
    }

    SortedMap<String, Path> files() {
        return files;
    }

    /** Over the tool, names, sizes and contents, and not over the place where they lie. */
    public String hash(String tool) throws IOException {
        var digest = sha256();
        digest.update(tool.getBytes());
        for (var file : files.entrySet()) {
            var contents = Files.readAllBytes(file.getValue());
            digest.update(("\0" + file.getKey() + "\0" + contents.length + "\0").getBytes());
            digest.update(contents);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    static String hashOf(String text) {
        return HexFormat.of().formatHex(sha256().digest(text.getBytes()));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new AssertionError(error); // every Java has it
        }
    }
}
