#include "assets.h"

// The assembler puts a file between two names; see its .incbin.
#define EMBED(name, file)                                     \
    asm(".section .rodata\n" #name                            \
        "_begin:\n"                                           \
        ".incbin \"" file "\"\n" #name "_end:\n.previous\n"); \
    extern "C" const char name##_begin[], name##_end[]

EMBED(testpool_page_css, "page/page.css");
EMBED(testpool_page_js, "page/page.js");
EMBED(testpool_page_icon, "page/icon.svg");

#undef EMBED

namespace gateway::page {

std::string_view stylesheet() { return {testpool_page_css_begin, testpool_page_css_end}; }
std::string_view script() { return {testpool_page_js_begin, testpool_page_js_end}; }
std::string_view icon() { return {testpool_page_icon_begin, testpool_page_icon_end}; }

}  // namespace gateway::page
