"""WGSL as C: the same expressions in the same order, so that a compiler for a kind of C can count what a shader takes.

It knows what shaders for hashing are written in, and not all of WGSL: u32 and its vectors, structures and arrays of
them, functions, let, var, const, if, for, atomicAdd and select. What else there is, the C compiler refuses. The two
kinds of C differ in a few words, which a `Language` holds.
"""
import dataclasses, re
from tools import Failure

# WGSL may take these for names, and C may not.
TAKEN = re.compile(r"\b(local|global|constant|kernel|half|char|short|int|long|float|double|unsigned|signed)\b")
# Commas that no <> holds.
COMMA = re.compile(r",(?![^<]*>)")


@dataclasses.dataclass
class Language:
    """A kind of C: its words, as format strings where something goes into them."""

    # What comes first: vec2_, vec3_, vec4_, select_ and atomicAdd.
    head: str
    # A variable's type where the value tells it.
    auto: str
    # A constant outside of functions, a function, and the entry point.
    constant: str
    function: str
    kernel: str
    # The two kinds of buffers.
    uniform: str
    storage: str
    # WGSL's built-in values.
    builtins: dict


def declaration(name, kind):
    """A variable, a field or a parameter of a WGSL type. An array without a length gets one place: nothing runs."""
    kind = kind.strip()
    if found := re.fullmatch(r"array<(.+?)(?:,\s*(\w+))?\s*>", kind):
        return declaration(f"{name}[{found[2] or 1}]", found[1])
    kind = re.sub(r"^atomic<(\w+)>$", r"\1", kind)
    kind = re.sub(r"^vec([234])(?:<u32>|u)$", r"uint\1", kind)
    return f"{'unsigned' if kind == 'u32' else kind} {name}"


def declarations(text):
    """The same of a list, each with its type behind a colon."""
    pairs = (part.split(":", 1) for part in COMMA.split(re.sub(r"@\w+\([^)]*\)", "", text)) if part.strip())
    return [declaration(name.strip(), kind) for name, kind in pairs]


def structures(text):
    """WGSL's structures as C, each behind those that it holds: WGSL does not mind the order."""
    bodies = dict(re.findall(r"struct (\w+) \{([^}]*)\}", text))
    written = {}

    def write(name):
        for other in bodies:
            if other not in (name, *written) and re.search(rf"\b{other}\b", bodies[name]):
                write(other)
        fields = "".join(f"    {field};\n" for field in declarations(bodies[name]))
        written[name] = f"typedef struct {{\n{fields}}} {name};\n"

    for name in bodies:
        if name not in written:
            write(name)
    return "".join(written.values())


def statements(text, language):
    """The insides of functions."""
    text = re.sub(r"\bvec([234])(?:<u32>|u)\(", r"vec\1_(", text)
    text = re.sub(r"\bselect\(", "select_(", text)
    # WGSL wants no brackets around a condition.
    text = re.sub(r"\bif\b\s*([^{]*?)\s*\{", r"if (\1) {", text)
    typed = r"\b(?:let|var|const) (\w+)\s*:\s*([^=;]+?)\s*([=;])"
    text = re.sub(typed, lambda it: declaration(it[1], it[2]) + (" =" if it[3] == "=" else " = {0};"), text)
    return re.sub(r"\b(?:let|var|const) (\w+)\s*=", rf"{language.auto} \1 =", text)


def translate(shader, language):
    """The whole shader, as this kind of C."""
    text = TAKEN.sub(r"\1_", re.sub(r"//.*", "", shader))
    types = structures(text)
    text = re.sub(r"struct \w+ \{[^}]*\};?", "", text)

    def buffer(kind):
        return lambda it: kind.format(binding=it[1], name=it[2], type=it[3])

    where = r"@group\(0\) @binding\((\d)\) var"
    text = re.sub(where + r"<uniform> (\w+)\s*:\s*(\w+);", buffer(language.uniform), text)
    text = re.sub(where + r"<storage, read_write> (\w+)\s*:\s*(\w+);", buffer(language.storage), text)
    text = re.sub(r"^const (\w+)(?:\s*:\s*u32)?\s*=", lambda it: language.constant.format(name=it[1]), text, flags=re.M)
    text = statements(text, language)

    def kernel(it):
        values = re.findall(r"@builtin\((\w+)\)\s*(\w+)", it[3])
        for value, _ in values:
            if value not in language.builtins:
                raise Failure(f"@builtin({value}): scripts/isa/wgsl.py does not know it")
        lines = [f"    {language.auto} {name} = {language.builtins[value]};\n" for value, name in values]
        return language.kernel.format(size=it[1], name=it[2]) + " {\n" + "".join(lines)

    text = re.sub(r"@compute @workgroup_size\((\d+)\)\s*fn (\w+)\((.*?)\)\s*\{", kernel, text, flags=re.S)

    def function(it):
        parameters = ", ".join(declarations(it[2]))
        return f"{language.function} {declaration(it[1], it[3] or 'void')}({parameters}) {{"

    text = re.sub(r"\bfn (\w+)\(([^)]*)\)(?:\s*->\s*([^{]+?))?\s*\{", function, text)
    return re.sub(r"\n\s*\n", "\n\n", language.head + types + text)


def functions(shader, names):
    """Those of a shader's functions, in WGSL, in its order."""
    found = re.findall(r"^fn (\w+)(\(.*?^\})", shader, flags=re.M | re.S)
    return "\n".join(f"fn {name}{rest}" for name, rest in found if name in names) + "\n"
