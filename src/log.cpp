// The server's log: one line an event.

#include "log.h"

namespace testpool {

void log_line(int level, const char* format, ...) {
    if (!message_level_is_interesting(level)) return;
    int error = errno;  // for %m
    StringInfoData line;
    initStringInfo(&line);
    for (int needed = 1; needed != 0;) {
        va_list arguments;
        va_start(arguments, format);
        errno = error;
        needed = appendStringInfoVA(&line, format, arguments);
        va_end(arguments);
        if (needed != 0) enlargeStringInfo(&line, needed);
    }
    std::replace_if(
        line.data, line.data + line.len, [](unsigned char c) { return c < ' ' || c == '\x7f'; },
        ' ');
    ereport(level, (errmsg_internal("testpool: %s", line.data)));
    pfree(line.data);
}

}  // namespace testpool
