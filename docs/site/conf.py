"""Sphinx reads this; `docs/site/build.py` copies it beside the pages."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "certify"
author = "the authors of certify"
copyright = "the authors of certify; Apache-2.0"
release = version = installed("certify")
extensions = ["myst_parser", "sphinx.ext.autodoc", "formulas", "docstrings"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["build", "examples/*.md"]
myst_enable_extensions = ["dollarmath", "colon_fence", "html_image"]
myst_heading_anchors = 6
myst_title_to_header = True
highlight_language = "none"
html_theme = "furo"
html_title = "certify"
html_static_path = ["static"]
html_css_files = ["certify.css"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_display_short_literal_types = True
add_module_names = False
toc_object_entries = False
suppress_warnings = ["ref.python"]  # annotations name classes of which the engines have one each: no link is better
