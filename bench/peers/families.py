"""Transformers of published sizes with random weights, and the arguments of one call of each: a picture of a given size and a text
as long as the published pipeline's.

    venv-torch/bin/python bench/peers/families.py FAMILY FOLDER --size 512 --dtype bf16 --sdcpp

FOLDER gets inputs.safetensors and the model: a folder, or model.gguf, under the original names, for a family that ends in Q8_0. With
--sdcpp also sdcpp.json, the other flags of stable-diffusion.cpp, and the files that they name. The configurations are those of
the published models, from the defaults of diffusers' classes where these are them.
"""

import argparse
import json
import math
import pathlib
import sys

import torch
from diffusers.models.embeddings import get_2d_rotary_pos_embed, get_2d_rotary_pos_embed_lumina
from safetensors.torch import save_file

sys.dont_write_bytecode = True
import encoders  # noqa: E402  of this folder
import original  # noqa: E402
import random_model  # noqa: E402


def randn(*shape):
    return torch.randn(*shape)


def ones(tokens):
    return torch.ones(1, tokens, dtype=torch.int64)


def time(value=500.0):
    return torch.tensor([value])


def dit(side):
    return {"hidden_states": randn(1, 4, side, side), "timestep": torch.tensor([500]), "class_labels": torch.tensor([207])}


def pixart(side):
    return {"hidden_states": randn(1, 4, side, side), "encoder_hidden_states": randn(1, 300, 4096), "timestep": time(),
            "encoder_attention_mask": ones(300)}


def sd3(side):
    return {"hidden_states": randn(1, 16, side, side), "encoder_hidden_states": randn(1, 333, 4096),
            "pooled_projections": randn(1, 2048), "timestep": time()}


def flux(side, text=512):
    rows = side // 2
    ids = torch.zeros(rows, rows, 3)
    ids[..., 1], ids[..., 2] = torch.arange(rows)[:, None], torch.arange(rows)[None]
    return {"hidden_states": randn(1, rows * rows, 64), "encoder_hidden_states": randn(1, text, 4096),
            "pooled_projections": randn(1, 768), "timestep": time(0.5), "img_ids": ids.reshape(-1, 3),
            "txt_ids": torch.zeros(text, 3), "guidance": torch.tensor([3.5])}


def lumina_next(side):
    rope = get_2d_rotary_pos_embed_lumina(72, 384, 384)
    return {"hidden_states": randn(1, 4, side, side), "timestep": time(0.5), "encoder_hidden_states": randn(1, 256, 2048),
            "encoder_mask": ones(256), "image_rotary_emb": torch.view_as_real(rope.to(torch.complex64))}


def lumina2(side):
    return {"hidden_states": randn(1, 16, side, side), "timestep": time(0.5), "encoder_hidden_states": randn(1, 256, 2304),
            "encoder_attention_mask": ones(256)}


def sana(side):
    return {"hidden_states": randn(1, 32, side // 4, side // 4), "encoder_hidden_states": randn(1, 300, 2304),
            "timestep": time(), "encoder_attention_mask": ones(300)}


def hidream(side):
    states = {f"encoder_hidden_states_llama3.{i}": randn(1, 128, 4096) for i in range(32)}
    return {"hidden_states": randn(1, 16, side, side), "timesteps": time(), "encoder_hidden_states_t5": randn(1, 128, 4096),
            "pooled_embeds": randn(1, 2048)} | states


def hunyuan_dit(side):
    rows = side // 2
    table = get_2d_rotary_pos_embed(88, ((0, 0), (rows, rows)), (rows, rows), output_type="pt")
    return {"hidden_states": randn(1, 4, side, side), "timestep": time(), "encoder_hidden_states": randn(1, 77, 1024),
            "text_embedding_mask": ones(77), "encoder_hidden_states_t5": randn(1, 256, 2048),
            "text_embedding_mask_t5": ones(256)} | {f"image_rotary_emb.{i}": part for i, part in enumerate(table)}


def aura_flow(side):
    return {"hidden_states": randn(1, 4, side, side), "encoder_hidden_states": randn(1, 256, 2048), "timestep": time(0.5)}


def z_image(side):
    return {"x.0": randn(16, 1, side, side), "t": time(0.5), "cap_feats.0": randn(128, 2560)}


SD3 = dict(_class_name="SD3Transformer2DModel", sample_size=128, patch_size=2, in_channels=16, attention_head_dim=64,
           joint_attention_dim=4096, pooled_projection_dim=2048, out_channels=16, caption_projection_dim=1536)
FAMILIES = {  # name: configuration, arguments
    "DiT-XL/2": (dict(_class_name="DiTTransformer2DModel", sample_size=64, num_attention_heads=16, attention_head_dim=72,
                      in_channels=4, out_channels=8, num_layers=28), dit),
    "PixArt-Sigma": (dict(_class_name="PixArtTransformer2DModel", sample_size=64, num_attention_heads=16,
                          attention_head_dim=72, in_channels=4, out_channels=8, num_layers=28, caption_channels=4096,
                          cross_attention_dim=1152, use_additional_conditions=False), pixart),
    "SANA-1.6B": (dict(_class_name="SanaTransformer2DModel", sample_size=16), sana),
    "Hunyuan-DiT-1.2": (dict(_class_name="HunyuanDiT2DModel", num_attention_heads=16, attention_head_dim=88, in_channels=4,
                             patch_size=2, sample_size=128, hidden_size=1408, num_layers=40, mlp_ratio=4.3637,
                             learn_sigma=True, cross_attention_dim=1024, cross_attention_dim_t5=2048,
                             pooled_projection_dim=1024, text_len=77, text_len_t5=256,
                             use_style_cond_and_image_meta_size=False), hunyuan_dit),
    "Lumina-Next": (dict(_class_name="LuminaNextDiT2DModel", sample_size=128, patch_size=2, in_channels=4, hidden_size=2304,
                         num_layers=24, num_attention_heads=32, num_kv_heads=8, cross_attention_dim=2048), lumina_next),
    "SD3-medium": (SD3 | dict(num_layers=24, num_attention_heads=24, pos_embed_max_size=192), sd3),
    "SD3.5-medium": (SD3 | dict(num_layers=24, num_attention_heads=24, pos_embed_max_size=384, qk_norm="rms_norm",
                                dual_attention_layers=list(range(13))), sd3),
    "Lumina-Image-2.0": (dict(_class_name="Lumina2Transformer2DModel", cap_feat_dim=2304), lumina2),
    "Z-Image": (dict(_class_name="ZImageTransformer2DModel"), z_image),
    "AuraFlow-0.3": (dict(_class_name="AuraFlowTransformer2DModel", pos_embed_max_size=9216), aura_flow),
    "SD3.5-large": (SD3 | dict(num_layers=38, num_attention_heads=38, pos_embed_max_size=192, qk_norm="rms_norm",
                               caption_projection_dim=2432), sd3),
    "FLUX.1-dev": (dict(_class_name="FluxTransformer2DModel", guidance_embeds=True), flux),
    # what stable-diffusion.cpp gives it: one row of text
    "FLUX.1-dev-Q8_0": (dict(_class_name="FluxTransformer2DModel", guidance_embeds=True), lambda side: flux(side, 256)),
    "HiDream-I1": (dict(_class_name="HiDreamImageTransformer2DModel", patch_size=2, in_channels=16, num_layers=16,
                        num_single_layers=32, attention_head_dim=128, num_attention_heads=20,
                        caption_channels=[4096, 4096], text_emb_dim=2048, num_routed_experts=4, num_activated_experts=2,
                        axes_dims_rope=[64, 32, 32], max_resolution=[128, 128],
                        llama_layers=list(range(32)) + [31] * 16), hidream),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=512, help="side of the picture in pixels")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--sdcpp", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    config, inputs = FAMILIES[arguments.family]
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: x.contiguous() for name, x in inputs(arguments.size // 8).items()}, folder / "inputs.safetensors")
    if arguments.family.endswith("Q8_0"):
        random_model.write_gguf(folder / "model.gguf", original.FAMILIES[arguments.family]({}))
    else:  # in one file, which original.py can rename
        random_model.write_model(config, folder / "model", arguments.dtype, math.inf)
    if arguments.sdcpp:
        (folder / "sdcpp.json").write_text(json.dumps(encoders.write(arguments.family, folder)))


if __name__ == "__main__":
    main()
