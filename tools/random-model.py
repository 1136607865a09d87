"""Writes a model of a published size with random weights, for measurements of speed and memory.

    tools/python tools/random-model.py CONFIG.json FOLDER [--dtype bf16|f16|f32] [--shard GB]

CONFIG.json is the config.json of a diffusers or transformers class; its `_class_name` or `architectures` says which.
FOLDER gets config.json and safetensors shards with their index. The class is built without memory (torch's meta
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
        # One bit of the exponent at a time: a handful of blocks serves a whole model.
        scale = 2.0 ** round(math.log2(0.5 / math.sqrt(math.prod(shape[1:]))))
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--dtype", choices=NAMES, default="bf16")
    parser.add_argument("--shard", type=float, default=10, help="largest shard, in GB")
    args = parser.parse_args()
    config = json.loads(args.config.read_text())
    dtype, torch_dtype = NAMES[args.dtype]
    shapes = shapes_of(config)
    shards = shards_of(shapes, torch_dtype.itemsize, args.shard * 1e9)
    stem = "diffusion_pytorch_model" if "_class_name" in config else "model"
    args.folder.mkdir(parents=True, exist_ok=True)
    source, files = Source(torch_dtype), {}
    for i, names in enumerate(shards):
        file = f"{stem}-{i + 1:05}-of-{len(shards):05}.safetensors"
        write_shard(args.folder / file, names, shapes, dtype, source)
        files.update(dict.fromkeys(names, file))
    total = sum(math.prod(s) for s in shapes.values())
    index = {"metadata": {"total_size": total * torch_dtype.itemsize}, "weight_map": files}
    (args.folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=1))
    (args.folder / "config.json").write_text(json.dumps(config, indent=1))
    print(f"{args.folder}: {len(shapes)} tensors, {total / 1e9:.2f} billion parameters, "
          f"{total * torch_dtype.itemsize / 1e9:.1f} GB in {len(shards)} files")


if __name__ == "__main__":
    main()
