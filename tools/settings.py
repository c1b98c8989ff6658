"The requirements in settings.ini."
from configparser import ConfigParser
from pathlib import Path

def requirements(kind='requirements'):
    "The lines of `kind`: 'requirements', 'dev_requirements' ..."
    parser = ConfigParser(delimiters=['='])
    parser.read(Path(__file__).resolve().parents[1]/'settings.ini', encoding='utf-8')
    return parser['DEFAULT'].get(kind, '').split()
