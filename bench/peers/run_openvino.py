"""Times OpenVINO on one folder of models.py, with the flags and the JSON of `dit bench`.

    venv-openvino/bin/python bench/peers/run_openvino.py DIR --inputs F [--dtype bf16] [--rounds N] [--threads T] --json
"""

import argparse
import json
import pathlib
import resource
import statistics
import time

import numpy
import openvino
from safetensors.numpy import load_file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--method", help="of the converted network; here for symmetry")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="computed in; weights and inputs are f32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="the only form of output; here for symmetry")
    arguments = parser.parse_args()

    inputs = load_file(arguments.inputs)
    # Left alone, the runtime would compute in bfloat16 where the processor has it.
    settings = {"INFERENCE_PRECISION_HINT": arguments.dtype, "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": arguments.threads}
    model = openvino.Core().compile_model(pathlib.Path(arguments.folder) / "openvino.xml", "CPU", settings)
    request = model.create_infer_request()

    output = request.infer(inputs)[0].copy()
    seconds = []
    begin = time.process_time()
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        request.infer(inputs, share_inputs=True, share_outputs=True)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "median_s": statistics.median(seconds),
        "min_s": min(seconds),
        "processor_s": (time.process_time() - begin) / arguments.rounds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "output_rms": float(numpy.sqrt(numpy.square(output).mean())),
        "version": openvino.__version__,
    }))


if __name__ == "__main__":
    main()
