"""Where the clients of HELM's deployments compute: in this container, or at a service.

HELM does not say. Its modules are named here one by one, because neither folders nor
names tell: ``image_generation`` and ``vision_language`` hold clients of both kinds.
Read from HELM 0.5.6 to 0.5.16; a test fails for a module in these folders that is not named.
"""

from __future__ import annotations

HELM_CLIENTS = "helm.clients."

# They load weights from the Hugging Face hub, by ``pretrained_model_name_or_path`` or the model's name.
_HUB_WEIGHTS = frozenset(
    {
        "huggingface_client",
        "huggingface_pipeline_client",
        "audio_language.diva_llama_client",
        "audio_language.llama_omni_client",
        "audio_language.qwen2_5_omni_client",
        "audio_language.qwen2_audiolm_client",
        "audio_language.qwen_audiolm_client",
        "vision_language.huggingface_vision2seq_client",
        "vision_language.huggingface_vlm_client",
        "vision_language.idefics_client",
        "vision_language.open_flamingo_client",
        "vision_language.paligemma_client",
        "vision_language.qwen2_vlm_client",
        "vision_language.qwen_vlm_client",
    }
)
_OTHER_WEIGHTS = frozenset(
    {
        "lit_gpt_client",
        "open_lm_client",
        "simple_client",
        "image_generation.cogview2_client",
        "image_generation.dalle_mini_client",
        "image_generation.huggingface_diffusers_client",
        "image_generation.mindalle_client",
    }
)
# "Offline eval only": they give images that HELM's authors put into a cache, and compute and ask nothing.
_CACHED_IMAGES = frozenset(
    {
        "image_generation.adobe_vision_client",
        "image_generation.aleph_alpha_image_generation_client",
        "image_generation.deep_floyd_client",
    }
)
_HOSTED_IMAGES = frozenset(
    {
        "image_generation.dalle2_client",
        "image_generation.dalle3_client",
        "image_generation.lexica_client",
        "image_generation.together_image_generation_client",
    }
)
# Their servers are this machine's unless they are told of another.
_SERVER_HERE = frozenset({"http_model_client", "megatron_client"})


def module_of(class_name: str) -> str:
    """Name of a client's module, without ``helm.clients.`` where it is HELM's."""
    # HELM's own list has a class name with a space at its end.
    return class_name.strip().rpartition(".")[0].removeprefix(HELM_CLIENTS)


def runs_here(class_name: str) -> bool:
    """Whether this client computes its answers in this container."""
    return module_of(class_name) in _HUB_WEIGHTS | _OTHER_WEIGHTS


def has_hub_weights(class_name: str) -> bool:
    """Whether this client loads weights from the Hugging Face hub by the repository's name."""
    return module_of(class_name) in _HUB_WEIGHTS


def makes_images(class_name: str) -> bool:
    """Whether this client has images made elsewhere, each of which costs money."""
    return module_of(class_name) in _HOSTED_IMAGES


def has_images_cached(class_name: str) -> bool:
    """Whether this client has nothing but images made before."""
    return module_of(class_name) in _CACHED_IMAGES


def asks_a_provider(class_name: str) -> bool:
    """Whether this client of HELM's asks a service elsewhere unless it is given another address.

    Not known, hence false, for clients that are not HELM's.
    """
    named_here = _HUB_WEIGHTS | _OTHER_WEIGHTS | _CACHED_IMAGES | _SERVER_HERE
    return class_name.startswith(HELM_CLIENTS) and module_of(class_name) not in named_here
