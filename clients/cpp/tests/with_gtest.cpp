// Tests as users of GoogleTest write them. Those that are disabled fail on purpose, for tests/run.
#include <gtest/gtest.h>

#include "items.hpp"

struct Shop : testpool::Test {
    Shop() : Test(shop()) {}
};

// A pool that an application opens once.
static PGconn* application(const std::string& url) {
    static auto connection = testpool::detail::connect(url);
    return connection.get();
}

class Sessions : public Shop, public testing::WithParamInterface<int> {};

TEST_P(Sessions, Stay) {
    static std::string first = ask(application(url()), "SELECT pg_backend_pid()");
    EXPECT_EQ(first, ask(application(url()), "SELECT pg_backend_pid()"));
    EXPECT_EQ("2", add(application(url()), "pear"));
}

INSTANTIATE_TEST_SUITE_P(Three, Sessions, testing::Range(0, 3));

TEST_F(Shop, FindsTheTemplate) {
    EXPECT_EQ("1", ask(connection(), "SELECT count(*) FROM item"));
    EXPECT_EQ(name(), ask(connection(), "SELECT current_database()"));
    EXPECT_EQ("2", add(connection(), "plum"));
    rewind();
    EXPECT_EQ("2", add(connection(), "plum"));
}

TEST_F(Shop, MayHaveSeveral) {
    auto other = testpool::command("psql -qX \"$DATABASE_URL\" -c 'CREATE TABLE other (a int)'",
                                   {FOLDER "/with_gtest.cpp"});
    EXPECT_EQ("2", add(testpool::detail::connect(acquire().url()).get(), "fig"));
    EXPECT_EQ("0", ask(acquire(other).url(), "SELECT count(*) FROM other"));
    EXPECT_EQ("2", add(connection(), "fig"));
}

struct Function : testpool::Test {
    Function() : Test(testpool::by("create", {FOLDER "/with_gtest.cpp"}, create)) {}
    static void create(const std::string& url) {
        testpool::detail::ask(testpool::detail::connect(url).get(), "CREATE TABLE made ()");
    }
};

TEST_F(Function, Builds) { EXPECT_EQ("0", ask(connection(), "SELECT count(*) FROM made")); }

TEST(Url, IsOneOfThreeKinds) {
    auto url = testpool::detail::Url::of("postgres://a:p%40@h1:1,h2:2?sslmode=require");
    EXPECT_EQ("postgresql://a:p%40@h1:1,h2:2/s~1?sslmode=require", url.with("s~1"));
    EXPECT_EQ("postgresql://a@h1:1,h2:2/?sslmode=require", url.without_password());
    EXPECT_EQ("postgresql://h:1/x",
              testpool::detail::Url::of("postgresql://h:1/x").without_password());
    EXPECT_EQ("h1:5433,[::1]:5433", testpool::detail::with_ports("h1,::1", "5433"));
    EXPECT_THROW(testpool::detail::Url::of("host=x"), testpool::Error);
}

TEST(Hash, IsOfNamesAndContents) {
    EXPECT_EQ(2u, shop().files.size());
    EXPECT_EQ("1.sql", shop().files.begin()->first);
    EXPECT_THROW(testpool::sql("nowhere"), testpool::Error);
    auto home = testpool::detail::connect_home();
    auto hash = [&](const testpool::Template& wanted) {
        return testpool::detail::hash_of(home.get(), "x", wanted);
    };
    EXPECT_EQ(hash(shop()), hash(testpool::sql(FOLDER "/../tests/migrations")));
    EXPECT_NE(hash(shop()), hash(testpool::sql(FOLDER "/migrations/1.sql")));
}

class Failing : public Shop, public testing::WithParamInterface<int> {};

TEST_P(Failing, DISABLED_OnPurpose) {
    EXPECT_EQ("2", add(connection(), "evidence"));
    EXPECT_EQ(1, GetParam());
}

INSTANTIATE_TEST_SUITE_P(DISABLED_Five, Failing, testing::Range(0, 5));

struct Broken : testpool::Test {
    Broken() : Test(testpool::sql(FOLDER "/broken")) {}
};

TEST_F(Broken, DISABLED_OnPurpose) {}
