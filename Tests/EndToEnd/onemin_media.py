"""Images and audio of the fake 1min.ai: the accepted fields by model, and the results."""

import json
import re
from collections.abc import Callable
from typing import Any

import onemin_assets as assets
import onemin_replies as replies
import onemin_rules as rules
import pictures
from onemin_rules import Check, is_bool, is_text, whole


def one_of(*values: Any) -> Check:
    return lambda value: value in values and not isinstance(value, bool)


def number(low: float, high: float) -> Check:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def text_upto(limit: int) -> Check:
    return lambda value: is_text(value) and len(value) <= limit


def free_size(value: Any) -> bool:
    """Returns whether gpt-image-2 draws this size."""
    found = re.fullmatch(r"(\d+)x(\d+)", value) if isinstance(value, str) else None
    if not found:
        return False
    width, height = int(found[1]), int(found[2])
    return (
        width % 16 == 0 and height % 16 == 0 and 655360 <= width * height <= 8294400
        and max(width, height) <= 3840 and max(width, height) <= 3 * min(width, height)
    )  # fmt: skip


SEED = whole(0, 4294967295)
SQUARES = one_of("256x256", "512x512", "1024x1024")
GPT_SIZES = one_of("1024x1024", "1024x1536", "1536x1024")
LEVELS = one_of("low", "medium", "high")
STYLES = one_of("vivid", "natural")
FORMATS = one_of("png", "jpeg", "webp")
RATIOS = ("1:1", "16:9", "9:16", "3:2", "2:3", "4:5", "5:4")
FLUX_FORMATS = one_of("webp", "jpg", "png")

GPT_IMAGE_MINI: dict[str, Check] = {
    "n": whole(1, 10), "size": GPT_SIZES, "quality": LEVELS, "output_format": FORMATS,
    "output_compression": whole(0, 100), "background": one_of("opaque", "transparent"),
}  # fmt: skip
GPT_IMAGE_2: dict[str, Check] = {
    "prompt": text_upto(4000), "size": free_size, "quality": LEVELS, "n": whole(1, 10),
    "background": one_of("auto", "opaque", "transparent"), "output_format": FORMATS,
    "output_compression": whole(0, 100),
}  # fmt: skip
GPT_EDIT: dict[str, Check] = {
    "prompt": text_upto(4000), "size": GPT_SIZES, "n": whole(1, 10), "quality": LEVELS, "output_format": FORMATS,
    "output_compression": whole(0, 100), "background": one_of("auto", "opaque", "transparent"),
}  # fmt: skip
LEONARDO: dict[str, Check] = {
    "size": one_of("1024x1024", "1024x768", "768x1024"), "n": whole(1, 4), "negativePrompt": is_text,
    "leonardo_guidance_scale": number(1, 20), "leonardo_num_inference_steps": whole(10, 60), "leonardo_seed": SEED,
}  # fmt: skip
MAGIC: dict[str, Check] = {
    "n": one_of(4), "mode": one_of("fast", "relax"), "aspect_width": whole(1, 7), "aspect_height": whole(1, 7),
    "negativePrompt": is_text, "isNiji6": is_bool, "maintainModeration": is_bool, "seed": SEED,
    "stylize": whole(0, 1000), "chaos": whole(0, 100), "weird": whole(0, 3000),
}  # fmt: skip
VARIATE_MAGIC: dict[str, Check] = {
    name: check for name, check in MAGIC.items() if name not in ("negativePrompt", "seed", "stylize", "chaos", "weird")
}
LEONARDO_IDS = {model for model, said in rules.CATALOGUE.items() if said["provider"] == "leonardoai"}

Family = tuple[dict[str, Check], set[str]]
"""Fields besides the prompt, and those that are required."""


def is_magic(model: str) -> bool:
    return model.startswith(("magic-art", "midjourney"))


def generator(model: str) -> Family:
    flux = "black-forest-labs/flux-"
    named: dict[str, Family] = {
        "gpt-image-1": (GPT_IMAGE_MINI | {"style": STYLES}, {"quality"}),
        "gpt-image-1-mini": (GPT_IMAGE_MINI, {"quality"}),
        "gpt-image-2": (GPT_IMAGE_2, {"size", "quality"}),
        "dall-e-3": (
            {"n": one_of(1), "size": one_of("1024x1024", "1024x1792", "1792x1024"), "quality": one_of("standard", "hd"), "style": STYLES},
            set(),
        ),
        "dall-e-2": ({"n": whole(1, 10), "size": SQUARES}, set()),
        flux + "schnell": (
            {
                "aspect_ratio": one_of(*RATIOS, "custom"), "output_quality": whole(0, 100),
                "num_inference_steps": whole(1, 4), "megapixels": one_of("0.25", "1"), "go_fast": is_bool,
                "disable_safety_checker": is_bool, "seed": SEED, "num_outputs": whole(1, 4),
                "output_format": FLUX_FORMATS,
            },
            set(),
        ),
        flux + "1.1-pro": (
            {
                "aspect_ratio": one_of(*RATIOS, "custom"), "output_quality": whole(0, 100),
                "safety_tolerance": whole(0, 5), "prompt_upsampling": is_bool, "seed": SEED, "image_prompt": is_text,
            },
            set(),
        ),
        flux + "2-pro": (
            {
                "aspect_ratio": one_of(*RATIOS), "output_format": one_of("png", "jpg"),
                "output_quality": whole(0, 100), "steps": whole(15, 50), "guidance": number(2, 5),
                "safety_tolerance": whole(1, 6), "prompt_upsampling": is_bool, "seed": SEED,
            },
            set(),
        ),
        "recraft": (
            {
                "task_type": is_text, "style": is_text, "substyle": is_text, "size": one_of("1024x1024"),
                "n": whole(1, 4), "negative_prompt": is_text,
            },
            set(),
        ),
        "stable-image": (
            {
                "stable_image_core_aspect_ratio": one_of(*RATIOS, "21:9", "9:21"),
                "stable_image_core_output_format": FORMATS, "stable_image_core_seed": SEED,
                "stable_image_core_style_preset": is_text, "negativePrompt": is_text,
            },
            set(),
        ),
        "stable-diffusion-xl-1024-v1-0": (
            {
                "samples": whole(1, 10), "size": lambda value: bool(re.fullmatch(r"\d{3,4}x\d{3,4}", value)),
                "cfg_scale": number(0, 35), "seed": SEED, "steps": whole(10, 50),
            },
            set(),
        ),
    }  # fmt: skip
    if model in named:
        return named[model]
    if model.startswith(flux):
        return {"aspect_ratio": one_of(*RATIOS), "output_format": FLUX_FORMATS}, set()
    if model in LEONARDO_IDS:
        return LEONARDO, {"size", "n"}
    if is_magic(model):
        return MAGIC, set()
    return {}, set()


def editor(model: str) -> Family:
    if model in ("gpt-image-1", "gpt-image-1-mini"):
        return GPT_EDIT, {"size", "n", "quality"}
    if model == "gpt-image-2":
        return GPT_IMAGE_2, {"size", "quality"}
    return {}, set()


def variator(model: str) -> Family:
    if model == "dall-e-2":
        return {"n": whole(1, 10), "size": SQUARES}, set()
    return (VARIATE_MAGIC, {"n"}) if is_magic(model) else ({}, set())


SPEECH_FORMATS = tuple(pictures.AUDIO_STARTS)
VOICES = ("alloy", "echo", "fable", "onyx", "nova", "shimmer", "ash", "ballad", "coral", "sage", "verse")


def speaker(model: str) -> Family:
    if model in ("tts-1", "tts-1-hd"):
        fields = {"text": text_upto(4096), "voice": one_of(*VOICES), "response_format": one_of(*SPEECH_FORMATS), "speed": number(0.25, 4.0)}
        return fields, {"text", "voice"}
    return {"text": text_upto(4096), "voice": is_text}, {"text", "voice"}


def transcriber(model: str) -> Family:
    language = {"language": lambda value: bool(re.fullmatch(r"[a-z]{2}", value))}
    if model == "whisper-1":
        formats = one_of("text", "json", "srt", "verbose_json", "vtt")
        fields = {"response_format": formats, "prompt": is_text, "temperature": number(0, 1)}
        return language | fields, {"response_format"}
    if model.startswith("gpt-4o-transcribe"):
        fields = {"response_format": one_of("text", "json"), "prompt": is_text, "temperature": number(0, 1)}
        return language | fields, set()
    if model in ("elevenlabs-speech-to-text", "qwen3-asr-flash"):
        return language, set()
    return {"language": lambda value: bool(re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})+", value))}, {"language"}


def translator(model: str) -> Family:
    if model != "whisper-1":
        raise rules.error(400, f"Model {model} is not supported", "UNSUPPORTED_MODEL")
    formats = one_of("text", "json", "srt", "verbose_json", "vtt")
    return {"response_format": formats, "prompt": is_text, "temperature": number(0, 1)}, set()


FEATURES: dict[str, tuple[str, Callable[[str], Family], set[str]]] = {
    "IMAGE_GENERATOR": ("image", generator, {"prompt"}),
    "IMAGE_EDITOR": ("image_edit", editor, {"prompt", "imageUrl"}),
    "IMAGE_INPAINTER": ("image_inpaint", editor, {"prompt", "imageUrl", "maskUrl"}),
    "IMAGE_VARIATOR": ("image_variation", variator, {"imageUrl"}),
    "TEXT_TO_SPEECH": ("text_to_speech", speaker, set()),
    "SPEECH_TO_TEXT": ("speech_to_text", transcriber, {"audioUrl"}),
    "AUDIO_TRANSLATOR": ("audio_translation", translator, {"audioUrl"}),
}
"""The vendor's `type` -> feature in the catalogue, family of a model, members that all models of it need."""

COMMON: dict[str, Check] = {"prompt": is_text, "imageUrl": is_text, "maskUrl": is_text, "audioUrl": is_text}


def check(request: rules.Request, kept: assets.Assets) -> None:
    """Checks a call of one of FEATURES. Raises a Refusal where the vendor would refuse."""
    if request.query:
        request.violations.append(f"query is {request.query!r}")
    body = request.json
    kind = body["type"]
    feature, family, needed = FEATURES[kind]
    members: dict[str, Check] = {"type": is_text, "model": is_text, "promptObject": rules.is_object}
    members["conversationId"] = one_of(kind)
    problems = rules.check_members(request, body, "body", members)
    if kind == "AUDIO_TRANSLATOR" and "conversationId" not in body:
        problems.append("conversationId must be AUDIO_TRANSLATOR")
    rules.check_model(body.get("model"), feature)
    fields, required = family(body["model"])
    prompt = body.get("promptObject", {})
    allowed = {name: COMMON[name] for name in needed} | fields
    problems += rules.check_members(request, prompt, "promptObject", allowed)
    if isinstance(prompt, dict):
        missing = sorted((needed | required) - prompt.keys())
        request.violations += [f"promptObject.{name} is required" for name in missing]
        if missing and not problems:
            raise rules.missing(*missing)
        stale = problems_of_assets(prompt, kept.uploads.get(request.key, {}))
        request.violations += stale
        problems += stale
    if problems:
        raise rules.error(400, problems)


def problems_of_assets(prompt: dict[str, Any], uploads: dict[str, assets.Upload]) -> list[str]:
    """Returns paths that this key has not uploaded, and invalid masks."""
    out = []
    for name in ("imageUrl", "maskUrl", "audioUrl"):
        path = prompt.get(name)
        if isinstance(path, str) and path not in uploads and not path.startswith(("http://", "https://")):
            out.append(f"{name} was not uploaded with this key")
    mask, image = uploads.get(prompt.get("maskUrl", "")), uploads.get(prompt.get("imageUrl", ""))
    if mask is not None:
        if mask.type != "image/png" or not pictures.is_black_and_white(mask.data):
            out.append("the mask is not in black and white")
        if image is not None and pictures.size_of(image.data) not in (None, pictures.size_of(mask.data)):
            out.append("the mask has another size than the image")
    return out


def reply(scenario: dict[str, Any], request: rules.Request, kept: assets.Assets) -> replies.Reply:
    """Returns the response to a checked call; see `onemin` for what a scenario may define."""
    headers = {"Content-Type": "application/json; charset=utf-8"} | scenario.get("headers", {})
    status = scenario.get("status", 200)
    if fixed := replies.fixed_body(scenario):
        return replies.Reply(status, {"Content-Type": fixed[1]} | scenario.get("headers", {}), [fixed[0]])
    body = request.json
    if body["type"] in ("SPEECH_TO_TEXT", "AUDIO_TRANSLATOR"):
        record = replies.record(scenario, body, [scenario.get("answer", written(body["promptObject"]))])
        return replies.Reply(status, headers, [replies.compact(record, scenario).encode("utf-8")])
    made = [content(scenario, request, index) for index in range(scenario.get("results", wanted(body["promptObject"])))]
    if scenario.get("binary"):
        data, _, kind = made[0]
        headers = {"Content-Type": kind} | scenario.get("headers", {})
        return replies.Reply(status, headers, [data[at : at + 4096] for at in range(0, len(data), 4096)])
    folder = "audios" if body["type"] == "TEXT_TO_SPEECH" else "images"
    results = [
        kept.keep(request.key, folder, extension, kind, data, scenario.get("unsigned_status", 200))
        for data, extension, kind in made
    ]
    shown = [kept.address(result) if scenario.get("absolute") else result.path for result in results]
    record = replies.record(scenario, body, shown[0] if scenario.get("bare") else shown)
    if scenario.get("signed", True) and results and "temporaryUrl" not in scenario.get("record", {}):
        record["aiRecord"]["temporaryUrl"] = kept.signed(results[0])
    return replies.Reply(status, headers, [replies.compact(record, scenario).encode("utf-8")])


WORDS = f"{replies.ANSWER_MARK} spoken words, \u00e7a va"
SEGMENT = {
    "id": 0, "seek": 0, "start": 0.0, "end": 2.5, "text": WORDS, "tokens": [50364, 7], "temperature": 0.0,
    "avg_logprob": -0.25, "compression_ratio": 0.9, "no_speech_prob": 1e-05,
}  # fmt: skip


def written(prompt: dict[str, Any]) -> str:
    """Returns the transcript in the requested format."""
    kind = prompt.get("response_format", "text")
    if kind == "json":
        return json.dumps({"text": WORDS})
    if kind == "verbose_json":
        whole = {"task": "transcribe", "language": "english", "duration": 2.5, "text": WORDS, "segments": [SEGMENT]}
        return json.dumps(whole | {"odd": "https://asset.1min.ai/x"})
    times = f"00:00:00{'.' if kind == 'vtt' else ','}000 --> 00:00:02{'.' if kind == 'vtt' else ','}500"
    return {"srt": f"1\n{times}\n{WORDS}\n", "vtt": f"WEBVTT\n\n{times}\n{WORDS}\n"}.get(kind, WORDS)


def wanted(prompt: dict[str, Any]) -> int:
    """Returns the number of images that a call makes."""
    return prompt.get("n", prompt.get("samples", 1))


def content(scenario: dict[str, Any], request: rules.Request, index: int) -> tuple[bytes, str, str]:
    """Returns bytes, extension and content type of a result."""
    prompt = request.json["promptObject"]
    seed = f"{request.number} {index}"
    if request.json["type"] == "TEXT_TO_SPEECH":
        extension = scenario.get("made_as", prompt.get("response_format", "mp3"))
        data, kind = pictures.audio(seed, extension), "audio/" + extension
    else:
        extension = prompt.get("output_format", prompt.get("stable_image_core_output_format", "png"))
        data, kind = pictures.image(seed, extension), "image/" + extension
    if "content64" in scenario:
        data = replies.base64.b64decode(scenario["content64"])
    return data, extension, scenario.get("kind", kind)
