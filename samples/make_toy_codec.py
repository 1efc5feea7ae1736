"""Make the toy codec afresh: a stock 12 Hz tokenizer that knows flite's voice slt. Needs ``flite``; one CPU core.

    PYTHONPATH=. .envs/ml/bin/python -m samples.make_toy_codec OUT [--minutes 40] [--speech-minutes 25]
    PYTHONPATH=. .envs/ml/bin/python -m samples.make_toy_codec OUT --quick   # 3 minutes: proves the recipe, mumbles

Minutes are CPU time, so that a busy machine gives the same quality later. Not part of the product: the weights are
committed (``jobs/qwen/toy_codec``). A codec made here has other codes: it needs voices trained on its own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from jobs.qwen.codec import load_codec
from samples.toy_codec.latent import fit_latent
from samples.toy_codec.model import build_codec, save_codec, set_books
from samples.toy_codec.speech import Samples, held_out_speech, training_speech
from samples.toy_codec.training import Budget, Crops, log_mel, train_decoder, train_encoder

ENCODER_SHARE = 0.23  # of the training time; the decoder is the harder half


def held_out_error(folder: Path, utterances: list[Samples]) -> tuple[float, float]:
    """Mean absolute log-mel error through a written codec, and that of each utterance's own mean spectrum."""
    codec = load_codec(folder, "cpu")
    errors, of_mean = [], []
    for utterance in utterances:
        rebuilt = codec.decode(codec.encode([utterance])[0])[: len(utterance)]
        wanted, heard = (log_mel(torch.from_numpy(samples)) for samples in (utterance, rebuilt))
        errors.append((wanted - heard).abs().mean().item())
        of_mean.append((wanted - wanted.mean(1, keepdim=True)).abs().mean().item())
    return float(np.mean(errors)), float(np.mean(of_mean))


def make(out: Path, *, minutes: float, speech_minutes: float) -> None:
    """Speech, latent, encoder, decoder, file, and how well it does."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    began = time.process_time()
    utterances, gain = training_speech(speech_minutes)
    print(f"{len(utterances)} utterances, {time.process_time() - began:.0f} s")
    with torch.no_grad():
        latent = fit_latent(utterances)
    print(f"latent fitted, {time.process_time() - began:.0f} s")
    model = build_codec()
    set_books(model, latent)
    seconds = minutes * 60 - (time.process_time() - began)
    steps, loss = train_encoder(model, latent, Crops(utterances, seed=2), Budget(cpu_s=ENCODER_SHARE * seconds))
    print(f"encoder: {steps} steps, loss {loss:.3f}, {time.process_time() - began:.0f} s")
    steps, loss = train_decoder(model, latent, Crops(utterances, seed=1), Budget(cpu_s=(1 - ENCODER_SHARE) * seconds))
    print(f"decoder: {steps} steps, loss {loss:.3f}, {time.process_time() - began:.0f} s")
    save_codec(model, out)
    error, of_mean = held_out_error(out, held_out_speech(gain))
    print(f"{out}: held-out log-mel error {error:.3f} (mean spectrum {of_mean:.3f})")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--minutes", type=float, default=40.0, help="CPU time for everything")
    parser.add_argument("--speech-minutes", type=float, default=25.0, help="speech to train on")
    parser.add_argument("--quick", action="store_true", help="3 minutes of CPU time, 4 of speech")
    given = parser.parse_args()
    if given.quick:
        given.minutes, given.speech_minutes = 3.0, 4.0
    make(given.out, minutes=given.minutes, speech_minutes=given.speech_minutes)


if __name__ == "__main__":
    main()
