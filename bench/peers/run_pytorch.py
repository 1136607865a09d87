"""Times PyTorch on one folder of diffusers, with the flags and the JSON of `dit bench`.

    venv-torch/bin/python bench/peers/run_pytorch.py DIR --inputs F [--compile] [--grad] [--optimizer adamw] ... --json

One round is a forward, or with --method decode a decode; with --grad a forward and backward of mean((sample - target)^2); with --optimizer also the step.
"""

import argparse
import json
import pathlib
import resource
import statistics
import time

import diffusers
import torch
from safetensors.torch import load_file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--method", choices=["forward", "decode"], default="forward")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--grad", action="store_true")
    parser.add_argument("--optimizer", choices=["adamw"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="the only form of output; here for symmetry")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    diffusers.utils.logging.set_verbosity_error()

    inputs = load_file(arguments.inputs)
    target = inputs.pop("target", None)
    name = json.loads((pathlib.Path(arguments.folder) / "config.json").read_text())["_class_name"]
    model = getattr(diffusers, name).from_pretrained(arguments.folder).eval()  # eval: no random label dropout
    method = getattr(model, arguments.method)
    network = torch.compile(method) if arguments.compile else method
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
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "median_s": statistics.median(seconds),
        "min_s": min(seconds),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "output_rms": output.square().mean().sqrt().item(),
        "version": torch.__version__,
    }))


if __name__ == "__main__":
    main()
