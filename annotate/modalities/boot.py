"""Starts a child process: `boot.py MODALITY PARENT`.

The package is entered without its __init__, which would bring Django and with it every secret of ours.
"""

import sys
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    for name, folder in (("annotate", here.parent), ("annotate.modalities", here)):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    from annotate.modalities.child import main

    main(sys.argv[1], int(sys.argv[2]))
