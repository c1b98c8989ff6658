"How Sphinx shows what tools/docs.py lays out: the notebooks as stored, a chapter for each room, the reference."
import shutil, sys
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # pages.py
_settings = ConfigParser(delimiters=['='])
_settings.read(HERE.parent/'settings.ini', encoding='utf-8')
_about = _settings['DEFAULT']

project = _about['lib_name']
author = _about['author']
copyright = _about['copyright']
version = release = _about['version']

extensions = ['myst_nb', 'sphinx.ext.mathjax', 'pages']
exclude_patterns = ['**.ipynb_checkpoints']
nb_execution_mode = 'off'  # what the notebooks store is what the pages show
nb_merge_streams = True
myst_enable_extensions = ['dollarmath', 'amsmath', 'fieldlist']
myst_heading_anchors = 4  # links to headings, as on GitHub
myst_links_external_new_tab = False
suppress_warnings = ['myst.header']  # a notebook may go from a title to a third-level heading
smartquotes = False
add_module_names = False
toc_object_entries_show_parents = 'hide'
maximum_signature_line_length = 90
python_display_short_literal_types = True
pygments_style = 'friendly'
pygments_dark_style = 'monokai'

html_theme = 'furo'
html_title = f'{project} {version}'
html_static_path = ['static']
html_css_files = ['site.css']
html_copy_source = False
html_show_search_summary = False  # it would fetch pages, which a browser does not do from a disk: see pages.py
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = dict(navigation_with_keys=True)

# MathJax comes with the site: pages are read without a network, and from a disk
mathjax_path = 'mathjax/tex-chtml.js'
MATHJAX = 'tex-chtml.js', 'input/tex/extensions', 'output/chtml/fonts'

def copy_mathjax(app, error):
    "Copy the part of MathJax that the pages load."
    if error or app.builder.format != 'html': return
    source = Path(find_spec('sphinx-mathjax-offline').origin).parent/'static'/'mathjax'
    target = Path(app.outdir)/'_static'/'mathjax'
    for name in MATHJAX:
        (target/name).parent.mkdir(parents=True, exist_ok=True)
        if (source/name).is_dir(): shutil.copytree(source/name, target/name, dirs_exist_ok=True)
        else: shutil.copy(source/name, target/name)

def setup(app):
    app.connect('build-finished', copy_mathjax)
