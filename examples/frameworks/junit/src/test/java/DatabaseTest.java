import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** Tests that extend this class find a database of their own in {@code db}. */
abstract class DatabaseTest {
    private static final String SERVER = "jdbc:postgresql://localhost:" + System.getenv("PGPORT") + "/";
    private static Connection home;
    private String name;
    protected Connection db;

    @BeforeAll
    static void connectHome() throws SQLException {
        home = DriverManager.getConnection(SERVER + "postgres", "postgres", "");
    }

    @BeforeEach
    void acquire() throws SQLException {
        try (var acquire = home.prepareStatement("SELECT testpool.acquire(?)")) {
            acquire.setString(1, System.getenv("SCHEMA_HASH"));
            try (var answer = acquire.executeQuery()) {
                answer.next();
                name = answer.getString(1);
            }
        }
        db = DriverManager.getConnection(SERVER + name, "postgres", "");
    }

    @AfterEach
    void release() throws SQLException {
        db.close();
        try (var release = home.prepareStatement("SELECT testpool.release(?)")) {
            release.setString(1, name);
            release.execute();
        }
    }

    @AfterAll
    static void disconnectHome() throws SQLException {
        home.close();
    }
}
