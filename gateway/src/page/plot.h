// The plots of the page, as SVG that stretches; their words are HTML beside them, so that these do
// not.
#pragma once

#include "history.h"
#include "html.h"

namespace gateway::page {

/// How long it was waited for a database, over the last ten minutes, on a logarithmic scale.
Html plot_of_waits(const History::Buckets& buckets);
/// The same in a table, by the minute.
Html table_of_waits(const History::Buckets& buckets, double now);
/// How many databases there were in each state.
Html plot_of_pool(const History::Buckets& buckets);

}  // namespace gateway::page
