"""The benchmark's models: random weights in the folders that the public implementation saves, and their inputs.

    venv-torch/bin/python bench/peers/models.py        writes ${XDG_CACHE_HOME:-~/.cache}/dit/bench/NAME/, once

NAME/ holds config.json, diffusion_pytorch_model.safetensors, inputs.safetensors, inputs-grad.safetensors (the same and
`target`), figures.json (gflop of one forward) and openvino.xml with openvino.bin, the same network converted, in
float32. DiT-XL-2 takes 6 GB on disk, DiT-S-2 0.3 GB.
"""

import json
import os
import pathlib
import shutil
import warnings

import torch
from diffusers import DiTTransformer2DModel
from safetensors.torch import save_file

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dit" / "bench"

# Peebles and Xie 2023, table 1. Batch: two pictures are one of 256x256 with guidance; eight are a training batch.
CASES = {
    "DiT-XL-2": dict(layers=28, heads=16, head=72, batch=2),
    "DiT-S-2": dict(layers=12, heads=6, head=64, batch=8),
}


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


def convert(model, inputs, folder):
    """Saves the network in OpenVINO's form, float32, with the batch's fixed shapes."""
    import openvino

    names = list(inputs)

    class Forward(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, hidden_states, timestep, class_labels):
            return self.model(hidden_states, timestep, class_labels, return_dict=False)[0]

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer says that sizes become constants, which is what we want
        converted = openvino.convert_model(Forward(), example_input=inputs)
    for port, name in zip(converted.inputs, names):
        port.get_tensor().set_names({name})
    converted.reshape({name: list(inputs[name].shape) for name in names})
    openvino.save_model(converted, folder / "openvino.xml", compress_to_fp16=False)


if __name__ == "__main__":
    for case, sizes in CASES.items():
        make(case, **sizes)
