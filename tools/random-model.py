"""Writes a model of a published size with random weights, for measurements of speed and memory.

    tools/python tools/random-model.py CONFIG.json FOLDER [--dtype bf16|f16|f32|q8_0] [--shard GB]

CONFIG.json is the config.json of a diffusers or transformers class; its `_class_name` or `architectures` says which.
FOLDER gets config.json and safetensors shards with their index, or for q8_0 model.gguf. The class is built without memory (torch's meta
device), and the weights, small enough that nothing overflows, are drawn once and repeated: the memory taken is that of
one block, whatever the model's size.
"""

import argparse
import json
import math
import pathlib
import struct

import torch

BLOCK = 32 << 20  # elements drawn
NAMES = {"bf16": ("BF16", torch.bfloat16), "f16": ("F16", torch.float16), "f32": ("F32", torch.float32)}
Q8_0_BYTES, Q8_0_BLOCK, GGUF_F32, GGUF_Q8_0, GGUF_ALIGNMENT = 34, 32, 0, 8, 32


def shapes_of(config):
    """Names and shapes of the parameters and stored buffers of the class that the configuration names."""
    with torch.device("meta"):
        if "_class_name" in config:
            import diffusers
            model = getattr(diffusers, config["_class_name"]).from_config(config)
        else:
            import transformers
            kind = transformers.AutoConfig.for_model(**config)
            model = getattr(transformers, config["architectures"][0])(kind)
    tied = set(getattr(model, "_tied_weights_keys", None) or [])
    return {name: tuple(t.shape) for name, t in model.state_dict().items() if name not in tied}


def scale_of(shape):
    return 2.0 ** round(math.log2(0.5 / math.sqrt(math.prod(shape[1:]))))


class Source:
    """Random bytes of tensors: one block of normals for each scale that occurs."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.normal = torch.randn(BLOCK, generator=torch.Generator().manual_seed(1))
        self.blocks = {}
        self.at = 0

    def write(self, file, name, shape):
        count = math.prod(shape)
        if len(shape) < 2:  # norms are near 1, biases near 0
            values = 0.1 * self.normal[:count] + ("norm" in name and name.endswith("weight"))
            file.write(values.to(self.dtype).view(torch.uint8).numpy().tobytes())
            return
        scale = scale_of(shape)  # a power of two: a handful of blocks serves a whole model
        if scale not in self.blocks:
            self.blocks = {scale: (self.normal * scale).to(self.dtype).view(torch.uint8).numpy()}
        block, size = self.blocks[scale], self.dtype.itemsize
        while count:
            part = min(count, BLOCK - self.at)
            file.write(memoryview(block)[self.at * size:(self.at + part) * size])
            self.at = (self.at + part) % (BLOCK - 4099)  # rows do not line up from tensor to tensor
            count -= part


def shards_of(shapes, size, limit):
    """Names in groups of at most `limit` bytes."""
    shards, room = [], 0
    for name, shape in shapes.items():
        bytes_ = math.prod(shape) * size
        if not shards or bytes_ > room:
            shards.append([])
            room = limit
        shards[-1].append(name)
        room -= bytes_
    return shards


def write_shard(path, names, shapes, dtype, source):
    header, at = {}, 0
    for name in names:
        end = at + math.prod(shapes[name]) * source.dtype.itemsize
        header[name] = {"dtype": dtype, "shape": list(shapes[name]), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb", buffering=0) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            source.write(file, name, shapes[name])


def quantized_blocks(count, scale):
    """Q8_0 blocks of `count` elements whose standard deviation is about `scale`."""
    blocks = torch.randint(0, 256, (count // Q8_0_BLOCK, Q8_0_BYTES), dtype=torch.uint8,
                           generator=torch.Generator().manual_seed(1))
    blocks[:, :2] = torch.tensor([scale / 74], dtype=torch.float16).view(torch.uint8)
    return memoryview(blocks.numpy().reshape(-1))


def write_gguf(path, shapes):
    """Matrices as Q8_0 where their rows allow it, all else as F32."""
    def text(string):
        return struct.pack("<Q", len(string)) + string.encode()

    def is_quantized(shape):
        return len(shape) == 2 and shape[1] % Q8_0_BLOCK == 0

    def bytes_of(shape):
        count = math.prod(shape)
        return count // Q8_0_BLOCK * Q8_0_BYTES if is_quantized(shape) else 4 * count

    header = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), 1) + text("general.architecture") + struct.pack("<I", 8)
    header += text("random")
    at = 0
    for name, shape in shapes.items():
        kind = GGUF_Q8_0 if is_quantized(shape) else GGUF_F32
        header += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, at)
        at += -(-bytes_of(shape) // GGUF_ALIGNMENT) * GGUF_ALIGNMENT
    source, blocks = Source(torch.float32), {}
    with open(path, "wb", buffering=0) as file:
        file.write(header + bytes(-len(header) % GGUF_ALIGNMENT))
        for name, shape in shapes.items():
            left = bytes_of(shape)
            pad = bytes(-left % GGUF_ALIGNMENT)
            if not is_quantized(shape):
                source.write(file, name, shape)
                left = 0
            elif (scale := scale_of(shape)) not in blocks:
                blocks = {scale: quantized_blocks(BLOCK, scale)}
            while left:
                part = min(left, len(blocks[scale]))
                file.write(blocks[scale][:part])
                left -= part
            file.write(pad)
    return at


def write_model(config, folder, dtype, shard):
    """The class's config.json and weights in shards of at most `shard` bytes; for q8_0 one model.gguf."""
    shapes = shapes_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    if dtype == "q8_0":
        size = write_gguf(folder / "model.gguf", shapes)
        print(f"{folder}/model.gguf: {len(shapes)} tensors, {size / 1e9:.1f} GB")
        return
    name, torch_dtype = NAMES[dtype]
    shards = shards_of(shapes, torch_dtype.itemsize, shard)
    stem = "diffusion_pytorch_model" if "_class_name" in config else "model"
    source, files = Source(torch_dtype), {}
    for i, names in enumerate(shards):
        file = f"{stem}-{i + 1:05}-of-{len(shards):05}.safetensors"
        write_shard(folder / file, names, shapes, name, source)
        files.update(dict.fromkeys(names, file))
    total = sum(math.prod(s) for s in shapes.values())
    index = {"metadata": {"total_size": total * torch_dtype.itemsize}, "weight_map": files}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=1))
    print(f"{folder}: {len(shapes)} tensors, {total / 1e9:.2f} billion parameters, "
          f"{total * torch_dtype.itemsize / 1e9:.1f} GB in {len(shards)} files")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--dtype", choices=[*NAMES, "q8_0"], default="bf16")
    parser.add_argument("--shard", type=float, default=10, help="largest shard, in GB")
    args = parser.parse_args()
    write_model(json.loads(args.config.read_text()), args.folder, args.dtype, args.shard * 1e9)


if __name__ == "__main__":
    main()
