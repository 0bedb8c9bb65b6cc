"""Programs of others that do the work: where they are found, and how those that systems do not bring are installed."""
import os, pathlib, shutil, subprocess, sys

TOOLS = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "shader-isa"
# naga has to be the one that wgpu brings, up to a patch.
NAGA = "30"
# The newest CUDA whose compiler still knows sm_75, and a disassembler for it.
CUDA = ["nvidia-cuda-nvrtc-cu12==12.9.86", "nvidia-cuda-nvcc-cu12==12.9.86", "nvidia-cuda-nvdisasm==13.5.37"]
BY_SETUP = "`scripts/shader-isa --setup` installs it"


class Failure(Exception):
    """A target cannot be counted; the text says why, and what to do."""


def find(name):
    """A program or library that --setup installed, else a program on the path, else None."""
    for root, _, files in os.walk(TOOLS, followlinks=True):
        if name in files:
            return os.path.join(root, name)
    return shutil.which(name)


def setup():
    """Installs what is missing of naga and NVIDIA's compiler, for this user. Mesa and clang come with systems."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    if not find("naga"):
        subprocess.run(["cargo", "install", "--root", TOOLS, "--version", NAGA, "naga-cli"], check=True)
    if not all(find(name) for name in ("libnvrtc.so.12", "ptxas", "nvdisasm")):
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--upgrade", "--target", TOOLS / "cuda"]
        subprocess.run([*pip, *CUDA], check=True)


def run(what, *command, environment=None):
    """Runs a compiler and returns what it printed: standard output and standard error."""
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise Failure(f"{what}: " + "\n".join(said.splitlines()[:12]))
    return done.stdout, done.stderr


def keep_text(keep, name, text):
    """Writes a compiler's input or output where --keep asks for it."""
    if keep:
        (keep / name).write_text(text)
