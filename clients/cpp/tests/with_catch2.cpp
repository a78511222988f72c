// Tests as users of Catch2 write them. Those that are hidden fail on purpose, for tests/run.
#ifdef WITH_CATCH2_3
#include <catch2/catch_all.hpp>
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

#include "items.hpp"

struct Shop : testpool::Fixture {
    Shop() : Fixture(shop()) {}
};

TEST_CASE_METHOD(Shop, "each section finds the template") {
    REQUIRE(add(connection(), "pear") == "2");
    SECTION("once") { CHECK(add(connection(), "plum") == "3"); }
    SECTION("and again") { CHECK(add(connection(), "plum") == "3"); }
}

TEST_CASE_METHOD(Shop, "a test may have several") {
    CHECK(add(testpool::detail::connect(acquire().url()).get(), "fig") == "2");
    CHECK(name() == ask(connection(), "SELECT current_database()"));
}

TEST_CASE_METHOD(Shop, "requires", "[.fails]") {
    add(connection(), "evidence");
    REQUIRE(1 == 2);
}

TEST_CASE_METHOD(Shop, "throws", "[.fails]") {
    add(connection(), "evidence");
    throw std::runtime_error("on purpose");
}

TEST_CASE_METHOD(Shop, "passes", "[.fails]") {
    CHECK(add(connection(), "nothing to be seen") == "2");
}
