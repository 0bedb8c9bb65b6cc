"""One whole SHA-256 compression, 64 rounds and 48 schedule words with nothing known, in hashcat's words and in ours:
both through the same compilers and counted in the same way.

hashcat's macros and its function sha256_transform are read from its files and not copied here. What they call is
defined below as hashcat defines it on these devices: rotations by two shifts, bitselect by its meaning.
"""
import re
import llvm, nvidia
from kinds import AMD, AMD_NAME, NVIDIA, NVIDIA_NAME, kinds_of, loops_in, names_in
from least import isa_of, least_compression
from tools import Failure
from wgsl import functions, translate

# The words that the two compilers' kinds of C differ in, and what moves data but does not compute.
CUDA = """#define FN __device__ __forceinline__
#define GLOBAL
#define CONST __constant__
#define KERNEL extern "C" __global__ void
#define THREAD threadIdx.x
"""
OPENCL = """#define FN static inline __attribute__((always_inline))
#define GLOBAL global
#define CONST constant
#define KERNEL kernel void
#define THREAD __builtin_amdgcn_workitem_id_x()
"""
COMPUTES = ("rotate", "shift", "logic", "add", "bytes", "lea", "multiply")
# hashcat calls its bitselect by a name that OpenCL has for itself.
BASE = """typedef unsigned int u32;
typedef unsigned int u32a;
#define PRIVATE_AS
#define _unroll
FN u32 hc_rotl32_S(u32 x, u32 n) { return (x << n) | (x >> (32 - n)); }
FN u32 hc_add3_S(u32 a, u32 b, u32 c) { return a + b + c; }
FN u32 bit_select(u32 a, u32 b, u32 c) { return a ^ (c & (b ^ a)); }
#define bitselect bit_select
"""
AROUND = """
KERNEL search(GLOBAL const u32 *in, GLOBAL u32 *out) {
  const u32 i = THREAD * 24;
  u32 w[16], h[8];
  for (int k = 0; k < 16; k++) w[k] = in[i + k];
  for (int k = 0; k < 8; k++) h[k] = in[i + 16 + k];
  sha256_transform(w, w + 4, w + 8, w + 12, h);
  for (int k = 0; k < 8; k++) out[i + k] = h[k];
}
"""
OURS = ("rotr", "small_sigma0", "small_sigma1", "big_sigma0", "big_sigma1", "ch", "maj", "maj_next")


def constants():
    """SHA-256's: the first 32 bits of the fractions of the first 64 primes' cube roots."""
    primes = [n for n in range(2, 312) if all(n % p for p in range(2, n))]

    def root(n):
        """The greatest whole number whose cube is at most n."""
        low, high = 0, n
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if middle**3 <= n else (low, middle)
        return low

    return [root(prime << 96) & 0xFFFFFFFF for prime in primes]


def theirs(hashcat, bitselect):
    """hashcat's function, in one of the two forms that it has."""
    try:
        header, code = ((hashcat / f"inc_hash_sha256.{kind}").read_text() for kind in ("h", "cl"))
    except OSError as error:
        raise Failure(f"hashcat: {error}; install its OpenCL sources (Debian: hashcat-data), and name their directory "
                      "with --hashcat") from None
    macros = header[header.index("#define SHIFT_RIGHT_32") : header.index("typedef struct")]
    function = re.search(r"^DECLSPEC (void sha256_transform \(.*?^\})", code, re.M | re.S)[1]
    table = f"CONST u32 k_sha256[64] = {{{', '.join(f'{k}u' for k in constants())}}};\n"
    return ("#define USE_BITSELECT\n" if bitselect else "") + macros + table + "FN " + function


def ours(shader, language):
    """The shader's functions, in the rounds and words that the shader would have if nothing were known."""
    lines = ["FN void sha256_transform(const u32 *p0, const u32 *p1, const u32 *p2, const u32 *p3, u32 *digest) {"]
    lines += [f"u32 w{i} = p{i // 4}[{i % 4}];" for i in range(16)] + [f"u32 v{i} = digest[{i}];" for i in range(8)]
    state = [f"v{i}" for i in range(8)]
    for t, k in enumerate(constants()):
        if t > 15:
            lines.append(f"u32 w{t} = small_sigma1(w{t - 2}) + w{t - 7} + small_sigma0(w{t - 15}) + w{t - 16};")
        a, b, c, d, e, f, g, h = state
        maj = "maj_next" if t % 2 else "maj"
        lines.append(f"u32 t{t} = {h} + big_sigma1({e}) + ch({e}, {f}, {g}) + ({k}u + w{t});")
        lines.append(f"u32 e{t} = {d} + t{t}, a{t} = t{t} + big_sigma0({a}) + {maj}({a}, {b}, {c});")
        state = [f"a{t}", a, b, c, f"e{t}", e, f, g]
    lines += [f"digest[{i}] = v{i} + {state[i]};" for i in range(8)] + ["}"]
    return translate(functions(shader, OURS), language) + "\n".join(lines)


def count(kind, target, code, directory):
    """How many instructions compute, and how many loops are left."""
    if kind == "llvm":
        assembly = llvm.compiled(OPENCL + BASE + code + AROUND, target, directory)
        names = names_in(assembly, AMD_NAME)
        return sum(name.startswith("v_") for name in names) - kinds_of(names, AMD)["move"], loops_in(assembly)
    sass, _ = nvidia.compiled(CUDA + BASE + code + AROUND, target, directory)
    kinds = kinds_of(names_in(sass, NVIDIA_NAME), NVIDIA)
    return sum(kinds[name] for name in COMPUTES), loops_in(sass)


def compare(kind, target, shader, hashcat, directory):
    """A target's rows: whose compression, and its numbers."""
    language = llvm.OPENCL if kind == "llvm" else nvidia.CUDA
    codes = {
        "hashcat, bitselect": theirs(hashcat, True),
        "hashcat, plain": theirs(hashcat, False),
        "ours": ours(shader, language),
    }
    minimum, rows = least_compression(isa_of(target)), []
    for whose, code in codes.items():
        vector, loops = count(kind, target, code, directory)
        rows.append({"target": target, "whose": whose, "vector": vector, "least": minimum,
                     "ratio": round(vector / minimum, 4), "loops": loops})
    return rows
