"""Times stable-diffusion.cpp's sampling: `sd-cli` with the given flags, ended after its last step. Prints JSON as `dit bench` does.

    bench/peers/run_sdcpp.py PATH/sd-cli --steps 3 --threads 1 -- --diffusion-model FILE --clip_l FILE ... -W 512 -H 512

The first step warms up. `processor_s` is the mean processor time of the others over all threads.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import time


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("flags", nargs="+", help="of sd-cli, after --")
    arguments = parser.parse_args()
    command = [arguments.program, *arguments.flags, "--steps", str(arguments.steps), "-t", str(arguments.threads), "-o", "/dev/null"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text, ends, peak = b"", [], 0.0
    while len(ends) < arguments.steps:
        chunk = os.read(process.stdout.fileno(), 4096)
        if not chunk:
            raise SystemExit(f"sd-cli ended with {process.wait()} before its last step:\n{text[-800:].decode(errors='replace')}")
        text += chunk
        if re.search(rb"\b%d/%d - [\d.]+(s/it|it/s)" % (len(ends) + 1, arguments.steps), text):
            ends.append((time.perf_counter(), processor_seconds(process.pid)))
            peak = peak_mb(process.pid)
    process.kill()
    process.wait()
    seconds = [b[0] - a[0] for a, b in zip(ends, ends[1:])]
    print(json.dumps({"median_s": statistics.median(seconds), "min_s": min(seconds), "peak_rss_mb": peak,
                      "processor_s": (ends[-1][1] - ends[0][1]) / len(seconds)}))


if __name__ == "__main__":
    main()
