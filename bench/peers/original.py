"""Transformers of published sizes under the names of their original files, which stable-diffusion.cpp wants.

    python3 bench/peers/original.py FAMILY FILE.safetensors

The file holds the weights under diffusers' names (tools/random-model.py); a new header in the old one's room gives its bytes the
original names and shapes. Which bytes are whose changes, which random weights do not mind, and nothing as large as a model is
written twice. The names are those of the original repositories: Stability-AI/sd3.5, black-forest-labs/flux, and Tongyi-MAI/Z-Image as
ComfyUI reads it.
"""

import argparse
import contextlib
import json
import math
import pathlib
import struct


def layer(shapes, name, rows, columns):
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (rows, columns), (rows,)


def sd3(layers, positions, qk_norm=False, dual=0):
    """`dual` first blocks attend to the picture a second time."""
    width, head, shapes = 64 * layers, 64, {}
    shapes["pos_embed"] = (1, positions**2, width)
    shapes["x_embedder.proj.weight"], shapes["x_embedder.proj.bias"] = (width, 16, 2, 2), (width,)
    for name, features in (("t_embedder", 256), ("y_embedder", 2048)):
        layer(shapes, f"{name}.mlp.0", width, features)
        layer(shapes, f"{name}.mlp.2", width, width)
    layer(shapes, "context_embedder", width, 4096)
    for i in range(layers):
        for stream in "x_block", "context_block":
            last = stream == "context_block" and i == layers - 1  # nothing comes after it
            attentions = ["attn", "attn2"] if stream == "x_block" and i < dual else ["attn"]
            block = f"joint_blocks.{i}.{stream}"
            layer(shapes, f"{block}.adaLN_modulation.1", (2 if last else 3 + 3 * len(attentions)) * width, width)
            for name in attentions:
                layer(shapes, f"{block}.{name}.qkv", 3 * width, width)
                if qk_norm:
                    shapes |= {f"{block}.{name}.ln_{x}.weight": (head,) for x in "qk"}
                if not last:
                    layer(shapes, f"{block}.{name}.proj", width, width)
            if not last:
                layer(shapes, f"{block}.mlp.fc1", 4 * width, width)
                layer(shapes, f"{block}.mlp.fc2", width, 4 * width)
    layer(shapes, "final_layer.linear", 64, width)
    layer(shapes, "final_layer.adaLN_modulation.1", 2 * width, width)
    return shapes


def flux(width=3072, head=128):
    shapes = {}
    layer(shapes, "img_in", width, 64)
    layer(shapes, "txt_in", width, 4096)
    for name, features in (("time_in", 256), ("vector_in", 768), ("guidance_in", 256)):
        layer(shapes, f"{name}.in_layer", width, features)
        layer(shapes, f"{name}.out_layer", width, width)
    for i in range(19):
        for stream in "img", "txt":
            block = f"double_blocks.{i}.{stream}"
            layer(shapes, f"{block}_mod.lin", 6 * width, width)
            layer(shapes, f"{block}_attn.qkv", 3 * width, width)
            layer(shapes, f"{block}_attn.proj", width, width)
            layer(shapes, f"{block}_mlp.0", 4 * width, width)
            layer(shapes, f"{block}_mlp.2", width, 4 * width)
            shapes |= {f"{block}_attn.norm.{x}_norm.scale": (head,) for x in ("query", "key")}
    for i in range(38):
        block = f"single_blocks.{i}"
        layer(shapes, f"{block}.modulation.lin", 3 * width, width)
        layer(shapes, f"{block}.linear1", 7 * width, width)
        layer(shapes, f"{block}.linear2", width, 5 * width)
        shapes |= {f"{block}.norm.{x}_norm.scale": (head,) for x in ("query", "key")}
    layer(shapes, "final_layer.linear", 64, width)
    layer(shapes, "final_layer.adaLN_modulation.1", 2 * width, width)
    return shapes


def z_image(today):
    shapes = {}
    for name, shape in today.items():
        for new, original in ((".to_out.0.", ".out."), (".norm_q.", ".q_norm."), (".norm_k.", ".k_norm."),
                              ("all_x_embedder.2-1", "x_embedder"), ("all_final_layer.2-1", "final_layer")):
            name = name.replace(new, original)
        if ".to_k." not in name and ".to_v." not in name:
            shapes[name.replace(".to_q.", ".qkv.")] = (3 * shape[0], *shape[1:]) if ".to_q." in name else tuple(shape)
    return shapes


FAMILIES = {  # the shapes, from those under today's names
    "SD3-medium": lambda today: sd3(24, 192),
    "SD3.5-medium": lambda today: sd3(24, 384, qk_norm=True, dual=13),
    "SD3.5-large": lambda today: sd3(38, 192, qk_norm=True),
    "FLUX.1-dev": lambda today: flux(),
    "FLUX.1-dev-Q8_0": lambda today: flux(),
    "Z-Image": z_image,
}


def rename(path, family):
    """Gives the file the original names; returns the header that it had."""
    with open(path, "r+b") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        old = file.read(size)
        tensors = {name: tensor for name, tensor in json.loads(old).items() if name != "__metadata__"}
        dtypes = {tensor["dtype"] for tensor in tensors.values()}
        element = 4 if dtypes == {"F32"} else 2
        new, at = {}, 0
        for name, shape in FAMILIES[family]({name: tensor["shape"] for name, tensor in tensors.items()}).items():
            end = at + element * math.prod(shape)
            new[name] = {"dtype": min(dtypes), "shape": shape, "data_offsets": [at, end]}
            at = end
        text = json.dumps(new, separators=(",", ":")).encode()
        if len(dtypes) > 1 or len(text) > size or at != max(tensor["data_offsets"][1] for tensor in tensors.values()):
            raise SystemExit(f"{path}: not a {family} of one dtype under diffusers' names")
        file.seek(8)
        file.write(text.ljust(size))
        return old


@contextlib.contextmanager
def renamed(path, family):
    """The file has the original names while this lasts."""
    old = rename(path, family)
    try:
        yield
    finally:
        with open(path, "r+b") as file:
            file.seek(8)
            file.write(old)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("file", type=pathlib.Path)
    arguments = parser.parse_args()
    rename(arguments.file, arguments.family)


if __name__ == "__main__":
    main()
