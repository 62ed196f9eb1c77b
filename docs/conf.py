"""Configuration of the documentation; it builds without a network."""

import os
import re
from importlib.metadata import version as installed_version

from docutils import nodes
from docutils.utils.math import latex2mathml
from numpydoc.xref import DEFAULT_LINKS
from sphinx_gallery.sorting import ExplicitOrder

project = "skmade"
author = "The skmade developers"
copyright = author
release = version = installed_version("skmade")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples"]
default_role = "literal"
nitpicky = True  # a reference that leads nowhere is a warning
# The lists of attributes describe these properties, which have no entry of their own.
nitpick_ignore = [
    ("py:obj", "n_features_in_"),
    ("py:obj", "feature_names_in_"),
]

# docs/inventories lists the names of other sites that the docs refer to, a line for each.
# So nothing is fetched, and every build has the same links.
SITES = {
    "matplotlib": "https://matplotlib.org/stable",
    "numpy": "https://numpy.org/doc/stable",
    "pandas": "https://pandas.pydata.org/docs",
    "polars": "https://docs.pola.rs/api/python/stable",
    "python": "https://docs.python.org/3",
    "scipy": "https://docs.scipy.org/doc/scipy",
    "sklearn": "https://scikit-learn.org/stable",
}
intersphinx_mapping = {name: (site, f"inventories/{name}.txt") for name, site in SITES.items()}

toc_object_entries_show_parents = "hide"
autosummary_generate = True
autosummary_generate_overwrite = True
autodoc_typehints = "none"  # the docstrings name the types
numpydoc_show_class_members = False  # the autosummary template lists them
numpydoc_class_members_toctree = False
# In the types of parameters these words are links, and no others.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {word: word for word in DEFAULT_LINKS} | {
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
    "RandomState": "numpy.random.RandomState",
    "ndarray": "numpy.ndarray",
}

# What the button copies of an example: the lines behind a prompt, without it.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

# In the order of a first day; within a section, an example that is not named comes last.
SECTIONS = ["first_steps", "outliers", "real_tables", "questions", "inside_a_made"]
OPENING = [
    "plot_tour.py",
    "plot_two_moons.py",
    "plot_outliers.py",
    "plot_mixed_table.py",
    "plot_masks.py",
]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": ExplicitOrder([f"examples/{name}" for name in SECTIONS]),
    "within_subsection_order": ExplicitOrder([*OPENING, "*"]),
    "copyfile_regex": r".*\.csv",
    "nested_sections": False,
    "filename_pattern": r"plot_",
    "doc_module": ("skmade",),
    "reference_url": {"skmade": None},
    "backreferences_dir": "api/examples",
    "capture_repr": (),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "image_srcset": ["2x"],  # sharp when a telephone zooms in
    "write_computation_times": False,
}

html_math_renderer = "mathml"  # which browsers know: no script, and no network
html_theme = "pydata_sphinx_theme"
html_title = "skmade"
html_static_path = ["_static"]
html_css_files = ["skmade.css"]
html_copy_source = False
html_show_sourcelink = False
# Pages without chapters below them have nothing to show at the side.
html_sidebars = {
    "index": [],
    "quickstart": [],
    "auto_examples/first_steps/plot_tour": [],
    "how_fast": [],
    "promises": [],
    "contributing": [],
    "releasing": [],
    "changelog": [],
}
html_theme_options = {
    "logo": {"text": "skmade"},
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "show_nav_level": 2,
    "show_prev_next": True,
    "use_edit_page_button": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# A choice of versions where several are served.
if "READTHEDOCS" in os.environ:
    html_theme_options |= {
        "switcher": {
            "json_url": "https://skmade.readthedocs.io/en/latest/_static/versions.json",
            "version_match": os.environ["READTHEDOCS_VERSION"],
        },
        "check_switcher": False,  # needs no network
        "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    }


def quote_shapes(app, what, name, obj, options, lines):
    """Set shapes as code: reStructuredText takes the end of `n_features_in_` for a link."""
    lines[:] = [re.sub(r"of shape (\(.*?\))", r"of shape ``\1``", line) for line in lines]


def write_inline_formula(translator, node):
    """Write a formula within a line as MathML."""
    translator.body.append(latex2mathml.tex2mathml(node.astext()))
    raise nodes.SkipNode


def write_formula(translator, node):
    """Write a formula on lines of its own as MathML, aligned at each `&`."""
    code = rf"\begin{{aligned}}{node.astext()}\end{{aligned}}"
    formula = latex2mathml.tex2mathml(code, as_block=True)
    translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def unlist_citations(app, pagename, templatename, context, doctree):
    """Take the role of a list from citations, whose entries have no role of its items."""
    body = context.get("body", "")
    context["body"] = body.replace('role="list" class="citation-list"', 'class="citation-list"')


def setup(app):
    app.connect("autodoc-process-docstring", quote_shapes, priority=400)  # before numpydoc
    app.connect("html-page-context", unlist_citations)
    app.add_html_math_renderer("mathml", (write_inline_formula, None), (write_formula, None))
