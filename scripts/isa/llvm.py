"""AMD's instructions for a shader, by clang: the compiler behind AMD's own drivers, or near it. So, an estimate.

The shader's text is turned into OpenCL C, which takes no more than clang itself: no library, no headers.
"""
import pathlib, re, shutil
from kinds import AMD, AMD_NAME, kinds_of, loops_in, names_in
from tools import Failure, keep_text, run
from wgsl import Language, translate

# The kernel's arguments in memory, for any function to read: two buffers, and the number of columns of workgroups.
ARGUMENTS = "((constant char *)__builtin_amdgcn_kernarg_segment_ptr() + 8 * {binding})"
OPENCL = Language(
    head="""#define vec2_ (uint2)
#define vec3_ (uint3)
#define vec4_ (uint4)
#define atomicAdd(to, number) __opencl_atomic_fetch_add( \\
    (global atomic_uint *)(to), number, __ATOMIC_RELAXED, __OPENCL_MEMORY_SCOPE_DEVICE)
static inline unsigned select_(unsigned f, unsigned t, int c) { return c ? t : f; }
""",
    auto="__auto_type",
    constant="constant unsigned {name} =",
    function="static inline",
    kernel="kernel __attribute__((reqd_work_group_size({size}, 1, 1))) "
    "void {name}(constant void *uniforms, global void *found, unsigned columns)",
    uniform=f"#define {{name}} (**(constant {{type}} *constant *){ARGUMENTS})",
    storage=f"#define {{name}} (**(global {{type}} *constant *){ARGUMENTS})",
    builtins={
        "workgroup_id": "(uint2)(__builtin_amdgcn_workgroup_id_x(), __builtin_amdgcn_workgroup_id_y())",
        "num_workgroups": "(uint2)(columns, 0)",
        "local_invocation_index": "(unsigned)__builtin_amdgcn_workitem_id_x()",
    },
)


def clang():
    """The first clang that is there, by its plain name or the newest numbered one."""
    names = ["clang", *(f"clang-{number}" for number in range(25, 15, -1))]
    path = next((path for name in names if (path := shutil.which(name))), None)
    if not path:
        raise Failure("clang: not found; install clang 16 or later, or pass --llvm none")
    return pathlib.Path(path)


def compiled(source, cpu, directory):
    """OpenCL C to assembly, with LLVM's notes on registers."""
    path = directory / f"{cpu}.cl"
    path.write_text(source)
    options = ["-cl-std=CL2.0", "-O3", "-w", "--target=amdgcn-amd-amdhsa", "-nogpulib", f"-mcpu={cpu}"]
    # Drivers inline all functions. Asked for one by one, that would be another order of work than the usual one.
    options += ["-mllvm", "-inline-threshold=1000000"]
    assembly, _ = run(f"clang for {cpu}", clang(), "-x", "cl", *options, "-S", "-o", "-", path)
    return assembly


def count(cpu, shader, directory, keep):
    """What a shader takes on a processor, for one invocation."""
    source = translate(shader, OPENCL)
    keep_text(keep, f"{cpu}.cl", source)
    assembly = compiled(source, cpu, directory)
    keep_text(keep, f"{cpu}.s", assembly)
    names = names_in(assembly, AMD_NAME)

    def note(name):
        return int(re.search(rf"^; {name}: (\d+)", assembly, re.M)[1])

    return {
        "vector": sum(name.startswith("v_") for name in names),
        "scalar": sum(name.startswith("s_") for name in names),
        "kinds": kinds_of(names, AMD),
        "registers": note("NumVgprs"),
        "spills": note("ScratchSize"),
        "waves": note("Occupancy"),
        "code": int(re.search(r"codeLenInByte = (\d+)", assembly)[1]),
        "loops": loops_in(assembly),
        "compiler": clang().name,
    }
