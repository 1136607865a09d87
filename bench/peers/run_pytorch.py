"""Times PyTorch on one folder of diffusers, with the flags and the JSON of `dit bench`.

    venv-torch/bin/python bench/peers/run_pytorch.py DIR --inputs F [--compile] [--grad] [--optimizer adamw] ... --json

One round is a forward, or with --method decode a decode; with --grad a forward and backward of mean((sample - target)^2); with
--optimizer also the step.
"""

import argparse
import importlib
import json
import pathlib
import resource
import statistics
import sys
import time

import diffusers
import torch
from safetensors.torch import load_file

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools/fixtures"))
CALLERS = {"LuminaNextDiT2DModel": "lumina_next", "ZImageTransformer2DModel": "z_image"}  # of their own; else network
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--method", choices=["forward", "decode"], default="forward")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--grad", action="store_true")
    parser.add_argument("--optimizer", choices=["adamw"])
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="the only form of output; here for symmetry")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    diffusers.utils.logging.set_verbosity_error()

    inputs = load_file(arguments.inputs)
    target = inputs.pop("target", None)
    name = json.loads((pathlib.Path(arguments.folder) / "config.json").read_text())["_class_name"]
    dtype = DTYPES[arguments.dtype]
    # eval: no random label dropout
    model = getattr(diffusers, name).from_pretrained(arguments.folder, torch_dtype=dtype).eval()
    method = getattr(model, arguments.method)
    network = torch.compile(method) if arguments.compile else method
    for key, value in inputs.items():
        if value.is_floating_point() and "rotary_emb" not in key:
            inputs[key] = value.to(dtype)
    dotted = any("." in key for key in inputs) or name in CALLERS
    if dotted:  # lists and dictionaries
        call = importlib.import_module(CALLERS.get(name, "network")).call
        network = lambda return_dict, **values: [next(iter(call(model, values).values()))]
    training = arguments.grad or arguments.optimizer
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True) if arguments.optimizer else None

    def once():
        if not training:
            with torch.no_grad():
                return network(**inputs, return_dict=False)[0]
        model.zero_grad(set_to_none=True)
        sample = network(**inputs, return_dict=False)[0]
        torch.nn.functional.mse_loss(sample, target).backward()
        if optimizer:
            optimizer.step()
        return sample

    output = once().detach()
    seconds = []
    begin = time.process_time()
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "median_s": statistics.median(seconds),
        "min_s": min(seconds),
        "processor_s": (time.process_time() - begin) / arguments.rounds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "output_rms": output.float().square().mean().sqrt().item(),
        "version": torch.__version__,
    }))


if __name__ == "__main__":
    main()
