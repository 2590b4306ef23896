// SPDX-License-Identifier: Apache-2.0
// Linearizability: were the answers of concurrent calls those of one copy that did them one after another,
// each between its call and its return?
//
// Contract:   each thread notes what it asked, when, and what it was told, as Events. A change is named by
//             its version, and versions are unique: so the order of all changes is known, and check() only has
//             to find that (1) every change could succeed in that order, from an empty state; (2) the
//             order agrees with real time; (3) what every other call saw stood there at some moment
//             between its call and its return; (4) no later call saw an older state.
// Threading:  one Event list for each thread; check() when they are done.
// Cost:       O(n log n) in the events.
// Source:     Herlihy and Wing, "Linearizability" (1990): with the order of writes given, a register's history
//             is checked by intervals. Several keys: the version order is also one for all of them (strictly
//             serializable).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace artfs::test {

// What a key holds, as seen by the checker: nothing, or a value of some version.
struct Seen {
  std::uint64_t version = 0;
  std::uint64_t hash = 0;  // of the value; 0: absent

  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Event {
  enum class Kind : std::uint8_t {
    saw,             // `key` holds `seen` (get, scan, a failed change that says so)
    saw_other_than,  // `key` does not hold version seen.version (compare_and_put refused)
    saw_present,     // `key` holds something (put_if_absent refused)
    saw_both,        // `key` and `second` hold these versions at one moment (read transaction)
    change,
  };

  // What a change did to one key. Hash 0: erased.
  struct Effect {
    std::uint32_t key = 0;
    std::uint64_t hash = 0;
    // Demanded of the state before it.
    enum class Guard : std::uint8_t { none, absent, present, version } guard = Guard::none;
    std::uint64_t guarded_version = 0;
    // The value is the one that this key had before.
    std::optional<std::uint32_t> moved_from = {};
  };

  Kind kind = Kind::saw;
  std::uint64_t called_ns = 0;
  std::uint64_t returned_ns = 0;
  std::uint32_t key = 0;
  Seen seen = {};
  std::uint32_t second = 0;
  Seen second_seen = {};
  std::uint64_t version = 0;  // of the change
  std::vector<Effect> effects = {};
};

class Linearizability {
 public:
  // The first thing that cannot be, in words; nothing when all is well. `events` of all threads.
  [[nodiscard]] std::optional<std::string> check(const std::vector<std::vector<Event>>& threads) {
    std::vector<const Event*> changes;
    for (const auto& events : threads) {
      for (const Event& event : events) {
        if (event.kind == Event::Kind::change) changes.push_back(&event);
      }
    }
    std::sort(changes.begin(), changes.end(),
              [](const Event* a, const Event* b) { return a->version < b->version; });
    std::uint64_t latest_call_ns = 0;
    for (const Event* change : changes) {
      latest_call_ns = std::max(latest_call_ns, change->called_ns);
      if (change->returned_ns < latest_call_ns) {
        return describe(*change, "returned before a change of a lower version was called");
      }
      if (auto wrong = apply(*change)) return wrong;
    }
    for (auto& [key, states] : states_) order_times(states);
    // Those that name no version first: what the others find narrows the times.
    for (const bool with_version : {false, true}) {
      for (const auto& events : threads) {
        for (const Event& event : events) {
          if (has_version(event) != with_version) continue;
          if (auto wrong = check_event(event)) return wrong;
        }
      }
    }
    return check_order();
  }

 private:
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  // One state of a key.
  struct State {
    std::uint64_t version = 0;      // of the change that made it; 0: the first one, absent
    std::uint64_t hash = 0;         // 0: absent
    std::uint64_t after_ns = 0;     // it did not begin before
    std::uint64_t begun_by_ns = 0;  // it had begun by then
  };

  using Effect = Event::Effect;

  static std::string describe(const Event& event, const std::string& what) {
    std::string text =
        "a call from " + std::to_string(event.called_ns) + " to " +
        std::to_string(event.returned_ns) + " ns about key " +
        std::to_string(event.kind == Event::Kind::change && !event.effects.empty()
                           ? event.effects.front().key
                           : event.key) +
        ", version " +
        std::to_string(event.kind == Event::Kind::change ? event.version : event.seen.version);
    return text + ": " + what;
  }

  std::vector<State>& states_of(std::uint32_t key) {
    auto& states = states_[key];
    if (states.empty()) states.push_back({});  // absent, from the beginning
    return states;
  }

  std::optional<std::string> apply(const Event& change) {
    std::vector<std::pair<std::uint32_t, State>> next;
    for (const Effect& effect : change.effects) {
      const State& before = states_of(effect.key).back();
      const bool is_absent = before.hash == 0;
      const bool holds = effect.guard == Effect::Guard::none ||
                         (effect.guard == Effect::Guard::absent && is_absent) ||
                         (effect.guard == Effect::Guard::present && !is_absent) ||
                         (effect.guard == Effect::Guard::version && !is_absent &&
                          before.version == effect.guarded_version);
      if (!holds) return describe(change, "could not succeed after the change before it");
      std::uint64_t hash = effect.hash;
      if (effect.moved_from) {
        hash = states_of(*effect.moved_from).back().hash;
        if (hash == 0) return describe(change, "moved a key that was not there");
      }
      next.emplace_back(effect.key,
                        State{change.version, hash, change.called_ns, change.returned_ns});
    }
    for (auto& [key, state] : next) states_of(key).push_back(state);
    return std::nullopt;
  }

  static bool has_version(const Event& event) {
    return event.kind == Event::Kind::saw_both ||
           (event.kind == Event::Kind::saw && event.seen.hash != 0);
  }

  // None begins before the one before it, none after the one behind it.
  static void order_times(std::vector<State>& states) {
    for (std::size_t i = 1; i < states.size(); ++i) {
      states[i].after_ns = std::max(states[i].after_ns, states[i - 1].after_ns);
    }
    for (std::size_t i = states.size() - 1; i > 0; --i) {
      states[i - 1].begun_by_ns = std::min(states[i - 1].begun_by_ns, states[i].begun_by_ns);
    }
  }

  // When the state can have been there: from its earliest beginning to the next one's latest.
  static std::pair<std::uint64_t, std::uint64_t> window(const std::vector<State>& states,
                                                        std::size_t index) {
    return {states[index].after_ns,
            index + 1 < states.size() ? states[index + 1].begun_by_ns : never};
  }

  // Is there a state that `fits` at some moment of the call? Windows are ordered like their states.
  template <typename Fits>
  bool stood_there(const Event& event, const Fits& fits) {
    const auto& states = states_of(event.key);
    const auto behind = std::upper_bound(
        states.begin(), states.end(), event.returned_ns,
        [](std::uint64_t time, const State& state) { return time < state.after_ns; });
    for (auto index = static_cast<std::size_t>(behind - states.begin()); index-- > 0;) {
      if (window(states, index).second < event.called_ns) return false;
      if (fits(states[index])) return true;
    }
    return false;
  }

  State* find(std::uint32_t key, std::uint64_t version) {
    auto& states = states_of(key);
    const auto at = std::lower_bound(
        states.begin(), states.end(), version,
        [](const State& state, std::uint64_t wanted) { return state.version < wanted; });
    return at != states.end() && at->version == version ? &*at : nullptr;
  }

  std::optional<std::string> check_version(const Event& event, std::uint32_t key, Seen seen) {
    State* const state = find(key, seen.version);
    if (state == nullptr || state->hash == 0)
      return describe(event, "saw a version that nobody wrote");
    if (state->hash != seen.hash) {
      return describe(event, "saw other bytes than were written");
    }
    auto& states = states_of(key);
    const auto index = static_cast<std::size_t>(state - states.data());
    const auto [from, to] = window(states, index);
    if (from > event.returned_ns) return describe(event, "saw a change before it was called");
    if (to < event.called_ns) return describe(event, "saw what had been replaced before");
    // Seen is begun; and what follows it cannot have begun before this call (check_order).
    state->begun_by_ns = std::min(state->begun_by_ns, event.returned_ns);
    if (index + 1 < states.size()) {
      State& next = states[index + 1];
      next.after_ns = std::max(next.after_ns, event.called_ns);
    }
    return std::nullopt;
  }

  std::optional<std::string> check_event(const Event& event) {
    switch (event.kind) {
      case Event::Kind::change:
        return std::nullopt;
      case Event::Kind::saw:
        if (event.seen.hash != 0) return check_version(event, event.key, event.seen);
        if (stood_there(event, [](const State& state) { return state.hash == 0; })) break;
        return describe(event, "saw no key where there was one all the time");
      case Event::Kind::saw_present:
        if (stood_there(event, [](const State& state) { return state.hash != 0; })) break;
        return describe(event, "saw a key where there was none all the time");
      case Event::Kind::saw_other_than:
        if (stood_there(event, [&](const State& state) {
              return state.hash == 0 || state.version != event.seen.version;
            })) {
          break;
        }
        return describe(event, "was refused for a version that was there all the time");
      case Event::Kind::saw_both: {
        if (auto wrong = check_version(event, event.key, event.seen)) return wrong;
        if (auto wrong = check_version(event, event.second, event.second_seen)) return wrong;
        return check_overlap(event);
      }
    }
    return std::nullopt;
  }

  // Both stood there at one moment.
  std::optional<std::string> check_overlap(const Event& event) {
    std::uint64_t from = event.called_ns;
    std::uint64_t to = event.returned_ns;
    for (const auto& [key, seen] :
         {std::pair{event.key, event.seen}, std::pair{event.second, event.second_seen}}) {
      const auto& states = states_of(key);
      const auto index = static_cast<std::size_t>(find(key, seen.version) - states.data());
      const auto span = window(states, index);
      from = std::max(from, span.first);
      to = std::min(to, span.second);
    }
    if (from <= to) return std::nullopt;
    return describe(event, "saw two versions together that never stood together");
  }

  // With what the reads narrowed: no state had begun before an earlier one could.
  std::optional<std::string> check_order() const {
    for (const auto& [key, states] : states_) {
      std::uint64_t latest_after_ns = 0;
      for (const State& state : states) {
        latest_after_ns = std::max(latest_after_ns, state.after_ns);
        if (&state != &states.front() && state.begun_by_ns < latest_after_ns) {
          return "key " + std::to_string(key) + ", version " + std::to_string(state.version) +
                 ": seen, and an older one seen later";
        }
      }
    }
    return std::nullopt;
  }

  std::map<std::uint32_t, std::vector<State>> states_;
};

}  // namespace artfs::test
