// A file of tests that has no main.
#ifdef WITH_CATCH2_3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include "items.hpp"

namespace {
struct Another : testpool::Fixture {
    Another() : Fixture(shop()) {}
};
}  // namespace

TEST_CASE_METHOD(Another, "only checks", "[.fails]") {
    add(connection(), "evidence");
    CHECK(1 == 2);
    CHECK(2 == 2);
}
