__version__ = "0.2.0"

from .old_names import install  # module paths of version 0.1 still work
install()
del install
