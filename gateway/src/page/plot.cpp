#include "plot.h"

#include <algorithm>
#include <cmath>

#include "format.h"

namespace gateway::page {

namespace {

constexpr int column = 10;  // width of a bucket
constexpr int width = History::buckets * column;
constexpr int height = 120;
constexpr int lowest_decade = -1;  // 0.1 ms
constexpr int least_decades = 3;
constexpr int per_minute = 60 / History::bucket_seconds;

std::string figure(double number) {
    std::string text = std::to_string(number);
    return text.substr(0, text.find('.') + 2);
}

Html rect(const char* kind, double x, double y, double wide, double high) {
    return tag("rect", {{"class", kind},
                        {"x", figure(x)},
                        {"y", figure(y)},
                        {"width", figure(wide)},
                        {"height", figure(high)}});
}

Html svg(const std::string& label, const Html& content) {
    return tag("svg",
               {{"viewBox", "0 0 " + std::to_string(width) + " " + std::to_string(height)},
                {"preserveAspectRatio", "none"},
                {"role", "img"},
                {"aria-label", label}},
               content);
}

/// A scale of whole decades, so that its marks are evenly spaced.
class Decades {
  public:
    explicit Decades(double longest) {
        if (longest > 0) top_ = std::max(top_, static_cast<int>(std::ceil(std::log10(longest))));
    }
    double y(double milliseconds) const {
        double share = (std::log10(std::max(milliseconds, 0.1)) - lowest_decade) / count();
        return height * (1 - std::clamp(share, 0.0, 1.0));
    }
    int count() const { return top_ - lowest_decade; }

    /// From above.
    Html marks() const {
        Html all;
        for (int decade = top_; decade >= lowest_decade; decade--)
            all += tag("span", {}, mark(decade));
        return tag("div", {{"class", "scale"}, {"aria-hidden", "true"}}, all);
    }
    Html lines() const {
        Html all;
        for (int line = 1; line < count(); line++)
            all += rect("grid", 0, static_cast<double>(height) * line / count() - 0.25, width, 0.5);
        return all;
    }

  private:
    static std::string mark(int decade) {
        if (decade < 0) return "0.1 ms";
        long number = std::lround(std::pow(10, decade % 3));
        return std::to_string(number) + (decade < 3 ? " ms" : decade < 6 ? " s" : " ks");
    }
    int top_ = lowest_decade + least_decades;
};

Html time_axis() {
    return tag("div", {{"class", "axis"}, {"aria-hidden", "true"}},
               tag("span", {}, "10 minutes ago"), tag("span", {}, "5"), tag("span", {}, "now"));
}

Html framed(const char* kind, const Html& scale, const Html& drawing) {
    return tag("div", {{"class", std::string("plot ") + kind}}, scale, drawing, time_axis());
}

/// From the median up; a mark is never thinner than can be seen.
Html bars_of(const Waits& waits, const Decades& scale, double x) {
    Html bars;
    double p50 = scale.y(waits.p50);
    double p95 = scale.y(waits.p95);
    double p99 = scale.y(waits.p99);
    if (p99 < p95) bars += rect("p99", x + 3.5, p99, column - 7, p95 - p99);
    if (p95 < p50) bars += rect("p95", x + 2, p95, column - 4, p50 - p95);
    bars += rect("p50", x + 1, std::min(p50, height - 2.5), column - 2, 2.5);
    return bars;
}

Steps summed(const History::Buckets& buckets, int first, int count) {
    Steps all;
    for (int i = first; i < first + count; i++)
        for (const auto& [up_to, waited] : buckets[i].waited) all[up_to] += waited;
    return all;
}

}  // namespace

Html plot_of_waits(const History::Buckets& buckets) {
    Waits all = waits_of(summed(buckets, 0, History::buckets));
    Decades scale(all.longest);
    Html drawing = scale.lines();
    for (int i = 0; i < History::buckets; i++)
        if (!buckets[i].waited.empty())
            drawing += bars_of(waits_of(buckets[i].waited), scale, static_cast<double>(i) * column);
    std::string label = all.count == 0
                            ? "Nothing was handed out."
                            : "Half waited " + duration_text(all.p50) + " at most, 95 % " +
                                  duration_text(all.p95) + ", 99 % " + duration_text(all.p99) + ".";
    return framed("waits", scale.marks(), svg(label, drawing));
}

Html table_of_waits(const History::Buckets& buckets, double now) {
    Html rows;
    for (int first = History::buckets - per_minute; first >= 0; first -= per_minute) {
        Waits waits = waits_of(summed(buckets, first, per_minute));
        if (waits.count == 0) continue;
        int ago = (History::buckets - first) / per_minute - 1;
        rows += tag(
            "tr", {},
            tag("th", {{"scope", "row"}},
                ago == 0 ? Html("this minute") : Html(counted(ago, "minute") + " ago")),
            tag("td", {}, count_text(static_cast<double>(waits.count))),
            tag("td", {}, duration_text(waits.p50)), tag("td", {}, duration_text(waits.p95)),
            tag("td", {}, duration_text(waits.p99)), tag("td", {}, duration_text(waits.longest)));
    }
    if (rows.empty() || now == 0) return {};
    Html head =
        tag("tr", {}, tag("td", {}), tag("th", {{"scope", "col"}}, "Handed out"),
            tag("th", {{"scope", "col"}}, "Half"), tag("th", {{"scope", "col"}}, "95 %"),
            tag("th", {{"scope", "col"}}, "99 %"), tag("th", {{"scope", "col"}}, "Longest"));
    return tag(
        "details", {{"id", "waits-table"}}, tag("summary", {}, "By the minute, as a table"),
        tag("div", {{"class", "scroll"}},
            tag("table", {{"class", "figures"}}, tag("thead", {}, head), tag("tbody", {}, rows))));
}

Html plot_of_pool(const History::Buckets& buckets) {
    int most = 1;
    for (const Activity& each : buckets) {
        int all = 0;
        for (int count : each.databases) all += count;
        most = std::max(most, all);
    }
    Html drawing;
    for (int i = 0; i < History::buckets; i++) {
        double y = height;
        for (size_t state = 0; state < states.size(); state++) {
            double high = static_cast<double>(height) * buckets[i].databases[state] / most;
            if (high == 0) continue;
            y -= high;
            drawing += rect(states[state], static_cast<double>(i) * column, y, column + 0.2, high);
        }
    }
    Html scale = tag("div", {{"class", "scale"}, {"aria-hidden", "true"}},
                     tag("span", {}, std::to_string(most)), tag("span", {}, "0"));
    return framed("pool", scale,
                  svg("Databases by state; " + std::to_string(most) + " at most.", drawing));
}

}  // namespace gateway::page
