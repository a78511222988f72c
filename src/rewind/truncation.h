// Shortening relations, all of a rewind at once.
#pragma once

#include "pg/growing.h"

namespace testpool::rewind {

struct Truncation {
    Locator relation;
    BlockNumber length;
    bool logged;  // else it is an unlogged relation
};

/// Relations to be shortened. First all are announced in the log, in the transaction that puts
/// pages back; then, once it has committed, the files follow.
class Truncations {
  public:
    void announce(const Truncation& truncation);
    void carry_out() const;

  private:
    Growing<Truncation> all_;
    XLogRecPtr announced_ = InvalidXLogRecPtr;  // end of the last announcement
    XLogRecPtr redo_ = InvalidXLogRecPtr;       // where recovery would have begun before the first
};

}  // namespace testpool::rewind
