"""AMD's instructions for a shader, by RADV: Mesa's driver, which compiles for any family without the hardware.

The SPIR-V is naga's, with the options that wgpu gives it. So this is what runs on Linux, to the instruction. It takes
a recent Mesa: 25.0 will do, while 22.3 makes two instructions of every rotation, whatever is written.
"""
import json, os, pathlib, re, sys
from kinds import AMD, AMD_NAME, kinds_of, loops_in, names_in
from least import isa_of
from tools import BY_SETUP, Failure, find, keep_text, run

# Where systems describe their Vulkan drivers.
DRIVERS = [pathlib.Path(root) / "vulkan/icd.d" for root in ("/usr/share", "/usr/local/share", "/etc")]
# As wgpu asks on a device with robustBufferAccess2.
POLICIES = ["--index-bounds-check-policy", "Restrict", "--buffer-bounds-check-policy", "Unchecked"]


def spirv(shader, directory):
    """WGSL to a file of SPIR-V."""
    naga = find("naga")
    if not naga:
        raise Failure(f"naga: not found; {BY_SETUP} with cargo")
    wgsl, code = directory / "shader.wgsl", directory / "shader.spv"
    wgsl.write_text(shader)
    run("naga", naga, *POLICIES, "--spirv-version", "1.6", wgsl, code)
    return code


def environment(family):
    """What makes RADV, and no other driver, compile for a family, and tell the disassembly anew each time."""
    settings = {**os.environ, "RADV_FORCE_FAMILY": family, "MESA_SHADER_CACHE_DISABLE": "true"}
    if "VK_ICD_FILENAMES" not in settings and "VK_DRIVER_FILES" not in settings:
        # A system may have it for two widths of pointers: this machine's name is in the right one, if in any.
        found = [path for place in DRIVERS for path in sorted(place.glob("radeon_icd*.json"))]
        found.sort(key=lambda path: os.uname().machine not in path.name)
        if not found:
            raise Failure("RADV: not found; install Mesa's Vulkan drivers (Debian: mesa-vulkan-drivers), or name "
                          "RADV's icd.json in VK_DRIVER_FILES")
        # The old name and the new.
        settings["VK_ICD_FILENAMES"] = settings["VK_DRIVER_FILES"] = str(found[0])
    return settings


def count(family, shader, directory, keep):
    """What a shader takes on a family, for one invocation."""
    helper = pathlib.Path(__file__).with_name("vulkan.py")
    output, _ = run(family, sys.executable, helper, spirv(shader, directory), environment=environment(family))
    told = json.loads(output)
    for name, text in told["texts"].items():
        keep_text(keep, f"{family}.{re.sub('[^a-z]+', '-', name.lower())}.txt", text)
    assembly = next((text for name, text in told["texts"].items() if "ssembly" in name), "")
    names = names_in(assembly, AMD_NAME)
    # Behind the last way out is padding.
    names = names[: len(names) - names[::-1].index("s_endpgm")] if "s_endpgm" in names else names
    vector = sum(name.startswith("v_") for name in names)
    if not vector:
        raise Failure(f"{family}: {told['driver']} has no disassembler for it")

    def statistic(*words):
        """The first whose name has these words; Mesa's names change."""
        named = ((name.lower(), value) for name, value in told["statistics"].items())
        return next((value for name, value in named if all(word in name for word in words)), 0)

    waves = statistic("subgroups per simd") or statistic("max waves")
    # On RDNA it tells them in waves of 32, whatever it compiled for.
    if isa_of(family) == "RDNA":
        waves = waves * 32 // told["wave"]
    return {
        "vector": vector,
        "scalar": sum(name.startswith("s_") for name in names),
        "kinds": kinds_of(names, AMD),
        "registers": statistic("vgprs"),
        "spills": statistic("spilled", "vgpr") + statistic("spilled", "sgpr"),
        "waves": waves,
        "code": statistic("code size"),
        "loops": loops_in(assembly),
        "compiler": told["driver"],
    }
