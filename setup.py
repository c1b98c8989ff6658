"Build script: everything it knows stands in settings.ini."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=['='])
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
words = lambda key: cfg.get(key, '').split()
suffix = '_requirements'
extras = {k.removesuffix(suffix): words(k) for k in cfg if k.endswith(suffix)}
readme = here/'README.md'

setup(name=cfg['lib_name'], version=cfg['version'], license='Apache-2.0', description=cfg['description'],
      long_description=readme.read_text(encoding='utf-8') if readme.exists() else '', long_description_content_type='text/markdown',
      author=cfg['author'], author_email=cfg['author_email'], url=cfg['git_url'], keywords=words('keywords'),
      classifiers=['Programming Language :: Python :: 3', 'Framework :: Jupyter'],
      packages=find_packages(include=[cfg['lib_name'], cfg['lib_name'] + '.*']), include_package_data=True, zip_safe=False,
      python_requires='>=' + cfg['min_python'], install_requires=words('requirements'), extras_require=extras,
      entry_points={'console_scripts': words('console_scripts')})
