"""Known generators by what they leave, in the words they leave it."""

from __future__ import annotations

import json

import pytest

from spectrace.provenance import read
from spectrace.provenance.generators import named, recognise

WEB_UI = "a red fox, masterpiece\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
COMFY = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 5}}})
GRAPH = json.dumps({"last_node_id": 9, "nodes": [{"id": 1}], "links": []})


@pytest.mark.parametrize(
    ("texts", "generator", "start"),
    [
        ({"parameters": WEB_UI}, "Stable Diffusion web UI", "a red fox, masterpiece Negative"),
        ({"prompt": COMFY, "workflow": GRAPH}, "ComfyUI", '{"3"'),
        ({"workflow": GRAPH}, "ComfyUI", '{"last_node_id"'),
        ({"invokeai_metadata": '{"positive_prompt": "a fox"}'}, "InvokeAI", '{"positive'),
        ({"sd_m_metadata": '{"model": "stable diffusion"}'}, "InvokeAI", '{"model"'),
        ({"Dream": '"a fox" -s 50'}, "InvokeAI", '"a fox"'),
        (
            {
                "Software": "NovelAI",
                "Source": "NovelAI Diffusion V4",
                "Description": "a fox",
                "Comment": "{}",
            },
            "NovelAI",
            "a fox",
        ),
        ({"parameters": WEB_UI, "fooocus_scheme": "a1111"}, "Fooocus", "a red fox"),
        ({"parameters": '{"sui_image_params": {"prompt": "a fox"}}'}, "SwarmUI", '{"sui'),
        ({"prompt": "a fox", "negative_prompt": "blurry"}, "Easy Diffusion", "a fox"),
        ({"Prompt": "a fox", "Negative__Prompt": "blurry"}, "Easy Diffusion", "a fox"),
        ({"Description": "a fox --v 6 Job ID: 0e2a"}, "Midjourney", "a fox --v 6"),
        ({"Software": "DALL-E 3"}, "DALL-E (OpenAI)", "DALL-E 3"),
        ({"Source": "OpenAI"}, "OpenAI", "OpenAI"),
        ({"Software": "Stable Diffusion 1.5"}, "Stable Diffusion", "Stable"),
    ],
)
def test_png_text_chunks(build, texts, generator, start):
    found = read(build.png_texts(**texts))
    assert found.generator == generator
    assert found.generator_text.startswith(start)
    assert found.camera_make is None


@pytest.mark.parametrize(
    "texts",
    [
        {"Software": "Adobe Photoshop 25.0", "Comment": "holiday", "Description": "a fox"},
        {"parameters": "aperture and shutter"},
        {"prompt": "who goes there"},
        {"workflow": "scan, crop, save"},
        {"Author": "Midjourney fan"},
        {"Comment": "made with Stable Diffusion? no"},
    ],
)
def test_ordinary_text_names_no_generator(build, texts):
    found = read(build.png_texts(**texts))
    assert found.generator is None
    assert found.generator_text is None


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("coding", ["utf-16-be", "utf-16-le", "utf-16", "utf-8"])
def test_web_ui_in_the_user_comment(build, kind, coding):
    exif = build.exif(description="kept", comment=b"UNICODE\0" + WEB_UI.encode(coding))
    found = read(build.picture(kind, exif=exif))
    assert found.generator == "Stable Diffusion web UI"
    assert found.generator_text.startswith("a red fox, masterpiece Negative prompt: blurry Steps: 20")


def test_web_ui_in_an_ascii_user_comment(build):
    found = read(build.picture("JPEG", exif=build.exif(comment=b"ASCII\0\0\0" + WEB_UI.encode())))
    assert found.generator == "Stable Diffusion web UI"


def test_comfy_writes_where_a_camera_would(build):
    exif = build.exif(make=f"workflow:{GRAPH}", model=f"prompt:{COMFY}")
    found = read(build.picture("WEBP", exif=exif))
    assert found.generator == "ComfyUI"
    assert (found.camera_make, found.camera_model) == (None, None)
    assert "name no camera" in found.notes[0]


def test_flux_writes_its_maker_where_a_camera_would(build):
    exif = build.exif(software="AI generated;txt2img;flux", make="Black Forest Labs", model="flux-dev")
    found = read(build.picture("JPEG", exif=exif))
    assert found.generator == "FLUX (Black Forest Labs)"
    assert found.software == "AI generated;txt2img;flux"
    assert (found.camera_make, found.camera_model) == (None, None)


@pytest.mark.parametrize(
    ("attributes", "elements", "generator"),
    [
        ('xmp:CreatorTool="Adobe Firefly"', "", "Adobe Firefly"),
        ('photoshop:Credit="Made with Google AI"', "", "Google AI"),
        ('Iptc4xmpExt:AISystemUsed="Midjourney"', "", "Midjourney"),
        (
            'xmp:CreatorTool="Draw Things"',
            "<exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>{\"c\": 1}</rdf:li></rdf:Alt></exif:UserComment>",
            "Draw Things",
        ),
        ('xmp:CreatorTool="Adobe Lightroom 7.0"', "", None),
    ],
)
def test_names_in_xmp(build, attributes, elements, generator):
    assert read(build.jpeg(build.app1_xmp(build.packet(attributes, elements)))).generator == generator


def test_a_camera_picture_edited_with_ai_keeps_its_camera(build):
    exif = build.exif(make="Google", model="Pixel 9")
    packet = build.packet('photoshop:Credit="Edited with Google AI"')
    found = read(build.jpeg(build.app1_xmp(packet), base=build.picture("JPEG", exif=exif)))
    assert (found.generator, found.camera_make, found.camera_model) == ("Google AI", "Google", "Pixel 9")


@pytest.mark.parametrize(
    "program", ["Adobe Photoshop", "GIMP", "Dalle Valle Studio", "Lightroom", "Imagen", ""]
)
def test_names_that_are_none(program):
    assert named([program]) is None


def test_nothing_is_recognised_in_nothing():
    assert recognise({}) is None
    assert named([]) is None
