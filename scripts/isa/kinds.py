"""What machine instructions are for, by their names, and whether a loop is left among them."""
import collections, re

# The first pattern that a name begins with.
AMD = [
    ("rotate", r"v_alignbit"),
    ("bytes", r"v_perm|v_alignbyte"),
    ("select", r"v_bfi"),
    ("xor3", r"v_xor3"),
    ("add3", r"v_add3"),
    ("xor+add", r"v_xad"),
    ("shift+", r"v_(lshl_add|lshl_or|add_lshl)"),
    ("add", r"v_(add|sub)"),
    ("and+or", r"v_(and_or|or3)"),
    ("logic", r"v_(xor|and|or|not|xnor)"),
    ("shift", r"v_(lshr|lshl|ashr|bfe)"),
    ("move", r"v_(mov|readfirst|readlane|writelane)"),
    ("compare", r"v_cmp|v_cndmask"),
    ("other v", r"v_"),
    ("s_load", r"s_(load|buffer_load)"),
    ("s_wait", r"s_(wait|nop|delay_alu|clause|inst_prefetch|code_end|sendmsg)"),
    ("s_branch", r"s_(cbranch|branch|endpgm)"),
    ("s_other", r"s_"),
    ("memory", r"(buffer|global|flat|ds|scratch|image)_"),
]
# IMAD.IADD and IMAD.SHL are an addition and a shift on the multiplier: ptxas shares the work between two pipes.
NVIDIA = [
    ("rotate", r"SHF\.[LR]\.W"),
    ("shift", r"SHF|IMAD\.SHL"),
    ("bytes", r"PRMT"),
    ("logic", r"LOP3|PLOP3"),
    ("add", r"IADD3|IADD|VIADD|IMAD\.IADD"),
    ("move", r"IMAD\.MOV|MOV|CS2R|S2R|S2UR"),
    ("multiply", r"IMAD"),
    ("lea", r"LEA"),
    ("compare", r"ISETP|SEL"),
    ("uniform", r"U[A-Z]|R2UR"),
    ("control", r"BRA|EXIT|NOP|BSSY|BSYNC|VOTE"),
    ("memory", r"LD|ST|ATOM|RED|ULDC"),
]

AMD_NAME = re.compile(r"^\s+([vs]_\w+|(?:buffer|global|flat|ds|scratch|image)_\w+)")
NVIDIA_NAME = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?\s*([A-Z][A-Z0-9_.]+)")


def names_in(assembly, pattern):
    """The names of the instructions of an assembly text, one a line."""
    return [found[1] for line in assembly.splitlines() if (found := pattern.match(line))]


def kinds_of(names, table):
    """How many there are of each kind."""
    kinds = collections.Counter()
    for name in names:
        kinds[next((kind for kind, pattern in table if re.match(pattern, name)), "other")] += 1
    return kinds


def loops_in(assembly):
    """How many branches go back to a label above them. What they repeat is counted once, so it should be none."""
    above, loops = set(), 0
    for line in assembly.splitlines():
        if label := re.match(r"\s*(\.?\w+):", line):
            above.add(label[1])
        elif target := re.search(r"\b(?:s_c?branch\w*|BRA\S*)\s.*?(\.?\w+)\)?\s*(?:;.*)?$", line):
            loops += target[1] in above
    return loops
