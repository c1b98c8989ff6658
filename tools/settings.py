"What settings.ini says: all of it, and the requirements."
from configparser import ConfigParser
from pathlib import Path

def settings():
    "All of settings.ini, by name."
    parser = ConfigParser(delimiters=['='])
    parser.read(Path(__file__).resolve().parents[1]/'settings.ini', encoding='utf-8')
    return parser['DEFAULT']

def requirements(kind='requirements'):
    "The lines of `kind`: 'requirements', 'dev_requirements' ..."
    return settings().get(kind, '').split()
