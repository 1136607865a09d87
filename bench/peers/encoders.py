"""What stable-diffusion.cpp wants beside a transformer before it draws a step: the least text encoders that give a family's
transformer its number of text tokens, and a tiny autoencoder, all of random weights.

FLUX.1 gets CLIP-L alone, Stable Diffusion 3 CLIP-L and CLIP-G (0.13 and 0.74 GB in Q8_0): the program then fills T5's places with
zeros, as many tokens as ever. Z-Image gets one layer of Qwen 3 4B (0.5 GB). Only steps are timed, and these files weigh on the
peak of memory alone.
"""

import random_model
import torch

CLIP_L = dict(model_type="clip_text_model", architectures=["CLIPTextModel"], vocab_size=49408, hidden_size=768,
              intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768)
CLIP_G = dict(model_type="clip_text_model", architectures=["CLIPTextModelWithProjection"], vocab_size=49408, hidden_size=1280,
              intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, projection_dim=1280, hidden_act="gelu")
QWEN = dict(model_type="qwen3", architectures=["Qwen3ForCausalLM"], vocab_size=151936, hidden_size=2560, intermediate_size=9728,
            num_hidden_layers=1, num_attention_heads=32, num_key_value_heads=8, head_dim=128, tie_word_embeddings=True)
ENCODERS = {"clip_l": CLIP_L, "clip_g": CLIP_G, "llm": QWEN}  # by sd-cli's flags
TINY = dict(_class_name="AutoencoderTiny", latent_channels=16)
CLIPS = ["clip_l", "clip_g"]
# Encoders, and words of one token each. Stable Diffusion 3's text comes in rows of 77 CLIP and 77 T5 tokens: two rows are 308 (the
# published pipeline has 333). FLUX.1's comes in rows of 256. Z-Image's template adds 8 tokens, and what follows is filled up to 128.
TEXTS = {"SD3-medium": (CLIPS, 100), "SD3.5-medium": (CLIPS, 100), "SD3.5-large": (CLIPS, 100), "FLUX.1-dev": (["clip_l"], 8),
         "FLUX.1-dev-Q8_0": (["clip_l"], 8), "Z-Image": (["llm"], 118)}


def shapes_of(config):
    shapes = random_model.shapes_of(config)
    if "clip" not in config["model_type"]:
        return shapes
    return {name if "text_" in name else f"text_model.{name}": shape for name, shape in shapes.items()}


def write(family, folder):
    """Returns the flags with which sd-cli finds the files, and has a text of the right length."""
    tiny, (encoders, words) = folder / "tiny.safetensors", TEXTS[family]
    shapes = random_model.shapes_of(TINY)
    random_model.write_shard(tiny, list(shapes), shapes, "F32", random_model.Source(torch.float32))
    flags = ["--tae", str(tiny), "-p", " ".join(["fox"] * words), "--cfg-scale", "1"]
    for name in encoders:
        file = folder / f"{name}.gguf"
        random_model.write_gguf(file, shapes_of(ENCODERS[name]))
        flags += [f"--{name}", str(file)]
    return flags
