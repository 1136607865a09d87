"""Transformers of published sizes in the names of their original files, with random weights, for stable-diffusion.cpp.

    venv-torch/bin/python bench/peers/original.py FAMILY FILE.safetensors|FILE.gguf

The names are those of the original repositories (Stability-AI/sd3.5, black-forest-labs/flux, Tongyi-MAI/Z-Image as ComfyUI reads
it). GGUF files are Q8_0.
"""

import argparse
import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("random_model", ROOT / "tools/random-model.py")
random_model = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(random_model)


def layer(shapes, name, rows, columns):
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (rows, columns), (rows,)


def sd3(layers, width, positions):
    shapes = {"pos_embed": (1, positions**2, width), "x_embedder.proj.weight": (width, 16, 2, 2), "x_embedder.proj.bias": (width,)}
    for name, features in (("t_embedder", 256), ("y_embedder", 2048)):
        layer(shapes, f"{name}.mlp.0", width, features)
        layer(shapes, f"{name}.mlp.2", width, width)
    layer(shapes, "context_embedder", width, 4096)
    for i in range(layers):
        for stream in "x_block", "context_block":
            last = stream == "context_block" and i == layers - 1  # nothing comes after it
            block = f"joint_blocks.{i}.{stream}"
            layer(shapes, f"{block}.adaLN_modulation.1", (2 if last else 6) * width, width)
            layer(shapes, f"{block}.attn.qkv", 3 * width, width)
            if not last:
                layer(shapes, f"{block}.attn.proj", width, width)
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


def z_image():
    shapes = {}
    for name, shape in random_model.shapes_of({"_class_name": "ZImageTransformer2DModel"}).items():
        for today, original in ((".to_out.0.", ".out."), (".norm_q.", ".q_norm."), (".norm_k.", ".k_norm."),
                                ("all_x_embedder.2-1", "x_embedder"), ("all_final_layer.2-1", "final_layer")):
            name = name.replace(today, original)
        if ".to_k." in name or ".to_v." in name:
            continue
        shapes[name.replace(".to_q.", ".qkv.")] = (3 * shape[0], *shape[1:]) if ".to_q." in name else shape
    return shapes


FAMILIES = {"SD3-medium": lambda: sd3(24, 1536, 192), "SD3.5-large": lambda: sd3(38, 2432, 192), "FLUX.1-dev": flux,
            "Z-Image": z_image}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("file", type=pathlib.Path)
    arguments = parser.parse_args()
    shapes = FAMILIES[arguments.family]()
    if arguments.file.suffix == ".gguf":
        random_model.write_gguf(arguments.file, shapes)
    else:
        name, dtype = random_model.NAMES["bf16"]
        random_model.write_shard(arguments.file, list(shapes), shapes, name, random_model.Source(dtype))


if __name__ == "__main__":
    main()
