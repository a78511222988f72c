import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.testpool.TestPool;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@TestPool
class ShopTest {
    @ParameterizedTest
    @ValueSource(strings = {"pear", "plum", "fig", "date"})
    void findsTheTemplateAndItsOwnRows(String name, Connection db) throws SQLException {
        add(db, name);
        var names = new ArrayList<String>();
        try (var select = db.createStatement();
                var rows = select.executeQuery("SELECT name FROM item ORDER BY id")) {
            while (rows.next()) names.add(rows.getString(1));
        }
        assertEquals(List.of("apple", name, "shared"), names);
    }

    @Test
    void failsOnPurpose(Connection db) throws SQLException {
        add(db, "evidence");
        assertEquals("right", "wrong");
    }

    private static void add(Connection db, String name) throws SQLException {
        try (var insert = db.prepareStatement("INSERT INTO item (name) VALUES (?), ('shared')")) {
            insert.setString(1, name);
            insert.execute();
        }
    }
}
