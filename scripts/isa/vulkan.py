"""A shader through the first Vulkan device: what its driver tells of the machine code, by
VK_KHR_pipeline_executable_properties. Nothing is run.

Usage: vulkan.py SHADER.spv      prints JSON; a process of its own, as a driver reads its environment once
"""
import ctypes, json, pathlib, sys
from ctypes import addressof, byref, c_char, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

EXTENSION = b"VK_KHR_pipeline_executable_properties"
COMPUTE, UNIFORM_BUFFER, STORAGE_BUFFER = 32, 6, 7
CAPTURE_STATISTICS, CAPTURE_TEXTS = 0x40, 0x80


def structure(number, *fields):
    """A Vulkan structure. Most begin with their type's number and a link to another structure."""
    head = [("sType", c_uint32), ("pNext", c_void_p)] if number is not None else []

    class Structure(ctypes.Structure):
        _fields_ = head + [(name, kind) for name, kind in fields]

        def __init__(self, **values):
            super().__init__(**values)
            if number is not None:
                self.sType = number

    return Structure


def pairs(kind, *names):
    return [(name, kind) for name in names]


NAMED = pairs(c_char * 256, "name", "about")
Application = structure(
    0, ("name", c_char_p), ("version", c_uint32), ("engine", c_char_p), *pairs(c_uint32, "engine_version", "api"))
Instance = structure(
    1, ("flags", c_uint32), ("application", c_void_p), ("layers", c_uint32), ("layer", c_void_p),
    ("extensions", c_uint32), ("extension", c_void_p))
Queue = structure(2, *pairs(c_uint32, "flags", "family", "count"), ("priorities", c_void_p))
DeviceInfo = structure(
    3, *pairs(c_uint32, "flags", "queues"), ("queue", c_void_p), ("layers", c_uint32), ("layer", c_void_p),
    ("extensions", c_uint32), ("extension", c_void_p), ("features", c_void_p))
Module = structure(16, ("flags", c_uint32), ("size", c_size_t), ("code", c_void_p))
Stage = structure(
    18, *pairs(c_uint32, "flags", "stage"), ("module", c_uint64), ("name", c_char_p), ("specialization", c_void_p))
Pipeline = structure(
    29, ("flags", c_uint32), ("stage", Stage), *pairs(c_uint64, "layout", "base"), ("base_index", c_int32))
Layout = structure(
    30, *pairs(c_uint32, "flags", "sets"), ("set", c_void_p), ("ranges", c_uint32), ("range", c_void_p))
SetLayout = structure(32, *pairs(c_uint32, "flags", "count"), ("bindings", c_void_p))
Binding = structure(None, *pairs(c_uint32, "binding", "type", "count", "stages"), ("samplers", c_void_p))
Properties2 = structure(1000059001, ("rest", c_uint64 * 512))
Driver = structure(1000196000, ("id", c_uint32), *NAMED, ("conformance", c_uint32))
Features = structure(1000269000, ("executable_info", c_uint32))
PipelineInfo = structure(1000269001, ("pipeline", c_uint64))
Executable = structure(1000269002, ("stages", c_uint32), *NAMED, ("wave", c_uint32))
Which = structure(1000269003, ("pipeline", c_uint64), ("index", c_uint32))
Statistic = structure(1000269004, *NAMED, ("format", c_uint32), ("value", c_uint64))
Text = structure(1000269005, *NAMED, ("is_text", c_uint32), ("size", c_size_t), ("data", c_void_p))


def load():
    try:
        return ctypes.CDLL("libvulkan.so.1")
    except OSError:
        sys.exit("libvulkan.so.1: not found; install the Vulkan loader (Debian: libvulkan1)")


vk = load()


def call(name, *arguments):
    if result := getattr(vk, name)(*arguments):
        sys.exit(f"{name}: result {result}")


def open_device():
    """The first device with its driver's name."""
    application = Application(api=(1 << 22) | (3 << 12))
    info, instance = Instance(application=addressof(application)), c_void_p()
    call("vkCreateInstance", byref(info), None, byref(instance))
    physical, count = c_void_p(), c_uint32(1)
    vk.vkEnumeratePhysicalDevices(instance, byref(count), byref(physical))
    if not count.value:
        sys.exit("Vulkan: no device; is this driver's Mesa new enough to know the family?")
    driver = Driver()
    vk.vkGetPhysicalDeviceProperties2(physical, byref(Properties2(pNext=addressof(driver))))

    priority, names, wanted = c_float(1), (c_char_p * 1)(EXTENSION), Features(executable_info=1)
    # The first of the old features is robustBufferAccess, which wgpu asks for.
    features = (c_uint32 * 55)(1)
    queue = Queue(count=1, priorities=addressof(priority))
    info = DeviceInfo(pNext=addressof(wanted), queues=1, queue=addressof(queue), extensions=1,
                      extension=addressof(names), features=addressof(features))
    device = c_void_p()
    call("vkCreateDevice", physical, byref(info), None, byref(device))
    return device, f"{driver.name.decode()} {driver.about.decode()}"


def create(device, what, info):
    handle = c_uint64()
    call(f"vkCreate{what}", device, byref(info), None, byref(handle))
    return handle


def compile_shader(device, code):
    """The pipeline of a shader whose entry point is `search`, with one uniform and one storage buffer."""
    words = ctypes.create_string_buffer(code, len(code))
    module = create(device, "ShaderModule", Module(size=len(code), code=addressof(words)))
    bindings = (Binding * 2)(Binding(binding=0, type=UNIFORM_BUFFER, count=1, stages=COMPUTE),
                             Binding(binding=1, type=STORAGE_BUFFER, count=1, stages=COMPUTE))
    buffers = create(device, "DescriptorSetLayout", SetLayout(count=2, bindings=addressof(bindings)))
    layout = create(device, "PipelineLayout", Layout(sets=1, set=addressof(buffers)))
    stage = Stage(stage=COMPUTE, module=module.value, name=b"search")
    info = Pipeline(flags=CAPTURE_STATISTICS | CAPTURE_TEXTS, stage=stage, layout=layout.value, base_index=-1)
    pipeline = c_uint64()
    call("vkCreateComputePipelines", device, c_uint64(0), 1, byref(info), None, byref(pipeline))
    return pipeline.value


def told(device, pipeline):
    """The width of a wave, the statistics and the texts of a pipeline."""
    vk.vkGetDeviceProcAddr.restype = c_void_p

    def ask(what, asked, answers, count):
        name = f"vkGetPipelineExecutable{what}KHR"
        address = vk.vkGetDeviceProcAddr(device, name.encode())
        if not address:
            sys.exit(f"{name}: the driver lacks it")
        function = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p)(address)
        function(device, addressof(asked), addressof(count), answers and addressof(answers))

    def ask_all(what, kind, asked):
        count = c_uint32()
        ask(what, asked, None, count)
        answers = (kind * count.value)(*(kind() for _ in range(count.value)))
        ask(what, asked, answers, count)
        return answers, count

    executable = Executable()
    ask("Properties", PipelineInfo(pipeline=pipeline), executable, c_uint32(1))
    which = Which(pipeline=pipeline)
    statistics, _ = ask_all("Statistics", Statistic, which)
    # Texts say their sizes first.
    texts, count = ask_all("InternalRepresentations", Text, which)
    buffers = [ctypes.create_string_buffer(text.size) for text in texts]
    for text, buffer in zip(texts, buffers):
        text.data = addressof(buffer)
    ask("InternalRepresentations", which, texts, count)
    return {
        "wave": executable.wave,
        "statistics": {entry.name.decode(): entry.value for entry in statistics},
        "texts": {text.name.decode(): buffer.value.decode() for text, buffer in zip(texts, buffers)},
    }


def main():
    device, driver = open_device()
    pipeline = compile_shader(device, pathlib.Path(sys.argv[1]).read_bytes())
    json.dump({"driver": driver, **told(device, pipeline)}, sys.stdout)


main()
