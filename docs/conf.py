"""Sphinx configuration: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

import skaudio

project = "skaudio"
author = "skaudio developers"
copyright = f"2026, {author}"
release = version = skaudio.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    # In docs/_ext: the pictures of the landing page, the table of what each estimator can do, and
    # figures in tables that are not broken into two lines.
    "pictures",
    "capability_table",
    "unbroken_figures",
]
exclude_patterns = ["_build", "_templates", "_ext"]
templates_path = ["_templates"]

# Members are listed by _templates/autosummary/class.rst: the class's own, without what
# scikit-learn adds to every estimator, whose docstrings refer to its own documentation.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Copied examples run without their prompts.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 0,
    "show_memory": False,
    "reference_url": {},
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skaudio {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["skaudio.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages without a sidebar of sections: each of them is one page.
html_sidebars = {"index": [], "faq": []}
