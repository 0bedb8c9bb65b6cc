"""The least instructions that a nonce's double SHA-256 takes on an instruction set, with everything known ready.

Both hashes are walked as the host folds them: for each schedule word and variable, whether the nonce changes it. What
it does not change is free. The rest is priced function by function, each at the fewest instructions that the set has
for it, and sums as short as sharing makes them. It is a bound for this way to compute, and no proof that there is no
other. An invocation may try its nonce in several versions of a header: those share the first hash's schedule, and
nothing else but the nonce itself.

Usage: python3 scripts/isa/least.py      prints what it comes to, part by part
"""
import collections, dataclasses, math, sys
sys.dont_write_bytecode = True
from tools import Failure

# Instructions for each function, and how many terms one instruction adds. `fused` is whether the last exclusive or of
# a sigma can be had with an addition for nothing more (v_xad_u32). Maj(a, b, c) chooses between c and b by a ^ b, or
# between a and b by b ^ c, which is the round before's a ^ b: so one exclusive or, `maj_pair`, serves two rounds.
ISAS = {
    "NVIDIA": {"sigma": 4, "ch": 1, "maj": 1, "maj_pair": 0, "terms": 3, "fused": False},
    "RDNA": {"sigma": 4, "ch": 1, "maj": 1, "maj_pair": 1, "terms": 3, "fused": False},
    "GCN 5": {"sigma": 5, "ch": 1, "maj": 1, "maj_pair": 1, "terms": 3, "fused": True},
    "GCN 4": {"sigma": 5, "ch": 1, "maj": 1, "maj_pair": 1, "terms": 2, "fused": False},
}
# What RADV makes of Ch and Maj: it has v_bfi_b32 for masks that it knows only. Ch is then (e & f) | (~e & g) by
# v_bfi_b32 and v_and_or_b32, and Maj is v_and_or_b32 of an and and an or that serve two rounds. GCN 4 has no
# v_and_or_b32.
RADV = {
    "RDNA": {"ch": 2, "maj": 1, "maj_pair": 2},
    "GCN 5": {"ch": 2, "maj": 1, "maj_pair": 2},
    "GCN 4": {"ch": 3, "maj": 2, "maj_pair": 2},
}
# Processors by how their names begin, in this order. GCN 1 to 3 choose, rotate and add as GCN 4 does.
SETS = {
    "NVIDIA": ("sm_",),
    "RDNA": ("navi", "vangogh", "rembrandt", "raphael", "phoenix", "strix", "gfx10", "gfx11", "gfx12"),
    "GCN 4": ("polaris", "vegam", "tonga", "fiji", "iceland", "stoney", "carrizo", "bonaire", "hawaii", "gfx7", "gfx8"),
    "GCN 5": ("vega", "raven", "renoir", "arcturus", "aldebaran", "gfx9"),
}


def isa_of(target):
    """The instruction set of a target, by its name."""
    for isa, names in SETS.items():
        if target.startswith(names):
            return isa
    raise Failure(f"{target}: its instruction set is not among those that scripts/isa/least.py has prices for")


@dataclasses.dataclass(frozen=True)
class Sum:
    """A sum: how many terms depend on the nonce, whether there is a known part, and how many terms are sigmas."""

    terms: int = 0
    known: bool = False
    sigmas: int = 0

    def __add__(self, other):
        return Sum(self.terms + other.terms, self.known or other.known, self.sigmas + other.sigmas)


NOTHING, KNOWN, TERM, SIGMA = Sum(), Sum(known=True), Sum(terms=1), Sum(terms=1, sigmas=1)


def several(total):
    """A sum's terms where several sums take them: their sigmas have to be there in full, so none is fused."""
    return Sum(total.terms, total.known)


def splits(total):
    """All ways to add up some of what several sums take before them: that part, and what is left for each."""
    for terms in range(1, total.terms + 1):
        for known in {False, total.known}:
            for sigmas in range(min(total.sigmas, terms) + 1):
                if total.sigmas - sigmas <= total.terms - terms:
                    yield Sum(terms, known, sigmas), Sum(total.terms - terms, total.known and not known)


class Walk:
    """Collects, part by part, what one hash of `versions` costs."""

    def __init__(self, prices, versions):
        self.prices, self.versions = prices, versions
        self.parts = collections.Counter()

    def sum(self, total):
        """Of one sum: its additions, less the exclusive ors that they swallow."""
        additions = max(total.terms + total.known - 1, 0)
        fused = min(total.sigmas, additions) if self.prices["fused"] else 0
        return math.ceil((additions - fused) / (self.prices["terms"] - 1))

    def pair(self, common, first, second):
        """Of two sums with a common part."""
        ways = [self.sum(several(common) + first) + self.sum(several(common) + second)]
        for part, rest in splits(common):
            ways.append(self.sum(part) + self.sum(rest + TERM + first) + self.sum(rest + TERM + second))
        return min(ways)

    def round_sums(self, word, versions, common, first, second):
        """Of a round's two sums, where `word` is a part of `common` that `versions` hashes share. It may be added up
        once for all, wholly or in part."""
        if versions == 1:
            return self.pair(word + common, first, second)
        ways = [self.pair(several(word) + common, first, second)]
        for part, rest in splits(word):
            ways.append(self.sum(part) / versions + self.pair(rest + TERM + common, first, second))
        return min(ways)

    def rounds(self, first, last, words, versions, without_a=()):
        """Rounds on `words`, from where the newest a and e depend on the nonce and those before do not. In the rounds
        `without_a` nothing reads the new a. What the two Maj of two rounds share is counted for both."""
        a = e = [True, False, False, False]
        pairs = 0
        for t in range(first, last + 1):
            common = (TERM if e[3] else KNOWN) + (SIGMA if e[0] else KNOWN) + (TERM if any(e[:3]) else KNOWN)
            self.parts["Sigma"] += self.prices["sigma"] * e[0]
            self.parts["Ch"] += self.prices["ch"] * any(e[:3])
            new_e = TERM if a[3] else KNOWN
            if t in without_a:
                self.parts["round sums"] += self.sum(words[t] + KNOWN + common + new_e)
            else:
                self.parts["Sigma"] += self.prices["sigma"] * a[0]
                self.parts["Maj"] += self.prices["maj"] * any(a[:3])
                pairs += a[0] and a[1]
                new_a = (SIGMA if a[0] else KNOWN) + (TERM if any(a[:3]) else KNOWN)
                self.parts["round sums"] += self.round_sums(words[t] + KNOWN, versions, common, new_a, new_e)
            a, e = [True, *a[:3]], [True, *e[:3]]
        self.parts["Maj"] += self.prices["maj_pair"] * math.ceil(pairs / 2)

    def schedule(self, block, last, versions):
        """Words 16 to `last`, once for `versions` hashes. `block` holds 16 words: True where it depends on the nonce,
        else 0 where it is zero, else None. Returns each word as its round takes it: what nothing but its round reads
        is added up there."""
        varies = {t: bool(word) for t, word in enumerate(block)}
        sums, sigmas, read = {}, set(), set()
        for t in range(16, last + 1):
            total = NOTHING
            for source, kind in ((t - 2, SIGMA), (t - 7, TERM), (t - 15, SIGMA), (t - 16, TERM)):
                if varies[source]:
                    total += kind
                elif source > 15 or block[source] is None:
                    total += KNOWN
                read.add(source)
                if varies[source] and kind is SIGMA:
                    sigmas.add((source, t - source))
            sums[t], varies[t] = total, total.terms > 0
        self.parts["sigma"] += self.prices["sigma"] * len(sigmas) / versions
        words = {t: TERM if varies[t] else NOTHING for t in range(16)}
        for t, total in sums.items():
            words[t] = total if t not in read else TERM if varies[t] else KNOWN
            if t in read:
                self.parts["word sums"] += self.sum(total) / versions
        return words


def least(isa, changes=None, versions=1):
    """What one hash costs where an invocation computes `versions` of them: its parts, and all together. `changes` are
    other prices than the set's."""
    walk = Walk({**ISAS[isa], **(changes or {})}, versions)
    parts = walk.parts

    # The first hash. Word 3 is the nonce, words 0 to 2 are known, 5 to 14 are zero.
    words = walk.schedule([None, None, None, True, None, *[0] * 10, None], 63, versions)
    # The nonce's bytes are swapped once; a and e after round 3 are each version's.
    parts["nonce"] += 1 / versions + 2
    walk.rounds(4, 62, words, versions)
    # Round 63's a is wanted with three known parts: in d0, and in round 0's a and e. So it is added up without any.
    parts["Sigma"] += 2 * walk.prices["sigma"]
    parts["Ch"] += walk.prices["ch"]
    parts["Maj"] += walk.prices["maj"]
    parts["round sums"] += walk.round_sums(words[63], versions, TERM + SIGMA + TERM, SIGMA + TERM, TERM + KNOWN)
    # d4 is round 63's e, with the chaining value among what is known there. Then d1 d2 d3 d5 d6 d7, and round 0's a, e.
    parts["digest"] += 6 + 2

    # The second hash, of which nothing is shared. Words 0 to 7 vary, 8 and 15 are known, 9 to 14 are zero.
    words = walk.schedule([True] * 8 + [None] + [0] * 6 + [None], 60, 1)
    # Word 0 is not added up for word 16, which takes round 63's a and the known part that is missing.
    parts["word sums"] += walk.sum(SIGMA + TERM + KNOWN) - walk.sum(SIGMA + TERM)
    # Of its result one word is wanted: e after round 60. A known part of it goes into the last sum.
    walk.rounds(1, 60, words, 1, without_a=range(57, 61))
    # The bytes swapped, and the comparison.
    parts["result"] += 2
    return dict(parts), sum(parts.values())


def least_compression(isa):
    """What one whole compression costs, 64 rounds and 48 schedule words with nothing known."""
    prices = ISAS[isa]
    walk = Walk(prices, 1)
    functions = 2 * prices["sigma"] + prices["ch"] + prices["maj"] + prices["maj_pair"] / 2
    sums = walk.pair(TERM + SIGMA + TERM + TERM + KNOWN, SIGMA + TERM, TERM)
    word = 2 * prices["sigma"] + walk.sum(SIGMA + TERM + SIGMA + TERM)
    return int(64 * (functions + sums) + 48 * word + 8)


def main():
    columns = [(isa, versions) for isa in ISAS for versions in (1, 2, 4)]
    tables = [least(isa, versions=versions) for isa, versions in columns]
    reach = [least(isa, RADV.get(isa), versions)[1] for isa, versions in columns]

    def line(name, values):
        print(f"{name:15}" + "".join(f"{value:>9}" for value in values))

    def numbers(name, values):
        line(name, [f"{value:.2f}" for value in values])

    line("", [isa for isa, _ in columns])
    line("versions", [versions for _, versions in columns])
    for part in tables[0][0]:
        numbers(part, [parts[part] for parts, _ in tables])
    numbers("all", [total for _, total in tables])
    numbers("reach by RADV", reach)
    line("a compression", [least_compression(isa) for isa, _ in columns])


if __name__ == "__main__":
    main()
