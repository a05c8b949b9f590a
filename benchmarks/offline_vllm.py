"""Run as a program of its own: vLLM without a server, prompts in, seconds out. Only this file imports vLLM.

Reads one JSON object on stdin: `model`, `options` of `vllm.LLM`, `sampling`, and `rounds` of prompts as token ids; the
first round warms up. Writes one JSON list on stdout: copies, completion tokens and seconds of each other round.
"""

import json
import os
import sys
import time


def main() -> None:
    job = json.load(sys.stdin)
    results = os.dup(1)
    os.dup2(2, 1)  # vLLM prints to stdout
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    llm = LLM(model=job["model"], **job["options"])
    sampling = SamplingParams(**job["sampling"])
    rates = []
    for prompts in job["rounds"]:
        started = time.perf_counter()
        outputs = llm.generate([TokensPrompt(prompt_token_ids=ids) for ids in prompts], sampling, use_tqdm=False)
        seconds = time.perf_counter() - started
        rates.append([len(outputs), sum(len(output.outputs[0].token_ids) for output in outputs), seconds])
    with os.fdopen(results, "w") as stream:
        json.dump(rates[1:], stream)


if __name__ == "__main__":
    main()
