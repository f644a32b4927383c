"""The asv suite. asv imports every module of this folder, in the environment of every commit.

So nothing here may need what only newer commits have; the modules beside this folder may. asv
finds this package alone: the checkout goes to the end of the path, behind the commit that is
installed.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
