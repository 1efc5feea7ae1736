"""Adapters and bitsandbytes, in a fresh process: imported for quantised layers only."""

from __future__ import annotations

import json
import subprocess
import sys

from jobs.settings import PROJECT_ROOT

SCRIPT = """
import json, sys, torch
from jobs.qwen.train.lora import add_adapters, quantise

def talker():
    layer = torch.nn.ModuleDict({"self_attn": torch.nn.ModuleDict({"q_proj": torch.nn.Linear(64, 64, bias=False)})})
    inner = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([layer])})
    return torch.nn.ModuleDict({"talker": torch.nn.ModuleDict({"model": inner})})

def adapted(model):
    add_adapters(model, r=4, alpha=8, dropout=0.0, targets="talker", use_rslora=False, use_dora=False)
    (layer,) = [module for name, module in model.named_modules() if name.endswith("q_proj")]
    return [type(layer).__module__, type(layer.base_layer).__name__]

plain = adapted(talker())
is_loaded = "bitsandbytes" in sys.modules
quantised = talker()
quantise(quantised)
print(json.dumps([plain, is_loaded, adapted(quantised)]))
"""


def test_plain_adapters_leave_bitsandbytes_out_and_adapters_of_quantised_layers_work_afterwards() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)

    plain, is_loaded, quantised = json.loads(ended.stdout)
    assert not is_loaded
    assert plain == ["peft.tuners.lora.layer", "Linear"]
    assert quantised == ["peft.tuners.lora.layer", "FrozenLinear4bit"]
