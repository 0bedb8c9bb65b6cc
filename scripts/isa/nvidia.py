"""NVIDIA's instructions for a shader, by their CUDA compiler.

Their Vulkan driver wants a device, and their CUDA compiler does not. The shader's text is turned into CUDA C, compiled
by NVRTC (CUDA C to PTX) and ptxas (PTX to machine code), and disassembled by nvdisasm. That is their back end on the
same arithmetic, and not the path that a Vulkan driver takes: an estimate.
"""
import ctypes, math, pathlib, re
from kinds import NVIDIA, NVIDIA_NAME, kinds_of, loops_in, names_in
from tools import BY_SETUP, Failure, find, keep_text, run
from wgsl import Language, translate

CUDA = Language(
    head="""#define vec2_ make_uint2
#define vec3_ make_uint3
#define vec4_ make_uint4
__device__ __forceinline__ unsigned select_(unsigned f, unsigned t, bool c) { return c ? t : f; }
""",
    auto="auto",
    constant="static const unsigned {name} =",
    function="__device__ __forceinline__",
    kernel='extern "C" __global__ void __launch_bounds__({size}) {name}()',
    uniform="__constant__ {type} {name};",
    storage="__device__ {type} {name};",
    builtins={
        "workgroup_id": "blockIdx",
        "num_workgroups": "gridDim",
        "local_invocation_index": "threadIdx.x",
    },
)

# Warps that a multiprocessor holds, where it is not 64.
WARPS = {"sm_75": 32, "sm_86": 48, "sm_87": 48, "sm_89": 48, "sm_120": 48}
# What does not compute: once for a warp, or none of the arithmetic's pipes.
APART = ("uniform", "control", "memory")


def nvrtc(source, arch):
    """CUDA C to PTX."""
    path = find("libnvrtc.so.12")
    if not path:
        raise Failure(f"libnvrtc.so.12: not found; {BY_SETUP} with pip")
    # It asks for this by its bare name, so it has to be loaded before.
    for builtins in pathlib.Path(path).parent.glob("libnvrtc-builtins.so*"):
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(path)
    program, size = ctypes.c_void_p(), ctypes.c_size_t()

    def text_of(length, content):
        length(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        content(program, text)
        return text.value.decode()

    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"shader.cu", 0, None, None)
    options = [f"--gpu-architecture={arch.replace('sm', 'compute')}".encode(), b"--std=c++17"]
    if library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options)):
        log = text_of(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog)
        raise Failure(f"NVRTC for {arch}: " + "\n".join(log.splitlines()[:12]))
    return text_of(library.nvrtcGetPTXSize, library.nvrtcGetPTX)


def compiled(source, arch, directory):
    """CUDA C to a disassembly, up to the last way out, and ptxas's report."""
    ptxas, nvdisasm = find("ptxas"), find("nvdisasm")
    for name, path in (("ptxas", ptxas), ("nvdisasm", nvdisasm)):
        if not path:
            raise Failure(f"{name}: not found; {BY_SETUP} with pip")
    ptx, cubin = directory / f"{arch}.ptx", directory / f"{arch}.cubin"
    ptx.write_text(nvrtc(source, arch))
    _, report = run(f"ptxas for {arch}", ptxas, "-v", "-O3", f"-arch={arch}", ptx, "-o", cubin)
    sass, _ = run(f"nvdisasm for {arch}", nvdisasm, "-c", cubin)
    # Behind the last way out stand a jump to itself and padding.
    lines = sass.splitlines(keepends=True)
    end = max((i for i, line in enumerate(lines) if re.search(r"\bEXIT\b", line)), default=len(lines) - 1)
    return "".join(lines[: end + 1]), report


def warps(arch, registers):
    """How many warps of 32 a multiprocessor holds: it has 64 K registers, given to a warp in steps of 256."""
    each = math.ceil(registers * 32 / 256) * 256
    return min(WARPS.get(arch, 64), 65536 // each // 8 * 8)


def count(arch, shader, directory, keep):
    """What a shader takes on an architecture, for one invocation."""
    source = translate(shader, CUDA)
    keep_text(keep, f"{arch}.cu", source)
    sass, report = compiled(source, arch, directory)
    keep_text(keep, f"{arch}.sass", sass)
    keep_text(keep, f"{arch}.log", report)
    names = names_in(sass, NVIDIA_NAME)
    kinds = kinds_of(names, NVIDIA)
    registers = int(re.search(r"Used (\d+) registers", report)[1])
    return {
        "vector": len(names) - sum(kinds[kind] for kind in APART),
        "scalar": kinds["uniform"],
        "kinds": kinds,
        "registers": registers,
        "spills": sum(int(number) for number in re.findall(r"(\d+) bytes spill", report)),
        "waves": warps(arch, registers),
        "code": 16 * len(names),
        "loops": loops_in(sass),
        "compiler": "ptxas",
    }
