// The text form of OpenMetrics: families of samples, each with its labels.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace gateway {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Exposition {
  public:
    enum class Kind { counter, gauge, histogram };

    /// Begins a family. Samples that follow are its own; `unit` is part of the name, or empty.
    void family(const std::string& name, Kind kind, const std::string& unit,
                const std::string& help);
    void sample(const Labels& labels, const std::string& value);
    /// Of a histogram: `suffix` is _bucket, _sum or _count.
    void sample(const std::string& suffix, const Labels& labels, const std::string& value);
    /// The whole, with its end.
    std::string text() const { return text_ + "# EOF\n"; }

  private:
    std::string text_;
    std::string name_;
    Kind kind_ = Kind::gauge;
};

}  // namespace gateway
