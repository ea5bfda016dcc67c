"""Settings of Sphinx: `make docs` builds the guide, and fails at the first dead link.

Why Sphinx, with MyST for Markdown and the theme Furo: it checks links between pages and their anchors as it builds, it
is maintained, and GitHub shows the same files. MkDocs has had no release since 2024 and its next major version drops
plugins; its theme Material only gets fixes; their successor Zensical was young when this was chosen (version 0.1).

Links to other sites are not checked: tests run without a network.
"""

project = "Django projects with several databases"
author = "the authors"
extensions = ["myst_parser"]
# `index.rst` includes README.md, which GitHub shows for the folder.
exclude_patterns = ["README.md"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = project
html_show_copyright = False
html_copy_source = False
