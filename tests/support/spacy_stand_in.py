"""A package that stands for spaCy's model: an English tokenizer, which is all that HELM's summaries use of it.

Runs on a Python that has spaCy.
"""

from __future__ import annotations

from pathlib import Path

NAME, VERSION = "en_core_web_sm", "3.8.0"
_CODE = """from spacy.util import load_model_from_init_py


def load(**options):
    return load_model_from_init_py(__file__, **options)
"""


def install(folder: Path) -> None:
    """Put the package into a folder of the import path."""
    import spacy

    package, metadata = folder / NAME, folder / f"{NAME}-{VERSION}.dist-info"
    package.mkdir()
    spacy.blank("en", meta={"name": "core_web_sm", "version": VERSION}).to_disk(package / f"{NAME}-{VERSION}")
    (package / "__init__.py").write_text(_CODE)
    (package / "meta.json").write_bytes((package / f"{NAME}-{VERSION}" / "meta.json").read_bytes())
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
