"""The benchmark's models: random weights in the folders that the public implementation saves, and their inputs.

    venv-torch/bin/python bench/peers/models.py [NAME]...      writes ${XDG_CACHE_HOME:-~/.cache}/dit/bench/NAME/, once

NAME/ holds config.json, diffusion_pytorch_model.safetensors, inputs.safetensors, inputs-grad.safetensors (the same and
`target`), figures.json (gflop of one forward) and openvino.xml with openvino.bin, the same network converted, in
float32. DiT-XL-2 takes 6 GB on disk, DiT-S-2 0.3 GB, the autoencoders of Stable Diffusion 0.7 GB each.
"""

import json
import os
import pathlib
import shutil
import sys
import warnings

import torch
from diffusers import AutoencoderKL, DiTTransformer2DModel
from safetensors.torch import save_file

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dit" / "bench"

# Peebles and Xie 2023, table 1. Batch: two pictures are one of 256x256 with guidance; eight are a training batch.
CASES = {
    "DiT-XL-2": dict(layers=28, heads=16, head=72, batch=2),
    "DiT-S-2": dict(layers=12, heads=6, head=64, batch=8),
}
# Rombach et al. 2022: the autoencoder of Stable Diffusion 1, decoding one picture of this side.
DECODERS = {"AutoencoderKL-256": 256, "AutoencoderKL-512": 512}


def gflop(config, batch):
    """Multiply-adds of every product and convolution of one forward, counted as two operations, in 1e9."""
    c = config.num_attention_heads * config.attention_head_dim
    tokens = (config.sample_size // config.patch_size) ** 2
    patch = config.patch_size**2
    token = patch * c * (config.in_channels + config.out_channels) + config.num_layers * (12 * c * c + 2 * tokens * c)
    sample = config.num_layers * (256 * c + c * c + 6 * c * c) + 2 * c * c
    return 2e-9 * batch * (tokens * token + sample)


def make(name, layers, heads, head, batch):
    folder = CACHE / name
    if (folder / "figures.json").exists():
        return
    print(f"making {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(0)
    model = DiTTransformer2DModel(num_layers=layers, num_attention_heads=heads, attention_head_dim=head,
                                  in_channels=4, out_channels=8, sample_size=32).eval()
    model.save_pretrained(folder, max_shard_size="16GB")
    inputs = {
        "hidden_states": torch.randn(batch, 4, 32, 32),
        "timestep": torch.randint(1000, (batch,)),
        "class_labels": torch.randint(1001, (batch,)),
    }
    save_file(inputs, folder / "inputs.safetensors")
    save_file(inputs | {"target": torch.randn(batch, 8, 32, 32)}, folder / "inputs-grad.safetensors")
    convert(model, inputs, folder)
    # Written last: a folder without it is unfinished and is made anew.
    (folder / "figures.json").write_text(json.dumps({"gflop": round(gflop(model.config, batch), 3)}) + "\n")


def decoder_gflop(model, z):
    """As above, of model.decode(z): counted on shapes alone."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            total += 2 * output.numel() * module.weight[0].numel()
        else:  # attention: two products of all positions with all
            batch, channels, height, width = output.shape
            total += 4 * batch * channels * (height * width) ** 2

    model = AutoencoderKL.from_config(model.config).to("meta").eval()
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) or type(module).__name__ == "Attention":
            module.register_forward_hook(count)
    with torch.no_grad():
        model.decode(z.to("meta"))
    return 1e-9 * total


def make_decoder(name, side):
    folder = CACHE / name
    if (folder / "figures.json").exists():
        return
    print(f"making {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(0)
    model = AutoencoderKL(block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
                          up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, sample_size=side).eval()
    model.save_pretrained(folder)
    inputs = {"z": torch.randn(1, 4, side // 8, side // 8)}
    save_file(inputs, folder / "inputs.safetensors")
    convert(model, inputs, folder, "decode")
    (folder / "figures.json").write_text(json.dumps({"gflop": round(decoder_gflop(model, inputs["z"]), 3)}) + "\n")


def convert(model, inputs, folder, method="forward"):
    """Saves a method of the network in OpenVINO's form, float32, with the batch's fixed shapes."""
    import openvino

    names = list(inputs)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *arguments):
            return getattr(self.model, method)(*arguments, return_dict=False)[0]

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer says that sizes become constants, which is what we want
        converted = openvino.convert_model(Network(), example_input=tuple(inputs.values()))
    for port, name in zip(converted.inputs, names):
        port.get_tensor().set_names({name})
    converted.reshape({name: list(inputs[name].shape) for name in names})
    openvino.save_model(converted, folder / "openvino.xml", compress_to_fp16=False)


if __name__ == "__main__":
    names = sys.argv[1:] or [*CASES, *DECODERS]
    for case, sizes in CASES.items():
        if case in names:
            make(case, **sizes)
    for case, side in DECODERS.items():
        if case in names:
            make_decoder(case, side)
